"""LlamaIndex: a node postprocessor and a memory block, built on llama-index-core."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from fieldpack.adapters._common import Engine, engine, missing, sides
from fieldpack.adapters._documents import KEY, Piece, Source
from fieldpack.errors import InputError
from fieldpack.memory import ContextMemoryManager
from fieldpack.packing.render import BETWEEN_DOCUMENTS
from fieldpack.pipeline import ContextPacker
from fieldpack.request import checked_budget
from fieldpack.result import Result

try:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
    from llama_index.core.bridge.pydantic import ConfigDict, Field, PrivateAttr, field_serializer, field_validator
    from llama_index.core.memory import BaseMemoryBlock
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle
except ModuleNotFoundError as error:
    raise missing(error, "llama_index", "llama-index-core", "llamaindex") from error


class FieldpackPostprocessor(BaseNodePostprocessor):
    """Retrieved nodes to their evidence for the query, at most `budget` tokens.

    One node comes out for each that something is kept of, of its own class: its kept passages verbatim, in reading
    order, as its text; id, metadata, relationships as they were; start_char_idx and end_char_idx set to the range that
    the passages span in the source document (in the node, when the node does not know its place). The score is the
    calibrated relevance in [0, 1]. metadata["fieldpack"] has reason, tokens, spans in characters of the node that came
    in, and the retriever's score; models do not see it. Nodes without text are left out.

    packer: a ContextPacker, or its keyword arguments; its order puts the nodes in order.
    embedder: a BaseEmbedding, or what EmbeddingService takes; in place of the packer's.
    reuse_vectors: whether node.embedding and QueryBundle.embedding are of that embedder, and are used where present;
        None: when `embedder` is a BaseEmbedding.
    spread_vectors: whether a node's vector stands for each of its paragraphs, so that nothing is computed; else only
        for a node of one paragraph.
    scores: whether the retriever's scores (NodeWithScore.score, the higher the better) join the choice; switch it off
        where retrievers of several scales were merged.
    metadata_mode: how nodes will be shown to the model: what it adds to the texts is part of the budget.
    template: the prompt in which the nodes will stand ("{context_str}" and "{query_str}"), as text_qa_template of a
        query engine: all of it is then part of the budget.

    to_dict leaves out what is an object: the embedder, and a ContextPacker (give its keyword arguments).

    Without a query: what the nodes are about. Raises EmbeddingError for vectors of another model than the query's.
    """

    budget: int = Field(description="Tokens that the nodes may take, blank lines between them counted.")
    packer: Any = Field(default=None, description="A ContextPacker, or its keyword arguments.")
    embedder: Any = Field(
        default=None, description="A BaseEmbedding, or what fieldpack.EmbeddingService takes.", exclude=True
    )
    reuse_vectors: bool | None = Field(default=None, description="Whether stored vectors are of the embedder.")
    spread_vectors: bool = Field(default=True, description="Whether a node's vector stands for its paragraphs.")
    scores: bool = Field(default=True, description="Whether the retriever's scores join the choice.")
    metadata_mode: MetadataMode = Field(default=MetadataMode.LLM, description="How nodes are shown to the model.")
    template: Any = Field(default=None, description="A prompt template with {context_str}.", exclude=True)

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")
    _engine: Engine = PrivateAttr()

    @field_validator("budget", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> int:
        return checked_budget(value)

    def model_post_init(self, context: Any, /) -> None:
        """Checks the settings; loads nothing."""
        super().model_post_init(context)
        if self.template is not None and not hasattr(self.template, "format"):
            raise InputError(f"template is a {type(self.template).__name__}; give a PromptTemplate, or a string")
        model = self.embedder if isinstance(self.embedder, BaseEmbedding) else None
        self._engine = engine(
            self.packer,
            None if model else self.embedder,
            sides(model.model_name, model.get_text_embedding_batch, model.get_query_embedding) if model else None,
            self.reuse_vectors,
            self.spread_vectors,
        )

    @field_serializer("packer")
    def _settings(self, packer: Any) -> Any:
        return None if isinstance(packer, ContextPacker) else packer

    @classmethod
    def class_name(cls) -> str:
        return "FieldpackPostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if not nodes:
            return []

        def measure(pieces: Sequence[Piece]) -> int:
            shown = [_kept(nodes[p.number], p).node.get_content(metadata_mode=self.metadata_mode) for p in pieces]
            return self._count(shown, "" if query_bundle is None else query_bundle.query_str)

        found = self._engine.pack(
            None if query_bundle is None else query_bundle.query_str,
            [_source(n.node, self._engine.reuse, n.score if self.scores else None) for n in nodes],
            self.budget,
            None if query_bundle is None else self._query_vector(query_bundle),
            measure,
        )
        return [_kept(nodes[p.number], p) for p in found]

    def _count(self, shown: list[str], query: str) -> int:
        """Tokens of the nodes as the model will see them."""
        if self.template is None:
            return self._engine.count(shown)
        context = BETWEEN_DOCUMENTS.join(text.strip() for text in shown)  # as response synthesizers join them
        return int(self._engine.packer.tokenizer.count(self.template.format(context_str=context, query_str=query)))

    def _query_vector(self, query: QueryBundle) -> Any:
        if not self._engine.reuse:
            return None
        if query.embedding is None and query.custom_embedding_strs and isinstance(self.embedder, BaseEmbedding):
            return self.embedder.get_agg_embedding_from_queries(query.custom_embedding_strs)
        return query.embedding


class FieldpackMemoryBlock(BaseMemoryBlock[str]):
    """What left the short-term memory, recalled for the last user message: at most `budget` tokens of old turns that
    matter for it, verbatim, under their speakers' roles, in the order of the conversation.

    memory: a ContextMemoryManager to keep the turns in (to save it, or to start with one); by default a new one.
    packer: of a new memory: a ContextPacker or its keyword arguments. priority: as in every block, 0 is never
    truncated; a truncated block is packed again, smaller. Turns of another session_id stay out.
    """

    name: str = Field(default="fieldpack", description="The name of the memory block.")
    priority: int = Field(default=1, description="0: never truncated.")
    budget: int = Field(default=1000, description="Tokens that recalled turns may take.")
    packer: Any = Field(default=None, description="A ContextPacker, or its keyword arguments.", exclude=True)
    memory: Any = Field(default=None, description="A ContextMemoryManager.", exclude=True)

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _last: Result | None = PrivateAttr(default=None)

    @field_validator("budget", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> int:
        return checked_budget(value)

    def model_post_init(self, context: Any, /) -> None:
        """Checks the settings; loads nothing."""
        super().model_post_init(context)
        if self.memory is None:
            options = {"unit": "paragraph", "titles": True}
            given = self.packer if isinstance(self.packer, ContextPacker) else {**options, **(self.packer or {})}
            self.memory = ContextMemoryManager(self.budget, engine(given).packer)
        elif not isinstance(self.memory, ContextMemoryManager):
            raise InputError(f"memory is a {type(self.memory).__name__}; give a fieldpack.ContextMemoryManager")

    async def _aget(self, messages: list[ChatMessage] | None = None, **block_kwargs: Any) -> str:
        query = next((_text_of(m) for m in reversed(messages or ()) if m.role == "user"), "")
        return await asyncio.to_thread(self._recalled, query, block_kwargs.get("session_id"))

    async def _aput(self, messages: list[ChatMessage]) -> None:
        await asyncio.to_thread(self._store, messages)

    async def atruncate(self, content: str, tokens_to_truncate: int) -> str | None:
        """The recalled turns packed again, smaller by at least that many tokens; None when nothing is left."""
        last = self._last
        if last is None or last.text != content or last.repack is None or tokens_to_truncate >= last.tokens:
            return None
        return last.repack(last.tokens - max(tokens_to_truncate, 0)).text or None

    def _store(self, messages: list[ChatMessage]) -> None:
        with self._lock:
            for m in messages:
                said = _text_of(m)
                if said.strip():
                    session = {k: v for k, v in m.additional_kwargs.items() if k == "session_id"}
                    self.memory.add_message(str(getattr(m.role, "value", m.role)), said, **session)

    def _recalled(self, query: str, session: Any) -> str:
        with self._lock:
            spoken = [m for m in self.memory.messages if not m.system]
            away = {m.id for m in spoken if session is not None and m.session not in ("", str(session))}
            if not query.strip() or len(away) == len(spoken):
                return ""
            self._last = self.memory.recall(query, self.budget, exclude=away)
            return self._last.text


def _source(node: BaseNode, reuse: bool, score: float | None) -> Source:
    place: dict[str, Any] = {}
    if node.ref_doc_id:
        place["source"] = node.ref_doc_id
    start = getattr(node, "start_char_idx", None)
    if start is not None:
        place["start_index"] = start
    title = node.metadata.get("title")
    return Source(
        node.get_content(metadata_mode=MetadataMode.NONE),
        node.node_id,
        title if isinstance(title, str) else "",
        {**node.metadata, **place},
        vector=node.embedding if reuse else None,
        score=score,
    )


def _kept(node_with_score: NodeWithScore, piece: Piece) -> NodeWithScore:
    """A copy of the node with what is kept of it; its embedding goes when its text is not what was embedded."""
    node = node_with_score.node
    whole = node.get_content(metadata_mode=MetadataMode.NONE).strip() == piece.text
    changes: dict[str, Any] = {
        "metadata": {**node.metadata, KEY: {**piece.facts(), "retriever_score": node_with_score.score}},
        "excluded_llm_metadata_keys": _with_key(node.excluded_llm_metadata_keys),
        "excluded_embed_metadata_keys": _with_key(node.excluded_embed_metadata_keys),
        "relationships": dict(node.relationships),
        "embedding": node.embedding if whole else None,
    }
    if hasattr(node, "start_char_idx"):
        base = node.start_char_idx or 0
        changes |= {"start_char_idx": base + piece.start, "end_char_idx": base + piece.end}
    out = node.model_copy(update=changes)
    out.set_content(piece.text)
    return NodeWithScore(node=out, score=piece.score)


def _with_key(keys: list[str]) -> list[str]:
    return [*(k for k in keys if k != KEY), KEY]


def _text_of(message: ChatMessage) -> str:
    """Its words; calls of tools by name and arguments."""
    calls = [f"{b.tool_name}({b.tool_kwargs})" for b in message.blocks if isinstance(b, ToolCallBlock)]
    return "\n".join([*([message.content] if message.content else []), *calls])
