"""The different words of a corpus, with their vectors and stems, and in how many paragraphs each occurs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import numpy as np

from fieldpack.arrays import GrowableArrays, read_only, sorted_unique
from fieldpack.types import BoolArray, FloatArray, FrozenArrays, IntArray
from fieldpack.words import stem_of, symbols_of

_NUMBER = re.compile(r".*\d.*", re.DOTALL)
TIME = (
    r"(?:1\d{3}|20\d\d|January|February|March|April|May|June|July|August|September|October|November|December|century|"
    r"days?|weeks?|months?|years?|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|yesterday|today|ago)"
)
"""A regular expression for words that name a time in English."""
_TIME, _LONGEST_TIME = re.compile(TIME.lower()), len("yesterday")


@dataclass(frozen=True, eq=False)
class Vocabulary(FrozenArrays):
    """u words, numbered in the order in which a reader of the documents meets them: of each document first the text,
    then the title.

    index: word -> number. direction (u, d): unit word vectors of the static table; weight (u,): their lengths before.
    stem (u,): the number of each word's stem; stems: stem -> number, in order of first sight.
    """

    words: list[str]
    index: dict[str, int]
    direction: FloatArray
    weight: FloatArray
    stem: IntArray
    stems: dict[str, int]

    def __len__(self) -> int:
        return len(self.words)

    @staticmethod
    def from_words(words: list[str], vectors: FloatArray) -> Vocabulary:
        """The vocabulary of different words in this order. vectors (u, d): theirs, of which the memory is reused: of
        millions of words, one table is a gigabyte and more."""
        weight = np.sqrt(np.einsum("ud,ud->u", vectors, vectors)).astype(np.float32)
        direction = np.divide(vectors, np.maximum(weight, 1e-9)[:, None], out=vectors)
        return Vocabulary.of(words, direction, weight)

    @staticmethod
    def of(words: list[str], direction: FloatArray, weight: FloatArray, stem: IntArray | None = None) -> Vocabulary:
        """The vocabulary of different words in this order with what is known of each; stem: the numbers of their stems
        where they are stored."""
        spelled = list(map(stem_of, words))
        stems = dict(zip(dict.fromkeys(spelled), count()))
        if stem is None:
            stem = np.fromiter(map(stems.__getitem__, spelled), np.int64, len(spelled))
        return Vocabulary(
            words=words,
            index=dict(zip(words, count())),
            direction=direction,
            weight=weight,
            stem=stem,
            stems=stems,
        )

    def extended(self, other: Vocabulary, buffers: GrowableArrays) -> Vocabulary:
        """This vocabulary followed by the words of `other` that it lacks, in their order there."""
        new = [i for i, word in enumerate(other.words) if word not in self.index]
        if not new:
            return self
        words = [other.words[i] for i in new]
        stems = dict(self.stems)
        stem = np.array([stems.setdefault(stem_of(w), len(stems)) for w in words], np.int64)
        return Vocabulary(
            words=[*self.words, *words],
            index=self.index | {w: len(self.words) + k for k, w in enumerate(words)},
            direction=buffers.append("direction", self.direction, other.direction[new]),
            weight=buffers.append("weight", self.weight, other.weight[new]),
            stem=buffers.append("stem", self.stem, stem),
            stems=stems,
        )

    def numbers_of(self, other: Vocabulary) -> IntArray:
        """(len(other),) the number here of each word of `other`; all must be here."""
        if other.words is self.words:
            return np.arange(len(self.words))
        return np.fromiter(map(self.index.__getitem__, other.words), np.int64, len(other.words))

    @cached_property
    def symbols(self) -> BoolArray:
        """(u,) names with signs as a whole (`a.b.c`), which stand besides their parts."""
        return read_only(symbols_of(self.words))

    @cached_property
    def holds_digit(self) -> BoolArray:
        """(u,) words with a digit in them."""
        found = (not w.isalpha() and _NUMBER.fullmatch(w) is not None for w in self.words)
        return read_only(np.fromiter(found, np.bool_, len(self.words)))

    @cached_property
    def names_time(self) -> BoolArray:
        """(u,) words that may name a time in English: a year, a month, a weekday ("may" among them)."""
        found = (len(w) <= _LONGEST_TIME and _TIME.fullmatch(w) is not None for w in self.words)
        return read_only(np.fromiter(found, np.bool_, len(self.words)))


@dataclass(frozen=True, eq=False)
class Frequencies(FrozenArrays):
    """In how many of `paragraphs` paragraphs each word (u,) and each stem (s,) occurs, as whole numbers."""

    words: IntArray
    stems: IntArray
    paragraphs: int

    @staticmethod
    def count(word_ids: IntArray, paragraph: IntArray, vocabulary: Vocabulary, paragraphs: int) -> Frequencies:
        """word_ids (m,): the words of all paragraphs; paragraph (m,): where each stands."""
        words = _document_frequency(word_ids, paragraph, len(vocabulary.words))
        stems = _document_frequency(vocabulary.stem[word_ids], paragraph, len(vocabulary.stems))
        return Frequencies(words, stems, paragraphs)

    def joined(self, other: Frequencies, words: IntArray, stems: IntArray, vocabulary: Vocabulary) -> Frequencies:
        """The frequencies over the paragraphs of both. words, stems: the numbers in `vocabulary` of those of `other`;
        this one's numbers are the same there."""
        return Frequencies(
            _added(self.words, other.words, words, len(vocabulary.words)),
            _added(self.stems, other.stems, stems, len(vocabulary.stems)),
            self.paragraphs + other.paragraphs,
        )

    @cached_property
    def idf(self) -> FloatArray:
        """(u,) inverse document frequency of the words, see `idf`."""
        return read_only(idf(self.words, self.paragraphs))

    @cached_property
    def stem_idf(self) -> FloatArray:
        """(s,) inverse document frequency of the stems."""
        return read_only(idf(self.stems, self.paragraphs))

    @property
    def unseen_idf(self) -> float:
        """That of a word that occurs nowhere."""
        return float(np.log1p((self.paragraphs + 0.5) / 0.5))


def idf(frequency: IntArray, paragraphs: int) -> FloatArray:
    """BM25's inverse document frequency log(1 + (g - df + .5) / (df + .5)) (Robertson & Zaragoza 2009), float32 > 0."""
    return np.log1p((paragraphs - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)


def _document_frequency(ids: IntArray, paragraph: IntArray, size: int) -> IntArray:
    """(size,) in how many paragraphs each id occurs."""
    pairs = sorted_unique(paragraph * max(size, 1) + ids)
    return np.bincount(pairs % max(size, 1), minlength=size).astype(np.int64)


def _added(old: IntArray, more: IntArray, numbers: IntArray, size: int) -> IntArray:
    out = np.zeros(size, np.int64)
    out[: len(old)] = old
    out[numbers] += more
    return out
