"""Where the brackets and commas of a JSON text stand, outside its strings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.types import BoolArray, IntArray

DEEPEST = 64
"""Levels of brackets that are told apart; deeper ones are part of the text of atoms."""
_SPACE = np.array([chr(code).isspace() for code in range(256)])
_WIDE_SPACES = [code for code in range(256, 0x3001) if chr(code).isspace()]
_STEP = np.zeros(256, np.int8)
_STEP[[ord(c) for c in "{["]] = 1
_STEP[[ord(c) for c in "}]"]] = -1
_LIST, _LINE, _QUOTE, _ESCAPE, _COMMA = (ord(c) for c in '[\n"\\,')
_OPENS, _CLOSES, _BIT = ord("["), ord("]"), np.uint8(ord("{") ^ ord("["))
_OTHER = 255


class Unreadable(Exception):
    """The text is not JSON as machines write it."""


def require(condition: Any) -> None:
    """Raises Unreadable unless the condition holds."""
    if not condition:
        raise Unreadable


@dataclass(frozen=True)
class Marks:
    """The m brackets and commas of a text of `length` characters, in order. Where the text ends before its brackets are
    closed, the missing ones stand at its end.

    codes (length + 1,): the characters up to 254, 255 for others and at the end. at (m,): where each mark stands. step
    (m,): 1 for a bracket that opens, -1 for one that closes, 0 for a comma. depth (m,): how many are open behind it.
    partner (m,): the other bracket's number, 0 for commas. before (m,): where the text between the mark before and this
    one begins, `at` without one. lists (m,): it is a [.
    """

    codes: npt.NDArray[np.uint8]
    length: int
    at: IntArray
    step: npt.NDArray[np.int8]
    depth: IntArray
    partner: IntArray
    before: IntArray
    lists: BoolArray

    @classmethod
    def of(cls, text: str) -> Marks:
        """Raises Unreadable where brackets do not match, text stands outside all of them or behind one that closes, or
        a comma stands alone."""
        codes = _codes(text)
        at = _outside_strings(codes)
        missing = int(_STEP[codes[at]].sum())
        require(missing >= 0 and not _SPACE[codes[len(text) - 1]])
        lists = np.append(codes[at] == _LIST, np.zeros(missing, bool))
        step = np.append(_STEP[codes[at]], np.full(missing, -1, np.int8))
        at = np.append(at, np.full(missing, len(text)))
        depth = np.cumsum(step, dtype=np.int64)
        require(at[0] == 0 and at[-1] >= len(text) - 1 and depth[:-1].min() > 0 and depth.max() < DEEPEST)
        before = _next_ink(codes, np.minimum(np.append(0, at[:-1] + 1), len(text)))
        closed = np.append(False, step[:-1] < 0)
        require(not ((before < at) & closed).any() and not ((before == at) & ~closed & (step == 0)).any())
        partner = _partners(step, depth)
        told = (step < 0) & (at < len(text))
        require((codes[at[told]] == codes[at[partner[told]]] + 2).all())
        return cls(
            codes=codes,
            length=len(text),
            at=at,
            step=step,
            depth=depth,
            partner=partner,
            before=before,
            lists=lists,
        )

    @property
    def content(self) -> BoolArray:
        """(m,) whether text stands between the mark before and this one: a scalar, or the key of a bracket."""
        return self.before < self.at

    def starts(self) -> IntArray:
        """(m,) where the text before a mark begins, with the brackets without a key right before it."""
        bare = np.append(False, ((self.step > 0) & ~self.content)[:-1])
        return self.before[np.maximum.accumulate(np.where(bare, 0, np.arange(len(bare))))]

    def ends(self, marks: IntArray) -> IntArray:
        """Where the text before each of some marks ends."""
        end = self.at[marks]
        blank = np.flatnonzero(_SPACE[self.codes[end - 1]])
        if len(blank):
            ink = np.flatnonzero(~_SPACE[self.codes])
            end[blank] = ink[np.searchsorted(ink, end[blank]) - 1] + 1
        return end

    def line_between(self, low: IntArray, high: IntArray) -> BoolArray:
        """Whether a line break stands in each range."""
        lines = np.flatnonzero(self.codes == _LINE)
        return np.searchsorted(lines, high) > np.searchsorted(lines, low) if len(lines) else np.zeros(len(low), bool)


def _codes(text: str) -> npt.NDArray[np.uint8]:
    if text.isascii():
        return np.append(np.frombuffer(text.encode(), np.uint8), np.uint8(_OTHER))
    wide = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    codes = np.append(np.minimum(wide, _OTHER).astype(np.uint8), np.uint8(_OTHER))
    other = np.flatnonzero(wide >= _OTHER)
    codes[other[np.isin(wide[other], _WIDE_SPACES)]] = ord(" ")
    return codes


def _next_ink(codes: npt.NDArray[np.uint8], places: IntArray) -> IntArray:
    """The next place from each of some on that is no white space."""
    out: IntArray = places + _SPACE[codes[places]]  # one blank is what most writers put
    blank = np.flatnonzero(_SPACE[codes[out]])
    if len(blank):
        ink = np.flatnonzero(~_SPACE[codes])
        out[blank] = ink[np.searchsorted(ink, out[blank])]
    return out


def _outside_strings(codes: npt.NDArray[np.uint8]) -> IntArray:
    """The places of brackets and commas outside strings."""
    quotes = np.flatnonzero(codes == _QUOTE)
    escapes = np.flatnonzero(codes == _ESCAPE)
    if len(escapes):
        begins = np.diff(escapes, prepend=-2) > 1
        first, last = escapes[begins], escapes[np.append(begins[1:], True)]
        escaped = np.zeros(len(codes) + 1, bool)
        escaped[last[(last - first) % 2 == 0] + 1] = True
        quotes = quotes[~escaped[quotes]]
    inside = np.zeros(len(codes), np.uint8)
    inside[quotes] = 1
    inside = np.cumsum(inside, dtype=np.uint8)  # wraps at 256: only whether it is odd counts
    folded = codes & ~_BIT  # { and [, } and ] differ in one bit
    marks: IntArray = np.flatnonzero((folded == _OPENS) | (folded == _CLOSES) | (codes == _COMMA))
    outside: IntArray = marks[inside[marks] % 2 == 0]
    return outside


def _partners(step: npt.NDArray[np.int8], depth: IntArray) -> IntArray:
    """(m,) the other bracket of each: those of one depth follow each other in turns."""
    brackets = np.flatnonzero(step)
    level = (depth[brackets] + (step[brackets] < 0)).astype(np.int8)
    pairs = brackets[np.argsort(level, kind="stable")].reshape(-1, 2)
    partner = np.zeros(len(step), np.int64)
    partner[pairs[:, 0]], partner[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
    return partner
