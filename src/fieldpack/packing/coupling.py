"""Which rows a packed row calls for, and which it makes superfluous. Word ids and weights only; no text.

Chain coupling: in a chain of evidence the next piece is the one that a packed piece *names* (a title that occurs in it,
or, where rows have no names of their own, rare words that both share). Near-duplicates repel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.types import FloatArray, IntArray
from fieldpack.words import distinct, ranges

Ids = npt.NDArray[np.integer[Any]]
"""Word ids, of any integer type."""

REVERSE = 0.5
"""A row that names a packed row counts half as much as a row that a packed row names: measured on multi-hop sets."""
REMEMBERED = 512
"""Rows whose links are kept while a pack is made: some megabytes at most."""
MOST_COPIES = 1 << 22
"""Copies that are kept while a pack is made, of all rows together: where all rows are alike, each has thousands."""
_BLOCK = 48
"""Rows compared with all others at once."""
DUPLICATE = 0.9
"""Cosine from which two rows begin to say the same; at 1 they do. The share between is a cube, times that of
the words in common: one template with other facts is evidence of its own (benchmarks/README.md)."""


@dataclass(frozen=True, eq=False)
class Postings:
    """(word, target, weight) columns (m,), sorted by word, each (word, target) pair once."""

    word: IntArray
    target: IntArray
    weight: FloatArray
    targets: int

    @staticmethod
    def of(ids: Ids, target: IntArray, weight: FloatArray, targets: int) -> Postings:
        """ids, target, weight (m,), one weight a word: words without weight are left out."""
        keep = weight > 0
        ids, target = ids[keep].astype(np.int64), target[keep]
        key = distinct(ids * max(targets, 1) + target)
        by_word = np.zeros(int(ids.max(initial=-1)) + 1, np.float32)
        by_word[ids] = weight[keep]
        word = key // max(targets, 1)
        return Postings(word, key - word * max(targets, 1), by_word[word], targets)

    def totals(self) -> FloatArray:
        """(targets,) sum of the weights of each target's words."""
        return np.bincount(self.target, self.weight, self.targets).astype(np.float32)

    def overlap(self, ids: Ids) -> FloatArray:
        """(targets,) sum of the weights of the distinct words `ids` that each target holds."""
        some = sorted(set(ids.tolist()))
        first = self.word.searchsorted(some).tolist()
        last = self.word.searchsorted(some, "right").tolist()
        parts = [slice(a, b) for a, b in zip(first, last, strict=True) if a < b]
        if not parts:
            return np.zeros(self.targets, np.float32)
        target = np.concatenate([self.target[part] for part in parts])
        weight = np.concatenate([self.weight[part] for part in parts])
        return np.bincount(target, weight, self.targets).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Coupling:
    """Links between n rows, share in [0, 1] each.

    words (m,), offsets (n + 1,): each row's words. names, name_offsets: the words of what each of t owners is called;
    owner (n,): the row's owner. weight (u,): what a word is worth (idf; 0 for the query's own words, which link
    everything), worth (u,): the same without that. named: whether owners are told apart by their names.
    """

    words: Ids
    offsets: IntArray
    owner: IntArray
    names: Ids
    name_offsets: IntArray
    weight: FloatArray
    worth: FloatArray
    vectors: FloatArray
    named: bool
    postings: Postings
    name_postings: Postings
    totals: FloatArray
    alike: IntArray
    """(t,) owners of one name have one number: pieces and copies of one document do not call for each other."""

    @staticmethod
    def of(
        words: Ids,
        offsets: IntArray,
        owner: IntArray,
        names: Ids,
        name_offsets: IntArray,
        worth: FloatArray,
        asked: IntArray,
        vectors: FloatArray,
        named: bool,
    ) -> Coupling:
        """asked: the query's word ids. vectors (n, d): unit rows, for duplicates."""
        weight = worth.copy()
        weight[asked] = 0
        n, t = len(offsets) - 1, len(name_offsets) - 1
        row = np.repeat(np.arange(n), np.diff(offsets))
        holder = np.repeat(np.arange(t), np.diff(name_offsets))
        postings = Postings.of(words, row, weight[words], n)
        name_postings = Postings.of(names, holder, weight[names], t)
        called = Postings.of(names, holder, worth[names], t) if named else postings
        totals = called.totals()
        return Coupling(
            words,
            offsets,
            owner,
            names,
            name_offsets,
            weight,
            worth,
            vectors,
            named,
            postings,
            name_postings,
            totals,
            _same_name(names, name_offsets) if named else np.arange(t),
        )

    def _words(self, row: int) -> Ids:
        return self.words[self.offsets[row] : self.offsets[row + 1]]

    def _names(self, owner: int) -> Ids:
        return self.names[self.name_offsets[owner] : self.name_offsets[owner + 1]]

    def links(self, row: int) -> FloatArray:
        """(n,) in [0, 1]: how much the packed `row` calls for each other row. Not to be written to."""
        found = self._links.get(row)
        if found is None:
            found = self._linked(row)
            if len(self._links) < REMEMBERED:
                self._links[row] = found
        return found

    def copies(self, row: int) -> tuple[IntArray, FloatArray]:
        """The rows that say what the packed `row` says, and how much so: above 0 from cosine DUPLICATE, 1 at 1."""
        known = self._copies.get(row)
        return self._compare(row) if known is None else known

    def duplicates(self, row: int) -> FloatArray:
        """(n,) `copies` as an array."""
        out = np.zeros(len(self.vectors), np.float32)
        rows, share = self.copies(row)
        out[rows] = share
        return out

    def expect(self, rows: IntArray) -> None:
        """Says which rows are likely to be packed, the first first: they are compared with all others at one go."""
        self._ahead[:] = rows[::-1].tolist()

    @cached_property
    def _links(self) -> dict[int, FloatArray]:
        """Rows asked for already: the pack and its objective ask for the same ones."""
        return {}

    @cached_property
    def _copies(self) -> dict[int, tuple[IntArray, FloatArray]]:
        return {}

    @cached_property
    def _room(self) -> list[int]:
        """How many copies more may be kept."""
        return [MOST_COPIES]

    @cached_property
    def _ahead(self) -> list[int]:
        return []

    def _compare(self, row: int) -> tuple[IntArray, FloatArray]:
        block = [row]
        while self._ahead and len(block) < _BLOCK and self._room[0] > 0:
            following = self._ahead.pop()
            if following != row and following not in self._copies:
                block.append(following)
        # One row alone is a product with a vector: BLAS is slow to prepare a matrix for it.
        similar = self.vectors[block] @ self.vectors.T if len(block) > 1 else (self.vectors @ self.vectors[row])[None]
        for one, near in zip(block, similar, strict=True):
            at = np.flatnonzero(near > DUPLICATE)
            at = at[at != one]
            share = np.minimum((near[at] - np.float32(DUPLICATE)) / np.float32(1 - DUPLICATE), 1) ** 3
            if len(at):
                share *= self._common(one, at)
            found = at, np.asarray(share, np.float32)
            if one == row:
                asked = found
            if len(at) <= self._room[0]:
                self._copies[one] = found
                self._room[0] -= len(at)
        return asked

    def _common(self, row: int, others: IntArray) -> FloatArray:
        """(k,) Jaccard's share of the words that `row` and each of `others` have in common: vectors alone take texts in
        a script that the table does not know for copies of one another."""
        words, offsets = self._kinds
        mine = np.zeros(len(self.worth), np.bool_)
        mine[words[offsets[row] : offsets[row + 1]]] = True
        first, last = offsets[others], offsets[others + 1]
        owner = np.repeat(np.arange(len(others)), last - first)
        both = np.bincount(owner, mine[words[ranges(first, last)]], len(others))
        either = offsets[row + 1] - offsets[row] + last - first - both
        return np.asarray(both / np.maximum(either, 1), np.float32)

    @cached_property
    def _kinds(self) -> tuple[IntArray, IntArray]:
        """The different words of each row, one row after another, and where they begin (n + 1,)."""
        n, size = len(self.offsets) - 1, max(len(self.worth), 1)
        row = np.repeat(np.arange(n), np.diff(self.offsets))
        pairs = distinct(row * size + self.words.astype(np.int64))
        return pairs % size, np.searchsorted(pairs, np.arange(n + 1) * size)

    def _linked(self, row: int) -> FloatArray:
        if not self.named:
            shared = self.postings.overlap(self._words(row))
            out = shared / np.sqrt(np.maximum(self.totals * self.totals[row], 1e-12))
            out[row] = 0
            return np.asarray(np.minimum(out, 1), np.float32)
        mine = self.owner[row]
        said = np.concatenate([self._words(row), self._names(mine)])
        called = self.name_postings.overlap(said) / np.maximum(self.totals, 1e-9)
        calls = self.postings.overlap(self._names(mine)) / max(float(self.totals[mine]), 1e-9)
        out = np.maximum(called[self.owner], REVERSE * calls)
        out[self.alike[self.owner] == self.alike[mine]] = 0
        return np.asarray(np.minimum(out, 1), np.float32)

    def take(self, rows: IntArray) -> Coupling:
        """The coupling among some rows (ascending), re-numbered 0, 1, ..."""
        at = ranges(self.offsets[rows], self.offsets[rows + 1])
        asked = np.flatnonzero((self.weight == 0) & (self.worth > 0))
        return Coupling.of(
            self.words[at],
            np.append(0, np.cumsum(np.diff(self.offsets)[rows])),
            self.owner[rows],
            self.names,
            self.name_offsets,
            self.worth,
            asked,
            self.vectors[rows],
            self.named,
        )


def _same_name(names: Ids, offsets: IntArray) -> IntArray:
    """(t,) a number for each owner, the same for those whose names are the same words in the same order;
    its own for one without a name."""
    known: dict[object, int] = {}
    bounds = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    keys = [names[a:b].tobytes() if a < b else k for k, (a, b) in enumerate(bounds)]
    return np.array([known.setdefault(key, len(known)) for key in keys], np.int64)


def distinct_names(words: IntArray, groups: int, distinct: int) -> bool:
    """Whether owners are named well enough for links by name: most have a name (of `words` words), and not all the
    same one."""
    return bool(len(words) and (words > 0).mean() > 0.5 and distinct > max(2, 0.3 * groups))


def nothing(n: int, dims: int = 1) -> Coupling:
    """No links, no duplicates."""
    zero = np.zeros(0, np.int64)
    empty = np.zeros((n, dims), np.float32)
    at = np.zeros(n + 1, np.int64)
    return Coupling.of(zero, at, np.arange(n), zero, at, np.zeros(1, np.float32), zero, empty, False)
