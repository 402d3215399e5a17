"""What the structural reader gives: the atoms of one text in reading order, and the tree of blocks that holds them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fieldpack.types import BoolArray, IntArray

PARAGRAPH, SENTENCE, HEADING, CODE, TABLE, LIST = range(6)
"""Kinds of atoms: indices into `fieldpack.types.KINDS`."""

ROLES = ("body", "heading", "header", "key", "lead", "signature", "mark")
"""What an atom is for. header: column names. key: encloses others (`"limits": {`, `[section]`, a file's line in a
diff). lead: announces a list, a table or code. signature: the head of a definition. mark: no word of its own (rules,
closing brackets, fences): never worth packing alone."""
BODY, TITLE, HEADER, KEY, LEAD, SIGNATURE, MARK = range(7)

BLOCKS = (
    "document",
    "section",
    "paragraph",
    "list",
    "item",
    "table",
    "row",
    "code",
    "lines",
    "record",
    "config",
    "log",
    "entry",
    "diff",
    "hunk",
    "transcript",
    "turn",
    "message",
    "quote",
    "front",
    "navigation",
    "license",
    "element",
)
"""Kinds of blocks. A `record` is a JSON object of an array, or a line of JSON Lines; an `entry` is one entry of a log,
a search result, or a compiler's message; a `message` is a mail; an `element` is a block of HTML."""
BLOCK = {name: number for number, name in enumerate(BLOCKS)}

ATOMIC, BOILERPLATE, UNIT = 1, 2, 4
"""Flags of a block. UNIT: its atoms are one paragraph for callers that take paragraphs."""
ATOM_WIDTH, BLOCK_WIDTH = 7, 5


@dataclass(frozen=True, eq=False)
class Blocks:
    """b blocks as columns (b,): a tree in preorder, block 0 is the document.

    kind: indices into BLOCKS. parent: the enclosing block, -1 for the document. section: the atom of the heading that
    it stands under, -1 without one. flags: ATOMIC | BOILERPLATE | UNIT. rows: how many rows, records, items or entries
    a container holds, 0 for other blocks.
    """

    kind: IntArray
    parent: IntArray
    section: IntArray
    flags: IntArray
    rows: IntArray

    def __len__(self) -> int:
        return len(self.kind)

    def nearest(self, wanted: BoolArray) -> IntArray:
        """(b,) the innermost block at or above each that is `wanted` (b,); -1 where none is."""
        return self._over_ancestors(np.maximum, np.where(wanted, np.arange(len(self)), -1))

    def outermost(self, wanted: BoolArray) -> IntArray:
        """(b,) the outermost block at or above each that is `wanted` (b,); -1 where none is."""
        first = self._over_ancestors(np.minimum, np.where(wanted, np.arange(len(self)), len(self)))
        return np.where(first < len(self), first, -1)

    def _over_ancestors(self, best: np.ufunc, numbers: IntArray) -> IntArray:
        """(b,) the least or greatest number of each block and those above it, in steps of 1, 2, 4 ... levels. In
        preorder a block's number is greater than those of the blocks above it."""
        above = np.where(self.parent < 0, np.arange(len(self)), self.parent)
        while True:
            numbers, higher = best(numbers, numbers[above]), above[above]
            if (higher == above).all():
                return numbers
            above = higher


@dataclass(frozen=True, eq=False)
class Structure:
    """n atoms of one text as columns (n,): ranges in characters, sorted, disjoint, covering all but white space.

    start, end: half-open, trimmed. kind: int8, indices into `fieldpack.types.KINDS`. role: int8, indices into ROLES.
    block: the innermost block of `blocks`. context: the atom that must travel with this one (its header row, enclosing
    key, entry's first line, lead-in sentence, signature, or the heading right above its list or table), -1 for none;
    following it from atom to atom ends. row: the number of the row, record, item or entry in its container, from 0; -1
    elsewhere. format: what the text was read as, one of `detect.FORMATS`.
    """

    start: IntArray
    end: IntArray
    kind: npt.NDArray[np.int8]
    role: npt.NDArray[np.int8]
    block: IntArray
    context: IntArray
    row: IntArray
    blocks: Blocks
    format: str

    def __len__(self) -> int:
        return len(self.start)

    @property
    def document(self) -> IntArray:
        """(n,) the number of the text that each atom stands in, where several were read as one."""
        return (np.cumsum(self.blocks.parent < 0, dtype=np.int64) - 1)[self.block]

    @cached_property
    def section(self) -> IntArray:
        """(n,) the atom of the heading that each atom stands under; of a heading, the one above it. -1 for none."""
        heads = np.full(len(self.blocks), -1, np.int64)
        titles = np.flatnonzero(self.role == TITLE)
        heads[self.block[titles]] = titles
        own = np.where(self.role == TITLE, -1, heads[self.block])  # what stands in a section, in no block of its own
        return np.where(own >= 0, own, self.blocks.section[self.block]).astype(np.int64)

    @cached_property
    def container(self) -> IntArray:
        """(n,) the innermost block that counts rows around each atom (a table, a log, an array, a list); -1: none."""
        return self._of_block(self.blocks.nearest(self.blocks.rows > 0))

    @cached_property
    def rows(self) -> IntArray:
        """(n,) how many rows the container of each atom has; 0 outside containers. `row` counts in the same one."""
        return np.where(self.container >= 0, self.blocks.rows[self.container], 0).astype(np.int64)

    @cached_property
    def atomic(self) -> IntArray:
        """(n,) atoms with the same number are one block that is not split when it fits; -1: none."""
        return self._of_block(self.blocks.outermost((self.blocks.flags & ATOMIC) != 0))

    @cached_property
    def boilerplate(self) -> BoolArray:
        """(n,) whether an atom is navigation, a table of contents, a licence header or hidden."""
        inside = self.blocks.outermost((self.blocks.flags & BOILERPLATE) != 0) >= 0
        return np.asarray(inside[self.block], np.bool_)

    @cached_property
    def announces(self) -> IntArray:
        """(n,) the first atom of the list, table or code that a sentence announces; -1: none."""
        out = np.full(len(self), -1, np.int64)
        leads = np.flatnonzero((self.context >= 0) & (self.context < np.arange(len(self))))
        leads = leads[self.role[self.context[leads]] == LEAD]
        out[self.context[leads[::-1]]] = leads[::-1]
        return out

    @cached_property
    def unit(self) -> IntArray:
        """(n,) numbers of the paragraphs: atoms of one paragraph, small list, row, record, entry or code block."""
        units = self._of_block(self.blocks.outermost((self.blocks.flags & UNIT) != 0))
        alone = units < 0
        new = np.ones(len(self), np.bool_)
        new[1:] = alone[1:] | alone[:-1] | (units[1:] != units[:-1])
        return np.cumsum(new, dtype=np.int64) - 1

    def contexts(self, atom: int) -> list[int]:
        """The atoms that must travel with `atom`: its context, the context of that, and so on."""
        chain: list[int] = []
        at = int(self.context[atom])
        while at >= 0:
            chain.append(at)
            at = int(self.context[at])
        return chain

    def path(self, atom: int) -> list[int]:
        """The atoms of the headings above `atom`, outermost first."""
        chain: list[int] = []
        at = int(self.section[atom])
        while at >= 0:
            chain.append(at)
            at = int(self.section[at])
        return chain[::-1]

    def _of_block(self, column: IntArray) -> IntArray:
        return np.asarray(column[self.block], np.int64)
