"""The boundary of relevance from labelled queries, by split conformal prediction (Vovk et al. 2005).

`calibrate` gives the largest relevance that still lets a share 1 - alpha of the evidence pass, for queries that are
drawn as the labelled ones were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from fieldpack.errors import InputError, SettingsError
from fieldpack.field.boundary import conformal
from fieldpack.protocols import Progress
from fieldpack.types import Document, FloatArray

_NO_LIMIT = 1 << 40
"""Tokens: a budget under which every segment has its relevance and none is refused."""


@dataclass(frozen=True)
class Example:
    """A query, its documents, and the evidence among them: (document id, start, end) in characters."""

    query: str
    documents: Sequence[Document]
    evidence: Sequence[tuple[str, int, int]]


@dataclass(frozen=True)
class Calibration:
    """min_relevance in [0, 1]: the boundary, for `ContextPacker(min_relevance=...)`. evidence: labelled segments that
    it was fitted on, of `queries`. coverage_held_out in [0, 1]: the share of evidence that passes in a random half of
    the queries when the boundary is fitted on the other half; None where that half has none."""

    min_relevance: float
    alpha: float
    queries: int
    evidence: int
    coverage_held_out: float | None

    def to_dict(self) -> dict[str, Any]:
        """The object that `fieldpack calibrate --json` prints, but for model and unit."""
        return asdict(self)


class Packer(Protocol):
    """What `calibrate` needs of a ContextPacker: its pack names the segments and their relevance."""

    def pack(self, query: str, documents: Sequence[Document], budget: int) -> Any: ...


def check_alpha(alpha: float) -> None:
    """Raises SettingsError for an alpha that is not between 0 and 1."""
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < 1:
        raise SettingsError(f"alpha is {alpha}; allowed: above 0 and below 1")


def calibrate(
    examples: Sequence[Example],
    packer: Packer,
    alpha: float = 0.1,
    *,
    progress: Progress | None = None,
    source: str = "the list of examples",
) -> Calibration:
    """The conformal boundary of labelled queries, and its coverage on held-out ones.

    alpha: in (0, 1), the share of the evidence that may be lost. progress: called as progress("calibrate", examples
    done, examples). source: names the examples in the error. Raises SettingsError for alpha, and InputError where no
    segment is evidence.
    """
    check_alpha(alpha)
    scores: list[FloatArray] = []
    for k, example in enumerate(examples):
        scores.append(evidence_relevance(example, packer))
        if progress is not None:
            progress("calibrate", k + 1, len(examples))
    order = np.random.default_rng(0).permutation(len(scores)).tolist()
    fitted, held_out = _joined([scores[k] for k in order[::2]]), _joined([scores[k] for k in order[1::2]])
    every = np.concatenate([fitted, held_out])
    if not len(every):
        raise InputError(f"{source} has no labelled evidence; each query needs gold passages")
    half = conformal(fitted, alpha) if len(fitted) else -np.inf
    return Calibration(
        min_relevance=round(max(float(conformal(every, alpha)), 0.0), 6),
        alpha=alpha,
        queries=len(examples),
        evidence=len(every),
        coverage_held_out=round(float((held_out >= half).mean()), 4) if len(held_out) else None,
    )


def evidence_relevance(example: Example, packer: Packer) -> FloatArray:
    """(k,) relevance in [0, 1] of the segments that share characters with the evidence."""
    result = packer.pack(example.query, example.documents, _NO_LIMIT)
    rows, relevance = result.segments, result.relevance.total
    number = {d.id: i for i, d in enumerate(example.documents)}
    evidence = np.zeros(len(rows), np.bool_)
    for document, start, end in example.evidence:
        evidence |= (rows.doc == number[document]) & (rows.start < end) & (rows.end > start)
    return np.asarray(relevance[evidence], np.float32)


def _joined(scores: Sequence[FloatArray]) -> Any:
    return np.concatenate([np.zeros(0), *scores]).astype(np.float64)
