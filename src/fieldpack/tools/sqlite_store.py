"""A store in one SQLite file that only its owner can read: what was left out can be asked for after a restart."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from fieldpack import checks
from fieldpack.errors import InputError
from fieldpack.tools.store import StoredBlock

FILE_BYTES, FILE_AGE = 256 << 20, 7 * 24 * 3600.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  name TEXT PRIMARY KEY, written REAL NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_age ON entries (written);
"""


class SqliteStore:
    """Blocks and decisions in an SQLite file of mode 0600. Texts are compressed; what goes is overwritten.

    max_bytes: of the compressed texts; the oldest go first. max_age: seconds after which a block is gone. clock:
    seconds since 1970. Safe for threads and processes. Raises InputError for a file that is no store or that belongs to
    somebody else, SettingsError for a bound out of range.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        max_bytes: int = FILE_BYTES,
        max_age: float = FILE_AGE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        checks.whole("max_bytes", max_bytes, 1, 1 << 40)
        checks.number("max_age", max_age, 0, 1e10)
        self.path = Path(path)
        self._max_bytes, self._max_age, self._clock = max_bytes, max_age, clock
        self._lock = threading.Lock()
        _make_private(self.path)
        try:
            self._db = sqlite3.connect(self.path, timeout=5.0, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise InputError(f"{self.path} is no store ({error}); give another path, or delete it") from error

    def put(self, block: StoredBlock) -> bool:
        """Keeps a block; False when it is larger than the store."""
        head = json.dumps([block.kept, block.question]).encode("utf-8")
        body = zlib.compress(head + b"\n" + block.text.encode("utf-8", "surrogatepass"), 3)
        return self._write(f"block/{block.id}", body, replace=True)

    def get(self, block_id: str) -> StoredBlock | None:
        """The block, or None when it was never kept or is gone by size or age."""
        body = self._read(f"block/{block_id}")
        if body is None:
            return None
        head, _, text = zlib.decompress(body).partition(b"\n")
        kept, question = json.loads(head)
        return StoredBlock(block_id, text.decode("utf-8", "surrogatepass"), tuple((a, b) for a, b in kept), question)

    def decide(self, conversation: str, key: str, decision: str) -> str:
        """Keeps the decision, unless there is one; the one that stands."""
        self._write(f"decision/{conversation}/{key}", zlib.compress(decision.encode("utf-8", "surrogatepass")))
        known = self.decided(conversation, key)
        return decision if known is None else known

    def decided(self, conversation: str, key: str) -> str | None:
        """The decision of a block, or None."""
        body = self._read(f"decision/{conversation}/{key}")
        return None if body is None else zlib.decompress(body).decode("utf-8", "surrogatepass")

    def clear(self) -> None:
        """Forgets everything, and overwrites it in the file."""
        with self._transaction() as db:
            db.execute("DELETE FROM entries")

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._db.close()

    def _read(self, name: str) -> bytes | None:
        with self._lock:
            row = self._db.execute(
                "SELECT body FROM entries WHERE name = ? AND written >= ?", (name, self._clock() - self._max_age)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def _write(self, name: str, body: bytes, replace: bool = False) -> bool:
        if len(body) > self._max_bytes:
            return False
        verb = "REPLACE" if replace else "IGNORE"
        with self._transaction() as db:
            self._expire(db)
            db.execute(f"INSERT OR {verb} INTO entries VALUES (?, ?, ?, ?)", (name, self._clock(), len(body), body))
            self._bound(db)
        return True

    def _expire(self, db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM entries WHERE written < ?", (self._clock() - self._max_age,))

    def _bound(self, db: sqlite3.Connection) -> None:
        size = db.execute("SELECT TOTAL(size) FROM entries").fetchone()[0]
        while size > self._max_bytes:
            oldest = db.execute("SELECT name, size FROM entries ORDER BY written, name LIMIT 32").fetchall()
            for name, part in oldest:
                if size <= self._max_bytes:
                    break
                db.execute("DELETE FROM entries WHERE name = ?", (name,))
                size -= part

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _make_private(path: Path) -> None:
    """The file with mode 0600, made before SQLite opens it, so that no other user could open it in between."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))
        facts = os.stat(path)
        if not stat.S_ISREG(facts.st_mode):
            raise InputError(f"{path} is no file; give the path of one")
        if hasattr(os, "getuid") and facts.st_uid != os.getuid():
            raise InputError(f"{path} belongs to another user; give a path of your own")
        os.chmod(path, 0o600)
    except OSError as error:
        raise InputError(f"cannot open the store {path}: {error.strerror}; give a path that can be written") from error
