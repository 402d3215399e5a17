"""Another pack beside this one: by budget, with and without a query, or of another retriever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fieldpack.html import escape as text
from fieldpack.report.view import Comparison, PackView
from fieldpack.types import BoolArray, Document, IntArray, Segments

Range = tuple[str, int, int]
"""(document id, start, end) in characters."""


def comparison_of(
    documents: Sequence[Document], segments: Segments, *, name: str, tokens: int, ranges: Sequence[Range]
) -> Comparison:
    """Ranges as segments: one counts as kept where the ranges cover at least half of its characters."""
    number = {d.id: k for k, d in enumerate(documents)}
    length = np.asarray(segments.end - segments.start, np.int64)
    covered, outside = np.zeros(len(segments), np.int64), 0
    first = np.searchsorted(segments.doc, np.arange(len(documents) + 1))
    for doc_id, start, end in _merged(ranges):
        if doc_id not in number:
            outside += end - start
            continue
        rows = slice(int(first[number[doc_id]]), int(first[number[doc_id] + 1]))
        covered[rows] += _overlap(segments, rows, start=start, end=end)
    return Comparison(name, tokens, np.asarray((2 * covered >= length) & (length > 0), np.bool_), outside)


def _merged(ranges: Sequence[Range]) -> list[Range]:
    """Sorted and without overlaps, so that no character counts twice."""
    out: list[Range] = []
    for doc_id, start, end in sorted(ranges):
        if out and out[-1][0] == doc_id and start <= out[-1][2]:
            out[-1] = (doc_id, out[-1][1], max(end, out[-1][2]))
        else:
            out.append((doc_id, start, end))
    return out


def _overlap(segments: Segments, rows: slice, *, start: int, end: int) -> IntArray:
    shared = np.minimum(segments.end[rows], end) - np.maximum(segments.start[rows], start)
    return np.asarray(np.maximum(shared, 0), np.int64)


def comparison_facts(view: PackView, rows: IntArray) -> dict[str, Any] | None:
    """For JSON: the name, and the places in `rows` of what the other way keeps."""
    other = view.compared
    if other is None:
        return None
    kept = np.bincount(view.field.rows.doc[other.inside], minlength=len(view.field.documents))
    return {
        "name": other.name[:120],
        "rows": np.flatnonzero(other.inside[rows]).tolist(),
        "kept": {int(d): int(kept[d]) for d in np.flatnonzero(kept)},
    }


def comparison_table(view: PackView) -> str:
    """HTML of both ways side by side; "" without another."""
    other = view.compared
    if other is None:
        return ""
    mine, theirs = view.inside, other.inside
    rows = [
        ("tokens of the text", f"{view.tokens:,}", f"{other.tokens:,}"),
        ("segments", f"{int(mine.sum()):,}", f"{int(theirs.sum()):,}"),
        ("kept by it alone", f"{int((mine & ~theirs).sum()):,}", f"{int((theirs & ~mine).sum()):,}"),
        ("documents", _documents(view, mine), _documents(view, theirs)),
        ("mean relevance", _mean(view, mine), _mean(view, theirs)),
    ]
    body = "".join(f'<tr><th scope="row">{a}</th><td>{b}</td><td>{c}</td></tr>' for a, b, c in rows)
    more = (
        f" It also keeps {other.outside:,} characters of documents that are not on this page." if other.outside else ""
    )
    return (
        f'<section class="compared" aria-label="Comparison"><table><caption>{int((mine & theirs).sum()):,} segments '
        f"are kept by both. Relevance is fieldpack's own estimate for both columns.{more}</caption><thead><tr><th></th>"
        f'<th scope="col" class="mine">this pack ({view.budget:,})</th><th scope="col" class="theirs">'
        f"{text(other.name[:120])}</th></tr></thead><tbody>{body}</tbody></table></section>"
    )


def _documents(view: PackView, inside: BoolArray) -> str:
    return f"{len(np.unique(view.field.rows.doc[inside])):,}"


def _mean(view: PackView, inside: BoolArray) -> str:
    """Relevance by tokens: a short heading counts less than a page."""
    tokens = view.field.rows.tokens[inside]
    return f"{float(np.average(view.relevance[inside], weights=tokens)):.2f}" if tokens.sum() else "–"
