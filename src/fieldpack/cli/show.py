"""What people see: packed text, tables, bars. Programs get plain text or JSON."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from fieldpack.budget import BudgetPlan
    from fieldpack.cli.work import FieldView
    from fieldpack.compress import Compression
    from fieldpack.index import Index
    from fieldpack.parallel import Summary
    from fieldpack.result import Result

_EIGHTHS = " ▏▎▍▌▋▊▉█"


_EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal."""


class Progress:
    """A bar on stderr for long work; nothing when the work is over at once. When stderr is no terminal: nothing, or
    with `plain` a line at times, for logs."""

    def __init__(self, plain: bool = False) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._stage = ""
        self._terminal, self._plain = sys.stderr.isatty(), plain
        self._said = time.monotonic()

    def __enter__(self) -> Progress | None:
        return self if self._terminal or self._plain else None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if not self._terminal:
            if time.monotonic() - self._said >= _EVERY:
                self._said = time.monotonic()
                sys.stderr.write(f"fieldpack: {stage} {done} of {total}\n")
                sys.stderr.flush()
            return
        from rich.console import Console
        from rich.progress import Progress as Bar

        if self._bar is None:
            self._bar = Bar(console=Console(stderr=True), transient=True)
            self._bar.start()
        if stage != self._stage:
            self._stage, self._task = stage, self._bar.add_task(stage, total=total)
        self._bar.update(self._task, completed=done, total=total)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def skipped(path: str, why: str) -> None:
    """Files of a folder that were not read are named, so that nothing is lost in silence."""
    sys.stderr.write(f"fieldpack: skipped {harmless(path)}: {harmless(why)}\n")


