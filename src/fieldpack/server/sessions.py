"""Conversations kept between requests: bounded in number and memory, forgotten when idle, found by a random id.

Own code instead of cachetools.TTLCache: that cache counts time from insertion and drops the oldest entry when it is
full. Here time counts from the last use, a full store refuses the new session (429) and keeps the old ones, and a
session in use by a request is not dropped. On top of TTLCache these rules would take as many lines as they take alone.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fieldpack.pipeline import Index
from fieldpack.server.problems import Problem
from fieldpack.session import Session

_ID = re.compile(r"[A-Za-z0-9_-]{43}\Z")


@dataclass(eq=False)
class StoredSession:
    """A session and the documents it was opened with.

    size: bytes of memory that both hold. used: when it was last used, in seconds of the store's clock.
    """

    session: Session
    index: Index | None
    size: int
    used: float
    lock: threading.Lock = field(default_factory=threading.Lock)


class Sessions:
    """At most `limit` sessions that hold at most `size` bytes of memory together. Safe to share by threads.

    idle: seconds without a request after which a session is forgotten. clock: seconds, monotonic.
    """

    def __init__(self, limit: int, idle: float, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self.idle, self.size = limit, idle, size
        self._clock = clock
        self._stored: dict[str, StoredSession] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            self._forget_idle()
            return len(self._stored)

    def check_space(self, size: int) -> None:
        """Raises Problem "sessions-full" when a session that holds `size` bytes cannot be kept."""
        with self._lock:
            self._check_space(size)

    def _check_space(self, size: int) -> None:
        self._forget_idle()
        if len(self._stored) >= self.limit:
            detail = f"{self.limit} sessions are kept, and no more may be; delete one, or wait until one expires"
            raise Problem("sessions-full", detail, self._seconds_to_expiry())
        others = sum(s.size for s in self._stored.values())
        if others + size > self.size:
            detail = (
                f"this session would hold {size:,} bytes of memory, the others hold {others:,}, and all may hold "
                f"{self.size:,} together; send the documents with each turn instead"
            )
            raise Problem("sessions-full", detail, self._seconds_to_expiry())

    def add(self, session: Session, index: Index | None, size: int) -> str:
        """Keeps the session and returns its id: 256 random bits in 43 characters. Raises Problem "sessions-full"."""
        name = secrets.token_urlsafe(32)
        with self._lock:
            self._check_space(size)
            self._stored[name] = StoredSession(session, index, size, self._clock())
        return name

    @contextmanager
    def use(self, name: str) -> Iterator[StoredSession]:
        """The session, for this thread alone. Raises Problem "not-found", and "conflict" while it is in use."""
        stored = self._find(name)
        if not stored.lock.acquire(blocking=False):
            raise Problem("conflict", "another request works on this session; its turns go one after another", 1)
        try:
            yield stored
        finally:
            stored.used = self._clock()
            stored.lock.release()

    def delete(self, name: str) -> None:
        """Forgets the session. Raises Problem "not-found"."""
        with self._lock:
            if not _ID.match(name) or self._stored.pop(name, None) is None:
                raise _missing()

    def _find(self, name: str) -> StoredSession:
        with self._lock:
            self._forget_idle()
            stored = self._stored.get(name) if _ID.match(name) else None
            if stored is None:
                raise _missing()
            stored.used = self._clock()
            return stored

    def _forget_idle(self) -> None:
        oldest = self._clock() - self.idle
        for name in [n for n, s in self._stored.items() if s.used < oldest and not s.lock.locked()]:
            del self._stored[name]

    def _seconds_to_expiry(self) -> int:
        """Seconds (1 to 3600) until the session that was used longest ago expires."""
        oldest = min((s.used for s in self._stored.values()), default=self._clock())
        return max(1, min(3600, int(oldest + self.idle - self._clock()) + 1))


def _missing() -> Problem:
    return Problem("not-found", "there is no such session; it may have expired")
