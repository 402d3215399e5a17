"""What a failing command must not lose: its errors, its exit code and its last lines, as ranges of the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LAST_LINES = 3
_LONGEST = 400
"""Characters of a pinned line; of a longer one its end is pinned."""
_EXIT = re.compile(
    r"^[^\n]{0,200}?\b(?:exit(?:ed)?(?:[ _-]?(?:with|code|status))*|return(?:ed)?[ _-]?(?:code|non-zero exit status)"
    r"|(?:command|process) (?:failed|exited) with(?: exit)?(?: code| status)?)[\s:=\"'(\]]{1,4}(-?\d{1,10})\b[^\n]*",
    re.I | re.M,
)
_STOPPED = re.compile(
    r"^(?:make(?:\[\d+\])?: \*\*\* [^\n]*|npm ERR![^\n]*|[^\n]{0,80}Segmentation fault[^\n]*|Killed|Aborted[^\n]*"
    r"|error: could not compile[^\n]*|Traceback \(most recent call last\):|BUILD FAILED[^\n]*|FAILED \([^\n]*)$",
    re.M,
)
_ERROR = re.compile(
    r"^(?:E {2,}\S|[^\n]*?(?:\b(?:fatal|panic|panicked|traceback|segmentation fault|core dumped|out of memory"
    r"|permission denied|command not found|no such file|npm err!)\b"
    r"|\b\w*(?:error|exception)s?\b(?!\s*[:=]?\s*(?:0|none|null)\b)))[^\n]*",
    re.I | re.M,
)
_HARMLESS = re.compile(r"\b(?:no|0|without) (?:\w+ )?(?:errors?|exceptions?)\b|_error\b|error_|\bPASSED\b", re.I)
_JSON_STATUS = re.compile(
    r"\"(?:exit_?code|exit_?status|return_?code|status_?code|isError|is_error|errors?|error_?message|stderr)\""
    r"\s*:\s*(?:\"((?:[^\"\\]|\\.){1,300})\"|(-?\d+|true))",
    re.I,
)


@dataclass(frozen=True)
class Pins:
    """Ranges of a text that must stay, ascending and disjoint. failed: whether the command says that it failed: then
    the budget gives way to them. apparent: whether it only looks so: then they stay where they leave space."""

    ranges: tuple[tuple[int, int], ...] = ()
    failed: bool = False
    apparent: bool = False


def pins_of(text: str, failed: bool | None, form: str = "plain") -> Pins:
    """The pins of an output. failed: what the tool itself says of it; None when it does not say.

    A command has failed when the tool says so or an exit code other than 0 stands in the last 2,000 characters or the
    first 200. Then every error line is pinned (of equal ones the first and the last), and the exit code and the last
    three lines. Where the output only looks like a failure (a traceback, `make: ***`), its last lines are.
    """
    if form == "json":
        return _json_pins(text, failed)
    exits = [m for m in _EXIT.finditer(text, max(0, len(text) - 2_000))]
    exits += [m for m in _EXIT.finditer(text[:200]) if m.end() < len(text) - 2_000]
    failing = [m for m in exits if int(m.group(1)) != 0]
    known = failed if failed is not None else bool(failing)
    apparent = not known and failed is None and _STOPPED.search(text, max(0, len(text) - 4_000)) is not None
    if not known and not apparent:
        return Pins()
    ranges = [m.span() for m in failing] + _last_lines(text)
    if known:
        ranges += _error_lines(text)
    return Pins(_merged(text, ranges), known, apparent)


def _json_pins(text: str, failed: bool | None) -> Pins:
    """The status members of an object: an exit code that is not 0, an error's text."""
    members = [m for m in _JSON_STATUS.finditer(text) if (m.group(1) or m.group(2)) not in ("0", "200")]
    if len(members) > 3:  # a list of records, each with its own status: that is data
        return Pins()
    return Pins(_merged(text, [m.span() for m in members]), bool(failed and members), bool(members))


def _last_lines(text: str) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    end = len(text)
    while end > 0 and len(out) < _LAST_LINES:
        start = text.rfind("\n", 0, end) + 1
        if text[start:end].strip():
            out.append((start, end))
        end = start - 1
    return out


def _error_lines(text: str) -> list[tuple[int, int]]:
    """The lines that name an error; of lines that say the same the first and the last."""
    first: dict[str, tuple[int, int]] = {}
    last: dict[str, tuple[int, int]] = {}
    for m in _ERROR.finditer(text):
        if not _HARMLESS.search(m.group()):
            line = m.group().strip()
            first.setdefault(line, m.span())
            last[line] = m.span()
    return [*first.values(), *last.values()]


def _merged(text: str, ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
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
