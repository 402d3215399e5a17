"""The line of data, end to end: documents -> segments -> field -> relevance -> packing -> text. Read this file first.

`ContextPacker` is a frozen record whose fields are the parts; an ablation is `dataclasses.replace(packer, ...)`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fieldpack.cascade import cascade
from fieldpack.embed.service import EmbeddingService
from fieldpack.embed.static import StaticEmbedder
from fieldpack.errors import BudgetError, SettingsError
from fieldpack.field.state import FieldSettings, FieldState
from fieldpack.field.state import read as read_field
from fieldpack.inputs import Pin, checked_budget, checked_documents, checked_queries, pin_ranges
from fieldpack.look import Look, Reader
from fieldpack.packing.greedy import Packing, PackingSettings, Problem, first_of_best, pack
from fieldpack.pins import packed_or_needed, pins_need
from fieldpack.prepared import Prepared, Range, prepare, shipped_static
from fieldpack.problem import carried_strength, closest, flags, linked, plain, spread
from fieldpack.reasons import Reasons
from fieldpack.relevance.read import Relevance, read_relevance
from fieldpack.relevance.scorer import Scorer
from fieldpack.render import ORDERS, Order, Rendered, render
from fieldpack.result import Explored, Result
from fieldpack.settle import Settled, settle
from fieldpack.telemetry import observed
from fieldpack.text.prefix import prefix
from fieldpack.text.tokens import tokenizer as make_tokenizer
from fieldpack.types import BoolArray, Document, FloatArray, IntArray
from fieldpack.words import distinct

if TYPE_CHECKING:
    from fieldpack.index import Index

Unit = Literal["auto", "paragraph", "sentence"]
UNITS: tuple[Unit, ...] = ("auto", "paragraph", "sentence")
Adjust = Callable[[Relevance], Relevance]

_UNKNOWN_LANGUAGE = 0.65
_SETTINGS = {False: PackingSettings(), True: PackingSettings(chain=5.0)}
"""Of paragraphs, of sentences: these share fewer words, so that a link must count for more (measured on multi-hop)."""


@lru_cache(maxsize=8)
def _scorer(path: Path | None) -> Scorer:
    return Scorer.load(path)


@dataclass(frozen=True)
class ContextPacker:
    """Query, documents and a token budget in; the evidence out, verbatim, inside the budget, with its reasons.

    embedder: what EmbeddingService takes, or one. tokenizer: an encoding, a model name, a tokenizer.json, a callable.
    unit: "paragraph", "sentence", or "auto": sentences where the budget is tight or a paragraph no longer fits.
    order: "source", "edges" or "relevance". cite: head each source with its number, title and id. titles: head it with
    its bare title. min_relevance: in [0, 1], what is less probable stays out. allow_cut: when not even the best segment
    fits, cut it. field, packing: their settings; packing None chooses by unit. scorer: other weights than the shipped.
    fill: whether what the budget has left is filled with what remains, the best first.

    Raises UnknownNameError or SettingsError at construction.
    """

    embedder: Any = "static"
    tokenizer: Any = "o200k_base"
    unit: Unit = "auto"
    order: Order = "source"
    cite: bool = False
    min_relevance: float = 0.0
    titles: bool = False
    allow_cut: bool = False
    field: FieldSettings = field(default_factory=FieldSettings)
    packing: PackingSettings | None = None
    scorer: Path | None = None
    fill: bool = True
    persist: float = 1.0
    """Log odds that carried residue adds to a segment that was packed in an earlier turn: keeps packs stable."""

    def __post_init__(self) -> None:
        for name, allowed in (("unit", UNITS), ("order", ORDERS)):
            if getattr(self, name) not in allowed:
                raise SettingsError(f"{name} is {getattr(self, name)!r}; allowed: {', '.join(allowed)}")
        for name, most in (("min_relevance", 1), ("persist", 50)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
                raise SettingsError(f"{name} is {value!r}; allowed: a number from 0 to {most}")
        if not isinstance(self.field, FieldSettings):
            raise SettingsError(f"field is a {type(self.field).__name__}; give fieldpack.FieldSettings(...)")
        if self.packing is not None and not isinstance(self.packing, PackingSettings):
            raise SettingsError(f"packing is a {type(self.packing).__name__}; give None or PackingSettings(...)")
        if self.scorer is not None:
            object.__setattr__(self, "scorer", Path(self.scorer))
        if not isinstance(self.embedder, EmbeddingService):
            object.__setattr__(self, "embedder", EmbeddingService(self.embedder))
        object.__setattr__(self, "tokenizer", make_tokenizer(self.tokenizer))

    def pack(
        self,
        query: str | Sequence[str | tuple[str, float]],
        documents: str | Document | Iterable[str | Document],
        budget: int,
        *,
        pins: Sequence[Pin] = (),
        state: FieldState | None = None,
        on_stage: Callable[[str], None] | None = None,
    ) -> Result:
        """The pack of `documents` for `query` (one or several, each alone or with a weight in (0, 1]) in at most
        `budget` tokens.

        pins: document ids, or (id, start, end) in characters; they are in whatever their relevance. state: of the turn
        before. on_stage: called with the name of each stage when it is done. Raises InputError for bad input and
        BudgetError when the pins cannot fit.
        """
        clock = Clock(on_stage)
        queries, weights = checked_queries(query)
        budget = checked_budget(budget)
        docs = checked_documents(documents)
        ranges = pin_ranges(pins, docs)

        def packed(limit: int) -> Result:
            prepared = self.prepare(docs, ranges, clock, limit)
            return self.pack_prepared(queries, prepared, limit, ranges, state, clock, weights)

        return packed_or_needed(packed, budget)

    def pack_stream(
        self,
        query: str | Sequence[str | tuple[str, float]],
        documents: Iterable[str | Document],
        budget: int,
        *,
        pins: Sequence[Pin] = (),
        state: FieldState | None = None,
        hold: int = 4096,
        block: int = 4096,
    ) -> Result:
        """`pack` of documents from an iterator, in one pass and bounded memory: some `hold` documents that can still
        win (more where they are less than eight budgets of text) and a `block` are alive at a time.

        A stream of one block gives what `pack` gives. Of a longer one every paragraph is screened by the query's words
        and static vectors with the statistics of the whole stream; documents are kept whole or let go, and a sentence
        embedder reads only those kept. `kept` and `dropped` list the segments of the documents held; the others are
        counted in `passed` and told in a note. Ids need be unique among documents held together; a pin of a document
        that never came is an InputError after the last one.
        """
        from fieldpack.stream import pack_stream  # a level above, for the convenience of its users

        return pack_stream(self, query, documents, budget, pins=pins, state=state, hold=hold, block=block)

    def prepare(
        self,
        documents: tuple[Document, ...],
        ranges: Sequence[Range] = (),
        clock: Clock | None = None,
        budget: int | None = None,
    ) -> Prepared:
        """Documents made ready for any number of queries; for one budget, when it is given."""
        clock = clock or Clock()
        cuts = [r for r in ranges if (r[1], r[2]) != (0, len(documents[r[0]].text))]
        return prepare(
            documents,
            sentences={"paragraph": False, "sentence": True, "auto": None}[self.unit],
            tokenizer=self.tokenizer,
            embed=self.embedder.embed if self._dense else None,
            static=self.static,
            cuts=cuts,
            budget=budget,
            lap=clock.lap,
        )

    def pack_prepared(
        self,
        queries: tuple[str, ...],
        prepared: Prepared,
        budget: int,
        ranges: Sequence[Range] = (),
        state: FieldState | None = None,
        clock: Clock | None = None,
        weights: Sequence[float] = (),
        adjust: Adjust | None = None,
        field: Reader | None = None,
    ) -> Result:
        """`pack` over documents made ready before. adjust: what the caller knows of relevance besides the texts (rows
        at log odds -inf stay out). field: a reading of the paragraphs from elsewhere."""
        clock = clock or Clock()
        asked = self.embedder.embed(list(queries)) if prepared.dense is not None else None
        look = Look(queries, prepared, state, self.field, asked, field)
        pinned = _rows_in(prepared, ranges)
        if self.order == "source":
            self._check_pins(prepared, pinned, budget)
        relevance = self._relevance(queries, prepared, weights, asked)
        relevance = adjust(relevance) if adjust else relevance
        clock.lap("relevance")
        problem = self._problem(prepared, relevance, pinned, state)
        return observed(self._packed(look, relevance, problem, budget, clock))

    def _packed(
        self, look: Look, relevance: Relevance, problem: Problem, budget: int, clock: Clock | None = None
    ) -> Result:
        """What is left when all but the budget is settled; the result carries it, for packs of other sizes."""
        clock, budget, prepared = clock or Clock(), checked_budget(budget), look.prepared
        self._check_pins(prepared, problem.pinned, budget, relevance)
        settings = self.packing or _SETTINGS[prepared.sentences]
        some = closest(problem, budget)
        if self.cite or self.titles:
            problem.opening[some] = self._opening(prepared, some)
        part = linked(prepared, relevance, look.reading if settings.attract > 0 else None, problem, some)
        # Every row is charged a gap mark, and the first has none before it.
        packing = pack(part, budget + 1, settings)
        clock.lap("pack")
        inside, rendered, tokens, filled, cut = self._settle(prepared, part, packing, relevance, budget, some)
        if tokens > budget:
            raise BudgetError(f"the least text takes {tokens} tokens and the budget is {budget}", tokens, budget)
        packing = spread(packing, problem, some)
        notes = self._notes(prepared, relevance, inside, problem, budget, cut)
        clock.lap("render")
        return Result(
            rendered.text,
            tokens,
            budget,
            look.queries,
            prepared,
            rendered.spans,
            inside,
            look,
            relevance,
            packing,
            Reasons(relevance, packing, problem, inside, filled, budget, tokens, self.min_relevance),
            clock.done(),
            notes,
            cut,
            partial(self._packed, look, relevance, problem),
        )

    def index(self, documents: str | Document | Iterable[str | Document]) -> Index:
        """The documents read once, for any number of queries: see fieldpack.index.Index."""
        from fieldpack.index import index  # a level above, for the convenience of its users

        return index(self, documents)

    def explore(self, documents: str | Document | Iterable[str | Document], limit: int | None = None) -> Explored:
        """The field of documents without a query. limit: attractors at most; default that of the packer's `field`.

        Raises InputError for bad input.
        """
        prepared = self.prepare(checked_documents(documents))
        settings = self.field if limit is None else replace(self.field, limit=limit)
        mass = np.maximum(prepared.rows.tokens, 1).astype(np.float32)
        return Explored(prepared, read_field(prepared.vectors, mass=mass, settings=settings))

    @cached_property
    def static(self) -> StaticEmbedder:
        """The static table that token resonance reads, whatever embeds the paragraphs."""
        found: StaticEmbedder | None = self.embedder.static
        return found if found is not None else shipped_static()

    @property
    def _dense(self) -> bool:
        """Whether paragraphs are embedded by something better than the static table before the query is known."""
        return bool(self.embedder.kind not in ("static", "cascade"))

    def _relevance(
        self, queries: tuple[str, ...], prepared: Prepared, weights: Sequence[float], asked: FloatArray | None
    ) -> Relevance:
        """asked (q, d): the queries by the embedder of the dense rows."""
        scorer = _scorer(self.scorer).of(prepared.code)
        if self.embedder.kind == "cascade":
            return cascade(queries, prepared, self.embedder.tiers[-1], scorer, weights)
        texts = prepared.texts if prepared.sentences else None
        dense = None
        if prepared.dense is not None and asked is not None:
            dense = [prepared.dense @ q for q in asked]
        return read_relevance(queries, prepared.corpus, prepared.static.word_vectors, scorer, texts, dense, weights)

    def _problem(
        self, prepared: Prepared, relevance: Relevance, pinned: BoolArray, state: FieldState | None
    ) -> Problem:
        logit = relevance.logit + self.persist * carried_strength(prepared, state)
        return plain(prepared, relevance, logit, pinned, self.min_relevance)

    def _opening(self, prepared: Prepared, some: IntArray) -> IntArray:
        """Tokens of the header that the first row of a document costs, for `some` rows."""
        owners = distinct(prepared.rows.doc[some])
        named, at = [prepared.documents[d] for d in owners.tolist()], np.searchsorted(owners, prepared.rows.doc[some])
        heads = [f"[99] {d.title} ({d.id})\n" if self.cite else f"{d.title}\n" for d in named]
        return np.asarray(self.tokenizer.count_many(heads), np.int64)[at]

    def _settle(
        self,
        prepared: Prepared,
        problem: Problem,
        packing: Packing,
        relevance: Relevance,
        budget: int,
        some: IntArray,
    ) -> tuple[BoolArray, Rendered, int, BoolArray, tuple[int, int] | None]:
        """`problem` and `packing` are those of `some` rows; marks and spans come back for all."""

        def draw(rows: IntArray) -> Rendered:
            return render(
                prepared.documents,
                prepared.rows,
                some[rows],
                order=self.order,
                value=relevance.total,
                cite=self.cite,
                titles=self.titles,
            )

        settled: Settled = settle(problem, packing, budget, draw, self.tokenizer.count, self.fill)
        cut = None
        rendered, tokens = settled.rendered, settled.tokens
        n = len(prepared.rows)
        inside, filled = flags(settled.inside, n, some), flags(settled.filled, n, some)
        if not inside.any() and self.allow_cut and problem.open.any():
            best = first_of_best(np.where(problem.open, problem.logit, -np.inf))
            row, whole = int(some[best]), draw(np.array([best]))
            span = whole.spans[0]
            text = whole.text[: prefix(self.tokenizer, whole.text, budget)]
            # White space at the end says nothing, unless the tokenizer counts more without it.
            text = text.rstrip() if self.tokenizer.count(text.rstrip()) <= budget else text
            if len(text) > span.start and not text[span.start :].isspace():
                cut = (row, int(prepared.rows.start[row]) + len(text) - span.start)
                rendered = Rendered(text, (span._replace(end=len(text)),))
                tokens = self.tokenizer.count(text)
                inside[row] = True
        return inside, rendered, tokens, filled, cut

    def _check_pins(
        self, prepared: Prepared, pinned: BoolArray, budget: int, relevance: Relevance | None = None
    ) -> None:
        """Pins that do not fit alone will not fit at all: said before any work where relevance does not order them."""
        if not pinned.any():
            return
        drawn = render(
            prepared.documents,
            prepared.rows,
            np.flatnonzero(pinned),
            order=self.order,
            value=None if relevance is None else relevance.total,
            cite=self.cite,
            titles=self.titles,
        )
        needed = self.tokenizer.count(drawn.text)
        if needed > budget:
            raise pins_need(needed, budget)

    def _notes(
        self,
        prepared: Prepared,
        relevance: Relevance,
        inside: BoolArray,
        problem: Problem,
        budget: int,
        cut: tuple[int, int] | None,
    ) -> tuple[str, ...]:
        notes = []
        if not inside.any():
            if not problem.open.any():
                top = float(relevance.total.max())
                notes.append(
                    f"nothing is relevant enough: the best segment has relevance {top:.2f}, "
                    f"the boundary is at {self.min_relevance:.2f}"
                )
            else:
                least = int(problem.cost[problem.open].min()) - 1
                notes.append(
                    f"nothing fits: the smallest segment takes {least} tokens and the budget is {budget}; "
                    "raise it or allow a cut"
                )
        if cut is not None:
            notes.append("the best segment did not fit and was cut (allow_cut)")
        if prepared.known < _UNKNOWN_LANGUAGE:
            notes.append("the model does not know this language well: exact words and stems decide here")
        return tuple(notes)


class Clock:
    """Milliseconds by stage."""

    def __init__(self, on_stage: Callable[[str], None] | None = None) -> None:
        self._on_stage = on_stage
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._laps[stage] = self._laps.get(stage, 0.0) + (now - self._last) * 1000
        self._last = now
        if self._on_stage is not None:
            self._on_stage(stage)

    def done(self) -> dict[str, float]:
        return {**self._laps, "total": (time.perf_counter() - self._start) * 1000}


def _rows_in(prepared: Prepared, ranges: Sequence[Range]) -> BoolArray:
    rows = prepared.rows
    pinned = np.zeros(len(rows), np.bool_)
    for doc, start, end in ranges:
        pinned |= (rows.doc == doc) & (rows.start < end) & (rows.end > start)
    return pinned
