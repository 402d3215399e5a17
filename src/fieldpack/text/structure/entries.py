"""Entries: a line that starts one, and the lines that go on with it: stack traces, excerpts, notes, continuations."""

from __future__ import annotations

import re

from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.lines import Lines
from fieldpack.text.structure.model import ATOMIC, BODY, CODE, KEY, LIST, UNIT
from fieldpack.text.structure.walk import DocumentReader

_SAMPLE = 40
SMALL_ENTRY = 240
"""Characters up to which an entry of several lines is one atom."""
_MESSAGE = re.compile(
    r"(?:[\w.@/\\+-]+[:(]\d+(?:[:,]\d+)?\)?:? (?:- )?(?:fatal |internal )?(?:error|warning|note|info)\b"
    r"|(?:error|warning|fatal|note|help)(?:\[[\w-]+\])?: |(?:Error|Warning|Exception|FAIL|FAILED|ERROR|WARN)\b[ :]"
    r"|npm (?:ERR!|error|WARN|warn)|[\w./+-]+: (?:In|At|in) \w|panic: |fatal: |✖ |✗ |● |make(?:\[\d+\])?: \*\*\*)",
)
_LOCATED = re.compile(
    r"[\w.@/\\+-]+[:(]\d+(?:[:,]\d+)?\)?:? (?:- )?(?:fatal |internal )?(?:error|warning)\b"
    r"|(?:error|warning)(?:\[\w+\])?: "
)
_EXCERPT = re.compile(r"\d+ |goroutine \d|Traceback \(|During handling|The above exception|Caused by")
_HEADING_LINE = re.compile(r"[\w./+-]+: (?:In|At|in) \w[^\n]*:$|In file included from ", re.M)
_LOCATION = re.compile(r"\s*(?:--> |[\w./\\-]+\.\w{1,5}:\d+: |at [\w./\\-]+:\d+)")
_FRAME = re.compile(r"at |File \"|\.{3} \d+ more|\d+: 0x|#\d+ |goroutine |\w+\.go:\d+|\^+$|~+$|in \S+$", re.M)
_CAUSE = re.compile(
    r"Caused by|Suppressed|During handling|The above exception|[\w.$]+(?:Error|Exception|Warning|Interrupt)\b"
)
_GO_TRACE = re.compile(
    r"goroutine \d+ \[|created by [\w./]+|exit status \d+$|\[signal |"
    r"[\w./*()-]+\.[\w.*()\[\]-]+\((?:0x|\.\.\.|\{0x|\)$)"
)
"""Lines at the margin that follow a panic: "main.pick(0xc0000140a0, 0x3)"."""
_RAISED = re.compile(r"E(?:   |$)", re.M)


def is_cause(line: str) -> bool:
    """Whether a line at the margin belongs to a stack trace."""
    return (
        _CAUSE.match(line) is not None
        or line.startswith("Traceback (most recent call last)")
        or _GO_TRACE.match(line) is not None
    )


def starts_entry(line: str) -> bool:
    """Whether a line is a message of a compiler, a test runner or a package manager."""
    return _MESSAGE.match(line) is not None


def entry(builder: Builder, lines: Lines, i: int, k: int, *, owner: int, number: int) -> int:
    """Adds lines [i, k) as one entry. Its first line goes with `owner`, causes with the first line, and the frames of a
    stack with the line above them. Returns the first atom."""
    builder.open("entry", ATOMIC | UNIT)
    if k - i > 1 and lines.end[k - 1] - lines.ink[i] <= min(SMALL_ENTRY, builder.line_chars):
        first = builder.atom(lines.ink[i], lines.end[k - 1], LIST, context=owner, row=number)
        builder.close()
        return first
    head = i + 1
    if (
        head < k
        and lines.end[head] - lines.ink[i] <= builder.line_chars
        and _LOCATION.match(builder.text, lines.begin[head])
    ):
        head += 1  # "error[E0308]: mismatched types" and the line that says where
    elif builder.text.startswith("commit ", lines.ink[i]):
        while head < k and not lines.gap[head] and lines.end[head] - lines.ink[i] <= builder.line_chars:
            head += 1  # its author and its date
    first = builder.line(lines.ink[i], lines.end[head - 1], LIST, owner, number)
    _continued(builder, lines, head, k, first=first, number=number)
    builder.close()
    return first


