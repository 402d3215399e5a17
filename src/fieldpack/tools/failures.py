"""What a failing command must not lose: its errors, its exit code and its last lines, as ranges of the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fieldpack.tools.error_lines import error_lines

_LAST_LINES = 3
_LONGEST = 400
"""Characters of a pinned line; of a longer one its end is pinned."""
_TAIL, _HEAD = 2_000, 200
"""Characters at the end and the beginning in which a command's exit code is looked for."""
_SUMMARY_LINES = 8
_FEW, _ENDS, _REST_LINES, _SEEN = 12, 3, 8, 100
"""Lines that name an error, of which an output tells why; of more, so many at both ends; lines below one that belong to
it; lines at both ends of an output's errors that are always read."""
_EXIT = re.compile(
    r"^(?!\s)[^\n]{0,200}?(?:\bexit(?:ed)?(?:[ _-](?:with(?: (?:a )?non-?zero)?|code|status|value))+"
    r"|\breturn(?:ed)?[ _-]?(?:code|status)|\bnon-?zero exit (?:code|status)"
    r"|\b(?:command|process) (?:failed|exited|finished) with(?: exit)?(?: code| status)?"
    r"|^exit(?=[ :=]|code)(?:code)?|[\[(<]exit)[\s:=\"'>\[(]{1,4}(-?\d{1,10})\b(?P<rest>[^\n]*)",
    re.I | re.M,
)
_EXIT_WORDS = ("exit", "return", "command", "process")
"""One of them stands in whatever says an exit code."""
_DESCRIBED = re.compile(r"\b(?:if|when|whenever|for|means|indicates|where|unless|on)\b", re.I)
"""In the rest of a line that says what an exit code would mean."""
_STOPPED = re.compile(
    r"(?:make(?:\[\d+\])?: \*\*\* [^\n]*|npm (?:ERR!|error)[^\n]*|[^\n]{0,80}Segmentation fault[^\n]*|Killed"
    r"|Aborted[^\n]*|error: (?:could not compile|failed|command)[^\n]*|FAILED \([^\n]*|FAIL\b[^\n]*"
    r"|(?:\[\w+\] )?BUILD (?:FAILED|FAILURE)[^\n]*|ERROR: [^\n]*|fatal: [^\n]*|panic: [^\n]*"
    r"|ninja: build stopped[^\n]*)$",
    re.M,
)
_STATED = re.compile(
    r"^(?:make(?:\[\d+\])?: \*\*\* .* Error \d|npm (?:ERR!|error) |error: could not compile|ERROR: failed to solve"
    r"|Traceback \(most recent call last\):$)",
    re.M,
)
"""By which a tool says, anywhere in its output, that it failed."""
_BELOW = re.compile(r"[ \t]+\S|\d+ +\||(?:note|help): ")
"""A line that belongs to the error above it: indented, a numbered line of source, a note."""
_RAISED = re.compile(r"[\w.]+(?:Error|Exception|Interrupt|Exit|Warning)\b")
_SUMMARY = re.compile(
    r"\b[1-9]\d*(?: of \d+)?(?: (?:tests?|examples?|specs?|suites?))? (?:failed|failures?|errors?|problems)\b"
    r"|\b(?:failed|failures?|errors?)[:=] ?[1-9]|^(?:FAIL|FAILED|FAILURES!|Failed!)(?:\s|$)",
    re.I | re.M,
)
"""What a runner of tests, a compiler or a linter says last."""
_PLAIN = ("csv", "jsonl", "html", "diff")
"""Forms that are data: only what a tool says of itself makes them failures."""
_JSON_STATUS = re.compile(
    r"\"(?:exit_?code|exit_?status|return_?code|status_?code|isError|is_error|errors?|error_?message|stderr)\""
    r"\s*:\s*(?:\"((?:[^\"\\]|\\.){1,300})\"|(-?\d+|true))",
    re.I,
)
Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Pins:
    """Ranges of a text that must stay, ascending and disjoint. failed: whether the command says that it failed: then
    the budget gives way to them. apparent: whether it only looks so: then they stay where they leave space. errors,
    likely: lines of such an output that name an error, and others that seem to: they are worth more than their words
    say."""

    ranges: Ranges = ()
    failed: bool = False
    apparent: bool = False
    errors: Ranges = ()
    likely: Ranges = ()

    def within(self, characters: int) -> Pins:
        """As many of the ranges as have no more characters: the last, then the first ones, where errors begin."""
        taken: list[tuple[int, int]] = []
        for a, b in (*self.ranges[-1:], *self.ranges[:-1]):
            if b - a <= characters:
                characters -= b - a
                taken.append((a, b))
        return replace(self, ranges=tuple(sorted(taken)))

    @property
    def seen(self) -> Ranges:
        """Ranges that no screen leaves out: the pins, the first and the last lines that name an error or seem to."""
        few = [r for lines in (self.errors, self.likely) for r in (*lines[:_SEEN], *lines[_SEEN:][-_SEEN:])]
        return tuple(sorted({*self.ranges, *few}))


