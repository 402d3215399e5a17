"""What rows of an output are worth besides what the packer says of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from fieldpack.tools.calls import names_like_stopwords
from fieldpack.types import FloatArray, Segments

_NAMED, _RARE = np.float32(4.0), 0.2
SURE, LIKELY = (6.0, 0.5), (3.0, -1.0)
"""Log odds that the lines of a failing command gain that name an error, or seem to, and up to which they do: below
those of lines with the words of the question."""
Worth = Sequence[tuple[tuple[float, float], Sequence[tuple[int, int]]]]
"""(log odds that a row gains, up to which), and the ranges of the rows."""


def bias_of(question: str, text: str, rows: Segments) -> FloatArray | None:
    """(n,) log odds for rows that hold a name of the question which the packer reads as a function word ("May"), where
    at most a fifth of the rows do."""
    bias = np.zeros(len(rows), np.float32)
    for name in names_like_stopwords(question):
        hits = [m.start() for m in re.finditer(rf"\b{re.escape(name)}\b", text)]
        at = np.unique(np.searchsorted(rows.start, hits, "right") - 1)
        if 0 < len(at) <= max(1, _RARE * len(rows)):
            bias[at] += _NAMED
    return bias if bias.any() else None


def lifted(logit: FloatArray, rows: Segments, worth: Worth) -> FloatArray:
    """(n,) log odds, those of the rows that begin one of the ranges lifted."""
    out = logit.copy()
    for (gain, most), lines in worth:
        at = np.unique(np.searchsorted(rows.start, [a for a, _ in lines], "right") - 1)
        at = at[at >= 0]
        out[at] += np.clip(most - logit[at], 0, gain)
    return out
