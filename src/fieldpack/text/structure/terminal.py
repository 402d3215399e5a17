"""What commands print: each line says its own, and a line that stands deeper goes with the one that it stands under.

Other than a text without markup, a line here is no part of running prose unless it looks so. Tables, search hits,
compilers' messages, reports of failed tests and JSON are read as in any document; all other lines are rows by
indentation, of which a line at the margin with the lines under it is one entry.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

from fieldpack.text.structure import chunks, headings, tables
from fieldpack.text.structure.builder import SMALL_LIST, Builder
from fieldpack.text.structure.lines import TAB, read_lines
from fieldpack.text.structure.model import KEY, LIST, MARK, UNIT
from fieldpack.text.structure.walk import DocumentReader

_NUMBERED = re.compile(r"\s*(\d{1,7})(?:\t|[:|→│-] ?)(?P<white>\s*)")
_RULE = re.compile(r"[\W_]+$")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*[.,;:!?)\"'”’]{0,3}$")
_ITEM, _ELEMENT = re.compile(r"[}\])],\s*(?=[{\[(])"), re.compile(r"<(?P<name>[A-Za-z_][\w:.-]*)(?=[\s>/])")
_SMALL_ENTRY, _SMALL_CHUNK = 60, 16
"""Lines of an entry, and of a run of lines between blank ones, that are one block."""
_DEEPEST = 24
_LINES_OF_PROSE, _WORDS_OF_PROSE = 60, 7
"""Characters a line on average, and words of a line alone, from which lines may be prose."""
_STOPS = ".!?:。！？”\"')"


def _record_starts(line: str) -> list[int]:
    """Where the records of one long line begin: items of a literal of a programming language, elements of XML."""
    if line[0] == "<":
        names = [m["name"] for m in _ELEMENT.finditer(line)]
        name = next((name for name, count in Counter(names).items() if count > 2), "")
        return [m.start() for m in _ELEMENT.finditer(line) if m["name"] == name]
    return [m.end() for m in _ITEM.finditer(line)] if line[0] in "[{(" else []


def read_terminal(builder: Builder, low: int, high: int) -> None:
    """Reads [low, high) of the builder's text; low stands at the start of a line."""
    TerminalReader(builder, "plain").read(low, high)


