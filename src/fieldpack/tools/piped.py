"""A pipe of any length in bounded memory: what is held is the beginning, the end, and the lines with the query's words.

Up to `hold` characters everything is held and nothing is lost; of a longer text lines are let go, the least like the
query first, and counted.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fieldpack.tools.screen import word_scores

HOLD = 8 << 20
"""Characters held, about 40 MB of memory."""
_LONGEST_LINE = 64_000


@dataclass(frozen=True)
class Piped:
    """text: what was held, in order. lines: of the whole pipe; let_go: those that are not in `text`."""

    text: str
    lines: int
    let_go: int


def piped(chunks: Iterable[str], query: str, hold: int = HOLD) -> Piped:
    """Reads chunks as they come. Lines of more than 64,000 characters are parted."""
    held = _Held(query, hold)
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split("\n")
        held.add([line + "\n" for line in lines])
        while len(rest) > _LONGEST_LINE:
            held.add([rest[:_LONGEST_LINE]])
            rest = rest[_LONGEST_LINE:]
    if rest:
        held.add([rest])
    return held.done()


class _Held:
    """A sixteenth for the first lines, as much for the last ones, the rest for the best."""

    def __init__(self, query: str, hold: int) -> None:
        self.query = query
        self._part, self._left = hold // 16, hold - 2 * (hold // 16)
        self._first: list[tuple[int, str]] = []
        self._last: deque[tuple[int, str]] = deque()
        self._best: list[tuple[float, int, str]] = []
        self._sizes = [0, 0, 0]
        self._number = self._let_go = 0

    def add(self, lines: list[str]) -> None:
        """Takes lines; those that leave the end of the text are scored together."""
        older: list[tuple[int, str]] = []
        for line in lines:
            entry = (self._number, line)
            self._number += 1
            if not self._last and not self._best and self._sizes[0] < self._part:
                self._first.append(entry)
                self._sizes[0] += len(line)
                continue
            self._last.append(entry)
            self._sizes[1] += len(line)
            while self._sizes[1] > self._part and len(self._last) > 1:
                older.append(self._last.popleft())
                self._sizes[1] -= len(older[-1][1])
        self._screen(older)

    def _screen(self, lines: list[tuple[int, str]]) -> None:
        if not lines:
            return
        starts = np.cumsum([0, *(len(line) for _, line in lines[:-1])], dtype=np.int64)
        scores = word_scores("".join(line for _, line in lines), self.query, starts)
        for score, (number, line) in zip(scores.tolist(), lines, strict=True):
            heapq.heappush(self._best, (score, -number, line))
            self._sizes[2] += len(line)
        while self._sizes[2] > self._left:
            self._sizes[2] -= len(heapq.heappop(self._best)[2])
            self._let_go += 1

    def done(self) -> Piped:
        """All that is held."""
        best = [(-number, line) for _, number, line in self._best]
        lines = sorted([*self._first, *best, *self._last])
        return Piped("".join(line for _, line in lines), self._number, self._let_go)
