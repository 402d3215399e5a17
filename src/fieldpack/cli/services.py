"""The verbs that go on until they are stopped: the HTTP service and the MCP server."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fieldpack.cli.options import ServeOptions, takes


@takes(ServeOptions)
def serve(options: ServeOptions) -> None:
    """Serve packs, plans and fields over HTTP.

    A page for people is at /.
    """
    from fieldpack.server import Settings
    from fieldpack.server.run import serve as run_service
    from fieldpack.server.settings import check_environment

    check_environment()
    values = asdict(options)
    models, hosts = values.pop("allow_model"), values.pop("allow_host")
    settings = Settings(allow_models=tuple(models or ()), allow_hosts=tuple(hosts or ()), **values)
    run_service(settings, lambda url: typer.echo(f"fieldpack listens on {url} (Ctrl-C stops it)", err=True))


def mcp(
    root: Annotated[
        list[Path] | None, typer.Option("--root", help="A folder that tools may read from; may be repeated.")
    ] = None,
    transport: Annotated[str, typer.Option(help="stdio | http (127.0.0.1 only)")] = "stdio",
    port: Annotated[int, typer.Option(help="Of http.")] = 8018,
) -> None:
    """Serve tools over the Model Context Protocol.

    The tools are pack_context, explore_field and plan_budget.
    """
    from fieldpack.mcp import serve as serve_tools

    serve_tools(root or [], transport, port)
