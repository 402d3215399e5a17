"""What was decided in a conversation: the same block goes out as the same bytes in every later request."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fieldpack.errors import InputError
from fieldpack.tools.calls import ToolCall
from fieldpack.tools.store import Store


@dataclass(frozen=True)
class Decision:
    """How one block went out. texts: its texts afterwards, None for one that went out as it came. tokens: before, and
    after. ids: of the stored texts."""

    texts: tuple[str | None, ...]
    before: int
    after: int
    ids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def shown(self, texts: Sequence[str]) -> tuple[str, ...]:
        """The texts as they went out. Raises ValueError when they are not as many."""
        return tuple(old if new is None else new for new, old in zip(self.texts, texts, strict=True))

    def to_json(self) -> str:
        """For a store."""
        return json.dumps(asdict(self), ensure_ascii=True)

    @staticmethod
    def from_json(text: str) -> Decision:
        """What `to_json` gave. Raises ValueError, KeyError or TypeError for anything else."""
        d = json.loads(text)
        return Decision(tuple(d["texts"]), int(d["before"]), int(d["after"]), tuple(d["ids"]), tuple(d["notes"]))


class TrimState:
    """The decisions of one conversation. store: where they are also kept, with the texts that were cut, so that a
    restart finds them. conversation: its name there. Safe for threads; `to_dict` and `from_dict` carry it elsewhere.

    A block is known by its call (id, name, arguments) and its texts. A decision stands: another question or budget
    changes only blocks that have none.
    """

    def __init__(self, store: Store | None = None, conversation: str = "") -> None:
        self.store, self.conversation = store, conversation
        self._lock = threading.Lock()
        self._decisions: dict[str, Decision] = {}

    def __len__(self) -> int:
        return len(self._decisions)

    def decision(self, key: str) -> Decision | None:
        """How the block went out, or None."""
        with self._lock:
            known = self._decisions.get(key)
        if known is None and self.store is not None and self.conversation:
            stored = self.store.decided(self.conversation, key)
            if stored is not None:
                known = Decision.from_json(stored)
                with self._lock:
                    known = self._decisions.setdefault(key, known)
        return known

    def freeze(self, key: str, decision: Decision) -> Decision:
        """Keeps the decision of a block, unless there is one; the one that stands."""
        if self.store is not None and self.conversation:
            decision = Decision.from_json(self.store.decide(self.conversation, key, decision.to_json()))
        with self._lock:
            return self._decisions.setdefault(key, decision)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        with self._lock:
            return {
                "conversation": self.conversation,
                "decisions": {k: json.loads(d.to_json()) for k, d in self._decisions.items()},
            }

    @staticmethod
    def from_dict(parsed: Mapping[str, Any], store: Store | None = None) -> TrimState:
        """What `to_dict` gave. Raises InputError for anything else."""
        try:
            state = TrimState(store, str(parsed["conversation"]))
            for key, decision in parsed["decisions"].items():
                state._decisions[str(key)] = Decision.from_json(json.dumps(decision))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError("this is no state of a conversation; give what `TrimState.to_dict` gave") from error
        return state


class DecisionState(TrimState):
    """A conversation of which the decisions are kept and the texts are not: its notices name no id."""

    def __init__(self, decisions: Store, conversation: str) -> None:
        super().__init__(None, conversation)
        self._decided_in = decisions

    def decision(self, key: str) -> Decision | None:
        """How the block went out, or None."""
        known = self._decided_in.decided(self.conversation, key)
        return None if known is None else Decision.from_json(known)

    def freeze(self, key: str, decision: Decision) -> Decision:
        """Keeps the decision of a block, unless there is one; the one that stands."""
        return Decision.from_json(self._decided_in.decide(self.conversation, key, decision.to_json()))


def key_of(call: ToolCall, texts: Sequence[str]) -> str:
    """What a block is known by: 64 hexadecimal digits."""
    head = json.dumps([call.id, call.name, call.arguments], sort_keys=True, default=str)
    digest = hashlib.sha256(head.encode("utf-8", "surrogatepass"))
    for text in texts:
        digest.update(b"\0" + text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def block_id(text: str, question: str, budget: int) -> str:
    """The id of a text that was cut, the same whenever it is cut for the same question and budget."""
    content = "\0".join((text, question, str(budget)))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:10]
