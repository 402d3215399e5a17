"""Prose with its structure: Markdown, reStructuredText, AsciiDoc, man pages and text without any markup.

One pass over the lines that hold ink, by indentation: a block is headings, paragraphs, lists, tables, code, directives
and quotes, and what is indented under an item or a directive is read in the same way, one level deeper. The dialects
differ only in what may open a block; all of them share the rest, so that a text of mixed habits is read as people do.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from fieldpack.text.structure import boilerplate, chunks, code, headings, lists, markup, tables
from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.lines import Lines, read_lines
from fieldpack.text.structure.model import TITLE

DIALECTS = ("plain", "markdown", "rst", "man", "asciidoc")
DEEPEST = 12
"""Levels of indentation that are told apart; what lies deeper is read as prose."""
_FRONT = re.compile(r"\s*+(-{3}|\+{3})[^\S\n]*+\n(?=[\w\"'{#])(?:(?!\1)[^\n]*+\n){0,400}?\1[^\S\n]*+(?:\n|\Z)")

Handler = Callable[["DocumentReader", int, int], int]
"""Reads the block that starts at line i and ends before line j at the latest; returns the line after it, or i."""

Nested = Callable[[str], Callable[[Builder, int, int], None] | None]
"""The reader of a text that is JSON, CSV, a log or other data; None for other texts."""

# What may open a block, by the first character of its line. Handlers try in this order, and prose takes the rest.
_BY_CHARACTER: dict[str, tuple[Handler, ...]] = {
    "`": (code.fence,),
    "~": (code.fence, headings.rule_title),
    "#": (headings.atx, headings.rule_title),
    "=": (tables.simple_table, markup.admonition, headings.atx, headings.rule_title),
    "_": (headings.rule_title,),
    "-": (code.delimited, headings.rule_title, tables.simple_table, lists.read_list),
    "*": (headings.rule_title, lists.read_list),
    "+": (lists.continuation, tables.grid_table, headings.rule_title, lists.read_list),
    "|": (tables.pipe_table,),
    ">": (code.prompt, markup.quote),
    "$": (code.prompt,),
    ".": (markup.directive, code.delimited),
    "[": (markup.attributes, chunks.json_block),
    "{": (chunks.json_block,),
    "!": (markup.admonition,),
    "?": (markup.admonition,),
    ":": (lists.read_list,),
    "(": (lists.read_list,),
    "I": (code.prompt, lists.read_list),
    "O": (code.prompt,),
    "T": (chunks.trace,),
    **dict.fromkeys("0123456789", (headings.numbered, lists.read_list)),
    **dict.fromkeys("abcdefghijklmnopqrstuvwxyzVXAB", (lists.read_list,)),
    **dict.fromkeys("•‣◦·–—●▪○■", (lists.read_list,)),
    **dict.fromkeys("┌╔╭┏│║┃├", (tables.box_table,)),
}


class DocumentReader:
    """Reads lines of one text into a builder. `dialect` is one of DIALECTS."""

    def __init__(self, builder: Builder, dialect: str, nested: Nested | None = None) -> None:
        self.nested = nested  # the reader of a text that is data, for long fences; None for others
        self.builder, self.text, self.dialect = builder, builder.text, dialect
        self.lines = Lines([], [], [], [], [])
        self.base = 0  # columns of indentation of the block that is read
        self.depth = 0
        self.outer = True  # not inside an item or a directive: headings may stand here
        self.tested = -1  # the end of the last run of lines that `chunks.read_chunk` has tried
        self._chunk = (0, 0)  # the last run of lines without a blank one between that was measured
        self.styles: list[tuple[str, bool]] = []  # RST underlines in the order of first sight: that is their level

    def read(self, low: int, high: int) -> None:
        """Reads the whole range [low, high); low stands at the start of a line."""
        front = _FRONT.match(self.text, low, high) if low == 0 else None
        if front:
            markup.front_matter(self, front)
            low = front.end()
        self.lines = read_lines(self.text, low, high)
        if self.dialect == "plain":
            headings.part_at_titles(self.text, self.lines)
        self.body(0, len(self.lines), self.lines.indent[0] if len(self.lines) else 0)
        if self.outer:
            self.builder.end_sections()

    def body(self, i: int, j: int, base: int) -> None:
        """Reads lines [i, j) as blocks at `base` columns of indentation."""
        outer_base, self.base = self.base, min(base, min(self.lines.indent[i:j], default=base))
        self.depth += 1
        while i < j:
            i = self._block(i, j)
        self.depth -= 1
        self.base = outer_base

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

    def opens(self, k: int, j: int) -> bool:
        """Whether line k opens a block other than a list item though no blank line stands before it."""
        first = self.text[self.lines.ink[k]]
        if first in "`~":
            return code.opens_fence(self, k)
        if self.dialect == "asciidoc" and first in "+-.":
            return self.line(k) == "+" or code.delimiter(self, k) != ""
        if first in "|+┌╔╭┏":
            return tables.opens(self, k, j)
        return first in "#=_>$.!" and markup.opens(self, k)

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

    def _block(self, i: int, j: int) -> int:
        if tables.opens_pipe_table(self, i, j):
            return tables.pipe_table(self, i, j)
        if self.lines.gap[i]:
            k = boilerplate.contents(self, i, j)
            if k > i:
                return k
        if self.lines.indent[i] > self.base:
            k = self._indented(i, j)
            if k > i:
                return k
        for handler in _BY_CHARACTER.get(self.text[self.lines.ink[i]], ()):
            k = handler(self, i, j)
            if k > i:
                return k
        for handler in (headings.sub_heading, headings.underlined, chunks.read_chunk, headings.alone, lists.hanging):
            k = handler(self, i, j)
            if k > i:
                return k
        return self._prose(i, j)

    def _indented(self, i: int, j: int) -> int:
        """A block that stands deeper than the text around it: code, a list, a sub-heading, or a quotation."""
        k = self.end_of_indented(i, j, self.base)
        if code.is_code_block(self, i, k):
            return code.indented(self, i, j)
        if self.outer and headings.indented(self, i, j):
            return i + 1
        if self.depth <= DEEPEST:
            self.body(i, k, self.lines.indent[i])
            return k
        return i

    def _prose(self, i: int, j: int) -> int:
        """A paragraph: lines up to a blank one, or to one that opens a block."""
        k = i + 1
        while k < j and not self.lines.gap[k] and not self._interrupts(k, j):
            k += 1
        self.builder.paragraph(self.lines.ink[i], self.lines.end[k - 1])
        return k

    def _interrupts(self, k: int, j: int) -> bool:
        """Whether line k opens a block though no blank line stands before it."""
        first = self.text[self.lines.ink[k]]
        if tables.opens_pipe_table(self, k, j):
            return True
        return not first.isalpha() and (self.opens(k, j) or lists.interrupts(self, k))
