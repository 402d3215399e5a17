"""The command line's verbs in one app, and `run`, which turns every error into one line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from fieldpack.cli import agents, packing, services, tools
from fieldpack.cli.analyze import analyze
from fieldpack.cli.evaluate import evaluate
from fieldpack.errors import BudgetError, FieldpackError


class PlainCommand(TyperCommand):
    """A verb whose arguments are named in its help without Python's types."""

    def get_params(self, ctx: Any) -> list[Any]:
        """As typer has them; newer versions write a type such as <list[str]> behind each argument."""
        params = super().get_params(ctx)
        for param in params:
            if param.param_type_name == "argument":
                param.display_type_rich = lambda ctx: None  # type: ignore[attr-defined]
        return params


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
_MCP = "Serve tools over the Model Context Protocol."
_VERBS: dict[Callable[..., None], str] = {
    packing.pack: "Pack documents into a token budget.",
    packing.batch: "Pack a file of tasks, here or on a Ray cluster.",
    packing.index: "Read documents once, for `pack --index`.",
    tools.field: "What documents are about: topics, passages, places.",
    tools.demo: "Pack fieldpack's own documents, and show why.",
    tools.plan: "Divide a context window among the sections of a prompt.",
    tools.compress: "Make one text shorter, without a language model.",
    tools.models: "List the shipped models, or verify their files.",
    tools.calibrate: "Fit --min-relevance from labelled queries.",
    tools.bench: "Measure fieldpack beside the real peer libraries.",
    services.serve: "Serve packs, plans and fields over HTTP.",
    agents.trim: "Trim the output of a command for a question.",
    agents.expand: "Print what was left out of a trimmed output.",
    analyze: "Say what a context repeats, and what it wastes.",
    evaluate: "Hold a pack against your pipeline; can fail a build.",
}
for _verb, _short in _VERBS.items():
    app.command(cls=PlainCommand, short_help=_short)(_verb)
# What follows the first word that is no option of `mcp` is another command's.
app.command(cls=PlainCommand, short_help=_MCP, context_settings={"allow_interspersed_args": False})(services.mcp)


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
