"""What the script needs to draw a page's passages itself: their texts, and what stands between and around them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fieldpack.html import readable
from fieldpack.report.documents import MOST_IN_ROW, Body
from fieldpack.report.payload import Block, utf16_length
from fieldpack.report.view import FieldView
from fieldpack.types import IntArray

_WHITE = 64
"""Characters of white space between two sentences from which one space is written."""


def listed_facts(field: FieldView, shown: Body, block: Block, cut: tuple[int, int] | None) -> dict[str, Any]:
    """texts: of each row of the page; between: what stands before it in its paragraph; rows: its number among all
    segments; documents: those that stand open at first, and of each its title; cut: (row, unit) of a text that is lit
    up to there only; most: characters of a row that are shown."""
    rows = shown.rows
    titles = [d.title[:200] if d.title != d.id else "" for d in field.documents]
    return {
        "texts": block.texts(_texts(field, rows)),
        "between": block.texts(_between(field, rows)),
        "rows": block.numbers(rows),
        "open": list(shown.opened),
        "titles": titles if any(titles) else [],
        "cut": _cut(field, rows, cut),
        "most": MOST_IN_ROW,
    }


def _texts(field: FieldView, rows: IntArray) -> list[str]:
    s = field.rows
    starts, ends = s.start[rows].tolist(), np.minimum(s.end[rows], s.start[rows] + MOST_IN_ROW).tolist()
    return [
        field.documents[d].text[start:end] for d, start, end in zip(s.doc[rows].tolist(), starts, ends, strict=True)
    ]


def _between(field: FieldView, rows: IntArray) -> list[str]:
    """White space before each row; "" for the first row of a paragraph, and after a row that is left out."""
    s = field.rows
    goes_on = np.zeros(len(rows), np.bool_)
    goes_on[1:] = (np.diff(rows) == 1) & (s.parent[rows[1:]] == s.parent[rows[:-1]])
    out = [""] * len(rows)
    for k in np.flatnonzero(goes_on).tolist():
        row = rows[k]
        white = field.documents[int(s.doc[row])].text[int(s.end[row - 1]) : int(s.start[row])]
        out[k] = white if len(white) <= _WHITE else " "
    return out


def _cut(field: FieldView, rows: IntArray, cut: tuple[int, int] | None) -> list[int] | None:
    if cut is None:
        return None
    row, end = cut
    s = field.rows[row]
    return [int(np.searchsorted(rows, row)), utf16_length(readable(field.documents[s.doc].text[s.start : end]))]
