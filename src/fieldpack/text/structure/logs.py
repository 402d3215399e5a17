"""Logs: a line with a time or a level starts an entry; what follows without one belongs to it."""

from __future__ import annotations

import re

from fieldpack.text.structure import entries
from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.document import read_lead
from fieldpack.text.structure.lines import read_lines
from fieldpack.text.structure.model import LIST

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
STAMP = re.compile(
    rf"[\[(<]?(?:\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}(?:[T ,_]+{_CLOCK})?|{_CLOCK}\b"
    rf"|\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{2,4}}[, ]+{_CLOCK}|\d{{1,2}}[/ ]{_MONTH}[/ ]\d{{4}}"
    rf"|\d{{10}}(?:\.\d+|\d{{3}})?\b"
    rf"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?{_MONTH}[a-z]* {{1,2}}\d{{1,2}},? (?:\d{{4}} )?{_CLOCK})"
)
"""A date or a time at the start of a line, as logs, access logs and chats write it."""
_LEVEL = re.compile(
    r"[\[<(]?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|SEVERE|ERR|CRIT|trace|debug|info|notice|warn|"
    r"warning|error|fatal|critical)[\])>]?(?:[ :|\t]|$)|[IWEF]\d{4} |panic: |fatal error: "
)
_ACCESS = re.compile(r"(?:\d{1,3}\.){3}\d{1,3} \S+ \S+ \[|level=|ts=|time=\"?\d|\[ *\d+\.\d+\] ")
_COMMIT = re.compile(r"commit [0-9a-f]{7,64}\b[^\n]*\n(?:\w+:[^\n]*\n){0,4}?(?:Author|Date): ")
_ENTRY_SHARE = 0.6
_SAMPLE = 200


def starts_entry(text: str, at: int) -> bool:
    """Whether a log's entry starts at `at`."""
    return bool(STAMP.match(text, at) or _LEVEL.match(text, at) or _ACCESS.match(text, at))


def is_log(head: str) -> bool:
    """Whether most of the first lines at the margin start entries; lines of stack traces do not count. Or whether it is
    a list of commits."""
    if _COMMIT.match(head.lstrip()):
        return True
    lines = [line for line in head.split("\n")[:_SAMPLE] if line.strip()]
    if len(head) > 10_000 and len(lines) > 1:
        lines = lines[:-1]
    margin = [line for line in lines if not line[0].isspace() and not entries.is_cause(line)]
    starts = sum(starts_entry(line, 0) for line in margin)
    return starts >= 3 and starts >= _ENTRY_SHARE * len(margin)


def read_log(builder: Builder, low: int, high: int) -> None:
    """Reads [low, high) as a log; what stands before the first entry is read as text."""
    text = builder.text
    lines = read_lines(text, low, high)
    commits = lines.ink and _COMMIT.match(text, lines.ink[0]) is not None
    starts = [
        n
        for n, ink in enumerate(lines.ink)
        if (_COMMIT.match(text, ink) is not None if commits else starts_entry(text, ink))
    ]
    ranges = read_lead(builder, low, high, lines, starts)
    if not ranges:
        return
    builder.open("log")
    for number, (i, k) in enumerate(ranges):
        if k == i + 1:
            builder.row(lines.ink[i], lines.end[i], LIST, context=builder.owner, number=number, block="entry")
        else:
            entries.entry(builder, lines, i, k, owner=builder.owner, number=number)
    builder.close(rows=len(starts))
