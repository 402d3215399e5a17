"""Answers on the terminal: packed text, tables, bars. Programs get plain text or JSON."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from fieldpack.budget import BudgetPlan
    from fieldpack.compress import Compression
    from fieldpack.explored import Explored
    from fieldpack.files.model import FilesRead
    from fieldpack.parallel import Summary
    from fieldpack.pipeline import Index
    from fieldpack.relevance.calibrate import Calibration
    from fieldpack.result import Result

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_WIDTH = 80

_EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal."""


class Progress:
    """A bar on stderr for long work; nothing when the work is over at once. When stderr is no terminal: nothing, or
    with `as_lines` a line at times, for logs."""

    def __init__(self, as_lines: bool = False) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._stage = ""
        self._terminal, self._as_lines = sys.stderr.isatty(), as_lines
        self._last_line = time.monotonic()

    def __enter__(self) -> Progress | None:
        return self if self._terminal or self._as_lines else None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if not self._terminal:
            if time.monotonic() - self._last_line >= _EVERY:
                self._last_line = time.monotonic()
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


def files(outcome: FilesRead, verbose: bool) -> None:
    """What was skipped of the files, and what else is to be known of them, so that nothing is lost in silence."""
    lines, summary = outcome.lines(), outcome.summary()
    if verbose:
        lines.append(summary)
    elif len(lines) > 1:  # a single thing is named at once
        lines = [f"{summary} (-v names them)"]
    for text in filter(None, lines):
        line(text)


def line(text: str) -> None:
    """One line on stderr; control characters, which a terminal would obey, are taken out."""
    sys.stderr.write(f"fieldpack: {strip_control_characters(text)}\n")


