"""Markdown as blocks: a heading goes with what it heads; front matter, fenced code, tables and lists stay whole.

A line scanner after CommonMark's block rules, cut down to what packing needs; inline markup is left alone.
"""

from __future__ import annotations

import re

from fieldpack.text.blocks import CODE, HEADING, LIST, PARAGRAPH, TABLE, Block, Limits, limited
from fieldpack.text.cuts import trim

_FRONT = re.compile(r"\s*(-{3}|\+{3})[^\S\n]*\n(?=[\w\"'{#])(?:(?!\1)[^\n]*\n){0,400}?\1[^\S\n]*(?:\n|\Z)")
_LINE = re.compile(
    r"""(?P<blank>[^\S\n]*+(?:\n|\Z))
    |(?P<fence>[^\S\n]{0,3}(?P<mark>`{3,}+|~{3,}+)[^`\n]*+\n?)
    |(?P<heading>[ ]{0,3}\#{1,6}(?=[^\S\n]|\n|\Z)[^\n]*\n?)
    |(?P<rule>[ ]{0,3}(?P<r>[-*_])(?:[ \t]*+(?P=r)){2,}[ \t]*+(?:\n|\Z))
    |(?P<setext>[ ]{0,3}(?:={2,}+|-{2,}+)[ \t]*+(?:\n|\Z))
    |(?P<item>[ \t]*+(?:[-*+•]|\d{1,9}[.)])(?=[ \t]|\n)[^\n]*\n?)
    |(?P<indent>(?:[ ]{4}|[ ]{0,3}\t)[^\n]*\n?)
    |(?P<inner>[ ]{2,3}[^\n]*\n?)
    |(?P<text>[^\n]+\n?)""",
    re.VERBOSE,
)
_FENCES = {"`": re.compile(r"^[^\S\n]*(`{3,}+)[^\S\n]*$", re.M), "~": re.compile(r"^[^\S\n]*(~{3,}+)[^\S\n]*$", re.M)}
_INNER_FENCE = re.compile(r"[^\S\n]*+(?:[-*+]|\d{1,9}[.)])?[^\S\n]*+(`{3,}+|~{3,}+)[^`\n]*+(?:\n|\Z)")
_TABLE_RULE = re.compile(r"^[ \t]*+\|?[ \t]*+:?-+:?[ \t]*+(?:\|[ \t]*+:?-+:?[ \t]*+)*+\|?[ \t]*+$", re.M)
_ITEM_GAP = re.compile(r"(?<=\S)[^\S\n]*+\n(?:[^\S\n]*+\n)*+(?=[ ]{0,3}(?:[-*+•]|\d{1,9}[.)])[ \t])")
_LONG_HEADING = 400


def _fence_end(text: str, at: int, end: int, mark: str) -> int:
    """Where the line that closes a fence ends, or the end of the text."""
    for close in _FENCES[mark[0]].finditer(text, at, end):
        if len(close[1]) >= len(mark):
            return min(close.end() + 1, end)
    return end


