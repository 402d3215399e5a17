"""Rows on disk, one JSONL file per set and system, appended query by query: a killed run goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Shard:
    """The rows of one system on one set; `path` None keeps them in memory only."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: list[Row] = []
        if path is not None and path.is_file():
            self.rows = list(_readable(path))
            path.write_text("".join(json.dumps(r) + "\n" for r in self.rows), "utf-8")
        self._done = {(r["id"], r["at"]) for r in self.rows}

    def has(self, query: str, budget: str) -> bool:
        return (query, budget) in self._done

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows and flush them."""
        new = list(rows)
        self.rows.extend(new)
        self._done.update((r["id"], r["at"]) for r in new)
        if self.path is not None and new:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as f:
                f.write("".join(json.dumps(r) + "\n" for r in new))


def _readable(path: Path) -> Iterable[Row]:
    """A line that a kill cut short is dropped: its query is measured again."""
    for line in path.read_text("utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue
