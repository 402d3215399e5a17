"""All by which one segment speaks for or against another, in one place. Word numbers, weights and vectors; no text.

- neighbours: what stands before and after in a text (`neighbour_sum`, a feature of relevance);
- chain links: a packed row calls for the row that it names, or that names it (`Couplings.links`);
- near-duplicates: a packed row repels those that say it again (`Couplings.copies`);
- completion: a packed row calls for those beside it in its paragraph (`Couplings.beside`);
- reply and before: a turn of a conversation gains from the turns around it (`turn_gain`).

How many log odds each is worth stands in `fieldpack.packing.problem.PackingSettings`; what each earns stands in
benchmarks/README.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.arrays import concat_ranges, offsets_of, run_starts, sorted_unique
from fieldpack.types import BoolArray, FloatArray, FrozenArrays, IntArray

Ids = npt.NDArray[np.integer[Any]]
"""Word numbers, of any integer type."""

DECAY = 0.6
"""Share of a neighbour's value that reaches a row, to the power of their distance."""
REVERSE = 0.5
"""A row that names a packed row counts half as much as a row that a packed row names: measured on multi-hop sets."""
DUPLICATE = 0.9
"""Cosine from which two rows may say the same: whether they do, `Couplings.repeats` decides by their words, for one
template with other facts is evidence of its own (benchmarks/README.md)."""
_FEW = 8192
"""Entries of an index of words that are all looked at: of more, those of a word are looked up."""
Repeats = Callable[[int, IntArray], FloatArray]
"""(row, others (k,), the most alike first) to (k,) in [0, 1]: how much each says again what the row says."""


def neighbour_sum(values: FloatArray, sequence: IntArray, steps: Sequence[int]) -> FloatArray:
    """(n,) sum of DECAY^k times the values k places before and after, inside the same sequence (n,)."""
    out = np.zeros(len(values), np.float32)
    for k in steps:
        if len(values) > k:
            same = DECAY**k * (sequence[k:] == sequence[:-k])
            out[k:] += same * values[:-k]
            out[:-k] += same * values[k:]
    return out


@dataclass(frozen=True, slots=True)
class TurnGains:
    """Share of a document's log odds above the mean that the document after it (reply), before it (before) gains."""

    reply: float
    before: float


def turn_gain(logit: FloatArray, document: IntArray, same: BoolArray, gains: TurnGains) -> FloatArray:
    """(n,) log odds that rows gain from the documents around theirs: an answer seldom repeats the words of its
    question.

    logit, document (n,): of the rows, documents ascending. same (t - 1,): whether each of the t documents with rows and
    the next one stand one after another in a text.
    """
    starts = run_starts(document)
    if len(starts) < 2:
        return np.zeros(len(logit), np.float32)
    # Rows that were ranked out all stand at the floor and say nothing of the mean.
    read = logit[logit > logit.min()]
    above = np.maximum(np.maximum.reduceat(logit, starts) - (read.mean() if len(read) else logit.mean()), 0)
    gain = np.zeros(len(starts), np.float32)
    gain[1:] += gains.reply * same * above[:-1]
    gain[:-1] += gains.before * same * above[1:]
    return np.repeat(gain, np.diff(np.append(starts, len(document))))