class TerminalReader(DocumentReader):
    """above: (columns, atom) of the lines that enclose the next one."""

    def read(self, low: int, high: int) -> None:
        """Reads the whole range."""
        self.above: list[tuple[int, int]] = []
        self.number = 0
        self.lines = read_lines(self.text, low, high)
        self._pass_numbers()
        headings.part_at_titles(self.text, self.lines)
        self.body(0, len(self.lines), 0)
        self.builder.end_sections()

    def body(self, i: int, j: int, base: int) -> None:
        """Reads lines [i, j)."""
        while i < j:
            k = self._known(i, j)
            if k > i:
                self.above = []
            i = k if k > i else self._lines(i, j)

    def opens(self, k: int, j: int) -> bool:
        """Whether a table or a title opens at line k."""
        first = self.text[self.lines.ink[k]]
        return first in "|+┌╔╭┏" and tables.opens(self, k, j)

    def _known(self, i: int, j: int) -> int:
        """The line after a block of a kind of its own that opens at line i; i where none does."""
        if tables.opens_pipe_table(self, i, j):
            return tables.pipe_table(self, i, j)
        first = self.text[self.lines.ink[i]]
        if first in "=_-*#~+":
            k = headings.rule_title(self, i, j)
            if k > i:
                return k
        for characters, handler in (
            ("|", tables.pipe_table),
            ("+", tables.grid_table),
            ("┌╔╭┏│║┃├", tables.box_table),
            ("{[", chunks.json_block),
            ("T", chunks.trace),
        ):
            k = handler(self, i, j) if first in characters else i
            if k > i:
                return k
        return chunks.data_chunk(self, i, j)

    def _lines(self, i: int, j: int) -> int:
        """The lines up to a blank one or to one that opens a table; with what stands deeper after a blank one."""
        k = self._end(i, j)
        if self._is_prose(i, k):
            self.above = []
            self.builder.paragraph(self.lines.ink[i], self.lines.end[k - 1])
            return k
        margin = min(self.lines.indent[i:k])
        while k < j and self.lines.gap[k] and min(self.lines.indent[k : (last := self._end(k, j))]) > margin:
            if last - i > _SMALL_CHUNK:
                break
            k = last
        if 1 < k - i <= _SMALL_CHUNK and self._small(i, k):
            self._block(i, k)
        else:
            self._entries(i, k)
        return k

    def _end(self, i: int, j: int) -> int:
        k = i + 1
        while k < j and not self.lines.gap[k] and not self.opens(k, j) and not tables.opens_pipe_table(self, k, j):
            k += 1
        return k

    def _entries(self, i: int, k: int, depth: int = 0) -> None:
        """Lines [i, k) as entries: a line at their margin with those that stand deeper below it."""
        indent, margin = self.lines.indent, min(self.lines.indent[i:k])
        n = i
        while n < k:
            last = n + 1
            while last < k and indent[last] > margin:
                last += 1
            if last - n == 1 or depth > _DEEPEST:
                for m in range(n, last):
                    self._row(m, k)
            elif last - n <= _SMALL_ENTRY and self._small(n, last):
                self._block(n, last)
            elif indent[n] > margin:
                self._entries(n, last, depth + 1)
            else:
                self._row(n, last)
                self._entries(n + 1, last, depth + 1)
            n = last

    def _small(self, i: int, k: int) -> bool:
        return self.lines.end[k - 1] - self.lines.ink[i] <= SMALL_LIST

    def _block(self, i: int, k: int) -> None:
        """Lines [i, k) as one block, whose lines speak for each other."""
        self.builder.open("entry", UNIT)
        for n in range(i, k):
            self._add(n, k)
        self.builder.close()
        self.number += 1

    def _row(self, n: int, j: int) -> None:
        self.builder.open("row", UNIT)
        self._add(n, j)
        self.builder.close()
        self.number += 1

    def _add(self, n: int, j: int) -> None:
        """Line n, which goes with the line above that is indented less."""
        builder, columns = self.builder, self.lines.indent[n]
        while self.above and self.above[-1][0] >= columns:
            self.above.pop()
        context = self.above[-1][1] if self.above else builder.owner
        start, end = self.lines.ink[n], self.lines.end[n]
        if _RULE.match(self.text, start, end):
            builder.atom(start, end, LIST, MARK, context=context, row=self.number)
            return
        at = self._long(start, end, context) if end - start > builder.line_chars else -1
        at = at if at >= 0 else builder.line(start, end, LIST, context, self.number)
        if n + 1 < j and self.lines.indent[n + 1] > columns:
            builder.set_role(at, KEY)
        if n + 1 < len(self.lines) and self.lines.indent[n + 1] > columns:
            self.above.append((columns, at))

    def _long(self, start: int, end: int, context: int) -> int:
        """A line of many records, each an atom of its own; -1 where it holds none. Returns the first."""
        cuts = _record_starts(self.text[start:end])
        if len(cuts) < 3:
            return -1
        first = -1
        for a, b in pairwise((0, *cuts, end - start)):
            if self.text[start + a : start + b].isspace() or a == b:
                continue
            low = start + a + len(self.text[start + a : start + b]) - len(self.text[start + a : start + b].lstrip())
            high = start + a + len(self.text[start + a : start + b].rstrip())
            at = self.builder.line(low, high, LIST, context, self.number)
            first = at if first < 0 else first
            self.number += 1
        return first

    def _is_prose(self, i: int, k: int) -> bool:
        """Whether lines [i, k) are a paragraph: a sentence, lines of sentences, or sentences broken at a margin."""
        lines = [self.line(n) for n in range(i, min(k, i + chunks.SAMPLE))]
        words = [word for line in lines for word in line.split()]
        if 2 * sum(len(w) for w in words if _WORD.match(w) or not w.isascii()) < sum(map(len, words)):
            return False
        if len(lines) == 1:
            return len(words) >= _WORDS_OF_PROSE and (lines[0][-1] in _STOPS or len(lines[0]) > 2 * _LINES_OF_PROSE)
        if sum(map(len, lines)) < _LINES_OF_PROSE * (len(lines) - 1):
            return False
        broken = sum(line[:1].islower() for line in lines[1:])
        stops = sum(line[-1] in _STOPS for line in lines)
        return broken >= 0.4 * (len(lines) - 1) or stops >= 0.6 * len(lines)

    def _pass_numbers(self) -> None:
        """Lines that all begin with their number (`cat -n`, a reader of files) are indented behind it."""
        lines = self.lines
        marks = [_NUMBERED.match(self.text, lines.begin[n], lines.end[n]) for n in range(len(lines))]
        found = [int(m[1]) for m in marks if m is not None]
        if len(found) < 3 or len(found) < 0.9 * len(lines) or any(b <= a for a, b in pairwise(found)):
            return
        for n, mark in enumerate(marks):
            if mark is not None:
                lines.indent[n] = len(mark["white"].expandtabs(TAB))
                lines.gap[n] = lines.gap[n] and n == 0
            if mark is not None and mark.end() >= lines.end[n]:
                lines.indent[n] = lines.indent[n - 1] if n else 0