def bar(share: float, width: int = 10) -> str:
    """A bar of `width` cells in eighths."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def result(found: Result, explain: bool) -> None:
    """Text on stdout. On a terminal, or with explain, also the summary: there on stdout, else on stderr."""
    terminal = sys.stdout.isatty()
    if found.text:
        # A terminal obeys control characters; a program gets the text as it is.
        sys.stdout.write((harmless(found.text) if terminal else found.text) + "\n")
    for note in found.notes:
        sys.stderr.write(f"fieldpack: {note}\n")
    if not (terminal or explain):
        return
    console = _console(stderr=not terminal)
    if terminal and found.text:
        console.rule(style="dim")
    _summary(console, found)
    if explain:
        console.print(_decisions(found, None))


def batch(found: Summary, as_json: bool) -> None:
    """What became of many tasks: a line on stdout, and one on stderr when some could not be done."""
    if as_json:
        facts = {**vars(found), "output": str(found.output)}
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    else:
        before = f" ({found.done_before} done before)" if found.done_before else ""
        sys.stdout.write(f"{found.tasks} tasks in {found.shards} shards{before}: {found.output}\n")
    if found.errors:
        first = harmless(" ".join(found.first_error.split()))
        sys.stderr.write(f"fieldpack: {found.errors} of {found.tasks} tasks have errors; the first: {first}\n")


def index(found: Index, output: Path, as_json: bool) -> None:
    """What was indexed."""
    facts = {"output": str(output), "documents": len(found.documents), "segments": len(found)}
    if as_json:
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"{facts['documents']} documents, {facts['segments']} segments: {output}\n")


def demo(found: Result) -> None:
    """A whole pack, shown: the text, then every decision that matters."""
    console = _console()
    console.print(f"[bold]query[/]   {_plain(found.queries[0])}")
    console.print(f"[bold]budget[/]  {found.budget} tokens")
    console.rule("packed", style="cyan")
    console.print(_plain(found.text), highlight=False)
    console.rule("why", style="cyan")
    console.print(_decisions(found, 8))
    _summary(console, found)


def field(found: FieldView) -> None:
    """Attractors with what lies nearest to them."""
    console, reading, rows = _console(), found.reading, found.prepared.rows
    facts = found.to_dict()
    console.print(
        f"[bold]{facts['segments']}[/] segments of [bold]{facts['documents']}[/] documents   "
        f"resonance [cyan]{reading.resonance:.3f}[/]   permeability [cyan]{reading.permeability:.2f}[/]"
    )
    if not facts["attractors"]:
        console.print("no attractor: these segments gather around nothing more than chance would have them")
        return
    table = _table("strength", "", "segments", "cohesion", "nearest")
    most = max(a["strength"] for a in facts["attractors"])
    for k, a in enumerate(facts["attractors"]):
        near = [rows[i] for i in found.nearest(k, 2)]
        texts = [f"[dim]{_plain(found.prepared.documents[s.doc].id)}[/] {_plain(_line(found, s))}" for s in near]
        table.add_row(
            f"{a['strength']:.2f}",
            bar(a["strength"] / most),
            str(a["segments"]),
            f"{a['cohesion']:.2f}",
            "\n".join(texts),
        )
    console.print(table)


def plan(found: BudgetPlan) -> None:
    """The plan as bars with its numbers."""
    console = _console()
    console.print(f"[bold]{found.preset or 'custom'}[/] plan for [bold]{found.window:,}[/] tokens")
    for line in found.bars(36):
        console.print(line, highlight=False)
    for alert in found.alerts:
        console.print(f"[yellow]![/] {_plain(alert.section)}: {_plain(alert.message)}")


def compression(found: Compression) -> None:
    """The shorter text on stdout; what was done, on stderr."""
    if found.text:
        sys.stdout.write((harmless(found.text) if sys.stdout.isatty() else found.text) + "\n")
    if sys.stderr.isatty() or not found.text:
        done = f"{found.strategy}: {found.original_tokens} -> {found.tokens} tokens, budget {found.target_tokens}"
        sys.stderr.write(f"fieldpack: {done}\n")


def models(found: list[dict[str, Any]], verified: bool) -> None:
    """What ships."""
    table = _table("model", "what", "dims", "size", "licence", *(["checksum"] if verified else []))
    for m in found:
        state = [] if not verified else ["[green]ok[/]" if m["verified"] else f"[red]{_plain(m['problem'])}[/]"]
        table.add_row(
            m["name"],
            m.get("kind", ""),
            str(m.get("dims", "")),
            f"{m['bytes'] / 1e6:.1f} MB",
            m.get("license", ""),
            *state,
        )
    _console().print(table)


def boundary(found: dict[str, Any]) -> None:
    """What calibration found."""
    console = _console()
    console.print(
        f"min_relevance [bold cyan]{found['min_relevance']:.4f}[/] lets at least {1 - found['alpha']:.0%} "
        f"of the evidence pass ({found['evidence']} pieces of {found['queries']} queries)"
    )
    if found["coverage_held_out"] is not None:
        console.print(
            f"fitted on half of the queries, it kept {found['coverage_held_out']:.1%} of the evidence of the rest"
        )


def _summary(console: Console, found: Result) -> None:
    share = found.tokens / found.budget
    kept, dropped = int(found.inside.sum()), int((~found.inside).sum())
    times = "  ".join(f"{k} {v:.0f}" for k, v in found.timings.items())
    near = found.packing.value / max(found.packing.bound, 1e-9)
    console.print(
        f"[cyan]{bar(share, 20)}[/] [bold]{found.tokens}[/] of {found.budget} tokens   "
        f"[green]{kept} kept[/]  [dim]{dropped} dropped[/]   at least {near:.0%} of the best possible",
        highlight=False,
    )
    console.print(f"[dim]milliseconds: {times}[/]", highlight=False)


def _decisions(found: Result, most: int | None) -> Table:
    table = _table("", "relevance", "", "tokens", "where", "why")
    kept = sorted(found.kept, key=lambda k: -k.score) if most else list(found.kept)
    dropped = sorted(found.dropped, key=lambda k: -k.score)
    for mark, style, items in (("+", "green", kept[:most]), ("-", "dim", dropped[:most])):
        for item in items:
            where = f"{item.doc_id}:{item.start}-{item.end}"
            text = " ".join(item.text.split())[:70]
            table.add_row(
                f"[{style}]{mark}[/]",
                f"{item.score:.2f}",
                f"[{'cyan' if mark == '+' else 'dim'}]{bar(item.score)}[/]",
                str(item.tokens),
                f"{_plain(where)}\n[dim]{_plain(text)}[/]",
                f"[{style if mark == '-' else 'default'}]{_plain(item.reason)}[/]",
            )
    return table


def _line(found: FieldView, segment: Any) -> str:
    text = found.prepared.documents[segment.doc].text[segment.start : segment.end]
    return " ".join(text.split())[:60]


def _table(*columns: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for name in columns:
        numbers = name in ("relevance", "tokens", "strength", "segments", "cohesion", "dims", "size")
        table.add_column(name, justify="right" if numbers else "left", no_wrap=numbers or name == "")
    return table


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=False)


def _plain(text: str) -> str:
    """A document's text shown as it is: no markup in it, no terminal control characters."""
    from rich.markup import escape

    return escape(harmless(text))


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\r(?!\n)")


def harmless(text: str) -> str:
    """The text without what a terminal would obey: escape sequences, bells, overwriting, reversed reading order."""
    return _CONTROL.sub("�", text)
