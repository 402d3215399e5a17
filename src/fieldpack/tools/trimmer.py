"""`ToolTrimmer`: settings, store and counters around `cut`. Whatever goes wrong, the output goes out unchanged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from fieldpack.errors import InputError, SettingsError
from fieldpack.pipeline import ContextPacker
from fieldpack.request import checked_budget
from fieldpack.telemetry import observed_sizes
from fieldpack.tools.calls import ToolCall
from fieldpack.tools.cut import tokens_of
from fieldpack.tools.deadline import Limited
from fieldpack.tools.handle import ExpandTool, Wish, expand_block, lines_of, stored
from fieldpack.tools.savings import Counters, Price, Savings, price_of
from fieldpack.tools.settings import TrimSettings
from fieldpack.tools.shapes import shape_of
from fieldpack.tools.state import Decision, TrimState, key_of
from fieldpack.tools.store import Store
from fieldpack.tools.stores import store_of
from fieldpack.tools.trimmed import Part, Trimmed
from fieldpack.tools.work import Attempt, Outcome, Task, Worker, why


class ToolTrimmer:
    """Trims the outputs of tools; one for a program or an agent. Safe for threads.

    store: where what was left out waits for `expand`: "memory" (64 MiB, a day; the default), the path of an SQLite file
    (256 MiB, seven days, mode 0600), a `Store`, or None: then notices name no id. packer: a ContextPacker; default one
    with the shipped model. price: a `Price`, or a table {model: Price} with `model`. settings: those of TrimSettings.

    Raises SettingsError or UnknownNameError for a setting out of range. `trim` and `atrim` raise nothing: they fail
    open.
    """

    def __init__(
        self,
        *,
        store: Any = "memory",
        packer: ContextPacker | None = None,
        price: Mapping[str, Any] | Price | None = None,
        model: str = "",
        **settings: Any,
    ) -> None:
        known = TrimSettings.__dataclass_fields__
        if unknown := [name for name in settings if name not in known]:
            raise SettingsError(f"unknown setting {unknown[0]!r}; known: {', '.join(known)}")
        self.settings = TrimSettings(**settings)
        self.store: Store | None = store_of(store)
        self.packer = packer if packer is not None else _default_packer()
        self.price = price_of(price, model)
        self.counters = Counters()
        self._worker = Worker(self.packer, self.settings, self.store)
        self._limited: Limited[Outcome] = Limited(self.settings.time_limit)

    def trim(
        self,
        output: Any,
        *,
        question: str,
        call: Any = None,
        budget: int | None = None,
        state: TrimState | None = None,
    ) -> Trimmed:
        """The output in the shape that it came in, with what answers the question.

        output: a text, a JSON value, content blocks of MCP, OpenAI or Anthropic. question: the last one of the user.
        call: what `ToolCall.of` takes. budget: tokens, default that of the settings. state: of the conversation
        (`state_of`): what it decided before stands.
        """
        with self._attempt(output, question, call, budget, state) as attempt:
            if attempt.task is not None:
                attempt.outcome = self._limited.run(attempt.work)
        return self._done(attempt)

    async def atrim(
        self,
        output: Any,
        *,
        question: str,
        call: Any = None,
        budget: int | None = None,
        state: TrimState | None = None,
    ) -> Trimmed:
        """`trim` for an event loop, which goes on meanwhile."""
        with self._attempt(output, question, call, budget, state) as attempt:
            if attempt.task is not None:
                attempt.outcome = await self._limited.arun(attempt.work)
        return self._done(attempt)

    def warm(self) -> ToolTrimmer:
        """Loads the model and the tokenizer now, which the first output would otherwise wait for; the trimmer."""
        self.packer.pack("warm", "A line to warm with.", 16)
        return self

    def state_of(self, conversation: str) -> TrimState:
        """The decisions of a conversation, kept in the store of this trimmer under its name."""
        return TrimState(self.store, conversation)

    def expand(self, id: str, query: str | None = None, range: Any = None, budget: int | None = None) -> str:
        """What was left out of the output with this id: all of it, what answers a query, or a range of lines
        ("120-180", from 1). budget: tokens at most; None for all, with a query that of the settings. Raises InputError
        for an id that is not there (any more) and for a range that is none."""
        self.counters.expanded()
        limit = self.settings.budget if budget is None and query else budget
        wish = Wish(query or "", lines_of(range), limit, self.settings.handle)
        return expand_block(stored(self.store, id), wish, self.packer)

    async def aexpand(self, id: str, query: str | None = None, range: Any = None, budget: int | None = None) -> str:
        """`expand` for an event loop."""
        return await asyncio.to_thread(self.expand, id, query, range, budget)

    def tool(self) -> ExpandTool:
        """`expand` as a tool for the agent; one answer holds at most twice the budget of the settings."""

        def find(id: str, query: str, range: Any) -> str:
            return self.expand(id, query, range, 2 * self.settings.budget)

        return ExpandTool(find, self.settings.handle)

    @property
    def savings(self) -> Savings:
        """What was saved until now."""
        return self.counters.sums()

    def _attempt(self, output: Any, question: str, call: Any, budget: Any, state: TrimState | None) -> Attempt:
        start = time.perf_counter()
        task = self._task(output, question, call, budget, state)
        if isinstance(task, Trimmed):
            return Attempt(self._worker, start, None, task)
        return Attempt(self._worker, start, task)

    def _task(self, output: Any, question: str, call: Any, budget: Any, state: TrimState | None) -> Task | Trimmed:
        """What there is to do; a Trimmed where that is nothing or cannot be read."""
        try:
            if not isinstance(question, str):
                raise InputError(f"question is a {type(question).__name__}; give a string")
            limit = self.settings.budget if budget is None else checked_budget(budget)
            shape, named = shape_of(output), ToolCall.of(call)
            named = replace(named, failed=shape.failed) if named.failed is None else named
            task = Task(
                output=output,
                shape=shape,
                question=question,
                call=named,
                budget=limit,
                state=state,
                key=key_of(named, shape.texts),
            )
            decision = state.decision(task.key) if state is not None and not self.settings.shadow else None
            return task if decision is None else self._replayed(task, decision)
        except Exception as error:
            return Trimmed(output=output, would=output, notes=(why(error),), failed=True)

    def _replayed(self, task: Task, decision: Decision) -> Trimmed:
        texts = task.shape.texts
        shown = decision.shown(texts)
        ids = iter(decision.ids)
        parts = tuple(
            Part(next(ids, "") if new != old else "", old, new) for new, old in zip(shown, texts, strict=True)
        )
        output = task.shape.put(shown)
        return Trimmed(
            output=output,
            would=output,
            parts=parts,
            notes=("decided in an earlier request", *decision.notes),
            tokens_before=decision.before,
            tokens_after=decision.after,
            cut=shown != texts,
            replayed=True,
            saved_cached=decision.before - decision.after,
        )

    def tokens(self, text: str) -> int:
        """The tokens of a text, by the packer's tokenizer; of a very long one an estimate."""
        return tokens_of(self.packer, text)

    def _settled(self, task: Task, outcome: Outcome) -> Trimmed:
        """The outcome, frozen where there is a state."""
        shown = tuple(p.shown for p in outcome.parts)
        try:
            would = task.shape.put(shown)
            standing = self._frozen(task, outcome)
        except Exception as error:
            return self._failed(task, error)
        if standing is not None and standing.shown(task.shape.texts) != shown:
            return self._replayed(task, standing)  # another thread was first
        shadow, changed = self.settings.shadow, any(p.cut for p in outcome.parts)
        return Trimmed(
            output=task.output if shadow or not changed else would,
            would=would if changed else task.output,
            parts=outcome.parts,
            notes=outcome.notes,
            tokens_before=outcome.before,
            tokens_after=outcome.after,
            estimated=any(len(p.text) > 96_000 for p in outcome.parts),
            cut=changed,
            shadow=shadow,
            saved=outcome.before - outcome.after,
        )

    def _frozen(self, task: Task, outcome: Outcome) -> Decision | None:
        """The decision that stands. What goes out is frozen too: when it comes again, it stays as it is."""
        state = task.state
        if state is None or self.settings.shadow:
            return None
        texts = tuple(p.shown if p.cut else None for p in outcome.parts)
        ids = tuple(p.id for p in outcome.parts if p.cut)
        standing = state.freeze(task.key, Decision(texts, outcome.before, outcome.after, ids, outcome.notes))
        if any(texts):
            again = key_of(task.call, tuple(p.shown for p in outcome.parts))
            state.freeze(again, Decision((None,) * len(texts), outcome.after, outcome.after))
        return standing

    def _failed(self, task: Task, error: Exception) -> Trimmed:
        """The output as it came. That is a decision too: a later request must send the same bytes."""
        texts, note = task.shape.texts, why(error)
        if task.state is not None and not self.settings.shadow:
            try:
                task.state.freeze(task.key, Decision((None,) * len(texts), 0, 0, (), (note,)))
            except Exception as broken:
                note = f"{note}; {why(broken)}"
        parts = tuple(Part("", t, t) for t in texts)
        return Trimmed(output=task.output, would=task.output, parts=parts, notes=(note,), failed=True)

    def _done(self, attempt: Attempt) -> Trimmed:
        """What came of an attempt, with its time and its price, counted, logged and traced."""
        trimmed, task = attempt.trimmed, attempt.task
        if trimmed is None and task is not None:
            outcome, error = attempt.outcome, attempt.error
            trimmed = self._settled(task, outcome) if outcome is not None else self._failed(task, error or Exception())
        assert trimmed is not None  # an attempt has one of the two
        milliseconds = (time.perf_counter() - attempt.start) * 1000
        price = self.price
        money = None if price is None else price.of(trimmed.saved, trimmed.saved_cached)
        trimmed = replace(trimmed, milliseconds=milliseconds, money=money)
        self.counters.add(trimmed)
        observed_sizes("fieldpack.trim", trimmed.attributes(), milliseconds, trimmed.notes)
        return trimmed


@lru_cache(maxsize=1)
def _default_packer() -> ContextPacker:
    return ContextPacker()


def trim(
    output: Any,
    *,
    question: str,
    call: Any = None,
    budget: int | None = None,
    state: TrimState | None = None,
    **settings: Any,
) -> Trimmed:
    """`ToolTrimmer.trim` once. Nothing is stored unless `state` has a store; then the notice names an id."""
    return ToolTrimmer(store=None, **settings).trim(output, question=question, call=call, budget=budget, state=state)


async def atrim(
    output: Any,
    *,
    question: str,
    call: Any = None,
    budget: int | None = None,
    state: TrimState | None = None,
    **settings: Any,
) -> Trimmed:
    """`trim` for an event loop."""
    trimmer = ToolTrimmer(store=None, **settings)
    return await trimmer.atrim(output, question=question, call=call, budget=budget, state=state)
