"""ContextMemoryManager: a conversation of any length behind a history budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fieldpack import storage as store
from fieldpack.checks import choice, number, whole
from fieldpack.errors import InputError
from fieldpack.memory import context, keys
from fieldpack.memory.messages import Message, checked, exchanges, render
from fieldpack.memory.turns import Turns
from fieldpack.pipeline import ContextPacker
from fieldpack.request import Queries, Request, checked_budget
from fieldpack.summary import summary
from fieldpack.text.tokens import check_text
from fieldpack.types import Document

if TYPE_CHECKING:
    from fieldpack.budget import TokenBudgetPlanner
    from fieldpack.field.state import FieldState
    from fieldpack.result import Result

Strategy = Literal["field", "window", "summary"]
STRATEGIES: tuple[Strategy, ...] = ("field", "window", "summary")
KIND, VERSION = "memory", 1
SUMMARY_PROMPT = (
    "Summarize the following conversation history concisely, preserving key information, decisions, and context:"
)
EXTRACTION_PROMPT = "Extract key facts and information from this message as key-value pairs:"
_AFTER_EVICTION = 0.9
_MOST = 1 << 62
"""Messages or tokens that a bound may name."""


class ContextMemoryManager:
    """Messages in, the messages of the next call out, inside the history budget.

    history_budget: tokens, or a TokenBudgetPlanner (its section "history"; what a context takes is reported to it).
    packer: what recalls old turns; by default whole turns under their speakers' names, by static vectors and words.
    summarizer: any function from a prompt to a text; without one, summaries are the most central sentences, verbatim.
    strategy: of get_context: "field" (system, recalled turns, recent turns), "window", "summary". recent: share in
        [0, 1] of the budget that recent turns take under "field". window_size: messages of a window at most.
    extract: whether key facts are taken from every message.
    max_messages, max_tokens: bounds of what is stored; when one is passed the oldest exchanges go (never system
        messages) until nine tenths are left, and `evicted` counts them.

    Tokens are counted on `fieldpack.memory.render`: "role: content" lines. Not safe to share by threads.
    """

    def __init__(
        self,
        history_budget: int | TokenBudgetPlanner = 1000,
        packer: ContextPacker | None = None,
        summarizer: Callable[[str], str] | None = None,
        *,
        strategy: Strategy = "field",
        recent: float = context.RECENT,
        window_size: int | None = None,
        extract: bool = False,
        max_messages: int | None = None,
        max_tokens: int | None = None,
    ) -> None:
        _checked_settings(
            strategy, recent, {"window_size": window_size, "max_messages": max_messages, "max_tokens": max_tokens}
        )
        self._budget = history_budget if hasattr(history_budget, "get_budget") else checked_budget(history_budget)
        self.packer = packer or ContextPacker(unit="paragraph", titles=True)
        self.summarizer = summarizer
        self.strategy, self.recent, self.window_size, self.extract = strategy, recent, window_size, extract
        self.max_messages, self.max_tokens = max_messages, max_tokens
        self.memory: dict[str, str] = {}
        self.evicted = 0
        self._messages: list[Message] = []
        self._ids: set[str] = set()
        self._calls: set[str] = set()
        self._stored = self._made = self._unread = 0
        self._turns = Turns(self.packer)

    @property
    def history_budget(self) -> int:
        """Tokens that a context may take."""
        return self._budget if isinstance(self._budget, int) else int(self._budget.get_budget("history"))

    @property
    def messages(self) -> tuple[Message, ...]:
        """What is stored, in order."""
        return tuple(self._messages)

    def __len__(self) -> int:
        return len(self._messages)

    def add_message(self, role: str, content: Any = None, id: str | None = None, **fields: Any) -> str:
        """Stores a message and returns its id ("m1", "m2", ... when none is given). Costs this message alone.

        fields: name or speaker, time, session, tool_calls, tool_call_id, metadata ... Those of `to_dict` go to a model;
        speaker, time and session help recall. Raises InputError for an id twice, a tool result without its call, and
        text that is no valid Unicode.
        """
        checked(role, content, fields)
        message = Message(self._named(id), role, content, dict(fields))
        if lost := [i for i in message.answers if i not in self._calls]:
            raise InputError(f"the tool result for {lost[0]!r} has no call in the memory; add the call first")
        check_text([Document(message.id, message.text)])
        message = _counted(message, self.packer)
        self._messages.append(message)
        self._ids.add(message.id)
        self._calls.update(message.calls)
        self._stored += message.tokens
        if not message.system:
            self.memory.update(keys.stated(fields))
            if self.extract:
                self.extract_key_information(message)
        self._bound()
        return message.id

    def add_messages(self, messages: Iterable[Mapping[str, Any]]) -> list[str]:
        """Stores messages as a model's interface has them ({"role", "content", ...}); their ids."""
        return [self.add_message(**{"role": "", **m}) for m in messages]

    def recall(
        self,
        query: Queries | None,
        budget: int = 1000,
        *,
        state: FieldState | None = None,
        exclude: Iterable[str] = (),
    ) -> Result:
        """The old turns that matter for `query`, or without one (None) the most salient, in reading order:
        kept[i].doc_id is the id of a message.

        System messages, the ids of `exclude` and a last message that is the query itself stay out. Turns are read once;
        a second recall reads only what was added. Raises InputError for a blank query.
        """
        request = Request.checked(query, budget)
        self._turns.read([m for m in self._messages[self._unread :] if not m.system])
        self._unread = len(self._messages)
        closed = set(exclude)
        if self._messages and self._messages[-1].text.strip() in (q.strip() for q in request.queries):
            closed.add(self._messages[-1].id)
        return self._turns.pack(request, closed, state)

    def get_context(
        self, query: str | None = None, *, strategy: Strategy | None = None, budget: int | None = None
    ) -> list[dict[str, Any]]:
        """The messages for the next call, at most `budget` tokens (default: the history budget) as `render` has them.

        query: what old turns are recalled for; by default the last user message. A last message that does not fit is
        quoted under "field" and left out otherwise. Raises BudgetError when the system messages alone do not fit.
        """
        kind = strategy or self.strategy
        _checked_settings(kind, self.recent, {})
        limit = self.history_budget if budget is None else checked_budget(budget)
        draft = context.Draft(self._messages, self.get_formatted_memory(), limit, self.packer.tokenizer.count)
        if kind == "window":
            context.window(draft, self._messages, self.window_size)
        elif kind == "summary":
            context.summary(draft, self._messages, self._summarize)
        else:
            asked = query or next((m.text for m in reversed(self._messages) if m.role == "user"), "")
            context.field(draft, self._messages, lambda room, out: self._recalled(asked, room, out), self.recent)
        chosen = draft.settled()
        if not isinstance(self._budget, int):
            self._budget.track_usage("history", draft.tokens())
        return [m.to_dict() for m in chosen]

    def compress_history(self, strategy: Strategy = "summary") -> int:
        """Replaces what is stored by what `strategy` makes of it inside the history budget; the tokens it now takes.
        What is left out is gone. Nothing changes while the history fits."""
        if self.tokens() <= self.history_budget:
            return self.tokens()
        draft = context.Draft(self._messages, "", self.history_budget, self.packer.tokenizer.count)
        if strategy == "window":
            context.window(draft, self._messages, self.window_size)
        elif strategy == "summary":
            context.summary(draft, self._messages, self._summarize)
        else:
            raise InputError(f"strategy is {strategy!r}; history is compressed by 'summary' or 'window'")
        made = {m.id for m in draft.extra}
        kept = []
        for m in draft.settled():
            if m.id in made:
                m = Message(self._named(None), m.role, m.content, m.fields, summary=True)
            kept.append(_counted(m, self.packer))
        self._replace(kept)
        return self.tokens()

    def extract_key_information(self, message: Message | Mapping[str, Any] | str) -> dict[str, str]:
        """Key facts of a message, stored in `memory` and returned: by patterns, or by the summarizer when there is one
        (asked for key: value lines, as the design text has it)."""
        if isinstance(message, Mapping):
            message = Message("", str(message.get("role", "")), message.get("content"), dict(message))
        text = message if isinstance(message, str) else message.text
        found = {} if isinstance(message, str) else keys.stated(message.fields)
        if self.summarizer is not None:
            found |= keys.pairs(self.summarizer(f"{EXTRACTION_PROMPT}\n\n{text}"))
        else:
            found = keys.key_facts(text) | found
        for key, value in found.items():
            self.memory.pop(key, None)  # the latest stands last
            self.memory[key] = value
        return found

    def get_formatted_memory(self) -> str:
        """The key facts as a text, "" when there are none."""
        return keys.formatted(self.memory)

    def tokens(self) -> int:
        """Tokens of all that is stored, counted on its rendering."""
        return self.packer.tokenizer.count(render(self._messages)) if self._messages else 0

    def save(self, folder: str | Path) -> None:
        """Writes memory.json and messages.jsonl. Raises InputError for fields that JSON cannot hold."""
        facts = {
            "tokenizer": self.packer.tokenizer.name,
            "history_budget": self.history_budget,
            "settings": {
                "strategy": self.strategy,
                "recent": self.recent,
                "window_size": self.window_size,
                "extract": self.extract,
                "max_messages": self.max_messages,
                "max_tokens": self.max_tokens,
            },
            "memory": self.memory,
            "evicted": self.evicted,
            "made": self._made,
        }
        files = {"messages.jsonl": store.lines([m.to_row() for m in self._messages])}
        store.save(folder, KIND, VERSION, facts=facts, files=files, arrays={})

    @staticmethod
    def load(
        folder: str | Path,
        packer: ContextPacker | None = None,
        summarizer: Callable[[str], str] | None = None,
        history_budget: int | TokenBudgetPlanner | None = None,
    ) -> ContextMemoryManager:
        """The memory saved in the folder; its turns are read again at the first recall. Raises InputError when files
        are missing, cut short or changed, or of another version."""
        place = Path(folder)
        head = store.load(place, KIND, VERSION)
        try:
            budget = head["history_budget"] if history_budget is None else history_budget
            out = ContextMemoryManager(budget, packer, summarizer, **head["settings"])
            out.memory = {str(k): str(v) for k, v in head["memory"].items()}
            out.evicted, out._made = int(head["evicted"]), int(head["made"])
            rows = store.read_lines(place / "messages.jsonl")
            same = head["tokenizer"] == out.packer.tokenizer.name
            out._replace(
                [Message.from_row(row) if same else _counted(Message.from_row(row), out.packer) for row in rows]
            )
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise store.damaged(place, KIND, str(e)) from e
        return out

    def _recalled(self, query: str, budget: int, exclude: set[str]) -> Result | None:
        speaks = any(m.text.strip() and not m.system for m in self._messages)
        return self.recall(query, budget, exclude=exclude) if query.strip() and speaks else None

    def _summarize(self, text: str, budget: int) -> str:
        said = self.summarizer(f"{SUMMARY_PROMPT}\n\n{text}") if self.summarizer is not None else text
        if isinstance(said, str) and self.packer.tokenizer.count(said) > budget:
            return summary(self.packer, said, budget)
        return said

    def _named(self, id: str | None) -> str:
        if id is None:
            while True:
                self._made += 1
                if f"m{self._made}" not in self._ids:
                    return f"m{self._made}"
        if not isinstance(id, str) or not id:
            raise InputError(f"id is {id!r}; give a string that is not empty")
        if id in self._ids:
            raise InputError(f"{id!r} is the id of a message in the memory; ids must be unique")
        return id

    def _bound(self) -> None:
        """Evicts the oldest exchanges when a bound is passed, a tenth at once so that it stays rare."""
        most, weight = self.max_messages or len(self._messages), self.max_tokens or self._stored
        if len(self._messages) <= most and self._stored <= weight:
            return
        count, tokens = len(self._messages), self._stored
        gone: set[str] = set()
        open_calls = {i for m in self._messages for i in m.calls} - {i for m in self._messages for i in m.answers}
        groups = exchanges([m for m in self._messages if not set(m.calls) & open_calls])
        for group in groups[:-1]:
            if count <= most * _AFTER_EVICTION and tokens <= weight * _AFTER_EVICTION:
                break
            if not group[0].system:
                gone |= {m.id for m in group}
                count, tokens = count - len(group), tokens - sum(m.tokens for m in group)
        self.evicted += len(gone)
        self._replace([m for m in self._messages if m.id not in gone])

    def _replace(self, messages: Sequence[Message]) -> None:
        self._messages = list(messages)
        self._ids = {m.id for m in messages}
        self._calls = {i for m in messages for i in m.calls}
        self._stored = sum(m.tokens for m in messages)
        self._unread = 0
        self._turns.clear()


def _counted(message: Message, packer: ContextPacker) -> Message:
    return replace(message, tokens=packer.tokenizer.count(render([message])))


def _checked_settings(strategy: str, recent: float, counts: Mapping[str, int | None]) -> None:
    choice("strategy", strategy, STRATEGIES)
    number("recent", recent, 0, 1)
    for name, value in counts.items():
        if value is not None:
            whole(name, value, 1, _MOST)