def pins_of(text: str, failed: bool | None, form: str = "plain", cause: bool = False, particular: bool = False) -> Pins:
    """The pins of an output. failed: what the tool itself says of it; None when it does not say. cause: whether the
    question is why something failed: then a few lines that name an error make any output a failure, and they are
    pinned with what follows them; of more than twelve the first twelve where a tool says that it failed, else the first
    and the last three. particular: whether the question names one thing among many: then of so many lines none is
    pinned by its place.

    A command has failed when the tool says so or an exit code other than 0 stands in the last 2,000 characters or the
    first 200. Then every error line is pinned (of equal ones the first and the last), and the exit code and the last
    three lines. Where the output only looks like a failure (a traceback, `make: ***`, "2 failed, 90 passed"), its last
    lines are.
    """
    if form == "json":
        return _json_pins(text, failed)
    failing = [m for m in _exits(text) if int(m.group(1)) != 0]
    known = failed if failed is not None else bool(failing)
    maybe = not known and failed is None and form not in _PLAIN
    looks = maybe and _looks_failed(text)
    if not known and not looks and not (maybe and cause):
        return Pins()
    sure, likely = error_lines(text)
    distinct = sorted(set(sure))
    told = distinct if cause else []
    if len(told) > _FEW:
        ends = [] if particular else [*told[:_ENDS], *told[-_ENDS:]]
        told = told[:_FEW] if _STATED.search(text) is not None else ends
    apparent = maybe and (bool(told) or looks)
    if not known and not apparent:
        return Pins()
    ranges = [m.span() for m in failing] + _last_lines(text, _LAST_LINES)
    ranges += [_with_rest(text, *line) for line in told]
    pinned = _merged(text, ranges + sure if known else ranges)
    return Pins(pinned, known, apparent, _merged(text, sure), _merged(text, likely))


def sum_of(text: str, form: str) -> Pins:
    """The last line of what a command prints, where it holds a number, to stay where it leaves space: it often is the
    sum that a question for a count asks for."""
    lines = _last_lines(text, 1) if form not in (*_PLAIN, "json") else []
    return Pins(_merged(text, [(a, b) for a, b in lines if re.search(r"\d", text[a:b])]), apparent=True)


def _exits(text: str) -> Iterator[re.Match[str]]:
    """Where an exit code is said, and not what one would mean: in the first and the last lines."""
    start = text.find("\n", max(0, len(text) - _TAIL)) + 1 if len(text) > _TAIL else 0
    found = _exits_in(text, start, len(text))
    if start > _HEAD:
        found += _exits_in(text[:_HEAD], 0, _HEAD)
    for m in found:
        if _DESCRIBED.search(m["rest"]) is None and len(m["rest"].split()) <= 6:
            yield m


def _exits_in(text: str, start: int, end: int) -> list[re.Match[str]]:
    lower = text[start:end].lower()
    return list(_EXIT.finditer(text, start)) if any(word in lower for word in _EXIT_WORDS) else []


def _looks_failed(text: str) -> bool:
    lines = [text[a:b] for a, b in _last_lines(text, _SUMMARY_LINES)]
    if any(_STOPPED.match(line) or _SUMMARY.search(line) for line in lines):
        return True
    return bool(lines) and _RAISED.match(lines[0]) is not None and "Traceback (most recent call last)" in text


def _json_pins(text: str, failed: bool | None) -> Pins:
    """The status members of an object: an exit code that is not 0, an error's text."""
    members = [m for m in _JSON_STATUS.finditer(text) if (m.group(1) or m.group(2)) not in ("0", "200")]
    if len(members) > 3:  # a list of records, each with its own status: that is data
        return Pins()
    return Pins(_merged(text, [m.span() for m in members]), bool(failed and members), bool(members))


def _last_lines(text: str, most: int) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    end = len(text)
    while end > 0 and len(out) < most:
        start = text.rfind("\n", 0, end) + 1
        if text[start:end].strip():
            out.append((start, end))
        end = start - 1
    return out


def _with_rest(text: str, start: int, end: int) -> tuple[int, int]:
    """An error line with what belongs to it below (a stack trace, the place in the source, notes), a few lines."""
    stop = end
    for _ in range(_REST_LINES):
        after = text.find("\n", stop + 1)
        after = len(text) if after < 0 else after
        if _BELOW.match(text, stop + 1, after) is None:
            break
        stop = after
    return start, stop


def _merged(text: str, ranges: list[tuple[int, int]]) -> Ranges:
    """Ascending, disjoint, trimmed of white space; of very long lines the end."""
    out: list[tuple[int, int]] = []
    for a, b in sorted(set(ranges)):
        while b > a and text[b - 1].isspace():
            b -= 1
        a = max(a, b - _LONGEST)
        while a < b and text[a].isspace():
            a += 1
        if out and a <= out[-1][1]:
            out[-1] = (out[-1][0], max(b, out[-1][1]))
        elif a < b:
            out.append((a, b))
    return tuple(out)
