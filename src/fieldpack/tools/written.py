"""A pack of an output written in the form of that output: whole rows, valid markup, marks where lines are left out."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Sequence

from fieldpack.result import Result
from fieldpack.tools import html_tags
from fieldpack.tools.forms import LINE_FORMS, OWN_WHITE
from fieldpack.tools.json_tree import Pruner
from fieldpack.tools.screen import Screened
from fieldpack.tools.xml_tags import Elements
from fieldpack.types import KINDS

_TABLE = KINDS.index("table")
_HEADING = re.compile(r"^#{1,6} [^\n]*\S", re.M)
Ranges = list[tuple[int, int]]


class FormWriter:
    """Writes packs of one text. stage: the part of it that the packer read."""

    def __init__(self, text: str, form: str, stage: Screened) -> None:
        self.text, self.form, self.stage = text, form, stage
        self._elements = Elements(text if form == "xml" else "")

    def pieces(self, result: Result) -> tuple[list[Ranges], list[str]]:
        """For each span of the pack its ranges in the whole text, and what parts them where lines between were not
        read: between rows of a table nothing but a line break, else a mark."""
        segments, spans = result.segments, result.spans
        pieces, gaps = [], []
        for span in spans:
            start, end = int(segments.start[span.first]), int(segments.end[span.last])
            if result.cut is not None and result.cut.row == span.last:
                end = result.cut.end
            pieces.append([self._shown(a, b) for a, b in self.stage.back([(start, end)])])
            table = bool((segments.kind[span.first : span.last + 1] == _TABLE).all())
            gaps.append("\n" if table or self.form in LINE_FORMS else "\n…\n")
        if self.form == "markdown":
            return self._headed(pieces, gaps)
        if self.form == "xml":
            return [self._elements.whole([r for piece in pieces for r in piece])], gaps[:1]
        return [self._whole_lines(piece) for piece in pieces], gaps

    def _headed(self, pieces: list[Ranges], gaps: list[str]) -> tuple[list[Ranges], list[str]]:
        """Each piece after the heading that it stands under."""
        headings = [m.span() for m in _HEADING.finditer(self.text)]
        starts, out, marks, end = [a for a, _ in headings], [], [], 0
        for piece, gap in zip(pieces, gaps, strict=True):
            at = bisect_right(starts, piece[0][0]) - 1
            if at >= 0 and headings[at][0] >= end and headings[at][1] <= piece[0][0]:
                out.append([headings[at]])
                marks.append("\n…\n")
            out.append(piece)
            marks.append(gap)
            end = piece[-1][1]
        return out, marks

    def _shown(self, start: int, end: int) -> tuple[int, int]:
        """The range without white space at its end, and with the indentation of its first line."""
        line = self.text.rfind("\n", 0, start) + 1
        if self.form not in OWN_WHITE and self.text[line:start].isspace():
            start = line
        return start, start + len(self.text[start:end].rstrip())

    def _whole_lines(self, piece: Ranges) -> Ranges:
        """The ranges, for CSV grown to whole lines."""
        if self.form != "csv":
            return piece
        text = self.text
        ends = [(text.rfind("\n", 0, a) + 1, text.find("\n", b)) for a, b in piece]
        return [(a, b if b >= 0 else len(text)) for a, b in ends]

    def joined(self, pieces: list[Ranges], gaps: list[str], kept: Ranges) -> str:
        if self.form == "html":
            return html_tags.closed(self.text, kept)
        if self.form == "xml":
            return self._elements.closed(kept)
        if self.form == "jsonl":
            return "\n".join(_records(self.text, kept))
        out: list[str] = []
        end, table = -1, False
        for piece, gap in zip(pieces, gaps, strict=True):
            for i, (a, b) in enumerate(piece):
                if end >= 0:
                    between = gap if i or (table and gap == "\n") else self._mark(end, a)
                    out.append(between if self.text[end:a].strip() else self.text[end:a])
                out.append(self.text[a:b])
                end, table = b, gap == "\n"
        return "".join(out)

    def _mark(self, end: int, start: int) -> str:
        if self.form in LINE_FORMS:
            return "\n"
        return "\n…\n" if "\n" in self.text[end:start] else " … "


def _records(text: str, kept: Sequence[tuple[int, int]]) -> list[str]:
    """The lines of JSON Lines that were kept, each valid: of a line that was kept in part its kept members."""
    out: dict[int, str] = {}
    lines: dict[int, Ranges] = {}
    for a, b in kept:
        at = a
        while at < b:
            start = text.rfind("\n", 0, at) + 1
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            lines.setdefault(start, []).append((at - start, min(b, end) - start))
            at = end + 1
    for start, ranges in lines.items():
        end = text.find("\n", start)
        line = text[start : len(text) if end < 0 else end]
        try:
            json.loads(line)
            out[start] = Pruner(line, ranges).pruned().text
        except (ValueError, RecursionError):
            out[start] = line
    return [out[start] for start in sorted(out) if out[start].strip()]
