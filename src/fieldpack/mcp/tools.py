"""The three tools. The text of an answer is for the model that reads it, the structured part for its program."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

from fieldpack.budget import TokenBudgetPlanner
from fieldpack.document_forms import document_of, with_own_keys
from fieldpack.embed.service import EmbeddingService
from fieldpack.errors import FieldpackError, InputError
from fieldpack.mcp.arguments import takes
from fieldpack.mcp.roots import Roots
from fieldpack.packing.enough import ENOUGH
from fieldpack.pipeline import ContextPacker
from fieldpack.request import Pin
from fieldpack.types import Document
from fieldpack.version import __version__

P = ParamSpec("P")
R = TypeVar("R")
ModelName = Literal["static", "minilm", "cascade"]
Encoding = Literal["o200k_base", "cl100k_base"]
_ABOUT = (
    "Chooses the passages of documents that matter for a question, verbatim and inside a token budget. "
    "Call pack_context before reading long files; plan_budget divides a context window."
)


class Given(BaseModel):
    """A text. id: by default doc-N. score: of a retriever, any scale, the higher the better. metadata: the caller's
    own. A document of LangChain, Haystack or LlamaIndex as JSON is taken as well."""

    model_config = ConfigDict(strict=True, extra="forbid")
    text: str
    id: str | None = None
    title: str | None = None
    score: float | None = None
    metadata: dict[str, Any] | None = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _own_keys(cls, value: Any) -> Any:
        return with_own_keys(value)


class Passage(BaseModel):
    """A segment; start and end are code points of its document."""

    doc_id: str
    start: int
    end: int
    tokens: int
    score: float
    reason: str


class Packed(BaseModel):
    """The pack: `text` is verbatim and has `tokens` <= `budget`. dropped: the most relevant of dropped_count."""

    text: str
    tokens: int
    budget: int
    kept: list[Passage]
    dropped: list[Passage]
    dropped_count: int
    enough: dict[str, float | bool]
    notes: list[str]
    skipped_files: list[str]


class Topic(BaseModel):
    """An attractor: strength in [0, 1], and the passages nearest to it."""

    strength: float
    cohesion: float
    segments: int
    passages: list[str]


class Explored(BaseModel):
    """The field of documents. resonance in [-1, 1]: how much the segments speak of the same things."""

    documents: int
    segments: int
    tokens: int
    resonance: float
    topics: list[Topic]
    skipped_files: list[str]


class Planned(BaseModel):
    """Tokens of each section; they add to the window."""

    model_config = ConfigDict(extra="allow")
    window: int
    preset: str
    budgets: dict[str, int]


Paths = Annotated[list[str] | None, Field(description="Files or folders below the server's roots.")]
Texts = Annotated[list[str | Given] | None, Field(description="Texts to take instead of files, or beside them.")]


@dataclass(frozen=True)
class PackArguments:
    """The arguments of pack_context."""

    budget: Annotated[int, Field(ge=1, le=10_000_000, strict=True, description="Tokens at most.")]
    query: Annotated[
        str | list[str] | None,
        Field(description="What the passages are wanted for; null: those that say what the texts are about."),
    ] = None
    paths: Paths = None
    documents: Texts = None
    model: ModelName = "static"
    encoding: Encoding = "o200k_base"
    unit: Literal["auto", "paragraph", "sentence"] = "auto"
    order: Literal["source", "edges", "relevance"] = "source"
    cite: Annotated[bool, Field(strict=True, description="Head each source with its number, title and id.")] = True
    min_relevance: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.0
    pins: Annotated[list[str] | None, Field(description="Ids of documents that must be in.")] = None
    enough: Annotated[
        float, Field(gt=0, le=1, description="Share of the relevance that fits at which to end; 1 fills the budget.")
    ] = ENOUGH
    render: Annotated[
        Literal["text", "json"],
        Field(description="json: what is kept of a JSON array or object as valid JSON, with counts."),
    ] = "text"


def reported(tool: Callable[P, R]) -> Callable[P, R]:
    """Errors that fieldpack raises on purpose reach the model as they are written; others stay here."""

    @functools.wraps(tool)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return tool(*args, **kwargs)
        except FieldpackError as error:
            raise ToolError(str(error)) from None

    run.__signature__ = inspect.signature(tool, eval_str=True)  # type: ignore[attr-defined]  # without self, which wraps() copies
    return run


def build(roots: Roots) -> MCPServer:
    """The server. Its tools read, and change nothing: calls may be repeated."""
    made = MCPServer("fieldpack", version=__version__, instructions=_ABOUT, log_level="WARNING")
    tools = Tools(roots)
    only_reads = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    for tool, title in (
        (tools.pack_context, "Pack context"),
        (tools.explore_field, "Explore a field"),
        (tools.plan_budget, "Plan a token budget"),
    ):
        made.tool(title=title, annotations=only_reads, structured_output=True)(reported(tool))
    return made


class Tools:
    """The tools over some roots; models are loaded once."""

    def __init__(self, roots: Roots) -> None:
        self.roots = roots
        self._service = functools.lru_cache(maxsize=3)(
            lambda name: EmbeddingService(name, allow_hub=False, allow_remote=False)
        )

    @takes(PackArguments)
    def pack_context(self, arguments: PackArguments) -> Annotated[CallToolResult, Packed]:
        """The passages of files or texts that matter for a query, or without one those that say most of what they are
        about, verbatim, in at most `budget` tokens."""
        texts, skipped = self._documents(arguments.paths, arguments.documents)
        packer = ContextPacker(
            embedder=self._service(arguments.model),
            tokenizer=arguments.encoding,
            unit=arguments.unit,
            order=arguments.order,
            cite=arguments.cite,
            min_relevance=arguments.min_relevance,
            enough=arguments.enough,
            render=arguments.render,
        )
        budget = arguments.budget
        must: list[Pin] = [*(arguments.pins or [])]
        facts = packer.pack(arguments.query, texts, budget, pins=must).to_dict()
        dropped = sorted(facts["dropped"], key=lambda d: -d["score"])
        kept = {name: facts[name] for name in ("text", "tokens", "budget", "kept", "enough", "notes")}
        left = {"dropped": dropped[:20], "dropped_count": len(dropped), "skipped_files": list(skipped[:50])}
        lines = [f"{facts['tokens']} of {budget} tokens; {len(facts['kept'])} segments kept, {len(dropped)} dropped."]
        return _answer([*lines, *facts["notes"]], kept | left, facts["text"])

    def explore_field(
        self,
        paths: Paths = None,
        documents: Texts = None,
        limit: Annotated[int, Field(ge=1, le=64, strict=True, description="Topics at most.")] = 12,
        model: ModelName = "static",
    ) -> Annotated[CallToolResult, Explored]:
        """What files or texts are about: their attractors (topics), each with its nearest passages."""
        files, skipped = self._documents(paths, documents)
        packer = ContextPacker(embedder=self._service(model), unit="paragraph")
        view = packer.explore(files, limit)
        texts, facts = view.corpus.texts(), view.reading.to_dict()
        topics = [
            {
                **{key: a[key] for key in ("strength", "cohesion", "segments")},
                "passages": _short(texts, view.nearest(k)),
            }
            for k, a in enumerate(facts["attractors"])
        ]
        tokens = int(view.corpus.rows.tokens.sum())
        lines = [f"{len(files)} documents, {len(texts)} segments, {tokens} tokens, {len(topics)} topics."]
        lines += [
            f"{k}. strength {t['strength']:.2f}: {t['passages'][0]}" for k, t in enumerate(topics, 1) if t["passages"]
        ]
        body = {
            "documents": len(files),
            "segments": len(texts),
            "tokens": tokens,
            "resonance": facts["resonance"],
            "topics": topics,
            "skipped_files": list(skipped[:50]),
        }
        return _answer(lines, body)

    def plan_budget(
        self,
        window: Annotated[StrictInt | str, Field(description="Tokens, or a model's name.")],
        preset: Annotated[
            str, Field(description="default | pyramid | forty_forty_twenty | simple_qa | ...")
        ] = "default",
        used: Annotated[dict[str, StrictInt] | None, Field(description="Tokens used already, by section.")] = None,
        output_reserve: Annotated[int, Field(ge=0, strict=True, description="Tokens kept for the answer.")] = 0,
    ) -> Annotated[CallToolResult, Planned]:
        """Divides a context window among the sections of a prompt."""
        planner = TokenBudgetPlanner(window, preset, output_reserve=output_reserve)
        for section, tokens in (used or {}).items():
            planner.track_usage(section, tokens)
        plan = planner.plan()
        return _answer([plan.text()], plan.to_dict())

    def _documents(
        self, paths: Sequence[str] | None, documents: Sequence[str | Given] | None
    ) -> tuple[tuple[Document, ...], tuple[str, ...]]:
        if paths is None and documents is None:
            raise InputError("nothing to read; give paths below a root, or documents")
        read, skipped = self.roots.read(paths) if paths else ((), ())
        forms = [d if isinstance(d, str) else d.model_dump() for d in documents or ()]
        given = (document_of(form, k) for k, form in enumerate(forms, len(read)))
        return (*read, *given), skipped


def _answer(lines: Sequence[str], body: dict[str, Any], text: str = "") -> CallToolResult:
    content = [TextContent(type="text", text="\n".join(lines))]
    content += [TextContent(type="text", text=text)] if text else []
    return CallToolResult(content=[*content], structured_content=body)


def _short(texts: Sequence[str], rows: Sequence[int], most: int = 240) -> list[str]:
    flat = [" ".join(texts[i].split()) for i in rows]
    return [t if len(t) <= most else t[: most - 1] + "…" for t in flat]
