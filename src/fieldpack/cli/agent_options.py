"""The options of the verbs for agents, one record each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fieldpack.cli.options import Budget, Json

Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="FIELDPACK_TOOL_STORE",
        help="SQLite file that keeps what is left out, for expand.",
    ),
]
ToolBudget = Annotated[int, typer.Option("--budget", "-b", help="Tokens at most, the notice included.")]
Threshold = Annotated[int, typer.Option("--threshold", help="Outputs of so many tokens or fewer stay as they are.")]
Shadow = Annotated[bool, typer.Option("--shadow", help="Decide and report, change nothing.")]


@dataclass(frozen=True, kw_only=True)
class TrimOptions:
    """Of `fieldpack trim`."""

    query: Annotated[str, typer.Option("--query", "-q", help="What the output is read for.")]
    budget: ToolBudget = 1000
    threshold: Threshold = 500
    store: Store = None
    tool: Annotated[str, typer.Option(help="The name of the command.")] = ""
    exit_code: Annotated[int | None, typer.Option(help="Of the command; not 0 keeps all its errors.")] = None
    shadow: Shadow = False
    as_json: Json = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say on standard error what was saved.")] = False


@dataclass(frozen=True, kw_only=True)
class ExpandOptions:
    """Of `fieldpack expand`."""

    id: Annotated[str, typer.Argument(metavar="ID", help="The id in the notice.")]
    store: Annotated[str, typer.Option("--store", envvar="FIELDPACK_TOOL_STORE", help="The file that keeps it.")]
    query: Annotated[str | None, typer.Option("--query", "-q", help="Only what answers this.")] = None
    range: Annotated[str | None, typer.Option("--range", "-r", help="Lines of the output: 120-180, from 1.")] = None
    budget: Budget = None


@dataclass(frozen=True, kw_only=True)
class HookOptions:
    """Of `fieldpack hook post-tool-use`."""

    query: Annotated[
        str | None, typer.Option("--query", "-q", help="In place of the user's last question in the transcript.")
    ] = None
    budget: ToolBudget = 2000
    threshold: Threshold = 2000
    store: Store = None
    shadow: Shadow = False


@dataclass(frozen=True, kw_only=True)
class McpOptions:
    """Of `fieldpack mcp`."""

    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND...", help="With --wrap: what starts the server."),
    ] = None
    root: Annotated[
        list[Path] | None, typer.Option("--root", help="A folder that tools may read from; may be repeated.")
    ] = None
    transport: Annotated[str, typer.Option(help="stdio | http (127.0.0.1 only)")] = "stdio"
    port: Annotated[int, typer.Option(help="Of http.")] = 8018
    wrap: Annotated[bool, typer.Option("--wrap", help="Stand before the server that COMMAND starts.")] = False
    wrap_url: Annotated[str | None, typer.Option("--wrap-url", help="Stand before the server at this URL.")] = None
    header: Annotated[
        list[str] | None, typer.Option("--header", help="NAME: VALUE for --wrap-url; may be repeated.")
    ] = None
    budget: ToolBudget = 2000
    threshold: Threshold = 2000
    ask: Annotated[
        bool,
        typer.Option("--ask", help="Offer every tool the argument _question: what the agent wants to know."),
    ] = False
    handle: Annotated[str, typer.Option(help="The name of the tool that gives back what was left out.")] = "expand"
    store: Store = None
    shadow: Shadow = False
