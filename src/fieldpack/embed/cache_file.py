"""Opening the cache's SQLite file: whether it is ours and can be written, and how its errors are sorted."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from fieldpack.errors import InputError

APPLICATION = 0x66706B76
"""SQLite's application_id of our files ("fpkv")."""
SCHEMA = 1
_MAGIC = b"SQLite format 3\0"
_OURS = (".sqlite", ".sqlite3", ".db", ".cache")
_TABLES = """
CREATE TABLE spaces (
    id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, dims INTEGER NOT NULL, UNIQUE (fingerprint, dims)
);
CREATE TABLE vectors (
    id INTEGER PRIMARY KEY, space INTEGER NOT NULL, key BLOB NOT NULL, vector BLOB NOT NULL, checksum BLOB NOT NULL,
    used REAL NOT NULL, UNIQUE (space, key)
);
CREATE INDEX vectors_used ON vectors (used);
"""


def open_file(path: Path, wait: float) -> tuple[sqlite3.Connection, bool]:
    """The connection, and whether it can write. Makes the file when there is none.

    wait: seconds to wait for a lock. Raises InputError for a file of another kind, else sqlite3.Error or OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _refuse_others(path)
    deadline = time.monotonic() + wait
    while True:
        try:
            return _open_to_write(path, wait), True
        except sqlite3.OperationalError as error:
            # Switching to WAL needs the file alone for a moment and does not always wait for it.
            if code_of(error) == sqlite3.SQLITE_BUSY and time.monotonic() < deadline:
                time.sleep(0.02)
            elif code_of(error) in _CANNOT_WRITE and path.exists():
                return _open_to_read(path, wait), False
            else:
                raise


def _refuse_others(path: Path) -> None:
    """A damaged cache is moved aside later; a file that is no cache must not be."""
    if path.is_dir():
        raise InputError(
            f"cache is the folder {str(path)!r}; give a file in it, such as {str(path / 'vectors.sqlite')!r}"
        )
    if path.suffix.lower() in _OURS or not path.is_file():
        return
    with path.open("rb") as f:
        head = f.read(len(_MAGIC))
    if head and head != _MAGIC:
        raise InputError(
            f"cache {str(path)!r} exists and is no SQLite file; give another path (names in {', '.join(_OURS)} are "
            "taken for damaged caches and replaced)"
        )


def _open_to_write(path: Path, wait: float) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)
    db.text_factory = bytes
    try:
        if not _is_ready(db, path):
            # Before anything is written, and only then: on a file in use it would wait for the writer.
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL").fetchall()
        # In WAL mode NORMAL loses nothing when a process is killed; a power cut may undo the last transactions.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA journal_size_limit = 16777216").fetchall()
        if not _is_ready(db, path):
            db.execute("BEGIN IMMEDIATE")
            if not _is_ready(db, path):
                for statement in filter(str.strip, _TABLES.split(";")):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION}")
                db.execute(f"PRAGMA user_version = {SCHEMA}")
            db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def _is_ready(db: sqlite3.Connection, path: Path) -> bool:
    """True when our tables are there, False for an empty file; InputError for another program's or version's."""
    tables = int(db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if tables == 0:
        return False
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        raise InputError(f"cache {str(path)!r} is an SQLite file of another program; give another path")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA:
        raise sqlite3.NotSupportedError(
            f"its schema is version {version}, this fieldpack knows {SCHEMA}; use another file for this version"
        )
    return True


def _open_to_read(path: Path, wait: float) -> sqlite3.Connection:
    """Read-only; as an unchanging file when not even the helper files of WAL can be made beside it."""
    for mode in ("mode=ro", "immutable=1"):
        db = sqlite3.connect(
            f"{path.resolve().as_uri()}?{mode}", uri=True, timeout=wait, isolation_level=None, check_same_thread=False
        )
        db.text_factory = bytes
        try:
            if not _is_ready(db, path):
                raise sqlite3.OperationalError("the file is empty and cannot be written")
            return db
        except sqlite3.OperationalError as error:
            db.close()
            last = error
    raise last


def code_of(error: BaseException) -> int:
    """SQLite's primary result code, 0 when there is none."""
    code = getattr(error, "sqlite_errorcode", None)
    return int(code) & 0xFF if code is not None else 0


_CANNOT_WRITE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


def is_damage(error: BaseException) -> bool:
    """The file's content is broken (SQLITE_ERROR: a table that should be there is not)."""
    # A broken schema can make an error message that is no UTF-8.
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
    return isinstance(error, UnicodeError) or code_of(error) in codes


def is_passing(error: BaseException) -> bool:
    """Another process's lock, or a disk that is full now: the connection stays usable."""
    return code_of(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)


def is_refusal(error: BaseException) -> bool:
    """An error that waiting does not mend: rights, paths, another version."""
    return isinstance(error, OSError | sqlite3.NotSupportedError) or code_of(error) in _CANNOT_WRITE


def move_aside(path: Path, inode: int) -> Path | None:
    """Renames a damaged file to <name>.corrupt-<k> with its log. None when another process did so already."""
    try:
        if inode and path.stat().st_ino != inode:
            return None
        k = 1
        while (aside := path.with_name(f"{path.name}.corrupt-{k}")).exists():
            k += 1
        os.replace(path, aside)
    except FileNotFoundError:
        return None
    for helper in ("-wal", "-shm"):
        beside = path.with_name(path.name + helper)
        beside.unlink(missing_ok=True)
    return aside
