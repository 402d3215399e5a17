"""Which rows are one text: the same characters but for white space, under the same title, in the same record.

A copy is no evidence of its own, whatever links call for it. Code repeats its lines with good reason, and so do short
rows; they are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fieldpack.types import KINDS, Document, IntArray, Segments

_FEWEST = 3
"""White-space words from which a row is a statement."""
_UNSPACED = 8
"""Characters from which a row without blanks is one."""
_EDGE = 40
_CODE, _TABLE = KINDS.index("code"), KINDS.index("table")


def text_key(documents: Sequence[Document], segments: Segments, row: int) -> str:
    """What rows of one text have in common; "" for a row that is never a copy."""
    if segments.kind[row] == _CODE:
        return ""
    document = documents[segments.doc.item(row)]
    words = document.text[segments.start.item(row) : segments.end.item(row)].split()
    if len(words) < _FEWEST and sum(map(len, words)) < _UNSPACED:
        return ""
    place = [document.title]
    context = int(segments.context[row]) if segments.kind[row] == _TABLE else -1
    while context >= 0:
        place.append(f"{segments.doc[row]}:{context}")  # a record's key: the same words elsewhere are another record
        context = int(segments.context[context])
    return "\n".join([" ".join(words), *place])


def same_texts(documents: Sequence[Document], segments: Segments, rows: IntArray) -> IntArray:
    """(k,) for some rows the number of their text: two rows with the same one are copies."""
    out = np.arange(len(rows))
    known: dict[str, int] = {}
    for places in _alike(documents, segments, rows):
        for k in places:
            if key := text_key(documents, segments, int(rows[k])):
                out[k] = known.setdefault(key, k)
    return out


def _alike(documents: Sequence[Document], segments: Segments, rows: IntArray) -> list[list[int]]:
    """Places of the rows that begin and end with the same words: only those can be of one text."""
    groups: dict[tuple[str, ...], list[int]] = {}
    columns = (segments.doc[rows], segments.start[rows], segments.end[rows])
    for k, (doc, start, end) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        text = documents[doc].text
        first = text[start : min(start + _EDGE, end)].split(None, 1)[:1]
        last = text[max(end - _EDGE, start) : end].rsplit(None, 1)[-1:]
        groups.setdefault((*first, *last), []).append(k)
    return [places for places in groups.values() if len(places) > 1]
