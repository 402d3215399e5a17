"""Running the app from a program: its socket, its signals, its log, its end."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fieldpack.errors import InputError, MissingExtraError
from fieldpack.server.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger("fieldpack.server")


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
    """The bound socket. Raises InputError when the address cannot be had.

    The protocol is named, for asyncio sets TCP_NODELAY only on sockets that say that they are TCP; without it every
    answer on a kept connection waits 40 ms for the client's acknowledgement.
    """
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, settings.port))
    except OSError as error:
        sock.close()
        reason = error.strerror or error
        raise InputError(f"cannot listen on {host} port {settings.port}: {reason}; choose another --port") from error
    return sock


def url_of(settings: Settings, port: int) -> str:
    """The address of the page for people."""
    host = settings.host.strip("[]")
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(settings: Settings, ready: Callable[[str], None] = lambda url: None) -> None:
    """Serves until SIGINT or SIGTERM; requests at work are then finished, for `grace` seconds at most.

    ready: called with the address. Warnings and errors go to standard error, and every request where the settings ask
    for it, unless the program around has configured the logger "fieldpack". Work in threads cannot be stopped: where
    some is left after the grace, this function ends the process (exit code 0) and does not return.

    Raises MissingExtraError and InputError before anything is served.
    """
    if "numpy" not in sys.modules:
        # Said before the library is loaded it holds for all its threads; why: see app.one_thread_each.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    app = create_app(settings)
    from fieldpack.server.uvicorn_server import run

    sock = listening(settings)
    app.state.service.handlers.warm()  # a damaged installation is reported here, in one line
    with logged(settings.access_log):
        # uvicorn raises the signal again when it has stopped; by then all is done, and the process may end well.
        before = signal.signal(signal.SIGTERM, lambda number, frame: None)
        try:
            with contextlib.suppress(KeyboardInterrupt):
                run(app, settings, sock, lambda: ready(url_of(settings, sock.getsockname()[1])))
        finally:
            signal.signal(signal.SIGTERM, before)
        left = sum(limiter.inside for limiter in app.state.service.limiters)
        if left:
            log.warning("%d requests were still at work after %g s and are abandoned", left, settings.grace)
            _leave()


def _leave() -> None:
    """Ends the process with its threads."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@contextlib.contextmanager
def logged(requests: bool) -> Iterator[None]:
    """Sends the service's log to standard error: warnings and errors, and each request where `requests` says so.

    A logger that the program around has given a handler is left as it is.
    """
    if any(
        not isinstance(h, logging.NullHandler) for name in ("", "fieldpack") for h in logging.getLogger(name).handlers
    ):
        yield
        return
    handler = logging.StreamHandler()
    handler.setFormatter(_NoTexts("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    loggers = {logging.getLogger("fieldpack.server"): logging.INFO if requests else logging.WARNING}
    loggers[logging.getLogger("uvicorn.error")] = logging.ERROR  # its warnings are of bytes that are no request
    levels = {logger: logger.level for logger in loggers}
    for logger, level in loggers.items():
        logger.addHandler(handler)
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.removeHandler(handler)
            logger.setLevel(level)


class _NoTexts(logging.Formatter):
    """Leaves the message of an exception out of the log: it may hold text of a document."""

    def formatException(self, ei: Any) -> str:
        """The lines of code that the exception passed, and its type."""
        return "".join([*traceback.format_tb(ei[2]), getattr(ei[0], "__name__", "")])
