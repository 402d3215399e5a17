"""XML after a cut: elements around kept text are opened before it, with their attributes, and closed after it.

Own code: parsers give trees whose text is not the text that came in; here every kept character is as it was read.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from xml.parsers import expat

_MARKUP = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<(?P<end>/?)(?P<name>[^\s<>/!?]+)(?:[^<>\"']|\"[^\"]*\"|'[^']*')*?(?P<empty>/?)>",
    re.S,
)
_ROOT = re.compile(r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*<(?P<name>[A-Za-z_][\w:.-]*)", re.S)
_LARGEST = 4 << 20
Ranges = list[tuple[int, int]]


def is_xml(text: str) -> bool:
    """Whether a text is one well-formed XML element without a document type, and no page of HTML."""
    root = _ROOT.match(text)
    if root is None or root["name"].lower() == "html" or len(text) > _LARGEST:
        return False
    if not text.rstrip().endswith((f"</{root['name']}>", "/>")) or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return False
    parser = expat.ParserCreate("utf-8")
    try:
        parser.Parse(_undeclared(text).encode("utf-8"), True)
    except (expat.ExpatError, UnicodeEncodeError):
        return False
    return True


def _undeclared(text: str) -> str:
    """The text without an encoding in its declaration: it was decoded before."""
    return re.sub(r"\A(\s*<\?xml[^>]*?)\s+encoding=(?:\"[^\"]*\"|'[^']*')", r"\1", text)


@dataclass
class _Open:
    """An element that is open. written: whether its begin tag stands in the output."""

    name: str
    tag: str
    written: bool


class Elements:
    """The tags, comments and sections of one text, read once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._marks = list(_MARKUP.finditer(text))
        self._starts = [m.start() for m in self._marks]

    def whole(self, ranges: Sequence[tuple[int, int]]) -> Ranges:
        """The ranges grown so that none cuts through a tag, a comment or a section, and merged."""
        out: Ranges = []
        for a, b in ranges:
            first, last = self._around(a), self._around(b)
            low = first.start() if first is not None else a
            high = last.end() if last is not None else b
            if out and low <= out[-1][1]:
                out[-1] = (out[-1][0], max(out[-1][1], high))
            else:
                out.append((low, high))
        return out

    def _around(self, at: int) -> re.Match[str] | None:
        i = bisect_right(self._starts, at) - 1
        return self._marks[i] if i >= 0 and self._marks[i].start() < at < self._marks[i].end() else None

    def closed(self, kept: Sequence[tuple[int, int]]) -> str:
        """The kept ranges (as `whole` gives them), with the tags that enclose them."""
        out: list[str] = []
        opened: list[_Open] = []
        at = 0
        for a, b in kept:
            at = self._pass(at, a, opened, out, inside=False)
            if out:
                out.append("\n")
            for element in opened:
                if not element.written:
                    out.append(f"{element.tag}\n")
                    element.written = True
            out.append(self.text[a:b])
            at = self._pass(at, b, opened, out, inside=True)
        out += [f"\n</{element.name}>" for element in reversed(opened) if element.written]
        return "".join(out)

    def _pass(self, at: int, end: int, opened: list[_Open], out: list[str], *, inside: bool) -> int:
        """Goes over the marks from number `at` on that begin before `end`; the number of the next one. inside: whether
        they are written themselves."""
        while at < len(self._marks) and self._starts[at] < end:
            mark = self._marks[at]
            at += 1
            if not mark["name"] or mark["empty"]:
                continue
            if not mark["end"]:
                opened.append(_Open(mark["name"], mark.group(), inside))
                continue
            element = opened.pop()
            if element.written and not inside:
                out.append(f"\n</{element.name}>")
        return at
