"""What one query sees in the candidates: exact words, near words (token resonance), word pairs, titles.

All comes from one table, the similarity of each query word to each word of the vocabulary, reduced over the words of an
atom and over the atoms of a group, so that sentences and paragraphs are read in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from fieldpack.relevance.corpus import Corpus, WordVectors, reduce_rows, stem_of, unit
from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.types import BoolArray, FloatArray, IntArray
from fieldpack.words import split

BM25_K1, BM25_B = 1.2, 0.75
"""Robertson & Zaragoza 2009, the usual constants."""
_MANY_WORDS = 16_384


@dataclass(frozen=True, eq=False)
class Query:
    """A query's q distinct words: ids (q,) in the corpus's vocabulary (-1: not there), content (q,) False for function
    words, idf (q,), loose (q,) idf x vector length, weight (q,) the same for content words and 0 for others, direction
    (q, d), vector (d,): unit, pairs: neighbouring words."""

    words: tuple[str, ...]
    ids: IntArray
    content: BoolArray
    idf: FloatArray
    loose: FloatArray
    weight: FloatArray
    direction: FloatArray
    vector: FloatArray
    pairs: tuple[tuple[str, str], ...]

    @property
    def known(self) -> float:
        """Share in [0, 1] of the content words that occur in the candidates."""
        return float((self.ids[self.content] >= 0).mean()) if self.content.any() else 0.0


def read_query(text: str, corpus: Corpus, word_vectors: WordVectors) -> Query:
    """A query of function words alone keeps them all as content."""
    ordered = split(text)
    words = tuple(dict.fromkeys(ordered))
    content = np.array([w not in STOPWORDS for w in words], np.bool_)
    if not content.any():
        content[:] = True
    ids = np.array([corpus.index.get(w, -1) for w in words], np.int64)
    idf = np.array([corpus.idf[i] if i >= 0 else corpus.unseen_idf for i in ids], np.float32)
    vectors = word_vectors(words) if words else np.zeros((0, corpus.direction.shape[1]), np.float32)
    length = np.sqrt(np.einsum("qd,qd->q", vectors, vectors)).astype(np.float32)
    direction = vectors / np.maximum(length, 1e-9)[:, None]
    vector = unit(vectors.sum(0, keepdims=True))[0]
    pairs = tuple(pairwise(ordered))
    loose = idf * length
    return Query(words, ids, content, idf, loose, loose * content, direction, vector, pairs)


@dataclass(frozen=True, eq=False)
class Signals:
    """best (q, n), title_best (q, t): best match in [-1, 1] of each query word in each atom, title; 1 where it occurs.
    tf (s, n): how often each of s content stems occurs; stem_idf (s,)."""

    corpus: Corpus
    query: Query
    best: FloatArray
    title_best: FloatArray
    tf: FloatArray
    stem_idf: FloatArray

    @cached_property
    def best_in_groups(self) -> FloatArray:
        """(q, g)"""
        return np.maximum.reduceat(self.best, self.corpus.starts, axis=1)

    @cached_property
    def tf_in_groups(self) -> FloatArray:
        """(s, g)"""
        return np.add.reduceat(self.tf, self.corpus.starts, axis=1)

    def pairs(self) -> FloatArray:
        """(n,) share in [0, 1], by idf, of the query's neighbouring word pairs that stand side by side in an atom."""
        corpus, index = self.corpus, self.corpus.index
        ids, out, total = corpus.words.ids, np.zeros(len(corpus), np.float32), 1e-9
        atom = np.repeat(np.arange(len(corpus)), corpus.words.lengths)
        for a, b in self.query.pairs:
            if a in STOPWORDS and b in STOPWORDS:
                continue
            i, j = index.get(a, -1), index.get(b, -1)
            value = sum(float(corpus.idf[k]) if k >= 0 else corpus.unseen_idf for k in (i, j))
            total += value
            if i >= 0 and j >= 0:
                at = np.flatnonzero((ids[:-1] == i) & (ids[1:] == j))
                out[atom[at[atom[at] == atom[at + 1]]]] += value  # once an atom, however often it says it
        return out / np.float32(total)


def read_signals(corpus: Corpus, query: Query) -> Signals:
    """One pass over the words of the candidates."""
    ids, titles = corpus.words, corpus.titles
    direction, known = corpus.direction, query.ids
    word, title = ids.ids, titles.ids
    if len(direction) > _MANY_WORDS:
        here = np.zeros(len(direction), np.bool_)
        here[word] = here[title] = True
        if 4 * np.count_nonzero(here) < len(here):
            # Of a large vocabulary only the words at hand are compared; copying more of them would take as long.
            place = np.cumsum(here) - 1
            direction, word, title = direction[here], place[word], place[title]
            known = np.where((known >= 0) & here[known], place[known], -1)
    similarity = np.asarray(query.direction @ direction.T, np.float32)
    there = np.flatnonzero(known >= 0)
    similarity[there, known[there]] = 1.0
    stems = list(dict.fromkeys(stem_of(w) for w, c in zip(query.words, query.content, strict=True) if c))
    stem_ids = np.array([corpus.stems.get(s, -1) for s in stems], np.int64)
    flat = corpus.stem[ids.ids] if len(ids.ids) else np.zeros(0, np.int64)
    hits = (flat[None] == stem_ids[:, None]).astype(np.float32)
    return Signals(
        corpus,
        query,
        reduce_rows(np.maximum, similarity.take(word, 1), ids.offsets),
        reduce_rows(np.maximum, similarity.take(title, 1), titles.offsets),
        reduce_rows(np.add, hits, ids.offsets),
        np.array([corpus.stem_idf[i] if i >= 0 else corpus.unseen_idf for i in stem_ids], np.float32),
    )


def mean(values: FloatArray, weight: FloatArray) -> FloatArray:
    """(n,) weighted mean of the rows of (q, n); zeros when the weights are."""
    total = float(weight.sum())
    if total <= 0 or not len(values):
        return np.zeros(values.shape[1], np.float32)
    return np.asarray((weight / total) @ values, np.float32)


def bm25(tf: FloatArray, idf: FloatArray, length: FloatArray) -> FloatArray:
    """BM25 (n,) inside the candidates, divided by its supremum for the query: in [0, 1)."""
    norm = 1 - BM25_B + BM25_B * length / max(float(length.mean()), 1.0) if len(length) else length
    return mean(np.asarray(tf / (tf + BM25_K1 * norm), np.float32), idf)


def title_in_query(corpus: Corpus, query: Query) -> FloatArray:
    """(t,) share in [0, 1], by idf, of each title's words that the query holds."""
    ids = corpus.titles.ids
    if not len(ids):
        return np.zeros(len(corpus.titles), np.float32)
    asked = np.zeros(len(corpus.idf), np.bool_)
    asked[query.ids[query.ids >= 0]] = True
    held = asked[ids]
    both = np.stack([corpus.idf[ids] * held, corpus.idf[ids]])
    found, total = reduce_rows(np.add, both, corpus.titles.offsets)
    return np.asarray(found / np.maximum(total, 1e-9), np.float32)
