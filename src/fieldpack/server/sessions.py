"""Conversations kept between requests: bounded in number and size, forgotten when idle, found by an unguessable id."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fieldpack.index import Index
from fieldpack.server.problems import Problem
from fieldpack.session import Session

_ID = re.compile(r"[A-Za-z0-9_-]{43}\Z")


@dataclass(eq=False)
class Kept:
    """A session, the documents it was opened with, and when it was last used (monotonic seconds)."""

    session: Session
    index: Index | None
    size: int
    used: float
    lock: threading.Lock = field(default_factory=threading.Lock)


class Sessions:
    """At most `limit` sessions, holding documents of `size` bytes at most together. Safe to share by threads."""

    def __init__(self, limit: int, idle: float, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self.idle, self.size = limit, idle, size
        self._clock = clock
        self._kept: dict[str, Kept] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            self._forget_idle()
            return len(self._kept)

    def check_room(self, size: int) -> None:
        """Raises Problem sessions-full when there is none: said before the documents are read."""
        with self._lock:
            self._forget_idle()
            if len(self._kept) >= self.limit:
                detail = f"{self.limit} sessions are kept, which is all that may; delete one, or wait until one expires"
                raise Problem("sessions-full", detail, self._wait())
            if sum(k.size for k in self._kept.values()) + size > self.size:
                detail = (
                    f"the documents of all sessions may have {self.size:,} bytes together; send them with each turn"
                )
                raise Problem("sessions-full", detail, self._wait())

    def add(self, session: Session, index: Index | None, size: int) -> str:
        """The id of the session: 256 random bits."""
        self.check_room(size)
        name = secrets.token_urlsafe(32)
        with self._lock:
            self._kept[name] = Kept(session, index, size, self._clock())
        return name

    @contextmanager
    def use(self, name: str) -> Iterator[Kept]:
        """The session, for this thread alone. Raises Problem not-found, or conflict when another request has it."""
        kept = self._find(name)
        if not kept.lock.acquire(blocking=False):
            raise Problem("conflict", "another request works on this session; its turns go one after another", 1)
        try:
            yield kept
        finally:
            kept.used = self._clock()
            kept.lock.release()

    def delete(self, name: str) -> None:
        with self._lock:
            if not _ID.match(name) or self._kept.pop(name, None) is None:
                raise _missing()

    def _find(self, name: str) -> Kept:
        with self._lock:
            self._forget_idle()
            kept = self._kept.get(name) if _ID.match(name) else None
            if kept is None:
                raise _missing()
            kept.used = self._clock()
            return kept

    def _forget_idle(self) -> None:
        late = self._clock() - self.idle
        for name in [n for n, k in self._kept.items() if k.used < late and not k.lock.locked()]:
            del self._kept[name]

    def _wait(self) -> int:
        oldest = min((k.used for k in self._kept.values()), default=self._clock())
        return max(1, min(3600, int(oldest + self.idle - self._clock()) + 1))


def _missing() -> Problem:
    return Problem("not-found", "there is no such session; it may have expired")
