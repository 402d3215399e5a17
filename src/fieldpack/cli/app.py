"""The command line's verbs in one app, and `run`, which turns every error into one line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from fieldpack.cli import agents, packing, services, tools
from fieldpack.cli.analyze import analyze
from fieldpack.cli.evaluate import evaluate
from fieldpack.errors import BudgetError, FieldpackError

app = typer.Typer(
    name="fieldpack",
    help="Query + documents + token budget -> the evidence, verbatim, inside the budget, with a reason for everything.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # the tables of rich name a type for flags, and halve the width of the help
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(tools.shell_app, name="shell")
app.add_typer(agents.hook_app, name="hook")
for _verb in (
    *(packing.pack, packing.batch, packing.index, tools.field, tools.demo, tools.plan, tools.compress, tools.models),
    *(tools.calibrate, tools.bench, services.serve, agents.trim, agents.expand, analyze, evaluate),
):
    app.command()(_verb)
app.command(context_settings={"allow_interspersed_args": False})(services.mcp)  # the rest is another command's


def run(arguments: Sequence[str]) -> int:
    """The exit code of one call; whatever goes wrong is one line on stderr."""
    try:
        outcome = app(args=list(arguments), standalone_mode=False, prog_name="fieldpack")
        return outcome if isinstance(outcome, int) else 0
    except BudgetError as error:
        return _fail(str(error), 3)
    except (FieldpackError, MemoryError) as error:
        return _fail(str(error), 2)
    except (typer.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except BrokenPipeError:
        return 0
    except OSError as error:
        return _fail(f"{error.filename or 'input/output'}: {error.strerror or error}", 2)
    except Exception as error:
        # Usage errors are click's; which click (typer carries one of its own) depends on typer's version.
        if not hasattr(error, "format_message"):
            raise
        message = str(error.format_message()).strip().rstrip(".")
        return _fail(f"{message}; see fieldpack --help" if message else "say what to do; see fieldpack --help", 2)


def _fail(message: str, code: int) -> int:
    from fieldpack.cli.terminal import strip_control_characters

    line = " ".join(strip_control_characters(message).split())
    sys.stderr.write(f"fieldpack: {line}\n")
    return code


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if show:
        from fieldpack.version import __version__

        typer.echo(f"fieldpack {__version__}")
        raise typer.Exit
