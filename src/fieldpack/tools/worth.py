"""What rows of an output are worth besides what the packer says of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fieldpack.relevance.intent import names_like_stopwords
from fieldpack.relevance.progress import rows_of_each, templates_of
from fieldpack.types import KINDS, BoolArray, FloatArray, IntArray, Segments

_NAMED, _RARE = np.float32(4.0), 0.2
_FAR = np.float32(5.0)
"""Log odds by which a row of a table is far behind the best one, and by which it is then lowered."""
_TABLE = KINDS.index("table")
_ALONE, _LEAST = 1e-6, 1e-9
"""Scores of lines that no word speaks for: of those of no template, which are read first, and of lines of progress."""
SURE, LIKELY = (6.0, 0.5), (3.0, -1.0)
"""Log odds that the lines of a failing command gain that name an error, or seem to, and up to which they do: below
those of lines with the words of the question."""
Scores = npt.NDArray[np.float64]
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


def behind_best(logit: FloatArray, rows: Segments, fits: BoolArray) -> FloatArray:
    """(n,) log odds, those of rows of tables far behind a likely row that fits (n,) lower: hundreds of rows of which
    each is hardly probable would else count as much as the one that answers, and the budget be filled with them."""
    best = float(logit.max(initial=-np.inf))
    if best < 0 or not fits[logit == best].any():
        return logit
    far = (rows.kind == _TABLE) & (logit < best - _FAR)
    far[rows.context[rows.context >= 0]] = False  # headers and keys are worth what they name
    return np.where(far, logit - _FAR, logit).astype(np.float32)


def without_progress(text: str, starts: IntArray, scores: Scores) -> Scores:
    """(n,) scores of the lines of a text that begin at `starts` (n,), for a screen that takes the highest: lines of
    progress that hold no more of the question than most of their template come last, after lines of no template that
    hold nothing of it."""
    ends = np.append(starts[1:], len(text)).tolist()
    lines = [text[a:b] for a, b in zip(starts.tolist(), ends, strict=True)]
    template = templates_of(lines, np.zeros(len(lines), np.int64))
    out = scores.copy()
    for rows in rows_of_each(template):
        out[rows[scores[rows] <= np.median(scores[rows])]] = _LEAST
    if (template >= 0).any():
        alone = template < 0
        out[alone] = np.maximum(out[alone], _ALONE)
    return out


def lifted(logit: FloatArray, rows: Segments, worth: Worth) -> FloatArray:
    """(n,) log odds, those of the rows that begin one of the ranges lifted."""
    out = logit.copy()
    for (gain, most), lines in worth:
        at = np.unique(np.searchsorted(rows.start, [a for a, _ in lines], "right") - 1)
        at = at[at >= 0]
        out[at] += np.clip(most - logit[at], 0, gain)
    return out
