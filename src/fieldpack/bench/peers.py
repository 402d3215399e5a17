"""The peer libraries, called as their users call them; one function each, gives the library's own order.

Most know no token budget: they rank all passages, and the budget is cut from that order. All share the
run's embedder through the thin adapters at the end of this file.
"""
# mypy: disable-error-code="misc,no-any-return,valid-type"

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fieldpack.bench.context import Context
from fieldpack.bench.dataset import Query
from fieldpack.bench.system import Rank, Ranked, System, require
from fieldpack.types import Document, FloatArray

DEPTH = 200
"""Passages of a diversity ranking: more than any budget of the benchmark holds."""

Embed = Callable[[Sequence[str]], FloatArray]


# --- LangChain
def langchain_filter(case: Query, budget: int, context: Context) -> Iterable[int]:
    """EmbeddingsFilter with its defaults: the 20 nearest."""
    compressors = require("langchain_classic.retrievers.document_compressors")
    kept = compressors.EmbeddingsFilter(embeddings=_langchain_embeddings()(context.embed)).compress_documents(
        _langchain_documents(case), case.query
    )
    return [d.metadata["row"] for d in kept]


def langchain_pipeline(case: Query, budget: int, context: Context) -> Iterable[int]:
    """DocumentCompressorPipeline as its documentation shows it: redundant documents out (0.95), then by relevance."""
    compressors = require("langchain_classic.retrievers.document_compressors")
    redundant = require("langchain_community.document_transformers").EmbeddingsRedundantFilter
    shared = _langchain_embeddings()(context.embed)
    steps = [redundant(embeddings=shared), compressors.EmbeddingsFilter(embeddings=shared, k=len(case.passages))]
    kept = compressors.DocumentCompressorPipeline(transformers=steps).compress_documents(
        _langchain_documents(case), case.query
    )
    return [d.metadata["row"] for d in kept]


def langchain_mmr(weight: float) -> Rank:
    def rank(case: Query, budget: int, context: Context) -> Iterable[int]:
        mmr = require("langchain_core.vectorstores.utils").maximal_marginal_relevance
        pool = context.similarities(case)
        return mmr(pool.query, pool.rows.tolist(), lambda_mult=weight, k=min(DEPTH, len(pool.rows)))

    return rank


# --- LlamaIndex
def llamaindex_mmr(case: Query, budget: int, context: Context) -> Iterable[int]:
    mmr = require("llama_index.core.indices.query.embedding_utils").get_top_k_mmr_embeddings
    pool = context.similarities(case)
    return mmr(pool.query, list(pool.rows), similarity_top_k=min(DEPTH, len(pool.rows)), mmr_threshold=0.5)[1]


def llamaindex_optimizer(case: Query, budget: int, context: Context) -> Iterable[int]:
    """SentenceEmbeddingOptimizer over one node whose sentences are the passages; twice the budget's share passes."""
    optimizer = require("llama_index.core.postprocessor").SentenceEmbeddingOptimizer
    schema = require("llama_index.core.schema")
    texts = [p.text for p in case.passages]
    share = 2 * budget / max(1, sum(map(context.count, texts)))
    # tags come back in the optimizer's order, whatever the texts hold
    tags = [f"\x00{i}\x00" for i in range(len(texts))]

    def embed(sentences: Sequence[str]) -> FloatArray:
        return context.embed([texts[int(s.strip("\x00"))] if s.startswith("\x00") else s for s in sentences])

    shorten = optimizer(
        embed_model=llamaindex_embedding()(embed),
        percentile_cutoff=min(1.0, max(1 / len(texts), share)),
        tokenizer_fn=lambda _: tags,
        context_before=0,
        context_after=0,
    )
    node = schema.NodeWithScore(node=schema.TextNode(text="\n".join(texts)))
    out = shorten.postprocess_nodes([node], query_bundle=schema.QueryBundle(case.query))
    return [int(i) for i in re.findall("\x00(\\d+)\x00", out[0].node.get_content())]


def llamaindex_render(passages: Sequence[Document]) -> str:
    """What its response synthesizers send: each node's metadata (here its title), a blank line, its text."""
    schema = require("llama_index.core.schema")
    nodes = [schema.TextNode(text=p.text, metadata={"title": p.title} if p.title else {}) for p in passages]
    return "\n\n".join(n.get_content(metadata_mode=schema.MetadataMode.LLM).strip() for n in nodes)


# --- Haystack
def haystack(strategy: str) -> Rank:
    """SentenceTransformersDiversityRanker with its defaults, over every document."""

    def rank(case: Query, budget: int, context: Context) -> Iterable[int]:
        document = require("haystack").Document
        ranker = _haystack_ranker(strategy)
        ranker.model.embed = context.embed
        documents = [document(content=p.text, id=str(i)) for i, p in enumerate(case.passages)]
        return [int(d.id) for d in ranker.run(query=case.query, documents=documents, top_k=len(documents))["documents"]]

    return rank


def haystack_render(passages: Sequence[Document]) -> str:
    """The loop of Haystack's own prompt templates: every document on its line."""
    return "".join(f"{p.text}\n" for p in passages)


