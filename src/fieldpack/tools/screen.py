"""The first stage for large outputs: of hundreds of thousands of characters, the lines that can answer are read whole.

Own code: on two busy cores it reads 27 to 52 MB a second of logs, tables and JSON; what it keeps is read by the packer.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldpack.relevance.intent import names_like_stopwords
from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.tools.json_tree import Child, largest_container
from fieldpack.tools.worth import without_progress
from fieldpack.types import BoolArray, IntArray

Scores = npt.NDArray[np.float64]
_WORD = re.compile(r"[^\W_]+(?:[-./:_][^\W_]+)*")
_PART = re.compile(r"[^\W_]+")
_ENDINGS = re.compile(r"(?:ings?|ed|es|s|ly)$")
_HEAD_LINES, _TAIL_LINES = 5, 5
_NEIGHBOUR, _NEIGHBOURS = 0.35, 6
"""What a line gets of the score of the line next to it, half of it from two lines away, and so on; blank lines do not
count."""
_LITERAL = 2.0
_UP = 400
_PRINTED = ("terminal", "plain", "log", "config")
_PIECE = 400
"""Characters of the pieces into which longer lines are parted, and 40 times that is a long line."""


@dataclass(frozen=True)
class Screened:
    """text: the pieces of the whole text that were read, joined; it is of the same form. pieces: (start in `text`,
    start in the whole, length), ascending. dropped: whether anything was left out."""

    text: str
    pieces: tuple[tuple[int, int, int], ...]
    dropped: bool

    def back(self, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Ranges of `text` as ranges of the whole text."""
        starts = [p[0] for p in self.pieces]
        out: list[tuple[int, int]] = []
        for a, b in ranges:
            i = max(0, bisect_right(starts, a) - 1)
            while i < len(self.pieces) and self.pieces[i][0] < b:
                here, there, length = self.pieces[i]
                low, high = max(a, here), min(b, here + length)
                if low < high:
                    out.append((there + low - here, there + high - here))
                i += 1
        return _joined(out)

    def forth(self, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Ranges of the whole text as ranges of `text`; what was left out is left out."""
        out: list[tuple[int, int]] = []
        for a, b in ranges:
            for here, there, length in self.pieces:
                low, high = max(a, there), min(b, there + length)
                if low < high:
                    out.append((here + low - there, here + high - there))
        return out


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for a, b in ranges:
        if out and a == out[-1][1]:
            out[-1] = (out[-1][0], b)
        else:
            out.append((a, b))
    return out


def whole(text: str) -> Screened:
    """A text of which nothing is left out."""
    return Screened(text, ((0, 0, len(text)),), False)


def screened(text: str, query: str, size: int, pins: Sequence[tuple[int, int]] = (), form: str = "plain") -> Screened:
    """About `size` characters of the text: its first and last lines, the pins, and the lines with the query's words,
    each with its neighbours and the lines of smaller indent above it. JSON is cut at its items and stays JSON."""
    if len(text) <= size:
        return whole(text)
    if form == "json":
        return _screened_json(text, query, size, pins)
    starts = line_starts(text)
    ends = np.append(starts[1:], len(text))
    scores = word_scores(text, query, starts)
    if form in _PRINTED:
        scores = without_progress(text, starts, scores)
    inked = _inked(text, starts, ends)
    scores[inked] = _smoothed(scores[inked])
    chosen = np.zeros(len(starts), np.bool_)
    chosen[:_HEAD_LINES] = chosen[-_TAIL_LINES:] = True
    for a, b in pins:
        low, high = np.searchsorted(starts, [a, b - 1], "right")
        chosen[low - 1 : high] = True
    left = size - int((ends - starts)[chosen].sum())
    above = _Enclosing(text, starts)
    for i in np.argsort(-scores, kind="stable").tolist():
        if left <= 0 or scores[i] <= 0:
            break
        for j in (i, *above.of(i)):
            if not chosen[j]:
                chosen[j] = True
                left -= int(ends[j] - starts[j])
    beside = chosen.copy()  # blank lines part what they part in the whole text
    beside[1:] |= chosen[:-1]
    beside[:-1] |= chosen[1:]
    chosen |= beside & ~inked
    return _of_ranges(text, [(int(starts[i]), int(ends[i])) for i in np.flatnonzero(chosen).tolist()])


def line_starts(text: str) -> IntArray:
    """Where the lines begin, as int64; lines of many thousand characters are parted into pieces."""
    breaks = [0, *(m.end() for m in re.finditer("\n", text))]
    if breaks[-1] == len(text) and len(breaks) > 1:
        breaks.pop()
    starts: list[int] = []
    for a, b in zip(breaks, [*breaks[1:], len(text)], strict=True):
        starts.append(a)
        if b - a > 40 * _PIECE:
            starts += _part_starts(text, a, b)
    return np.array(starts, np.int64)


def _part_starts(text: str, start: int, end: int) -> list[int]:
    """Where a very long line is parted: at commas or white space, about every 400 characters."""
    out = []
    while end - start > 2 * _PIECE:
        cut = max(text.rfind(mark, start + _PIECE, start + 2 * _PIECE) for mark in (", ", ",", " "))
        start = cut + 1 if cut > start else start + 2 * _PIECE
        out.append(start)
    return out


def word_scores(text: str, query: str, starts: IntArray) -> Scores:
    """float64 (lines,): the sum of idf over the query's words in each line; a literal such as an id or a path counts
    as a whole and twice, its parts half."""
    lower = text.lower()
    same = lower if len(lower) == len(text) else text  # a few letters change their length
    lines = len(starts)
    scores = np.zeros(lines)
    searched = [(re.escape(word), same, weight) for word, weight in _words(query).items()]
    searched += [(rf"\b{re.escape(name)}\b", text, _LITERAL) for name in names_like_stopwords(query)]
    for pattern, body, weight in searched:
        hits = np.fromiter((m.start() for m in re.finditer(pattern, body)), np.int64)
        if not len(hits):
            continue
        rows = np.unique(np.searchsorted(starts, hits, "right") - 1)
        scores[rows] += weight * math.log(1 + (lines - len(rows) + 0.5) / (len(rows) + 0.5))
    return scores


def _words(query: str) -> dict[str, float]:
    """The query's words in the form that is searched for, with weights."""
    out: dict[str, float] = {}
    for m in _WORD.finditer(query.lower()):
        word = m.group()
        if word in STOPWORDS or (len(word) < 2 and not word.isdigit()):
            continue
        literal = any(c.isdigit() for c in word) or not word.isalnum()
        if literal:
            out[word] = _LITERAL
            for part in _PART.findall(word):
                if part != word and len(part) > 1:
                    out.setdefault(part, 0.5)
            continue
        stem = _ENDINGS.sub("", word)
        out[stem if len(stem) >= 3 else word] = 1.0
    return out


def _inked(text: str, starts: IntArray, ends: IntArray) -> BoolArray:
    """(lines,) whether a line is not blank."""
    return np.array([not text[a:b].isspace() for a, b in zip(starts.tolist(), ends.tolist(), strict=True)], np.bool_)


def _smoothed(scores: Scores) -> Scores:
    """A line also gets a part of what the lines around it have: an answer may stand beside the line that names it."""
    out = scores.copy()
    for distance in range(1, min(_NEIGHBOURS, len(scores) - 1) + 1):
        share = _NEIGHBOUR / 2 ** (distance - 1)
        out[distance:] = np.maximum(out[distance:], share * scores[:-distance])
        out[:-distance] = np.maximum(out[:-distance], share * scores[distance:])
    return out


class _Enclosing:
    """The lines of smaller indent above a line: its section, its keys, the entry that it belongs to."""

    def __init__(self, text: str, starts: IntArray) -> None:
        self._text, self._starts = text, starts.tolist()
        self._known: dict[int, int] = {}

    def _indent(self, i: int) -> int:
        if i not in self._known:
            start = self._starts[i]
            end = self._starts[i + 1] if i + 1 < len(self._starts) else len(self._text)
            line = self._text[start : min(end, start + 200)]
            ink = line.lstrip(" \t")
            self._known[i] = len(line) - len(ink) if ink.strip() else 1 << 30
        return self._known[i]

    def of(self, i: int) -> list[int]:
        """At most eight lines above line i, within 400 lines."""
        out: list[int] = []
        depth = self._indent(i)
        j = i - 1
        while j >= max(0, i - _UP) and depth > 0 and len(out) < 8:
            if self._indent(j) < depth:
                depth = self._indent(j)
                out.append(j)
            j -= 1
        return out


def _of_ranges(text: str, ranges: list[tuple[int, int]]) -> Screened:
    """The screened text of whole lines, in order; where a part of a long line is cut off, a line break ends it."""
    out: list[str] = []
    pieces: list[tuple[int, int, int]] = []
    length = 0
    for a, b in _joined(ranges):
        piece = text[a:b]
        pieces.append((length, a, b - a))
        if not piece.endswith("\n"):
            piece += "\n"
        out.append(piece)
        length += len(piece)
    return Screened("".join(out), tuple(pieces), True)


def _screened_json(text: str, query: str, size: int, pins: Sequence[tuple[int, int]]) -> Screened:
    """JSON with the items of its largest container that can answer."""
    try:
        levels = largest_container(text)
    except (ValueError, RecursionError, IndexError):
        return screened(text, query, size, pins)
    items = levels[-1][1] if levels else []
    if len(items) < 4:
        return whole(text)
    chosen = _best_items(text, query, items, size - (items[0].start + len(text) - items[-1].end), pins)
    parts: list[tuple[int, int]] = [(0, items[0].start)]
    for i in chosen:
        # Each item with the comma and the white space before it, the first one without.
        start = items[i].start if len(parts) == 1 else items[i - 1].end
        parts.append((start, items[i].end))
    parts.append((items[-1].end, len(text)))
    pieces: list[tuple[int, int, int]] = []
    length = 0
    for a, b in parts:
        pieces.append((length, a, b - a))
        length += b - a
    return Screened("".join(text[a:b] for a, b in parts), tuple(pieces), len(chosen) < len(items))


def _best_items(text: str, query: str, items: list[Child], size: int, pins: Sequence[tuple[int, int]]) -> list[int]:
    starts = np.array([c.start for c in items], np.int64)
    scores = word_scores(text, query, starts)
    pinned = {int(np.searchsorted(starts, a, "right")) - 1 for a, _ in pins}
    order = [*sorted(i for i in pinned if i >= 0), *np.argsort(-scores, kind="stable").tolist()]
    chosen: set[int] = set()
    for i in dict.fromkeys(order):
        cost = items[i].end - items[i].start
        if cost <= size or i in pinned or not chosen:
            chosen.add(i)
            size -= cost
        if size <= 0:
            break
    return sorted(chosen)
