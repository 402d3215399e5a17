"""The names under which rows are carried from turn to turn: "document id:start-end"."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fieldpack.corpus.corpus import Corpus
from fieldpack.types import FloatArray


def key(corpus: Corpus, row: int) -> str:
    """The name of a row."""
    s = corpus.rows
    return f"{corpus.documents[int(s.doc[row])].id}:{int(s.start[row])}-{int(s.end[row])}"


def row_of(corpus: Corpus, name: str) -> int:
    """The row with this name, -1 when there is none."""
    rows = corpus.rows
    document, _, span = name.rpartition(":")
    doc = corpus.numbers.get(document, -1)
    start, _, end = span.partition("-")
    if doc < 0 or not (start.isdecimal() and end.isdecimal()):
        return -1
    first, last = np.searchsorted(rows.doc, [doc, doc + 1])
    at = int(first) + int(np.searchsorted(rows.start[first:last], int(start)))
    return at if at < last and int(rows.start[at]) == int(start) and int(rows.end[at]) == int(end) else -1


def values_of(corpus: Corpus, values: Mapping[str, float]) -> FloatArray:
    """(n,) the value of the rows that are named, 0 for others."""
    out = np.zeros(len(corpus.rows), np.float32)
    for name, value in values.items():
        at = row_of(corpus, name)
        if at >= 0:
            out[at] = value
    return out