@dataclass(frozen=True, eq=False)
class WordIndex:
    """(word, target, weight) columns (m,), sorted by word, each (word, target) pair once."""

    word: IntArray
    target: IntArray
    weight: FloatArray
    targets: int

    @staticmethod
    def from_words(ids: Ids, target: IntArray, weight: FloatArray, targets: int) -> WordIndex:
        """ids, target, weight (m,), one weight a word: words without weight are left out."""
        keep = weight > 0
        ids, target = ids[keep].astype(np.int64), target[keep]
        key = sorted_unique(ids * max(targets, 1) + target)
        by_word = np.zeros(int(ids.max(initial=-1)) + 1, np.float32)
        by_word[ids] = weight[keep]
        word = key // max(targets, 1)
        return WordIndex(word, key - word * max(targets, 1), by_word[word], targets)

    def totals(self) -> FloatArray:
        """(targets,) sum of the weights of each target's words."""
        return np.bincount(self.target, self.weight, self.targets).astype(np.float32)

    def overlap(self, ids: Ids) -> FloatArray:
        """(targets,) sum of the weights of the distinct words `ids` that each target holds."""
        if len(self.word) <= _FEW:
            wanted = np.zeros(int(max(self.word.max(initial=-1), ids.max(initial=-1))) + 1, np.bool_)
            wanted[ids] = True
            held = wanted[self.word]
            return np.bincount(self.target[held], self.weight[held], self.targets).astype(np.float32)
        distinct = np.array(sorted(set(ids.tolist())), np.int64)
        first, last = self.word.searchsorted(distinct), self.word.searchsorted(distinct, "right")
        parts = [slice(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True) if a < b]
        if not parts:
            return np.zeros(self.targets, np.float32)
        target = np.concatenate([self.target[part] for part in parts])
        weight = np.concatenate([self.weight[part] for part in parts])
        return np.bincount(target, weight, self.targets).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Copies:
    """Rows that say again what one row says, and how much of each is superfluous, in (0, 1]."""

    rows: IntArray
    share: FloatArray


@dataclass(frozen=True, eq=False)
class CouplingRow:
    """What one packed row does to the n rows. links (n,) in [0, 1]: how much it calls for each; copies: which it makes
    superfluous; beside: the rows before and after it in its paragraph."""

    links: FloatArray
    copies: Copies
    beside: IntArray


