"""`fieldpack mcp --wrap`: stands between an MCP host (over stdio) and any server (a command, or a URL).

Messages of JSON-RPC are passed on as they are, in both directions, requests of the server to the host (sampling, roots,
elicitation), notifications, progress and errors included, whatever version of the protocol both speak: a relay of
messages loses nothing that a client and a server back to back would have to know.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCMessage

from fieldpack.errors import InputError
from fieldpack.mcp.headers import HeaderStamp
from fieldpack.mcp.host_lines import HostLines
from fieldpack.mcp.results import ResultTrimmer

_MOST_EVENT = 256 << 20
"""Bytes of one event of an HTTP server; the SDK's own bound, 1 MiB, is less than many results."""
_ENDED = "the wrapped server ended"
_CLOSED = (anyio.BrokenResourceError, anyio.ClosedResourceError)


@dataclass(frozen=True)
class Target:
    """The server behind a relay: a command with its arguments, or a URL with headers."""

    command: tuple[str, ...] = ()
    url: str = ""
    headers: Mapping[str, str] | None = None


def relayed(target: Target, trimmer: ResultTrimmer) -> None:
    """Passes messages on until the host closes its side. Raises InputError when the server cannot be started or
    reached, or ends before the host does."""
    asyncio.run(_relayed(target, trimmer))


async def _relayed(target: Target, trimmer: ResultTrimmer) -> None:
    lines = HostLines()
    async with stdio_server(stdin=lines) as (from_host, to_host):  # type: ignore[arg-type]  # it only iterates
        try:
            reason = await _reason_of_end(target, trimmer, from_host, to_host)
            if reason:
                await _refused(reason, trimmer, from_host, to_host)
        finally:
            lines.end()
            await to_host.aclose()
    if reason:
        raise InputError(reason)


async def _reason_of_end(target: Target, trimmer: ResultTrimmer, from_host: Any, to_host: Any) -> str:
    """Passes messages on to the end: "" when the host closed its side, else what went wrong with the server."""
    try:
        async with _opened(target) as (from_server, to_server):
            host_ended = await Relay(trimmer, to_host, to_server).run(from_host, from_server)
        return "" if host_ended else _ENDED
    except (OSError, ValueError) as error:
        return f"the wrapped server cannot be started: {error}"
    except Exception as error:
        return f"the wrapped server cannot be reached: {_cause(error)}"


async def _refused(reason: str, trimmer: ResultTrimmer, from_host: Any, to_host: Any) -> None:
    """Answers the requests that wait with the reason; where none does, the host's next one, within a second."""
    waiting = trimmer.unanswered(reason)
    with anyio.move_on_after(1.0):
        while not waiting:
            item = await anext(aiter(from_host), None)
            if item is None:
                break
            if isinstance(item, SessionMessage):
                trimmer.to_server(item.message)
                waiting = trimmer.unanswered(reason)
    for message in waiting:
        await to_host.send(SessionMessage(message))


@asynccontextmanager
async def _opened(target: Target) -> AsyncIterator[tuple[Any, Any]]:
    """The streams from and to the server. The command gets this process's environment and standard error."""
    if target.command:
        command, *arguments = target.command
        parameters = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
        async with stdio_client(parameters) as streams:
            yield streams
        return
    from mcp.shared._httpx_utils import create_mcp_http_client

    async with (
        create_mcp_http_client(headers=dict(target.headers or {})) as client,
        streamable_http_client(target.url, http_client=client, max_sse_event_size=_MOST_EVENT) as streams,
    ):
        yield streams


class Relay:
    """Two loops over the streams of both sides."""

    def __init__(self, trimmer: ResultTrimmer, to_host: Any, to_server: Any) -> None:
        self._trimmer, self._to_host, self._to_server = trimmer, to_host, to_server
        self._stamp = HeaderStamp()

    async def run(self, from_host: Any, from_server: Any) -> bool:
        """Passes messages on until one side ends. Whether it was the host that ended."""
        host_ended = False
        async with anyio.create_task_group() as both:

            async def host_side() -> None:
                nonlocal host_ended
                try:
                    await self._host_messages(from_host)
                    host_ended = True
                except* _CLOSED:  # the server went away first
                    pass
                both.cancel_scope.cancel()

            async def server_side() -> None:
                try:
                    await self._server_messages(from_server)
                except* _CLOSED:
                    pass
                both.cancel_scope.cancel()

            both.start_soon(host_side)
            both.start_soon(server_side)
        return host_ended

    async def _host_messages(self, from_host: Any) -> None:
        async with anyio.create_task_group() as answers:
            async for item in from_host:
                if not isinstance(item, SessionMessage):
                    continue  # a line that is no message of JSON-RPC
                message = item.message
                if self._trimmer.is_expand(message):
                    answers.start_soon(self._expand, message)
                    continue
                message = self._trimmer.to_server(message)
                await self._to_server.send(SessionMessage(message, self._stamp.metadata(message)))

    async def _server_messages(self, from_server: Any) -> None:
        """Each answer is trimmed beside the stream, so that notifications do not wait for it."""
        async with anyio.create_task_group() as answers:
            async for item in from_server:
                if isinstance(item, SessionMessage):
                    self._stamp.read(item.message)
                    if hasattr(item.message, "method"):  # a request or notification: in order
                        await self._to_host.send(SessionMessage(item.message))
                    else:
                        answers.start_soon(self._answer, item.message)

    async def _answer(self, message: JSONRPCMessage) -> None:
        await self._to_host.send(SessionMessage(await self._trimmer.to_host(message)))

    async def _expand(self, message: Any) -> None:
        await self._to_host.send(SessionMessage(await self._trimmer.expanded(message)))


def _cause(error: BaseException) -> str:
    """The kind of the innermost error of a group; its message may hold an address with a key."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


def headers_of(lines: Sequence[str]) -> dict[str, str]:
    """{name: value} of lines such as "Authorization: Bearer KEY". Raises InputError."""
    out = {}
    for line in lines:
        name, mark, value = line.partition(":")
        if not mark or not name.strip() or "\n" in line:
            raise InputError("a header is not NAME: VALUE; give it as 'Authorization: Bearer KEY'")
        out[name.strip()] = value.strip()
    return out
