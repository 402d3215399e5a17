"""Tool output over HTTP: POST /v1/tools/trim and /v1/tools/expand, and what they share with the guardrail of LiteLLM.

What is left out waits in the memory of the service, bounded in bytes and age. `owner` parts clients that share the
service's key: an id gives its text only to the owner that it was made for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from fieldpack.pipeline import ContextPacker
from fieldpack.server.base import WHOLE, Text
from fieldpack.server.problems import Problem
from fieldpack.server.schemas import In
from fieldpack.server.settings import Settings
from fieldpack.tools import MemoryStore, ToolTrimmer, Trimmed, TrimSettings, TrimState
from fieldpack.tools.handle import Wish, expand_block, lines_of
from fieldpack.tools.state import DecisionState
from fieldpack.tools.store import Store, StoredBlock

_DEFAULT = TrimSettings()
_TRIMMERS_KEPT = 16
_TIME_SHARE = 0.5
"""The part of the service's timeout that one output may take: then it goes out unchanged, and not the request 503."""
ToolBudget = Annotated[int, Field(ge=16, le=10_000_000, description="Tokens at most, the notice included."), WHOLE]
Threshold = Annotated[
    int, Field(ge=0, le=10_000_000, description="Outputs of so many tokens or fewer stay as they are."), WHOLE
]
Name = Annotated[str, Field(max_length=2000)]
Lines = Annotated[list[Annotated[int, Field(ge=1, le=1_000_000_000), WHOLE]], Field(min_length=2, max_length=2)]
Count = Callable[[int, int, int, str], None]
"""Counts an output: tokens before, saved, saved and cached, outcome."""


class TrimOptionsIn(In):
    """How to trim: the same for one output and for those of a conversation."""

    budget: ToolBudget = _DEFAULT.budget
    threshold: Threshold = _DEFAULT.threshold
    shadow: Annotated[bool, Field(description="Decide and report, change nothing.")] = False


class TrimIn(TrimOptionsIn):
    """POST /v1/tools/trim. output: a text, a JSON value or content blocks. call: what it answers, in the form of any
    framework. conversation: what was decided under its name before stands. expand: whether notices name an id by which
    `owner` can ask for the rest."""

    output: Any
    question: Annotated[str, Field(max_length=100_000)]
    call: dict[str, Any] | Name | None = None
    conversation: Name = ""
    owner: Name = ""
    expand: bool = True


class ExpandIn(In):
    """POST /v1/tools/expand. query: only what answers it. range: lines, "120-180" or [120, 180], from 1."""

    id: Annotated[str, Field(min_length=1, max_length=100)]
    query: Annotated[str, Field(max_length=100_000)] | None = None
    range: Annotated[str, Field(max_length=100)] | Lines | None = None
    budget: ToolBudget | None = None
    owner: Name = ""


class TrimOut(BaseModel):
    """output: in the shape that came in. ids: for expand. would: what goes out without shadow."""

    model_config = ConfigDict(extra="allow")
    output: Any
    cut: bool
    ids: list[str]
    notes: list[str]
    tokens_before: int
    tokens_after: int


class ExpandOut(BaseModel):
    """The text that was asked for."""

    text: Text


@dataclass(frozen=True)
class OwnedStore:
    """A store as one owner sees it. Its blocks and decisions lie in `store` under the owner's name."""

    store: Store
    owner: str

    def put(self, block: StoredBlock) -> bool:
        """Keeps a block; False when it is larger than the store."""
        return self.store.put(replace(block, id=self._own(block.id)))

    def get(self, block_id: str) -> StoredBlock | None:
        """The owner's block, or None."""
        block = self.store.get(self._own(block_id))
        return None if block is None else replace(block, id=block_id)

    def decide(self, conversation: str, key: str, decision: str) -> str:
        """Keeps the decision, unless there is one; the one that stands."""
        return self.store.decide(self._own(conversation), key, decision)

    def decided(self, conversation: str, key: str) -> str | None:
        """The decision of the owner's conversation, or None."""
        return self.store.decided(self._own(conversation), key)

    def _own(self, name: str) -> str:
        return f"{hashlib.sha256(self.owner.encode('utf-8', 'surrogatepass')).hexdigest()}/{name}"


class ToolOutputs:
    """Trims and expands for the clients of one service. Safe for threads. packer: makes the packer at first use."""

    def __init__(self, settings: Settings, packer: Callable[[], ContextPacker], count: Count) -> None:
        self._store = MemoryStore(max_bytes=settings.tool_bytes)
        self._packer, self._count = lru_cache(maxsize=1)(packer), count
        self._time_limit = min(_DEFAULT.time_limit, _TIME_SHARE * settings.timeout)
        self._trimmer = lru_cache(maxsize=_TRIMMERS_KEPT)(self._made)

    def trim(self, request: TrimIn) -> dict[str, Any]:
        """Trim one tool's output for a question."""
        store = OwnedStore(self._store, request.owner)
        state: TrimState | None = TrimState(store, request.conversation) if request.expand else None
        if not request.expand and request.conversation:
            state = DecisionState(store, request.conversation)
        trimmed = self.trimmed(request, request.output, request.question, call=request.call, state=state)
        facts = trimmed.to_dict()
        del facts["text"]
        more = {"replayed": trimmed.replayed, "failed": trimmed.failed, "saved_cached": trimmed.saved_cached}
        would = {"would": trimmed.would} if trimmed.shadow else {}
        return {"output": trimmed.output, **would, **facts, **more}

    def trimmed(
        self, options: TrimOptionsIn, output: Any, question: str, *, call: Any, state: TrimState | None
    ) -> Trimmed:
        """One output, trimmed and counted. Raises nothing: it fails open."""
        trimmer = self._trimmer(options.threshold, options.shadow)
        trimmed = trimmer.trim(output, question=question, call=call, budget=options.budget, state=state)
        outcome = "failed" if trimmed.failed else "replayed" if trimmed.replayed else "unchanged"
        outcome = "cut" if outcome == "unchanged" and trimmed.cut else outcome
        saved = 0 if trimmed.shadow else trimmed.saved
        self._count(0 if trimmed.replayed else trimmed.tokens_before, saved, trimmed.saved_cached, outcome)
        return trimmed

    def state(self, owner: str, conversation: str, expand: bool) -> TrimState:
        """The decisions of an owner's conversation. expand: whether what is left out is kept too."""
        store = OwnedStore(self._store, owner)
        return TrimState(store, conversation) if expand else DecisionState(store, conversation)

    def expand(self, request: ExpandIn) -> dict[str, Any]:
        """Give back what was left out of a tool's output."""
        block = OwnedStore(self._store, request.owner).get(request.id.strip())
        if block is None:
            raise Problem("not-found", "no output with this id is kept for this owner; run the tool again")
        budget = _DEFAULT.budget if request.budget is None and request.query else request.budget
        wish = Wish(request.query or "", lines_of(request.range), budget)
        return {"text": expand_block(block, wish, self._packer())}

    def _made(self, threshold: int, shadow: bool) -> ToolTrimmer:
        return ToolTrimmer(
            store=None, packer=self._packer(), threshold=threshold, shadow=shadow, time_limit=self._time_limit
        )
