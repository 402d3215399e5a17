"""What a pack leaves out of tables and arrays: "rows 3, 118 of 400"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fieldpack.types import KINDS, Document, IntArray, Segments

_TABLE = KINDS.index("table")
_FEWEST_ROWS = 5
"""Rows of a table of which it is worth saying that some are left out."""
_RANGES_NAMED = 4
_TABLES_NAMED = 3


def rows_of(document: Document, segments: Segments, inside: IntArray) -> str:
    """Which rows of its tables, or records of its arrays, are among the segments `inside` of a document, counted from 1
    below the header: "rows 3, 118 of 400". "" where none is left out.

    inside: rows of `segments`, all of this one document, sorted.
    """
    listed = inside[(segments.kind[inside] == _TABLE) & (segments.rows[inside] >= _FEWEST_ROWS)]
    if not len(listed):
        return ""
    number = int(segments.doc[listed[0]])
    low, high = np.searchsorted(segments.doc, [number, number + 1])
    container = _containers(segments.row[low:high], segments.rows[low:high])[listed - low]
    word = "records" if document.text.lstrip()[:1] in ("{", "[") else "rows"
    parts = []
    for name in dict.fromkeys(container.tolist()):
        of_it = listed[container == name]
        total = int(segments.rows[of_it[0]])
        numbers = np.unique(segments.row[of_it])
        if len(numbers) < total:
            parts.append(_shown(numbers, total, word))
    more = f" and {len(parts) - _TABLES_NAMED} more" if len(parts) > _TABLES_NAMED else ""
    return "; ".join(parts[:_TABLES_NAMED]) + more


def left_out(documents: Sequence[Document], segments: Segments, inside: IntArray) -> tuple[str, ...]:
    """ "ID: rows 3, 118 of 400" for each document of whose tables or arrays only some rows are inside (sorted)."""
    out = []
    for number in dict.fromkeys(segments.doc[inside].tolist()):
        of_it = inside[segments.doc[inside] == number]
        if rows := rows_of(documents[number], segments, of_it):
            out.append(f"{documents[number].id}: {rows}")
    return tuple(out)


def _containers(row: IntArray, rows: IntArray) -> IntArray:
    """(n,) a number for the table or array of each segment of a document: a new one begins where rows of its size are
    numbered from the top again."""
    counted = np.flatnonzero(rows > 0)
    order = counted[np.argsort(rows[counted], kind="stable")]
    new = np.ones(len(order), np.bool_)
    new[1:] = (rows[order[1:]] != rows[order[:-1]]) | (row[order[1:]] < row[order[:-1]])
    out = np.full(len(rows), -1, np.int64)
    out[order] = np.cumsum(new)
    return out


def _shown(numbers: IntArray, total: int, word: str) -> str:
    """Numbers from 0, sorted, as ranges from 1: "rows 3, 8-10 of 400"; of many ranges their ends."""
    breaks = np.flatnonzero(np.diff(numbers) != 1)
    firsts = (numbers[np.r_[0, breaks + 1]] + 1).tolist()
    lasts = (numbers[np.r_[breaks, len(numbers) - 1]] + 1).tolist()
    if len(firsts) > _RANGES_NAMED:
        return f"{len(numbers):,} of {total:,} {word}, from {firsts[0]} to {lasts[-1]}"
    ranges = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(firsts, lasts, strict=True))
    return f"{word if len(numbers) > 1 else word[:-1]} {ranges} of {total:,}"
