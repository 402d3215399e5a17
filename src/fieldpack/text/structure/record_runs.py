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
from fieldpack.text.structure.model import ATOM_WIDTH, ATOMIC, BLOCK, BODY, MARK, TABLE, UNIT
from fieldpack.types import BoolArray, IntArray

SMALL = 120
"""Characters up to which an object or an array is one atom, and scalars of an array are taken together."""
INNER = r'(?:[^{}\[\]"]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+'
"""What an object or an array that holds no other has inside."""
_BATCH = 2000
FEWEST = 8
"""Records next to each other from which arrays pay."""
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_MEMBER = rf'{_STRING}\s*+:\s*+(?:{_STRING}|[^\s{{}}\[\],:"]++|\{{(?=\s*+"){INNER}\}}|\[(?!\s*+\]){INNER}\])'
_RECORD = rf"\{{\s*+{_MEMBER}(?:,\s*+{_MEMBER})*+\s*+\}},\s*+"
_RUN = re.compile(rf"(?:{_RECORD}){{1,{_BATCH}}}+", re.S)
_TOKENS = re.compile(rf"(?:{_MEMBER},?+|\{{|\}},)\s*+", re.S)
_OPEN, _CLOSE, _BRACKET, _COMMA, _LINE = map(ord, "{}],\n")


def end_of_run(text: str, low: int, high: int) -> int:
    """Where the plain records that stand next to each other from `low` on end, 2,000 at most; `low` without one."""
    run = _RUN.match(text, low, high)
    return run.end() if run else low


class Stretch(NamedTuple):
    """Records [first, last) of a run, which all can be added at once or not, and their range of characters."""

    first: int
    last: int
    low: int
    high: int
    plain: bool


@dataclass(frozen=True)
class Run:
    """Plain records as tokens (t,): brackets and members. start, end: the range of each with the comma after it.

    record: the record it belongs to. member: whether it is one; scalar: whether its value is. breaks: whether a line
    break stands before it.
    """

    start: IntArray
    end: IntArray
    record: IntArray
    member: BoolArray
    scalar: BoolArray
    breaks: BoolArray

    @classmethod
    def of(cls, text: str, low: int, high: int) -> Run:
        """The tokens of [low, high), which `end_of_run` has found."""
        tokens = _TOKENS.findall(text, low, high)
        after = np.cumsum(np.fromiter(map(len, tokens), np.int64, len(tokens)))
        length = np.fromiter(map(len, map(str.rstrip, tokens)), np.int64, len(tokens))
        start = np.concatenate(([0], after[:-1]))
        end = start + length
        part = text[low:high]
        codes = np.frombuffer(part.encode("utf-32-le", "surrogatepass"), np.uint32)
        lines = np.cumsum(codes == _LINE)
        first, last = codes[start], codes[end - 1]
        last = np.where((last == _COMMA) & (length > 1), codes[np.maximum(end - 2, 0)], last)
        member = (first != _OPEN) & (first != _CLOSE)
        before = np.maximum(start - 1, 0)
        return cls(
            start=low + start,
            end=low + end,
            record=np.cumsum(first == _OPEN, dtype=np.int64) - 1,
            member=member,
            scalar=member & (last != _CLOSE) & (last != _BRACKET),
            breaks=lines[before] > lines[np.concatenate(([0], end[:-1] - 1))],
        )

    def __len__(self) -> int:
        return int(self.record[-1]) + 1

    def stretches(self) -> list[Stretch]:
        """Records whose members are all short enough for an atom each, and the others between them."""
        opens = np.flatnonzero(~self.member[:-1] & self.member[1:])
        closes = np.append(opens[1:], len(self.start)) - 1
        low = self.start.copy()
        low[opens + 1] = self.start[opens]
        stop = self.end.copy()
        stop[closes - 1] = np.where(self.breaks[closes], stop[closes - 1], self.end[closes])
        length = stop - low
        limit = np.where(self.scalar, LINE_CHARS, SMALL)
        long = np.bincount(self.record[self.member & (length > limit)], minlength=len(self)) > 0
        edges = np.concatenate(([0], np.flatnonzero(np.diff(long)) + 1, [len(self)])).tolist()
        return [
            Stretch(
                a,
                b,
                int(self.start[opens[a]]),
                int(self.end[closes[b - 1]]),
                not bool(long[a]) and b - a >= FEWEST,
            )
            for a, b in pairwise(edges)
        ]

    def part(self, stretch: Stretch) -> Run:
        """The tokens of some records alone, numbered from 0."""
        low, high = np.searchsorted(self.record, [stretch.first, stretch.last]).tolist()
        return Run(
            start=self.start[low:high],
            end=self.end[low:high],
            record=self.record[low:high] - stretch.first,
            member=self.member[low:high],
            scalar=self.scalar[low:high],
            breaks=self.breaks[low:high],
        )

    def add_to(self, builder: Builder, context: int, number: int) -> None:
        """Adds all records as elements of the open array, numbered from `number` on; they go with the atom `context`.

        A record of up to 120 characters is one atom; of a longer one the members are, and go with its first scalar.
        """
        record, opens = self.record, np.flatnonzero(~self.member[:-1] & self.member[1:])
        closes = np.append(opens[1:], len(record)) - 1
        marks = ~self.member & self.breaks
        marks[opens] = False
        small = self.end[closes] - 1 - self.start[opens] <= SMALL
        scalars = np.bincount(record[self.member & ~self.scalar], minlength=len(self)) == 0
        several = np.bincount(record[self.member | marks], minlength=len(self)) > 1
        whole = small & (scalars | several)
        emits = np.where(whole[record], False, self.member | marks)
        emits[opens] = whole
        block = builder.blocks + np.cumsum(~(small & scalars), dtype=np.int64) - 1
        builder.add_blocks(BLOCK["record"], ATOMIC | UNIT, int(np.sum(~(small & scalars))))
        start, end = self.start.copy(), self.end.copy()
        start[opens + 1] = self.start[opens]
        end[opens] = self.end[closes]
        joined = closes[~marks[closes]]
        end[joined - 1] = self.end[joined]
        at = builder.count + np.cumsum(emits) - 1
        atoms = np.empty((len(record), ATOM_WIDTH), np.int64)
        atoms[:] = 0, 0, TABLE, BODY, builder.current, context, number
        atoms[:, 0], atoms[:, 1] = start, end
        atoms[marks, 3] = MARK
        inside = ~whole[record]
        atoms[inside, 4] = block[record[inside]]
        naming = self._first_scalars()[record]
        named = inside & (naming >= 0) & (np.arange(len(record)) > naming)
        atoms[named, 5] = at[naming[named]]
        atoms[:, 6] += record
        builder.add_atoms(atoms[emits])

    def _first_scalars(self) -> IntArray:
        """(records,) the token of the first scalar of each, -1 without one."""
        first = np.full(len(self), -1, np.int64)
        scalars = np.flatnonzero(self.scalar)[::-1]
        first[self.record[scalars]] = scalars
        return first