def _continued(builder: Builder, lines: Lines, i: int, k: int, *, first: int, number: int) -> None:
    """The lines after an entry's first: each cause is an atom, and so is each run of frames under it."""
    cause, n = first, i
    text = builder.text
    while n < k:
        last = n + 1
        if _is_frame(text, lines, n):
            while (
                last < k and _is_frame(text, lines, last) and lines.end[last] - lines.ink[n] <= 4 * builder.line_chars
            ):
                last += 1
            if lines.end[last - 1] - lines.ink[n] <= builder.max_chars:
                builder.atom(lines.ink[n], lines.end[last - 1], LIST, context=cause, row=number)
            else:
                builder.line(lines.ink[n], lines.end[last - 1], LIST, cause, number)
        else:
            at = builder.line(lines.ink[n], lines.end[n], LIST, first, number)
            if _CAUSE.match(text, lines.ink[n]):
                cause = at
        n = last


def _is_frame(text: str, lines: Lines, n: int) -> bool:
    return lines.indent[n] > 0 and (_FRAME.match(text, lines.ink[n]) is not None or lines.indent[n] >= 4)


def messages_start(r: DocumentReader, i: int, k: int) -> bool:
    """Whether the chunk of lines [i, k) holds messages: its first line is one, or enough of its lines are."""
    if starts_entry(r.line(i)):
        return True
    if k - i < 3 or r.dialect != "plain":
        return False
    margin = r.lines.indent[i]
    sample = [n for n in range(i, min(k, i + _SAMPLE)) if r.lines.indent[n] <= margin]
    return sum(_LOCATED.match(r.text, r.lines.ink[n]) is not None for n in sample) >= max(1, 0.3 * len(sample))


def read_entries(r: DocumentReader, i: int, k: int, j: int) -> int:
    """Messages one after another from line i on: an entry ends where the next line at its margin starts one, or after
    line k - 1 where what follows does not go on with it."""
    builder, lines = r.builder, r.lines
    builder.open("log")
    owned = lead = builder.lead(lines.ink[i], strict=True)
    n, count, margin = i, 0, lines.indent[i]
    while n < k:
        last = n + 1
        if _HEADING_LINE.match(builder.text, lines.ink[n]):  # "src/pool.c: In function 'take':"
            lead = builder.line(lines.ink[n], lines.end[n], LIST, owned)
            builder.set_role(lead, KEY)
            n = last
            continue
        message = starts_entry(r.line(n))
        while last < k and not _ends_entry(r, last, margin, message):
            last += 1
        while last == k < j and message and _goes_on(r, k, margin):
            last = k = r.end_of_chunk(k, j)
        entry(builder, lines, n, last, owner=lead, number=count)
        n, count = last, count + 1
    builder.close(rows=count)
    return k


def _ends_entry(r: DocumentReader, n: int, margin: int, message: bool) -> bool:
    """Whether line n does not belong to the entry above: it starts one, or stands at the margin below other lines."""
    return r.lines.indent[n] <= margin and (not message or starts_entry(r.line(n)))


def _goes_on(r: DocumentReader, n: int, margin: int) -> bool:
    """Whether the chunk at line n, after a blank line, belongs to the message above it: an excerpt or a stack."""
    return _EXCERPT.match(r.text, r.lines.ink[n]) is not None or (
        r.lines.indent[n] > margin and not starts_entry(r.line(n))
    )


def is_failure(r: DocumentReader, i: int) -> bool:
    """Whether line i begins the report of a failed test: source, ">" before the line that failed, "E" before why."""
    for n in range(i, min(i + 80, len(r.lines))):
        if _RAISED.match(r.text, r.lines.begin[n]):
            return True
        if n > i and r.text[r.lines.begin[n]] not in " >" and r.lines.gap[n]:
            return False
    return False


def failure(r: DocumentReader, i: int, j: int) -> int:
    """The report of a failed test up to its location: `E` lines go with the location, that with the heading above."""
    builder, lines = r.builder, r.lines
    owner = builder.lead(lines.ink[i])
    builder.open("entry", UNIT)
    n, raised = i, list[int]()
    while n < j:
        first = r.text[lines.begin[n]]
        last = n + 1
        if _LOCATION.match(r.text, lines.begin[n]) and raised:
            where = builder.atom(lines.ink[n], lines.end[n], LIST, BODY, owner)
            for atom in raised:
                builder.set_context(atom, where)
            n = last
            break
        if not first.isspace() and first not in ">E" and lines.gap[n]:
            break
        while (
            last < j and r.text[lines.begin[last]] == first and first in " E" and (first == "E" or not lines.gap[last])
        ):
            last += 1
        if lines.end[last - 1] - lines.ink[n] > builder.max_chars:
            last = n + 1
        at = builder.line(lines.ink[n], lines.end[last - 1], LIST if first == "E" else CODE, owner)
        if first in "E>":
            raised.append(at)
        n = last
    builder.close()
    return n
