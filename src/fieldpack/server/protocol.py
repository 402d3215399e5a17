"""uvicorn's HTTP protocol with limits that uvicorn lacks: on connections, and on the time that a head may take."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from fieldpack.server.settings import Settings


def bounded_protocol(settings: Settings) -> type[asyncio.Protocol]:
    """The protocol class for a server with these settings."""

    class BoundedProtocol(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > settings.max_connections:
                transport.close()
                return
            self.loop.call_later(settings.head_timeout, self._check_head)

        def _check_head(self) -> None:
            if self.cycle is None and not self.transport.is_closing():
                self.transport.close()

    return BoundedProtocol
