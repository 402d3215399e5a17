"""What is wrong with a context that somebody else made: what it says twice, and where it was cut."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fieldpack.types import KINDS, Document, Segments
from fieldpack.words import split

_SHINGLE = 8
"""Words that must stand in the same order before: fewer are phrases of a language, not copies."""
_FEWEST = 4
"""Words of a segment from which it can be a repeat at all; shorter ones are headings and labels."""
_REPEATED = 0.8
"""Share of a segment's words from which it is a repeat."""
_WORDS = 6
"""Words from which a line without an end is a cut sentence and no title."""
_FENCE = re.compile(r"^\s*(```|~~~)", re.MULTILINE)
_ENDED = re.compile(r"[.!?…:;。！？؟।»”\"')\]}>*_`|-]\s*$")
_ROW = re.compile(r"^\s*\|.*\|\s*$")
_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")


@dataclass(frozen=True)
class Place:
    """A range of a document in characters, and what is wrong with it."""

    doc_id: str
    start: int
    end: int
    what: str

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {"doc_id": self.doc_id, "start": self.start, "end": self.end, "what": self.what}


def repeats(documents: Sequence[Document], segments: Segments) -> dict[int, int]:
    """{row: the row that said it before}: of segments most of whose words stand in earlier ones in the same order."""
    said: dict[tuple[str, ...], int] = {}
    out: dict[int, int] = {}
    for row, text in enumerate(segments.texts(documents)):
        words = split(text)
        size = min(_SHINGLE, len(words))
        runs = [tuple(words[k : k + size]) for k in range(len(words) - size + 1)] if size >= _FEWEST else []
        covered, first = set[int](), -1
        for k, run in enumerate(runs):
            if run in said:
                first = said[run] if first < 0 else first
                covered.update(range(k, k + size))
        if runs and len(covered) >= _REPEATED * len(words):
            out[row] = first
        for run in runs:
            said.setdefault(run, row)
    return out


def cuts(documents: Sequence[Document], segments: Segments) -> tuple[Place, ...]:
    """Where text was cut: sentences without beginning or end, tables without a head, code and JSON without an end."""
    out: list[Place] = []
    last_of = dict(zip(segments.parent.tolist(), range(len(segments)), strict=True))
    seen: set[int] = set()
    opened = 0
    for row, s in enumerate(segments):
        if KINDS.index(s.kind) not in _PROSE:
            continue
        text = documents[s.doc].text[s.start : s.end].strip()
        long = len(text.split()) >= _WORDS
        if s.parent not in seen and long and text[:1].islower():
            out.append(Place(documents[s.doc].id, s.start, s.end, "begins in mid-sentence"))
        if s.parent not in seen:
            opened = s.start
        seen.add(s.parent)
        paragraph = documents[s.doc].text[opened : s.end]
        if last_of[s.parent] == row and len(paragraph.split()) >= _WORDS and not _ENDED.search(text):
            out.append(Place(documents[s.doc].id, s.start, s.end, "ends in mid-sentence"))
    for d in documents:
        out += _unclosed(d)
    return tuple(out)


_PROSE = {KINDS.index("paragraph"), KINDS.index("sentence")}


def _unclosed(document: Document) -> list[Place]:
    """Half code blocks, tables and JSON of a document."""
    text, out = document.text, []
    fences = [m.start() for m in _FENCE.finditer(text)]
    if len(fences) % 2:
        out.append(Place(document.id, fences[-1], len(text), "a code block without its end"))
    at, before = 0, ""
    for line in text.splitlines(keepends=True):
        following = text[at + len(line) :].split("\n", 1)[0]
        row = bool(_ROW.match(line)) and not _RULE.match(line)
        if row and not _ROW.match(before) and not _RULE.match(following):
            out.append(Place(document.id, at, at + len(line), "a table without its head"))
        before, at = line, at + len(line)
    if re.match(r"\s*[{\[]\s*[\"{\[]", text) and not _is_json(text):
        out.append(Place(document.id, 0, len(text), "JSON without its end, or broken"))
    return out


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        return len(lines) > 1 and all(_is_json(line) for line in lines)
    return True
