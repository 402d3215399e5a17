"""A second tier over the first: cheap signals read all paragraphs, a transformer those that can still win."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fieldpack.arrays import scatter
from fieldpack.corpus.corpus import Corpus, texts_of
from fieldpack.embed.service import EmbeddingService
from fieldpack.relevance.query import Query
from fieldpack.relevance.score import Relevance, Setup, score, score_candidates
from fieldpack.relevance.sections import section_signals
from fieldpack.relevance.shortlist import some_candidates
from fieldpack.types import FloatArray, IntArray

SHARE, FEWEST, MOST = 16, 32, 192
"""The transformer reads the paragraphs that the cheap signals rank first: one of 16, from 32 to 192 of them. A tenth of
the time that reading all takes is room for about so many, and more bring no more evidence (benchmarks/cascade.py)."""


@dataclass(frozen=True)
class Reranking:
    """The queries as they were given, and the model that reads them with the paragraphs."""

    texts: Sequence[str]
    model: EmbeddingService


def rerank(
    second: Reranking,
    queries: Sequence[Query],
    corpus: Corpus,
    setup: Setup,
    dense: Sequence[FloatArray] | None = None,
) -> Relevance:
    """Relevance by the cheap signals, and over it that of the first paragraphs with the vectors of a second model.
    dense: cosines (g,) for each query that the first reading has already."""
    first = score(queries, corpus, replace(setup, unit="paragraph"), dense)
    paragraphs = np.sort(np.argsort(-first.logit, kind="stable")[: candidates(len(first.logit))])
    vectors = _embed(second, corpus, paragraphs)
    close_dense = [scatter(vectors.paragraphs @ q, paragraphs, len(corpus.paragraphs)) for q in vectors.queries]
    some = some_candidates(corpus, paragraphs)
    close = score_candidates(
        queries, [some] * len(queries), [section_signals(q, corpus) for q in queries], setup, close_dense
    )
    if some.all:
        return close
    whole = first if setup.unit == "paragraph" else score(queries, corpus, setup, dense)
    return _overlaid(whole, close, some.rows(setup.unit))


def candidates(paragraphs: int) -> int:
    """How many of so many paragraphs the transformer reads, at most."""
    return min(max(paragraphs // SHARE, FEWEST), MOST)


@dataclass(frozen=True, eq=False)
class _Vectors:
    """queries (q, d), paragraphs (k, d): unit rows of one model."""

    queries: FloatArray
    paragraphs: FloatArray


def _embed(second: Reranking, corpus: Corpus, paragraphs: IntArray) -> _Vectors:
    """The queries and the paragraphs in one call."""
    rows = second.model.embed([*second.texts, *texts_of(corpus.paragraphs.spans, corpus.documents, paragraphs)])
    return _Vectors(rows[: len(second.texts)], rows[len(second.texts) :])


def _overlaid(whole: Relevance, close: Relevance, rows: IntArray) -> Relevance:
    """The cheap scores with the better ones laid over some rows; what was not read again stays below what was."""
    logit = np.minimum(whole.logit, float(close.logit[rows].min()))
    logit[rows] = close.logit[rows]
    parts = {}
    for name, values in close.parts.items():
        parts[name] = whole.parts[name].copy() if name in whole.parts else np.zeros(len(logit), np.float32)
        parts[name][rows] = values[rows]
    return replace(whole, logit=logit, parts=parts)
