"""The verbs that go on until they are stopped: the HTTP service and the MCP server."""

from __future__ import annotations

from dataclasses import asdict

import typer

from fieldpack.cli.agent_options import McpOptions
from fieldpack.cli.options import ServeOptions
from fieldpack.cli.takes import takes
from fieldpack.errors import InputError


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


@takes(McpOptions)
def mcp(options: McpOptions) -> None:
    """Serve tools over the Model Context Protocol, or trim the results of another server's tools.

    The tools are pack_context, explore_field and plan_budget. With --wrap (or --wrap-url) it stands before the server
    that COMMAND starts, passes everything on, trims large results, and adds the tool expand.
    """
    from fieldpack.mcp import serve as serve_tools
    from fieldpack.mcp import wrap

    if options.command and not options.wrap:
        raise InputError(f"what is {options.command[0]!r}? to stand before that server, say --wrap before it")
    if not options.wrap and options.wrap_url is None:
        serve_tools(options.root or [], options.transport, options.port)
        return
    if options.root or options.transport != "stdio":
        raise InputError("--root and --transport are of fieldpack's own tools; a wrapped server has its own options")
    wrap(
        options.command or (),
        options.wrap_url or "",
        headers=options.header or (),
        offer_question=options.ask,
        budget=options.budget,
        threshold=options.threshold,
        store=options.store or "memory",
        handle=options.handle,
        shadow=options.shadow,
    )