def bar(share: float, width: int = 10) -> str:
    """A bar of `width` cells in eighths."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def pack(result: Result, explain: bool) -> None:
    """Text on stdout. On a terminal, or with explain, also the summary: there on stdout, else on stderr."""
    terminal = sys.stdout.isatty()
    if result.text:
        # A terminal obeys control characters; a program gets the text as it is.
        sys.stdout.write((strip_control_characters(result.text) if terminal else result.text) + "\n")
    for note in result.notes:
        sys.stderr.write(f"fieldpack: {note}\n")
    if not (terminal or explain):
        return
    console = _console(stderr=not terminal)
    if terminal and result.text:
        console.rule(style="dim")
    _summary(console, result)
    if explain:
        console.print(_decisions(result, None))


def batch(summary: Summary, as_json: bool) -> None:
    """What became of many tasks: a line on stdout, and one on stderr when some could not be done."""
    if as_json:
        facts = {**vars(summary), "output": str(summary.output)}
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    else:
        before = f" ({summary.done_before} done before)" if summary.done_before else ""
        sys.stdout.write(f"{summary.tasks} tasks in {summary.shards} shards{before}: {summary.output}\n")
    if summary.errors:
        first = strip_control_characters(" ".join(summary.first_error.split()))
        sys.stderr.write(f"fieldpack: {summary.errors} of {summary.tasks} tasks have errors; the first: {first}\n")


def index(made: Index, output: Path, as_json: bool) -> None:
    """The size of an index and its folder."""
    facts = {"output": str(output), "documents": len(made.documents), "segments": len(made)}
    if as_json:
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"{facts['documents']} documents, {facts['segments']} segments: {output}\n")


def demo(result: Result) -> None:
    """A whole pack: the text, then every decision that matters."""
    console = _console()
    console.print(f"[bold]query[/]   {_escaped(' · '.join(result.queries) or 'none: the most salient')}")
    console.print(f"[bold]budget[/]  {result.budget} tokens")
    console.rule("packed", style="cyan")
    console.print(_escaped(result.text), highlight=False)
    console.rule("why", style="cyan")
    console.print(_decisions(result, 8))
    _summary(console, result)


def field(explored: Explored) -> None:
    """The topics, each with its words, its best passage, where it stands and its parts; then what faded."""
    console, reading, topics = _console(), explored.reading, explored.topics
    console.print(
        f"[bold]{len(explored.corpus.rows)}[/] segments of [bold]{len(explored.corpus.documents)}[/] documents   "
        f"resonance [cyan]{reading.resonance:.3f}[/]   permeability [cyan]{reading.permeability:.2f}[/]"
    )
    if not topics:
        console.print("no attractor: these segments gather around nothing more than chance would have them")
    texts = {d.id: d.text for d in explored.corpus.documents}
    for k, topic in enumerate(topics, 1):
        mark = "   [green]new[/]" if topic.new else ""
        console.print(f"\n[bold]{k:2}[/] {bar(topic.share, 8)} {topic.share:4.0%}  {_topic_words(topic.words)}{mark}")
        best = topic.passage
        passage = f"{best.doc_id}: {_one_line(texts[best.doc_id][best.start : best.end], 200)}"
        console.print(_topic_line("best", passage), highlight=False)
        places = ", ".join(f"{d} {share:.0%}" for d, share in topic.documents[:3])
        more = f" and {len(topic.documents) - 3} more" if len(topic.documents) > 3 else ""
        console.print(_topic_line("in", places + more), highlight=False)
        for part in topic.parts:
            console.print(_topic_line("part", f"{part.share:4.0%} {', '.join(part.words)}"), highlight=False)
    for faded in explored.faded:
        console.print(f"\n[yellow]faded[/]  {_topic_words(faded.words) or 'a topic without words'}")


def _topic_words(words: Sequence[str]) -> str:
    return _escaped(", ".join(words))


def _topic_line(label: str, text: str) -> str:
    """A line below a topic, cut to 80 columns."""
    return f"   [dim]{label:>4}[/]  {_escaped(_one_line(text, _WIDTH - 9))}"


def plan(budget_plan: BudgetPlan) -> None:
    """The plan as bars with its numbers."""
    console = _console()
    console.print(f"[bold]{budget_plan.preset or 'custom'}[/] plan for [bold]{budget_plan.window:,}[/] tokens")
    for line in budget_plan.bars(36):
        console.print(line, highlight=False)
    for alert in budget_plan.alerts:
        console.print(f"[yellow]![/] {_escaped(alert.section)}: {_escaped(alert.message)}")


def compression(shorter: Compression) -> None:
    """The shorter text on stdout; what was done, on stderr."""
    if shorter.text:
        text = strip_control_characters(shorter.text) if sys.stdout.isatty() else shorter.text
        sys.stdout.write(text + "\n")
    if sys.stderr.isatty() or not shorter.text:
        tokens = f"{shorter.original_tokens} -> {shorter.tokens} tokens, budget {shorter.target_tokens}"
        sys.stderr.write(f"fieldpack: {shorter.strategy}: {tokens}\n")


def models(shipped: list[dict[str, Any]], verified: bool) -> None:
    """The shipped models, and whether their checksums hold."""
    table = _table(["model", "what", "dims", "size", "licence", *(["checksum"] if verified else [])])
    for m in shipped:
        state = [] if not verified else ["[green]ok[/]" if m["verified"] else f"[red]{_escaped(m['problem'])}[/]"]
        facts = [
            m["name"],
            m.get("kind", ""),
            str(m.get("dims", "")),
            f"{m['bytes'] / 1e6:.1f} MB",
            m.get("license", ""),
        ]
        table.add_row(*facts, *state)
    _console().print(table)


def calibration(boundary: Calibration) -> None:
    """The boundary, and how it did on the half of the queries that it was not fitted on."""
    console = _console()
    console.print(
        f"min_relevance [bold cyan]{boundary.min_relevance:.4f}[/] lets at least {1 - boundary.alpha:.0%} "
        f"of the evidence pass ({boundary.evidence} pieces of {boundary.queries} queries)"
    )
    if boundary.coverage_held_out is not None:
        console.print(
            f"fitted on half of the queries, it kept {boundary.coverage_held_out:.1%} of the evidence of the rest"
        )


def _summary(console: Console, result: Result) -> None:
    kept, dropped = int(result.inside.sum()), int((~result.inside).sum())
    times = "  ".join(f"{k} {v:.0f}" for k, v in result.timings.items())
    optimality = result.packing.value / max(result.packing.bound, 1e-9)
    console.print(
        f"[cyan]{bar(result.tokens / result.budget, 20)}[/] [bold]{result.tokens}[/] of {result.budget} tokens   "
        f"[green]{kept} kept[/]  [dim]{dropped} dropped[/]   at least {optimality:.0%} of the best possible",
        highlight=False,
    )
    console.print(f"[dim]milliseconds: {times}[/]", highlight=False)


def _decisions(result: Result, most: int | None) -> Table:
    table = _table(("", "relevance", "", "tokens", "where", "why"))
    kept = sorted(result.kept, key=lambda k: -k.score) if most else list(result.kept)
    dropped = sorted(result.dropped, key=lambda d: -d.score)
    for mark, style, items in (("+", "green", kept[:most]), ("-", "dim", dropped[:most])):
        for item in items:
            where = f"{item.doc_id}:{item.start}-{item.end}"
            cells = (
                f"[{style}]{mark}[/]",
                f"{item.score:.2f}",
                f"[{'cyan' if mark == '+' else 'dim'}]{bar(item.score)}[/]",
                str(item.tokens),
                f"{_escaped(where)}\n[dim]{_escaped(_one_line(item.text, 70))}[/]",
                f"[{style if mark == '-' else 'default'}]{_escaped(item.reason)}[/]",
            )
            table.add_row(*cells)
    return table


def _one_line(text: str, length: int) -> str:
    return " ".join(text.split())[:length]


def _table(columns: Sequence[str]) -> Table:
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


def _escaped(text: str) -> str:
    """A document's text shown as it is: no markup in it, no terminal control characters."""
    from rich.markup import escape

    return escape(strip_control_characters(text))


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\r(?!\n)")


def strip_control_characters(text: str) -> str:
    """The text without what a terminal would obey: escape sequences, bells, overwriting, reversed reading order."""
    return _CONTROL.sub("�", text)
