"""Running the app: its socket, its signals, its log. With protocol.py the only place that knows the server beneath."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from fieldpack.errors import InputError, MissingExtraError
from fieldpack.server.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI


def require() -> None:
    """Raises MissingExtraError for the first package that the service lacks."""
    for package in ("fastapi", "prometheus_client", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "service")


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI app, for a server of your own. Raises MissingExtraError."""
    require()
    from fieldpack.server.app import create_app as create

    return create(settings)


def listening(settings: Settings) -> socket.socket:
    """The bound socket. Raises InputError when the address cannot be had."""
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, settings.port))
    except OSError as error:
        sock.close()
        reason = error.strerror or error
        raise InputError(f"cannot listen on {host} port {settings.port}: {reason}; choose another --port") from error
    return sock


def serve(settings: Settings, ready: Callable[[str], None] = lambda url: None) -> None:
    """Serves until SIGINT or SIGTERM; requests at work are finished first. ready: called with the address.

    Raises MissingExtraError and InputError before anything is served.
    """
    if "numpy" not in sys.modules:
        # Said before the library is loaded it holds for all its threads; why: see app.one_thread_each.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    app = create_app(settings)
    import uvicorn

    from fieldpack.server.protocol import bounded_protocol

    sock = listening(settings)
    app.state.service.handlers.warm()  # a damaged installation is reported here, in one line
    logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())
    host = f"[{settings.host}]" if ":" in settings.host.strip("[]") else settings.host
    url = f"http://{host}:{sock.getsockname()[1]}/"

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready(url)

    config = uvicorn.Config(
        app,
        http=bounded_protocol(settings),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=max(1, round(settings.grace)),
        backlog=256,
        h11_max_incomplete_event_size=16_384,
    )
    # uvicorn raises the signal again when it has stopped; by then all is done, and the process may end as it should.
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            Server(config).run(sockets=[sock])
    finally:
        signal.signal(signal.SIGTERM, before)
