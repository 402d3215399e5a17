"""Contents and navigation in text: lists of links alone, lines of dots that end in a page number."""

from __future__ import annotations

import re

from fieldpack.text.structure.model import BOILERPLATE, LIST, UNIT
from fieldpack.text.structure.walk import DocumentReader

_LINK = re.compile(r"(?:[-*+•]|\d{1,3}[.)])?[ \t]*\[[^\[\]]+\](?:\([^()\s]+\)|\[[^\]]*\])?$")
_LEADER = re.compile(r"\S.*?(?:[ .]{4,}|\.{3,}|…+)\s*(?:\d{1,4}|[ivxl]{1,6})$")
_FEWEST = 3


def contents(r: DocumentReader, i: int, j: int) -> int:
    """Three lines and more that are links into the page or its neighbours alone, or end in a page number after dots."""
    lines = r.lines
    if j - i < _FEWEST or lines.gap[i + 1] or lines.gap[i + 2]:
        return i
    k = i
    while k < j and (k == i or not lines.gap[k]) and _is_entry(r, k):
        k += 1
    if k - i < _FEWEST or (k < j and not lines.gap[k]):
        return i
    r.builder.open("navigation", BOILERPLATE | UNIT)
    for number, n in enumerate(range(i, k)):
        r.builder.line(lines.ink[n], lines.end[n], LIST, r.builder.owner, number)
    r.builder.close(rows=k - i)
    return k


def _is_entry(r: DocumentReader, n: int) -> bool:
    start, end = r.lines.ink[n], min(r.lines.end[n], r.lines.ink[n] + 300)
    last = r.text[end - 1]
    if last not in ")]" and not last.isalnum():
        return False
    line = r.text[start:end]
    if last in ")]":
        return _LINK.match(line) is not None and "://" not in line
    return "..." in line.replace(" .", "..").replace("…", "...") and _LEADER.match(line) is not None
