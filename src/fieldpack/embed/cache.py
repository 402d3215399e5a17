"""Vectors kept between runs in one SQLite file, for many threads and processes.

A row is found by (model fingerprint, dims, sha256 of the text) and carries a checksum over all of these and its
numbers: what does not match is deleted and embedded again, so a damaged file costs time and never gives a wrong vector.
Trouble with the file (locked, read-only, full, corrupt) is logged once and the work goes on without the cache.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from fieldpack.checks import whole
from fieldpack.embed.cache_file import is_damage, is_passing, is_refusal, move_aside, open_file
from fieldpack.errors import InputError
from fieldpack.types import FloatArray

log = logging.getLogger(__name__)
T = TypeVar("T")

_CHUNK = 500
"""Keys per statement; SQLite built with its old default takes 999 parameters."""
_PAUSE = 30.0
"""Seconds without the cache after a lock or a full disk, before it is tried again."""
_KEEP = 0.9
"""Share of max_bytes that pruning goes down to, so that it does not run at every write."""


def key_of(text: str) -> bytes:
    """32 bytes, the sha256 of the text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class VectorCache:
    """A file of vectors, for several threads and processes. Raises InputError when `path` is a file of another kind;
    every other error is logged, and the work goes on without the cache.

    max_bytes: bound of its size, None for none; the vectors that were not read for the longest time go first. wait:
    seconds to wait for another process's lock. clock: the time that reads are marked with.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        max_bytes: int | None = None,
        wait: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if max_bytes is not None:
            whole("max_cache_bytes", max_bytes, 1, 1 << 62)
        if str(path) == ":memory:":
            raise InputError("cache=':memory:' would keep nothing between runs; give a file path, or None")
        self.path = Path(path).expanduser()
        self._max_bytes, self._wait, self._clock = max_bytes, wait, clock
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._pid, self._inode = os.getpid(), 0
        self._inherited: list[sqlite3.Connection] = []
        self._resume = {True: 0.0, False: 0.0}  # when writes (True) and reads may be tried again
        self._writable = True
        self._healed = False
        self._warned: set[str] = set()

    def get(self, space: str, dims: int, keys: Sequence[bytes]) -> dict[bytes, FloatArray]:
        """The known vectors among `keys`, each float32 (dims,), for the model with fingerprint `space`."""
        nothing: tuple[dict[bytes, FloatArray], list[int]] = ({}, [])
        known, bad = self._run(lambda db: _read(db, space, dims, keys), nothing)
        if bad:
            self._warn_once("checksum", f"{len(bad)} vectors did not match their checksum and are embedded again")
            self._run(lambda db: _delete(db, bad), None, writes=True)
        if known and self._max_bytes is not None:
            self._run(lambda db: _touch(db, space, dims, list(known), self._clock()), None, writes=True)
        return known

    def put(self, space: str, dims: int, keys: Sequence[bytes], rows: FloatArray) -> None:
        """Stores rows (n, dims) under their keys; one transaction, so that a kill leaves all of them or none."""
        if len(keys):
            self._run(lambda db: _write(db, space, keys, rows, now=self._clock()), None, writes=True)
        if self._max_bytes is not None:
            self._run(lambda db: _prune(db, self._max_bytes or 0), None, writes=True)

    def __len__(self) -> int:
        """Number of vectors in the file, of all models."""
        return self._run(lambda db: int(db.execute("SELECT count(*) FROM vectors").fetchone()[0]), 0)

    def close(self) -> None:
        """Closes the file; the next call opens it again."""
        with self._lock:
            self._drop()

    def _run(self, work: Callable[[sqlite3.Connection], T], otherwise: T, *, writes: bool = False) -> T:
        """work(connection), or `otherwise` when the file cannot be used; a second try once a damaged file was moved."""
        with self._lock:
            if time.monotonic() < max(self._resume[False], self._resume[writes]):
                return otherwise
            for _ in range(2):
                try:
                    db = self._open()
                    if writes and not self._writable:
                        return otherwise
                    return work(db)
                except (sqlite3.Error, OSError, UnicodeError) as error:
                    if not self._again(error, writes):
                        return otherwise
            return otherwise

    def _open(self) -> sqlite3.Connection:
        if self._pid != os.getpid():
            # After a fork the parent's connection must be neither used nor closed here.
            self._inherited += [self._connection] if self._connection else []
            self._connection, self._pid = None, os.getpid()
        if self._connection is None:
            self._inode = self.path.stat().st_ino if self.path.exists() else 0
            self._connection, self._writable = open_file(self.path, self._wait)
            if not self._writable:
                self._warn_once(
                    "read-only", "the file cannot be written: known vectors are used, new ones are not kept"
                )
        return self._connection

    def _again(self, error: sqlite3.Error | OSError | UnicodeError, writes: bool) -> bool:
        """Handles an error; True when the work should be tried once more."""
        if not is_passing(error):
            self._drop()
        if is_damage(error) and self._writable and not self._healed:
            self._healed = True
            return self._heal(error)
        pause, advice = _PAUSE, f"it is tried again in {_PAUSE:.0f} s"
        if is_refusal(error) or is_damage(error):
            pause, advice = float("inf"), "check the path, its rights and its disk"
        self._resume[writes] = time.monotonic() + pause
        without = "new vectors are not kept" if writes else "going on without the cache"
        self._warn_once(type(error).__name__ + str(error), f"{error}; {without} ({advice})")
        return False

    def _heal(self, error: Exception) -> bool:
        try:
            aside = move_aside(self.path, self._inode)
        except OSError as refusal:
            self._resume[False] = float("inf")
            self._warn_once(
                "corrupt", f"the file is damaged ({error}) and cannot be moved ({refusal}); going on without it"
            )
            return False
        if aside is not None:
            self._warn_once("corrupt", f"the file is damaged ({error}); it was moved to {aside} and a new one begun")
        return True

    def _drop(self) -> None:
        if self._connection is not None and self._pid == os.getpid():
            try:
                self._connection.close()
            except sqlite3.Error as error:
                log.debug("closing %s: %s", self.path, error)
        self._connection = None

    def _warn_once(self, kind: str, message: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            log.warning("vector cache %s: %s", self.path, message)


def _checksums(space: str, dims: int, keys: Sequence[bytes], blobs: Sequence[bytes]) -> Iterator[bytes]:
    """8 bytes a row, over the model, the width, the text's key and the numbers."""
    start = hashlib.blake2b(f"{dims}:{space}".encode(), digest_size=8)
    for key, blob in zip(keys, blobs, strict=True):
        digest = start.copy()
        digest.update(key)
        digest.update(blob)
        yield digest.digest()


def _chunks(keys: Sequence[bytes]) -> Iterator[tuple[str, Sequence[bytes]]]:
    """("?,?,?", keys) for statements with IN (...)."""
    for start in range(0, len(keys), _CHUNK):
        part = keys[start : start + _CHUNK]
        yield ",".join("?" * len(part)), part


def _space_id(db: sqlite3.Connection, space: str, dims: int) -> int | None:
    row = db.execute("SELECT id FROM spaces WHERE fingerprint = ? AND dims = ?", (space, dims)).fetchone()
    return None if row is None else int(row[0])


def _read(
    db: sqlite3.Connection, space: str, dims: int, keys: Sequence[bytes]
) -> tuple[dict[bytes, FloatArray], list[int]]:
    """Undamaged vectors by key, and the row ids of the damaged ones."""
    known: dict[bytes, FloatArray] = {}
    bad: list[int] = []
    number = _space_id(db, space, dims)
    if number is None:
        return known, bad
    for marks, part in _chunks(keys):
        query = f"SELECT id, key, vector, checksum FROM vectors WHERE space = ? AND key IN ({marks})"
        rows = db.execute(query, (number, *part)).fetchall()
        # Damage can put any type into any cell, so types are looked at before they are used.
        whole_rows = [r for r in rows if all(type(cell) is bytes for cell in r[1:]) and len(r[2]) == 4 * dims]
        sums = _checksums(space, dims, [r[1] for r in whole_rows], [r[2] for r in whole_rows])
        good = {r[0]: r for r, expected in zip(whole_rows, sums, strict=True) if r[3] == expected}
        known.update((r[1], np.frombuffer(r[2], "<f4")) for r in good.values())
        bad.extend(r[0] for r in rows if r[0] not in good)
    return known, bad


def _write(db: sqlite3.Connection, space: str, keys: Sequence[bytes], rows: FloatArray, *, now: float) -> None:
    dims = rows.shape[1]
    blobs = [row.tobytes() for row in np.ascontiguousarray(rows, "<f4")]
    with _transaction(db):
        db.execute("INSERT OR IGNORE INTO spaces (fingerprint, dims) VALUES (?, ?)", (space, dims))
        number = _space_id(db, space, dims)
        sums = _checksums(space, dims, keys, blobs)
        db.executemany(
            "INSERT OR REPLACE INTO vectors (space, key, vector, checksum, used) VALUES (?, ?, ?, ?, ?)",
            ((number, key, blob, checksum, now) for key, blob, checksum in zip(keys, blobs, sums, strict=True)),
        )


def _delete(db: sqlite3.Connection, ids: Sequence[int]) -> None:
    with _transaction(db):
        db.executemany("DELETE FROM vectors WHERE id = ?", ((i,) for i in ids))


def _touch(db: sqlite3.Connection, space: str, dims: int, keys: Sequence[bytes], now: float) -> None:
    number = _space_id(db, space, dims)
    with _transaction(db):
        for marks, part in _chunks(keys):
            db.execute(f"UPDATE vectors SET used = ? WHERE space = ? AND key IN ({marks})", (now, number, *part))


def _prune(db: sqlite3.Connection, max_bytes: int) -> None:
    """Deletes the longest unused vectors until the pages in use take at most _KEEP of `max_bytes`."""
    pages, free, page = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in _PAGES)
    size = (pages - free) * page
    if size <= max_bytes:
        return
    count = int(db.execute("SELECT count(*) FROM vectors").fetchone()[0])
    surplus = int(np.ceil(count * (1.0 - _KEEP * max_bytes / size)))
    with _transaction(db):
        oldest = "SELECT id FROM vectors ORDER BY used, id LIMIT ?"
        db.execute(f"DELETE FROM vectors WHERE id IN ({oldest})", (surplus,))
    db.execute("PRAGMA incremental_vacuum").fetchall()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


_PAGES = ("page_count", "freelist_count", "page_size")


class _transaction:
    """BEGIN IMMEDIATE ... COMMIT, or ROLLBACK. (sqlite3's own context manager begins deferred and can deadlock.)"""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._db.execute("COMMIT")
        elif self._db.in_transaction:
            self._db.execute("ROLLBACK")
