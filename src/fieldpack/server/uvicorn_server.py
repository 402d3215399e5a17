"""The server beneath: uvicorn, set up for a service. With protocol.py the only place that knows it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from fieldpack.server.protocol import bounded_protocol
from fieldpack.server.settings import Settings

_LAST_WORDS = 1.0
"""Seconds that answers have to leave after the grace, before uvicorn cancels what is left."""


def run(app: FastAPI, settings: Settings, sock: socket.socket, ready: Callable[[], None]) -> None:
    """Serves the app on the bound socket until SIGINT or SIGTERM. ready: called when it listens."""
    config = uvicorn.Config(
        app,
        http=bounded_protocol(settings),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=settings.grace + _LAST_WORDS,  # type: ignore[arg-type]
        backlog=256,
        h11_max_incomplete_event_size=16_384,
    )
    _Server(config, app, settings, ready).run(sockets=[sock])


class _Server(uvicorn.Server):
    """uvicorn's server, which tells the service when it stops: at once, and again when the grace is over."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, settings: Settings, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._limiters = app.state.service.limiters
        app.state.service.unsent = self._unsent
        self._settings, self._ready = settings, ready

    def _unsent(self) -> int:
        return sum(one.transport.get_write_buffer_size() for one in self.server_state.connections)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn; the service listens when it returns."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn after a signal: refuses new work, and answers what waits when the grace is over."""
        loop = asyncio.get_running_loop()
        for limiter in self._limiters:
            limiter.stop()
            loop.call_later(self._settings.grace, limiter.abandon)
        await super().shutdown(sockets)
