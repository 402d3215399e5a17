"""What the adapters share: documents of a framework in, what is kept of each of them out, inside the budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from fieldpack.adapters._documents import Piece, Source, arranged, named, pieces
from fieldpack.corpus.corpus import Corpus
from fieldpack.embed.service import EmbeddingService
from fieldpack.embed.validate import unit_rows
from fieldpack.errors import EmbeddingError, InputError, MissingExtraError, SettingsError
from fieldpack.packing.render import BETWEEN_DOCUMENTS, Order
from fieldpack.pipeline import ContextPacker
from fieldpack.request import Request
from fieldpack.result import Result
from fieldpack.scored import Extras
from fieldpack.types import FloatArray

_ROUNDS = 8
"""Packs tried, at most, where a framework's own lines around the texts take tokens that the packer does not know of;
where none of them fits, smaller ones down to a token."""


Measure = Callable[[Sequence[Piece]], int]
"""Tokens of pieces as the framework will show them."""


@dataclass(frozen=True, eq=False)
class Sides:
    """An embedder with a side for documents and one for queries, as the frameworks have them."""

    documents: EmbeddingService
    queries: EmbeddingService


class _Side:
    """A framework's method as an object that EmbeddingService takes; its name is what messages show."""

    def __init__(self, name: str, call: Callable[[list[str]], Any]) -> None:
        self.name, self._call = name, call

    def embed(self, texts: Sequence[str]) -> Any:
        return self._call(list(texts))


def missing(error: ModuleNotFoundError, module: str, package: str, extra: str) -> MissingExtraError:
    """What to raise when a framework is not installed; any other trouble with its import is raised as it came."""
    if (error.name or "").split(".")[0] != module:
        raise error
    return MissingExtraError(package, extra)


def sides(name: str, documents: Callable[[list[str]], Any], query: Callable[[str], Any]) -> Sides:
    """The sides of a framework's embedding object."""
    return Sides(
        EmbeddingService(_Side(name, documents)), EmbeddingService(_Side(name, lambda texts: [query(t) for t in texts]))
    )


@dataclass(frozen=True, eq=False)
class Engine:
    """The packer of an adapter. embedding: None where the packer's own vectors are static.

    reuse: whether vectors that come with documents and queries are of `embedding`, and are to be passed on to `pack`.
    spread: whether a document's vector stands for each of its paragraphs; else only where it is one paragraph.
    """

    packer: ContextPacker
    order: Order
    embedding: Sides | None
    reuse: bool
    spread: bool

    def count(self, texts: Sequence[str]) -> int:
        """Tokens of the texts with a blank line between them."""
        return int(self.packer.tokenizer.count(BETWEEN_DOCUMENTS.join(texts)))

    def pack(
        self,
        query: str | None,
        sources: Sequence[Source],
        budget: int,
        query_vector: Any = None,
        measure: Measure | None = None,
    ) -> list[Piece]:
        """What is kept of the sources for a query, or without one (None), in the order in which to show it, at most
        `budget` tokens by `measure` (default: of the texts with blank lines between them). [] for sources without
        text. Raises InputError for a blank query.
        """
        documents = named(sources)
        request = Request.checked(query, budget).with_scores_of(documents)
        if not any(d.text.strip() for d in documents):
            return []
        corpus, extras = self.packer.read(documents), Extras()
        if self.embedding is not None:
            vectors = self._query_vectors(query, query_vector, sources)
            corpus = replace(corpus, dense=self._dense(corpus, sources, vectors.shape[1]))
            extras = Extras(query_vectors=vectors)
        result = self.packer.pack_corpus(request, corpus, extras=extras)
        return self._fitted(result, budget, measure or (lambda kept: self.count([p.text for p in kept])))

    def _query_vectors(self, query: str | None, vector: Any, sources: Sequence[Source]) -> FloatArray:
        """(1, d) the query's row; (0, d) without a query."""
        assert self.embedding is not None
        if query is None:
            known = next((s.vector for s in sources if s.vector is not None), None)
            return np.zeros((0, self.embedding.documents.dims if known is None else len(known)), np.float32)
        if vector is not None:
            rows: FloatArray = unit_rows([vector], 1, None, "the query's embedding")
            return rows
        return self.embedding.queries.embed_one(query)[None]

    def _dense(self, corpus: Corpus, sources: Sequence[Source], dims: int) -> FloatArray:
        """(g, dims) rows of the paragraphs: the store's where it has them, computed for the rest in one call."""
        assert self.embedding is not None
        paragraphs = corpus.paragraphs.spans
        texts = paragraphs.texts(corpus.documents)
        owners = paragraphs.doc.tolist()
        known = {k: _row(s, dims) for k, s in enumerate(sources) if s.vector is not None}
        if not self.spread:
            known = {k: v for k, v in known.items() if owners.count(k) == 1}
        missing = [g for g, owner in enumerate(owners) if owner not in known]
        out = np.empty((len(owners), dims), np.float32)
        for g, owner in enumerate(owners):
            if owner in known:
                out[g] = known[owner]
        if missing:
            rows = self.embedding.documents.embed([texts[g] for g in missing])
            if rows.shape[1] != dims:
                raise EmbeddingError(
                    f"{self.embedding.documents.name} gives documents {rows.shape[1]} numbers and the query has "
                    f"{dims}; both must be of one model (reuse_vectors=False computes the query's anew)"
                )
            out[missing] = rows
        return out

    def _fitted(self, result: Result, budget: int, measure: Measure) -> list[Piece]:
        """The largest pack tried that fits by `measure`: the first, nearly always."""
        low, high, size = 0, budget + 1, budget
        best: list[Piece] = []
        most = 0
        for tried in range(_ROUNDS + budget.bit_length()):
            if tried >= _ROUNDS and most:
                break
            found = arranged(pieces(result, self.packer.tokenizer.count), self.order)
            tokens = measure(found) if found else 0
            if tokens <= budget:
                low = size
                best, most = (found, tokens) if tokens >= most else (best, most)
                if high > budget:
                    break
                guess = (low + high) // 2
            else:
                high = size
                middle = (low + high) // 2
                guess = max(size - (tokens - budget), middle) if tried < _ROUNDS // 2 else middle
            if not low < guess < high:
                break
            size = guess
            result = result.repack(size)
        return best


