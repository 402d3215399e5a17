"""From a stored conversation to the messages of the next call, inside a token budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fieldpack.errors import BudgetError, InputError
from fieldpack.memory.messages import Message, exchanges, render
from fieldpack.result import Result

Count = Callable[[str], int]
Recall = Callable[[int, set[str]], Result | None]
Summarize = Callable[[str, int], str]

RECENT = 0.5
"""Share of what the system messages leave that recent turns may take, before older ones are recalled."""
KEYS = 0.25
"""Share that key facts may take."""
SUMMARY_KEEPS = 3
"""Messages that stay beside a summary (design text, 8.2)."""
SUMMARY_HEAD = "Summary of previous conversation: "
GAP = "\n…\n"
_LEAST = 16


_EXACT = 48
"""Times that a draft is counted as a whole before it goes by the sum of its messages alone."""


class Draft:
    """A context that grows by whole exchanges. While it grows the sum of its messages' own counts decides, and near the
    budget the count of the rendering; `settled` is what fits by the count of the rendering, always."""

    def __init__(self, messages: Sequence[Message], keys: str, budget: int, count: Count) -> None:
        self.order = {m.id: k for k, m in enumerate(messages)}
        self.budget, self.count = budget, count
        self.inside: dict[str, Message] = {m.id: m for m in messages if m.system}
        self.extra: list[Message] = []
        needed = self.tokens()
        if needed > budget:
            raise BudgetError(
                f"the system messages need {needed} tokens and the history budget is {budget}; raise the budget to "
                f"{needed} or more, or shorten them",
                needed,
                budget,
            )
        self._add_keys(keys, needed)
        self.taken: list[list[str]] = []
        self.exact = _EXACT
        self.fixed = self.used = self.tokens()

    def messages(self) -> list[Message]:
        """System messages first, then key facts or a summary, then the rest in the order of the conversation."""
        rows = sorted(self.inside.values(), key=lambda m: self.order[m.id])
        return [*(m for m in rows if m.system), *self.extra, *(m for m in rows if not m.system)]

    def tokens(self) -> int:
        return self.count(render(self.messages()))

    @property
    def left(self) -> int:
        return self.budget - self.tokens()

    def settled(self) -> list[Message]:
        """The messages, once what was taken last is given back until they fit."""
        while self.taken and self.tokens() > self.budget:
            for name in self.taken.pop():
                del self.inside[name]
        return self.messages()

    def take(self, group: Sequence[Message], limit: int | None = None) -> bool:
        """Adds an exchange if the whole then costs at most `limit` (default: the budget)."""
        most = self.budget if limit is None else limit
        new = [m for m in group if m.id not in self.inside]
        # A message's own count and a line break each: seldom too little, and too much by up to a token a message.
        needed = self.used + sum(m.tokens + 1 for m in new)
        close = needed - len(self.inside) - 2 <= most
        if needed > most and not (close and self.exact):
            return False
        self.inside.update((m.id, m) for m in new)
        if needed > most:
            self.exact -= 1
            needed = self.tokens()
        if needed > most:
            for m in new:
                del self.inside[m.id]
            return False
        self.used = needed
        self.taken.append([m.id for m in new])
        return True

    def put(self, content: str, role: str = "system") -> bool:
        """Adds a message that the memory wrote, after the system messages."""
        self.extra.append(Message(f"memory-{len(self.extra)}", role, content))
        if self.tokens() <= self.budget:
            return True
        self.extra.pop()
        return False

    def _add_keys(self, keys: str, before: int) -> None:
        """As many lines as a share of the budget holds, the latest first."""
        lines = keys.split("\n")
        room = int((self.budget - before) * KEYS)
        while len(lines) > 1:
            self.extra = [Message("memory-keys", "system", "\n".join(lines))]
            if self.tokens() - before <= room:
                return
            self.extra = []
            del lines[1]


def window(draft: Draft, messages: Sequence[Message], size: int | None) -> None:
    """The last exchanges that fit, at most `size` messages with the system messages counted (design text, 3.2.1)."""
    groups = [g for g in exchanges(messages) if not g[0].system]
    room = len(messages) if size is None else size - sum(m.system for m in messages)
    for group in reversed(groups):
        room -= len(group)
        if room < 0 or not draft.take(group):
            return


def recent(draft: Draft, messages: Sequence[Message], share: float, most: int | None = None) -> set[str]:
    """The last exchanges that fit a share of what is left, the very last if it fits at all; the ids taken."""
    groups = [g for g in exchanges(messages) if not g[0].system]
    limit = draft.fixed + int((draft.budget - draft.fixed) * share)
    taken: set[str] = set()
    for k, group in enumerate(reversed(groups)):
        if most is not None and len(taken) + len(group) > most:
            break
        if not draft.take(group, draft.budget if k == 0 else limit):
            break
        taken |= {m.id for m in group}
    return taken


def field(draft: Draft, messages: Sequence[Message], recall: Recall, share: float) -> Result | None:
    """System messages, recalled turns, recent turns. A long turn of which only some paragraphs matter is quoted; an
    exchange with tools stays whole."""
    taken = recent(draft, messages, share)
    if draft.left < _LEAST or len(taken) >= sum(not m.system for m in messages):
        return None
    result = recall(draft.left, taken)
    if result is None:
        return None
    groups = {m.id: g for g in exchanges(messages) for m in g}
    quotes: dict[str, list[str]] = {}
    score: dict[str, float] = {}
    for kept in result.kept:
        quotes.setdefault(kept.doc_id, []).append(kept.text)
        score[kept.doc_id] = max(score.get(kept.doc_id, 0.0), kept.score)
    for name in sorted(score, key=lambda i: (-score[i], draft.order[i])):
        group = groups.get(name, [])
        if not group or name in draft.inside:
            continue
        whole = len(group) > 1 or not isinstance(group[0].content, str)
        said = GAP.join(quotes[name])
        if not whole and len(said) + 2 < len(group[0].text.strip()):
            quoted = replace(group[0], content=said)
            group = [replace(quoted, tokens=draft.count(render([quoted])))]
        draft.take(group)
    return result


def summary(draft: Draft, messages: Sequence[Message], summarize: Summarize) -> None:
    """System messages, a summary of what is older, and the last messages (design text, 3.2.2)."""
    taken = recent(draft, messages, RECENT, SUMMARY_KEEPS)
    older = [m for g in exchanges(messages) for m in g if not m.system and m.id not in taken]
    room = draft.left
    if not older or room < _LEAST:
        return
    text = render(older)
    while room >= _LEAST:
        # The head and the joins cost tokens of their own: ask for less until the whole fits.
        room -= draft.count(f"system: {SUMMARY_HEAD}\n")
        said = summarize(text, max(room, 1))
        if not isinstance(said, str):
            raise InputError(f"the summarizer returned {type(said).__name__}; it must return a text")
        if not said.strip() or draft.put(SUMMARY_HEAD + said.strip()):
            return
