"""The JSON bodies of requests: their type, size and time to arrive, checked while they are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Receive

from fieldpack.server.problems import Problem
from fieldpack.server.settings import Settings

_DRAINED = 4
"""How many times max_body is read of a body that is too large, so that its sender sees the answer."""


class ClientDisconnected(Exception):
    """The client left before it was answered."""


class BodyReader:
    """Reads bodies within the limits of the settings, and counts the bytes that all requests keep at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._buffered = 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The body, counted as kept until the block ends.

        Raises Problem "media-type", "too-large", "slow" or "overloaded", and ClientDisconnected.
        """
        _check_type(request.headers)
        body = bytearray()
        try:
            await self._read(request.headers, request.receive, body)
            yield bytes(body)
        finally:
            self._buffered -= len(body)

    async def _read(self, headers: Headers, receive: Receive, body: bytearray) -> None:
        length = headers.get("content-length", "0")
        most = self._settings.max_body
        if not (length.isascii() and length.isdigit()) or len(length) > 15 or int(length) > _DRAINED * most:
            raise _too_large(most)
        if int(length) > most:
            await _drain(receive, _DRAINED * most)
            raise _too_large(most)
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                while await self._read_part(receive, body):
                    pass
        except Problem as problem:
            if problem.kind == "too-large":
                await _drain(receive, (_DRAINED - 1) * most)
            raise
        except TimeoutError:
            detail = f"the body did not arrive in {self._settings.body_timeout:g} s"
            raise Problem("slow", detail, headers={"connection": "close"}) from None

    async def _read_part(self, receive: Receive, body: bytearray) -> bool:
        """Adds the next part to `body`. Returns whether more will come."""
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        part = message.get("body", b"")
        if len(body) + len(part) > self._settings.max_body:
            raise _too_large(self._settings.max_body)
        if self._buffered + len(part) > self._settings.max_buffered:
            raise Problem("overloaded", "too much is being sent at once; ask again in a moment", 2)
        self._buffered += len(part)
        body += part
        return bool(message.get("more_body", False))


def _check_type(headers: Headers) -> None:
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem("media-type", f"content-type is {kind[:80] or 'missing'!r}; send application/json")


async def _drain(receive: Receive, most: int) -> None:
    """Reads at most `most` bytes for two seconds and drops them: a client that still sends would not see the answer."""
    total = 0
    try:
        async with asyncio.timeout(2.0):
            while total <= most:
                message = await receive()
                total += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _too_large(most: int) -> Problem:
    # The rest of the body is not read, so the connection cannot be used again.
    return Problem("too-large", f"the body may have {most:,} bytes at most", headers={"connection": "close"})
