"""A text as the units that extraction keeps or drops whole: sentences, list items, headings, tables, code blocks."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from fieldpack.compress.protect import code_blocks, is_code, protected
from fieldpack.types import Document

_ITEM = re.compile(r"^[ \t]*(?:[-*+•]|\d{1,9}[.)])[ \t]", re.MULTILINE)


_WHOLE = 1 << 30  # characters: nothing is cut because of its length


class Unit(NamedTuple):
    """`text[start:end]`, trimmed (code blocks and list items keep their indentation), of paragraph `paragraph`."""

    start: int
    end: int
    kind: str
    paragraph: int


def read_units(text: str) -> list[Unit]:
    """The units of `text` in reading order: disjoint, covering all that is not white space."""
    if is_code(text):
        return _code_units(text)
    units: list[Unit] = []
    at = 0
    for start, end in [*code_blocks(text), (len(text), len(text))]:
        units += _sentences(text, at, start, _next(units))
        if end > start:
            units.append(Unit(start, end, "code", _next(units)))
        at = end
    return _rejoined(text, units)


def assemble(text: str, units: Sequence[Unit], chosen: Sequence[int]) -> str:
    """The chosen units (sorted indices) verbatim, joined as they stood: by a space, a line break or a blank line."""
    parts: list[str] = []
    before = -1
    for i in chosen:
        unit = units[i]
        if parts:
            gap = text[units[i - 1].end : unit.start]
            parts.append(_separator(gap, before == i - 1, units[before].paragraph == unit.paragraph))
        parts.append(text[unit.start : unit.end])
        before = i
    return "".join(parts)


def _separator(gap: str, neighbours: bool, same_paragraph: bool) -> str:
    if not same_paragraph and not (neighbours and gap.count("\n") == 1):
        return "\n\n"
    return "\n" if "\n" in gap else (" " if gap else "")


def _next(units: Sequence[Unit]) -> int:
    return units[-1].paragraph + 1 if units else 0


def _code_units(text: str) -> list[Unit]:
    """Source code by function or class; only what is longer than a segment may be is cut, between its own parts."""
    from fieldpack.text.segment import segment

    units = []
    for row in segment([Document("text", text)], "paragraph"):
        line = text.rfind("\n", 0, row.start) + 1
        start = row.start if text[line : row.start].strip() else line
        units.append(Unit(start, row.end, "code", row.parent))
    return units


def _sentences(text: str, start: int, end: int, paragraph: int) -> list[Unit]:
    """Sentences, list items, headings and tables of a range without code blocks."""
    from fieldpack.text.segment import kind_of, segment

    body = Document("text", text[start:end])
    kind = "plain" if kind_of(body) in ("python", "code") else kind_of(body)
    units: list[Unit] = []
    for row in segment([Document("text", body.text, metadata={"kind": kind})], "sentence", _WHOLE, _WHOLE):
        low, high = start + row.start, start + row.end
        for a, b in _items(text, low, high) if row.kind == "list" else [(low, high)]:
            units.append(Unit(a, b, row.kind, paragraph + row.parent))
    return units


def _items(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """A list block cut before each item; a line that continues an item stays with it."""
    cuts = [start, *(m.start() for m in _ITEM.finditer(text, start, end) if m.start() > start), end]
    pairs = ((a, b) for a, b in pairwise(cuts))
    return [(a, a + len(text[a:b].rstrip())) for a, b in pairs if text[a:b].strip()]


def _rejoined(text: str, units: list[Unit]) -> list[Unit]:
    """Neighbours whose border falls inside a protected range (a quotation of two sentences) are one unit."""
    inner = [(a, b) for a, b in protected(text) if b - a > 1]
    ends = [b for _, b in inner]
    whole: list[Unit] = []
    for unit in units:
        if whole:
            at = bisect_left(ends, whole[-1].end + 1)
            cut = at < len(inner) and inner[at][0] < whole[-1].end and inner[at][1] > whole[-1].end
            if cut and inner[at][1] > unit.start:
                whole[-1] = whole[-1]._replace(end=max(unit.end, whole[-1].end))
                continue
        whole.append(unit)
    return whole
