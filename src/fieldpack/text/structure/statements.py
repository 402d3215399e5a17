"""Where source code may be cut: at blank lines of the outermost level, never inside strings, calls or docstrings.

What is longer than 20 lines is cut further, between the parts of a class or the statements of a function; its head is
then a piece of its own (the signature) that the others go with. A block of fewer than 40 lines is whole all the same:
its pieces are one atomic block, which the packer splits only where it does not fit.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import pairwise
from typing import NamedTuple

from fieldpack.text.cuts import cut_block, trim
from fieldpack.text.structure.heredocs import heredocs
from fieldpack.text.structure.lines import Lines

WHOLE_LINES = 40
"""A block of code of fewer lines is whole."""
LONGEST = 4000
"""Characters of a piece at most; what is longer is cut at lines, wherever these are."""
_DEEPEST = 6
_PIECE_LINES = 12  # lines of a piece where nothing but statements part it
_LONG_PIECE = 20  # lines from which a piece is cut further
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
_OPENS_BODY = re.compile(r"(?:[:{]|\b(?:do|then|begin|BEGIN))$")
_HEAD = re.compile(r"(?:@|#\[|\[\w)")
_ABOVE = re.compile(r"(?:@|#|//|/?\*|--|\[\w)")  # decorators and comments, which belong to what stands below
_CONTROL = re.compile(
    r"(?:\}\s*)?(?:if|elif|else|for|foreach|while|do|switch|case|match|try|with|using|lock|loop|select|repeat|until|unless|when"
    r"|default|return)\b"
)
_ENDS_BODY = re.compile(r"[)\]}]|(?:end|fi|done|esac|END)\b")
_DEFINES = re.compile(r"(?:async\s+)?def\b|(?:class|module|function|sub|procedure)\b")
_CHAINED = re.compile(r"[.&|+?:=,]|<<")


_ALIKE = re.compile(r"\w+(?= ?[(=]| \w+ ?[(=]|[^\n]*[;)]$)")
_FEWEST_ALIKE, _SAMPLE = 5, 40


class Piece(NamedTuple):
    """A trimmed range. signature: the number of the piece that holds its head, -1 without one; is_head: it is one."""

    start: int
    end: int
    signature: int
    is_head: bool


def alike(text: str, lines: Lines, i: int, j: int) -> list[tuple[int, int]]:
    """The statements of lines [i, j), where five and more begin with the same word, nearly all on one line each: calls
    of a trace, `INSERT INTO ...`. Each says its own. Empty where they do not."""
    if j - i < _FEWEST_ALIKE:
        return []
    sample = range(i, min(j, i + _SAMPLE))
    words = [_ALIKE.match(text, lines.ink[n], lines.end[n]) for n in sample if lines.indent[n] == lines.indent[i]]
    first = [word[0] for word in words if word]
    if len(first) < 0.9 * len(sample) or first.count(max(first, key=first.count)) < 0.8 * len(sample):
        return []
    starts = [
        i,
        *(n for n in range(i + 1, j) if lines.indent[n] == lines.indent[i] and text[lines.ink[n]] not in ")]}"),
    ]
    return list(pairwise([*starts, j]))


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
    for start, stop in heredocs(text, ink[i], lines.end[j - 1]) if i < j and not python else ():
        for n in range(bisect_right(ink, start, i, j), bisect_right(ink, stop, i, j)):
            out[n - i] = True
    if depth > 0 and all(out[1:]):  # a bracket that is never closed: not a call
        return [False] * (j - i)
    return out


def pieces(text: str, lines: Lines, i: int, j: int, python: bool) -> list[Piece]:
    """Lines [i, j) of code as pieces in reading order; a signature stands before the pieces that go with it."""
    if i >= j:
        return []
    parted = j - i > _LONG_PIECE or any(lines.gap[i + 1 : j])
    if not parted and lines.end[j - 1] - lines.ink[i] <= LONGEST:  # most blocks
        return [Piece(lines.ink[i], lines.end[j - 1], -1, False)]
    cutter = _Cutter(text, lines, i, inside_lines(text, lines, i, j, python) if parted else [False] * (j - i))
    cutter.cut(i, j, -1, 0)
    return cutter.pieces


class _Cutter:
    """Cuts lines of code. `first` is the line that `inside` begins with."""

    def __init__(self, text: str, lines: Lines, first: int, inside: list[bool]) -> None:
        self.text, self.lines, self.first, self.inside = text, lines, first, inside
        self.pieces: list[Piece] = []

    def cut(self, i: int, j: int, head: int, depth: int) -> None:
        """Adds the pieces of lines [i, j), which go with the piece `head`."""
        cuts = self._gaps(i, j)
        for a, b in zip([i, *cuts], [*cuts, j], strict=True):
            if b - a <= _LONG_PIECE or depth >= _DEEPEST:
                self._add(a, b, head)
                continue
            inner = self._definitions(a, b, calls=head < 0)
            if inner:
                for c, d in zip([a, *inner], [*inner, b], strict=True):
                    self.cut(c, d, head, depth)
                continue
            statements = alike(self.text, self.lines, a, b)
            if statements:
                for c, d in statements:
                    self._add(c, d, head)
                continue
            body = self._body(a, b)
            if body < b:
                self.pieces.append(Piece(self.lines.ink[a], self.lines.end[body - 1], head, True))
                self.cut(body, b, len(self.pieces) - 1, depth + 1)
            else:
                for c, d in self._statements(a, b):
                    self._add(c, d, head)

    def _add(self, a: int, b: int, head: int) -> None:
        start, end = self.lines.ink[a], self.lines.end[b - 1]
        for low, high in cut_block(self.text, start, end, LONGEST):
            low, high = trim(self.text, low, high)
            if high > low:
                self.pieces.append(Piece(low, high, head, False))

    def _is_inside(self, k: int) -> bool:
        return self.inside[k - self.first]

    def _margin(self, i: int, j: int) -> int:
        """The least indentation of lines [i, j), but for the closing bracket of what encloses them."""
        indent = self.lines.indent[i:j]
        while len(indent) > 1 and _ENDS_BODY.match(self.text, self.lines.ink[i + len(indent) - 1]):
            indent.pop()
        return min(indent)

    def _gaps(self, i: int, j: int) -> list[int]:
        """Lines after a blank one at the outermost level of [i, j) that begin something new."""
        margin = self._margin(i, j)
        return [
            k
            for k in range(i + 1, j)
            if self.lines.gap[k]
            and self.lines.indent[k] == margin
            and not self._is_inside(k)
            and _GOES_ON.match(self.text, self.lines.ink[k]) is None
        ]

    def _definitions(self, i: int, j: int, calls: bool) -> list[int]:
        """Lines of [i, j) at which a definition begins at the outermost level, and those behind one, where no blank
        lines part them; comments and decorators right above belong to it. calls: a call of several lines is one too."""
        margin, k, cuts = self._margin(i, j), i, set[int]()
        while k < j:
            after = k + 1
            while after < j and (
                self.lines.indent[after] > margin
                or self._is_inside(after)
                or _GOES_ON.match(self.text, self.lines.ink[after])
            ):
                after += 1
            if after > k + 1 and self._is_definition(k, after, calls):
                start = k
                while start > i and start not in cuts and _ABOVE.match(self.text, self.lines.ink[start - 1]):
                    start -= 1
                cuts |= {start, after}
            k = after
        return sorted(cuts - {i, j})

    def _is_definition(self, k: int, after: int, calls: bool) -> bool:
        """Whether the statement of lines [k, after) is a head with a body below it, or, with `calls`, a call."""
        text, ink = self.text, self.lines.ink
        if _CONTROL.match(text, ink[k]) or _CHAINED.match(text, ink[k + 1]):
            return False
        if not calls and all(self._is_inside(n) for n in range(k + 1, after - 1)):
            return False
        return _ENDS_BODY.match(text, ink[after - 1]) is not None or _DEFINES.match(text, ink[k]) is not None

    def _body(self, i: int, j: int) -> int:
        """Where the body of the definition in [i, j) begins: after its decorators and its head; j when it is none."""
        lines, margin, k = self.lines, self.lines.indent[i], i
        while k < j and lines.indent[k] <= margin and (self._is_inside(k) or _HEAD.match(self.text, lines.ink[k])):
            k += 1
        while k < j and k - i <= _LONG_PIECE and (k == i or self._is_inside(k) or lines.indent[k] <= margin):
            opens = _OPENS_BODY.search(self.text, max(lines.ink[k], lines.end[k] - 8), lines.end[k]) is not None
            opens = opens or _DEFINES.match(self.text, lines.ink[k]) is not None
            k += 1
            if opens and k < j and lines.indent[k] > margin and not self._is_inside(k):
                return k
        return j

    def _statements(self, i: int, j: int) -> list[tuple[int, int]]:
        """Runs of about 30 lines that end between statements: at the outermost level where that is possible."""
        margin = self._margin(i, j)
        spans: list[tuple[int, int]] = []
        start, fallback = i, 0
        for k in range(i + 1, j):
            if self._is_inside(k) or _GOES_ON.match(self.text, self.lines.ink[k]):
                continue
            outermost = self.lines.indent[k] == margin
            if k - start >= _PIECE_LINES and (outermost or k - start >= 2 * _PIECE_LINES):
                cut = k if outermost or fallback <= start else fallback
                spans.append((start, cut))
                start = cut
            fallback = k if outermost or self.lines.gap[k] else fallback
        spans.append((start, j))
        return spans
