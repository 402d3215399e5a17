"""Relevance of every row to one or several queries, as calibrated probabilities, with the parts they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fieldpack.relevance.corpus import Corpus, WordVectors
from fieldpack.relevance.features import paragraph_features, sentence_features, standardised
from fieldpack.relevance.scorer import Scorer, combined, facts
from fieldpack.relevance.signals import Query, read_query, read_signals
from fieldpack.types import FloatArray, IntArray
from fieldpack.words import distinct

MOST_GROUPS = 2048
"""Paragraphs whose features are computed; of more, those that exact words and static vectors rank first."""
_FEW_WORDS, _MET, _FRAGMENT = 4, 0.3, 2.0
_FLOOR = -12.0
"""Log odds of what was ranked out before its features were read."""


@dataclass(frozen=True, eq=False)
class Relevance:
    """logit (n,): calibrated log odds of holding evidence. parts {feature:
    (n,)}: raw features of the first query. best (q, n) in [-1, 1]: the best match of each content word of all queries
    in each row, word_weight (q,) sums to 1, words: their spelling. known: share of the content words that the
    candidates hold. asked: ids of the queries' words in the vocabulary."""

    logit: FloatArray
    parts: Mapping[str, FloatArray]
    best: FloatArray
    word_weight: FloatArray
    words: tuple[str, ...]
    known: float
    asked: IntArray

    @cached_property
    def total(self) -> FloatArray:
        """(n,) in [0, 1]: the probability."""
        return np.asarray(0.5 * (1 + np.tanh(0.5 * self.logit)), np.float32)


def read_relevance(
    queries: Sequence[str],
    corpus: Corpus,
    word_vectors: WordVectors,
    scorer: Scorer,
    texts: Sequence[str] | None = None,
    dense: Sequence[FloatArray] | None = None,
    weights: Sequence[float] = (),
) -> Relevance:
    """Rows are atoms when `texts` (n,) is given, else groups (g). dense: for each query (g,) cosines of a sentence
    embedder. weights: for each query, in (0, 1], what its evidence is worth. Raises nothing: a query without words
    gives every row the same odds."""
    rows, each = (len(corpus) if texts is not None else len(corpus.starts)), []
    for k, text in enumerate(queries):
        query = read_query(text, corpus, word_vectors)
        each.append(_one(query, corpus, scorer, texts, dense[k] if dense is not None else None, rows))
    logit = combined([e.logit for e in each], weights)
    best = np.concatenate([e.best for e in each])
    weight = np.concatenate([e.word_weight for e in each])
    return Relevance(
        logit,
        each[0].parts,
        best,
        np.asarray(weight / max(float(weight.sum()), 1e-9), np.float32),
        tuple(w for e in each for w in e.words),
        min(e.known for e in each),
        distinct(np.concatenate([e.asked for e in each])),
    )


def _one(
    query: Query, corpus: Corpus, scorer: Scorer, texts: Sequence[str] | None, dense: FloatArray | None, rows: int
) -> Relevance:
    groups = _candidates(query, corpus, dense)
    if len(groups) < len(corpus.starts):
        return _among(query, corpus, groups, scorer, texts, dense, rows)
    return _closely(query, corpus, scorer, texts, dense)


def _closely(
    query: Query, corpus: Corpus, scorer: Scorer, texts: Sequence[str] | None, dense: FloatArray | None
) -> Relevance:
    signals = read_signals(corpus, query)
    layer = scorer.paragraph if dense is None else scorer.dense
    features = paragraph_features(signals, dense)
    score = layer.score(features.table)
    raw, best = features.raw, signals.best_in_groups
    if texts is not None:
        sentence = sentence_features(signals, score, texts)
        raw = {**{k: v[corpus.group] for k, v in raw.items()}, **sentence.raw}
        score, layer, best = scorer.sentence.score(sentence.table), scorer.sentence, signals.best
        raw = {**raw, "late": sentence.raw["late"], "bm25": sentence.raw["bm25"]}
    logit = layer.logit(score, facts(score, raw, query.known))
    words = corpus.lengths if texts is not None else np.add.reduceat(corpus.lengths, corpus.starts)
    # A rule, a fence, a lone sign says nothing; a few words without one of the query's say hardly more.
    logit[words == 0] = _FLOOR
    logit[(words <= _FEW_WORDS) & (raw["late"] < _MET)] -= _FRAGMENT
    content = np.flatnonzero(query.content)
    return Relevance(
        logit,
        raw,
        best[content],
        query.weight[content],
        tuple(query.words[i] for i in content),
        query.known,
        query.ids[query.ids >= 0],
    )


def _candidates(query: Query, corpus: Corpus, dense: FloatArray | None) -> IntArray:
    """Groups worth reading closely: all when there are few, else the first by exact words and by vectors, and the
    neighbours in the document of the very best."""
    count = len(corpus.starts)
    if count <= MOST_GROUPS:
        return np.arange(count)
    score = standardised(corpus.exact(query.ids[query.content & (query.ids >= 0)]))
    score = score + standardised(corpus.groups @ query.vector if dense is None else dense)
    first = np.argpartition(-score, MOST_GROUPS)[:MOST_GROUPS]
    top = first[np.argsort(-score[first], kind="stable")[: MOST_GROUPS // 8]]
    beside = np.concatenate([first, np.minimum(top + 1, count - 1), np.maximum(top - 1, 0)])
    return distinct(beside)


class _Some(Sequence[str]):
    """Some of many texts, looked up when they are asked for: most queries need none."""

    def __init__(self, texts: Sequence[str], rows: IntArray) -> None:
        self._texts, self._rows = texts, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, i: Any) -> Any:
        return self._texts[self._rows[i]] if not isinstance(i, slice) else [self._texts[r] for r in self._rows[i]]

    def __iter__(self) -> Iterator[str]:
        return map(self._texts.__getitem__, self._rows.tolist())


def _among(
    query: Query,
    corpus: Corpus,
    groups: IntArray,
    scorer: Scorer,
    texts: Sequence[str] | None,
    dense: FloatArray | None,
    rows: int,
) -> Relevance:
    part = corpus.take(groups)
    chosen = groups if texts is None else part.taken
    some = None if texts is None else _Some(texts, chosen)
    near = _closely(query, part, scorer, some, None if dense is None else dense[groups])
    logit = np.full(rows, min(_FLOOR, float(near.logit.min())), np.float32)
    logit[chosen] = near.logit

    best = _over(near.best, chosen, rows)
    parts = _Spread(near.parts, chosen, rows)
    return Relevance(logit, parts, best, near.word_weight, near.words, near.known, near.asked)


def _over(values: FloatArray, chosen: IntArray, rows: int) -> FloatArray:
    """(..., rows) zeros, and the values (..., k) in the columns `chosen`."""
    out = np.zeros((*values.shape[:-1], rows), np.float32)
    out[..., chosen] = values
    return out


class _Spread(Mapping[str, FloatArray]):
    """Features of some rows as those of all, written out when they are asked for."""

    def __init__(self, parts: Mapping[str, FloatArray], chosen: IntArray, rows: int) -> None:
        self._parts, self._chosen, self._rows = parts, chosen, rows

    def __getitem__(self, name: str) -> FloatArray:
        return _over(self._parts[name], self._chosen, self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)
