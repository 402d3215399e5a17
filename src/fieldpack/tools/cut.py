"""One text inside a budget: what fails is pinned, the packer chooses, the form of the text stays valid, a notice counts
what was left out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fieldpack.errors import BudgetError, InputError
from fieldpack.pipeline import ContextPacker
from fieldpack.request import Request
from fieldpack.result import Result
from fieldpack.scored import Extras
from fieldpack.telemetry import Clock
from fieldpack.text.structure.detect import format_of
from fieldpack.text.structure.reader import normalised
from fieldpack.tools import html_tags
from fieldpack.tools.calls import ToolCall, names_like_stopwords, query_of
from fieldpack.tools.failures import Pins, pins_of, sum_of
from fieldpack.tools.json_tree import Child, Pruned, Pruner, is_json
from fieldpack.tools.notice import Counts, asks_for_a_count, counts_of, notice_of, with_notice
from fieldpack.tools.screen import Screened, screened
from fieldpack.types import KINDS, Document, FloatArray, Segments

_ROUNDS = 10
_COUNTED = 96_000
"""Characters up to which a text's tokens are counted; of a longer one they are estimated from 24 samples."""
_SAMPLES, _SAMPLE = 24, 1_500
_TABLE = KINDS.index("table")
_LINE_FORMS = ("csv", "jsonl")
_OWN_WHITE = ("json", "html")
"""Forms in which the white space before a line says nothing."""
_HEAD = re.compile(r"[A-Za-z_]\w{0,30}[,;\t][A-Za-z_]\w{0,30}")
_FENCED = re.compile(r"^ {0,3}(?P<mark>`{3,}|~{3,})(?P<language>[\w-]*)[^\n]*\n.*?(?:^ {0,3}(?P=mark)|\Z)", re.M | re.S)
_NO_PROGRAMS = frozenset(("", "yaml", "yml", "text", "txt", "console", "log", "output", "shell", "sh", "bash", "plaintext"))
_NAMED, _RARE = np.float32(4.0), 0.2
_SURE, _LIKELY = (6.0, 0.5), (3.0, -1.0)
"""Log odds that the lines of a failing command gain that name an error, or seem to, and up to which they do: below
those of lines with the words of the question."""
_PER_TOKEN = 4
Ranges = list[tuple[int, int]]


@dataclass(frozen=True)
class Job:
    """What one text is cut for. handle: how the notice says that the rest can be had ("expand id=..."), "" for not.
    on_stage: called with the name of each stage that is done; what it raises ends the work."""

    question: str
    call: ToolCall
    budget: int
    handle: str = ""
    screen: int = 12_000
    on_stage: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Cut:
    """A text that was cut. kept: ranges of the whole text that stand in it, ascending. needed: tokens that the pins
    alone take, where that is more than the budget, else 0."""

    text: str
    tokens: int
    kept: tuple[tuple[int, int], ...]
    form: str
    counts: Counts
    notice: str
    needed: int = 0


@dataclass(frozen=True)
class _Written:
    """A pack written in its form, without its notice and with it."""

    kept: Ranges
    counts: Counts
    notice: str
    text: str
    tokens: int


def tokens_of(packer: ContextPacker, text: str) -> int:
    """The tokens of a text; of one of more than 96,000 characters an estimate (within 1.5 % on logs, tables and JSON
    of 0.3 to 0.4 million characters)."""
    if len(text) <= _COUNTED:
        return int(packer.tokenizer.count(text))
    step = (len(text) - _SAMPLE) // (_SAMPLES - 1)
    pieces = [text[i * step : i * step + _SAMPLE] for i in range(_SAMPLES)]
    counted = sum(int(n) for n in packer.tokenizer.count_many(pieces))
    return round(counted * len(text) / (_SAMPLES * _SAMPLE))


def form_of(text: str) -> str:
    """The format of a text, one of `detect.FORMATS`; "json" only where it is valid."""
    form = format_of(normalised(text))
    if form == "json" and not is_json(text):
        return "plain"
    if form != "jsonl" and is_json(text):
        return "json"
    if form == "plain":
        return "csv" if _is_narrow_table(text) else "terminal"
    return "terminal" if form == "markdown" and _is_fenced_output(text) else form


