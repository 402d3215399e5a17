"""The verbs for agents: trim (a pipe), expand (what was left out), hook (of coding agents)."""

from __future__ import annotations

import codecs
import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from fieldpack.cli.agent_options import ExpandOptions, HookOptions, TrimOptions
from fieldpack.cli.inputs import read_text
from fieldpack.cli.takes import takes
from fieldpack.errors import InputError

if TYPE_CHECKING:
    from fieldpack.tools import ToolCall, Trimmed

hook_app = typer.Typer(help="Hooks of coding agents: JSON on standard input and output.", no_args_is_help=True)
_CHUNK = 1 << 16


@takes(TrimOptions)
def trim(options: TrimOptions) -> None:
    """Trim the output of a command for a question: some-command | fieldpack trim -q "why did it fail" -b 800."""
    from fieldpack.tools import ToolCall, ToolTrimmer
    from fieldpack.tools.piped import piped

    trimmer = ToolTrimmer(
        store=options.store, budget=options.budget, threshold=options.threshold, shadow=options.shadow
    )
    held = piped(_chunks(), options.query)
    failed = None if options.exit_code is None else options.exit_code != 0
    trimmed = trimmer.trim(held.text, question=options.query, call=ToolCall(options.tool, {}, "", failed))
    notes = list(trimmed.notes)
    if held.let_go:
        notes.append(f"{held.let_go:,} of {held.lines:,} lines were let go while reading")
    if options.as_json:
        facts = {**trimmed.to_dict(), "lines": held.lines, "let_go": held.let_go, "notes": notes}
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    if held.let_go:
        typer.echo(f"[{held.let_go:,} of {held.lines:,} lines were let go while reading; the counts leave them out]")
    typer.echo(trimmed.output, nl=not str(trimmed.output).endswith("\n"))
    if options.verbose:
        typer.echo(f"fieldpack: {trimmed.tokens_before} -> {trimmed.tokens_after} tokens", err=True)
        for note in notes:
            typer.echo(f"fieldpack: {note}", err=True)


def _chunks() -> Iterator[str]:
    """Standard input as it comes, as UTF-8 with other bytes replaced."""
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        yield sys.stdin.read()
        return
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while chunk := stream.read1(_CHUNK):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


@takes(ExpandOptions)
def expand(options: ExpandOptions) -> None:
    """Print what was left out of a trimmed output, by the id in its notice."""
    from fieldpack.tools import ToolTrimmer

    if not os.path.isfile(options.store):
        raise InputError(f"there is no store {options.store}; give --store the file that was given to trim or hook")
    trimmer = ToolTrimmer(store=options.store)
    typer.echo(trimmer.expand(options.id, options.query, options.range, options.budget))


@takes(HookOptions)
def post_tool_use(options: HookOptions) -> None:
    """Answer a post-tool-use hook: trims the tool's output; {} when there is nothing to change or anything fails."""
    try:
        reply = _hook_answer(options)
    except Exception as error:  # an agent must never stop for this
        typer.echo(f"fieldpack: {type(error).__name__}: the output stays as it is", err=True)
        reply = {}
    typer.echo(json.dumps(reply, ensure_ascii=False))


def _hook_answer(options: HookOptions) -> dict[str, Any]:
    from fieldpack.tools import ToolTrimmer
    from fieldpack.tools.hooks import answer

    trimmer = ToolTrimmer(
        store=options.store, budget=options.budget, threshold=options.threshold, shadow=options.shadow
    )

    def trimmed(output: Any, question: str, call: ToolCall, session: str) -> Trimmed:
        state = trimmer.state_of(session) if session and options.store is not None else None
        return trimmer.trim(output, question=question, call=call, state=state)

    return answer(json.loads(read_text("-")), trimmed, options.query or "")


hook_app.command("post-tool-use")(post_tool_use)
