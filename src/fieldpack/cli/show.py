"""Answers on the terminal: packed text, tables, bars. Programs get plain text or JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fieldpack.cli import terminal
from fieldpack.cli.decisions import DROPPED_SHOWN, print_decisions
from fieldpack.cli.terminal import bar, beginning, escaped, one_line, strip_control_characters

if TYPE_CHECKING:
    from rich.console import Console

    from fieldpack.budget import BudgetPlan
    from fieldpack.compress import Compression
    from fieldpack.explored import Explored
    from fieldpack.files.model import FilesRead
    from fieldpack.parallel import Summary
    from fieldpack.pipeline import Index
    from fieldpack.relevance.calibrate import Calibration
    from fieldpack.result import Result

_WIDTH = 80
_TABLES_NAMED = 3
_DEMO_KEPT, _DEMO_DROPPED = 8, 3
_DEMO_MORE = "fieldpack pack --explain --dropped N shows N of them, for your own files"
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


def pack(result: Result, explain: bool, dropped: int | None = DROPPED_SHOWN) -> None:
    """Text on stdout. On a terminal, or with explain, also the summary: there on stdout, else on stderr.

    dropped: how many of the dropped segments `explain` shows, None for all.
    """
    on_terminal = sys.stdout.isatty()
    if result.text:
        # A terminal obeys control characters; a program gets the text as it is.
        sys.stdout.write((strip_control_characters(result.text) if on_terminal else result.text) + "\n")
    for note in result.notes:
        sys.stderr.write(f"fieldpack: {note}\n")
    _left_out(result)
    if not (on_terminal or explain):
        return
    console = terminal.console(stderr=not on_terminal)
    if on_terminal and result.text:
        console.rule(style="dim")
    if explain:
        print_decisions(console, result, dropped=dropped)
    _summary(console, result)


def _left_out(result: Result) -> None:
    """Which rows of tables were packed, where the headers of the sources do not say it; of a few documents."""
    if result.writer.layout.cite == "lines":
        return
    for text in result.left_out[:_TABLES_NAMED]:
        line(text)
    if (more := len(result.left_out) - _TABLES_NAMED) > 0:
        line(f"and rows of {more} more documents")


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
    console = terminal.console()
    console.print(f"[bold]query[/]   {escaped(' · '.join(result.queries) or 'none: the most salient')}")
    console.print(f"[bold]budget[/]  {result.budget} tokens")
    console.rule("packed", style="cyan")
    console.print(escaped(result.text), highlight=False)
    console.rule("why", style="cyan")
    print_decisions(console, result, kept=_DEMO_KEPT, dropped=_DEMO_DROPPED, how_to_see_more=_DEMO_MORE)
    _summary(console, result)


def field(explored: Explored) -> None:
    """The topics, each with its words, its best passage, where it stands and its parts; then what faded."""
    console, reading, topics = terminal.console(), explored.reading, explored.topics
    console.print(
        f"[bold]{len(explored.corpus.rows)}[/] segments of [bold]{len(explored.corpus.documents)}[/] documents   "
        f"resonance [cyan]{reading.resonance:.3f}[/]   permeability [cyan]{reading.permeability:.2f}[/]"
    )
    if not topics:
        console.print("no attractor: these segments gather around nothing more than chance would have them")
    texts = {d.id: d.text for d in explored.corpus.documents}
    for k, topic in enumerate(topics, 1):
        mark = "   [green]new[/]" if topic.new else ""
        console.print(
            f"\n[bold]{k:2}[/] {bar(topic.share, 8)} {topic.share:4.0%}  {escaped(', '.join(topic.words))}{mark}"
        )
        best = topic.passage
        passage = f"{best.doc_id}: {one_line(texts[best.doc_id][best.start : best.end])}"
        console.print(_topic_line("best", passage), highlight=False)
        places = ", ".join(f"{d} {share:.0%}" for d, share in topic.documents[:3])
        more = f" and {len(topic.documents) - 3} more" if len(topic.documents) > 3 else ""
        console.print(_topic_line("in", places + more), highlight=False)
        for part in topic.parts:
            console.print(_topic_line("part", f"{part.share:4.0%} {', '.join(part.words)}"), highlight=False)
    for faded in explored.faded:
        console.print(f"\n[yellow]faded[/]  {escaped(', '.join(faded.words)) or 'a topic without words'}")


def _topic_line(label: str, text: str) -> str:
    """A line below a topic, cut to 80 columns."""
    return f"   [dim]{label:>4}[/]  {escaped(beginning(one_line(text), _WIDTH - 9))}"


def plan(budget_plan: BudgetPlan) -> None:
    """The plan as bars with its numbers."""
    console = terminal.console()
    console.print(f"[bold]{budget_plan.preset or 'custom'}[/] plan for [bold]{budget_plan.window:,}[/] tokens")
    for line in budget_plan.bars(36):
        console.print(line, highlight=False)
    for alert in budget_plan.alerts:
        console.print(f"[yellow]![/] {escaped(alert.section)}: {escaped(alert.message)}")


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
    table = terminal.table(["model", "what", "dims", "size", "licence", *(["checksum"] if verified else [])])
    for m in shipped:
        state = [] if not verified else ["[green]ok[/]" if m["verified"] else f"[red]{escaped(m['problem'])}[/]"]
        facts = [
            m["name"],
            m.get("kind", ""),
            str(m.get("dims", "")),
            f"{m['bytes'] / 1e6:.1f} MB",
            m.get("license", ""),
        ]
        table.add_row(*facts, *state)
    terminal.console().print(table)


def calibration(boundary: Calibration) -> None:
    """The boundary, and how it did on the half of the queries that it was not fitted on."""
    console = terminal.console()
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
    console.print(
        f"[cyan]{bar(result.tokens / result.budget, 20)}[/] [bold]{result.tokens}[/] of {result.budget} tokens   "
        f"[green]{kept} kept[/]  [dim]{dropped} dropped   {result.timings['total']:.0f} ms[/]",
        highlight=False,
    )
