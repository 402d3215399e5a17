"""Two tiers: the static field reads all, a transformer only the paragraphs that can still win."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fieldpack.embed.service import EmbeddingService
from fieldpack.prepared import Prepared
from fieldpack.relevance.read import Relevance, read_relevance
from fieldpack.relevance.scorer import Scorer
from fieldpack.types import FloatArray, IntArray

SHARE, FEWEST, MOST = 16, 32, 192
"""The second tier reads the paragraphs that the static field ranks first: one of 16, from 32 to 192 of them. A tenth of
the time that reading all takes is room for about so many, and more bring no more evidence (benchmarks/cascade.py)."""


def cascade(
    queries: tuple[str, ...],
    prepared: Prepared,
    second: EmbeddingService,
    scorer: Scorer,
    weights: Sequence[float],
) -> Relevance:
    """Relevance by the static table, and over it that of the first paragraphs with the vectors of `second`."""
    corpus, vectors = prepared.corpus, prepared.static.word_vectors
    first = read_relevance(queries, corpus, vectors, scorer, weights=weights)
    groups = np.sort(np.argsort(-first.logit, kind="stable")[: candidates(len(first.logit))])
    asked, seen = _embedded(queries, prepared, groups, second)
    near = [seen @ q for q in asked]
    texts = prepared.texts if prepared.sentences else None
    if len(groups) == len(corpus.starts):
        return read_relevance(queries, corpus, vectors, scorer, texts, near, weights)
    part = corpus.take(groups)
    some = [prepared.texts[i] for i in part.taken.tolist()] if texts is not None else None
    close = read_relevance(queries, part, vectors, scorer, some, near, weights)
    if texts is None:
        return _overlaid(first, close, groups)
    return _overlaid(read_relevance(queries, corpus, vectors, scorer, texts, weights=weights), close, part.taken)


def candidates(paragraphs: int) -> int:
    """How many of so many paragraphs the second tier reads, at most."""
    return min(max(paragraphs // SHARE, FEWEST), MOST)


def _embedded(
    queries: tuple[str, ...], prepared: Prepared, groups: IntArray, second: EmbeddingService
) -> tuple[FloatArray, FloatArray]:
    """Rows of the queries and of the paragraphs, in one call."""
    corpus, rows = prepared.corpus, prepared.rows
    first = last = groups
    if prepared.sentences:
        first = corpus.starts[groups]
        last = np.append(corpus.starts[1:], len(corpus))[groups] - 1
    spans = zip(rows.doc[first].tolist(), rows.start[first].tolist(), rows.end[last].tolist(), strict=True)
    found = second.embed([*queries, *(prepared.documents[d].text[a:b] for d, a, b in spans)])
    return found[: len(queries)], found[len(queries) :]


def _overlaid(whole: Relevance, near: Relevance, rows: IntArray) -> Relevance:
    """The cheap reading with a better one laid over some rows; what was not read again stays below what was."""
    logit = np.minimum(whole.logit, float(near.logit.min()))
    logit[rows] = near.logit
    parts = {}
    for name, values in near.parts.items():
        parts[name] = whole.parts.get(name, np.zeros(len(logit), np.float32)).copy()
        parts[name][rows] = values
    return replace(whole, logit=logit, parts=parts)
