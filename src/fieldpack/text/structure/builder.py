"""Collects atoms and blocks while a reader walks through a text once."""

from __future__ import annotations

import re
import struct
from array import array
from itertools import pairwise

import numpy as np

from fieldpack.text.cuts import Span, cut_prose, pack_spans, trim
from fieldpack.text.sentences import sentence_spans
from fieldpack.text.structure.model import (
    ATOM_WIDTH,
    ATOMIC,
    BLOCK,
    BLOCK_WIDTH,
    BODY,
    HEADING,
    LEAD,
    LIST,
    MARK,
    SENTENCE,
    TITLE,
    UNIT,
)
from fieldpack.types import IntArray

MAX_CHARS = 1600
"""Characters of an atom at most: a longer sentence or line is cut at white space."""
LINE_CHARS = 400
"""Characters up to which a row, a turn or an entry's line is one atom; a longer one is cut at its sentences."""
VALUE_CHARS = 200
"""Characters of a piece of a longer value of JSON or XML, after its first sentence."""
SMALL_LIST = 1600
"""Characters up to which a list or a table is one paragraph."""
# A row as bytes: an array takes it in a fifth of the time that a tuple of numbers takes.
_ATOM, _BLOCK = struct.Struct(f"{ATOM_WIDTH}q").pack, struct.Struct(f"{BLOCK_WIDTH}q").pack
_CRUMB, _MANY = 16, 50_000
_HANGS = re.compile(
    r"(?<![^\W_])(?:that|if|unless|and|or|when|where|are|is|by|to|of|for|with|as|than|following|follows|include|"
    r"includes)$"
)
_STOPS = ".!?…。！？؟।۔"
_CLOSERS = "\"'”’»)]*_`"


