"""Chosen segments to one string: verbatim, neighbours joined as they stood, gaps marked, sources named when asked.

Every marker costs tokens; the ones used here cost 0 or 1 in o200k_base and cl100k_base ("\\n\\n" merges into the token
before it). The string that comes out is what the budget is checked against.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from fieldpack.packing.left_out import rows_of
from fieldpack.types import KINDS, Document, FloatArray, IntArray, Segments
from fieldpack.words import distinct

Order = Literal["source", "edges", "relevance"]
ORDERS: tuple[Order, ...] = ("source", "edges", "relevance")
Cite = bool | Literal["lines"]
"""How sources are named: not at all, "[number] title (id)", or "[number] id:lines" with lines counted from 1."""
CITES: tuple[Cite, ...] = (False, True, "lines")
_RANGES_NAMED = 4
"""Ranges of lines that a header names one by one; of more it names the first and the last line."""

BETWEEN_DOCUMENTS = "\n\n"
GAP = "\n\n…\n\n"
GAP_IN_LINES = "\n…\n"
GAP_IN_TABLES = "\n"
"""Between rows of one table or lines of records: no mark, so that what is packed is a table, or lines, as before."""
GAP_IN_SENTENCES = " … "
_TABLE = KINDS.index("table")
_LONGEST_GAP_KEPT = 64
"""White space between neighbours is kept as it stands up to this many characters (indentation, blank lines)."""


class Span(NamedTuple):
    """`text[start:end]` of the rendering is rows first..last (inclusive) of the segments, joined as in their
    document."""

    first: int
    last: int
    start: int
    end: int


@dataclass(frozen=True)
class Rendered:
    """text: the packed string; spans: its verbatim pieces in the order they stand there."""

    text: str
    spans: tuple[Span, ...]


def runs(segments: Segments, rows: IntArray) -> list[tuple[int, int]]:
    """Sorted rows as (first, last) runs of neighbours in one document."""
    if not len(rows):
        return []
    doc = segments.doc[rows]
    breaks = ((rows[1:] - rows[:-1] != 1) | (doc[1:] != doc[:-1])).nonzero()[0]
    firsts = [int(rows[0]), *rows[breaks + 1].tolist()]
    return list(zip(firsts, [*rows[breaks].tolist(), int(rows[-1])], strict=True))


def arrange(
    blocks: list[tuple[int, int]], segments: Segments, value: FloatArray, order: Order
) -> list[tuple[int, int]]:
    """Runs in the order they are shown. "edges" puts the best first, the second best last, the weakest in the middle,
    because readers of long contexts lose the middle (Liu et al. 2024). Ties keep reading order."""
    if order == "source" or len(blocks) < 2:
        return blocks
    best = [max(float(value[r]) for r in range(first, last + 1)) for first, last in blocks]
    ranked = [blocks[i] for i in sorted(range(len(blocks)), key=lambda i: (-best[i], i))]
    return ranked if order == "relevance" else ranked[::2] + ranked[1::2][::-1]


def render(
    documents: Sequence[Document],
    segments: Segments,
    chosen: IntArray,
    *,
    order: Order = "source",
    value: FloatArray | None = None,
    cite: Cite = False,
    titles: bool = False,
) -> Rendered:
    """The packed string of the chosen rows (indices in any order).

    value: (n,) what "edges" and "relevance" sort by. cite: what heads a document's pieces, `Cite` says. titles: they
    are headed by the bare title, where there is one.
    """
    value = np.zeros(len(segments), np.float32) if value is None else value
    blocks = arrange(runs(segments, distinct(np.asarray(chosen, np.int64))), segments, value, order)
    numbers = {d: k for k, d in enumerate(dict.fromkeys(int(segments.doc[first]) for first, _ in blocks), 1)}
    out, spans, length = list[str](), list[Span](), 0

    def put(piece: str) -> None:
        nonlocal length
        out.append(piece)
        length += len(piece)

    previous: tuple[int, int] | None = None
    for place, (first, last) in enumerate(blocks):
        doc = int(segments.doc[first])
        if previous is None or int(segments.doc[previous[1]]) != doc:
            lines = _lines(documents[doc], segments, blocks[place:]) if cite == "lines" else ""
            head = header(documents[doc], numbers[doc], bool(cite), titles, lines)
            put((BETWEEN_DOCUMENTS if previous else "") + head)
        else:
            put(_gap(documents[doc].text, segments, previous, (first, last)))
        piece = joined(documents[doc].text, segments, first, last)
        spans.append(Span(first, last, length, length + len(piece)))
        put(piece)
        previous = (first, last)
    return Rendered("".join(out), tuple(spans))


def joined(text: str, segments: Segments, first: int, last: int) -> str:
    """Rows first..last as they stand in their document; only very long white space between them is shortened."""
    start, end = int(segments.start[first]), int(segments.end[last])
    between = segments.start[first + 1 : last + 1] - segments.end[first:last]
    if not (between > _LONGEST_GAP_KEPT).any():
        return text[start:end]
    out = [text[start : segments.end[first]]]
    for row in range(first + 1, last + 1):
        a, b = int(segments.end[row - 1]), int(segments.start[row])
        out += [text[a:b] if b - a <= _LONGEST_GAP_KEPT else BETWEEN_DOCUMENTS, text[b : segments.end[row]]]
    return "".join(out)


def _gap(text: str, segments: Segments, before: tuple[int, int], after: tuple[int, int]) -> str:
    a, b = before[1], after[0]
    # A paragraph may end in the header of the rows after it.
    heads = segments.kind[a] == _TABLE or segments.context[b] == a
    if a < b and heads and (segments.kind[a + 1 : b + 1] == _TABLE).all():
        return GAP_IN_TABLES
    if a > b or segments.parent[a] != segments.parent[b]:
        return GAP
    return GAP_IN_LINES if "\n" in text[segments.end[a] : segments.start[b]] else GAP_IN_SENTENCES


_WHITE = re.compile(r"\s+")


def line_range(text: str, start: int, end: int) -> tuple[int, int]:
    """The first and the last line, from 1, of the characters `start` to `end`."""
    first = text.count("\n", 0, start) + 1
    return first, first + text.count("\n", start, end)


def _lines(document: Document, segments: Segments, blocks: list[tuple[int, int]]) -> str:
    """The lines, from 1, of the leading runs that are of one document: "120-131,140", of many runs "8-110 in parts";
    and which rows of its tables they are where rows are left out: "1,4,119 (rows 3, 118 of 400)"."""
    text = document.text
    doc = segments.doc[blocks[0][0]]
    same = list(itertools.takewhile(lambda block: segments.doc[block[0]] == doc, blocks))
    ranges: list[tuple[int, int]] = []
    for first, last in same:
        top, bottom = line_range(text, int(segments.start[first]), int(segments.end[last]))
        if ranges and ranges[-1][0] <= top <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(bottom, ranges[-1][1]))
        else:
            ranges.append((top, bottom))
    if len(ranges) > _RANGES_NAMED:
        lines = f"{min(top for top, _ in ranges)}-{max(bottom for _, bottom in ranges)} in parts"
    else:
        lines = ",".join(f"{top}" if top == bottom else f"{top}-{bottom}" for top, bottom in ranges)
    inside = np.concatenate([np.arange(first, last + 1) for first, last in sorted(same)])
    rows = rows_of(document, segments, inside)
    return f"{lines} ({rows})" if rows else lines


def header(document: Document, number: int, cite: bool, titles: bool, lines: str = "") -> str:
    """The line that heads a document's pieces, "" where none is asked for or there is no title."""
    # One line, whatever the title holds: a document must not be able to forge a second header.
    title = _WHITE.sub(" ", document.title).strip()
    if cite:
        name = _WHITE.sub(" ", document.id).strip()
        if lines:
            place = f"{name}:{lines}"
            return f"[{number}] {title} ({place})\n" if titles and title and title != name else f"[{number}] {place}\n"
        return f"[{number}] {title} ({name})\n" if title and title != name else f"[{number}] {name}\n"
    return f"{title}\n" if titles and title else ""
