"""What is done to one output: which of its texts are cut, to which part of the budget, and what is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fieldpack.errors import InputError
from fieldpack.pipeline import ContextPacker
from fieldpack.tools.calls import ToolCall
from fieldpack.tools.cut import Job, cut, tokens_of
from fieldpack.tools.deadline import Deadline, TimeLimitError
from fieldpack.tools.settings import TrimSettings
from fieldpack.tools.shapes import Shape
from fieldpack.tools.state import TrimState, block_id
from fieldpack.tools.store import Store, StoredBlock
from fieldpack.tools.trimmed import Part, Trimmed

_ROUNDS, _LEAST = 4, 16
"""Times that an output is cut shorter for what its JSON adds, and tokens of its text at least."""


@dataclass(frozen=True)
class Task:
    """One output with all that its cut depends on."""

    output: Any
    shape: Shape
    question: str
    call: ToolCall
    budget: int
    state: TrimState | None
    key: str


@dataclass(frozen=True)
class Outcome:
    """The parts of an output after the work, and its tokens before and after."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    before: int
    after: int

    @property
    def cut(self) -> bool:
        """Whether any part was."""
        return any(p.cut for p in self.parts)


@dataclass(frozen=True)
class Worker:
    """Does the work on one output after the other. store: where the rest of a text waits."""

    packer: ContextPacker
    settings: TrimSettings
    store: Store | None

    def decide(self, task: Task, deadline: Deadline) -> Outcome:
        """The parts of an output; runs in a thread of its own. What JSON adds around a text that is cut inside of it,
        and by its escapes, is inside the budget too."""
        outcome, budget = self._decided(task, deadline), task.budget
        for _ in range(_ROUNDS):
            written = task.shape.written(tuple(p.shown for p in outcome.parts)) if outcome.cut else None
            over = 0 if written is None else tokens_of(self.packer, written) - task.budget
            if over <= 0 or budget - over < _LEAST:
                break
            budget -= over + over // 4 + 2
            outcome = self._decided(replace(task, budget=max(_LEAST, budget)), deadline)
        return outcome

    def _decided(self, task: Task, deadline: Deadline) -> Outcome:
        texts = task.shape.texts
        tokens = [tokens_of(self.packer, t) for t in texts]
        total = sum(tokens)
        if total <= max(task.budget, self.settings.threshold):
            limit = "budget" if total <= task.budget else "threshold"
            return _unchanged(task, total, f"unchanged: {total} tokens are within the {limit}")
        parts, notes, after = [], [], 0
        for text, size, share in zip(texts, tokens, shares(tokens, task.budget), strict=True):
            part, shown = Part("", text, text), size
            if size > share:
                deadline.check()
                try:
                    part, shown = self._part(task, text, share, deadline)
                except InputError as error:
                    notes.append(why(error))
            if part.cut and (shown >= size or len(part.shown) >= len(text)):
                part, shown = Part("", text, text), size
                notes.append("unchanged: a cut with its notice would not be shorter")
            parts.append(part)
            after += shown
        if after > task.budget and any(p.cut for p in parts):
            notes.append(f"{after} tokens, over the budget of {task.budget}: what must stay needs them")
        return Outcome(tuple(parts), tuple(notes), total, after)

    def _part(self, task: Task, text: str, budget: int, deadline: Deadline) -> tuple[Part, int]:
        """One text, cut, and its tokens; its rest stored where there is a store."""
        store = self._store(task)
        name = block_id(text, task.question, budget)
        handle = f"{self.settings.handle} id={name}" if store is not None else ""
        job = Job(
            question=task.question,
            call=task.call,
            budget=budget,
            handle=handle,
            screen=self.settings.screen,
            on_stage=deadline.check,
        )
        done = cut(text, job, self.packer)
        deadline.check()
        if store is not None and not self.settings.shadow:
            block = StoredBlock(name, text, done.kept, task.question)
            if not store.put(block):  # larger than the store: promise nothing
                done = cut(text, replace(job, handle=""), self.packer)
        part = Part(
            id=name,
            text=text,
            shown=done.text,
            kept=done.kept,
            counts=done.counts,
            notice=done.notice,
            form=done.form,
        )
        return part, done.tokens

    def _store(self, task: Task) -> Store | None:
        return self.store if self.store is not None or task.state is None else task.state.store


@dataclass
class Attempt:
    """One call of `trim`, around the work that may run in a thread or an event loop. trimmed: where nothing is to do.
    As a context it keeps the error of the work; asyncio's CancelledError is none, and passes."""

    worker: Worker
    start: float
    task: Task | None
    trimmed: Trimmed | None = None
    outcome: Outcome | None = None
    error: Exception | None = None

    def work(self, deadline: Deadline) -> Outcome:
        """The parts of the output."""
        assert self.task is not None
        return self.worker.decide(self.task, deadline)

    def __enter__(self) -> Attempt:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None


def _unchanged(task: Task, total: int, note: str) -> Outcome:
    return Outcome(tuple(Part("", t, t) for t in task.shape.texts), (note,), total, total)


def why(error: BaseException) -> str:
    """Why an output went out unchanged, in a line."""
    if isinstance(error, TimeLimitError):
        return "unchanged: the time limit was over"
    return f"unchanged: {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def shares(tokens: list[int], budget: int) -> list[int]:
    """The budget of each text: small ones what they have, the others the same part of what is left."""
    out = [0] * len(tokens)
    left, open_texts = budget, sorted(range(len(tokens)), key=lambda i: tokens[i])
    for place, i in enumerate(open_texts):
        out[i] = min(tokens[i], left // (len(tokens) - place))
        left -= out[i]
    return out
