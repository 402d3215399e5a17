"""The boundary of relevance from labelled queries, by split conformal prediction (Vovk et al. 2005).

`calibrate` gives the largest relevance that still lets a share 1 - alpha of the evidence pass, for queries that are
drawn as the labelled ones were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from fieldpack.checks import MOST_TOKENS
from fieldpack.errors import InputError, SettingsError
from fieldpack.field.boundary import conformal
from fieldpack.protocols import Progress
from fieldpack.relevance.outside import ScoreRange, standardised
from fieldpack.types import BoolArray, Document, FloatArray

_NO_LIMIT = MOST_TOKENS
"""Tokens: a budget under which every segment has its relevance and none is refused."""
_FAR = 2.0
_FEWEST = 10
"""Segments of evidence with a score from which a weight of scores is fitted."""


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
    the queries when the boundary is fitted on the other half; None where that half has none. pool: segments of a
    query's documents, the fewest, the median and the most. units: the units of these. score_weight: for ContextPacker,
    fitted on documents that have scores; None where too few have."""

    min_relevance: float
    alpha: float
    queries: int
    evidence: int
    coverage_held_out: float | None
    pool: tuple[int, ...] = ()
    units: tuple[str, ...] = ()
    score_weight: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The object that `fieldpack calibrate --json` prints, but for model and unit."""
        return asdict(self) | {"pool": list(self.pool), "units": list(self.units)}


@dataclass(frozen=True)
class Boundary:
    """What a packer takes from a file of `fieldpack calibrate`, and what that was fitted with. Files of release 0.1
    name model and unit, and nothing of pool and scores."""

    min_relevance: float
    model: str | None = None
    unit: str | None = None
    pool: tuple[int, ...] = ()
    units: tuple[str, ...] = ()
    score_weight: float | None = None

    @staticmethod
    def from_dict(facts: dict[str, Any]) -> Boundary:
        """Raises KeyError, TypeError or ValueError for what is no such file."""
        weight = facts.get("score_weight")
        return Boundary(
            min_relevance=float(facts["min_relevance"]),
            model=facts.get("model"),
            unit=facts.get("unit"),
            pool=tuple(int(n) for n in facts.get("pool") or ()),
            units=tuple(str(u) for u in facts.get("units") or ()),
            score_weight=None if weight is None else float(weight),
        )

    def differs(self, model: str, unit: str) -> str:
        """What it was fitted with and the packer has not, in words; "" where they agree."""
        pairs = (("model", self.model, model), ("unit", self.unit, unit))
        wrong = [
            f"{name} {fitted} and is used with {used}" for name, fitted, used in pairs if fitted not in (None, used)
        ]
        return " and ".join(wrong)

    def note(self, segments: int, unit: str) -> str:
        """What to know where the boundary is used far from where it was fitted: another unit, or a pool of less than
        half the fewest segments or of more than twice the most; "" elsewhere."""
        if self.units and unit not in self.units:
            return f"the boundary was fitted on packs by {' and '.join(self.units)}, and this one is by {unit}"
        if self.pool and not self.pool[0] / _FAR <= segments <= self.pool[-1] * _FAR:
            fitted = f"{self.pool[0]:,} to {self.pool[-1]:,} segments"
            return (
                f"the boundary was fitted on pools of {fitted}, and this one has {segments:,}: calibrate on such pools"
            )
        return ""


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
    read: list[_Read] = []
    for k, example in enumerate(examples):
        read.append(_read(example, packer))
        scores.append(read[-1].evidence_relevance)
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
        pool=_pool([len(r.evidence) for r in read]),
        units=tuple(sorted({r.unit for r in read})),
        score_weight=_score_weight(read),
    )


def _pool(sizes: Sequence[int]) -> tuple[int, ...]:
    return min(sizes), int(np.median(sizes)), max(sizes)


def evidence_relevance(example: Example, packer: Packer) -> FloatArray:
    """(k,) relevance in [0, 1] of the segments that share characters with the evidence."""
    return _read(example, packer).evidence_relevance


@dataclass(frozen=True, eq=False)
class _Read:
    """The n segments of one example: which are evidence, their relevance and standardised scores, None for none."""

    evidence: BoolArray
    relevance: FloatArray
    unit: str
    scores: FloatArray | None

    @property
    def evidence_relevance(self) -> FloatArray:
        return np.asarray(self.relevance[self.evidence], np.float32)


def _read(example: Example, packer: Packer) -> _Read:
    result = packer.pack(example.query, example.documents, _NO_LIMIT)
    rows = result.segments
    number = {d.id: i for i, d in enumerate(example.documents)}
    evidence = np.zeros(len(rows), np.bool_)
    for document, start, end in example.evidence:
        evidence |= (rows.doc == number[document]) & (rows.start < end) & (rows.end > start)
    given = [ScoreRange(i, 0, len(d.text), d.score) for i, d in enumerate(example.documents) if d.score is not None]
    scores = standardised(given, rows) if given else None
    return _Read(evidence, np.asarray(result.relevance.total), result.corpus.unit, scores)


def _score_weight(read: Sequence[_Read]) -> float | None:
    """Log odds that a standard deviation of the scores is worth, in [0, 5]: logistic regression of the evidence on the
    scores, beside the log odds that the relevance has already (Newton's method, a weak prior on 0)."""
    scored = [r for r in read if r.scores is not None]
    if sum(int(r.evidence.sum()) for r in scored) < _FEWEST:
        return None
    p = np.clip(np.concatenate([r.relevance for r in scored]).astype(np.float64), 1e-9, 1 - 1e-9)
    known, target = np.log(p / (1 - p)), np.concatenate([r.evidence for r in scored]).astype(np.float64)
    columns = np.stack([np.concatenate([r.scores for r in scored if r.scores is not None]), np.ones(len(p))], 1)
    beta = np.zeros(2)
    for _ in range(30):
        q = 1 / (1 + np.exp(-(known + columns @ beta)))
        slope = columns.T @ (target - q) - beta
        curve = (columns * (q * (1 - q))[:, None]).T @ columns + np.eye(2)
        beta = beta + np.clip(np.linalg.solve(curve, slope), -1, 1)
    return round(float(np.clip(beta[0], 0, 5)), 4)


def _joined(scores: Sequence[FloatArray]) -> Any:
    return np.concatenate([np.zeros(0), *scores]).astype(np.float64)
