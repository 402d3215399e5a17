"""Dockerfiles: an instruction with its continued lines is a row, and goes with its stage (`FROM`)."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.heredocs import heredocs
from fieldpack.text.structure.lines import Lines
from fieldpack.text.structure.model import ATOMIC, KEY, LIST, UNIT

_INSTRUCTION = re.compile(
    r"(?:FROM|RUN|CMD|LABEL|MAINTAINER|EXPOSE|ENV|ADD|COPY|ENTRYPOINT|VOLUME|USER|WORKDIR|ARG|ONBUILD|STOPSIGNAL"
    r"|HEALTHCHECK|SHELL)[ \t]+\S"
)
_FEWEST = 3


def is_dockerfile(head: str) -> bool:
    """Whether the first instruction of a text is FROM or ARG, and two and more others follow."""
    if "FROM " not in head:  # most texts
        return False
    lines = [line for line in head.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    if not lines or not lines[0].startswith(("FROM ", "ARG ")):
        return False
    found = [line.split(None, 1)[0] for line in lines if _INSTRUCTION.match(line)]
    return "FROM" in found and len(found) >= _FEWEST


def read_instructions(builder: Builder, lines: Lines) -> None:
    """Adds all lines as rows, an instruction each; comments go with the instruction below them."""
    text, n, number, stage = builder.text, 0, 0, builder.owner
    inside = _documents(text, lines)
    builder.open("config")
    while n < len(lines):
        first = n
        while first + 1 < len(lines) and _is_comment(text, lines, first):
            first += 1
        k = first + 1
        while k < len(lines) and (k in inside or _goes_on(text, lines, k - 1)):
            k += 1
        opens = text.startswith("FROM ", lines.ink[first])
        builder.open("row", UNIT | ATOMIC)
        at = builder.line(lines.ink[n], lines.end[k - 1], LIST, builder.owner if opens else stage, number)
        builder.close()
        if opens:
            builder.set_role(at, KEY)
            stage = at
        n, number = k, number + 1
    builder.close(rows=number)


def _is_comment(text: str, lines: Lines, n: int) -> bool:
    return text[lines.ink[n]] == "#"


def _goes_on(text: str, lines: Lines, n: int) -> bool:
    """Whether the instruction of line n goes on below it: behind a backslash, and behind comments between its lines."""
    return text[lines.end[n] - 1] == "\\" or _is_comment(text, lines, n)


def _documents(text: str, lines: Lines) -> set[int]:
    """The lines of here-documents, without those that open them."""
    ranges = heredocs(text, lines.begin[0], lines.end[-1])
    return {n for low, high in ranges for n in range(bisect_right(lines.ink, low), bisect_left(lines.ink, high))}
