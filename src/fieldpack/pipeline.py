"""The line of data, end to end: request -> corpus -> relevance -> problem -> selection -> text. Read this file first.

`ContextPacker` is a frozen record whose fields are the parts (`fieldpack.parts`); an ablation is
`dataclasses.replace(packer, ...)`. The eight steps of a pack are numbered in `scored` and `choose`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Unpack

import numpy as np

from fieldpack.corpus.corpus import Corpus, in_rows
from fieldpack.corpus.reading import FieldOverview, read_topics
from fieldpack.errors import InputError
from fieldpack.explored import Explored
from fieldpack.field.state import FieldState
from fieldpack.index import LARGE, load_index, require_same, save_index
from fieldpack.notes import notes_of
from fieldpack.old_names import OldNames
from fieldpack.packing.fit import fit, header_tokens
from fieldpack.packing.pins import require_pins
from fieldpack.packing.problem import couplings_of, problem_of, shortlist_rows, with_attractors, with_copies
from fieldpack.packing.select import over_all_rows, select
from fieldpack.parts import PackerParts, check_state
from fieldpack.request import Documents, Queries, Request, RequestOptions, checked_documents, named_documents
from fieldpack.result import Result
from fieldpack.scored import NOTHING_MORE, Extras, LazyReading, Scored, Skipped, added
from fieldpack.stream import HOLD, Hold, hold_documents
from fieldpack.telemetry import Clock, observed
from fieldpack.types import Document


@dataclass(frozen=True)
class ContextPacker(OldNames, PackerParts):
    """Query, documents and a token budget in; the evidence out, verbatim, inside the budget, with its reasons.

    `fieldpack.parts.PackerParts` says what each field is. Raises UnknownNameError or SettingsError at construction.
    """

    def pack(
        self,
        query: Queries | None,
        documents: Documents,
        budget: int,
        *,
        state: FieldState | None = None,
        on_stage: Callable[[str], None] | None = None,
        **options: Unpack[RequestOptions],
    ) -> Result:
        """The pack of `documents` for `query` (one or several, each alone or with a weight in (0, 1]) in at most
        `budget` tokens. Without one (None) the most salient segments, so that all attractors of the documents are
        reached; those that a `state` carries ask in its place.

        state: of the turn before. on_stage: called with the name of each stage when it is done. options: pins (document
        ids, or (id, start, end) in characters, that are in whatever their relevance), scores and enough: see
        `fieldpack.request.RequestOptions`. No documents, or documents without text, give an empty result with a note.
        Raises InputError for bad input, an empty query too, and BudgetError when the pins cannot fit.
        """
        request, clock = Request.checked(query, budget, **options), Clock(on_stage)
        listed = checked_documents(documents)
        corpus = self.read(listed, request, clock)
        return self.pack_corpus(request.with_scores_of(listed), corpus, state, clock=clock)

    def pack_corpus(
        self,
        request: Request,
        corpus: Corpus,
        state: FieldState | None = None,
        *,
        extras: Extras = NOTHING_MORE,
        clock: Clock | None = None,
    ) -> Result:
        """The pack of documents that were read before: every pack goes through here. Raises as `pack` does."""
        clock = clock or Clock()
        return observed(self.choose(request, self.scored(request, corpus, state, extras=extras, clock=clock), clock))

    def scored(
        self,
        request: Request,
        corpus: Corpus,
        state: FieldState | None = None,
        *,
        extras: Extras = NOTHING_MORE,
        clock: Clock | None = None,
    ) -> Scored:
        """The first half of `pack_corpus`: all but the choice, for a caller that has something to add to the scores."""
        # 1. The pins: found from their ranges, before any model runs.
        clock, whole, ranges = clock or Clock(), corpus, request.ranges(corpus.documents)
        corpus = self.reader.cut(corpus, ranges)
        pinned = in_rows(ranges, corpus.rows)
        require_pins(self.writer(corpus), pinned, request.budget)
        # 2. Vectors of the paragraphs, and of the queries where somebody asks for them.
        corpus = self.embedded(corpus, whole)
        if corpus.dense is not whole.dense:
            clock.lap("embed")
        known = extras.query_vectors
        embed = partial(self.query_vectors, request.queries, corpus) if known is None else partial(np.asarray, known)
        # 3. The relevance of every row; without a query its salience in the field.
        field = LazyReading(corpus, embed, state, self.field, extras.overview if corpus is whole else None)
        relevance = self.relevance(request, corpus, field)
        clock.lap("relevance")
        # 4. What each row is worth, costs and may do.
        outside = self.outside(request, corpus, relevance)
        bias = added(added(extras.bias, outside.bias), self.drawn(request, corpus, field))
        admission = self.admission(corpus, pinned, state, bias)
        return Scored(
            corpus=corpus,
            relevance=relevance,
            problem=problem_of(corpus, relevance, admission),
            field=field,
            skipped=extras.skipped,
            notes=outside.notes,
        )

    def choose(self, request: Request, scored: Scored, clock: Clock | None = None) -> Result:
        """The pack when all but the budget is settled: a result does it again for packs of other sizes."""
        clock, corpus, relevance = clock or Clock(), scored.corpus, scored.relevance
        settings, writer = self.packing_for(corpus, request.asks), replace(self.writer(corpus), value=relevance.total)
        require_pins(writer, scored.problem.pinned, request.budget)
        # 5. The rows that can win, with their couplings.
        rows = shortlist_rows(scored.problem, request.budget)
        problem = scored.problem if len(rows) == len(scored.problem) else scored.problem.take(rows)
        couplings = couplings_of(corpus, rows, relevance.query_ids)
        problem = replace(problem, header_tokens=header_tokens(writer, rows), couplings=couplings)
        problem = with_copies(problem, corpus, rows)
        if settings.attract > 0:
            reading, vectors = scored.reading, corpus.vectors[corpus.paragraph[rows]]
            problem = with_attractors(problem, reading.attractors, reading.demand, vectors)
        # 6. The choice among them. Every row is charged a gap mark, and the first has none before it.
        stop = self.stop(request, scored, rows)
        packing = select(problem, request.budget + 1, settings, stop)
        clock.lap("pack")
        # 7. The text, counted.
        fitted = fit(problem, packing, rows, writer, request.budget)
        clock.lap("render")
        # 8. The result.
        return Result(
            request=request,
            scored=scored,
            packing=over_all_rows(packing, scored.problem, rows),
            fitted=fitted,
            writer=writer,
            packer=self,
            timings=clock.done(),
            notes=notes_of(scored, fitted, request.budget, self.min_relevance),
            min_relevance=self.min_relevance,
            stop=stop.share,
        )

    def read(self, documents: Sequence[Document], request: Request | None = None, clock: Clock | None = None) -> Corpus:
        """Documents as numbers, ready for any number of queries; no sentence embedder runs. request: whose pins rows
        must not reach across. No documents, or documents without text, give a corpus without rows."""
        listed = tuple(documents)
        cuts = request.ranges(listed) if request is not None else []
        return self.reader.read(listed, cuts, (clock or Clock()).lap)

    def pack_stream(
        self,
        query: Queries | None,
        documents: Documents,
        budget: int,
        *,
        state: FieldState | None = None,
        hold: int = HOLD,
        block: int = HOLD,
        **options: Unpack[RequestOptions],
    ) -> Result:
        """`pack` of documents from an iterator, in one pass and bounded memory: some `hold` documents that can still
        win (more where they are less than eight budgets of text) and a `block` are alive at a time.

        A stream of one block gives what `pack` gives. Of a longer one every paragraph is screened by the query's words
        and static vectors with the statistics of the whole stream; documents are kept whole or let go, and a sentence
        embedder reads only those kept. `kept` and `dropped` list the segments of the documents held; the others are
        counted in `skipped` and in a note. Ids need be unique among documents held together; a pin of a document that
        never came is an InputError after the last one. Scores are those of the documents, or a mapping; the documents
        with the best of them are held too.
        """
        request, clock = Request.checked(query, budget, **options), Clock()
        held = hold_documents(documents, request, self.reader, Hold(hold, block))
        clock.lap("stream")
        extras = Extras(skipped=Skipped(held.documents, held.segments))
        if held.documents:
            request = request.with_scores_among(held.corpus.documents)
        else:
            request = request.with_scores_of(held.corpus.documents)
        return self.pack_corpus(request, held.corpus, state, extras=extras, clock=clock)

    def index(self, documents: Documents) -> Index:
        """The documents read once, for any number of queries. Raises InputError for bad documents."""
        return Index(self, self.embedded(self.read(checked_documents(documents))))

    def explore(self, documents: Documents, limit: int | None = None, *, since: FieldState | None = None) -> Explored:
        """The field of documents without a query: their topics. limit: attractors at most; default that of the packer's
        `field`. since: the `state` of an earlier look, to say what is new and what faded. Raises InputError."""
        corpus = self.embedded(replace(self, unit="paragraph").read(checked_documents(documents)))
        check_state(since, corpus)
        settings = self.field if limit is None else replace(self.field, limit=limit)
        return Explored(corpus, read_topics(corpus, settings), since)


@dataclass(frozen=True, eq=False)
class Index:
    """Documents segmented, counted and embedded once. Frozen: `add` gives another index. Its vectors take about 1 KB a
    sentence and as much a paragraph; a loaded index maps the arrays that were saved."""

    packer: ContextPacker
    corpus: Corpus

    def __len__(self) -> int:
        """Segments."""
        return len(self.corpus.rows)

    @property
    def documents(self) -> tuple[Document, ...]:
        """What is indexed."""
        return self.corpus.documents

    @cached_property
    def overview(self) -> FieldOverview | None:
        """The field of a large index, read once for all queries; of a smaller one it is read for each (None)."""
        large = len(self.corpus.paragraphs) > LARGE
        return FieldOverview(self.corpus, self.packer.field) if large else None

    def pack(
        self, query: Queries | None, budget: int, *, state: FieldState | None = None, **options: Unpack[RequestOptions]
    ) -> Result:
        """As `ContextPacker.pack` over all documents of the index; scores are those of the call alone."""
        extras, request = Extras(overview=self.overview), Request.checked(query, budget, **options)
        return self.packer.pack_corpus(request, self.corpus, state, extras=extras)

    def add(self, documents: Documents) -> Index:
        """An index with further documents after these; this one stays as it is. Only the new texts are read and
        embedded. Strings are named doc-N, N counting on. Raises InputError for an id that is there already."""
        new = checked_documents(named_documents(documents, len(self.documents)))
        if again := [d.id for d in new if d.id in self.corpus.numbers]:
            raise InputError(f"{again[0]!r} is the id of a document in the index; ids must be unique")
        more = self.packer.embedded(self.packer.reader.read(new))
        return Index(self.packer, self.packer.reader.join(self.corpus, more))

    def check(self, packer: ContextPacker) -> None:
        """Raises InputError when `packer` has another embedder, tokenizer or unit than the index was made with."""
        if packer is not self.packer:
            require_same(self.packer, self.corpus, packer)

    def save(self, folder: str | Path, vectors: bool = False) -> None:
        """Writes the index: index.json, documents.jsonl, vocabulary.json and one .npy file for each array: about 4
        times the text. vectors: write those of the static table too, which `load` else makes again from the words:
        then all is memory-mapped, and processes share it; 20 to 35 times the text."""
        save_index(folder, self.packer, self.corpus, vectors)

    @staticmethod
    def load(folder: str | Path, packer: ContextPacker | None = None, verify: bool = True) -> Index:
        """The index saved in the folder, its arrays memory-mapped.

        packer: to pack with; by default one with the settings that were saved. verify: compare checksums, which reads
        every file once (sizes are always compared). Raises InputError when files are missing, cut short or changed, and
        when the packer's embedder, tokenizer or unit is not the one that the index was made with.
        """
        stored = load_index(folder, packer, verify)
        return Index(packer or ContextPacker(**stored.settings), stored.corpus)
