"""reStructuredText as blocks: a heading goes with what it heads; directives, literals, lists, tables stay whole."""

from __future__ import annotations

import re

from fieldpack.text.blocks import CODE, LIST, PARAGRAPH, TABLE, Block, Limits
from fieldpack.text.cuts import trim
from fieldpack.text.markdown import Scanner

_GAP = re.compile(r"\n(?:[^\S\n]*+\n)++")
_TITLE = re.compile(
    r"(?:(?P<over>([!-/:-@\[-`{-~])\2{2,}+)[ ]*\n)?[ ]?(?P<title>\S[^\n]*)\n"
    r"(?P<under>([!-/:-@\[-`{-~])\5{1,}+)[ ]*(?:\n|\Z)"
)
_DIRECTIVE = re.compile(r"\.\.[ \n]")
_ITEM = re.compile(r"(?:[-*+•]|(?:\d{1,9}|#|[a-z])[.)])[ \n]")
_TABLE = re.compile(r"\+[-=+]+\+|={2,}(?: +={2,})+")


def rst_blocks(text: str, start: int, end: int, limits: Limits) -> list[Block]:
    """Blocks of normalised reStructuredText in [start, end)."""
    scan = Scanner(text, end, limits)
    styles: list[tuple[str, bool]] = []  # underline and overline, in the order of first sight: that is their level
    low = trim(text, start, end)[0]
    while text.rfind("\n", start, low) < low - 1 and low > start and text[low - 1] in " \t":
        low -= 1  # keep the first chunk's indentation
    for gap in (*_GAP.finditer(text, low, end), None):
        high = gap.start() if gap else end
        scan.gap = True
        if high > low:
            _chunk(scan, low, high, styles)
        low = gap.end() if gap else end
    scan.close()
    return scan.blocks


def _chunk(scan: Scanner, low: int, high: int, styles: list[tuple[str, bool]]) -> None:
    """Reads what lies between two blank lines."""
    text = scan.text
    if text[low].isspace():
        _indented(scan, low, high)
        return
    title = _TITLE.match(text, low, high)
    if title and _is_heading(title):
        style = (title["under"][0], title["over"] is not None)
        if style not in styles:
            styles.append(style)
        scan.heading(low, title.end(), styles.index(style) + 1)
        if text[title.end() : high].strip():
            _chunk_of(scan, title.end(), high)
        return
    _chunk_of(scan, low, high)


def _is_heading(title: re.Match[str]) -> bool:
    return len(title["under"]) >= min(len(title["title"].rstrip()), 4) and (
        title["over"] is None or title["over"][0] == title["under"][0]
    )


def _indented(scan: Scanner, low: int, high: int) -> None:
    """An indented chunk goes on with the directive, literal block or list above it; else it is quoted text."""
    if scan.kind in (CODE, LIST):
        scan.stop = high
        return
    if _ITEM.match(scan.text, trim(scan.text, low, high)[0], high):
        scan.extend(LIST, low, high)
        return
    leads = scan.kind == PARAGRAPH and scan.text[scan.start : scan.stop].rstrip().endswith("::")
    scan.close()
    scan.extend(CODE if leads else PARAGRAPH, low, high)


def _chunk_of(scan: Scanner, low: int, high: int) -> None:
    """A chunk at the margin, by how it begins: an item, a directive or doctest, a table, or prose."""
    text = scan.text
    if _ITEM.match(text, low, high):
        scan.extend(LIST, low, high)
        return
    scan.close()
    if _DIRECTIVE.match(text, low, high) or text.startswith(">>> ", low):
        scan.extend(CODE, low, high)
    else:
        scan.extend(TABLE if _TABLE.match(text, low, high) else PARAGRAPH, low, high)
