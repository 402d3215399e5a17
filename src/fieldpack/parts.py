"""The parts of a packer, checked: models, tokenizer, layout and settings, and what each does alone."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fieldpack.async_packs import AsyncPacks
from fieldpack.checks import choice, number
from fieldpack.corpus.build import CorpusReader, shipped_static
from fieldpack.corpus.corpus import Corpus
from fieldpack.corpus.keys import values_of
from fieldpack.deprecation import renamed
from fieldpack.embed.service import EmbeddingService
from fieldpack.embed.static import StaticEmbedder
from fieldpack.errors import InputError, SettingsError
from fieldpack.field.carry import Carried
from fieldpack.field.state import FieldSettings, FieldState
from fieldpack.packing.enough import ENOUGH, Stop
from fieldpack.packing.fit import Layout, Writer
from fieldpack.packing.json_form import FORMS, Form
from fieldpack.packing.problem import (
    FOLDER_SETTINGS,
    PARAGRAPH_SETTINGS,
    PASSAGE_SETTINGS,
    SENTENCE_SETTINGS,
    UNASKED_SETTINGS,
    Admission,
    PackingSettings,
)
from fieldpack.packing.render import CITES, ORDERS, Cite, Order
from fieldpack.relevance.drawn import drawn_by_resonance, drawn_to_named, with_named
from fieldpack.relevance.outside import Outside, read_again, standardised
from fieldpack.relevance.query import parse_query
from fieldpack.relevance.rerank import Reranking, rerank
from fieldpack.relevance.salience import salience
from fieldpack.relevance.score import Relevance, Setup, relevance_of_nothing, score
from fieldpack.relevance.scorer import Scorer
from fieldpack.relevance.turns import with_text_loss, with_turn_gains
from fieldpack.request import Request, checked_enough
from fieldpack.rerank.service import RerankService, is_reranker
from fieldpack.scored import LazyReading, Scored, added
from fieldpack.text.tokens import tokenizer as make_tokenizer
from fieldpack.types import BoolArray, FloatArray, IntArray

Unit = Literal["auto", "paragraph", "sentence"]
UNITS: tuple[Unit, ...] = ("auto", "paragraph", "sentence")
SCORE_WEIGHT = 0.15
"""Log odds that one standard deviation of a score from outside adds."""
RERANK_WEIGHT = 1.0
"""The same for a reranker, which reads query and text together and is there to be believed."""


@dataclass(frozen=True)
class PackerParts(AsyncPacks):
    """What `fieldpack.pipeline.ContextPacker` is made of.

    embedder: what EmbeddingService takes, or one; "cascade" is the static table with reranker="minilm". tokenizer: an
    encoding, a model name, a tokenizer.json, a callable. unit: "paragraph", "sentence", or "auto": sentences where
    paragraphs hold several. order: "source", "edges" or "relevance". cite: head each source with its number, title and
    id, or with number, id and lines ("lines"). titles: head it with its bare title, with cite="lines" with title, id
    and lines. min_relevance: in [0, 1], what is less probable stays out. allow_cut: when not even the best segment
    fits, cut it. field, packing: their settings; packing None chooses by unit. scorer: other weights than the shipped.
    fill: whether what the budget has left is filled with what remains, the best first. residue_weight: log odds in [0,
    50] that carried residue adds to a segment that was packed in an earlier turn, which keeps packs stable. reranker: a
    second model that reads only the paragraphs that can still win: what EmbeddingService takes, or one that reads query
    and text together (`fieldpack.rerank.service.RerankService`). enough: in (0, 1], the pack ends when it holds this
    share of the relevance that its budget could hold, where that is most of all; below 0.9 it is the permeability of
    the boundary, the share of all relevance at which a pack ends (`fieldpack.packing.enough`); 1 fills the budget.
    score_weight: log odds in [0, 50] that one standard deviation of a score from outside adds; rerank_weight: the same
    of the reranker's scores. render: "json" writes a document that is a JSON array or object as valid JSON, with the
    keys around what was kept and counts of the rest; "text" hands out its pieces as they stand.
    """

    embedder: Any = "static"
    tokenizer: Any = "o200k_base"
    unit: Unit = "auto"
    order: Order = "source"
    cite: Cite = False
    min_relevance: float = 0.0
    titles: bool = False
    allow_cut: bool = False
    field: FieldSettings = field(default_factory=FieldSettings)
    packing: PackingSettings | None = None
    scorer: Path | None = None
    fill: bool = True
    residue_weight: float = 1.0
    reranker: Any = None
    enough: float = ENOUGH
    score_weight: float = SCORE_WEIGHT
    rerank_weight: float = RERANK_WEIGHT
    render: Form = "text"
    persist: InitVar[float | None] = None
    """Deprecated name of residue_weight."""

    def __post_init__(self, persist: float | None) -> None:
        if persist is not None:
            renamed("persist", "residue_weight", stacklevel=4)
            object.__setattr__(self, "residue_weight", persist)
        choice("unit", self.unit, UNITS)
        choice("order", self.order, ORDERS)
        choice("cite", self.cite, CITES)
        choice("render", self.render, FORMS)
        number("min_relevance", self.min_relevance, 0, 1)
        number("residue_weight", self.residue_weight, 0, 50)
        number("score_weight", self.score_weight, 0, 50)
        number("rerank_weight", self.rerank_weight, 0, 50)
        checked_enough(self.enough)
        if not isinstance(self.field, FieldSettings):
            raise SettingsError(f"field is a {type(self.field).__name__}; give fieldpack.FieldSettings(...)")
        if self.packing is not None and not isinstance(self.packing, PackingSettings):
            raise SettingsError(f"packing is a {type(self.packing).__name__}; give None or PackingSettings(...)")
        if self.scorer is not None:
            object.__setattr__(self, "scorer", Path(self.scorer))
        if not isinstance(self.embedder, EmbeddingService):
            object.__setattr__(self, "embedder", EmbeddingService(self.embedder))
        if self.reranker is not None and not isinstance(self.reranker, EmbeddingService | RerankService):
            kind = RerankService if is_reranker(self.reranker) else EmbeddingService
            object.__setattr__(self, "reranker", kind(self.reranker))
        object.__setattr__(self, "tokenizer", make_tokenizer(self.tokenizer))

    @cached_property
    def static(self) -> StaticEmbedder:
        """The static table that token resonance reads, whatever embeds the paragraphs."""
        table: StaticEmbedder | None = self.embedder.static
        return table if table is not None else shipped_static()

    @cached_property
    def reader(self) -> CorpusReader:
        """What reads documents for this packer."""
        return CorpusReader(self.static, self.tokenizer, self.unit)

    @property
    def dense(self) -> bool:
        """Whether paragraphs are embedded by something better than the static table before the query is known."""
        return bool(self.embedder.kind != "static")

    @property
    def reranking_model(self) -> EmbeddingService | None:
        """The `reranker`, or the one that comes with the embedder "cascade"."""
        own = self.reranker if isinstance(self.reranker, EmbeddingService) else None
        model: EmbeddingService | None = self.embedder.reranker if own is None else own
        return model

    @property
    def weights(self) -> Scorer:
        """The weights that turn features into log odds."""
        return _scorer(self.scorer)

    def embedded(self, corpus: Corpus, known: Corpus | None = None) -> Corpus:
        """The corpus with the rows of the packer's sentence embedder, where it has one. known: a corpus of the same
        documents that has such rows already."""
        if not self.dense or corpus.dense is not None:
            return corpus
        return self.reader.embedded(corpus, self.embedder.embed, known)

    def query_vectors(self, queries: tuple[str, ...], corpus: Corpus) -> Any:
        """float32 (q, d): the queries by the model of the field's rows."""
        if not queries:
            return np.zeros((0, corpus.vectors.shape[1]), np.float32)
        model = self.embedder if corpus.dense is not None else self.static
        return np.asarray(model.embed(list(queries)), np.float32)

    def relevance(self, request: Request, corpus: Corpus, field: LazyReading) -> Relevance:
        """How probable it is that each row holds evidence for the queries, whose vectors are in `field`; without a
        query, how salient it is there."""
        if not len(corpus.rows):
            return relevance_of_nothing()
        if not request.asks:
            carried = None if field.state is None else field.state.carried
            return salience(corpus, field.reading, self._asking(carried, corpus))
        queries = [parse_query(text, corpus, self.static) for text in request.queries]
        setup = Setup(self.weights.for_code(corpus.is_code), corpus.unit, request.weights)
        dense = None if corpus.dense is None else [corpus.dense @ q for q in field.query_vectors]
        if (model := self.reranking_model) is not None and (dense is None or model is self.reranker):
            relevance = rerank(Reranking(request.queries, model), queries, corpus, setup, dense)
        else:
            relevance = score(queries, corpus, setup, dense)
        relevance = with_turn_gains(relevance, corpus, self.packing_for(corpus).turns)
        return with_text_loss(relevance, corpus)

    def _asking(self, carried: Carried | None, corpus: Corpus) -> Carried | None:
        """The attractors that ask where there is no query."""
        named = self.field.attractors
        return (
            with_named(carried, named, self.query_vectors(tuple(a.text for a in named), corpus)) if named else carried
        )

    def drawn(self, request: Request, corpus: Corpus, field: LazyReading) -> FloatArray | None:
        """(n,) log odds for the choice of rows by the field's named attractors, and by the resonance that is wanted;
        None for none. Without a query the named attractors ask, and add nothing here."""
        settings, out = self.field, None
        if settings.attractors and request.asks and len(corpus.rows):
            setup = Setup(self.weights.for_code(corpus.is_code), corpus.unit)
            vectors = self.query_vectors(tuple(a.text for a in settings.attractors), corpus)
            dense = None if corpus.dense is None else [corpus.dense @ v for v in vectors]
            out = drawn_to_named(settings.attractors, corpus, setup, self.static, dense)
        if settings.resonance > 0 and len(corpus.rows):
            out = added(out, drawn_by_resonance(settings.resonance, field.reading, corpus))
        return out

    def outside(self, request: Request, corpus: Corpus, relevance: Relevance) -> Outside:
        """The log odds that scores from outside and a reranker of query and text add to the choice of each row."""
        ranges, out = request.score_ranges(corpus.documents), Outside()
        if isinstance(self.reranker, RerankService):
            read = read_again(self.reranker, request.queries, corpus, relevance)
            out = replace(read, bias=None if read.bias is None else self.rerank_weight * read.bias)
        if not ranges:
            return out
        scores = np.asarray(self.score_weight * standardised(ranges, corpus.rows), np.float32)
        return replace(out, bias=scores if out.bias is None else out.bias + scores)

    def stop(self, request: Request, scored: Scored, rows: IntArray) -> Stop:
        """When a pack of these rows has enough. The default fills the budget without a query, because salience is no
        probability, and in documentation in sections, whose long tail holds more evidence than its probabilities say
        (pydantic's folder at 1,000 to 4,000 tokens: .68 of the evidence with the default, .72 without)."""
        fills = self.enough == ENOUGH and scored.corpus.sections is not None
        default = 1.0 if fills or not request.asks else self.enough
        enough = default if request.enough is None else request.enough
        admitted = np.where(scored.problem.eligible, scored.relevance.total, 0)
        return Stop(enough, admitted[rows], float(admitted.sum(dtype=np.float64)))

    def admission(
        self, corpus: Corpus, pinned: BoolArray, state: FieldState | None, bias: FloatArray | None
    ) -> Admission:
        """Which rows may be packed. state: whose residue adds log odds; bias (n,): log odds from the caller."""
        check_state(state, corpus)
        residue = {} if state is None else state.residue.strengths()
        carried = self.residue_weight * values_of(corpus, residue)
        return Admission(pinned, self.min_relevance, carried if bias is None else carried + bias)

    def writer(self, corpus: Corpus) -> Writer:
        """What writes rows of a corpus in the packer's layout."""
        layout = Layout(self.order, self.cite, self.titles, fill=self.fill, allow_cut=self.allow_cut, form=self.render)
        return Writer(corpus.documents, corpus.rows, self.tokenizer, layout)

    def packing_for(self, corpus: Corpus, asks: bool = True) -> PackingSettings:
        """The packing settings, or the default for the unit of the corpus and for whether there is a query."""
        if self.packing is not None:
            return self.packing
        if not asks:
            return UNASKED_SETTINGS
        if corpus.unit == "paragraph":
            return PARAGRAPH_SETTINGS if corpus.passage_runs is None else PASSAGE_SETTINGS
        return SENTENCE_SETTINGS if corpus.sections is None else FOLDER_SETTINGS


def check_state(state: FieldState | None, corpus: Corpus) -> None:
    """Raises InputError for what is no state, or one of another model."""
    if state is None:
        return
    if not isinstance(state, FieldState):
        raise InputError(f"state is a {type(state).__name__}; give the `state` of an earlier result, or None")
    state.fits(corpus.vectors.shape[1])


@lru_cache(maxsize=8)
def _scorer(path: Path | None) -> Scorer:
    return Scorer.load(path)
