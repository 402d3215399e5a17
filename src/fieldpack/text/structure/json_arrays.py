"""A long JSON text read with arrays: the atoms and blocks that `records.JsonReader` makes of it token by token.

Brackets and commas outside strings are found with numpy, and all else follows from where they stand.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fieldpack.text.structure.builder import LINE_CHARS, Builder
from fieldpack.text.structure.json_marks import Marks, Unreadable, require
from fieldpack.text.structure.model import (
    ATOM_WIDTH,
    ATOMIC,
    BLOCK,
    BLOCK_WIDTH,
    BODY,
    KEY,
    MARK,
    TABLE,
    UNIT,
)
from fieldpack.types import BoolArray, IntArray

SMALL = 120
"""Characters up to which an object or an array is one atom, and scalars of an array are taken together."""
UNIT_CHARS = 1600
"""Characters up to which an object is one paragraph."""
FEWEST_CHARS = 4000
"""Characters from which arrays pay."""
SCALAR, PART, OPEN, CLOSE, END = range(5)
"""Tokens. scalar: a member or an element without brackets. part: an object or array of up to 120 characters. open,
close: the brackets of a longer one; end: the end of the text in the place of a missing bracket. Keys belong to them."""


def read_arrays(builder: Builder, low: int, high: int) -> bool:
    """Reads the JSON text [low, high) into the builder. False, and nothing is added, where it is short or no JSON as
    machines write it: then it is for `JsonReader`."""
    if high - low < FEWEST_CHARS or builder.line_chars != LINE_CHARS or not builder.text.startswith(("{", "["), low):
        return False
    try:
        atoms, blocks = _Reading(builder, low, _Tokens.of(Marks.of(builder.text[low:high]))).columns()
    except Unreadable:
        return False
    builder.add_blocks(blocks)
    builder.add_atoms(atoms)
    return True


@dataclass(frozen=True)
class _Tokens:
    """t tokens in order, as columns (t,); ranges in characters.

    kind: SCALAR to END. start, end: with the key and the comma behind; opening brackets without a key are part of the
    token after them. plain: the end without the comma. level: how many brackets enclose it; for CLOSE and END the one
    that it ends counts. keyed, array: an OPEN that has a key, that is a [. stop: where an object or array ends. breaks:
    a line break stands before a CLOSE.
    """

    kind: npt.NDArray[np.int8]
    start: IntArray
    end: IntArray
    plain: IntArray
    level: IntArray
    keyed: BoolArray
    array: BoolArray
    stop: IntArray
    breaks: BoolArray

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def of(cls, marks: Marks) -> _Tokens:
        """Takes together what is in a small object or array."""
        opens, closes = marks.step > 0, marks.step < 0
        start, stop = marks.starts(), np.minimum(marks.at + 1, marks.length)
        small = opens & (stop[marks.partner] - start <= SMALL)
        empty = opens & (marks.partner == np.arange(len(opens)) + 1) & ~marks.content[marks.partner]
        require(not (empty & ~small).any())
        change = small.astype(np.int8)
        change[marks.partner[small]] -= 1
        cover = np.cumsum(change, dtype=np.int64)
        part = small & (cover == 1)
        outside = (cover == 0) & ~(closes & small[marks.partner])
        scalar = outside & marks.content & ~opens
        other = part | (outside & (opens | closes))
        slot = np.cumsum(scalar.astype(np.int64) + other)
        mark = np.empty(slot[-1], np.int64)
        kind = np.empty(slot[-1], np.int8)
        mark[slot[scalar] - 1 - other[scalar]] = np.flatnonzero(scalar)
        kind[slot[scalar] - 1 - other[scalar]] = SCALAR
        mark[slot[other] - 1] = np.flatnonzero(other)
        kinds = np.full(len(opens), CLOSE, np.int8)
        kinds[marks.at == marks.length], kinds[opens], kinds[part] = END, OPEN, PART
        kind[slot[other] - 1] = kinds[other]
        return cls._placed(marks, kind, mark, start, stop)

    @classmethod
    def _placed(
        cls, marks: Marks, kind: npt.NDArray[np.int8], mark: IntArray, start: IntArray, stop: IntArray
    ) -> _Tokens:
        """The tokens of the given kinds, each with the number of the mark that it begins or ends at."""
        last = np.where(kind == PART, marks.partner[mark], mark)
        comma = np.append(marks.step == 0, False)
        behind = np.where(comma[last + 1], marks.at[np.minimum(last + 1, len(marks.at) - 1)] + 1, stop[last])
        plain = np.where(kind == SCALAR, marks.ends(mark), stop[last])
        end = np.where(kind == SCALAR, np.where(comma[mark], stop[mark], plain), np.where(kind == OPEN, plain, behind))
        own = np.where(kind >= CLOSE, marks.at[mark], start[mark])
        return cls(
            kind=kind,
            start=own,
            end=end,
            plain=plain,
            level=(marks.depth - marks.step)[mark],
            keyed=(kind == OPEN) & marks.content[mark],
            array=marks.lists[mark],
            stop=stop[marks.partner[mark]],
            breaks=(kind == CLOSE) & marks.line_between(np.append(0, end[:-1]), own),
        )


class _Reading:
    """What a builder gets for the tokens of a text that begins at `low`."""

    def __init__(self, builder: Builder, low: int, tokens: _Tokens) -> None:
        self.builder, self.low, self.tokens = builder, low, tokens
        self.joined = np.zeros(len(tokens), bool)  # tokens that only lengthen the atom before them
        self.pieces: dict[int, list[tuple[int, int]]] = {}  # of long scalars
        self.number = np.full(len(tokens), builder.number)  # the row of each
        self.elements = np.zeros(len(tokens), np.int64)  # how many each array has
        self.context = np.full(len(tokens), builder.owner)

    @cached_property
    def by_level(self) -> list[tuple[IntArray, IntArray]]:
        """For each level from 1 on, its tokens and the OPEN token that encloses each."""
        tokens = self.tokens
        opens = np.flatnonzero(tokens.kind == OPEN)
        order = np.argsort(tokens.level.astype(np.int8), kind="stable")
        edges = np.searchsorted(tokens.level[order], np.arange(tokens.level.max() + 2))
        levels = []
        for level in range(1, len(edges) - 1):
            own = opens[tokens.level[opens] == level - 1]
            inner = order[edges[level] : edges[level + 1]]
            levels.append((inner, own[np.searchsorted(own, inner) - 1]))
        return levels

    @cached_property
    def container(self) -> IntArray:
        """(t,) the OPEN token that encloses each, -1 for the first."""
        container = np.full(len(self.tokens), -1)
        for inner, own in self.by_level:
            container[inner] = own
        return container

    def columns(self) -> tuple[IntArray, IntArray]:
        """The atoms (a, 7) and the blocks (b, 5)."""
        self._number()
        counts = self._counts()
        first = self.builder.count + np.cumsum(counts) - counts
        self._set_context(first)
        opens = self.tokens.kind == OPEN
        block = self.builder.blocks + np.cumsum(opens) - 1
        return self._atoms(counts, first, np.where(opens, block, block[self.container])), self._blocks(block)

    def _number(self) -> None:
        """An element of an array has a number, and all in it that is in no other array."""
        for inner, own in self.by_level:
            element = self.tokens.kind[inner] < CLOSE
            count = np.cumsum(element)
            begins = np.flatnonzero(np.diff(own, prepend=-1))
            before = np.append(0, count)[begins]
            rank = count - 1 - np.repeat(before, np.diff(begins, append=len(own)))
            self.number[inner] = np.where(element & self.tokens.array[own], rank, self.number[own])
            self.elements[own[begins]] = np.append(count[begins[1:] - 1], count[-1]) - before

    def _counts(self) -> IntArray:
        """(t,) how many atoms each token becomes."""
        tokens = self.tokens
        self._join_scalars()
        counts: IntArray = ((tokens.kind == PART) | tokens.keyed | self._closing_marks()).astype(np.int64)
        scalar = (tokens.kind == SCALAR) & ~self.joined
        counts[scalar] = 1
        for at in np.flatnonzero(scalar & (tokens.plain - tokens.start > LINE_CHARS)).tolist():
            self.pieces[at] = self.builder.pieces(self.low + int(tokens.start[at]), self.low + int(tokens.plain[at]))
            counts[at] = len(self.pieces[at])
        require(not (tokens.keyed & (tokens.end - tokens.start > LINE_CHARS)).any())
        return counts

    def _join_scalars(self) -> None:
        """Scalars that follow each other in an array are one atom of up to 120 characters."""
        tokens = self.tokens
        scalars = np.flatnonzero((tokens.kind == SCALAR) & tokens.array[self.container])
        begins = np.flatnonzero(np.diff(scalars, prepend=-2) > 1)
        for a, b in pairwise(np.append(begins, len(scalars)).tolist()):
            low, at = int(scalars[a]), 0
            starts, ends = tokens.start[low : low + b - a].tolist(), tokens.plain[low : low + b - a].tolist()
            while at < b - a:
                after = max(bisect_right(ends, starts[at] + SMALL, at), at + 1)
                self.joined[low + at + 1 : low + after] = True
                at = after

    def _closing_marks(self) -> BoolArray:
        """(t,) whether a closing bracket is an atom of its own: the first on a line of its own behind a value. Others
        end the atom before them."""
        tokens = self.tokens
        closes = np.flatnonzero(tokens.kind == CLOSE)
        breaks = tokens.breaks[closes]
        count = np.cumsum(breaks)
        begins = np.diff(closes, prepend=-2) > 1
        before = np.maximum.accumulate(np.where(begins, count - breaks, 0))
        own = np.zeros(len(tokens), bool)
        own[closes] = breaks & (count - before == 1)
        self.joined |= (tokens.kind == CLOSE) & ~own
        return own

    def _set_context(self, first: IntArray) -> None:
        """What each goes with: the key of what encloses it; in a record, its first scalar. first (t,): their atoms."""
        tokens = self.tokens
        inside = np.full(len(tokens), self.builder.owner)  # of an OPEN token, what its members go with
        inside[0] = self.context[0]
        naming = np.full(len(tokens), len(tokens))
        for inner, own in self.by_level:
            scalars = tokens.kind[inner] == SCALAR
            record = scalars & ~tokens.array[own] & tokens.array[self.container[own]] & (own > 0)
            naming[own[record][::-1]] = inner[record][::-1]
            named = naming[own] < inner
            self.context[inner] = np.where(named, first[np.where(named, naming[own], 0)], inside[own])
            opens = inner[tokens.kind[inner] == OPEN]
            inside[opens] = np.where(tokens.keyed[opens], first[opens], self.context[opens])

    def _atoms(self, counts: IntArray, first: IntArray, block: IntArray) -> IntArray:
        tokens = self.tokens
        of = np.repeat(np.arange(len(tokens)), counts)
        atoms = np.empty((len(of), ATOM_WIDTH), np.int64)
        atoms[:, 0], atoms[:, 1], atoms[:, 2] = tokens.start[of], tokens.end[of], TABLE
        atoms[:, 3] = np.array([BODY, BODY, KEY, MARK, BODY])[tokens.kind[of]]
        atoms[:, 4], atoms[:, 5], atoms[:, 6] = block[of], self.context[of], self.number[of]
        for at, pieces in self.pieces.items():
            low = int(first[at]) - self.builder.count
            rows = atoms[low : low + len(pieces)]
            rows[:, :2] = np.array(pieces) - self.low
            rows[-1, 1] = tokens.end[at]
            rows[1:, 5] = first[at]
        joined = np.flatnonzero(self.joined)
        atoms[(np.cumsum(counts) - 1)[joined], 1] = tokens.end[joined]
        require((atoms[:, 1] - atoms[:, 0]).max() <= self.builder.max_chars)
        atoms[:, :2] += self.low
        return atoms

    def _blocks(self, block: IntArray) -> IntArray:
        """(b, 5) a block for each OPEN token. block (t,): their numbers."""
        tokens = self.tokens
        opens = np.flatnonzero(tokens.kind == OPEN)
        array, container = tokens.array[opens], self.container[opens]
        element = ~array & tokens.array[container] & (container >= 0)
        short = ~array & (tokens.stop[opens] - tokens.start[opens] <= UNIT_CHARS)
        blocks = np.empty((len(opens), BLOCK_WIDTH), np.int64)
        blocks[:, 0] = np.where(array, BLOCK["list"], BLOCK["record"])
        blocks[:, 1] = np.where(container >= 0, block[container], self.builder.current)
        blocks[:, 2] = self.builder.heading
        blocks[:, 3] = np.where(element, ATOMIC | UNIT, 0) | np.where(short, UNIT, 0)
        blocks[:, 4] = np.where(array, self.elements[opens], 0)
        return blocks
