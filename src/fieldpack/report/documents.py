"""The documents of a page: which segments are shown, and their HTML in reading order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldpack.html import escape as text
from fieldpack.report.view import FieldView
from fieldpack.types import KINDS, BoolArray, Document, FloatArray, IntArray

MOST_ROWS = 4000
MOST_BYTES = 1_500_000
"""Up to these a page holds all its segments as HTML; a larger one is a list that draws what is in sight."""
LISTED_ROWS = 200_000
LISTED_CHARACTERS = 40_000_000
"""Segments, and characters of them, that such a list holds at most."""
_OPENING = 300
"""Segments that a page with such a list has as HTML: what is seen before its script has run, and without one."""
MOST_IN_ROW = 8000
"""Characters of one segment that are shown; the segment itself is packed whole."""
_MOST_NAMES = 300
_WHITE = 64
_HEADING = KINDS.index("heading")
_MARKS = {"heading": " h", "code": " c", "table": " c"}


@dataclass(frozen=True, eq=False)
class Body:
    """html: all documents, or those of the first segments where there is a list; rows: the segments of the page,
    ascending, `data-r` of an element being an index into them; hidden: how many the page leaves out; listed: whether
    the page's script draws them; opened: documents that stand open at first."""

    html: str
    rows: IntArray
    hidden: int
    listed: bool
    opened: tuple[int, ...]


def body(
    field: FieldView,
    inside: BoolArray,
    first: BoolArray,
    value: FloatArray,
    *,
    cut: tuple[int, int] | None = None,
    opened: BoolArray | None = None,
) -> Body:
    """inside (n,): what is lit; first (n,): what is shown before all else; value (n,): then the highest.

    cut: (row, end) of a row that is lit up to a character only. opened (n,): segments whose documents stand open,
    default those that are lit.
    """
    opened = inside if opened is None else opened
    order = np.lexsort((np.arange(len(value)), -value, ~first))
    pieces = _pieces(field, order[:MOST_ROWS], cut)
    listed = len(pieces) < len(field.rows)
    written = np.array(sorted(list(pieces)[:_OPENING] if listed else pieces), np.int64)
    rows = _listed(field, order) if listed else written
    html = _html(_Shown(field, inside, pieces, rows), written, opened)
    open_documents = np.unique(field.rows.doc[opened]).tolist()
    return Body(html, rows, len(field.rows) - len(rows), listed, tuple(open_documents))


@dataclass(frozen=True, eq=False)
class _Shown:
    """A field, what of it is lit, the HTML of every row that is written, and all rows of the page."""

    field: FieldView
    inside: BoolArray
    pieces: dict[int, str]
    rows: IntArray


def _html(shown: _Shown, rows: IntArray, opened: BoolArray) -> str:
    """The documents of the rows that are written; the names of those without one."""
    field = shown.field
    bounds = np.searchsorted(field.rows.doc, np.arange(len(field.documents) + 1))
    at = np.searchsorted(rows, bounds)
    out, bare = [], []
    for d, document in enumerate(field.documents):
        whole = range(int(bounds[d]), int(bounds[d + 1]))
        if at[d] < at[d + 1]:
            blocks = _blocks(shown, document, rows[at[d] : at[d + 1]], whole)
            out.append(_document(document, d, blocks, is_open=bool(opened[whole.start : whole.stop].any())))
        elif document.text.strip():
            bare.append(document)
    return "".join(out) + _bare(bare)


def _pieces(field: FieldView, order: IntArray, cut: tuple[int, int] | None) -> dict[int, str]:
    """The text as HTML of the rows, in the given order, that fit on a page of bounded size."""
    pieces: dict[int, str] = {}
    size = 0
    for row in order.tolist():
        piece = _piece(field, row, cut[1] if cut and cut[0] == row else None)
        size += len(piece.encode("utf-8"))
        if size > MOST_BYTES and pieces:
            break
        pieces[row] = piece
    return pieces


def _listed(field: FieldView, order: IntArray) -> IntArray:
    """The rows that fit into a list, ascending."""
    lengths = np.minimum(field.rows.end - field.rows.start, MOST_IN_ROW)[order]
    fitting = int(np.searchsorted(np.cumsum(lengths, dtype=np.int64), LISTED_CHARACTERS, side="right"))
    return np.asarray(np.sort(order[: min(max(fitting, 1), LISTED_ROWS)]), np.int64)


