"""Where what was left out waits to be asked for: in memory, bounded by size and age; `sqlite_store`: in a file."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from fieldpack import checks

MEMORY_BYTES, MEMORY_AGE = 64 << 20, 24 * 3600.0


@dataclass(frozen=True)
class StoredBlock:
    """One text of a tool's output. kept: the ranges that were shown. question: what it was cut for."""

    id: str
    text: str
    kept: tuple[tuple[int, int], ...]
    question: str = ""


@runtime_checkable
class Store(Protocol):
    """What keeps blocks and the decisions of conversations. Safe for threads."""

    def put(self, block: StoredBlock) -> bool:
        """Keeps a block; False when it is larger than the store."""
        ...

    def get(self, block_id: str) -> StoredBlock | None:
        """The block, or None when it was never kept or is gone by size or age."""
        ...

    def decide(self, conversation: str, key: str, decision: str) -> str:
        """Keeps the decision of a block, unless there is one; the one that stands."""
        ...

    def decided(self, conversation: str, key: str) -> str | None:
        """The decision of a block, or None."""
        ...


class MemoryStore:
    """Blocks and decisions of this process. max_bytes: of texts, four bytes a character; the oldest go first. max_age:
    seconds after which a block is gone. clock: seconds; for tests. Raises SettingsError for a bound out of range."""

    def __init__(
        self,
        max_bytes: int = MEMORY_BYTES,
        max_age: float = MEMORY_AGE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        checks.whole("max_bytes", max_bytes, 1, 1 << 40)
        checks.number("max_age", max_age, 0, 1e10)
        self._max_bytes, self._max_age, self._clock = max_bytes, max_age, clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, ...], tuple[float, int, Any]] = OrderedDict()
        self._bytes = 0

    def put(self, block: StoredBlock) -> bool:
        """Keeps a block; False when it is larger than the store."""
        return self._add(("block", block.id), block, 4 * len(block.text) + 200)

    def get(self, block_id: str) -> StoredBlock | None:
        """The block, or None."""
        entry = self._entry(("block", block_id))
        return entry if isinstance(entry, StoredBlock) else None

    def decide(self, conversation: str, key: str, decision: str) -> str:
        """Keeps the decision, unless there is one; the one that stands."""
        known = self.decided(conversation, key)
        if known is None:
            self._add(("decision", conversation, key), decision, 4 * len(decision) + 200)
        return decision if known is None else known

    def decided(self, conversation: str, key: str) -> str | None:
        """The decision of a block, or None."""
        entry = self._entry(("decision", conversation, key))
        return entry if isinstance(entry, str) else None

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def _entry(self, name: tuple[str, ...]) -> Any:
        with self._lock:
            self._expire()
            entry = self._entries.get(name)
            return None if entry is None else entry[2]

    def _add(self, name: tuple[str, ...], value: Any, size: int) -> bool:
        if size > self._max_bytes:
            return False
        with self._lock:
            if name in self._entries:
                self._bytes -= self._entries.pop(name)[1]
            self._entries[name] = (self._clock(), size, value)
            self._bytes += size
            self._expire()
            while self._bytes > self._max_bytes:
                self._bytes -= self._entries.popitem(last=False)[1][1]
        return True

    def _expire(self) -> None:
        oldest = self._clock() - self._max_age
        while self._entries:
            name, (written, size, _) = next(iter(self._entries.items()))
            if written >= oldest:
                break
            del self._entries[name]
            self._bytes -= size
