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
from fieldpack.text.structure.walk import DEEPEST, DocumentReader, Nested

DIALECTS = ("plain", "markdown", "rst", "man", "asciidoc")
_FRONT = re.compile(r"\s*+(-{3}|\+{3})[^\S\n]*+\n(?=[\w\"'{#])(?:(?!\1)[^\n]*+\n){0,400}?\1[^\S\n]*+(?:\n|\Z)")

Handler = Callable[[DocumentReader, int, int], int]
"""Reads the block that starts at line i and ends before line j at the latest; returns the line after it, or i."""

# What may open a block, by the first character of its line. Handlers try in this order, and prose takes the rest.
_BY_CHARACTER: dict[str, tuple[Handler, ...]] = {
    "`": (code.fence,),
    "~": (code.fence, headings.rule_title),
    "#": (headings.atx, headings.rule_title),
    "=": (tables.simple_table, markup.admonition, headings.atx, headings.rule_title),
    "_": (headings.rule_title,),
    "-": (lists.bulleted, code.delimited, headings.rule_title, tables.simple_table, lists.read_list),
    "*": (lists.bulleted, headings.rule_title, lists.read_list),
    "+": (lists.bulleted, lists.continuation, tables.grid_table, headings.rule_title, lists.read_list),
    "|": (tables.pipe_table,),
    ">": (code.prompt, markup.quote),
    "$": (code.prompt,),
    ".": (markup.directive, code.delimited),
    "[": (markup.attributes, chunks.json_block),
    "{": (tables.wiki_table, chunks.json_block),
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
_ANYWHERE: dict[str, tuple[Handler, ...]] = {
    "plain": (headings.underlined, lists.defined, chunks.read_chunk, headings.alone, lists.hanging),
    "markdown": (headings.underlined, lists.defined, chunks.read_chunk),
    "rst": (headings.underlined, chunks.read_chunk, lists.hanging),
    "man": (headings.sub_heading, chunks.read_chunk, headings.alone, lists.hanging),
    "asciidoc": (headings.underlined, chunks.read_chunk, headings.alone, lists.hanging),
}
"""What may begin with any character, by dialect."""
_ALONE: tuple[Handler, ...] = (chunks.read_chunk,)


class BlockReader(DocumentReader):
    """Tries every kind of block at a line, in the order of the table above; prose takes what no kind takes."""

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

    def opens(self, k: int, j: int) -> bool:
        """Whether line k opens a block other than a list item though no blank line stands before it."""
        first = self.text[self.lines.ink[k]]
        if first in "`~":
            return code.opens_fence(self, k)
        if self.dialect == "asciidoc" and first in "+-.":
            return self.line(k) == "+" or code.delimiter(self, k) != ""
        if first in "|+┌╔╭┏":
            return tables.opens(self, k, j)
        if first == "{":
            return tables.opens_wiki_table(self, k)
        return first in "#=_>$.!" and markup.opens(self, k)

    def _block(self, i: int, j: int) -> int:
        lines = self.lines
        alone = j - i == 1  # what takes lines below it cannot begin here
        if not alone and tables.opens_pipe_table(self, i, j):
            return tables.pipe_table(self, i, j)
        if not alone and lines.gap[i]:
            k = boilerplate.contents(self, i, j)
            if k > i:
                return k
        if lines.indent[i] > self.base:
            k = self._indented(i, j)
            if k > i:
                return k
        for handler in _BY_CHARACTER.get(self.text[lines.ink[i]], ()):
            k = handler(self, i, j)
            if k > i:
                return k
        for handler in _ALONE if alone else _ANYWHERE[self.dialect]:
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


def read_document(
    builder: Builder, low: int, high: int, dialect: str = "plain", *, nested: Nested | None = None
) -> None:
    """Reads [low, high) of the builder's text in one of DIALECTS; low stands at the start of a line."""
    BlockReader(builder, dialect, nested).read(low, high)


def read_lead(builder: Builder, low: int, high: int, lines: Lines, starts: list[int]) -> list[tuple[int, int]]:
    """Reads as text what stands in [low, high) before the first line that starts an entry, all of it where none does.
    Returns the entries as ranges of lines. starts: the lines that start one, ascending."""
    if not starts or starts[0]:
        read_document(builder, low, lines.begin[starts[0]] if starts else high)
    return list(zip(starts, [*starts[1:], len(lines)], strict=True)) if starts else []
