"""fieldpack as tools of the Model Context Protocol: `serve([folder])` runs them, `server(Roots([folder]))` makes it.

`wrap(command)` stands before another server and trims the results of its tools.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldpack.errors import InputError, MissingExtraError
from fieldpack.mcp.roots import Roots as Roots

if TYPE_CHECKING:
    from mcp.server import MCPServer

TRANSPORTS = ("stdio", "http")


def server(roots: Roots | None = None) -> MCPServer:
    """The server with its three tools. Raises MissingExtraError."""
    _require()
    from fieldpack.mcp.tools import build

    return build(roots or Roots(()))


def serve(roots: Sequence[str | Path] = (), transport: str = "stdio", port: int = 8018) -> None:
    """Runs the tools until the client closes its side (stdio), or SIGINT or SIGTERM (http, on 127.0.0.1 at /mcp).

    roots: folders that the tools may read from; without any, they take texts only. Raises InputError for a folder that
    is not there, an unknown transport or a port that is taken, and MissingExtraError.
    """
    if transport not in TRANSPORTS:
        raise InputError(f"transport is {transport!r}; allowed: {', '.join(TRANSPORTS)}")
    built = server(Roots(roots))
    if transport == "stdio":
        built.run("stdio")
        return
    from fieldpack.server.run import listening
    from fieldpack.server.settings import Settings

    listening(Settings(port=port)).close()  # a taken port is said in one line, before the server begins
    from mcp.server.transport_security import TransportSecuritySettings

    # Exact names: the SDK's own pattern "http://127.0.0.1:*" lets in the origin http://127.0.0.1:80.evil.example.
    hosts = [f"{name}:{port}" for name in ("127.0.0.1", "localhost")]
    security = TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts])
    built.run("streamable-http", host="127.0.0.1", port=port, transport_security=security)


def wrap(command: Sequence[str] = (), url: str = "", *, headers: Sequence[str] = (), **options: Any) -> None:
    """Stands before another MCP server, over stdio, until the host closes its side: its tools' results are trimmed.

    command, url: of the server, one of both. headers: "NAME: VALUE" for a URL. options: `offer_question`, and those of
    ToolTrimmer. Raises InputError when the server cannot be started or ends, SettingsError for an option out of range,
    and MissingExtraError.
    """
    if bool(command) == bool(url):
        raise InputError("give the command of the server to wrap, or its URL: one of both")
    if url and not url.lower().startswith(("http://", "https://")):
        raise InputError(f"the URL to wrap is {url[:100]!r}; give http:// or https://")
    _require()
    from fieldpack.mcp.relay import Target, headers_of, relayed
    from fieldpack.mcp.results import ResultTrimmer
    from fieldpack.tools import ToolTrimmer

    offer_question = bool(options.pop("offer_question", False))
    target = Target(tuple(command), url, headers_of(headers))
    relayed(target, ResultTrimmer(ToolTrimmer(**options), offer_question))


def _require() -> None:
    for package in ("mcp", "pydantic"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "mcp")
