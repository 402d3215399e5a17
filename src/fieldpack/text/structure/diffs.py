"""Diffs: a change goes with its hunk's head, and that with the file's line."""

from __future__ import annotations

import re

from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.document import read_document
from fieldpack.text.structure.lines import Lines, read_lines
from fieldpack.text.structure.model import ATOMIC, CODE, KEY, UNIT
from fieldpack.text.structure.statements import WHOLE_LINES

_DIFF = re.compile(r"^(?:diff --git |Index: |--- [^\n]+\n\+\+\+ |@@ -\d+(?:,\d+)? \+\d+)", re.M)
_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@", re.M)
_FILE = ("diff --git ", "Index: ", "--- ")
_LINES = (
    " ",
    "+",
    "-",
    "@",
    "diff ",
    "index ",
    "Index: ",
    "new file",
    "deleted file",
    "similarity",
    "rename ",
    "old mode",
    "new mode",
    "Binary ",
    "\\",
    "commit ",
    "Author",
    "Date",
    "====",
)
_LONGEST_MESSAGE = 5000
_RUN_CHARS = 400


def is_diff(head: str) -> bool:
    """Whether a text holds a diff's hunk lines, and most of the lines after the first are of a diff."""
    if "@@ -" not in head:
        return False
    first = _DIFF.search(head)
    if first is None or _HUNK.search(head) is None:
        return False
    lines = [line for line in head[first.start() :].split("\n") if line]
    return first.start() <= _LONGEST_MESSAGE and sum(line.startswith(_LINES) for line in lines) >= 0.8 * len(lines)


def read_diff(builder: Builder, low: int, high: int) -> None:
    """Reads [low, high) as a diff; what stands before the first file (a commit's message) is read as text."""
    first = _DIFF.search(builder.text, low, high)
    start = first.start() if first else high
    if builder.text[low:start].strip():
        read_document(builder, low, start)
    lines = read_lines(builder.text, start, high)
    n = 0
    while n < len(lines):
        n = _file(builder, lines, n)
    builder.end_sections()


def _file(builder: Builder, lines: Lines, n: int) -> int:
    """One file: its head up to the first hunk, then its hunks. Returns the line after it."""
    builder.open("diff")
    head, n = _head(builder, lines, n)
    count = 0
    while n < len(lines) and not _opens_file(builder.text, lines, n):
        k = n + 1
        while k < len(lines) and not _opens_file(builder.text, lines, k):
            if builder.text.startswith("@@ ", lines.begin[k]):
                break
            k += 1
        _hunk(builder, lines, n, k, head=head, number=count)
        n, count = k, count + 1
    builder.close(rows=count)
    return n


def _opens_file(text: str, lines: Lines, n: int) -> bool:
    if not text.startswith(_FILE, lines.begin[n]):
        return False
    return text[lines.begin[n]] != "-" or (n + 1 < len(lines) and text.startswith("+++ ", lines.begin[n + 1]))


def _head(builder: Builder, lines: Lines, n: int) -> tuple[int, int]:
    """The lines above a file's first hunk: the one with "+++" names the file. Returns its atom and the line after."""
    text, key, i = builder.text, -1, n
    others: list[int] = []
    while i < len(lines) and not text.startswith("@@ ", lines.begin[i]):
        if i > n and text.startswith("diff --git ", lines.begin[i]):
            break
        at = builder.line(lines.ink[i], lines.end[i], CODE, builder.owner)
        gone = text.startswith("+++ /dev/null", lines.begin[i])
        if text.startswith("+++ ", lines.begin[i]) and not gone:
            key = at
        elif key < 0 or gone:
            others.append(at)
            key = at if gone and len(others) < 2 else (others[-2] if gone else key)
        i += 1
        if text.startswith("+++ ", lines.begin[i - 1]):
            break
    if key < 0 and others:
        key = others[0]
    if key >= 0:
        builder.set_role(key, KEY)
    return (key if key >= 0 else builder.owner), i


def _hunk(builder: Builder, lines: Lines, n: int, k: int, *, head: int, number: int) -> None:
    """Lines [n, k) of one hunk: runs of changed lines, and of lines around them."""
    text = builder.text
    builder.open("hunk", UNIT | (ATOMIC if k - n <= WHOLE_LINES else 0))
    context = head
    if text.startswith("@@ ", lines.begin[n]):
        context = builder.line(lines.ink[n], lines.end[n], CODE, head, number)
        builder.set_role(context, KEY)
        n += 1
    while n < k:
        changed = text[lines.begin[n]] in "+-"
        last = n + 1
        while last < k and (text[lines.begin[last]] in "+-") == changed:
            if lines.end[last] - lines.ink[n] > min(_RUN_CHARS, builder.max_chars):
                break
            last += 1
        builder.line(lines.ink[n], lines.end[last - 1], CODE, context, number)
        n = last
    builder.close()
