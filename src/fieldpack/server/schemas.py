"""Requests and answers as pydantic models: they check requests, and FastAPI makes the OpenAPI document of them.

Lists end at their first error, and all counts are bounded, so that the errors of a request take bounded memory.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fieldpack.budget.allocate import presets
from fieldpack.document_forms import with_own_keys
from fieldpack.packing.enough import ENOUGH
from fieldpack.server.base import MOST_TOKENS, WHOLE, Budget, Encoding, Id, Model, Number, Text, Title, Tokens

_NOT_BLANK = r"[^\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""A character that is no white space for Python, as a pattern of JSON Schema."""
_MOST_NAMES = 100


class In(BaseModel):
    """A request. Unknown keys are errors, so that a misspelt one is not ignored; nothing is converted ("5" is no 5)."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, strict=True, allow_inf_nan=False)


class DocumentIn(In):
    """A text. id: by default doc-N, N being its place from 0. score: of a retriever, any scale, the higher the better.
    metadata: the caller's own. The JSON of a document of LangChain, Haystack or LlamaIndex is taken as well."""

    text: Text
    id: Id | None = None
    title: Title | None = None
    score: Number | None = None
    metadata: dict[str, Any] | None = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _own_keys(cls, value: Any) -> Any:
        return with_own_keys(value)


def _not_blank(query: str) -> str:
    if not query.strip():
        raise ValueError("the query is empty; say what the evidence is wanted for")
    return query


Query = Annotated[
    str, Field(min_length=1, max_length=100_000, json_schema_extra={"pattern": _NOT_BLANK}), AfterValidator(_not_blank)
]


class WeightedQuery(In):
    """A query and how much it counts."""

    text: Query
    weight: Annotated[float, Field(gt=0, le=1)] = 1.0


class PinRange(In):
    """Characters (code points) of a document that have to be in: from `start` up to, and without, `end`."""

    id: Id
    start: Annotated[int, Field(ge=0, le=MOST_TOKENS), WHOLE]
    end: Annotated[int, Field(ge=1, le=MOST_TOKENS), WHOLE]


class ScoreIn(In):
    """A score of a document, or of its characters (code points) from `start` up to, and without, `end`."""

    id: Id
    start: Annotated[int, Field(ge=0, le=MOST_TOKENS), WHOLE] | None = None
    end: Annotated[int, Field(ge=1, le=MOST_TOKENS), WHOLE] | None = None
    score: Number


Queries = Annotated[list[Query | WeightedQuery], Field(min_length=1, max_length=64, fail_fast=True)]
Documents = Annotated[list[Text | DocumentIn], Field(max_length=1_000_000, fail_fast=True)]
Scores = Annotated[
    list[Number | None] | list[ScoreIn],
    Field(max_length=1_000_000, description="Of a retriever: one for each document in order, or by id and range."),
]
Enough = Annotated[float, Field(gt=0, le=1, description="Share of the relevance that fits at which a pack ends.")]
Render = Annotated[
    Literal["text", "json"],
    Field(description="json: what is kept of a JSON array or object as valid JSON, with counts of what is left out."),
]
Pins = Annotated[list[Id | PinRange], Field(max_length=10_000, fail_fast=True)]


class PackerIn(In):
    """How to pack: the same in one pack and in a session."""

    model: Model = "static"
    encoding: Encoding = "o200k_base"
    unit: Literal["auto", "paragraph", "sentence"] = "auto"
    order: Literal["source", "edges", "relevance"] = "source"
    cite: bool = False
    titles: bool = False
    min_relevance: Annotated[float, Field(ge=0, le=1)] = 0.0
    allow_cut: bool = False
    enough: Enough = ENOUGH
    render: Render = "text"


_BOTH: dict[str, Any] = {
    "required": ["query", "queries"],
    "properties": {"query": {"type": "string"}, "queries": {"type": "array"}},
}
"""JSON Schema of a request that gives both."""


class AskIn(In):
    """`query` or `queries`, not both; without either, what is most salient."""

    model_config = ConfigDict(json_schema_extra={"not": _BOTH})
    query: Query | None = None
    queries: Queries | None = None

    @model_validator(mode="after")
    def _one(self) -> AskIn:
        if self.query is not None and self.queries is not None:
            raise ValueError("give query, or queries, and not both; without either the most salient is packed")
        return self


