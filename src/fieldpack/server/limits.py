"""What every request passes before any work: host and origin, key, number of requests. Failures leave as problems."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldpack.server.bodies import ClientDisconnected
from fieldpack.server.metrics import Metrics
from fieldpack.server.problems import Problem, log_failure
from fieldpack.server.settings import Settings

log = logging.getLogger("fieldpack.server")
OPEN = frozenset({"/", "/page.js", "/page.css", "/healthz", "/openapi.json"})
"""Paths that need no key: they tell nothing but what the package itself tells."""
SAFE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]


class Guard:
    """ASGI middleware, the outermost one. Every refusal and every unforeseen error leaves it as a problem."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self._digest = hashlib.sha256(settings.api_key.encode()).digest() if settings.api_key is not None else None
        self._hosts = _known_hosts(settings)
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, sender = time.perf_counter(), ResponseSender(send)
        # HEAD is answered as GET is; the server leaves out the body.
        inner: Scope = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        self._requests += 1
        self.metrics.in_flight.inc()
        try:
            await self._check(scope)
            await self.app(inner, receive, sender)
        except asyncio.CancelledError:
            if not scope["app"].state.service.packs.stopping:
                raise
            # The server stops and waits no longer.
            await self._answer_failure(inner, receive, sender, Problem.stopping())
        except Exception as error:
            await self._answer_failure(inner, receive, sender, error)
        finally:
            self._requests -= 1
            self.metrics.in_flight.dec()
            seconds = time.perf_counter() - start
            self.metrics.request(_route(inner), scope["method"], sender.status, seconds)
            log.info("%s %s %d %.1f ms", scope["method"], _route(inner), sender.status, seconds * 1000)

    async def _check(self, scope: Scope) -> None:
        """Raises Problem "framing", "forbidden-host", "no-key" or "overloaded"."""
        headers = Headers(scope=scope)
        if "content-length" in headers and "transfer-encoding" in headers:
            # Two servers in a row may read such a request in two ways: the way in for request smuggling.
            detail = "both Content-Length and Transfer-Encoding are there; send one of them"
            raise Problem("framing", detail, headers={"connection": "close"})
        await self._check_host(scope, headers)
        self._check_origin(headers)
        if scope["path"] not in OPEN:
            self._check_key(headers)
        if self._requests > self.settings.max_connections:
            raise Problem("overloaded", "too many requests at once; ask again in a moment", 1)

    async def _check_host(self, scope: Scope, headers: Headers) -> None:
        """Starlette's check of the Host header against DNS rebinding; its plain-text refusal becomes a problem."""

        async def refuse(message: Message) -> None:
            host = headers.get("host", "")[:100]
            raise Problem("forbidden-host", f"host {host!r} is not served here; allow it with --allow-host")

        await TrustedHostMiddleware(_nothing, self._hosts, www_redirect=False)(scope, _nobody, refuse)

    def _check_origin(self, headers: Headers) -> None:
        """Keeps the pages of other sites out: a browser says where a request comes from."""
        origin = headers.get("origin")
        if origin is not None and _address_of(origin) != headers.get("host", "").lower():
            raise Problem("forbidden-host", f"origin {origin[:100]!r} may not use this service")
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            raise Problem("forbidden-host", "another site may not use this service from a browser")

    def _check_key(self, headers: Headers) -> None:
        if self._digest is None:
            return
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        key = bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if not hmac.compare_digest(hashlib.sha256(key.encode("utf-8", "replace")).digest(), self._digest):
            detail = "send the API key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
            raise Problem("no-key", detail, headers={"www-authenticate": "Bearer"})

    async def _answer_failure(self, scope: Scope, receive: Receive, send: ResponseSender, error: Exception) -> None:
        if isinstance(error, ClientDisconnected):
            return
        if not isinstance(error, Problem):
            log_failure(error, f"{scope['method']} {_route(scope)}")
            error = Problem.internal()
        if not send.begun:
            await error.response(scope["path"] == "/v1/embeddings")(scope, receive, send)


class ResponseSender:
    """An ASGI `send` that adds the headers that every answer has, and remembers the status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status, self.begun = 499, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.begun = message["status"], True
            present = {name for name, _ in message.get("headers", [])}
            message["headers"] = [*message.get("headers", []), *(h for h in SAFE_HEADERS if h[0] not in present)]
        await self._send(message)


def _known_hosts(settings: Settings) -> list[str]:
    """Names in the Host header that are served, as TrustedHostMiddleware takes them.

    A service that is open to a network serves every name unless the operator lists some: its names are not known
    here, and the key keeps the pages of other sites out.
    """
    if not (settings.loopback or settings.allow_hosts):
        return ["*"]
    names = {
        "localhost",
        "127.0.0.1",
        "::1",
        settings.host.strip("[]"),
        *(name.strip("[]") for name in settings.allow_hosts),
    }
    return [f"[{name}]" if ":" in name else name for name in sorted(names)]


def _route(scope: Scope) -> str:
    """The pattern of the address: the path itself may hold the id of a session."""
    return getattr(scope.get("route"), "path", "other")


def _address_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """The app behind the check of the host: a request that reaches it has passed."""


async def _nobody() -> Any:
    return {"type": "http.disconnect"}
