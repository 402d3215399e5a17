"""One text inside a budget: what fails is pinned, the packer chooses, the form of the text stays valid, a notice counts
what was left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fieldpack.errors import BudgetError, InputError
from fieldpack.pipeline import ContextPacker
from fieldpack.relevance.intent import intent_of
from fieldpack.request import Request
from fieldpack.result import Result
from fieldpack.scored import Extras
from fieldpack.telemetry import Clock, observed
from fieldpack.tools.calls import ToolCall, names_one_thing, query_of
from fieldpack.tools.failures import Pins, pins_of, sum_of
from fieldpack.tools.forms import PRINTED, form_of
from fieldpack.tools.json_tree import Child, Pruned, Pruner
from fieldpack.tools.notice import Counts, Lines, asks_for_a_count, notice_of, with_notice
from fieldpack.tools.screen import Screened, screened
from fieldpack.tools.worth import LIKELY, SURE, behind_best, bias_of, lifted
from fieldpack.tools.written import FormWriter, Ranges
from fieldpack.types import BoolArray, Document, FloatArray, Segments

_ROUNDS = 10
_COUNTED = 96_000
"""Characters up to which a text's tokens are counted; of a longer one they are estimated from 24 samples."""
_SAMPLES, _SAMPLE = 24, 1_500
_PER_TOKEN = 4


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


def cut(text: str, job: Job, packer: ContextPacker) -> Cut:
    """The part of the text that answers, in at most `job.budget` tokens with its notice; more only where the errors of
    a failing command need more. Raises InputError where nothing fits."""
    form = form_of(text)
    cause = intent_of(job.question).cause
    pins = pins_of(text, job.call.failed, form, cause, cause and names_one_thing(job.question, text))
    if not pins.ranges and asks_for_a_count(job.question):
        pins = sum_of(text, form)
    query = query_of(job.question, job.call, text)
    if not query.strip():
        raise InputError("there is no question and no call to cut for")
    stage = screened(text, query, max(job.screen, 16 * job.budget), pins.seen, form)
    return _Cutter(text, form, stage, job, packer).cut(query, pins)


class _Cutter:
    def __init__(self, text: str, form: str, stage: Screened, job: Job, packer: ContextPacker) -> None:
        self.text, self.form, self.stage, self.job = text, form, stage, job
        # Of one endless line its beginning; of what a command prints single lines.
        self.packer = replace(packer, allow_cut=True, unit="sentence" if form in PRINTED else packer.unit)
        self._known: dict[int, list[Child]] = {}
        self._writer = FormWriter(text, form, stage)
        self._lines = Lines(text)
        self._whole = self._lines.counts([(0, len(text))], form)

    def cut(self, query: str, pins: Pins) -> Cut:
        """Packs until the written text fits."""
        job = self.job
        widest = notice_of(replace(self._whole, kept=1, parts=True, path="data"), job.question, job.handle, job.budget)
        reserve = int(self.packer.tokenizer.count(widest)) + 8
        budget = max(1, job.budget - reserve)
        document = Document(
            "output", self.stage.text, metadata={"kind": "terminal" if self.form in PRINTED else self.form}
        )
        if pins.apparent:
            pins = pins.within(_PER_TOKEN * budget // 4)
        ranges = [("output", a, b) for a, b in self.stage.forth(pins.ranges)]
        self._worth = [(lift, self.stage.forth(lines)) for lift, lines in ((SURE, pins.errors), (LIKELY, pins.likely))]
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
        extras = Extras(bias=bias_of(self.job.question, document.text, corpus.rows))
        scored = self.packer.scored(request, corpus, extras=extras, clock=clock)
        fits = scored.problem.whole_cost <= budget
        problem = replace(scored.problem, logit=self._weighed(scored.problem.logit, corpus.rows, fits))
        relevance = replace(scored.relevance, logit=self._weighed(scored.relevance.logit, corpus.rows, fits))
        return observed(self.packer.choose(request, replace(scored, problem=problem, relevance=relevance), clock))

    def _weighed(self, logit: FloatArray, rows: Segments, fits: BoolArray) -> FloatArray:
        return behind_best(lifted(logit, rows, self._worth), rows, fits)

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
        pieces, gaps = self._writer.pieces(result)
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
            counts = self._lines.counts(kept, self.form)
            notice = notice_of(counts, self.job.question, self.job.handle, self.job.budget)
            body = with_notice(self._writer.joined(pieces, gaps, kept), notice, self.form, self.text)
        return _Written(kept, counts, notice, body, int(self.packer.tokenizer.count(body)))

    def _json_counts(self, pruned: Pruned, kept: Ranges) -> Counts:
        if pruned.total:
            return Counts(pruned.kept, pruned.total, "items", pruned.path, pruned.fields)
        return Counts(sum(b - a for a, b in kept), len(self.text), "characters")