def _is_fenced_output(text: str) -> bool:
    """Whether most of a text stands between fences that name no language of programs: what a browser, a shell or a
    reader of files gives back."""
    fenced = [m for m in _FENCED.finditer(text) if m["language"].lower() in _NO_PROGRAMS]
    return 2 * sum(m.end() - m.start() for m in fenced) > len(text)


def _is_narrow_table(text: str) -> bool:
    """Whether a text is a table of two columns with a head of names, which the packer reads as lines."""
    lines = [line.strip("\ufeff\r") for line in text[:20_000].split("\n")[:40]]
    if len(lines) < 8 or not _HEAD.fullmatch(lines[0]):
        return False
    mark = next(m for m in ",;\t" if m in lines[0])
    return all(line.count(mark) == 1 and not line.endswith(mark) for line in lines if line)


def cut(text: str, job: Job, packer: ContextPacker) -> Cut:
    """The part of the text that answers, in at most `job.budget` tokens with its notice; more only where the errors of
    a failing command need more. Raises InputError where nothing fits."""
    form = form_of(text)
    pins = pins_of(text, job.call.failed, form)
    if not pins.ranges and asks_for_a_count(job.question):
        pins = sum_of(text, form)
    query = query_of(job.question, job.call, text)
    if not query.strip():
        raise InputError("there is no question and no call to cut for")
    stage = screened(text, query, max(job.screen, 16 * job.budget), pins.ranges, form)
    return _Cutter(text, form, stage, job, packer).cut(query, pins)


