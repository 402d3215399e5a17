"""A text as its lines that hold ink: where each starts, its range without white space, its indentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fieldpack.types import IntArray

TAB = 4
_INK = re.compile(r"\S[^\n]*+")
_WINDOW, _CRUMB, _MANY = 256, 16, 50_000


@dataclass(slots=True)
class Lines:
    """The lines of [low, high) that are not blank, as columns.

    begin: where the line starts. ink, end: its range without the white space around it. indent: columns before the ink
    (a tab goes on to the next multiple of 4). gap: whether a blank line or the start of the range stands before it.
    """

    begin: list[int]
    ink: list[int]
    end: list[int]
    indent: list[int]
    gap: list[bool]

    def __len__(self) -> int:
        return len(self.ink)

    def part(self, n: int) -> None:
        """Line n begins a block of its own from now on, as if a blank line stood before it; no line n: nothing."""
        if n < len(self.gap):
            self.gap[n] = True


def read_lines(text: str, low: int, high: int) -> Lines:
    """The lines of a normalised text in [low, high) that hold ink; low stands at the start of a line."""
    begin: list[int] = []
    inks: list[int] = []
    ends: list[int] = []
    indents: list[int] = []
    gaps: list[bool] = []
    before, previous = low, -1
    separated = "\u2029" in text
    for match in _INK.finditer(text, low, high):
        ink, stop = match.span()
        start = text.rfind("\n", before, ink) + 1 or before
        white = text[start:ink]
        end = stop
        if text[end - 1].isspace():
            end = ink + len(text[ink:stop].rstrip())
        begin.append(start)
        inks.append(ink)
        ends.append(end)
        indents.append(ink - start if "\t" not in white else len(white.expandtabs(TAB)))
        gaps.append(previous < 0 or start > previous + 1 or (separated and "\u2029" in text[end:stop]))
        before, previous = stop, stop
    return Lines(begin, inks, ends, indents, gaps)


def crumb_windows(text: str) -> Iterator[tuple[int, int, bool]]:
    """Ranges of the text, and whether each is a run of 256 lines that average fewer than 16 characters, in a text of
    very many lines: millions of one-letter lines would cost a kilobyte and more each, and say nothing one by one."""
    if text.count("\n") - text.count("\n\n") <= _MANY:
        yield 0, len(text), False
        return
    width = "latin-1" if text.isascii() else "utf-32-le"
    codes = np.frombuffer(text.encode(width, "surrogatepass"), np.uint8 if text.isascii() else np.uint32)
    borders: IntArray = np.append(0, np.flatnonzero(codes == 10)[_WINDOW - 1 :: _WINDOW] + 1)
    borders = np.unique(np.append(borders, len(text)))
    crumbs = np.diff(borders) < _CRUMB * _WINDOW
    if len(crumbs):
        crumbs[-1] &= text.count("\n", int(borders[-2])) * _CRUMB > len(text) - int(borders[-2])
    start = 0
    for i in range(len(crumbs)):
        if i + 1 == len(crumbs) or crumbs[i + 1] != crumbs[i]:
            yield start, int(borders[i + 1]), bool(crumbs[i])
            start = int(borders[i + 1])
