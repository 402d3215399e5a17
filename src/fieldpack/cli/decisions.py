"""What was kept and dropped, and why, as lines that fit a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fieldpack.cli.terminal import bar, beginning, escaped, one_line, shortened
from fieldpack.explain import two_digits
from fieldpack.packing.render import line_range

if TYPE_CHECKING:
    from rich.console import Console

    from fieldpack.result import Result
    from fieldpack.types import Dropped, Kept

DROPPED_SHOWN = 10
"""Dropped segments that are shown when nobody says how many."""
DROPPED_IN_JSON = 100
"""The same for `--json`: a folder of documentation has some 80,000 of them, 18 MB."""
_LEGEND = (
    "relevance: probability of evidence; tokens: what it costs alone;\n"
    "called for: packed text beside it or naming it raised its odds (log odds);\n"
    "goes with: packed text needs it to be understood"
)
_INDENT = 4
_PLACE = 30
"""Characters of a line before the place: the mark, the score, its bar and the tokens."""


def print_decisions(
    console: Console,
    result: Result,
    *,
    kept: int | None = None,
    dropped: int | None = None,
    how_to_see_more: str = "--dropped all shows them",
) -> None:
    """Every kept segment (or the `kept` most relevant) and the `dropped` most relevant of the others (None: all), each
    with its place in lines, how it begins, and the reason. how_to_see_more: said where some are not shown."""
    texts = {document.id: document.text for document in result.corpus.documents}
    chosen: Sequence[Kept] = result.kept if kept is None else sorted(result.kept, key=lambda k: -k.score)[:kept]
    others = sorted(result.dropped, key=lambda d: -d.score)
    shown = others[:dropped]
    console.print("[dim]  relevance          tokens  place: file and lines[/]", highlight=False)
    for mark, style, items in (("+", "green", chosen), ("-", "dim", shown)):
        for item in items:
            for line in _lines(item, texts[item.doc_id], console.width):
                console.print(line.format(mark=mark, style=style), highlight=False, soft_wrap=True)
    console.print(f"[dim]{_LEGEND}[/]", highlight=False, soft_wrap=True)
    if len(shown) < len(others):
        more = f"{len(others) - len(shown)} more were dropped: {how_to_see_more}"
        console.print(f"[dim]{escaped(more)}[/]", highlight=False, soft_wrap=True)


def place_in_lines(doc_id: str, text: str, *, start: int, end: int) -> str:
    """Where a range of a document stands: `docs/a.md:120-131`, lines counted from 1."""
    first, last = line_range(text, start, end)
    return f"{doc_id}:{first}" if first == last else f"{doc_id}:{first}-{last}"


def _lines(item: Kept | Dropped, text: str, width: int) -> Iterator[str]:
    """Lines of rich markup with `{mark}` and `{style}` open."""
    place = shortened(place_in_lines(item.doc_id, text, start=item.start, end=item.end), max(width - _PLACE, 20))
    yield (
        f"[{{style}}]{{mark}}[/] {two_digits(item.score):>7} [cyan]{bar(item.score, 8)}[/] "
        f"{item.tokens:>5} tok  {_open(escaped(place))}"
    )
    yield f"{'':{_INDENT}}[dim]{_open(escaped(beginning(one_line(item.text), width - _INDENT)))}[/]"
    reason = item.reason.partition("; ")[2] if item.reason.startswith("relevance") else item.reason
    for line in textwrap.wrap(reason, max(width - _INDENT, 20)):
        yield f"{'':{_INDENT}}{_open(escaped(line))}"


def _open(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
