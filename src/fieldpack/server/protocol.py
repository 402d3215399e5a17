"""uvicorn's HTTP protocol with limits that uvicorn lacks: on connections, and on slow senders and slow readers.

Own code: uvicorn times idle connections only, and its write buffers are without bound. The class builds on uvicorn's
H11Protocol, whose attributes `cycle`, `conn`, `flow` and `connections` it reads.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from fieldpack.server.settings import Settings

log = logging.getLogger("fieldpack.server")
_LEAST_RATE = 16_384
"""Bytes a second that a client has to take of its answer, over each `write_timeout`."""


class _CountingTransport:
    """A transport that counts the bytes written to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.written = 0

    def write(self, data: bytes) -> None:
        """Called by uvicorn with each part of an answer."""
        self.written += len(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class BoundedProtocol(H11Protocol):
    """One connection of a service. `settings` is set by `bounded_protocol`.

    A request's head has to be there `head_timeout` seconds after its first byte; the first head, after the connection
    was made. A client has to take its answer at 16 KiB a second, over each `write_timeout`. Else it is cut off.
    """

    settings: Settings
    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _taken = _unsent = 0

    def connection_made(self, transport: Any) -> None:
        """Called by the event loop."""
        self._counter = _CountingTransport(transport)
        super().connection_made(self._counter)  # type: ignore[arg-type]
        if len(self.connections) > self.settings.max_connections:
            transport.close()
            return
        self._head_timer = self.loop.call_later(self.settings.head_timeout, transport.abort)
        self._write_timer = self.loop.call_later(self.settings.write_timeout, self._check_reader)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        for timer in (self._head_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Called by uvicorn when bytes have arrived and when an answer is done."""
        super().handle_events()
        waits_for_head = self.cycle is None or self.cycle.response_complete
        if self._head_timer is not None and not waits_for_head:
            self._head_timer.cancel()
            self._head_timer = None
        elif self._head_timer is None and waits_for_head and self.timeout_keep_alive_task is None:
            # uvicorn's own timer for idle connections ends with the first byte.
            self._head_timer = self.loop.call_later(self.settings.head_timeout, self.transport.abort)

    def _check_reader(self) -> None:
        """Cuts the connection when too little of what was unsent at the last check has been taken since."""
        unsent = self.transport.get_write_buffer_size()
        taken = self._counter.written - unsent
        due = min(self._unsent, int(_LEAST_RATE * self.settings.write_timeout))
        if taken - self._taken < due:
            log.warning("a client took too little of its answer in %g s and was cut off", self.settings.write_timeout)
            self.transport.abort()
            return
        self._taken, self._unsent = taken, unsent
        self._write_timer = self.loop.call_later(self.settings.write_timeout, self._check_reader)


def bounded_protocol(settings: Settings) -> type[BoundedProtocol]:
    """The protocol class for a server with these settings."""
    return type("BoundedProtocol", (BoundedProtocol,), {"settings": settings})
