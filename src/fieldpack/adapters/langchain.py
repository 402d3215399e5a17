"""LangChain: a document compressor and a message trimmer, built on langchain-core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fieldpack.adapters._common import Engine, engine, missing, sides
from fieldpack.adapters._documents import KEY, Piece, Source
from fieldpack.adapters._turns import trimmed
from fieldpack.errors import InputError, MissingExtraError, SettingsError
from fieldpack.packing.render import BETWEEN_DOCUMENTS
from fieldpack.pipeline import ContextPacker
from fieldpack.request import checked_budget

try:
    from langchain_core.callbacks import Callbacks
    from langchain_core.documents import BaseDocumentCompressor, BaseDocumentTransformer, Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, ToolMessage, convert_to_messages
    from langchain_core.prompts import BasePromptTemplate, PromptTemplate, format_document
    from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
    from pydantic import ConfigDict, InstanceOf, PrivateAttr, field_validator
except ModuleNotFoundError as error:
    raise missing(error, "langchain_core", "langchain-core", "langchain") from error

if TYPE_CHECKING:
    from langchain.agents.middleware import AgentMiddleware

_ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "HumanMessageChunk": "user"}


class FieldpackCompressor(BaseDocumentCompressor):
    """Retrieved documents to their evidence for the query, at most `budget` tokens.

    One document comes out for each that something is kept of: its kept passages verbatim, in reading order, as
    `page_content`; its id and metadata as they were, and under metadata["fieldpack"] score, reason, tokens, start, end
    and spans, in characters of the `page_content` that came in. The contents joined by blank lines are at most `budget`
    tokens. Documents without text are left out.

    packer: a ContextPacker, or its keyword arguments; its order puts the documents in order.
    embedder: a langchain Embeddings, or what EmbeddingService takes; in place of the packer's.
    vectors: those that the store has, so that they are not computed again: {document id: vector}, or a function of a
        document (None where there is none); by default metadata["embedding"].
    reuse_vectors: whether to use them; None: when `embedder` is an Embeddings or `vectors` are given.
    spread_vectors: whether a document's vector stands for each of its paragraphs, so that nothing is computed; else
        only for a document of one paragraph.
    document_prompt, document_separator: as of create_stuff_documents_chain: what a chain writes around the contents
        ("Content: ...\\nSource: ...") is then part of the budget.
    scores: whether metadata["relevance_score"] (of rerankers), or else metadata["score"], joins the choice; off by
        default: "score" is a similarity in one store and a distance in another, and merged retrievers mix their scales.

    Raises InputError for a blank query, EmbeddingError for vectors of another model than the query's.
    """

    budget: int
    packer: ContextPacker | dict[str, Any] | None = None
    embedder: Any = None
    vectors: Any = None
    reuse_vectors: bool | None = None
    spread_vectors: bool = True
    document_prompt: InstanceOf[BasePromptTemplate[str]] | None = None
    document_separator: str = BETWEEN_DOCUMENTS
    scores: bool = False

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", frozen=True)
    _engine: Engine = PrivateAttr()

    @field_validator("budget", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> int:
        return checked_budget(value)

    def model_post_init(self, context: Any, /) -> None:
        """Checks the settings; loads nothing."""
        if self.vectors is not None and not (callable(self.vectors) or isinstance(self.vectors, Mapping)):
            raise InputError(
                f"vectors is a {type(self.vectors).__name__}; give {{document id: vector}} or a function of a document"
            )
        if self.vectors is not None and self.reuse_vectors is False:
            raise SettingsError("vectors are given and reuse_vectors is False; leave one of them out")
        reuse = True if self.vectors is not None else self.reuse_vectors
        framework = isinstance(self.embedder, Embeddings)
        self._engine = engine(
            self.packer,
            None if framework else self.embedder,
            _sides(self.embedder) if framework else None,
            reuse,
            self.spread_vectors,
        )

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """The evidence; [] for no documents. callbacks: not called, there is nothing in between to report."""
        return self._kept_of(documents, query)

    def as_transformer(self) -> BaseDocumentTransformer:
        """Documents to what they are about, at most `budget` tokens, without a query: for chains of document
        transformers."""
        return _transformer(self)

    def _kept_of(self, documents: Sequence[Document], query: str | None) -> list[Document]:
        if not documents:
            return []
        sources = [self._source(d) for d in documents]
        prompt = self.document_prompt or PromptTemplate.from_template("{page_content}")

        def measure(pieces: Sequence[Piece]) -> int:
            shown = (format_document(_kept(documents[p.number], p), prompt) for p in pieces)
            return int(self._engine.packer.tokenizer.count(self.document_separator.join(shown)))

        found = self._engine.pack(query, sources, self.budget, measure=measure)
        return [_kept(documents[p.number], p) for p in found]

    def as_runnable(self) -> Runnable[dict[str, Any], list[Document]]:
        """{"documents", "query"} to documents, for chains."""

        def run(inputs: dict[str, Any]) -> list[Document]:
            return list(self.compress_documents(*_inputs(inputs)))

        async def arun(inputs: dict[str, Any]) -> list[Document]:
            return list(await self.acompress_documents(*_inputs(inputs)))

        return RunnableLambda(run, arun, name="fieldpack")

    def _source(self, document: Document) -> Source:
        known = document.metadata
        score = known.get("relevance_score", known.get("score")) if self.scores else None
        return Source(
            document.page_content,
            document.id,
            _title(known),
            known,
            vector=self._vector(document),
            score=score,
        )

    def _vector(self, document: Document) -> Any:
        if not self._engine.reuse:
            return None
        if callable(self.vectors):
            return self.vectors(document)
        if self.vectors is not None:
            return self.vectors.get(document.id)
        return document.metadata.get("embedding")


class FieldpackMessageTrimmer(Runnable[Any, list[BaseMessage]]):
    """Messages to those of the next model call, at most `budget` tokens: a runnable, a middleware, a method.

    System messages and the last user message stay, and with it the latest tool call and its results (packed for the
    user's message where they are too long); then the last turns, and old turns that matter for the user's message, of
    which only some paragraphs may be quoted. A tool call and its results stay or go together. Nothing is summarised.
    Messages come back as they are; one that is shortened is a copy with the same id.

    packer: of the memory, see ContextMemoryManager, or its keyword arguments. recent: share in [0, 1] of the budget for
    last turns before older ones are recalled. Tokens are counted on "role: content" lines; tool schemas and a model's
    own wrapping are not in it. Raises BudgetError when what must stay does not fit.
    """

    def __init__(
        self, budget: int, packer: ContextPacker | Mapping[str, Any] | None = None, recent: float = 0.5
    ) -> None:
        self.budget = checked_budget(budget)
        options = {"unit": "paragraph", "titles": True}
        self.packer = packer if isinstance(packer, ContextPacker) else engine({**options, **(packer or {})}).packer
        self.recent = recent

    def trim(self, messages: Any) -> list[BaseMessage]:
        """messages: a list of messages, or what langchain takes for one (a prompt value, dicts, pairs)."""
        given = convert_to_messages(messages)
        out = []
        for m in trimmed([_fields(g) for g in given], self.budget, self.packer, self.recent):
            whole = given[int(m.id)]
            same = m.content == _fields(whole)["content"]
            out.append(whole if same else whole.model_copy(update={"content": m.content}))
        return out

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> list[BaseMessage]:
        """`trim`, as a step of a chain: prompt | trimmer | model."""
        return self._call_with_config(self.trim, input, config)

    def as_middleware(self) -> AgentMiddleware[Any, Any]:
        """For create_agent(middleware=[...]): every model call sees the trimmed messages, with the agent's system
        message counted; the agent's state keeps them all, so that a turn left out now can be recalled later.

        Raises MissingExtraError without the langchain package.
        """
        return _middleware(self)


def _middleware(trimmer: FieldpackMessageTrimmer) -> AgentMiddleware[Any, Any]:
    try:
        from langchain.agents.middleware import AgentMiddleware
    except ModuleNotFoundError as e:
        if (e.name or "").split(".")[0] != "langchain":
            raise
        raise MissingExtraError("langchain", "agents") from e

    def edited(request: Any) -> Any:
        system = [request.system_message] if request.system_message else []
        kept = trimmer.trim([*system, *request.messages])
        return request.override(messages=kept[len(system) :])

    class FieldpackTrimming(AgentMiddleware[Any, Any]):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(edited(request))

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            from langchain_core.runnables import run_in_executor

            return await handler(await run_in_executor(None, edited, request))

    return FieldpackTrimming()


def _transformer(compressor: FieldpackCompressor) -> BaseDocumentTransformer:
    class FieldpackTransformer(BaseDocumentTransformer):
        def transform_documents(self, documents: Sequence[Document], **kwargs: Any) -> Sequence[Document]:
            return compressor._kept_of(documents, None)

    return FieldpackTransformer()


def _sides(embedder: Embeddings) -> Any:
    kind = type(embedder)
    return sides(f"{kind.__module__}.{kind.__qualname__}", embedder.embed_documents, embedder.embed_query)


def _title(metadata: Mapping[str, Any]) -> str:
    title = metadata.get("title")
    return title if isinstance(title, str) else ""


def _kept(document: Document, piece: Piece) -> Document:
    return Document(id=document.id, page_content=piece.text, metadata={**document.metadata, KEY: piece.facts()})


def _inputs(inputs: Any) -> tuple[Sequence[Document], str]:
    if not isinstance(inputs, Mapping) or not {"documents", "query"} <= set(inputs):
        found = sorted(map(str, inputs)) if isinstance(inputs, Mapping) else type(inputs).__name__
        raise InputError(f"the input is {found}; give {{'documents': [...], 'query': '...'}}")
    return inputs["documents"], inputs["query"]


def _fields(message: BaseMessage) -> dict[str, Any]:
    """The message as the memory takes it."""
    role = message.role if isinstance(message, ChatMessage) else _ROLES.get(message.type, message.type)
    content: Any = message.content
    out: dict[str, Any] = {"role": role, "content": content}
    if message.name:
        out["name"] = message.name
    if isinstance(message, AIMessage) and message.tool_calls:
        out["tool_calls"] = [dict(c) for c in message.tool_calls]
    if isinstance(message, ToolMessage):
        out["tool_call_id"] = message.tool_call_id
    return out