class Builder:
    """Atoms and blocks of one text. Readers add atoms in reading order and open and close blocks around them.

    `owner` is the atom that everything added goes with, unless a reader names another context (-1: none).
    """

    def __init__(self, text: str, max_chars: int = MAX_CHARS) -> None:
        self.text, self.max_chars = text, max_chars
        self.line_chars = min(LINE_CHARS, max_chars)
        self.count = 0
        self.owner = -1
        self.heading = -1  # the atom of the open section's heading
        self.number = -1  # the row that atoms belong to where a reader names none
        self._atoms = array("q")
        self._blocks = array("q")
        self._stack: list[int] = []
        self._levels: list[tuple[int, int, int]] = []  # of open sections: level, block, the heading above
        self.open("document")

    @property
    def current(self) -> int:
        """The innermost open block."""
        return self._stack[-1]

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self._blocks) // BLOCK_WIDTH

    def clear(self, first: int, flag: int) -> None:
        """Takes a flag from the blocks from number `first` on."""
        for at in range(first * BLOCK_WIDTH + 3, len(self._blocks), BLOCK_WIDTH):
            self._blocks[at] &= ~flag

    def open(self, kind: str, flags: int = 0) -> int:
        """Opens a block inside the current one and returns its number."""
        number = len(self._blocks) // BLOCK_WIDTH
        parent = self._stack[-1] if self._stack else -1
        self._blocks.frombytes(_BLOCK(BLOCK[kind], parent, self.heading, flags, 0))
        self._stack.append(number)
        return number

    def close(self, flags: int = 0, rows: int = 0) -> None:
        """Closes the innermost block, with more flags and the number of its rows where it counts rows."""
        at = self._stack.pop() * BLOCK_WIDTH
        if flags:
            self._blocks[at + 3] |= flags
        if rows:
            self._blocks[at + 4] = rows

    def atom(self, start: int, end: int, kind: int, role: int = BODY, context: int = -2, row: int = -2) -> int:
        """Adds an atom to the current block; -2 stands for `owner` and `number`. Returns its number."""
        if context == -2:
            context = self.owner
        if row == -2:
            row = self.number
        self._atoms.frombytes(_ATOM(*(start, end, kind, role, self._stack[-1], context, row)))
        self.count += 1
        return self.count - 1

    def row(self, start: int, end: int, kind: int, context: int, number: int, block: str = "row") -> int:
        """Adds a block of one line or record: one atom, or the sentences of a long one. Returns its first atom."""
        self.open(block, ATOMIC | UNIT)
        first = self.line(start, end, kind, context, number)
        self._stack.pop()
        return first

    def rows(self, start: IntArray, end: IntArray, kind: int, context: int, number: int) -> None:
        """`row` for many lines (n,), numbered from `number` on: much faster where they are short."""
        long = np.flatnonzero(end - start > self.line_chars).tolist()
        for low, high in pairwise([-1, *long, len(start)]):
            self._short_rows(start[low + 1 : high], end[low + 1 : high], (kind, context, number + low + 1))
            if high < len(start):
                self.row(int(start[high]), int(end[high]), kind, context, number + high)

    def _short_rows(self, start: IntArray, end: IntArray, what: tuple[int, int, int]) -> None:
        kind, context, number = what
        atoms = np.empty((len(start), ATOM_WIDTH), np.int64)
        atoms[:] = 0, 0, kind, BODY, self.blocks, context, number
        atoms[:, 0], atoms[:, 1] = start, end
        atoms[:, [4, 6]] += np.arange(len(start))[:, None]
        blocks = np.empty((len(start), BLOCK_WIDTH), np.int64)
        blocks[:] = BLOCK["row"], self.current, self.heading, ATOMIC | UNIT, 0
        self.add_blocks(blocks)
        self.add_atoms(atoms)

    def add_blocks(self, blocks: IntArray) -> None:
        """Adds closed blocks as columns (n, 5): kind, parent, section, flags and rows."""
        self._blocks.frombytes(blocks.tobytes())

    def add_atoms(self, atoms: IntArray) -> None:
        """Adds atoms as columns (n, 7): start, end, kind, role, block, context and row."""
        self._atoms.frombytes(np.ascontiguousarray(atoms).tobytes())
        self.count += len(atoms)

    def line(self, start: int, end: int, kind: int, context: int, number: int = -2) -> int:
        """Adds the atoms of a line: those after the first go with it. Returns the first."""
        if end - start <= self.line_chars:
            return self.atom(start, end, kind, context=context, row=number)
        first = -1
        for low, high in self.pieces(start, end):
            at = self.atom(low, high, kind, context=context if first < 0 else first, row=number)
            first = at if first < 0 else first
        return first

    def pieces(self, start: int, end: int) -> list[Span]:
        """A long line as pieces of some sentences each; of a value in quotes or tags the first sentence alone, for the
        others go with it."""
        spans = cut_prose(self.text, start, end, self.line_chars)
        head = sentence_spans(self.text, *spans[0])[0] if self.text[start] in '"<' else spans[0]
        if head == spans[0]:
            return spans
        rest, _ = trim(self.text, head[1], end)
        return [head, *cut_prose(self.text, rest, end, min(VALUE_CHARS, self.max_chars))]

    def sentences(self, start: int, end: int, kind: int = SENTENCE, context: int = -2) -> int:
        """Adds the sentences of a trimmed range and returns the first."""
        first = self.count
        context = self.owner if context == -2 else context
        block, number, atoms = self.current, self.number, self._atoms
        for low, high in cut_prose(self.text, start, end, self.max_chars):
            spans = sentence_spans(self.text, low, high)
            if len(spans) > _CRUMB and high - low < _CRUMB * len(spans) and len(self.text) > _CRUMB * _MANY:
                spans = pack_spans(spans, 4 * _CRUMB)  # a megabyte of one-word sentences says nothing one by one
            for a, b in spans:
                atoms.frombytes(_ATOM(*(a, b, kind, BODY, block, context, number)))
            self.count += len(spans)
        return first

    def mark(self, start: int, end: int, kind: int = SENTENCE) -> int:
        """Adds an atom without a word of its own."""
        return self.atom(start, end, kind, MARK)

    def paragraph(self, start: int, end: int) -> int:
        """Adds a paragraph of prose: one block, or several where it is longer than an atom may be."""
        first = self.count
        for low, high in cut_prose(self.text, start, end, self.max_chars):
            self.open("paragraph", UNIT)
            self.sentences(low, high)
            self._stack.pop()
        return first

    def section(self, start: int, end: int, level: int) -> int:
        """Opens a section under its heading, after closing those that are as deep or deeper. Returns the atom."""
        self.end_sections(level)
        self.open("section")
        at = self.atom(start, end, HEADING, TITLE)
        self._levels.append((level, self.current, self.heading))
        self.heading = at
        return at

    def end_sections(self, level: int = 0) -> None:
        """Closes the open sections of `level` and deeper, as far as they are the innermost blocks."""
        while self._levels and self._levels[-1][0] >= level and self._levels[-1][1] == self._stack[-1]:
            self.heading = self._levels.pop()[2]
            self.close()

    def set_role(self, atom: int, role: int) -> None:
        """Changes what an atom is for."""
        self._atoms[atom * ATOM_WIDTH + 3] = role

    def set_context(self, atom: int, context: int) -> None:
        """Changes what an atom goes with."""
        self._atoms[atom * ATOM_WIDTH + 5] = context

    def number_rows(self, first: int, last: int, row: int) -> None:
        """Gives those of the atoms [first, last) that have no number yet one."""
        for at in range(first * ATOM_WIDTH + 6, last * ATOM_WIDTH, ATOM_WIDTH):
            if self._atoms[at] < 0:
                self._atoms[at] = row

    def set_end(self, atom: int, end: int) -> None:
        """Changes where an atom ends."""
        self._atoms[atom * ATOM_WIDTH + 1] = end

    def reach(self, end: int, longest: int) -> bool:
        """Lets the last atom reach to `end`, where it is at most `longest` characters then. Whether it does."""
        if end - self._atoms[-ATOM_WIDTH] > longest:
            return False
        self._atoms[1 - ATOM_WIDTH] = end
        return True

    def span(self, atom: int) -> tuple[int, int]:
        """The range of an atom."""
        at = atom * ATOM_WIDTH
        return self._atoms[at], self._atoms[at + 1]

    def role(self, atom: int) -> int:
        """What an atom is for."""
        return self._atoms[atom * ATOM_WIDTH + 3]

    def kind(self, atom: int) -> int:
        """The kind of an atom."""
        return self._atoms[atom * ATOM_WIDTH + 2]

    def undo(self, atoms: int) -> None:
        """Takes back the innermost block and all blocks in it, and all atoms from number `atoms` on."""
        del self._atoms[atoms * ATOM_WIDTH :]
        self.count = atoms
        del self._blocks[self._stack.pop() * BLOCK_WIDTH :]

    def lead(self, start: int, *, always: bool = False, strict: bool = False) -> int:
        """The atom that announces a list, a table or code at `start`; `owner` when none does.

        It is the sentence above that ends with a colon, breaks off or stands right above (`always`: any sentence above,
        `strict`: only one with a colon), or the heading right above.
        """
        last = self.count - 1
        if last < 0 or last <= self.owner:
            return self.owner
        low, high, kind, role = self._atoms[last * ATOM_WIDTH : last * ATOM_WIDTH + 4]
        if role == TITLE:
            return last
        if kind not in (SENTENCE, LIST) or role not in (BODY, LEAD) or last < self.heading:
            return self.owner
        sentence = self.text[max(low, high - 12) : high].rstrip(_CLOSERS)
        apart = self.text.count("\n", high, start) > 1
        if (strict or kind == LIST) and sentence[-1:] != ":":
            return self.owner
        if apart and sentence[-1:] != ":" and not (sentence[-1:] not in _STOPS and _HANGS.search(sentence)):
            return last if always else self.owner
        self.set_role(last, LEAD)
        return last

    def columns(self) -> tuple[array[int], array[int]]:
        """The atoms and the blocks, one row after another, after closing what is open."""
        while self._stack:
            self.close()
        return self._atoms, self._blocks
