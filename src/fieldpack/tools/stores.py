"""From what a caller names to a store."""

from __future__ import annotations

from typing import Any

from fieldpack.errors import SettingsError
from fieldpack.tools.sqlite_store import SqliteStore
from fieldpack.tools.store import MemoryStore, Store


def store_of(store: Any) -> Store | None:
    """ "memory", a path of an SQLite file, an object that is a Store, or None for no store. Raises SettingsError."""
    if store is None or isinstance(store, Store):
        return store
    if store == "memory":
        return MemoryStore()
    if isinstance(store, str) or hasattr(store, "__fspath__"):
        return SqliteStore(store)
    raise SettingsError(f"store is a {type(store).__name__}; give 'memory', the path of a file, a Store or None")
