"""The line that says what was left out, in the comment of the text's own format, and the counts that stand in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

_QUESTION = 48
"""Characters of the question in a notice; fewer where the budget is small."""
_COUNTING = re.compile(r"\b(?:how many|count|total|sum|average|mean|median|percent\w*|highest|lowest)\b", re.I)
_UNITS = {"csv": "rows", "jsonl": "records", "json": "items"}


@dataclass(frozen=True)
class Counts:
    """kept of total `unit`; path: of the JSON array that they are items of. parts: whether parts of those kept are left
    out too."""

    kept: int
    total: int
    unit: str
    path: str = ""
    parts: bool = False


class Lines:
    """The lines of a text, read once, for any number of cuts of it."""

    def __init__(self, text: str) -> None:
        self._text = text
        lines = text.split("\n")
        self._ends = [end + i for i, end in enumerate(accumulate(map(len, lines)))]
        self._starts = [0, *(end + 1 for end in self._ends[:-1])]
        self._inked = [bool(line) and not line.isspace() for line in lines]
        self._total = sum(self._inked)

    def counts(self, kept: Sequence[tuple[int, int]], form: str) -> Counts:
        """Lines that hold ink, all of them and those with kept text; of very few lines, characters."""
        text, starts = self._text, self._starts
        if self._total < 8 and form not in _UNITS:
            return Counts(sum(b - a for a, b in kept), len(text), "characters")
        touched: set[int] = set()
        parts = False
        for a, b in kept:
            low, high = bisect_right(starts, a) - 1, bisect_right(starts, max(a, b - 1)) - 1
            touched.update(range(low, high + 1))
            parts = parts or bool(text[starts[low] : a].strip() or text[b : self._ends[high]].strip())
        lines = sum(self._inked[i] for i in touched)
        if form == "csv":  # the header is no row
            return Counts(max(0, lines - (0 in touched)), self._total - 1, "rows", "", parts)
        return Counts(lines, self._total, _UNITS.get(form, "lines"), "", parts)


def asks_for_a_count(question: str) -> bool:
    """Whether a question asks for what all rows together say: a count, a sum, an extreme."""
    return _COUNTING.search(question) is not None


def notice_of(counts: Counts, question: str, handle: str = "", budget: int = 1_000) -> str:
    """ "kept 7 of 400 rows for 'refunds in May'; 393 left out: expand id=..."; handle: "expand id=...", "" for none."""
    left = counts.total - counts.kept
    unit = f"{counts.unit} of {_one_line(counts.path, 40)}" if counts.path else counts.unit
    out = f"kept {counts.kept:,} of {counts.total:,} {unit}"
    if asked_for := _one_line(question, min(_QUESTION, max(16, budget // 6))):
        out += f" for '{asked_for}'"
    out += f"; {left:,} left out" if left else "; parts left out"
    if left and counts.parts:
        out += ", and parts of those kept"
    if asks_for_a_count(question):
        out += "; do not count or sum these"
    return f"{out}: {handle}" if handle else out


def _one_line(text: str, length: int) -> str:
    """Printable characters in one line, without what could end a comment, a string or a cell."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = re.sub(r"['\"`<>\[\]{}|,;\\]|--+|\t", " ", line)
    line = " ".join(line.split())
    return line if len(line) <= length else line[: length - 1].rsplit(" ", 1)[0] + "…"


def with_notice(text: str, notice: str, form: str, original: str) -> str:
    """The text with the notice as a comment of its format. JSON has its own place for it (`json_tree`)."""
    body = text.strip("\n")
    if form == "csv":
        return f"{body}\n{_row(notice, original)}"
    if form == "jsonl":
        escaped = notice.replace("\\", "\\\\").replace('"', '\\"')
        return f'{body}\n{{"_fieldpack": "{escaped}"}}'
    if form in ("html", "xml", "markdown"):
        return f"{_after_doctype(body, notice)}"
    if form in ("config", "diff", "python"):
        return f"# {notice}\n{body}"
    return f"[{notice}]\n{body}"


def _after_doctype(body: str, notice: str) -> str:
    comment = f"<!-- {notice} -->"
    m = re.match(r"\s*(?:<\?xml[^>]*>|<!doctype[^>]*>)\s*", body, re.I)
    if m:
        return f"{body[: m.end()]}{comment}\n{body[m.end() :]}"
    return f"{comment}\n\n{body}" if body.startswith("|") else f"{comment}\n{body}"


def _row(notice: str, original: str) -> str:
    """A row of as many cells as the others, that begins with # (what many readers of CSV take for a comment)."""
    lines = [line for line in original[:20_000].split("\n") if line.strip() and not line.startswith("#")]
    head = lines[0] if lines else ""
    mark = max(",\t;|", key=lambda m: (head.count(m), -",\t;|".index(m)))
    cells = re.sub(r"\"(?:[^\"]|\"\")*\"", "", head).count(mark)
    return "# " + notice.replace(mark, " ").replace('"', "'") + mark * cells
