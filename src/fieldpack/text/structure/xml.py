"""XML as it stands: elements that hold only text are atoms, and go with the start tags that enclose them.

As with JSON (records.py) nothing is parsed into values, any text is read, also a truncated one, and an element of up to
120 characters is one atom, so that a record of a few fields stays together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

from fieldpack.text.cuts import trim
from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.json_arrays import SMALL, UNIT_CHARS
from fieldpack.text.structure.json_marks import DEEPEST
from fieldpack.text.structure.model import KEY, SENTENCE, TABLE, UNIT

_ATTRIBUTES = r"(?:[^<>\"'/]++|\"[^\"<]*+\"|'[^'<]*+'|/(?!>))*+"
_TOKEN = re.compile(
    rf"<!--(?:[^-]++|-(?!->))*+(?:-->)?+|<!\[CDATA\[(?:[^\]]++|\](?!\]>))*+(?:\]\]>)?+|<[?!][^<>]*+>?+"
    # in property lists a key stands before its value
    rf"|(?P<flat>(?:<key>[^<]*+</key>\s*+(?!<key>))?<(?P<leaf>[\w:.-]++){_ATTRIBUTES}(?:/>|>[^<]*+</(?P=leaf)\s*+>))"
    rf"|<(?P<open>[\w:.-]++){_ATTRIBUTES}>|</(?P<close>[\w:.-]++)\s*+>"
)
_ROOT = re.compile(r"\s*+(?:<[?!][^<>]*+>\s*+|<!--(?:[^-]++|-(?!->))*+-->\s*+)*+<(?P<name>[\w:.-]++)")
_CLOSING = re.compile(r"</([\w:.-]++)\s*+>")
_LONGEST_PROSE = 8000
_OF_PAGES = frozenset(["html", "body", "div", "p", "table", "tr", "td", "th", "ul", "ol", "li", "dl", "dt", "dd", "h1"])
_OF_PAGES |= frozenset(
    ["h2", "h3", "h4", "span", "a", "b", "i", "em", "strong", "pre", "section", "article", "nav", "main"]
)
_OF_PAGES |= frozenset(["header", "footer", "form"])


def is_xml(head: str) -> bool:
    """Whether a text is XML that is no page: it begins with a tag, and closes few of the elements of HTML."""
    root = _ROOT.match(head)
    if root is None or root["name"].lower() in _OF_PAGES:
        return False
    closed = _CLOSING.findall(head)
    return len(closed) >= 3 and sum(name.lower() in _OF_PAGES for name in closed) <= 0.5 * len(closed)


@dataclass(slots=True)
class _Level:
    """An open element. start: where it begins. tag: the atom of its start tag, the first of it. naming: the first field
    of a record, which the others go with. children: the first atom of each element in it; names: how many have each.
    mixed: whether words stand between its elements."""

    name: str
    start: int
    tag: int
    naming: int = -1
    mixed: bool = False
    children: list[int] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, atom: int) -> None:
        """An element begins in it."""
        self.children.append(atom)
        self.names[name] = self.names.get(name, 0) + 1

    def is_list(self) -> bool:
        """Whether most of its elements are of one name."""
        return max(self.names.values(), default=0) >= max(2, 0.6 * len(self.children))


class _Reader:
    """Reads XML into a builder."""

    def __init__(self, builder: Builder) -> None:
        self.builder, self.text = builder, builder.text
        self.levels: list[_Level] = []

    def read(self, low: int, high: int) -> None:
        """Reads the range [low, high)."""
        at = low
        for token in _TOKEN.finditer(self.text, low, high):
            if self.levels and not self.text[at : token.start()].isspace() and token.start() > at:
                self.levels[-1].mixed = True
            self._words(at, token.start())
            at = token.end()
            if token["flat"]:
                self._flat(token["leaf"], token.start(), token.end())
            elif token["open"] and len(self.levels) < DEEPEST:
                self._open(token)
            elif token["close"]:
                self._close(token)
            else:
                self._atom(token.start(), token.end())
        self._words(at, high)
        while self.levels:
            self._leave(self.builder.span(self.builder.count - 1)[1])

    def _atom(self, start: int, end: int) -> int:
        level = self.levels[-1] if self.levels else None
        context = self.builder.owner if level is None else level.tag if level.naming < 0 else level.naming
        return self.builder.line(start, end, TABLE, context)

    def _flat(self, name: str, start: int, end: int) -> None:
        """An element without another in it. The first field of a record names it: the others go with that."""
        at = self._atom(start, end)
        if self.levels:
            self.levels[-1].add(name, at)
        if len(self.levels) > 1 and self.levels[-1].naming < 0 and not self.text.startswith("<key>", start):
            self.levels[-1].naming = at

    def _words(self, start: int, end: int) -> None:
        start, end = trim(self.text, start, end)
        if end > start:
            self.builder.sentences(start, end, SENTENCE, self.levels[-1].tag if self.levels else -2)

    def _open(self, token: re.Match[str]) -> None:
        tag = self._atom(token.start(), token.end())
        self.builder.set_role(tag, KEY)
        if self.levels:
            self.levels[-1].add(token["open"], tag)
        self.builder.open("record")
        self.levels.append(_Level(token["open"], token.start(), tag))

    def _close(self, token: re.Match[str]) -> None:
        """An end tag belongs to what stands before it."""
        if all(level.name != token["close"] for level in self.levels):
            self._atom(token.start(), token.end())
            return
        while self.levels[-1].name != token["close"]:  # elements that are never closed
            self._leave(token.start())
        last = self.builder.count - 1
        if token.end() - self.builder.span(last)[0] <= self.builder.max_chars:
            self.builder.set_end(last, token.end())
        else:
            self.builder.mark(token.start(), token.end(), TABLE)
        self._leave(token.end())

    def _leave(self, end: int) -> None:
        """Ends the innermost element: a small one becomes one atom, words with marks in them are read as prose, and the
        elements of a list are its rows."""
        level = self.levels.pop()
        small = end - level.start <= min(SMALL, self.builder.max_chars)
        if small or (level.mixed and level.children and end - level.start <= _LONGEST_PROSE):
            self.builder.undo(level.tag)
            start, end = trim(self.text, level.start, end)
            if small:
                self._atom(start, end)
            else:
                self._words(start, end)
            return
        rows = len(level.children) if level.is_list() else 0
        for row, (first, last) in enumerate(pairwise([*level.children, self.builder.count]) if rows else ()):
            self.builder.number_rows(first, last, row)
        self.builder.close(UNIT if end - level.start <= UNIT_CHARS else 0, rows=rows)


def read_xml(builder: Builder, low: int, high: int) -> None:
    """Reads [low, high) as XML."""
    _Reader(builder).read(low, high)
