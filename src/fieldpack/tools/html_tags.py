"""HTML after a cut: tables and lists around kept text are opened before it and closed after it, so that they stay so.

Own code: parsers give trees whose text is not the text that came in; here every kept character is as it was read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_TAG = re.compile(r"<(/?)([a-zA-Z][\w:-]*)[^<>]*>")
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
_STRUCTURE = frozenset(["table", "thead", "tbody", "tfoot", "tr", "ul", "ol", "dl", "select", "pre"])
"""Elements that are opened around kept text, without their attributes; others change nothing of what it means."""
_IMPLIED = {"li": ("li",), "tr": ("tr", "td", "th"), "td": ("td", "th"), "th": ("td", "th"), "p": ("p",)}
"""Tags that end an open one of the named kinds."""
_DEEPEST = 64


def closed(text: str, kept: Sequence[tuple[int, int]]) -> str:
    """The kept ranges (ascending, disjoint) of an HTML text, with the tags that enclose them."""
    cutter = _Cutter(text)
    for start, end in kept:
        cutter.keep(start, end)
    return cutter.done()


class _Cutter:
    """open: the elements that are open at this place, with whether their begin tag stands in `out`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.out: list[str] = []
        self.open: list[tuple[str, bool]] = []
        self._tags = _TAG.finditer(text)
        self._next = next(self._tags, None)
        self._at = 0

    def keep(self, start: int, end: int) -> None:
        """Writes text[start:end], what encloses it before it."""
        self._pass(start, False)
        if self.out and self.text[self._at : start].strip():
            self.out.append("\n")
        for i, (name, written) in enumerate(self.open):
            if not written and name in _STRUCTURE:
                self.out.append(f"<{name}>\n")
                self.open[i] = (name, True)
        self.out.append(self.text[start:end])
        self._pass(end, True)
        self._at = end

    def done(self) -> str:
        """All that was written, with what is still open closed."""
        self.out += [f"</{name}>" for name, written in reversed(self.open) if written]
        return "".join(self.out)

    def _pass(self, end: int, inside: bool) -> None:
        """Goes over the tags before `end`. inside: whether they are written themselves."""
        while self._next is not None and self._next.start() < end:
            self._tag(self._next, inside)
            self._next = next(self._tags, None)

    def _tag(self, tag: re.Match[str], inside: bool) -> None:
        name = tag.group(2).lower()
        if name in _VOID or self.text[tag.end() - 2] == "/":
            return
        if not tag.group(1):
            while self.open and self.open[-1][0] in _IMPLIED.get(name, ()):
                self._close(False)
            self.open.append((name, inside))
        elif any(n == name for n, _ in self.open[-_DEEPEST:]):
            while self.open[-1][0] != name:
                self._close(not inside)
            self._close(not inside)

    def _close(self, write: bool) -> None:
        name, written = self.open.pop()
        if write and written:
            self.out.append(f"</{name}>")
