"""The verbs that go on until they are stopped: the HTTP service and the MCP server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; other than loopback only with an API key.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8017,
    api_key: Annotated[
        str | None, typer.Option(envvar="FIELDPACK_API_KEY", show_envvar=True, help="What clients have to send.")
    ] = None,
    max_body: Annotated[int, typer.Option(help="Bytes of a request.")] = 8 << 20,
    timeout: Annotated[float, typer.Option(help="Seconds that a request may wait and work.")] = 60.0,
    concurrency: Annotated[int, typer.Option(help="Requests worked on at once.")] = 2,
    waiting: Annotated[int, typer.Option(help="Requests that may wait; more are answered 429.")] = 64,
    max_sessions: Annotated[int, typer.Option(help="Sessions kept at once.")] = 64,
    allow_model: Annotated[
        list[str] | None, typer.Option(help="A further folder, hub name or URL that clients may name; may be repeated.")
    ] = None,
    allow_remote_models: Annotated[
        bool, typer.Option("--allow-remote-models", help="Let clients name any hub model or URL.")
    ] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name in the Host header; may be repeated.")
    ] = None,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log every request to standard error.")] = False,
) -> None:
    """Serve packs, vectors, plans and fields over HTTP, and a page for people at /."""
    from fieldpack.server import Settings
    from fieldpack.server.run import serve as run_service
    from fieldpack.server.settings import check_environment

    check_environment()
    settings = Settings(
        host=host,
        port=port,
        api_key=api_key,
        max_body=max_body,
        timeout=timeout,
        concurrency=concurrency,
        waiting=waiting,
        max_sessions=max_sessions,
        allow_models=tuple(allow_model or ()),
        allow_remote_models=allow_remote_models,
        allow_hosts=tuple(allow_host or ()),
        access_log=access_log,
    )
    run_service(settings, lambda url: typer.echo(f"fieldpack listens on {url} (Ctrl-C stops it)", err=True))


def mcp(
    root: Annotated[
        list[Path] | None, typer.Option("--root", help="A folder that tools may read from; may be repeated.")
    ] = None,
    transport: Annotated[str, typer.Option(help="stdio | http (127.0.0.1 only)")] = "stdio",
    port: Annotated[int, typer.Option(help="Of http.")] = 8018,
) -> None:
    """Serve the tools pack_context, explore_field and plan_budget over the Model Context Protocol."""
    from fieldpack.mcp import serve as serve_tools

    serve_tools(root or [], transport, port)
