"""A conversation inside a token budget, for frameworks that keep the messages themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fieldpack.adapters._documents import pieces
from fieldpack.errors import BudgetError
from fieldpack.memory import ContextMemoryManager, Message, render
from fieldpack.memory.context import Draft, field
from fieldpack.memory.messages import exchanges, text_of
from fieldpack.pipeline import ContextPacker
from fieldpack.result import Result
from fieldpack.types import Document

_LEAST = 4
"""Tokens below which it is no use to pack a result of a tool."""
_TRIES = 4


def trimmed(
    messages: Sequence[Mapping[str, Any]], budget: int, packer: ContextPacker | None = None, recent: float = 0.5
) -> list[Message]:
    """Messages ({"role", "content", ...}) in at most `budget` tokens, as `memory.render` has them; the id of each is
    its number in `messages`.

    System messages, the last user message and the exchange after it that came last are kept always; then come earlier
    exchanges of this turn, the last turns (up to the share `recent` of what is left), and older turns that matter for
    the last user message. A tool call and its results stay together. When the last results do not fit, they are packed
    for the user's question. Raises BudgetError when what must stay does not fit.
    """
    memory = ContextMemoryManager(budget, packer, recent=recent)
    _fill(memory, messages)
    turns: Sequence[Message] = memory.messages
    together = [m for group in exchanges(turns) for m in group]
    whole = sorted(together, key=lambda m: int(m.id))
    count = memory.packer.tokenizer.count
    if not whole or count(render(whole)) <= budget:
        return whole
    draft = Draft(turns, "", budget, count)
    start = max((k for k, m in enumerate(turns) if m.role == "user"), default=None)
    query = ""
    if start is not None:
        query = turns[start].text
        turns = _take_turn(draft, turns, start, query, memory.packer)

    def recall(budget: int, taken: set[str]) -> Result | None:
        if not query.strip():
            return None
        return memory.recall(query, budget, exclude=taken | set(draft.inside))

    field(draft, turns, recall, recent)
    return draft.settled()


def _fill(memory: ContextMemoryManager, messages: Sequence[Mapping[str, Any]]) -> None:
    """Stores the messages under their numbers. A tool result whose call is not there is left out: no model takes it."""
    called: set[str] = set()
    for k, fields in enumerate(messages):
        m = Message(str(k), fields["role"], fields["content"], fields)
        if set(m.answers) <= called:
            memory.add_message(**{**fields, "id": str(k)})
            called.update(m.calls)


def _take_turn(
    draft: Draft, messages: Sequence[Message], start: int, query: str, packer: ContextPacker
) -> tuple[Message, ...]:
    """The user's message and what followed it, the latest first; gives the messages back, shortened ones replaced."""
    first, *rest = [g for g in exchanges(messages[start:]) if not g[0].system]
    if not draft.take(first):
        raise _too_long(draft, first, "the system messages and the last user message")
    for k, group in enumerate(reversed(rest)):
        if draft.take(group):
            continue
        if k == 0:
            group = _shortened(draft, group, query, packer)
            new = {m.id: m for m in group}
            messages = tuple(new.get(m.id, m) for m in messages)
        break
    return tuple(messages)


def _shortened(draft: Draft, group: list[Message], query: str, packer: ContextPacker) -> list[Message]:
    """The exchange with its results packed for the query, taken into the draft."""
    results = [Document(m.id, text_of(m.content)) for m in group if m.answers and _in_words(m)]
    bare = [replace(m, content="") if any(m.id == d.id for d in results) else m for m in group]
    room = draft.left - draft.count(render(bare)) - len(group)
    plain = replace(packer, cite=False, titles=False, order="source", allow_cut=True)
    for _ in range(_TRIES):
        if room < _LEAST or not results or not query.strip():
            break
        packed = plain.pack(query, results, room)
        said = {results[p.number].id: p.text for p in pieces(packed, draft.count)}
        trial = [replace(m, content=said.get(m.id, "")) if b is not m else m for m, b in zip(group, bare, strict=True)]
        trial = [replace(m, tokens=draft.count(render([m]))) for m in trial]
        if draft.take(trial):
            return trial
        room -= max(room // 8, 8)
    raise _too_long(draft, group, "the system messages, the last user message and the last tool call")


def _in_words(message: Message) -> bool:
    """Whether all that it says is text."""
    parts = message.content if isinstance(message.content, list) else [message.content]
    plain = all(isinstance(p, str) or (isinstance(p, Mapping) and p.get("type") == "text") for p in parts)
    return plain and bool(text_of(message.content).strip())


def _too_long(draft: Draft, group: Sequence[Message], what: str) -> BudgetError:
    needed = draft.count(render([*draft.messages(), *group]))
    return BudgetError(
        f"{what} need {needed} tokens and the budget is {draft.budget}; raise the budget or shorten them",
        needed,
        draft.budget,
    )
