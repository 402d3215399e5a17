"""The documents of a page: which segments are shown, and their HTML in reading order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldpack.html import escape as text
from fieldpack.prepared import Prepared
from fieldpack.types import KINDS, BoolArray, Document, FloatArray, IntArray

MOST_ROWS = 4000
MOST_BYTES = 1_500_000
MOST_IN_ROW = 8000
"""Characters of one segment that are shown; the segment itself is packed whole."""
_MOST_NAMES = 300
_WHITE = 64
_HEADING = KINDS.index("heading")
_MARKS = {"heading": " h", "code": " c", "table": " c"}


@dataclass(frozen=True, eq=False)
class Body:
    """html: all documents; rows: the segments shown, ascending, `data-r` of an element being an index into them;
    hidden: how many are not shown."""

    html: str
    rows: IntArray
    hidden: int


def body(
    prepared: Prepared, inside: BoolArray, first: BoolArray, value: FloatArray, cut: tuple[int, int] | None = None
) -> Body:
    """inside (n,): what is lit; first (n,): what is shown before all else; value (n,): then the highest.

    cut: (row, end) of a row that is lit up to a character only.
    """
    rows, pieces = _chosen(prepared, first, value, cut)
    owners = prepared.rows.doc
    bounds = np.searchsorted(owners, np.arange(len(prepared.documents) + 1))
    at = np.searchsorted(rows, bounds)
    out, bare = [], []
    for d, document in enumerate(prepared.documents):
        here = range(int(at[d]), int(at[d + 1]))
        whole = range(int(bounds[d]), int(bounds[d + 1]))
        if len(here):
            out.append(_document(prepared, d, rows, here, whole, pieces, inside))
        elif document.text.strip():
            bare.append(document)
    return Body("".join(out) + _bare(bare), rows, len(prepared.rows) - len(rows))


def _chosen(
    prepared: Prepared, first: BoolArray, value: FloatArray, cut: tuple[int, int] | None
) -> tuple[IntArray, dict[int, str]]:
    """The rows that fit on a page of bounded size, and their text as HTML."""
    order = np.lexsort((np.arange(len(value)), -value, ~first))[:MOST_ROWS]
    pieces: dict[int, str] = {}
    size = 0
    for row in order.tolist():
        piece = _piece(prepared, row, cut[1] if cut and cut[0] == row else None)
        size += len(piece.encode("utf-8"))
        if size > MOST_BYTES and pieces:
            break
        pieces[row] = piece
    return np.array(sorted(pieces), np.int64), pieces


def _piece(prepared: Prepared, row: int, cut: int | None) -> str:
    s = prepared.rows[row]
    source = prepared.documents[s.doc].text
    end = min(s.end, s.start + MOST_IN_ROW)
    if cut is not None and cut < end:
        return (
            f'{text(source[s.start : cut])}<span class="after-cut">{text(source[cut:end])}</span>{_more(s.end - end)}'
        )
    return text(source[s.start : end]) + _more(s.end - end)


def _more(characters: int) -> str:
    return f'<span class="more"> … {characters:,} more characters</span>' if characters > 0 else ""


def _document(
    prepared: Prepared,
    d: int,
    rows: IntArray,
    here: range,
    whole: range,
    pieces: dict[int, str],
    inside: BoolArray,
) -> str:
    document = prepared.documents[d]
    lit = bool(inside[whole.start : whole.stop].any())
    blocks: list[str] = []
    before = whole.start - 1
    paragraph: list[int] = []

    def close() -> None:
        if paragraph:
            blocks.append(
                _paragraph(prepared, document, [int(rows[i]) for i in paragraph], paragraph[0], pieces, inside)
            )
            paragraph.clear()

    for i in here:
        row = int(rows[i])
        if row != before + 1:
            close()
            blocks.append(_gap(prepared, before + 1, row))
        if paragraph and prepared.rows.parent[row] != prepared.rows.parent[row - 1]:
            close()
        paragraph.append(i)
        before = row
    close()
    if before + 1 < whole.stop:
        blocks.append(_gap(prepared, before + 1, whole.stop))
    title = document.title if document.title and document.title != document.id else ""
    name = f'<b dir="auto">{text(title)}</b> ' if title else ""
    return (
        f'<details class="doc" data-d="{d}"{" open" if lit else ""}><summary>'
        f'<span class="name">{name}<code>{text(document.id[:120])}</code></span>'
        f'<span class="count"></span><span class="strip" aria-hidden="true"></span></summary>'
        f'<div class="body">{"".join(blocks)}</div></details>\n'
    )


def _paragraph(
    prepared: Prepared, document: Document, rows: Sequence[int], number: int, pieces: dict[int, str], inside: BoolArray
) -> str:
    s = prepared.rows
    out = []
    for k, row in enumerate(rows):
        if k:
            white = document.text[int(s.end[row - 1]) : int(s.start[row])]
            out.append(f'<span class="w">{text(white) if len(white) <= _WHITE else " "}</span>')
        marks = (" k" if inside[row] else "") + _MARKS.get(KINDS[int(s.kind[row])], "")
        out.append(f'<span class="s{marks}" data-r="{number + k}">{pieces[row]}</span>')
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


def _gap(prepared: Prepared, first: int, stop: int) -> str:
    tokens = int(prepared.rows.tokens[first:stop].sum())
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