# --- pyversity
def pyversity(strategy: str, diversity: float = 0.5) -> Rank:
    """diversify() over all passages, at its default diversity unless one is named."""

    def rank(case: Query, budget: int, context: Context) -> Iterable[int]:
        pool = context.similarities(case)
        result = require("pyversity").diversify(
            embeddings=pool.rows,
            scores=pool.cosines,
            k=min(DEPTH, len(pool.rows)),
            strategy=strategy,
            diversity=diversity,
        )
        return [int(i) for i in result.indices]

    return rank


# --- submodlib
def facility_location(case: Query, budget: int, context: Context) -> Iterable[int]:
    """FacilityLocation by cost: coverage of all passages, blind to the query."""
    submodlib = require("submodlib")
    rows = context.embed([p.text for p in case.passages])
    similar = np.clip(rows @ rows.T, 0, 1).astype(np.float64)
    return _submodular(
        submodlib.FacilityLocationFunction(n=len(rows), mode="dense", sijs=similar, separate_rep=False),
        case,
        budget,
        context,
    )


def facility_location_query(case: Query, budget: int, context: Context) -> Iterable[int]:
    """FLQMI: facility location's mutual information with the query, by cost."""
    submodlib = require("submodlib")
    scores = np.clip(context.similarities(case).cosines, 0, 1).reshape(-1, 1).astype(np.float64)
    function = submodlib.FacilityLocationVariantMutualInformationFunction
    return _submodular(
        function(n=len(scores), num_queries=1, query_sijs=scores, queryDiversityEta=1.0), case, budget, context
    )


def _submodular(function: Any, case: Query, budget: int, context: Context) -> Iterable[int]:
    n = len(case.passages)
    costs = np.array([max(1, context.count(p.text)) for p in case.passages], float)
    if n < 3 or (costs > budget).all():
        return range(n)
    # submodlib refuses a budget >= n even with costs, so costs are rescaled to make the budget n - 1
    chosen = function.maximize(
        budget=n - 1,
        optimizer="NaiveGreedy",
        stopIfZeroGain=False,
        stopIfNegativeGain=False,
        verbose=False,
        show_progress=False,
        costs=(costs * (n - 1) / budget).tolist(),
        costSensitiveGreedy=True,
    )
    return [i for i, _ in chosen]


def systems() -> tuple[System, ...]:
    """Every peer, under the name of its library and method."""
    return (
        Ranked("langchain_filter", "LangChain", langchain_filter),
        Ranked("langchain_pipeline", "LangChain", langchain_pipeline, most=1000),
        Ranked("langchain_mmr", "LangChain", langchain_mmr(0.5), most=200),
        Ranked("langchain_mmr_0.7", "LangChain", langchain_mmr(0.7), most=200),
        Ranked("llamaindex_mmr", "LlamaIndex", llamaindex_mmr, llamaindex_render, most=200),
        Ranked("llamaindex_optimizer", "LlamaIndex", llamaindex_optimizer, llamaindex_render, budgeted=True),
        Ranked("haystack_mmr", "Haystack", haystack("maximum_margin_relevance"), haystack_render, most=60),
        Ranked("haystack_diversity", "Haystack", haystack("greedy_diversity_order"), haystack_render, most=500),
        Ranked("pyversity_dpp", "pyversity", pyversity("dpp")),
        Ranked("pyversity_msd", "pyversity", pyversity("msd")),
        Ranked("pyversity_mmr", "pyversity", pyversity("mmr")),
        Ranked("pyversity_mmr_0.3", "pyversity", pyversity("mmr", 0.3)),
        Ranked("submodlib_flqmi", "submodlib", facility_location_query, budgeted=True, most=1000),
        Ranked("submodlib_fl", "submodlib", facility_location, budgeted=True, most=500),
    )


# --- adapters: one shared embedder in each library's clothes
@functools.cache
def _langchain_embeddings() -> Any:
    base = require("langchain_core.embeddings").Embeddings

    class Shared(base):
        def __init__(self, embed: Embed) -> None:
            self.embed = embed

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return self.embed(texts).tolist()

        def embed_query(self, text: str) -> list[float]:
            return self.embed([text])[0].tolist()

    return Shared


def _langchain_documents(case: Query) -> list[Any]:
    document = require("langchain_core.documents").Document
    return [document(page_content=p.text, metadata={"row": i}) for i, p in enumerate(case.passages)]


@functools.cache
def llamaindex_embedding() -> Any:
    base = require("llama_index.core.base.embeddings.base").BaseEmbedding
    private = require("llama_index.core.bridge.pydantic").PrivateAttr

    class Shared(base):
        _embed: Any = private()

        def __init__(self, embed: Embed) -> None:
            super().__init__(model_name="shared")
            self._embed = embed

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._embed([text])[0].tolist()

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return self._embed(texts).tolist()

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

    return Shared


class _SharedModel:
    """Stands where Haystack's ranker holds its SentenceTransformer."""

    embed: Embed

    def encode(self, sentences: str | list[str], convert_to_tensor: bool = False, **_: Any) -> Any:
        rows: Any = self.embed([sentences] if isinstance(sentences, str) else sentences)
        if convert_to_tensor:
            rows = require("torch").from_numpy(np.ascontiguousarray(rows))
        return rows[0] if isinstance(sentences, str) else rows


@functools.cache
def _haystack_ranker(strategy: str) -> Any:
    rankers = require("haystack_integrations.components.rankers.sentence_transformers")
    ranker = rankers.SentenceTransformersDiversityRanker(model="shared", similarity="cosine", strategy=strategy)
    ranker.model = _SharedModel()
    return ranker
