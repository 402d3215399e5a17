"""Subtitles (SRT, WebVTT): a cue is its number, its time and its words, and stays together."""

from __future__ import annotations

import re

from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.document import read_lead
from fieldpack.text.structure.lines import Lines, read_lines
from fieldpack.text.structure.model import ATOMIC, LIST, UNIT

_STAMP = r"(?:\d{1,3}:)?\d{2}:\d{2}[.,]\d{3}"
_TIME = re.compile(rf"{_STAMP}[ \t]+-->[ \t]+{_STAMP}(?=[ \t]|$)", re.M)
_FEWEST = 2


def are_cues(head: str) -> bool:
    """Whether a text begins with a cue, or WebVTT's head, and has two at least."""
    if "-->" not in head:
        return False
    lines = head.lstrip("\ufeff \n").split("\n", 2)
    begins = lines[0].startswith("WEBVTT") or any(_TIME.match(line) for line in lines[:2])
    return begins and len(_TIME.findall(head)) >= _FEWEST


def read_cues(builder: Builder, low: int, high: int) -> None:
    """Reads [low, high): what stands before the first cue as text, then a turn for each cue."""
    lines = read_lines(builder.text, low, high)
    starts = [_first_line(builder.text, lines, n) for n in range(len(lines)) if _is_time(builder.text, lines, n)]
    cues = read_lead(builder, low, high, lines, starts)
    if not cues:
        return
    builder.open("transcript")
    for number, (i, k) in enumerate(cues):
        builder.open("turn", UNIT | ATOMIC)
        builder.line(lines.ink[i], lines.end[k - 1], LIST, builder.owner, number)
        builder.close()
    builder.close(rows=len(cues))


def _is_time(text: str, lines: Lines, n: int) -> bool:
    return _TIME.match(text, lines.ink[n], lines.end[n]) is not None


def _first_line(text: str, lines: Lines, n: int) -> int:
    """The line that a cue with its time in line n begins at: its number or name, where one stands right above."""
    named = n > 0 and not lines.gap[n] and lines.gap[n - 1] and not _is_time(text, lines, n - 1)
    return n - 1 if named else n
