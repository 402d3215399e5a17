"""Runs of plain records in a JSON array, many at a time: what `records` would make of each, made with arrays.

A plain record is an object whose members are scalars, or objects and arrays that hold no other, as data is written by
machines. Token by token it costs about 3 microseconds an atom, in runs 1; the atoms and blocks are the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from fieldpack.text.structure.builder import LINE_CHARS, Builder
from fieldpack.text.structure.model import ATOM_WIDTH, ATOMIC, BLOCK, BLOCK_WIDTH, BODY, KEY, MARK, TABLE, UNIT
from fieldpack.types import BoolArray, IntArray

SMALL = 120
"""Characters up to which an object or an array is one atom, and scalars of an array are taken together."""
INNER = r'(?:[^{}\[\]"]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+'
"""What an object or an array that holds no other has inside."""
FEWEST = 8
"""Records next to each other from which arrays pay."""
_BATCH = 2000
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_FLAT = rf'\{{(?=\s*+"){INNER}\}}'
_MEMBER = rf'{_STRING}\s*+:\s*+(?:{_STRING}|[^\s{{}}\[\],:"]++|{_FLAT}|\{{\}}|\[\]|\[(?!\s*+\]){INNER}\])'
_RECORD = rf"\{{\s*+{_MEMBER}(?:,\s*+{_MEMBER})*+\s*+\}},\s*+"
_RUN = re.compile(rf"(?:{_RECORD}){{1,{_BATCH}}}+", re.S)
_TOKENS = re.compile(rf"(?:{_MEMBER},?+|\{{|\}},)\s*+", re.S)
_SMALL_RUN = re.compile(rf"(?:(?=[^}}]{{1,{SMALL}}}\}}){_FLAT},\s*+){{{FEWEST},{_BATCH}}}+", re.S)
_SMALL_RECORDS = re.compile(rf"{_FLAT},\s*+", re.S)
_OPENING, _CLOSING, _LIST, _LIST_END, _COMMA, _LINE = map(ord, "{}[],\n")
OPEN, CLOSE, SCALAR, FLAT, NO_MEMBERS, NO_ELEMENTS = range(6)
"""Tokens of a record: its brackets, and members by their value: a scalar, a flat object or array, {} and []."""


def end_of_run(text: str, low: int, high: int) -> int:
    """Where the plain records that stand next to each other from `low` on end, 2,000 at most; `low` without one."""
    run = _RUN.match(text, low, high)
    return run.end() if run else low


class SmallRecords(NamedTuple):
    """Objects of up to 120 characters without another in them, next to each other: an atom each. end: after the comma;
    stop: after the white space behind the last one."""

    start: IntArray
    end: IntArray
    stop: int

    def add_to(self, builder: Builder, context: int, number: int) -> None:
        """Adds them as elements of the open array, numbered from `number` on; they go with the atom `context`."""
        atoms = np.empty((len(self.start), ATOM_WIDTH), np.int64)
        atoms[:] = 0, 0, TABLE, BODY, builder.current, context, number
        atoms[:, 0], atoms[:, 1] = self.start, self.end
        atoms[:, 6] += np.arange(len(atoms))
        builder.add_atoms(atoms)


def small_records(text: str, low: int, high: int) -> SmallRecords | None:
    """The small objects that stand next to each other from `low` on, 2,000 at most; None where there are few, or one
    of them is longer than it seemed."""
    run = _SMALL_RUN.match(text, low, high)
    if run is None:
        return None
    start, end = _ranges(_SMALL_RECORDS.findall(text, low, run.end()))
    if (end - start).max() > SMALL + 1:
        return None
    return SmallRecords(low + start, low + end, run.end())


def _ranges(tokens: list[str]) -> tuple[IntArray, IntArray]:
    """The ranges of tokens that follow each other, without the white space behind each."""
    after = np.cumsum(np.fromiter(map(len, tokens), np.int64, len(tokens)))
    start = np.concatenate(([0], after[:-1]))
    return start, start + np.fromiter(map(len, map(str.rstrip, tokens)), np.int64, len(tokens))


class Stretch(NamedTuple):
    """Records [first, last) of a run, which all can be added at once or not, and their range of characters."""

    first: int
    last: int
    low: int
    high: int
    plain: bool


@dataclass(frozen=True)
class Run:
    """Plain records as tokens (t,). start, end: the range of each with the comma after it. record: the record it is of.
    shape: which of the six it is. breaks: whether a line break stands before it."""

    start: IntArray
    end: IntArray
    record: IntArray
    shape: IntArray
    breaks: BoolArray

    @classmethod
    def of(cls, text: str, low: int, high: int) -> Run:
        """The tokens of [low, high), which `end_of_run` has found."""
        start, end = _ranges(_TOKENS.findall(text, low, high))
        codes = np.frombuffer(text[low:high].encode("utf-32-le", "surrogatepass"), np.uint32)
        lines = np.cumsum(codes == _LINE)
        stop = end - 1 - ((codes[end - 1] == _COMMA) & (end - start > 1))
        first, last, inner = codes[start], codes[stop], codes[np.maximum(stop - 1, 0)]
        shape = np.where((last == _CLOSING) | (last == _LIST_END), FLAT, SCALAR)
        shape[(shape == FLAT) & (inner == _OPENING)] = NO_MEMBERS
        shape[(shape == FLAT) & (inner == _LIST)] = NO_ELEMENTS
        shape[first == _OPENING] = OPEN
        shape[first == _CLOSING] = CLOSE
        return cls(
            start=low + start,
            end=low + end,
            record=np.cumsum(shape == OPEN, dtype=np.int64) - 1,
            shape=shape,
            breaks=lines[np.maximum(start - 1, 0)] > lines[np.concatenate(([0], end[:-1] - 1))],
        )

    def __len__(self) -> int:
        return int(self.record[-1]) + 1

    def stretches(self) -> list[Stretch]:
        """Records whose members are all short enough for an atom each, and the others between them."""
        opens, closes = np.flatnonzero(self.shape == OPEN), np.flatnonzero(self.shape == CLOSE)
        low, stop = self.start.copy(), self.end.copy()
        low[opens + 1] = self.start[opens]
        stop[closes - 1] = np.where(self.breaks[closes], stop[closes - 1], self.end[closes])
        limit = np.where(self.shape == FLAT, SMALL, LINE_CHARS)
        long = np.bincount(self.record[(self.shape >= SCALAR) & (stop - low > limit)], minlength=len(self)) > 0
        edges = np.concatenate(([0], np.flatnonzero(np.diff(long)) + 1, [len(self)])).tolist()
        return [
            Stretch(a, b, int(self.start[opens[a]]), int(self.end[closes[b - 1]]), not long[a] and b - a >= FEWEST)
            for a, b in pairwise(edges)
        ]

    def part(self, stretch: Stretch) -> Run:
        """The tokens of some records alone, numbered from 0."""
        low, high = np.searchsorted(self.record, [stretch.first, stretch.last]).tolist()
        return Run(
            start=self.start[low:high],
            end=self.end[low:high],
            record=self.record[low:high] - stretch.first,
            shape=self.shape[low:high],
            breaks=self.breaks[low:high],
        )

    def add_to(self, builder: Builder, context: int, number: int) -> None:
        """Adds all records as elements of the open array, numbered from `number` on; they go with the atom `context`.

        A record of up to 120 characters is one atom; of a longer one the members are, and go with its first scalar.
        """
        record, shape = self.record, self.shape
        opens, closes = np.flatnonzero(shape == OPEN), np.flatnonzero(shape == CLOSE)
        marks = (shape == CLOSE) & self.breaks
        small = self.end[closes] - 1 - self.start[opens] <= SMALL
        blockless = small & (np.bincount(record[shape > SCALAR], minlength=len(self)) == 0)
        whole = small & (blockless | (np.bincount(record[(shape >= SCALAR) | marks], minlength=len(self)) > 1))
        emits = np.where(whole[record], False, (shape >= SCALAR) | marks)
        emits[opens] = whole
        block = builder.blocks - 1 + np.cumsum(np.where(shape == OPEN, ~blockless[record], shape > FLAT))
        start, end = self.start.copy(), self.end.copy()
        start[opens + 1] = self.start[opens]
        end[opens] = self.end[closes]
        joined = closes[~marks[closes]]
        end[joined - 1] = self.end[joined]
        at = builder.count + np.cumsum(emits) - 1
        naming = self._first_scalars()[record]
        own = np.where(shape > FLAT, block, block[opens][record])
        atoms = np.empty((len(record), ATOM_WIDTH), np.int64)
        atoms[:, 0], atoms[:, 1], atoms[:, 2] = start, end, TABLE
        atoms[:, 3] = np.where(marks, MARK, np.where(shape > FLAT, KEY, BODY))
        atoms[:, 4] = np.where(shape == OPEN, builder.current, own)
        named = (shape != OPEN) & (naming >= 0) & (np.arange(len(record)) > naming)
        atoms[:, 5] = np.where(named, at[naming], context)
        atoms[:, 6] = number + record
        builder.add_blocks(self._blocks(builder, block[opens], blockless))
        builder.add_atoms(atoms[emits])

    def _blocks(self, builder: Builder, own: IntArray, blockless: BoolArray) -> IntArray:
        """(b, 5) a block for each record but the small flat ones, and one for each empty object and array in it.
        own (records,): the block of each."""
        opens = self.shape == OPEN
        opens[opens] = ~blockless
        rows = np.flatnonzero(opens | (self.shape > FLAT))
        blocks = np.zeros((len(rows), BLOCK_WIDTH), np.int64)
        shape = self.shape[rows]
        blocks[:, 0] = np.where(shape == NO_ELEMENTS, BLOCK["list"], BLOCK["record"])
        blocks[:, 1] = np.where(shape == OPEN, builder.current, own[self.record[rows]])
        blocks[:, 2] = builder.heading
        blocks[:, 3] = np.select([shape == OPEN, shape == NO_MEMBERS], [ATOMIC | UNIT, UNIT], 0)
        return blocks

    def _first_scalars(self) -> IntArray:
        """(records,) the token of the first scalar of each, -1 without one."""
        first = np.full(len(self), -1, np.int64)
        scalars = np.flatnonzero(self.shape == SCALAR)[::-1]
        first[self.record[scalars]] = scalars
        return first