@dataclass(frozen=True, eq=False)
class Couplings(FrozenArrays):
    """Couplings among n rows.

    words (m,), offsets (n + 1,): each row's words. paragraph (n,). document (n,): its number among t titles.
    title_words, title_offsets (t + 1,): their words. idf (u,): what a word is worth. query_ids: the query's words,
    which link everything and so count nothing. vectors (n, d): unit rows, for copies. has_titles: whether documents are
    told apart by their titles. repeats: which of the rows that are alike by their vectors are copies, over the numbers
    `repeats_rows` (n,). is_row (n,): rows of tables and records, which share their values with their rivals, so that no
    link leads from them or to them; None for none.
    """

    words: Ids
    offsets: IntArray
    paragraph: IntArray
    document: IntArray
    title_words: Ids
    title_offsets: IntArray
    idf: FloatArray
    query_ids: IntArray
    vectors: FloatArray
    has_titles: bool
    repeats: Repeats
    repeats_rows: IntArray
    is_row: BoolArray | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def row(self, i: int) -> CouplingRow:
        """All that row `i` does to the others when it is packed."""
        return CouplingRow(self.links(i), self.copies(np.array([i]))[0], self.beside(i))

    def take(self, rows: IntArray) -> Couplings:
        """The couplings among some rows (ascending), numbered 0, 1, ..."""
        return replace(
            self,
            words=self.words[concat_ranges(self.offsets[rows], self.offsets[rows + 1])],
            offsets=offsets_of(np.diff(self.offsets)[rows]),
            paragraph=self.paragraph[rows],
            document=self.document[rows],
            vectors=self.vectors[rows],
            repeats_rows=self.repeats_rows[rows],
            is_row=None if self.is_row is None else self.is_row[rows],
        )

    def beside(self, row: int) -> IntArray:
        """The rows before and after `row` in its paragraph."""
        places = (k for k in (row - 1, row + 1) if 0 <= k < len(self.paragraph))
        return np.array([k for k in places if self.paragraph[k] == self.paragraph[row]], np.int64)

    def links(self, row: int) -> FloatArray:
        """(n,) in [0, 1]: how much the packed `row` calls for each other row. In a chain of evidence the next piece is
        the one that a packed piece names: whose title occurs in it, or, where rows have no titles of their own, that
        shares rare words with it."""
        if self.is_row is None:
            return self._links(row)
        if self.is_row[row]:
            return np.zeros(len(self), np.float32)
        return np.where(self.is_row, np.float32(0), self._links(row))

    def _links(self, row: int) -> FloatArray:
        if not self.has_titles:
            shared = self._word_index.overlap(self._words(row))
            out = shared / np.sqrt(np.maximum(self._totals * self._totals[row], 1e-12))
            out[row] = 0
            return np.asarray(np.minimum(out, 1), np.float32)
        document = self.document[row]
        named_words = np.concatenate([self._words(row), self._title(document)])
        names = self._title_index.overlap(named_words) / np.maximum(self._totals, 1e-9)
        named_by = self._word_index.overlap(self._title(document)) / max(float(self._totals[document]), 1e-9)
        out = np.maximum(names[self.document], REVERSE * named_by)
        # Pieces and copies of one document do not call for each other.
        out[self._title_group[self.document] == self._title_group[document]] = 0
        return np.asarray(np.minimum(out, 1), np.float32)

    def copies(self, rows: IntArray) -> list[Copies]:
        """The near-duplicates of each of some rows, which are compared with all rows at once."""
        # One row alone is a product with a vector: BLAS is slow to prepare a matrix for it.
        one = len(rows) == 1
        similar = (self.vectors @ self.vectors[rows[0]])[None] if one else self.vectors[rows] @ self.vectors.T
        return [self._copies_of(row, cosine) for row, cosine in zip(rows.tolist(), similar, strict=True)]

    def _copies_of(self, row: int, cosine: FloatArray) -> Copies:
        at = np.flatnonzero(cosine > DUPLICATE)
        at = at[at != row]
        if not len(at):
            return Copies(at, np.zeros(0, np.float32))
        at = at[np.argsort(-cosine[at], kind="stable")]
        share = self.repeats(int(self.repeats_rows[row]), self.repeats_rows[at])
        return Copies(at[share > 0], share[share > 0])

    def _words(self, row: int) -> Ids:
        return self.words[self.offsets[row] : self.offsets[row + 1]]

    def _title(self, document: int) -> Ids:
        return self.title_words[self.title_offsets[document] : self.title_offsets[document + 1]]

    @cached_property
    def _weight(self) -> FloatArray:
        """(u,) idf, 0 for the query's own words."""
        weight = self.idf.copy()
        weight[self.query_ids] = 0
        return weight

    @cached_property
    def _word_index(self) -> WordIndex:
        """Which rows hold a word."""
        row = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        return WordIndex.from_words(self.words, row, self._weight[self.words], len(self))

    @cached_property
    def _title_index(self) -> WordIndex:
        """Which titles hold a word."""
        return self._titles_by(self._weight)

    @cached_property
    def _totals(self) -> FloatArray:
        """Sum of the weights of each title's words, the query's among them, or of each row's."""
        return (self._titles_by(self.idf) if self.has_titles else self._word_index).totals()

    def _titles_by(self, weight: FloatArray) -> WordIndex:
        titles = len(self.title_offsets) - 1
        holder = np.repeat(np.arange(titles), np.diff(self.title_offsets))
        return WordIndex.from_words(self.title_words, holder, weight[self.title_words], titles)

    @cached_property
    def _title_group(self) -> IntArray:
        """(t,) a number for each title, the same for those of the same words in the same order; its own for a document
        without one."""
        known: dict[object, int] = {}
        bounds = zip(self.title_offsets[:-1].tolist(), self.title_offsets[1:].tolist(), strict=True)
        keys = [self.title_words[a:b].tobytes() if a < b else k for k, (a, b) in enumerate(bounds)]
        return np.array([known.setdefault(key, len(known)) for key in keys], np.int64)