class _Cutter:
    def __init__(self, text: str, form: str, stage: Screened, job: Job, packer: ContextPacker) -> None:
        self.text, self.form, self.stage, self.job = text, form, stage, job
        # Of one endless line its beginning; of what a command prints single lines.
        self.packer = replace(packer, allow_cut=True, unit="sentence" if form == "terminal" else packer.unit)
        self._known: dict[int, list[Child]] = {}
        self._whole = counts_of(text, [(0, len(text))], form)

    def cut(self, query: str, pins: Pins) -> Cut:
        """Packs until the written text fits."""
        job = self.job
        widest = notice_of(replace(self._whole, kept=1, parts=True, path="data"), job.question, job.handle, job.budget)
        reserve = int(self.packer.tokenizer.count(widest)) + 8
        budget = max(1, job.budget - reserve)
        document = Document("output", self.stage.text, metadata={"kind": self.form})
        if pins.apparent:
            pins = pins.within(_PER_TOKEN * budget // 4)
        ranges = [("output", a, b) for a, b in self.stage.forth(pins.ranges)]
        self._worth = [(lift, self.stage.forth(lines)) for lift, lines in ((_SURE, pins.errors), (_LIKELY, pins.likely))]
        limit, needed = job.budget, 0
        try:
            result = self._packed(query, document, budget, ranges)
        except BudgetError as error:
            if pins.failed:
                needed = budget = error.needed
                limit = error.needed + reserve + 16 * len(ranges)
            else:
                ranges = []
            result = self._packed(query, document, budget, ranges)
        written = self._fitted(result, budget, limit)
        return Cut(
            text=written.text,
            tokens=written.tokens,
            kept=tuple(written.kept),
            form=self.form,
            counts=written.counts,
            notice=written.notice,
            needed=needed,
        )

    def _packed(self, query: str, document: Document, budget: int, pins: Sequence[tuple[str, int, int]]) -> Result:
        request, clock = Request.checked(query, budget, pins), Clock(self.job.on_stage)
        corpus = self.packer.read((document,), request, clock)
        extras = Extras(bias=_bias(self.job.question, document.text, corpus.rows))
        result = self.packer.pack_corpus(request, corpus, extras=extras, clock=clock)
        if not any(lines for _, lines in self._worth):
            return result
        scored = result.scored
        problem = replace(scored.problem, logit=_lifted(scored.problem.logit, corpus.rows, self._worth))
        relevance = replace(scored.relevance, logit=_lifted(scored.relevance.logit, corpus.rows, self._worth))
        return self.packer.choose(request, replace(scored, problem=problem, relevance=relevance), clock)

    def _fitted(self, result: Result, budget: int, limit: int) -> _Written:
        for _ in range(_ROUNDS):
            written = self._written(result)
            if written.tokens <= limit and written.kept:
                return written
            if not written.kept:
                break
            # What closes the format, and the marks, cost what the packer did not count.
            budget -= max(1, budget // 16, min(written.tokens - limit, budget // 2))
            if budget < 1:
                break
            try:
                result = result.repack(budget)
            except BudgetError:  # the pins and what closes the format around them need a little more
                return written
        raise InputError(f"no part of the output fits into {self.job.budget} tokens; give a larger budget")

    def _written(self, result: Result) -> _Written:
        """The pack in the form of the text, with its notice."""
        pieces, gaps = self._pieces(result)
        kept = [r for piece in pieces for r in piece]
        if self.form == "json":
            pruner = Pruner(self.text, kept, self._known)
            bare = pruner.pruned()
            if not bare.text:  # nothing but keys
                return _Written([], self._whole, "", "", 0)
            counts = self._json_counts(bare, kept)
            notice = notice_of(counts, self.job.question, self.job.handle, self.job.budget)
            body = pruner.pruned(notice).text
        else:
            counts = counts_of(self.text, kept, self.form)
            notice = notice_of(counts, self.job.question, self.job.handle, self.job.budget)
            body = with_notice(self._joined(pieces, gaps, kept), notice, self.form, self.text)
        return _Written(kept, counts, notice, body, int(self.packer.tokenizer.count(body)))

    def _json_counts(self, pruned: Pruned, kept: Ranges) -> Counts:
        if pruned.total:
            return Counts(pruned.kept, pruned.total, "items", pruned.path, pruned.fields)
        return Counts(sum(b - a for a, b in kept), len(self.text), "characters")

    def _pieces(self, result: Result) -> tuple[list[Ranges], list[str]]:
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
            gaps.append("\n" if table or self.form in _LINE_FORMS else "\n…\n")
        return [self._whole_lines(piece) for piece in pieces], gaps

    def _shown(self, start: int, end: int) -> tuple[int, int]:
        """The range without white space at its end, and with the indentation of its first line."""
        line = self.text.rfind("\n", 0, start) + 1
        if self.form not in _OWN_WHITE and self.text[line:start].isspace():
            start = line
        return start, start + len(self.text[start:end].rstrip())

    def _whole_lines(self, piece: Ranges) -> Ranges:
        """The ranges, for CSV grown to whole lines."""
        if self.form != "csv":
            return piece
        text = self.text
        ends = [(text.rfind("\n", 0, a) + 1, text.find("\n", b)) for a, b in piece]
        return [(a, b if b >= 0 else len(text)) for a, b in ends]

    def _joined(self, pieces: list[Ranges], gaps: list[str], kept: Ranges) -> str:
        if self.form == "html":
            return html_tags.closed(self.text, kept)
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
        if self.form in _LINE_FORMS:
            return "\n"
        return "\n…\n" if "\n" in self.text[end:start] else " … "


def _bias(question: str, text: str, rows: Segments) -> FloatArray | None:
    """(n,) log odds for rows that hold a name of the question which the packer reads as a function word ("May"), where
    at most a fifth of the rows do."""
    bias = np.zeros(len(rows), np.float32)
    for name in names_like_stopwords(question):
        hits = [m.start() for m in re.finditer(rf"\b{re.escape(name)}\b", text)]
        at = np.unique(np.searchsorted(rows.start, hits, "right") - 1)
        if 0 < len(at) <= max(1, _RARE * len(rows)):
            bias[at] += _NAMED
    return bias if bias.any() else None


def _lifted(logit: FloatArray, rows: Segments, worth: Sequence[tuple[tuple[float, float], Ranges]]) -> FloatArray:
    """(n,) log odds, those of the rows that begin one of the ranges lifted."""
    out = logit.copy()
    for (gain, most), lines in worth:
        at = np.unique(np.searchsorted(rows.start, [a for a, _ in lines], "right") - 1)
        at = at[at >= 0]
        out[at] += np.clip(most - logit[at], 0, gain)
    return out


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