class PackIn(PackerIn, AskIn):
    """POST /v1/pack"""

    documents: Documents
    budget: Budget
    pins: Pins = []
    scores: Scores | None = None
    stream: Annotated[bool, Field(description="Answer with server-sent events: progress, then the result.")] = False
    map: Annotated[bool, Field(description="Add what the page draws: a map, and numbers.")] = False


def _no_token_ids(value: Any) -> Any:
    """Refuses what OpenAI's interface takes as well, with a message of its own. Looks at the first item alone."""
    if isinstance(value, list) and value and isinstance(value[0], int | list):
        raise ValueError("input holds token ids, which mean something to one model only; send texts")
    return value


Input = Annotated[str, Field(min_length=1, max_length=10_000_000)]
Inputs = Annotated[list[Input], Field(min_length=1, max_length=2048, fail_fast=True)]


class EmbeddingsIn(In):
    """POST /v1/embeddings, as OpenAI's interface has it."""

    input: Annotated[Input | Inputs, BeforeValidator(_no_token_ids)]
    model: Model = "static"
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1, le=1_000_000), WHOLE] | None = None
    user: Annotated[str, Field(max_length=2000)] | None = None


def _presets(schema: dict[str, Any]) -> None:
    schema["enum"] = list(presets())


class PlanIn(In):
    """POST /v1/plan"""

    window: Annotated[int, Field(ge=1, le=MOST_TOKENS), WHOLE] | Annotated[str, Field(max_length=200)]
    preset: Annotated[str, Field(max_length=100, json_schema_extra=_presets)] | None = None
    allocations: Annotated[dict[Title, float], Field(max_length=_MOST_NAMES)] | None = None
    used: Annotated[dict[Title, Tokens], Field(max_length=_MOST_NAMES)] = {}
    output_reserve: Tokens = 0
    alert_threshold: Annotated[float, Field(ge=1e-6, le=1)] = 0.9


class FieldIn(In):
    """POST /v1/field"""

    documents: Documents
    model: Model = "static"
    encoding: Encoding = "o200k_base"
    limit: Annotated[int, Field(ge=1, le=256, description="Attractors at most."), WHOLE] = 12


class SessionIn(PackerIn):
    """POST /v1/sessions. documents: read once for all turns; without them each turn brings its own."""

    documents: Documents | None = None
    switching: Annotated[float, Field(ge=0, le=50)] | None = None


class TurnIn(AskIn):
    """POST /v1/sessions/{id}/turn"""

    documents: Documents | None = None
    budget: Budget
    pins: Pins = []
    scores: Scores | None = None


class Item(BaseModel):
    """A segment that was kept or dropped; offsets are code points of its document."""

    doc_id: str
    start: int
    end: int
    tokens: int
    score: float
    reason: str


class PackOut(BaseModel):
    """What `fieldpack pack --json` prints."""

    text: str
    tokens: int
    budget: int
    query: str | list[str] | None
    kept: list[Item]
    dropped: list[Item]
    dropped_total: int
    field: dict[str, Any]
    enough: dict[str, float | bool]
    left_out: list[str]
    notes: list[str]
    timings_ms: dict[str, float]
    map: dict[str, Any] | None = None
    numbers: dict[str, Any] | None = None


class PromptOut(BaseModel):
    """The pack ordered for a prompt cache: what was shown before stays first."""

    text: str
    tokens: int
    prefix: int
    prefix_tokens: int


class TurnOut(PackOut):
    """A pack, and where the session stands after it."""

    turn: int
    prompt: PromptOut


class SessionOut(BaseModel):
    """A session. `id` is its only key: keep it."""

    id: str
    turns: int
    documents: int
    expires_in: int
    state: dict[str, Any] | None = None


class EmbeddingOut(BaseModel):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens of o200k_base."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[EmbeddingOut]
    model: str
    usage: Usage


class FieldOut(BaseModel):
    documents: int
    segments: int
    attractors: list[dict[str, Any]]
    beta: float
    resonance: float
    permeability: float
    turn: int
    residue: int


class PlanOut(BaseModel):
    """What `fieldpack plan --json` prints."""

    model_config = ConfigDict(extra="allow")
    window: int
    preset: str


class HealthOut(BaseModel):
    status: Literal["ok", "stopping"]
    version: str
