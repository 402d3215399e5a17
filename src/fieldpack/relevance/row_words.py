"""The words of the rows of a corpus: what they are worth, and how they stand in each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldpack.arrays import concat_ranges
from fieldpack.corpus.corpus import Corpus
from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.types import BoolArray, FloatArray, IntArray

Float64 = npt.NDArray[np.float64]
_ALIKE, _WALKED, _JUMP, _STEPS = 0.1, 2048, 0.15, 20
"""Of LexRank: the least cosine, the most rows among which it walks, the share of steps that go anywhere, the steps."""


@dataclass(frozen=True, eq=False)
class RowWords:
    """The words of n rows: word (m,) numbers, row (m,) where each stands, idf (m,), 0 for function words and signs."""

    word: IntArray
    row: IntArray
    idf: FloatArray
    rows: int

    @staticmethod
    def from_corpus(corpus: Corpus) -> RowWords:
        """Of the rows of the corpus."""
        level, vocabulary = corpus.level, corpus.vocabulary
        worth = corpus.frequencies.idf * ~vocabulary.symbols * ~function_words(corpus)
        row = np.repeat(np.arange(len(level)), level.lengths)
        word = np.asarray(corpus.words[concat_ranges(level.offsets[:-1], level.offsets[1:])], np.int64)
        return RowWords(word, row, np.asarray(worth[word], np.float32), len(level))

    def total(self, values: FloatArray | BoolArray) -> FloatArray:
        """(n,) sum of values (m,) over the words of each row."""
        return np.bincount(self.row, values, self.rows).astype(np.float32)

    def share(self, chosen: BoolArray) -> FloatArray:
        """(n,) in [0, 1]: the share of each row's idf that the chosen (m,) words hold."""
        return np.asarray(self.total(chosen * self.idf) / np.maximum(self.total(self.idf), 1e-6), np.float32)

    def mean(self, values: FloatArray | BoolArray) -> FloatArray:
        """(n,) mean of values (m,) over the content words of each row."""
        content = self.idf > 0
        return np.asarray(self.total(values * content) / np.maximum(self.total(content), 1), np.float32)

    def rarest(self, count: int) -> FloatArray:
        """(n,) mean idf of the `count` rarest words of each row."""
        order = np.lexsort((-self.idf, self.row))
        row = self.row[order]
        first = np.arange(len(row)) - np.searchsorted(row, row) < count
        return np.asarray(np.bincount(row[first], self.idf[order][first], self.rows) / count, np.float32)

    def centrality(self, stem: IntArray) -> FloatArray:
        """(n,) how central each row is, 1 on the mean: LexRank (Erkan & Radev 2004) over rows whose tf-idf has a
        cosine above _ALIKE. stem (u,): of each word. Of more than _WALKED rows, the walk is among so many evenly spaced
        ones, and its last step goes to all."""
        use = self.idf > 0
        stems = int(stem.max(initial=0)) + 1
        pairs, place = np.unique(self.row[use] * stems + stem[self.word[use]], return_inverse=True)
        weight = np.bincount(place, self.idf[use], len(pairs)).astype(np.float64)
        row, own = pairs // stems, pairs % stems
        weight /= np.sqrt(np.bincount(row, weight * weight, self.rows).astype(np.float64))[row]
        bounds = np.searchsorted(row, np.arange(self.rows + 1))
        order = np.argsort(own, kind="stable")
        ends = np.searchsorted(own[order], np.arange(stems + 1))
        walked = np.arange(self.rows) if self.rows <= _WALKED else np.arange(_WALKED) * self.rows // _WALKED
        alike = []
        for first, last in zip(bounds[walked].tolist(), bounds[walked + 1].tolist(), strict=True):
            mine = own[first:last]
            at = order[concat_ranges(ends[mine], ends[mine + 1])]
            product = np.repeat(weight[first:last], ends[mine + 1] - ends[mine]) * weight[at]
            alike.append(np.flatnonzero(np.bincount(row[at], product, self.rows) > _ALIKE))
        return _walk(alike, walked, self.rows)


def _walk(alike: list[IntArray], walked: IntArray, rows: int) -> FloatArray:
    """(rows,) where a walk stands that goes from each of the rows `walked` to one of those `alike` it, or, with the
    probability _JUMP, to any; times the number of rows."""
    degree = np.array([len(a) for a in alike], np.int64)
    target, source = np.concatenate([*alike, np.zeros(0, np.int64)]), np.repeat(np.arange(len(walked)), degree)
    place: Float64 = np.ones(len(walked))
    standing: Float64 = np.ones(rows)
    for _ in range(_STEPS):
        gone = np.bincount(target, (place / np.maximum(degree, 1))[source], rows)
        standing = np.asarray(_JUMP + (1 - _JUMP) * gone, np.float64)
        place = np.asarray(standing[walked] / max(float(standing[walked].mean()), 1e-9), np.float64)
    return standing.astype(np.float32)


def function_words(corpus: Corpus) -> BoolArray:
    """(u,) the English function words of the vocabulary."""
    return words_among(corpus, STOPWORDS)


def words_among(corpus: Corpus, words: frozenset[str]) -> BoolArray:
    """(u,) whether each word of the vocabulary is one of these."""
    out = np.zeros(len(corpus.vocabulary), np.bool_)
    index = corpus.vocabulary.index
    out[[index[word] for word in sorted(words) if word in index]] = True
    return out
