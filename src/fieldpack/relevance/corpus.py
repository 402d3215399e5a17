"""The candidates as numbers, without a query: words, their weights, vectors of sentences and paragraphs.

Built once for a set of documents, read by every query.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fieldpack.types import BoolArray, FloatArray, IntArray
from fieldpack.words import Words, distinct, ranges, sums, words_of

WordVectors = Callable[[Sequence[str]], FloatArray]
"""u words to float32 (u, d): direction times weight, not normalised; an array that the caller may change."""

_WORDS, _FEW, _ALIKE = 6, 12, 2.5


@dataclass(frozen=True, eq=False)
class Corpus:
    """n atoms (sentences) in g groups (paragraphs) of t documents.

    words: of the atoms; titles: of the t documents, over the same vocabulary of u words. starts (g,): first atom of
    each group. group (n,), document (g,): where an atom, a group belongs. sequence (g,): consecutive groups with the
    same number stand one after another in a text. direction (u, d): unit word vectors, weight (u,): their lengths.
    stem (u,): the word's stem; idf (u,), stem_idf (s,): inverse document frequency over the groups in BM25's form,
    log(1 + (g - df + .5) / (df + .5)). raw (n, d): sums of the word vectors; of a corpus that was taken from another
    the other's, of which `raw[taken]` are its own: they are many, and few ask for them.
    """

    words: Words
    titles: Words
    starts: IntArray
    group: IntArray
    document: IntArray
    sequence: IntArray
    direction: FloatArray
    weight: FloatArray
    stem: IntArray
    stems: dict[str, int]
    index: dict[str, int]
    idf: FloatArray
    stem_idf: FloatArray
    raw: FloatArray
    unseen_idf: float
    taken: IntArray
    """(n,) the atoms' numbers in the corpus they were taken from; 0, 1, ... when from none."""

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def atoms(self) -> FloatArray:
        """(n, d) unit rows."""
        return unit(self._own)

    @cached_property
    def groups(self) -> FloatArray:
        """(g, d) unit rows."""
        return unit(np.add.reduceat(self._own, self.starts)) if len(self) else self.raw[:0]

    @property
    def _own(self) -> FloatArray:
        return self.raw if len(self.raw) == len(self) else self.raw[self.taken]

    @cached_property
    def lengths(self) -> FloatArray:
        """(n,) words per atom."""
        return self.words.lengths.astype(np.float32)

    def take(self, groups: IntArray) -> Corpus:
        """The corpus of some groups (ascending) and of their documents, over the same vocabulary and frequencies."""
        ends = np.append(self.starts[1:], len(self))
        atoms = ranges(self.starts[groups], ends[groups])
        lengths = self.words.lengths[atoms]
        flat = ranges(self.words.offsets[atoms], self.words.offsets[atoms + 1])
        sizes = (ends - self.starts)[groups]
        words = Words(self.words.vocabulary, self.words.ids[flat], np.append(0, np.cumsum(lengths)))
        document = self.document[groups]
        owners = distinct(document)
        named, ends = self.titles.offsets[owners], self.titles.offsets[owners + 1]
        titles = self.titles.ids[ranges(named, ends)]
        out = replace(
            self,
            words=words,
            titles=Words(self.titles.vocabulary, titles, np.append(0, np.cumsum(ends - named))),
            starts=np.cumsum(sizes) - sizes,
            group=np.repeat(np.arange(len(groups)), sizes),
            document=np.searchsorted(owners, document),
            sequence=_broken(self.sequence[groups], groups),
            raw=self._own,
            taken=atoms,
        )
        vars(out)["groups"] = self.groups[groups]  # the same rows: adding their atoms up again would take longer
        vars(out)["_matched"] = self._matched  # the same vocabulary
        return out

    def holding(self, pattern: re.Pattern[str]) -> BoolArray:
        """(n,) atoms with a word that the pattern matches as a whole. The vocabulary is looked through once a
        pattern."""
        if pattern not in self._matched:
            found = (pattern.fullmatch(word) is not None for word in self.words.vocabulary)
            self._matched[pattern] = np.fromiter(found, np.bool_, len(self.words.vocabulary))
        held = np.concatenate(([0], np.cumsum(self._matched[pattern][self.words.ids])))
        return np.asarray(held[self.words.offsets[1:]] > held[self.words.offsets[:-1]], np.bool_)

    @cached_property
    def _matched(self) -> dict[re.Pattern[str], BoolArray]:
        return {}

    @cached_property
    def postings(self) -> tuple[IntArray, IntArray]:
        """word -> groups: ptr (u + 1,), groups (pairs,), each pair once."""
        groups = len(self.starts)
        pairs = distinct(self.words.ids.astype(np.int64) * groups + np.repeat(self.group, self.words.lengths))
        return np.searchsorted(pairs // groups, np.arange(len(self.idf) + 1)), pairs % groups

    def exact(self, ids: IntArray) -> FloatArray:
        """(g,) sum of the idf of the given words that each group holds."""
        ptr, groups = self.postings
        out = np.zeros(len(self.starts), np.float32)
        for i in distinct(ids).tolist():
            out[groups[ptr[i] : ptr[i + 1]]] += self.idf[i]
        return out


def read_corpus(
    texts: Sequence[str],
    titles: Sequence[str],
    parent: IntArray,
    document: IntArray,
    sequence: tuple[IntArray, BoolArray],
    word_vectors: WordVectors,
) -> Corpus:
    """texts: n atoms; titles: t documents; parent (n,): group numbers 0, 1, ... ascending, no holes; document (n,);
    sequence: numbers (t,) and whether they are sure (t,), see `fieldpack.text.sequence`."""
    words = words_of(texts)
    named = words_of(titles, words.vocabulary)
    return corpus_of(words, named, parent, document, sequence, word_vectors)


def corpus_of(
    words: Words,
    named: Words,
    parent: IntArray,
    document: IntArray,
    sequence: tuple[IntArray, BoolArray],
    word_vectors: WordVectors,
) -> Corpus:
    """`read_corpus` of texts that were split before; `named`: the titles, over a vocabulary that begins with that of
    `words`."""
    words = Words(named.vocabulary, words.ids, words.offsets)
    vectors = word_vectors(words.vocabulary)
    weight = np.sqrt(np.einsum("ud,ud->u", vectors, vectors)).astype(np.float32)
    raw = sums(vectors, words)
    # In place: of millions of different words, one table is a gigabyte and more.
    direction = np.divide(vectors, np.maximum(weight, 1e-9)[:, None], out=vectors)
    starts = np.flatnonzero(np.diff(parent, prepend=-1))
    stems: dict[str, int] = {}
    stem = np.array([stems.setdefault(stem_of(w), len(stems)) for w in words.vocabulary], np.int64)
    seen = np.repeat(parent, words.lengths)
    corpus = Corpus(
        words,
        named,
        starts,
        parent,
        document[starts],
        np.zeros(0, np.int64),
        direction,
        weight,
        stem,
        stems,
        {w: i for i, w in enumerate(words.vocabulary)},
        _idf(words.ids.astype(np.int64), seen, len(words.vocabulary), len(starts)),
        _idf(stem[words.ids], seen, len(stems), len(starts)),
        raw,
        float(np.log1p((len(starts) + 0.5) / 0.5)),
        np.arange(len(words)),
    )
    numbers, sure = sequence[0][corpus.document], sequence[1][corpus.document]
    return replace(corpus, sequence=confirmed(numbers, sure, corpus))


def confirmed(numbers: IntArray, sure: BoolArray, corpus: Corpus) -> IntArray:
    """(g,) sequences, where those that are not sure fall apart into single documents unless the vectors show an order:
    pieces 1 to 3 places apart are more alike than any two, by more than _ALIKE standard errors of the mean. (On
    labelled sets texts in order are 2.5 to 20 standard errors above, shuffled ones -2 to 2.)"""
    out = numbers.copy()
    long_enough = np.add.reduceat(corpus.lengths, corpus.starts) >= _WORDS if len(corpus) else sure
    at = np.flatnonzero(~sure & long_enough)
    rows = unit(corpus.groups[at] - corpus.groups[at].mean(0)) if len(at) else corpus.groups
    near = []
    for k in (1, 2, 3):
        together = (numbers[at[k:]] == numbers[at[:-k]]) & (corpus.document[at[k:]] != corpus.document[at[:-k]])
        near.append(np.einsum("nd,nd->n", rows[k:], rows[:-k])[together] if len(at) > k else np.zeros(0, np.float32))
    pairs = np.concatenate(near).astype(np.float64)
    total = rows.sum(0, dtype=np.float64)
    every = (float(total @ total) - len(at)) / max(len(at) * (len(at) - 1), 1)
    if len(pairs) < _FEW or pairs.mean() - every < _ALIKE * pairs.std() / np.sqrt(len(pairs)):
        out[~sure] = corpus.document[~sure]
    return out


def _broken(sequence: IntArray, groups: IntArray) -> IntArray:
    """Groups that are taken without what stood between them are no neighbours any more."""
    gap = (np.diff(groups, prepend=groups[:1]) != 1).cumsum()
    return np.asarray(sequence * (len(groups) + 1) + gap, np.int64)


def stem_of(word: str) -> str:
    """A crude stem for exact matching: the first letters of a word, fewer of a short one. It joins inflected forms in
    languages that inflect at the end; numbers and mixed tokens stay whole."""
    if len(word) <= 4 or not word.isalpha():
        return word
    return word[:5] if len(word) <= 6 else word[: min(6, len(word) - 2)]


def unit(rows: FloatArray) -> FloatArray:
    """Rows at length 1; rows of zeros stay."""
    length = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    return np.asarray(rows / np.maximum(length, 1e-12)[:, None], np.float32)


def reduce_rows(ufunc: np.ufunc, table: FloatArray, offsets: npt.NDArray[np.int64]) -> FloatArray:
    """(q, n) ufunc over the columns [offsets[i], offsets[i + 1]) of a (q, m) table; 0 where there is none."""
    out = np.zeros((len(table), len(offsets) - 1), np.float32)
    full = np.flatnonzero(np.diff(offsets))
    if len(full) and len(table):
        out[:, full] = ufunc.reduceat(table, offsets[full], axis=1)
    return out


def _idf(ids: IntArray, seen: IntArray, size: int, groups: int) -> FloatArray:
    pairs = distinct(seen * max(size, 1) + ids)
    df = np.bincount(pairs % max(size, 1), minlength=size)
    return np.log1p((groups - df + 0.5) / (df + 0.5)).astype(np.float32)