def _piece(field: FieldView, row: int, cut: int | None) -> str:
    s = field.rows[row]
    source = field.documents[s.doc].text
    end = min(s.end, s.start + MOST_IN_ROW)
    if cut is not None and cut < end:
        return (
            f'{text(source[s.start : cut])}<span class="after-cut">{text(source[cut:end])}</span>{_more(s.end - end)}'
        )
    return text(source[s.start : end]) + _more(s.end - end)


def _more(characters: int) -> str:
    return f'<span class="more"> … {characters:,} more characters</span>' if characters > 0 else ""


def _blocks(shown: _Shown, document: Document, rows: IntArray, whole: range) -> list[str]:
    """The paragraphs of the rows that are written, with a mark for every gap between them. whole: all rows of the
    document."""
    blocks: list[str] = []
    parent = shown.field.rows.parent
    next_row = whole.start
    starts = [
        i for i in range(len(rows)) if not i or rows[i] != rows[i - 1] + 1 or parent[rows[i]] != parent[rows[i - 1]]
    ]
    for first, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        paragraph = rows[first:stop].tolist()
        if paragraph[0] != next_row:
            blocks.append(_gap(shown.field, next_row, paragraph[0]))
        blocks.append(_paragraph(shown, document, paragraph))
        next_row = paragraph[-1] + 1
    if next_row < whole.stop:
        blocks.append(_gap(shown.field, next_row, whole.stop))
    return blocks


def _document(document: Document, number: int, blocks: Sequence[str], is_open: bool) -> str:
    title = document.title if document.title and document.title != document.id else ""
    name = f'<b dir="auto">{text(title)}</b> ' if title else ""
    return (
        f'<details class="doc" data-d="{number}"{" open" if is_open else ""}><summary>'
        f'<span class="name">{name}<code>{text(document.id[:120])}</code></span>'
        f'<span class="count"></span><span class="strip" aria-hidden="true"></span></summary>'
        f'<div class="body">{"".join(blocks)}</div></details>\n'
    )


def _paragraph(shown: _Shown, document: Document, rows: Sequence[int]) -> str:
    s = shown.field.rows
    number = int(np.searchsorted(shown.rows, rows[0]))
    out = []
    for k, row in enumerate(rows):
        if k:
            white = document.text[int(s.end[row - 1]) : int(s.start[row])]
            out.append(f'<span class="w">{text(white) if len(white) <= _WHITE else " "}</span>')
        marks = (" k" if shown.inside[row] else "") + _MARKS.get(KINDS[int(s.kind[row])], "")
        out.append(f'<span class="s{marks}" data-r="{number + k}">{shown.pieces[row]}</span>')
    text_row = next((row for row in rows if s.kind[row] != _HEADING), rows[0])
    kind = KINDS[int(s.kind[text_row])]
    start, end = int(s.start[text_row]), int(s.end[rows[-1]])
    flow = " flow" if kind not in ("code", "table") and _wrapped(document.text[start : min(end, start + 4000)]) else ""
    return f'<p class="{kind}{flow}" dir="auto">{"".join(out)}</p>'


_MARKED = re.compile(r"\s|[-*+|>#•]|\d+[.)]")


def _wrapped(source: str) -> bool:
    """Whether line breaks look like a fixed column: then the text may flow, so that it reads well on a phone."""
    lines = source.split("\n")
    long = all(len(line) >= 55 for line in lines[:-1])
    return len(lines) > 1 and long and not any(_MARKED.match(line) for line in lines[1:])


def _gap(field: FieldView, first: int, stop: int) -> str:
    tokens = int(field.rows.tokens[first:stop].sum())
    name = "segment" if stop - first == 1 else "segments"
    return f'<p class="gap">{stop - first:,} {name}, {tokens:,} tokens, not shown</p>'


def _bare(documents: Sequence[Document]) -> str:
    if not documents:
        return ""
    names = "".join(f"<li><code>{text(d.id[:120])}</code></li>" for d in documents[:_MOST_NAMES])
    rest = f"<li>and {len(documents) - _MOST_NAMES:,} more</li>" if len(documents) > _MOST_NAMES else ""
    return (
        f'<details class="bare"><summary>{len(documents):,} more documents, nothing of them kept or shown</summary>'
        f"<ul>{names}{rest}</ul></details>\n"
    )
