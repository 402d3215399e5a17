"""The parts of a packer, checked: models, tokenizer, layout and settings, and what each does alone."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
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
from fieldpack.field.state import FieldSettings, FieldState
from fieldpack.packing.fit import Layout, Writer
from fieldpack.packing.problem import FOLDER_SETTINGS, PARAGRAPH_SETTINGS, SENTENCE_SETTINGS, Admission, PackingSettings
from fieldpack.packing.render import CITES, ORDERS, Cite, Order
from fieldpack.relevance.query import parse_query
from fieldpack.relevance.rerank import Reranking, rerank
from fieldpack.relevance.score import Relevance, Setup, score
from fieldpack.relevance.scorer import Scorer
from fieldpack.relevance.turns import with_turn_gains
from fieldpack.request import Request
from fieldpack.text.tokens import tokenizer as make_tokenizer
from fieldpack.types import BoolArray, FloatArray

Unit = Literal["auto", "paragraph", "sentence"]
UNITS: tuple[Unit, ...] = ("auto", "paragraph", "sentence")


@dataclass(frozen=True)
class PackerParts(AsyncPacks):
    """What `fieldpack.pipeline.ContextPacker` is made of; see there for the meaning of each field."""

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
    persist: InitVar[float | None] = None
    """Deprecated name of residue_weight."""

    def __post_init__(self, persist: float | None) -> None:
        if persist is not None:
            renamed("persist", "residue_weight", stacklevel=4)
            object.__setattr__(self, "residue_weight", persist)
        choice("unit", self.unit, UNITS)
        choice("order", self.order, ORDERS)
        choice("cite", self.cite, CITES)
        number("min_relevance", self.min_relevance, 0, 1)
        number("residue_weight", self.residue_weight, 0, 50)
        if not isinstance(self.field, FieldSettings):
            raise SettingsError(f"field is a {type(self.field).__name__}; give fieldpack.FieldSettings(...)")
        if self.packing is not None and not isinstance(self.packing, PackingSettings):
            raise SettingsError(f"packing is a {type(self.packing).__name__}; give None or PackingSettings(...)")
        if self.scorer is not None:
            object.__setattr__(self, "scorer", Path(self.scorer))
        if not isinstance(self.embedder, EmbeddingService):
            object.__setattr__(self, "embedder", EmbeddingService(self.embedder))
        if self.reranker is not None and not isinstance(self.reranker, EmbeddingService):
            object.__setattr__(self, "reranker", EmbeddingService(self.reranker))
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
        model: EmbeddingService | None = self.embedder.reranker if self.reranker is None else self.reranker
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
        model = self.embedder if corpus.dense is not None else self.static
        return np.asarray(model.embed(list(queries)), np.float32)

    def relevance(self, request: Request, corpus: Corpus, vectors: FloatArray) -> Relevance:
        """How probable it is that each row holds evidence. vectors (q, d): the queries by the model of the field's
        rows."""
        queries = [parse_query(text, corpus, self.static) for text in request.queries]
        setup = Setup(self.weights.for_code(corpus.is_code), corpus.unit, request.weights)
        dense = None if corpus.dense is None else [corpus.dense @ q for q in vectors]
        if (model := self.reranking_model) is not None and (dense is None or self.reranker is not None):
            relevance = rerank(Reranking(request.queries, model), queries, corpus, setup, dense)
        else:
            relevance = score(queries, corpus, setup, dense)
        return with_turn_gains(relevance, corpus, self.packing_for(corpus).turns)

    def admission(
        self, corpus: Corpus, pinned: BoolArray, state: FieldState | None, bias: FloatArray | None
    ) -> Admission:
        """Which rows may be packed. state: whose residue adds log odds; bias (n,): log odds from the caller."""
        residue = {} if state is None else state.residue.strengths()
        carried = self.residue_weight * values_of(corpus, residue)
        return Admission(pinned, self.min_relevance, carried if bias is None else carried + bias)

    def writer(self, corpus: Corpus) -> Writer:
        """What writes rows of a corpus in the packer's layout."""
        layout = Layout(self.order, self.cite, self.titles, fill=self.fill, allow_cut=self.allow_cut)
        return Writer(corpus.documents, corpus.rows, self.tokenizer, layout)

    def packing_for(self, corpus: Corpus) -> PackingSettings:
        """The packing settings, or the default for the unit of the corpus."""
        if self.packing is not None:
            return self.packing
        if corpus.unit == "paragraph":
            return PARAGRAPH_SETTINGS
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
