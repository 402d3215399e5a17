"""What one query finds in the candidates: exact words, similar words (maxsim), word pairs, titles.

All comes from one table, the similarity of each query word to each word of the vocabulary, reduced over the words of a
sentence and over the sentences of a paragraph, so that both are read in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.arrays import reduce_segments
from fieldpack.relevance.query import Query
from fieldpack.relevance.shortlist import Candidates
from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.types import FloatArray
from fieldpack.words import stem_of

Numbers = npt.NDArray[np.integer[Any]]
"""Word numbers, of any integer type."""

BM25_K1, BM25_B = 1.2, 0.75
"""Robertson & Zaragoza 2009, the usual constants."""
_MANY_WORDS = 16_384
_NOT_THE_SAME = 0.99
"""The most that two different words are alike, whatever their vectors: only what occurs is named in a reason."""


@dataclass(frozen=True, eq=False)
class Signals:
    """max_similarity (q, n), title_similarity (q, t): the best match in [-1, 1] of each query word in each sentence,
    title; 1 where it occurs. tf (s, n): how often each of s content stems occurs; stem_idf (s,): what each is worth."""

    candidates: Candidates
    query: Query
    max_similarity: FloatArray
    title_similarity: FloatArray
    tf: FloatArray
    stem_idf: FloatArray

    @cached_property
    def paragraph_similarity(self) -> FloatArray:
        """(q, g) the best match of each query word in each paragraph."""
        return np.maximum.reduceat(self.max_similarity, self.candidates.starts, axis=1)

    @cached_property
    def paragraph_tf(self) -> FloatArray:
        """(s, g) how often each content stem occurs in each paragraph."""
        return np.add.reduceat(self.tf, self.candidates.starts, axis=1)

    def pairs(self) -> FloatArray:
        """(n,) share in [0, 1], by idf, of the query's neighbouring word pairs that stand side by side in a
        sentence."""
        candidates, index = self.candidates, self.candidates.corpus.vocabulary.index
        frequencies = candidates.corpus.frequencies
        ids = candidates.words
        out, total = np.zeros(len(candidates.sentences), np.float32), 1e-9
        sentence = np.repeat(np.arange(len(out)), np.diff(candidates.offsets))
        for a, b in self.query.pairs:
            if a in STOPWORDS and b in STOPWORDS:
                continue
            i, j = index.get(a, -1), index.get(b, -1)
            value = sum(float(frequencies.idf[k]) if k >= 0 else frequencies.unseen_idf for k in (i, j))
            total += value
            if i >= 0 and j >= 0:
                at = np.flatnonzero((ids[:-1] == i) & (ids[1:] == j))
                # Once a sentence, however often it has the pair.
                out[sentence[at[sentence[at] == sentence[at + 1]]]] += value
        return out / np.float32(total)


def signals_of(candidates: Candidates, query: Query) -> Signals:
    """One pass over the words of the candidates."""
    vocabulary, frequencies = candidates.corpus.vocabulary, candidates.corpus.frequencies
    table = _similarity(candidates, query)
    stems: dict[str, float] = {}
    for word, content, share in zip(query.words, query.content, query.share.tolist(), strict=True):
        if content:
            stems[stem_of(word)] = max(stems.get(stem_of(word), 0.0), share)
    stem_ids = np.array([vocabulary.stems.get(s, -1) for s in stems], np.int64)
    shares = np.array(list(stems.values()), np.float32)
    flat = vocabulary.stem[candidates.words] if len(candidates.words) else np.zeros(0, np.int64)
    hits = (flat[None] == stem_ids[:, None]).astype(np.float32)
    known, unseen = frequencies.stem_idf, frequencies.unseen_idf
    return Signals(
        candidates=candidates,
        query=query,
        max_similarity=reduce_segments(np.maximum, table.values.take(table.words, 1), candidates.offsets),
        title_similarity=reduce_segments(np.maximum, table.values.take(table.titles, 1), candidates.titles.offsets),
        tf=reduce_segments(np.add, hits, candidates.offsets),
        stem_idf=shares * np.array([known[i] if i >= 0 else unseen for i in stem_ids], np.float32),
    )


@dataclass(frozen=True, eq=False)
class _Similarity:
    """values (q, k): similarity of each query word to each of k words; words (m,), titles: the candidates' words as
    columns of it."""

    values: FloatArray
    words: Numbers
    titles: Numbers


def _similarity(candidates: Candidates, query: Query) -> _Similarity:
    direction, known = candidates.corpus.vocabulary.direction, query.ids
    words: Numbers = candidates.words
    titles: Numbers = candidates.titles.ids
    if len(direction) > _MANY_WORDS:
        present = np.zeros(len(direction), np.bool_)
        present[words] = present[titles] = True
        if 2 * np.count_nonzero(present) < len(present):
            # Of a large vocabulary only the words that occur are compared; copying two thirds would take as long.
            column = np.cumsum(present) - 1
            direction = direction.take(np.flatnonzero(present), 0)
            words, titles = column[words], column[titles]
            known = np.where((known >= 0) & present[known], column[known], -1)
    values = np.minimum(query.direction @ direction.T, np.float32(_NOT_THE_SAME))
    exact = np.flatnonzero(known >= 0)
    values[exact, known[exact]] = 1.0
    return _Similarity(values, words, titles)


def weighted_mean(values: FloatArray, weight: FloatArray) -> FloatArray:
    """(n,) weighted mean of the rows of (q, n); zeros when the weights are."""
    total = float(weight.sum())
    if total <= 0 or not len(values):
        return np.zeros(values.shape[1], np.float32)
    return np.asarray((weight / total) @ values, np.float32)


def bm25(tf: FloatArray, idf: FloatArray, length: FloatArray) -> FloatArray:
    """BM25 (n,) inside the candidates, divided by its supremum for the query: in [0, 1)."""
    norm = 1 - BM25_B + BM25_B * length / max(float(length.mean()), 1.0) if len(length) else length
    return weighted_mean(np.asarray(tf / (tf + BM25_K1 * norm), np.float32), idf)


def title_in_query(candidates: Candidates, query: Query) -> FloatArray:
    """(t,) share in [0, 1], by idf, of each title's words that the query holds."""
    ids = candidates.titles.ids
    if not len(ids):
        return np.zeros(len(candidates.titles), np.float32)
    idf = candidates.corpus.frequencies.idf
    in_query = np.zeros(len(idf), np.bool_)
    in_query[query.ids[query.ids >= 0]] = True
    both = np.stack([idf[ids] * in_query[ids], idf[ids]])
    held, total = reduce_segments(np.add, both, candidates.titles.offsets)
    return np.asarray(held / np.maximum(total, 1e-9), np.float32)
