"""Settings by indentation: YAML, TOML, INI, properties, `key: value`. A line goes with the lines that enclose it."""

from __future__ import annotations

import re

from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.lines import Lines
from fieldpack.text.structure.model import ATOMIC, KEY, LIST, MARK, UNIT

_SECTION = re.compile(r"\[{1,2}[^\[\]\n]{1,200}\]{1,2}\s*(?:[#;].*)?$")
_COMMENT = re.compile(r"(?:[#;!]|//|--)(?=\s|\w|$)")
_RULE = re.compile(r"(?:-{3}|\.{3})(?:\s|$)|(?!-[ \t])[\W_]+$")
_LONGEST = 300
_SMALL = 400
_BLOCK = 240
"""Characters up to which a block in braces is one row."""


class _Outline:
    """Where the reader of settings stands. stack: (columns, atom) of the lines that enclose the next one."""

    def __init__(self, builder: Builder, lines: Lines, lead: int) -> None:
        self.builder, self.lines, self.lead = builder, lines, lead
        self.stack: list[tuple[int, int]] = []
        self.section, self.number = lead, 0
        self.comments: list[int] = []  # that wait for the setting under them

    def line(self, n: int, j: int) -> int:
        """Reads line n of those before j; returns the line after what it has read."""
        start, end = self.lines.ink[n], self.lines.end[n]
        line = self.builder.text[start : min(end, start + _LONGEST)]
        if self.lines.gap[n]:
            self.comments = []
        if _RULE.match(line):
            if line.startswith("---"):  # another document of the same YAML file
                self.stack, self.section = [], self.lead
            self.builder.atom(start, end, LIST, MARK, self.section)
        elif _COMMENT.match(line):
            self.comments.append(self._add(n, self._enclosing(n)))
        elif _SECTION.match(line):
            self.stack = []
            self.section = self._add(n, self.lead)
            self.builder.set_role(self.section, KEY)
            self._explain(self.section)
        else:
            k = self._end_of_block(n, j) if line[-1] in "{," else n + 1
            at = self._add(n, self._enclosing(n), k)
            if k == n + 1:
                self._enclose(n, j, at)
            self._explain(at)
            return k
        return n + 1

    def _end_of_block(self, n: int, j: int) -> int:
        """The line after a small block in braces that opens in line n ("server {", "@book{key,"), which is one row;
        n + 1 where there is none."""
        lines, text = self.lines, self.builder.text
        if "{" not in text[lines.ink[n] : lines.end[n]]:
            return n + 1
        k = n + 1
        while k < j and lines.indent[k] > lines.indent[n] and lines.end[k] - lines.ink[n] <= _BLOCK:
            k += 1
        closed = k < j and text[lines.ink[k]] == "}" and lines.indent[k] == lines.indent[n]
        return k + 1 if closed and n + 1 < k and lines.end[k] - lines.ink[n] <= _BLOCK else n + 1

    def _enclosing(self, n: int) -> int:
        """The atom that encloses line n: the line above that is indented less, or its section."""
        while self.stack and self.stack[-1][0] >= self.lines.indent[n]:
            self.stack.pop()
        return self.stack[-1][1] if self.stack else self.section

    def _add(self, n: int, context: int, stop: int = 0) -> int:
        """Adds lines [n, stop) as a row, line n alone without `stop`."""
        end = self.lines.end[max(stop - 1, n)]
        self.builder.open("row", UNIT | ATOMIC)
        at = self.builder.line(self.lines.ink[n], end, LIST, context, self.number)
        self.builder.close()
        self.number += 1
        return at

    def _explain(self, at: int) -> None:
        """The comments above a setting go with it."""
        for comment in self.comments:
            self.builder.set_context(comment, at)
        self.comments = []

    def _enclose(self, n: int, j: int, at: int) -> None:
        """Line n encloses the lines below it that are deeper, and a list at its own margin when it is a bare key."""
        lines, text = self.lines, self.builder.text
        k = n + 1
        while k < j and lines.indent[k] == lines.indent[n] and text[lines.ink[k]] == "#":
            k += 1
        if n + 1 < j and lines.indent[n + 1] > lines.indent[n]:
            columns = lines.indent[n]
        elif k < j and lines.indent[k] == lines.indent[n] and text[lines.ink[k]] == "-" and self._is_bare_key(n):
            columns = lines.indent[n] - 1
        else:
            return
        self.builder.set_role(at, KEY)
        self.stack.append((columns, at))

    def _is_bare_key(self, n: int) -> bool:
        text = self.builder.text
        return text[self.lines.end[n] - 1] == ":" and text[self.lines.ink[n]] != "-"


def outline(builder: Builder, lines: Lines, i: int, j: int, lead: int) -> None:
    """Adds lines [i, j), one row each: a row goes with the row above that is indented less, those at the margin with
    their `[section]` or with `lead`, and a comment with the setting under it."""
    builder.open("config")
    reader = _Outline(builder, lines, lead)
    n = i
    while n < j:
        n = reader.line(n, j)
    small = j > i and lines.end[j - 1] - lines.ink[i] <= _SMALL
    builder.close(UNIT if small else 0, rows=reader.number)
