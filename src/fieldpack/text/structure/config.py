"""Settings by indentation: YAML, TOML, INI, properties, `key: value`. A line goes with the lines that enclose it."""

from __future__ import annotations

import re

from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.lines import Lines
from fieldpack.text.structure.model import ATOMIC, KEY, LIST, MARK, UNIT

_SECTION = re.compile(r"\[{1,2}[^\[\]\n]{1,200}\]{1,2}\s*(?:[#;].*)?$")
_COMMENT = re.compile(r"(?:[#;!]|//|--)(?=\s|\w|$)")
_RULE = re.compile(r"(?:-{3}|\.{3})(?:\s|$)|[\W_]+$")
_DASH = re.compile(r"-[ \t]+")


class _Open(tuple[int, int]):
    """An enclosing line: (columns of indentation, atom)."""

    __slots__ = ()


def outline(builder: Builder, lines: Lines, i: int, j: int, lead: int) -> None:
    """Adds lines [i, j), one row each: a row goes with the row above that is indented less, those at the margin with
    their `[section]` or with `lead`, and a comment with the setting under it."""
    builder.open("config")
    text = builder.text
    stack: list[_Open] = []
    section, number = lead, 0
    comments: list[int] = []
    for n in range(i, j):
        start, end, indent = lines.ink[n], lines.end[n], lines.indent[n]
        line = text[start:end] if end - start <= 300 else text[start : start + 300]
        if _RULE.match(line) and not _DASH.match(line):
            if line.startswith("---"):
                stack, section = [], lead
            builder.atom(start, end, LIST, MARK, section)
            continue
        if lines.gap[n] and comments and n > i:
            comments = []
        is_comment = _COMMENT.match(line) is not None
        if _SECTION.match(line) and not is_comment:
            section = _add(builder, (start, end), lead, number)
            builder.set_role(section, KEY)
            stack = []
        else:
            while stack and stack[-1][0] >= indent:
                stack.pop()
            at = _add(builder, (start, end), stack[-1][1] if stack else section, number)
            if is_comment:
                comments.append(at)
                number += 1
                continue
            _enclose(builder, stack, lines, n, j, at)
        for comment in comments:
            builder.set_context(comment, section if section == builder.count - 1 else builder.count - 1)
        comments = []
        number += 1
    builder.close(UNIT if j > i and lines.end[j - 1] - lines.ink[i] <= 400 else 0, rows=number)


def _add(builder: Builder, span: tuple[int, int], context: int, number: int) -> int:
    builder.open("row", UNIT | ATOMIC)
    at = builder.line(*span, LIST, context, number)
    builder.close()
    return at


def _enclose(builder: Builder, stack: list[_Open], lines: Lines, n: int, j: int, at: int) -> None:
    """Line n encloses the lines below it that are deeper; "- name: x" also those under its name."""
    n_next = n + 1
    while n_next < j and lines.indent[n_next] == lines.indent[n] and builder.text[lines.ink[n_next]] == "#":
        n_next += 1
    if n + 1 < j and lines.indent[n + 1] > lines.indent[n]:
        builder.set_role(at, KEY)
        stack.append(_Open((lines.indent[n], at)))
    elif (
        n_next < j
        and lines.indent[n_next] == lines.indent[n]
        and builder.text[lines.ink[n_next]] == "-"
        and builder.text[lines.end[n] - 1] == ":"
        and builder.text[lines.ink[n]] != "-"
    ):  # a list at its key's margin
        builder.set_role(at, KEY)
        stack.append(_Open((lines.indent[n] - 1, at)))