class Scanner:
    """Collects lines into blocks. `kind` is the open block's, -1 when none is open."""

    def __init__(self, text: str, end: int, limits: Limits) -> None:
        self.text, self.end, self.limits = text, end, limits
        self.blocks: list[Block] = []
        self.kind, self.start, self.stop = -1, 0, 0
        self.levels: list[int] = []  # of the headings that still wait for what they head
        self.gap = True  # a blank line since the last block
        self.apart = True  # and one before the open block

    def extend(self, kind: int, start: int, stop: int) -> None:
        """Adds a line to the open block of this kind, or opens one."""
        if self.kind != kind:
            self.close()
            self.kind, self.start = kind, start
            self.apart, self.gap = self.gap, False
        self.stop = stop

    def close(self) -> None:
        """Ends the open block and gives it to the headings that wait for it."""
        kind, self.kind = self.kind, -1
        low, high = trim(self.text, self.start, self.stop) if kind >= 0 else (0, 0)
        if high <= low:
            return
        parts = self._tables(low, high) if kind == PARAGRAPH else [(low, high, kind)]
        for a, b, what in parts:
            self._give(a, b, what)

    def _give(self, low: int, high: int, kind: int) -> None:
        joined = bool(self.levels)
        if not joined and self.blocks and kind in (LIST, TABLE, CODE):
            last = self.blocks[-1]  # "as follows:" and its list, or a list right under a line of text
            leads = last.kind == PARAGRAPH and (not self.apart or self.text[last.end - 1] == ":")
            joined = leads and high - last.start <= self.limits.prose
        gaps = (_ITEM_GAP,) if kind == LIST else ()
        self.blocks += limited(self.text, Block(low, high, kind, joined), self.limits, gaps)
        self.levels.clear()
        self.apart = False

    def _tables(self, low: int, high: int) -> list[tuple[int, int, int]]:
        """A paragraph that holds a table's second row: the text above its header row, and the table."""
        if self.text.find("|", low, high) < 0:
            return [(low, high, PARAGRAPH)]
        rule = _TABLE_RULE.search(self.text, low, high)
        if rule is None or self.text.find("|", rule.start(), rule.end()) < 0 or rule.start() == low:
            return [(low, high, PARAGRAPH)]
        header = self.text.rfind("\n", low, rule.start() - 1) + 1 or low
        if self.text.find("|", header, rule.start()) < 0:
            return [(low, high, PARAGRAPH)]
        above = trim(self.text, low, header)
        parts = [(header, high, TABLE)]
        return [(*above, PARAGRAPH), *parts] if above[1] > above[0] else parts

    def heading(self, start: int, stop: int, level: int) -> None:
        """A heading waits for what it heads; one that is not deeper than those waiting heads nothing with them."""
        self.close()
        low, high = trim(self.text, start, stop)
        if high - low > _LONG_HEADING:
            self._give(low, high, PARAGRAPH)
            return
        if self.levels and level <= self.levels[-1]:
            self.levels.clear()
        self.blocks.append(Block(low, high, HEADING, bool(self.levels)))
        self.levels.append(level)
        self.gap = True

    def setext(self, match: re.Match[str]) -> bool:
        """The line under a one- or two-line paragraph that makes it a heading."""
        if self.kind != PARAGRAPH or self.text.count("\n", self.start, self.stop) > 2:
            return False
        self.kind = -1
        self.heading(self.start, match.end(), 1 if "=" in match["setext"] else 2)
        return True

    def rule(self, start: int, stop: int) -> None:
        """A thematic break: what waits for a body has none."""
        self.close()
        low, high = trim(self.text, start, stop)
        self.blocks.append(Block(low, high, PARAGRAPH, False))  # wordless: segment() puts it to the text above
        self.levels.clear()
        self.gap = True


def markdown_blocks(text: str, start: int, end: int, limits: Limits) -> list[Block]:
    """Blocks of normalised Markdown in [start, end)."""
    scan = Scanner(text, end, limits)
    front = _FRONT.match(text, start, end)
    if front:
        scan.extend(CODE, front.start(), front.end())
        scan.close()
        start = front.end()
    at, blank = start, True
    while at < end:
        line = _LINE.match(text, at, end)
        assert line is not None  # the last alternatives take any line
        at, blank = _step(scan, line, blank), line.lastgroup == "blank"
    scan.close()
    return scan.blocks


def _step(scan: Scanner, line: re.Match[str], blank: bool) -> int:
    """Reads one line, or a whole fence, and returns where the next line starts. `blank`: was the line before blank?"""
    kind, start, stop = line.lastgroup, line.start(), line.end()
    if kind == "blank":
        if scan.kind == PARAGRAPH:
            scan.close()
        scan.gap = True
    elif (
        scan.kind == LIST and kind in ("item", "indent", "inner", "fence") and (kind != "fence" or line[0][0].isspace())
    ):
        stop = _list_line(scan, line)
    elif kind == "fence":
        stop = _fence_end(scan.text, stop, scan.end, line["mark"])
        scan.close()
        scan.extend(CODE, start, stop)
        scan.close()
    elif kind == "heading":
        scan.heading(start, stop, len(line[0].lstrip()) - len(line[0].lstrip().lstrip("#")))
    elif kind in ("setext", "rule"):
        if not ("-" in line[0] and _maybe_setext(scan, line)) and not (kind == "setext" and scan.setext(line)):
            scan.rule(start, stop) if kind == "rule" else scan.extend(PARAGRAPH, start, stop)
    elif kind == "item":
        stop = _list_line(scan, line)
    elif kind == "indent" and (scan.kind == CODE or (blank and scan.kind == -1)):
        scan.extend(CODE, start, stop)
    elif scan.kind == LIST and not blank:
        scan.stop = stop  # a lazy continuation line
    else:
        scan.extend(PARAGRAPH, start, stop)
    return stop


def _maybe_setext(scan: Scanner, line: re.Match[str]) -> bool:
    """ "---" directly under a paragraph is a second-level heading, not a break."""
    if line.lastgroup == "setext":
        return scan.setext(line)
    if scan.kind != PARAGRAPH or scan.text.count("\n", scan.start, scan.stop) > 2 or line[0].strip().strip("-"):
        return False
    scan.kind = -1
    scan.heading(scan.start, line.end(), 2)
    return True


def _list_line(scan: Scanner, line: re.Match[str]) -> int:
    """A line of a list; a fence that opens in it is taken whole."""
    stop = line.end()
    fence = _INNER_FENCE.match(scan.text, line.start(), scan.end)
    if fence:
        stop = _fence_end(scan.text, fence.end(), scan.end, fence[1])
    scan.extend(LIST, line.start(), stop)
    return stop
