"""A text as its lines that hold ink: where each starts, its range without white space, its indentation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fieldpack.types import IntArray

TAB = 4
_PASSAGE = 2000
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


class Bounds(NamedTuple):
    """Lines that hold ink as columns (n,): where each starts, its range without white space, and its number among all
    lines."""

    begin: IntArray
    ink: IntArray
    end: IntArray
    number: IntArray


def line_bounds(text: str, low: int, high: int) -> Bounds:
    """The lines of a normalised text in [low, high) that hold ink; low stands at the start of a line."""
    pieces = text[low:high].split("\n")
    count = len(pieces)
    length = np.fromiter(map(len, pieces), np.int64, count)
    right = np.fromiter(map(len, map(str.rstrip, pieces)), np.int64, count)
    left = length - np.fromiter(map(len, map(str.lstrip, pieces)), np.int64, count)
    begin = low + np.concatenate(([0], np.cumsum(length[:-1] + 1)))
    number = np.flatnonzero(right)
    begin, left, right = begin[number], left[number], right[number]
    return Bounds(begin, begin + left, begin + right, number)


def read_lines(text: str, low: int, high: int) -> Lines:
    """The lines of a normalised text in [low, high) that hold ink; low stands at the start of a line."""
    if high - low <= _PASSAGE and text.find("\n", low, high) < 0:  # most passages: less than the arrays take
        line = text[low:high]
        start, stop = high - len(line.lstrip()), low + len(line.rstrip())
        if start == high:
            return Lines([], [], [], [], [])
        return Lines([low], [start], [stop], [len(line[: start - low].expandtabs(TAB))], [True])
    begin, ink, end, number = line_bounds(text, low, high)
    indent = (ink - begin).tolist()
    gap = np.diff(number, prepend=-2) > 1
    begins, inks, ends, gaps = begin.tolist(), ink.tolist(), end.tolist(), gap.tolist()
    if text.find("\t", low, high) >= 0:
        for n in np.flatnonzero(ink > begin).tolist():
            white = text[begins[n] : inks[n]]
            if "\t" in white:
                indent[n] = len(white.expandtabs(TAB))
    if text.find("\u2029", low, high) >= 0:  # a line may end in a mark that parts paragraphs
        stops = [text.find("\n", stop, high) for stop in ends]
        gaps = [
            apart or "\u2029" in text[stop : high if stops[n] < 0 else stops[n]]
            for n, (apart, stop) in enumerate(zip(gaps, ends, strict=True))
        ]
    return Lines(begins, inks, ends, indent, gaps)


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
