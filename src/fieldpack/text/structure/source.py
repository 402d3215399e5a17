"""Whole files of source code: a block for each definition at the margin, with the comments and decorators above it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain

from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.heredocs import heredocs
from fieldpack.text.structure.lines import Lines, read_lines
from fieldpack.text.structure.model import ATOMIC, BODY, BOILERPLATE, CODE, LIST, SIGNATURE, UNIT
from fieldpack.text.structure.statements import WHOLE_LINES, alike, pieces

# Strings are skipped whole, so that a line inside one is never taken for a statement. Possessive, and an unclosed one
# is taken as far as it goes: no character is read twice, linear on any text. Every token begins with a certain
# character (a line with the break before it): the search goes from one of those to the next, three times as fast.
_DEFINITION, _STATEMENT = r"@|(?:async[ ]+)?def\b|class\b", r"[^\s)\]}\"'#@]"
_PYTHON = re.compile(
    r"""\"(?P<long>""[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+(?:\"{3})?+)"""
    r"""|'(?P<long_single>''[^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*+(?:'{3})?+)"""
    r"""|\"(?P<short>[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?+)|'(?P<short_single>[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'?+)"""
    rf"|\n(?P<definition>{_DEFINITION})|#(?P<note>[^\n]*+)|\n(?P<statement>{_STATEMENT})",
    re.DOTALL,
)
_FIRST = re.compile(f"(?P<definition>{_DEFINITION})|(?P<statement>{_STATEMENT})")
_SKIPPED = re.compile(
    r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?+|\'[^\'\\\n]*+(?:\\.[^\'\\\n]*+)*+\'?+|//[^\n]*+'
    r"|(?P<long>`[^`\\]*+(?:\\.[^`\\]*+)*+`|/\*[^*]*+(?:\*(?!/)[^*]*+)*+\*/)",
    re.S,
)
_LICENSE = re.compile(r"copyright|licen[sc]e|SPDX-License|all rights reserved|permission is hereby granted", re.I)
_COMMENT = ("#", "//", "/*", "*", "--", ";", "<!--")


def read_source(builder: Builder, low: int, high: int, python: bool) -> None:
    """Reads [low, high) as source code."""
    lines = read_lines(builder.text, low, high)
    if not len(lines):
        return
    starts = _python_cuts(builder.text, lines) if python else _other_cuts(builder.text, lines)
    for i, j in zip([0, *starts], [*starts, len(lines)], strict=True):
        if j > i:
            _block(builder, lines, i, j, python)


def _block(builder: Builder, lines: Lines, i: int, j: int, python: bool) -> None:
    """One part of a file as a block, cut further where it is long."""
    statements = [] if python else alike(builder.text, lines, i, j)
    if statements:
        builder.open("lines")
        for number, (a, b) in enumerate(statements):
            builder.row(lines.ink[a], lines.end[b - 1], LIST, builder.owner, number)
        builder.close(rows=len(statements))
        return
    whole = j - i <= WHOLE_LINES
    license_header = i < 40 and _is_license(builder.text, lines, i, j)
    flags = (ATOMIC | UNIT) if whole else 0
    builder.open("license" if license_header else "code", flags | (BOILERPLATE if license_header else 0))
    atoms: list[int] = []
    for piece in pieces(builder.text, lines, i, j, python):
        context = atoms[piece.signature] if piece.signature >= 0 else builder.owner
        atoms.append(builder.atom(piece.start, piece.end, CODE, SIGNATURE if piece.is_head else BODY, context))
    builder.close()


def _is_license(text: str, lines: Lines, i: int, j: int) -> bool:
    """Whether lines [i, j) are a comment with the terms of use."""
    if not all(text.startswith(_COMMENT, lines.ink[n]) or text[lines.ink[i]] == "/" for n in range(i, min(j, i + 60))):
        return False
    return _LICENSE.search(text, lines.ink[i], min(lines.end[j - 1], lines.ink[i] + 2000)) is not None


def _python_starts(text: str, start: int, end: int) -> Iterator[tuple[int, bool]]:
    """Where top-level statements begin, and whether each is a definition (its decorators are part of it)."""
    decorated = False
    first = _FIRST.match(text, start, end)
    for m in chain([first] if first else [], _PYTHON.finditer(text, start, end)):
        kind = m.lastgroup or ""
        if kind == "definition":
            at = m.start(kind)
            if not decorated:
                yield at, True
            decorated = text[at] == "@"
        elif decorated:
            continue  # a decorator's arguments may stand at the margin
        elif kind == "statement":
            yield m.start(kind), False
        elif kind != "note" and (m.start() == start or text[m.start() - 1] == "\n"):
            yield m.start(), False


def _python_cuts(text: str, lines: Lines) -> list[int]:
    """Lines at which top-level functions and classes begin, and between them statements after blank lines."""
    cuts: list[int] = []
    was_definition = True
    for at, definition in _python_starts(text, lines.begin[0], lines.end[-1]):
        k = bisect_left(lines.ink, at)
        if k < len(lines) and (definition or was_definition or lines.gap[k]):
            floor = cuts[-1] if cuts else 0
            while k > floor and not lines.gap[k] and text[lines.begin[k - 1]] == "#":
                k -= 1  # the comment directly above
            if k > floor or (not cuts and k > 0):
                cuts.append(k)
        was_definition = definition
    return cuts


def _other_cuts(text: str, lines: Lines) -> list[int]:
    """Lines after a blank one that stand at the margin and close nothing, outside long strings and comments."""
    inside: list[tuple[int, int]] = [m.span() for m in _SKIPPED.finditer(text) if m.lastgroup]
    ends = [b for _, b in inside]
    documents = heredocs(text, lines.begin[0], lines.end[-1])
    closed = [b for _, b in documents]
    cuts = []
    for k in range(1, len(lines)):
        at = lines.ink[k]
        if lines.gap[k] and at == lines.begin[k] and text[at] not in ")]}":
            n = bisect_left(ends, at + 1)
            here = bisect_left(closed, at + 1)
            if (n == len(inside) or inside[n][0] >= at) and (here == len(documents) or documents[here][0] >= at):
                cuts.append(k)
    return cuts
