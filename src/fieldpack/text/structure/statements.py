"""Where source code may be cut: at blank lines of the outermost level, never inside strings, calls or docstrings.

What is longer than 40 lines is cut further, between the parts of a class or the body of a function; its head is then a
piece of its own (the signature) that the others go with.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fieldpack.text.cuts import cut_block, trim
from fieldpack.text.structure.lines import Lines

WHOLE_LINES = 40
"""A block of code of fewer lines is whole."""
LONGEST = 4000
"""Characters of a piece at most; what is longer is cut at lines, wherever these are."""
_DEEPEST = 6
_PIECE_LINES = 30  # lines of a piece where nothing but statements part it
# Strings are skipped whole; possessive, and an unclosed one is taken as far as it goes: linear on any text.
_STRINGS = (
    r'"""[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+(?:""")?+|\'\'\'[^\'\\]*+(?:(?:\\.|\'(?!\'\'))[^\'\\]*+)*+(?:\'\'\')?+'
    r'|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?+|\'[^\'\\\n]*+(?:\\.[^\'\\\n]*+)*+\'?+'
)
_PYTHON = re.compile(rf"(?P<skip>{_STRINGS}|\#[^\n]*)|(?P<open>[(\[{{])|(?P<close>[)\]}}])", re.S)
_OTHER = re.compile(
    rf"(?P<skip>{_STRINGS}|`[^`\\]*+(?:\\.[^`\\]*+)*+`|/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/)?+|//[^\n]*|(?:^|(?<=\s))\#[^\n]*)"
    r"|(?P<open>[(\[])|(?P<close>[)\]])",
    re.S,
)
_GOES_ON = re.compile(r"[)\]}]|(?:else|elif|except|finally|catch|end|fi|done|esac|then|do)\b|\{")
_HEAD = re.compile(r"(?:@|#\[|\[\w)")


class Piece(NamedTuple):
    """A trimmed range. signature: the number of the piece that holds its head, -1 without one; is_head: it is one."""

    start: int
    end: int
    signature: int
    is_head: bool


def inside_lines(text: str, lines: Lines, i: int, j: int, python: bool) -> list[bool]:
    """For each line of [i, j) whether it starts inside a string, a comment or brackets."""
    out = [False] * (j - i)
    pattern = _PYTHON if python else _OTHER
    depth, k = 0, i
    ink = lines.ink
    for token in pattern.finditer(text, ink[i] if i < j else 0, lines.end[j - 1] if i < j else 0):
        at = token.start()
        while k < j and ink[k] <= at:
            out[k - i] = depth > 0
            k += 1
        kind = token.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(depth - 1, 0)
        else:
            stop = token.end()
            while k < j and ink[k] < stop:
                out[k - i] = True
                k += 1
    while k < j:
        out[k - i] = depth > 0
        k += 1
    if depth > 0 and all(out[1:]):  # a bracket that is never closed: not a call
        return [False] * (j - i)
    return out


def pieces(text: str, lines: Lines, i: int, j: int, python: bool) -> list[Piece]:
    """Lines [i, j) of code as pieces in reading order; a signature stands before the pieces that go with it."""
    out: list[Piece] = []
    if i < j:
        inside = inside_lines(text, lines, i, j, python) if any(lines.gap[i + 1 : j]) or j - i > WHOLE_LINES else []
        _cut(text, lines, (i, j), i, inside, -1, 0, out)
    return out


def _cut(
    text: str,
    lines: Lines,
    part: tuple[int, int],
    first: int,
    inside: list[bool],
    head: int,
    depth: int,
    out: list[Piece],
) -> None:
    """Adds the pieces of the lines of `part`; `inside` is numbered from line `first`; `head` is their signature."""
    i, j = part
    cuts = _gaps(text, lines, i, j, first, inside)
    for a, b in zip([i, *cuts], [*cuts, j], strict=True):
        if b - a <= WHOLE_LINES or depth >= _DEEPEST:
            _add(text, lines, a, b, head, out)
            continue
        body = _body(text, lines, a, b, first, inside)
        if body < b and depth < _DEEPEST:
            out.append(Piece(lines.ink[a], lines.end[body - 1], head, True))
            _cut(text, lines, (body, b), first, inside, len(out) - 1, depth + 1, out)
        else:
            for c, d in _statements(text, lines, a, b, first, inside):
                _add(text, lines, c, d, head, out)


def _add(text: str, lines: Lines, a: int, b: int, head: int, out: list[Piece]) -> None:
    start, end = lines.ink[a], lines.end[b - 1]
    for low, high in cut_block(text, start, end, LONGEST):
        low, high = trim(text, low, high)
        if high > low:
            out.append(Piece(low, high, head, False))


def _gaps(text: str, lines: Lines, i: int, j: int, first: int, inside: list[bool]) -> list[int]:
    """Lines after a blank one at the outermost level of [i, j) that begin something new."""
    if not inside:
        return []
    margin = min(lines.indent[i:j])
    return [
        k
        for k in range(i + 1, j)
        if lines.gap[k]
        and lines.indent[k] == margin
        and not inside[k - first]
        and _GOES_ON.match(text, lines.ink[k]) is None
    ]


def _body(text: str, lines: Lines, i: int, j: int, first: int, inside: list[bool]) -> int:
    """Where the body of the definition in [i, j) begins: after its decorators and its head; j when it is none."""
    margin = lines.indent[i]
    k = i
    while k < j and lines.indent[k] <= margin and (inside[k - first] or _HEAD.match(text, lines.ink[k])):
        k += 1
    while k < j and (k == i or inside[k - first] or lines.indent[k] <= margin):
        ends = text[lines.end[k] - 1] in ":{" or text[lines.ink[k] : lines.end[k]] in ("do", "then", "begin", "BEGIN")
        k += 1
        if ends and k < j and lines.indent[k] > margin and not inside[k - first]:
            return k
        if k - i > WHOLE_LINES // 2:
            break
    return j


def _statements(text: str, lines: Lines, i: int, j: int, first: int, inside: list[bool]) -> list[tuple[int, int]]:
    """Runs of about 30 lines that end between statements: at the outermost level where that is possible."""
    margin = min(lines.indent[i:j])
    spans: list[tuple[int, int]] = []
    start = i
    fallback = 0
    for k in range(i + 1, j):
        if inside[k - first] or _GOES_ON.match(text, lines.ink[k]):
            continue
        outermost = lines.indent[k] == margin
        if k - start >= _PIECE_LINES and (outermost or k - start >= 2 * _PIECE_LINES):
            cut = k if outermost or fallback <= start else fallback
            spans.append((start, cut))
            start = cut
        fallback = k if outermost or lines.gap[k] else fallback
    spans.append((start, j))
    return spans
