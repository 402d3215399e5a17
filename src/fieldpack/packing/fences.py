"""Fences of Markdown code: where the line that opens a block is packed, the line that closes it is wanted too. Without
it all that follows is read as code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from fieldpack.types import BoolArray, Document, IntArray, Segments

_FENCE = re.compile(r"^[ \t]{0,12}(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)$", re.M)


def closing_fences(documents: Sequence[Document], segments: Segments, inside: BoolArray) -> IntArray:
    """The rows that close a block of code whose opening line is in a row `inside` (n,), where they are not. A row that
    holds more than the closing line is none of them."""
    missing: list[int] = []
    kept = np.flatnonzero(inside)
    for number in np.unique(segments.doc[kept]).tolist():
        text = documents[number].text
        rows = kept[segments.doc[kept] == number].tolist()
        if not any(_FENCE.search(text, int(segments.start[r]), int(segments.end[r])) for r in rows):
            continue
        first, last = np.searchsorted(segments.doc, [number, number + 1])
        starts = segments.start[first:last]
        for opened, closed in _blocks(text):
            opening, closing = (int(first + np.searchsorted(starts, at, "right")) - 1 for at in (opened, closed))
            if opening < first or not inside[opening] or inside[closing]:
                continue
            if text[int(segments.start[closing]) : int(segments.end[closing])].strip("`~ \t") == "":
                missing.append(closing)
    return np.array(missing, np.int64)


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Where each fenced block opens and closes: the first sign of its two fences (CommonMark 4.5)."""
    opened = None
    for line in _FENCE.finditer(text):
        fence = line["fence"]
        if opened is None:
            opened = line
        elif not line["info"].strip() and fence[0] == opened["fence"][0] and len(fence) >= len(opened["fence"]):
            yield opened.start("fence"), line.start("fence")
            opened = None
