"""Tables with a separator: CSV, TSV, semicolons, pipes. A row is one atom and goes with the header row."""

from __future__ import annotations

import re
from itertools import islice

from fieldpack.text.cuts import trim
from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.lines import line_bounds
from fieldpack.text.structure.model import HEADER, TABLE

SEPARATORS = ",\t;|"
_SAMPLE = 20
_MANY_CHARS = 1000
"""Characters of rows without quotes that are read together."""
_BLANKS = " \n\r\f\v\u00a0\u2028"
"""White space around a row; a tab at its end is an empty cell."""
# A row: line ends inside quotes that open a cell belong to it. Possessive: linear on any text.
_ROW = re.compile(r'(?:[^"\n]++|(?<![^,;\t|\n])"[^"]*+(?:""[^"]*+)*+"|")*+(?:\n|\Z)')
_PAIR = re.compile(r"(?![^\n]*\d,\d)\w[^,;(){}\[\]=:\n]{0,60}[,;](?! )[^,;(){}\[\]=:\n]{0,60}(?<![.!?…,; ])")
_QUOTED = re.compile(r'"[^"]*"')
_NUMBER = re.compile(r"[\s\"]*[-+(]?[\d.,:/%$€-]*\d[\d.,:/%-]*[\s\"]*$")


def separator_of(text: str, least: int = 1) -> str:
    """The separator that stands equally often, and at least `least` times, in nearly all of the first lines; "" without
    one."""
    lines = [m[0].strip(_BLANKS) for m in islice(_ROW.finditer(text[:20_000]), _SAMPLE + 5)]
    return _separator(lines, least, len(text) > 20_000)


def _separator(lines: list[str], least: int, cut: bool) -> str:
    """`separator_of` of trimmed lines; cut: the last may be cut off."""
    lines = [line for line in lines if line and line[0] != "#"][:_SAMPLE]
    if cut and len(lines) > 1:
        lines = lines[:-1]
    cells = [_outside_quotes(line) for line in lines]
    for separator in SEPARATORS:
        counts = [line.count(separator) for line in cells]
        usual = max(counts, key=counts.count, default=0)
        if usual >= least and sum(c == usual for c in counts) >= 0.9 * len(counts):
            return separator
    return ""


def _outside_quotes(line: str) -> str:
    return _QUOTED.sub("", line) if '"' in line else line


def is_delimited(head: str) -> bool:
    """Whether text without a name is such a table: three lines and more with two separators and more in each, of which
    most are not followed by a blank as in prose."""
    rows = [m[0].strip(_BLANKS) for m in islice(_ROW.finditer(head), 3 * _SAMPLE)]
    lines = [row for row in rows if row and not row.isspace()]
    if 2 * sum(row[0] == "\t" for row in lines) > len(lines):  # indentation
        return False
    while lines and lines[0][0] == "#":
        lines.pop(0)
    if len(lines) < 3:
        return False
    least = 1 if "\t" in head or _are_pairs(lines) else 2
    separator = _separator(rows[: _SAMPLE + 5], least, len(head) > 20_000)
    if not separator or separator == "|" or "```" in head:
        return False
    if _outside_quotes(lines[0]).count(separator) != _outside_quotes(lines[1]).count(separator):
        return False
    sample = lines[:_SAMPLE]
    if max(map(len, sample)) > 5000 or sample[0][0] in "{[<":
        return False
    blanks = sum(line.count(separator + " ") for line in sample)
    return blanks <= 0.2 * sum(line.count(separator) for line in sample) and _is_header(sample, separator, False)


def _are_pairs(lines: list[str]) -> bool:
    """Whether five lines and more are two short cells each, without a sign of prose, numbers or code."""
    return len(lines) >= 5 and all(_PAIR.fullmatch(line) for line in lines[:_SAMPLE])


def _is_header(lines: list[str], separator: str, default: bool) -> bool:
    """Whether the first line names columns: short cells without numbers, where lines below have numbers."""
    cells = [cell.strip() for cell in lines[0].split(separator)]
    if any(_NUMBER.match(cell) for cell in cells) or max(map(len, cells)) > 60:
        return False
    below = lines[1:]
    numeric = sum(any(_NUMBER.match(cell) for cell in line.split(separator)) for line in below)
    return default or numeric >= 0.5 * len(below) or len(set(cells)) == len(cells)


def read_delimited(builder: Builder, low: int, high: int) -> None:
    """Reads [low, high) as a table with a separator."""
    text = builder.text
    separator = separator_of(text[low : low + 40_000])
    builder.open("table")
    header, count, at, first = -1, 0, low, True
    while at < high:
        plain = at if first else _plain_until(text, at, high)
        if plain > at:
            bounds = line_bounds(text, at, plain)
            builder.rows(bounds.ink, bounds.end, TABLE, header if header >= 0 else builder.owner, count)
            count, at = count + len(bounds.ink), plain
            continue
        match = _ROW.match(text, at, high)
        assert match is not None  # it matches any text
        start, end = trim(text, at, match.end())
        at = max(match.end(), at + 1)
        if end <= start:
            continue
        if first and text[start] == "#":
            builder.line(start, end, TABLE, -1)
            continue
        if first and separator and _names_columns(text, start, end, high, separator):
            header = builder.line(start, end, TABLE, builder.owner)
            builder.set_role(header, HEADER)
        else:
            builder.row(start, end, TABLE, header if header >= 0 else builder.owner, count)
            count += 1
        first = False
    builder.close(rows=count)


def _plain_until(text: str, at: int, high: int) -> int:
    """Where the rows without quotes that begin at `at` end, at the start of a line; `at` where they are few."""
    quote = text.find('"', at, high)
    end = high if quote < 0 else text.rfind("\n", at, quote) + 1
    return end if end - at >= _MANY_CHARS else at


def _names_columns(text: str, start: int, end: int, high: int, separator: str) -> bool:
    below = [line for line in text[end : min(high, end + 8000)].split("\n") if line.strip()][:_SAMPLE]
    return bool(below) and _is_header([text[start:end], *below], separator, True)
