"""Tables in columns of blanks, with or without a rule under the header, and lines of as many words each."""

from __future__ import annotations

import re

from fieldpack.text.structure.tables import SIMPLE, Part, emit_table
from fieldpack.text.structure.walk import DocumentReader

_WORD = re.compile(r"\S+")
_PERMISSIONS = re.compile(r"[-dlbcps](?:[r-][w-][xsStT-]){3}[+.@]?\s")
_NUMBER = re.compile(r"[\d(+-][\d.,:/%-]*[\w%]{0,3}\)?$")
_CELL = re.compile(r"(?<![.!?:;,])(?:[ ]{2,}|[ ]*\t\s*)")
_STOPS = tuple(".!?…;,。！？")
_GAP_SHARE = 0.7
_SAMPLE = 40


def column_table(r: DocumentReader, i: int, k: int) -> int:
    """Lines [i, k) whose cells stand below one another, parted by two blanks and more; returns k, or i when not so."""
    lines = r.lines
    first = i + 1 if r.line(i).startswith("total ") and i + 1 < k else i
    if _PERMISSIONS.match(r.text, lines.ink[first]):
        parts = [Part("row", lines.ink[n], lines.end[n]) for n in range(i, k)]
        emit_table(r.builder, parts, r.builder.lead(lines.ink[i]))
        return k
    ruled = i + 2 < k and SIMPLE.match(r.text, lines.ink[i + 1], lines.end[i + 1]) is not None
    if not ruled and not _aligned(r, i, k, 0.6 if k - i > 3 else 0.9):
        return i
    headed = ruled or _is_header(r, i, k)
    parts = [Part("header" if headed else "row", lines.ink[i], lines.end[i + 1 if ruled else i])]
    for n in range(i + 2 if ruled else i + 1, k):
        parts.append(Part("row" if r.line(n).strip("=-+ ") else "rule", lines.ink[n], lines.end[n]))
    emit_table(r.builder, parts, r.builder.lead(lines.ink[i]))
    return k


def spaced_table(r: DocumentReader, i: int, k: int) -> int:
    """Lines [i, k) with as many cells each, parted by two blanks and more, that do not stand below one another. Returns
    k, or i when they are none."""
    rows = [_CELL.split(line) for line in _sample(r, i, k)]
    if not rows or _usual(rows) < _GAP_SHARE * len(rows):
        return i
    lines = r.lines
    parts = [Part("row", lines.ink[n], lines.end[n]) for n in range(i, k)]
    if _is_header(r, i, k):
        parts[0] = parts[0]._replace(what="header")
    emit_table(r.builder, parts, r.builder.lead(lines.ink[i]))
    return k


def has_as_many_words(r: DocumentReader, i: int, k: int) -> bool:
    """Whether lines [i, k) have as many words each, one of them a number or a path in all: "5 4 * * * /opt/run.sh"."""
    rows = [line.split() for line in _sample(r, i, k)]
    if not rows or _usual(rows) < 0.9 * len(rows):
        return False
    return any(not any(cell.isalpha() for cell in column) for column in zip(*rows, strict=False))


def _sample(r: DocumentReader, i: int, k: int) -> list[str]:
    """The first lines of [i, k); none where they are few, options, or sentences."""
    lines = [r.line(n)[:1000] for n in range(i, min(k, i + _SAMPLE))]
    unfit = sum(line[0] == "-" or line.endswith(_STOPS) for line in lines)
    return lines if k - i >= 4 and unfit <= 0.1 * len(lines) else []


def _usual(rows: list[list[str]]) -> int:
    """How many rows have the number of cells that most have; 0 where that is below three."""
    counts = [len(row) for row in rows]
    usual = max(counts, key=counts.count)
    return counts.count(usual) if usual >= 3 else 0


def _aligned(r: DocumentReader, i: int, k: int, least: float) -> bool:
    """Whether the share `least` of the words of the first line begin or end where words of the lines below do, and two
    blanks and more part the words of most lines."""
    sample = [_expanded(r, n) for n in range(i, min(k, i + _SAMPLE))]
    head = [m.span() for m in _WORD.finditer(sample[0])]
    if len(head) < 3 or sum("  " in line.strip() for line in sample) < _GAP_SHARE * len(sample):
        return False
    lines = [line + " " for line in sample[1:]]
    hits = 0
    for start, end in head:
        begins = sum(
            len(line) <= start or (line[start] != " " and (not start or line[start - 1] == " ")) for line in lines
        )
        closes = sum(end < len(line) and line[end - 1] != " " and line[end] == " " for line in lines)
        hits += max(begins, closes) >= 0.7 * len(lines)
    return hits >= least * len(head)


def _expanded(r: DocumentReader, n: int) -> str:
    """Line n with its indentation, tabs as blanks."""
    return r.text[r.lines.begin[n] : min(r.lines.end[n], r.lines.begin[n] + 1000)].expandtabs(8)


def _is_header(r: DocumentReader, i: int, k: int) -> bool:
    """Whether the first line names the columns: no number in it, while the lines below have some, or capitals alone."""
    first = r.line(i)
    if any(_NUMBER.match(cell) for cell in first.split()):
        return False
    below = [r.line(n) for n in range(i + 1, min(k, i + _SAMPLE))]
    if first.isupper() and not all(line.isupper() for line in below):
        return True
    return sum(any(_NUMBER.match(cell) for cell in line.split()) for line in below) >= 0.5 * len(below)
