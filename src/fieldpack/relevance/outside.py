"""Scores from outside (a retriever's, a reranker's) as log odds for the choice of rows.

Scores of any scale are fused as one more signal: standardised among the candidates that have one (z-score), bounded,
and weighed. They enter as a bias: the relevance of a row stays the calibrated probability that it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fieldpack.corpus.corpus import Corpus, texts_of
from fieldpack.relevance.rerank import candidates
from fieldpack.relevance.score import Relevance
from fieldpack.rerank.service import RerankService
from fieldpack.types import FloatArray, FrozenArrays, IntArray, Segments

MOST = 3.0
"""Standard deviations beyond which a score counts no more."""


@dataclass(frozen=True, eq=False)
class Outside(FrozenArrays):
    """bias (n,): log odds for the choice of rows, None for none. notes: what a user should know of where they are
    from."""

    bias: FloatArray | None = None
    notes: tuple[str, ...] = ()


class ScoreRange(NamedTuple):
    """A score of the characters [start, end) of document number `doc`; the higher the better."""

    doc: int
    start: int
    end: int
    score: float


def z_scores(scores: FloatArray) -> FloatArray:
    """(k,) standard deviations from the mean, in [-MOST, MOST]; 0 where all are alike."""
    scaled = scores / max(float(np.abs(scores).max()), 1e-300)  # so that squares of the largest numbers stay finite
    deviation = float(scaled.std())
    if deviation <= 1e-9:
        return np.zeros(len(scores), np.float32)
    return np.asarray(np.clip((scaled - scaled.mean()) / deviation, -MOST, MOST), np.float32)


def standardised(scores: Sequence[ScoreRange], rows: Segments) -> FloatArray:
    """(n,) the z-score of each row of the documents, in [-MOST, MOST]: of the ranges that share characters with it,
    weighed by these. 0, the mean, for a row without a score, and for all rows where the scores are all alike."""
    out = np.zeros(len(rows), np.float32)
    if not scores:
        return out
    z = z_scores(np.array([s.score for s in scores], np.float64))
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


def first_paragraphs(corpus: Corpus, relevance: Relevance) -> IntArray:
    """The paragraphs that a reranker reads, the best first: those whose best row is the most relevant, as many as
    `candidates` says."""
    best = np.full(len(corpus.paragraphs), -np.inf)
    np.maximum.at(best, corpus.paragraph, relevance.logit)
    return np.argsort(-best, kind="stable")[: candidates(len(best))]


def read_again(model: RerankService, queries: Sequence[str], corpus: Corpus, relevance: Relevance) -> Outside:
    """(n,) standard deviations by which a reranker thinks more or less of each row's paragraph than of the others that
    it read, the best over several queries. A paragraph that it did not read counts as the least of those it read: the
    first reading had placed it behind them. Where the model fails there is a note, and no bias."""
    paragraphs = first_paragraphs(corpus, relevance)
    texts = texts_of(corpus.paragraphs.spans, corpus.documents, paragraphs)
    each, notes = [], []
    for query in queries:
        reranked = model.scores(query, texts)
        read = [(k, s) for k, s in zip(paragraphs.tolist(), reranked.scores, strict=True) if s is not None]
        if reranked.problem:
            done = f"its scores of {len(read)} of {len(texts)} passages count" if read else "the pack is without it"
            notes.append(f"the reranker {model.name} did not read all: {reranked.problem}; {done}")
        if read:
            each.append(_over_paragraphs(read, len(corpus.paragraphs)))
    if not each:
        return Outside(notes=tuple(dict.fromkeys(notes)))
    best = np.max(each, 0)[corpus.paragraph]
    return Outside(np.asarray(best, np.float32), tuple(dict.fromkeys(notes)))


def _over_paragraphs(read: Sequence[tuple[int, float]], count: int) -> FloatArray:
    """(g,) z-scores of the paragraphs that were read, and the least of them for the others."""
    z = z_scores(np.array([s for _, s in read], np.float64))
    out = np.full(count, z.min(), np.float32)
    out[[k for k, _ in read]] = z
    return out
