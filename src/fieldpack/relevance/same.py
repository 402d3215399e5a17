"""Which rows are one text: the same characters but for white space, under the same title, in the same record.

A copy is no evidence of its own, whatever links call for it. Code repeats its lines with good reason, and so do short
rows; they are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fieldpack.arrays import concat_ranges, offsets_of, sorted_unique
from fieldpack.corpus.corpus import Corpus
from fieldpack.types import KINDS, Document, IntArray, Segments
from fieldpack.words import chunks

_FEWEST = 3
"""Runs without blanks from which a row is a statement."""
_UNSPACED = 8
"""Characters from which a row without blanks is one."""
_CODE, _TABLE = KINDS.index("code"), KINDS.index("table")


def text_key(documents: Sequence[Document], segments: Segments, row: int) -> str:
    """What rows of one text have in common; "" for a row that is never a copy."""
    if segments.kind[row] == _CODE:
        return ""
    document = documents[segments.doc.item(row)]
    words = chunks(document.text[segments.start.item(row) : segments.end.item(row)])
    if len(words) < _FEWEST and sum(map(len, words)) < _UNSPACED:
        return ""
    place = [document.title]
    context = int(segments.context[row]) if segments.kind[row] == _TABLE else -1
    while context >= 0:
        place.append(f"{segments.doc[row]}:{context}")  # a record's key: the same words elsewhere are another record
        context = int(segments.context[context])
    return "\n".join([" ".join(words), *place])


def same_texts(corpus: Corpus, rows: IntArray) -> IntArray:
    """(k,) for some rows of a corpus the number of their text: two rows with the same one are copies."""
    out = np.arange(len(rows))
    known: dict[str, int] = {}
    for k in _alike(corpus, rows).tolist():
        if key := text_key(corpus.documents, corpus.rows, int(rows[k])):
            out[k] = known.setdefault(key, k)
    return out


def _alike(corpus: Corpus, rows: IntArray) -> IntArray:
    """Places of the rows that have as many words as another, and as large a sum of their numbers: only those can be of
    one text."""
    first, last = corpus.level.offsets[rows], corpus.level.offsets[rows + 1]
    sums = np.append(0, np.cumsum(corpus.words[concat_ranges(first, last)], dtype=np.int64))
    ends = offsets_of(last - first)
    keys = np.stack([last - first, sums[ends[1:]] - sums[ends[:-1]]])
    order = np.lexsort(keys)
    again = np.flatnonzero((np.diff(keys[:, order]) == 0).all(0))
    return sorted_unique(order[np.concatenate([again, again + 1])])
