"""Tables: Markdown's pipes, boxes of lines, RST grids and simple tables, columns of blanks. Rows go with the header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from fieldpack.text.structure.builder import SMALL_LIST, Builder
from fieldpack.text.structure.model import HEADER, TABLE, UNIT
from fieldpack.text.structure.walk import DocumentReader

_DELIMITER = re.compile(r"[ \t]*+\|?[ \t]*+:?-+:?[ \t]*+(?:[|+][ \t]*+:?-+:?[ \t]*+)*+\|?[ \t]*+$", re.M)
_GRID = re.compile(r"\+(?:[-=]+\+)+$", re.M)
SIMPLE = re.compile(r"(?:={2,}|-{2,})(?:[ \t]+(?:={2,}|-{2,}))+$", re.M)
_BOX_RULE = frozenset("─━═┌┬┐├┼┤└┴┘╔╦╗╠╬╣╚╩╝╒╤╕╞╪╡╘╧╛╭╮╰╯╟╫╢┏┳┓┣╋┫┗┻┛┡╇┩╓╥╖╙╨╜+-= ╴╶╵╷")
_BARS = "|│┃║┆╎"
_FOOTER = re.compile(r"\(\d+ rows?\)$|\d+ rows? in set")
_SAMPLE = 40


class Part(NamedTuple):
    """A range of a table that is its "header", a "row", or a "rule" without words."""

    what: str
    start: int
    end: int


def emit_table(builder: Builder, parts: Sequence[Part], lead: int) -> None:
    """Adds a table: rows go with the header, the header with `lead`."""
    if not parts:
        return
    builder.open("table")
    header, count = -1, 0
    for what, start, end in parts:
        if what == "header":
            header = builder.line(start, end, TABLE, lead)
            builder.set_role(header, HEADER)
        elif what == "rule":
            builder.mark(start, end, TABLE)
        else:
            builder.row(start, end, TABLE, header if header >= 0 else lead, count)
            count += 1
    small = parts[-1].end - parts[0].start <= SMALL_LIST // 2
    builder.close(UNIT if small else 0, rows=count)


def opens(r: DocumentReader, k: int, j: int) -> bool:
    """Whether a table opens at line k though no blank line stands above it."""
    first = r.text[r.lines.ink[k]]
    if first == "|":
        return r.line(k).endswith("|")
    return first != "+" or _GRID.match(r.text, r.lines.ink[k]) is not None


def pipe_table(r: DocumentReader, i: int, j: int) -> int:
    """A table whose cells are parted by "|", with a delimiter row under its header or without."""
    lines = r.lines
    if i + 1 >= j or lines.gap[i + 1]:
        return i
    delimited = _is_delimiter(r, i + 1) and "|" in r.line(i)
    if not delimited and not all(
        r.line(n)[0] == "|" and r.line(n)[-1] == "|" and "|" in r.line(n)[1:-1] for n in (i, i + 1)
    ):
        return i
    parts = [Part("header", lines.ink[i], lines.end[i + 1])] if delimited else []
    k = i + 2 if delimited else i
    while k < j and (k == i or not lines.gap[k]) and "|" in r.line(k):
        rule = not r.line(k).strip("|-+:= ")
        parts.append(Part("rule" if rule else "row", lines.ink[k], lines.end[k]))
        k += 1
    if k < j and not lines.gap[k] and _FOOTER.match(r.text, lines.ink[k]):
        parts.append(Part("rule", lines.ink[k], lines.end[k]))
        k += 1
    emit_table(r.builder, parts, r.builder.lead(lines.ink[i]))
    return k


def wiki_table(r: DocumentReader, i: int, j: int) -> int:
    """MediaWiki's table, from "{|" to "|}": the rows stand between lines "|-", the header's cells begin with "!"."""
    if not opens_wiki_table(r, i):
        return i
    lines = r.lines
    last = next((n for n in range(i + 1, j) if r.text.startswith("|}", lines.ink[n])), j)
    if last == j:
        return i
    apart = [n for n in range(i + 1, last) if r.text.startswith("|-", lines.ink[n])]
    named = next((n for n in range(i + 1, last) if r.text[lines.ink[n]] == "!"), i)
    starts = [n for n in apart if n > named] or [last]
    parts = [Part("header", lines.ink[i], lines.end[starts[0] - 1])]
    parts += [Part("row", lines.ink[a], lines.end[b - 1]) for a, b in pairwise([*starts, last]) if a < b]
    parts.append(Part("rule", lines.ink[last], lines.end[last]))
    emit_table(r.builder, parts, r.builder.lead(lines.ink[i]))
    return last + 1


def opens_wiki_table(r: DocumentReader, k: int) -> bool:
    """Whether a table of MediaWiki begins with line k."""
    return r.text.startswith("{|", r.lines.ink[k])


def opens_pipe_table(r: DocumentReader, k: int, j: int) -> bool:
    """Whether line k is the header row of a table whose rows need not begin with "|"."""
    lines = r.lines
    if k + 1 >= j or lines.gap[k + 1] or r.text[lines.ink[k + 1]] not in "|:-+" or opens_wiki_table(r, k):
        return False
    return "|" in r.line(k) and _is_delimiter(r, k + 1)


def _is_delimiter(r: DocumentReader, k: int) -> bool:
    line = r.line(k)
    return ("|" in line or "+" in line) and _DELIMITER.match(r.text, r.lines.ink[k], r.lines.end[k]) is not None


def grid_table(r: DocumentReader, i: int, j: int) -> int:
    """`+---+---+`: what a database's client prints, or RST's grid table."""
    if _GRID.match(r.text, r.lines.ink[i], r.lines.end[i]) is None:
        return i
    return box_table(r, i, j)


def box_table(r: DocumentReader, i: int, j: int) -> int:
    """A table drawn with lines: above the first inner rule stands the header; rows end at rules where there are many,
    at line ends otherwise."""
    lines = r.lines
    k = last = r.end_of_chunk(i, j)
    if not any(r.text[lines.ink[n]] in _BARS for n in range(i, min(k, i + 3))):
        return i
    while k - i > 3 and _FOOTER.match(r.text, lines.ink[k - 1]):
        k -= 1
    rules = [n for n in range(i, k) if _is_rule(r, n)]
    if not rules or k - i < 3:
        return i
    body = _others(i, k, rules)
    if not body or not all(r.text[lines.ink[n]] in _BARS for n in body[:_SAMPLE]):
        return i
    top = next((n for n in rules if n > body[0]), -1)
    headed = top >= 0 and top + 1 < k and any(n > top for n in body)
    runs = len(rules) > 3 or any("=" in r.line(n) for n in rules)
    parts = _box_parts(r, i, k, set(rules), top=top if headed else -1, runs=runs)
    parts += [Part("rule", lines.ink[n], lines.end[n]) for n in range(k, last)]
    emit_table(r.builder, parts, r.builder.lead(lines.ink[i]))
    return last


def _others(i: int, k: int, rules: list[int]) -> list[int]:
    marked = set(rules)
    return [n for n in range(i, k) if n not in marked]


def _is_rule(r: DocumentReader, n: int) -> bool:
    line = r.line(n)
    return len(line) > 2 and (line[0] in "+┌├└╔╠╚╒╞╘╭╰╟┏┣┗┡╓╙") and set(line[1:]) <= _BOX_RULE


def _box_parts(r: DocumentReader, i: int, k: int, rules: set[int], *, top: int, runs: bool) -> list[Part]:
    lines = r.lines
    parts: list[Part] = []
    n = i
    while n < k:
        if n in rules:
            parts.append(Part("rule", lines.ink[n], lines.end[n]))
            n += 1
            continue
        last = n + 1
        while last < k and last not in rules and (runs or n < top):
            last += 1
        parts.append(Part("header" if n < top else "row", lines.ink[n], lines.end[last - 1]))
        n = last
    return parts


def simple_table(r: DocumentReader, i: int, j: int) -> int:
    """RST's simple table between rules of "=", with the header between the first two when there are three."""
    if SIMPLE.match(r.text, r.lines.ink[i], r.lines.end[i]) is None:
        return i
    lines = r.lines
    rules = [i]
    for n in range(i + 1, j):
        rule = SIMPLE.match(r.text, lines.ink[n], lines.end[n]) is not None and r.line(n)[0] == "="
        if rule:
            rules.append(n)
        if (rule and (len(rules) == 3 or n + 1 >= j or lines.gap[n + 1])) or (
            lines.gap[n] and lines.indent[n] < r.base
        ):
            break
    if len(rules) < 2:
        return i
    parts = [Part("rule", lines.ink[i], lines.end[i])]
    if len(rules) == 3:
        parts.append(Part("header", lines.ink[i + 1], lines.end[rules[1]]))
    n = rules[1] + 1 if len(rules) == 3 else i + 1
    while n < rules[-1]:
        last = n + 1
        while last < rules[-1] and lines.indent[last] > r.base:
            last += 1
        parts.append(Part("row", lines.ink[n], lines.end[last - 1]))
        n = last
    parts.append(Part("rule", lines.ink[rules[-1]], lines.end[rules[-1]]))
    emit_table(r.builder, [p for p in parts if p.end > p.start], r.builder.lead(lines.ink[i]))
    return rules[-1] + 1


def table_directive(r: DocumentReader, i: int, k: int, head: int, name: str) -> int:
    """The rows of RST's csv-table (lines) and list-table (items with two marks)."""
    lines = r.lines
    starts = [n for n in range(i, k) if name == "csv-table" or r.line(n).startswith("* ")]
    if not starts:
        r.inner(i, k, head)
        return k
    parts = [
        Part("row", lines.ink[a], lines.end[b - 1]) for a, b in zip([i, *starts[1:]], [*starts[1:], k], strict=True)
    ]
    emit_table(r.builder, parts, head)
    return k


__all__ = [
    "Part",
    "box_table",
    "emit_table",
    "grid_table",
    "opens",
    "pipe_table",
    "simple_table",
    "table_directive",
]
