"""What every request passes before any work: host and origin, key, size and time of the body, number of requests."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldpack.server.metrics import Metrics
from fieldpack.server.problems import Problem
from fieldpack.server.settings import Settings

log = logging.getLogger("fieldpack.server")
OPEN = frozenset({"/", "/page.js", "/page.css", "/healthz", "/openapi.json"})
"""Paths that need no key: they say nothing but what the package itself says."""
_DRAINED = 4
"""How many times max_body is read of a body that is too large, so that its sender learns it by the answer."""
SAFE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]


class Guard:
    """ASGI middleware: the outermost. Every refusal and every unforeseen error leaves as a problem."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self._digest = hashlib.sha256(settings.api_key.encode()).digest() if settings.api_key is not None else None
        self._buffered = self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, answered = time.perf_counter(), Answer(send)
        self._requests += 1
        self.metrics.in_flight = self._requests
        try:
            await self._checked(scope, receive, answered)
        except Exception as error:
            await self._failed(scope, receive, answered, error)
        finally:
            self._requests -= 1
            self.metrics.in_flight = self._requests
            seconds = time.perf_counter() - start
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.request(route, scope["method"], answered.status, seconds)
            log.info("%s %s %d %.1f ms", scope["method"], route, answered.status, seconds * 1000)

    async def _checked(self, scope: Scope, receive: Receive, send: Answer) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers)
        if scope["path"] not in OPEN:
            self._check_key(headers)
        if self._requests > self.settings.max_connections:
            raise Problem("overloaded", "too many requests at once; ask again in a moment", 1)
        if scope["method"] not in ("POST", "PUT", "PATCH"):
            await self.app(scope, receive, send)
            return
        kind = headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/json":
            raise Problem("media-type", f"content-type is {kind[:80] or 'missing'!r}; send application/json")
        body = bytearray()
        try:
            await self._read(headers, receive, body)
            await self.app(scope, replay(bytes(body), receive), send)
        finally:
            self._buffered -= len(body)

    def _check_host(self, headers: Headers) -> None:
        """Against DNS rebinding: a page from elsewhere has another Host, or an Origin that is not ours."""
        host = headers.get("host", "")
        name = host_name(host)
        known = {"localhost", "127.0.0.1", "::1", self.settings.host.strip("[]"), *self.settings.allow_hosts}
        # Where the service is open to a network its names are not known; there the key keeps other pages out.
        if (self.settings.loopback or self.settings.allow_hosts) and name not in known:
            raise Problem("forbidden-host", f"host {host[:100]!r} is not served here; allow it with --allow-host")
        origin = headers.get("origin")
        if origin is not None and urlsplit_netloc(origin) != host.lower():
            raise Problem("forbidden-host", f"origin {origin[:100]!r} may not use this service")
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            raise Problem("forbidden-host", "another site may not use this service from a browser")

    def _check_key(self, headers: Headers) -> None:
        if self._digest is None:
            return
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if not hmac.compare_digest(hashlib.sha256(given.encode("utf-8", "replace")).digest(), self._digest):
            detail = "send the API key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
            raise Problem("no-key", detail, headers={"www-authenticate": "Bearer"})

    async def _read(self, headers: Headers, receive: Receive, body: bytearray) -> None:
        stated = headers.get("content-length", "0")
        most = self.settings.max_body
        if not (stated.isascii() and stated.isdigit()) or len(stated) > 15 or int(stated) > _DRAINED * most:
            raise _too_large(most)
        if int(stated) > most:
            await _drain(receive, _DRAINED * most)
            raise _too_large(most)
        try:
            async with asyncio.timeout(self.settings.body_timeout):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Gone
                    chunk = message.get("body", b"")
                    if len(body) + len(chunk) > most:
                        raise _too_large(most)
                    if self._buffered + len(chunk) > self.settings.max_buffered:
                        raise Problem("overloaded", "too much is being sent at once; ask again in a moment", 2)
                    self._buffered += len(chunk)
                    body += chunk
                    if not message.get("more_body", False):
                        return
        except Problem as problem:
            if problem.kind == "too-large":
                await _drain(receive, (_DRAINED - 1) * most)
            raise
        except TimeoutError:
            seconds = self.settings.body_timeout
            raise Problem(
                "slow", f"the body did not arrive in {seconds:g} s", headers={"connection": "close"}
            ) from None

    async def _failed(self, scope: Scope, receive: Receive, send: Answer, error: Exception) -> None:
        if isinstance(error, Gone):
            return
        if not isinstance(error, Problem):
            # The frames say where; the message is left out, for it may hold the text of a document.
            where = "".join(traceback.format_tb(error.__traceback__))
            route = getattr(scope.get("route"), "path", "other")  # a path may hold the id of a session
            log.error("%s in %s %s\n%s", type(error).__name__, scope["method"], route, where)
            error = Problem("internal", "the service failed and has logged where; the fault is not in your request")
        if not send.begun:
            await error.response(scope["path"] == "/v1/embeddings")(scope, receive, send)


async def _drain(receive: Receive, most: int) -> None:
    """Reads on and forgets, for a while: a client that is still sending would not see the answer."""
    seen = 0
    try:
        async with asyncio.timeout(2.0):
            while seen <= most:
                message = await receive()
                seen += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


class Gone(Exception):
    """The client left before its request had arrived."""


class Answer:
    """`send` that adds the headers every answer has, and remembers the status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status, self.begun = 499, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.begun = message["status"], True
            have = {name for name, _ in message.get("headers", [])}
            message["headers"] = [*message.get("headers", []), *(h for h in SAFE_HEADERS if h[0] not in have)]
        await self._send(message)


def replay(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """A `receive` that gives the body that was read already, then what comes after it."""
    given = False

    async def again() -> dict[str, Any]:
        nonlocal given
        if given:
            return dict(await receive())
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def host_name(host: str) -> str:
    """The name in a Host header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def urlsplit_netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _too_large(most: int) -> Problem:
    # The rest of the body is not read, so the connection cannot be used again.
    return Problem("too-large", f"the body may have {most:,} bytes at most", headers={"connection": "close"})
