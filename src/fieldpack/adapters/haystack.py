"""Haystack: a ranker that keeps a token budget, built on haystack-ai."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fieldpack.adapters._common import Engine, Sides, engine, missing, sides
from fieldpack.adapters._documents import KEY, Piece, Source
from fieldpack.errors import InputError, SettingsError
from fieldpack.pipeline import ContextPacker
from fieldpack.request import checked_budget

try:
    from haystack import Document, component, default_from_dict, default_to_dict
    from haystack.components.builders import PromptBuilder
    from haystack.core.serialization import component_to_dict
    from haystack.utils.deserialization import deserialize_component_inplace
except ModuleNotFoundError as error:
    raise missing(error, "haystack", "haystack-ai", "haystack") from error

_EMBEDDERS = ("embedder", "document_embedder")


@component
class FieldpackRanker:
    """Retrieved documents to their evidence for the query, at most `budget` tokens, the best document first.

    One document comes out for each that something is kept of: its kept passages verbatim, in reading order, as
    `content`; id and meta as they were; `score` is the calibrated relevance in [0, 1]. meta["fieldpack"] has reason,
    tokens, start, end and spans, in characters of the content that came in, and the retriever's score. The contents
    joined by blank lines are at most `budget` tokens. Documents without text are left out.

    packer: a ContextPacker, or its keyword arguments (order="source" keeps the documents as they came).
    embedder: a text embedder component, or what EmbeddingService takes; in place of the packer's.
    document_embedder: the component for documents beside it; without one, paragraphs go through the text embedder one
        by one.
    reuse_vectors: whether Document.embedding is of that embedder, and is used where present; None: when `embedder` is a
        component.
    spread_vectors: whether a document's vector stands for each of its paragraphs, so that nothing is computed; else
        only for a document of one paragraph.
    scores: whether Document.score (the higher the better) joins the choice; off by default, for DocumentJoiner
        concatenates documents whose scores have different scales.

    template: the Jinja template of the PromptBuilder that the documents go to, with `documents` and `query` (or
        `question`): the whole prompt is then part of the budget.

    Serialisable when `packer` is given as keyword arguments that are, and `embedder` as a name, a URL or a component.
    """

    def __init__(
        self,
        budget: int,
        packer: ContextPacker | dict[str, Any] | None = None,
        embedder: Any = None,
        document_embedder: Any = None,
        reuse_vectors: bool | None = None,
        spread_vectors: bool = True,
        template: str | None = None,
        scores: bool = False,
    ) -> None:
        self.budget = checked_budget(budget)
        self.packer, self.embedder, self.document_embedder = packer, embedder, document_embedder
        self.reuse_vectors, self.spread_vectors, self.scores = reuse_vectors, spread_vectors, scores
        self.template = template
        self._prompt = None if template is None else PromptBuilder(template, required_variables=[])
        framework = _is_component(embedder)
        if document_embedder is not None and not (framework and _is_component(document_embedder)):
            raise SettingsError(
                "document_embedder must be a component, and goes with an embedder that is one; found "
                f"{type(document_embedder).__name__} with embedder {type(embedder).__name__}"
            )
        options = {"order": "relevance", **packer} if isinstance(packer, Mapping) else packer
        self._engine: Engine = engine(
            {"order": "relevance"} if options is None else options,
            None if framework else embedder,
            _sides(embedder, document_embedder) if framework else None,
            reuse_vectors,
            spread_vectors,
        )
        self._warm = False

    def warm_up(self) -> None:
        """Loads what the first run would load: the static table, the token ranks, the embedders."""
        if self._warm:
            return
        for model in (self.embedder, self.document_embedder):
            if hasattr(model, "warm_up"):
                model.warm_up()
        packer = self._engine.packer
        packer.tokenizer.count("")
        packer.static.dims  # noqa: B018
        if self._engine.embedding is not None and not _is_component(self.embedder):
            self._engine.embedding.documents.dims  # noqa: B018
        self._warm = True

    @component.output_types(documents=list[Document])
    def run(
        self, query: str | None = None, documents: list[Document] | None = None, budget: int | None = None
    ) -> dict[str, list[Document]]:
        """The evidence for the query, or without one (None) what the documents are about. budget: of this call, in
        place of the component's.

        For a blank query: the documents unranked, as they came, as many whole ones from the first as fit the budget.
        """
        limit = self.budget if budget is None else checked_budget(budget)
        if not documents:
            return {"documents": []}
        self.warm_up()
        if query is not None and not query.strip():
            return {"documents": self._unranked(documents, limit)}

        def measure(pieces: Sequence[Piece]) -> int:
            return self._count([_kept(documents[p.number], p) for p in pieces], query or "")

        sources = [_source(d, self._engine.reuse, self.scores) for d in documents]
        found = self._engine.pack(query, sources, limit, measure=measure)
        return {"documents": [_kept(documents[p.number], p) for p in found]}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str | None = None, documents: list[Document] | None = None, budget: int | None = None
    ) -> dict[str, list[Document]]:
        """As `run`, in a thread of its own."""
        return await asyncio.to_thread(self.run, query, documents, budget)

    def to_dict(self) -> dict[str, Any]:
        """Raises InputError for a packer or an embedder that is an object."""
        if isinstance(self.packer, ContextPacker):
            raise InputError(
                "packer is a ContextPacker, which is not serialisable; give its keyword arguments instead: "
                "FieldpackRanker(budget=..., packer={'unit': 'sentence'})"
            )
        out: dict[str, Any] = {}
        for name in _EMBEDDERS:
            value = getattr(self, name)
            if value is not None and not isinstance(value, str) and not _is_component(value):
                raise InputError(
                    f"{name} is a {type(value).__name__}, which is not serialisable; give a name or a component"
                )
            out[name] = component_to_dict(value, name) if _is_component(value) else value
        return default_to_dict(
            self,
            budget=self.budget,
            packer=self.packer,
            reuse_vectors=self.reuse_vectors,
            spread_vectors=self.spread_vectors,
            template=self.template,
            scores=self.scores,
            **out,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> FieldpackRanker:
        """The ranker that `to_dict` described."""
        parameters = dict(data.get("init_parameters", {}))
        for name in _EMBEDDERS:
            if isinstance(parameters.get(name), dict):
                deserialize_component_inplace(parameters, key=name)
        made: FieldpackRanker = default_from_dict(cls, {**data, "init_parameters": parameters})
        return made

    def _unranked(self, documents: Sequence[Document], budget: int) -> list[Document]:
        out: list[Document] = []
        for d in documents:
            if self._count([*out, d], "") > budget:
                break
            out.append(d)
        return out

    def _count(self, documents: list[Document], query: str) -> int:
        """Tokens of the documents as the model will see them."""
        if self._prompt is None:
            return self._engine.count([d.content or "" for d in documents])
        shown = {"documents": documents, "query": query, "question": query}
        return int(self._engine.packer.tokenizer.count(self._prompt.run(template_variables=shown)["prompt"]))


def _is_component(model: Any) -> bool:
    return callable(getattr(model, "run", None))


def _sides(text: Any, document: Any) -> Sides:
    def query(answer: str) -> Any:
        return text.run(text=answer)["embedding"]

    def rows(texts: list[str]) -> Any:
        if document is None:
            return [query(t) for t in texts]
        return [d.embedding for d in document.run(documents=[Document(content=t) for t in texts])["documents"]]

    return sides(f"{type(text).__module__}.{type(text).__qualname__}", rows, query)


def _source(document: Document, reuse: bool, scored: bool) -> Source:
    title = document.meta.get("title")
    vector = document.embedding if reuse else None
    name = title if isinstance(title, str) else ""
    score = document.score if scored else None
    return Source(document.content or "", document.id, name, document.meta, vector=vector, score=score)


def _kept(document: Document, piece: Piece) -> Document:
    """A copy with what is kept of it; its vectors go when its text is not what was embedded."""
    whole = (document.content or "").strip() == piece.text
    return replace(
        document,
        content=piece.text,
        meta={**document.meta, KEY: {**piece.facts(), "retriever_score": document.score}},
        score=piece.score,
        embedding=document.embedding if whole else None,
        sparse_embedding=document.sparse_embedding if whole else None,
    )
