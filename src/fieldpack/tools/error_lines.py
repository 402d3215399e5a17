"""The lines of an output that name an error, by the words and marks of compilers, runners of tests, package managers,
shells and loggers.

Own code: what tells an error from a line about errors ("0 failed", `error_count=0`, a file errors.py, a test named
test_failed_login that passed) is in no library. Only lines that hold one of some fifty strings are read by the
patterns: a log of 200,000 tokens takes a third of the time.
"""

from __future__ import annotations

import re
from bisect import bisect_right

_ZERO = r"[\"']?\s*[:=]?\s*(?i:0(?![\w.])|(?:none|null|nil|false)\b(?!\s+\w)|\[\]|\{\}|\"\"|'')"
"""After a word for errors: there are none."""
_SURE = re.compile(
    r"^E {2,}\S|(?:^|[ \t])E: \S|^[EF]\d{4} \d\d:\d\d:\d\d|^\s*[✖✗✘✕×❌] ?\S"
    r"|^\s*(?:[#-]+ )?not ok\b(?!.*# (?:TO[D]O|SKIP)\b)"
    rf"|\b(?:FAILED|FAIL|FAILURES?|CRITICAL|SEVERE|ERR)\b(?!{_ZERO})|\b(?i:assertion\b.{{0,80}}\bfailed)\b"
    r"|\b(?i:fatal|panic|panicked|traceback|segmentation fault|core dumped|out of memory|permission denied"
    r"|command not found|no such file|npm err!|is not recognized as an internal or external command)(?!\w)"
    # As a word of its own: not in the name of a file, a module or a flag. `TypeError` may have a package before it.
    rf"|(?<![\w./\\-])(?i:errors?|exceptions?)(?![\w/\\-]|\.\w|::)(?!{_ZERO})"
    rf"|\b\w+(?:Error|Exception)s?\b(?![/\\-]|\.[\w<])(?!{_ZERO})"
    r"|(?i: HTTP/[\d.]{1,3}\"? 5\d\d\b|\bstatus\"?[:=] ?\"?5\d\d\b)"  # a server's error, in its log of requests
)
_LIKELY = re.compile(
    r"^\s*(?:[●•] |ERR!|!!)|\b(?i:cannot|can't|could not|couldn't|unable to|failed to|failed|failures?"
    r"|not found|undefined|denied|refused|timed out|no such|missing|unknown|invalid|unresolved|unexpected|expected"
    r"|conflict\w*|incompatible|mismatch\w*|rejected|expired|killed|abort\w*|unsupported|deprecated)(?!\w)"
    r"|(?i: HTTP/[\d.]{1,3}\"? 4\d\d\b|\bstatus\"?[:=] ?\"?4\d\d\b)"
)
_HARMLESS = re.compile(
    r"\b(?:no|0(?:/\d+| of \d+)?|zero|without|free of) (?:\w+ )?"
    r"(?:errors?|exceptions?|failures?|failed|failing|fail|fatal|panics?)\b"
    rf"|\b(?:errors?|exceptions?|failures?|failed|fail|fatal){_ZERO}"
    r"|\w*_(?:error|exception|fail)\w*|\b(?:error|exception|fail)[a-z]*_\w*|\b(?:error|exception)-free\b",
    re.I,
)
"""What is taken out of a line before it is read: that there is no error, and names of tests and counters."""
_PASSED = re.compile(r"\b(?:PASSED|XFAIL|XPASS|SKIPPED|SKIP)\b|^\s*(?:[#-]+ )?(?:[✓✔√]|ok\b|PASS\b)")
_FAILED = re.compile(rf"(?<!\b0 )\b(?:FAILED|FAIL|FAILURES?|ERRORS?)\b(?!{_ZERO})")
_MARKS = (
    *("err", "exception", "fail", "critical", "severe", "not ok", "fatal", "panic", "traceback", "segmentation fault"),
    *("core dumped", "out of memory", "denied", "not found", "no such", "is not recognized as", "\ne  ", "\ne: "),
    *(" e: ", "\te: ", "✖", "✗", "✘", "✕", "×", "❌", "●", "•", "!!", "cannot", "can't", "could not", "couldn't"),
    *("unable to", "undefined", "refused", "timed out", "missing", "unknown", "invalid", "unresolved", "expected"),
    *("conflict", "incompatible", "mismatch", "rejected", "expired", "killed", "abort", "unsupported", "deprecated"),
)
"""In lower case: one of them stands in every line that a pattern finds, but for those that _STAMPED finds."""
_STAMPED = re.compile(r"^[EF]\d{4} \d", re.M)
_STATUS = re.compile(r"(?: http/[\d.]{1,3}\"? |\bstatus\"?[:=] ?\"?)[45]\d\d\b")
Ranges = list[tuple[int, int]]


def error_lines(text: str) -> tuple[Ranges, Ranges]:
    """The lines that name an error, and others that seem to, as ranges; of lines that say the same the first and the
    last."""
    first: tuple[dict[str, tuple[int, int]], ...] = ({}, {})
    last: tuple[dict[str, tuple[int, int]], ...] = ({}, {})
    for start, end in _candidates(text):
        line = text[start:end]
        kind = named(line)
        if kind is not None:
            first[kind].setdefault(line.strip(), (start, end))
            last[kind][line.strip()] = (start, end)
    sure, likely = ([*a.values(), *b.values()] for a, b in zip(first, last, strict=True))
    return sure, likely


def named(line: str) -> int | None:
    """0 for a line that names an error, 1 for one that seems to, None for others."""
    if _PASSED.search(line) and not _FAILED.search(line):
        return None
    read = _HARMLESS.sub("", line)
    if _SURE.search(read) is not None:
        return 0
    return 1 if _LIKELY.search(read) is not None else None


def _candidates(text: str) -> Ranges:
    """The lines that hold one of the marks, ascending."""
    starts = [0, *(m.end() for m in re.finditer("\n", text))]
    lower = "\n" + text.lower()
    if len(lower) != len(text) + 1:  # a few letters change their length: every line is read
        rows = set(range(len(starts)))
    else:
        rows = {bisect_right(starts, m.start()) - 1 for m in _STAMPED.finditer(text)}
        if "http/" in lower or "status" in lower:
            rows |= {bisect_right(starts, m.start() - 1) - 1 for m in _STATUS.finditer(lower)}
        for mark in _MARKS:
            rows |= _rows_with(lower, mark, starts)
    ends = [*(start - 1 for start in starts[1:]), len(text)]
    return [(starts[row], ends[row]) for row in sorted(rows)]


def _rows_with(lower: str, mark: str, starts: list[int]) -> set[int]:
    """The lines that hold a mark. lower: the text behind a line break."""
    rows, at = set[int](), lower.find(mark)
    while at >= 0:
        row = bisect_right(starts, max(0, at - 1 + (mark[0] == "\n"))) - 1
        rows.add(row)
        following = starts[row + 1] if row + 1 < len(starts) else len(lower)
        at = lower.find(mark, following)
    return rows
