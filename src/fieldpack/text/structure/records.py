"""JSON as it stands: members and elements are atoms, and go with the keys that enclose them; lines of JSON Lines.

Any text that looks like JSON is read, also a truncated one; nothing is parsed into values. An object or array of up to
120 characters is one atom, so that a record of a few fields stays together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fieldpack.text.cuts import trim
from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.json_arrays import SMALL, UNIT_CHARS, read_arrays
from fieldpack.text.structure.json_marks import DEEPEST
from fieldpack.text.structure.lines import read_lines
from fieldpack.text.structure.model import ATOMIC, KEY, MARK, TABLE, UNIT

_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\\Z)?+'
_COMMA = r"(?:\s*+,)?+"  # belongs to what stands before it
_VALUE = rf"(?P<open>[{{\[])|(?P<value>{_STRING}(?:\s*+:)?+|[^\s{{}}\[\],:\"]++){_COMMA}"
_KEY = rf"(?P<key>{_STRING}\s*+:\s*+)?"
_REST = rf"(?P<close>[}}\]]){_COMMA}|(?P<comma>,)|(?P<other>\S)"
_TOKEN = re.compile(rf"{_KEY}(?:{_VALUE})|{_REST}", re.S)
_INNER = r'(?:[^{}\[\]"]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+'
# An object or array without another in it is one token: most of them are short, and become one atom anyway.
_FLAT = rf'(?P<flat>\{{(?=\s*+"){_INNER}\}}|\[(?!\s*+\]){_INNER}\]){_COMMA}'
_TOKEN_OR_FLAT = re.compile(rf"{_KEY}(?:{_FLAT}|{_VALUE})|{_REST}", re.S)


@dataclass(slots=True)
class _Level:
    """An open object or array. context: the atom that its members go with. first: the number of its first atom.
    start: where it begins. count: its elements so far. naming: the field that says which record it is."""

    array: bool
    context: int
    first: int
    start: int
    outer_number: int
    record: bool  # an object that is an element of an array
    count: int = 0
    naming: int = -1


class JsonReader:
    """Reads JSON into a builder."""

    def __init__(self, builder: Builder) -> None:
        self.builder, self.text = builder, builder.text
        self.levels: list[_Level] = []
        self.pending = -1  # where brackets without a key began that the next atom starts with
        self.deeper = 0  # brackets open beyond DEEPEST: part of the text of atoms
        self.scalar = -1  # the last atom when it is an array's scalar

    def read(self, low: int, high: int) -> None:
        """Reads the range [low, high)."""
        if read_arrays(self.builder, low, high):
            return
        self._tokens(low, high)
        _, end = trim(self.text, low, high)
        while self.levels:
            self._leave(end if self.pending >= 0 else self.builder.span(self.builder.count - 1)[1])

    def _tokens(self, low: int, high: int) -> None:
        for token in _TOKEN_OR_FLAT.finditer(self.text, low, high):
            kind = token.lastgroup
            if kind == "value" and self._member(token.start(), token.end("value"), token.end()):
                continue
            if kind != "flat":
                self._token(token)
            elif self._flat(token.start(), token.end("flat")):
                self._comma(token, "flat")
            else:
                self._parts(token.start(), token.end())

    def _parts(self, low: int, high: int) -> None:
        """Reads an object or array that is too long for one atom."""
        for token in _TOKEN.finditer(self.text, low, high):
            if token.lastgroup != "value" or not self._member(token.start(), token.end("value"), token.end()):
                self._token(token)

    def _token(self, token: re.Match[str]) -> None:
        kind = token.lastgroup
        if kind == "value":
            self._value(token.start(), token.end("value"), bool(token["key"]))
            self._comma(token, "value")
        elif kind == "comma":
            self._extend(token.end())
        elif kind == "close":
            self._close(token.start())
            self._comma(token, "close")
        elif kind == "open":
            self._open(token)
        else:
            self._value(token.start(), token.end(), bool(token["key"]))

    def _member(self, start: int, value_end: int, end: int) -> bool:
        """Adds a short member of an object, with the comma behind it, as most tokens are; False where it is none."""
        level = self.levels[-1] if self.levels else None
        if level is None or level.array or self.deeper or self.text[value_end - 1].isspace():
            return False
        builder, low = self.builder, self.pending if self.pending >= 0 else start
        if end - low > builder.line_chars:
            return False
        at = builder.atom(low, end, TABLE, 0, level.naming if level.naming >= 0 else level.context)
        self.pending = self.scalar = -1
        if level.record and level.naming < 0:
            level.naming = at
        return True

    def _comma(self, token: re.Match[str], group: str) -> None:
        """The comma that a token ends with belongs to its atom."""
        end = token.end()
        if end > token.end(group):
            self._extend(end)

    def _flat(self, start: int, end: int) -> bool:
        """Adds a small object or array that holds no other as one atom; False where it is not small."""
        low = self.pending if self.pending >= 0 else start
        if end - low > min(SMALL, self.builder.max_chars) or len(self.levels) >= DEEPEST:
            return False
        outer = self.builder.number
        self._number()
        self.builder.atom(low, end, TABLE, 0, self._context())
        self.builder.number = outer
        self.pending = self.scalar = -1
        return True

    def _context(self) -> int:
        if not self.levels:
            return self.builder.owner
        level = self.levels[-1]
        return level.naming if level.naming >= 0 else level.context

    def _number(self) -> None:
        """An element of an array has a number."""
        if self.levels and self.levels[-1].array:
            self.builder.number = self.levels[-1].count
            self.levels[-1].count += 1

    def _open(self, token: re.Match[str]) -> None:
        if len(self.levels) >= DEEPEST:
            self.deeper += 1
            self._value(token.start(), token.end(), False)
            return
        outer = self.builder.number
        self._number()
        start = self.pending if self.pending >= 0 else token.start()
        array = token["open"] == "["
        element = not array and bool(self.levels) and self.levels[-1].array
        context, first = self._context(), self.builder.count
        self.builder.open("list" if array else "record", (ATOMIC | UNIT) if element else 0)
        if token["key"]:
            context = self._add(start, token.end(), KEY)
        else:
            self.pending = start
        self.levels.append(
            _Level(array=array, context=context, first=first, start=start, outer_number=outer, record=element)
        )
        self.scalar = -1

    def _value(self, start: int, end: int, keyed: bool) -> None:
        level = self.levels[-1] if self.levels else None
        last = self.builder.count - 1
        if self.deeper and last >= 0 and end - self.builder.span(last)[0] <= SMALL:
            self.builder.set_end(last, end)
            return
        if level and level.array and self.scalar == self.builder.count - 1 >= 0 and not keyed:
            low = self.builder.span(self.scalar)[0]
            if end - low <= SMALL:
                level.count += 1
                self.builder.set_end(self.scalar, end)
                return
        outer = self.builder.number
        self._number()
        at = self._add(start, end, 0)
        self.builder.number = outer
        self.scalar = at if level and level.array else -1

    def _add(self, start: int, end: int, role: int) -> int:
        start, self.pending = (self.pending, -1) if self.pending >= 0 else (start, -1)
        while self.text[end - 1].isspace():
            end -= 1
        first = self.builder.line(start, end, TABLE, self._context())
        level = self.levels[-1] if self.levels else None
        if level and level.record and level.naming < 0 and not role:
            level.naming = first  # the first field of a record says which it is: the others go with it
        if role:
            self.builder.set_role(first, role)
        return first

    def _extend(self, end: int) -> None:
        """A comma belongs to what stands before it."""
        if self.pending >= 0 or not self.builder.count:
            self._value(end - 1, end, False)
        elif not self.builder.reach(end, self.builder.max_chars):
            self.builder.mark(end - 1, end, TABLE)

    def _close(self, at: int) -> None:
        if self.deeper:
            self.deeper -= 1
            self._extend(at + 1)
            return
        if not self.levels:
            self._value(at, at + 1, False)
            return
        if self.pending >= 0:  # empty: its brackets are one atom
            self._leave(at + 1)
            return
        last = self.builder.count - 1
        low, high = self.builder.span(last)
        if "\n" in self.text[high:at] and self.builder.role(last) != MARK:
            self.builder.atom(at, at + 1, TABLE, MARK, self._context())
        elif at + 1 - low <= self.builder.max_chars:
            self.builder.set_end(last, at + 1)
        else:
            self.builder.mark(at, at + 1, TABLE)
        self._leave(at + 1)

    def _leave(self, end: int) -> None:
        """Ends the innermost object or array; a small one becomes one atom."""
        level = self.levels.pop()
        flags = UNIT if not level.array and end - level.start <= UNIT_CHARS else 0
        if self.pending >= 0 or end - level.start <= min(SMALL, self.builder.max_chars):
            self.builder.undo(level.first)
            self.builder.atom(level.start, end, TABLE, 0, self._context())
            self.pending = -1
        else:
            self.builder.close(flags, rows=level.count if level.array else 0)
        self.builder.number = level.outer_number
        self.scalar = -1


def read_json(builder: Builder, low: int, high: int) -> None:
    """Reads [low, high) as one JSON text."""
    JsonReader(builder).read(low, high)


def read_json_lines(builder: Builder, low: int, high: int) -> None:
    """Reads [low, high) as one record a line; a long one is cut at its members."""
    lines = read_lines(builder.text, low, high)
    builder.open("lines")
    for number, (start, end) in enumerate(zip(lines.ink, lines.end, strict=True)):
        if end - start <= builder.line_chars:
            builder.row(start, end, TABLE, context=builder.owner, number=number, block="record")
        else:
            builder.open("record", ATOMIC | UNIT)
            builder.number = number
            JsonReader(builder).read(start, end)
            builder.number = -1
            builder.close()
    builder.close(rows=len(lines))
