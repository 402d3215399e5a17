"""Scores from outside (a retriever's, a reranker's) as log odds for the choice of rows.

Scores of any scale are fused as one more signal: standardised among the candidates that have one (z-score), bounded,
and weighed. They enter as a bias: the relevance of a row stays the calibrated probability that it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fieldpack.types import FloatArray, Segments

MOST = 3.0
"""Standard deviations beyond which a score counts no more."""


class ScoreRange(NamedTuple):
    """A score of the characters [start, end) of document number `doc`; the higher the better."""

    doc: int
    start: int
    end: int
    score: float


def standardised(scores: Sequence[ScoreRange], rows: Segments) -> FloatArray:
    """(n,) the z-score of each row of the documents, in [-MOST, MOST]: of the ranges that share characters with it,
    weighed by these. 0, the mean, for a row without a score, and for all rows where the scores are all alike."""
    out = np.zeros(len(rows), np.float32)
    if not scores:
        return out
    given = np.array([s.score for s in scores], np.float64)
    given /= max(float(np.abs(given).max()), 1e-300)  # so that squares of the largest numbers stay finite
    deviation = float(given.std())
    if deviation <= 1e-9:
        return out
    z = np.clip((given - given.mean()) / deviation, -MOST, MOST)
    total, shared = np.zeros(len(rows)), np.zeros(len(rows))
    for (doc, start, end, _), value in zip(scores, z.tolist(), strict=True):
        first, last = np.searchsorted(rows.doc, [doc, doc + 1])
        here = slice(int(first), int(last))
        overlap = np.minimum(rows.end[here], end) - np.maximum(rows.start[here], start)
        overlap = np.maximum(overlap, 0)
        total[here] += value * overlap
        shared[here] += overlap
    np.divide(total, shared, out=total, where=shared > 0)
    return np.asarray(total, np.float32)