def engine(
    packer: ContextPacker | Mapping[str, Any] | None,
    embedder: Any = None,
    embedding: Sides | None = None,
    reuse: bool | None = None,
    spread_vectors: bool = True,
) -> Engine:
    """The engine for an adapter's settings. packer: one, its keyword arguments, or None for the default. embedder: what
    EmbeddingService takes, in place of the packer's. embedding: of a framework, in place of both.

    Raises SettingsError for unknown keyword arguments and for vectors to reuse without the model that made them.
    """
    made = _packer(packer)
    if embedder is not None:
        made = replace(made, embedder=embedder)
    own = made.embedder
    if embedding is None and own.kind != "static":
        embedding = Sides(own, own)
        reuse = bool(reuse)
    if reuse and embedding is None:
        raise SettingsError(
            f"reuse_vectors is True and the embedder is {own.name!r}, which made no vectors of a store; "
            "pass the embedder that did: embedder=..."
        )
    # Documents are put in order here, whole; within a document it is always reading order.
    return Engine(
        replace(made, order="source"),
        made.order,
        embedding,
        embedding is not None and reuse is not False,
        spread_vectors,
    )


def _packer(packer: ContextPacker | Mapping[str, Any] | None) -> ContextPacker:
    if isinstance(packer, ContextPacker):
        return packer
    if packer is not None and not isinstance(packer, Mapping):
        raise InputError(f"packer is a {type(packer).__name__}; give a ContextPacker or its keyword arguments")
    options = dict(packer or {})
    known = {f.name for f in fields(ContextPacker)}
    if unknown := sorted(set(map(str, options)) - known):
        raise SettingsError(f"packer has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}")
    return ContextPacker(**options)


def _row(source: Source, dims: int) -> FloatArray:
    found: FloatArray = unit_rows([source.vector], 1, None, f"the embedding of document {source.id!r}")[0]
    if len(found) != dims:
        raise EmbeddingError(
            f"the embedding that came with document {source.id!r} has {len(found)} numbers and the query's has {dims}; "
            "they must be of one model: pass the embedder that filled the store, or reuse_vectors=False"
        )
    return found
