"""Where a reader of prose stands: its lines, its dialect, how deep it is. Every kind of block is read from this.

The kinds of blocks know this class alone; `document` knows them all and says which of them may open a block.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.lines import Lines
from fieldpack.text.structure.model import TITLE

DEEPEST = 12
"""Levels of indentation that are told apart; what lies deeper is read as prose."""

Nested = Callable[[str], Callable[[Builder, int, int], None] | None]
"""The reader of a text that is JSON, CSV, a log or other data; None for other texts."""


class DocumentReader(ABC):
    """Reads lines of one text into a builder. `dialect` is one of `document.DIALECTS`."""

    def __init__(self, builder: Builder, dialect: str, nested: Nested | None = None) -> None:
        self.nested = nested  # the reader of a text that is data, for long fences; None for others
        self.builder, self.text, self.dialect = builder, builder.text, dialect
        self.lines = Lines([], [], [], [], [])
        self.base = 0  # columns of indentation of the block that is read
        self.depth = 0
        self.outer = True  # not inside an item or a directive: headings may stand here
        self.tested = -1  # the end of the last run of lines that `chunks.read_chunk` has tried
        self.marked = (-1, ("", ""))  # the last line that was asked about its marker, and the answer, see `lists`
        self._chunk = (0, 0)  # the last run of lines without a blank one between that was measured
        self.styles: list[tuple[str, bool]] = []  # RST underlines in the order of first sight: that is their level

    @abstractmethod
    def body(self, i: int, j: int, base: int) -> None:
        """Reads lines [i, j) as blocks at `base` columns of indentation."""

    @abstractmethod
    def opens(self, k: int, j: int) -> bool:
        """Whether line k opens a block other than a list item though no blank line stands before it."""

    def inner(self, i: int, j: int, owner: int, base: int | None = None) -> None:
        """Reads lines [i, j) as blocks inside an item or a directive, which go with the atom `owner`; base: the columns
        at which its text stands, where it is not the first line's."""
        if i >= j:
            return
        builder, outer, owned = self.builder, self.outer, self.builder.owner
        builder.owner, self.outer = owner, False
        if self.depth > DEEPEST:
            for first, last in self.paragraphs(i, j):
                builder.paragraph(self.lines.ink[first], self.lines.end[last - 1])
        else:
            self.body(i, j, self.lines.indent[i] if base is None else base)
        builder.owner, self.outer = owned, outer

    def end_of_chunk(self, i: int, j: int) -> int:
        """The line after the last one that follows line i without a blank line between, before j."""
        if not self._chunk[0] <= i < self._chunk[1]:
            k, gap = i + 1, self.lines.gap
            while k < len(gap) and not gap[k]:
                k += 1
            self._chunk = (i, k)
        return min(self._chunk[1], j)

    def after_heading(self) -> bool:
        """Whether the last atom is a heading."""
        return self.builder.count > 0 and self.builder.role(self.builder.count - 1) == TITLE

    def end_of_indented(self, i: int, j: int, columns: int) -> int:
        """The first line of [i, j) that is indented by `columns` or less, or j."""
        indent = self.lines.indent
        while i < j and indent[i] > columns:
            i += 1
        return i

    def paragraphs(self, i: int, j: int) -> list[tuple[int, int]]:
        """The runs of lines in [i, j) between blank lines."""
        runs = []
        while i < j:
            k = self.end_of_chunk(i, j)
            runs.append((i, k))
            i = k
        return runs

    def line(self, i: int) -> str:
        """The line without the white space around it."""
        return self.text[self.lines.ink[i] : self.lines.end[i]]
