"""POST /v1/rerank in the form of Cohere and Jina: documents by the probability that they hold evidence for a query."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from fieldpack.pipeline import ContextPacker
from fieldpack.request import Request
from fieldpack.scored import LazyReading
from fieldpack.server.base import WHOLE, Model, Number, Text
from fieldpack.server.schemas import In, Query
from fieldpack.types import Document


class TextIn(BaseModel):
    """A document as an object; keys beside the text are not read."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, strict=True)
    text: Text


class RerankIn(In):
    """POST /v1/rerank. top_n: the best so many; without it all. The last four are Cohere's and Jina's, and change
    nothing here: passages are read whole."""

    query: Query
    documents: Annotated[list[Text | TextIn], Field(min_length=1, max_length=1_000_000, fail_fast=True)]
    model: Model = "static"
    top_n: Annotated[int, Field(ge=1, le=1_000_000), WHOLE] | None = None
    return_documents: bool | None = None
    max_chunks_per_doc: Number | None = None
    max_tokens_per_doc: Number | None = None
    rank_fields: Annotated[list[Annotated[str, Field(max_length=2000)]], Field(max_length=100)] | None = None
    truncation: bool | None = None
    priority: Number | None = None


class RankedOut(BaseModel):
    """relevance_score in [0, 1]: the calibrated relevance of the document's best passage."""

    model_config = ConfigDict(extra="allow")
    index: int
    relevance_score: float


class RerankOut(BaseModel):
    """The best first. usage: tokens of query and documents, of o200k_base."""

    model_config = ConfigDict(extra="allow")
    id: str
    object: Literal["list"] = "list"
    model: str
    results: list[RankedOut]
    usage: dict[str, int]


class ModelsOut(BaseModel):
    """GET /v1/models"""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]


def scores_of(packer: ContextPacker, query: str, texts: Sequence[str]) -> list[float]:
    """For each text the relevance in [0, 1] of its best passage; 0 for a text that is blank."""
    documents = tuple(Document(str(k), text) for k, text in enumerate(texts))
    out = np.zeros(len(texts), np.float64)
    if any(text.strip() for text in texts):
        request = Request.checked(query, 1)
        corpus = packer.embedded(packer.read(documents))
        vectors = partial(packer.query_vectors, request.queries, corpus)
        relevance = packer.relevance(request, corpus, LazyReading(corpus, vectors, None, packer.field))
        np.maximum.at(out, corpus.rows.doc, relevance.total)
    return [round(float(x), 6) for x in out]


def answer(packer: ContextPacker, request: RerankIn) -> dict[str, Any]:
    """The answer to a request, by a packer with its model."""
    texts = [d if isinstance(d, str) else d.text for d in request.documents]
    scores = scores_of(packer, request.query, texts)
    order = sorted(range(len(texts)), key=lambda k: (-scores[k], k))[: request.top_n]
    shown = [{"document": {"text": texts[k]}} if request.return_documents else {} for k in order]
    tokens = int(packer.tokenizer.count_many([request.query, *texts]).sum())
    return {
        "id": uuid.uuid4().hex,
        "object": "list",
        "model": request.model,
        "results": [{"index": k, "relevance_score": scores[k], **d} for k, d in zip(order, shown, strict=True)],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "meta": {"api_version": {"version": "1"}},
    }
