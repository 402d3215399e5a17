"""Tasks: one query each, with documents, a budget and pins. Lines of JSON, each checked by the worker that packs it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from fieldpack.errors import InputError, MissingExtraError
from fieldpack.request import Pin, Scores
from fieldpack.types import Document

KEYS = ("id", "query", "documents", "budget", "pins", "scores", "enough")
_DOCUMENT_KEYS = ("id", "text", "title", "metadata", "score")
Source = str | Path | Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Task:
    """One pack to make. query None: without one. documents None: those of the index that all tasks share. budget None:
    the one of the call."""

    query: str | list[str | tuple[str, float]] | None
    documents: list[str | Document] | None
    budget: int | None
    pins: list[Pin] = field(default_factory=list)
    scores: Scores | None = None
    enough: float | None = None


class Lines:
    """The lines of a source, which can be gone through again; `count` of them, `sha` over their bytes.

    Of a file of JSON Lines (also .gz) or Parquet one block is in memory at a time; other tasks are kept as JSON.
    Raises InputError for a file that cannot be read and for what is no list of tasks.
    """

    def __init__(self, source: Source) -> None:
        self._path = Path(source) if isinstance(source, str | Path) else None
        self._kept: list[bytes] = []
        if not isinstance(source, str | Path):
            if isinstance(source, Mapping | bytes) or not isinstance(source, Iterable):
                raise InputError(f"tasks is a {type(source).__name__}; give a file, or an iterable of dicts")
            self._kept = [line_of(task) for task in source]
        digest, self.count = hashlib.sha256(), 0
        for line in self:
            digest.update(line + b"\n")
            self.count += 1
        self.sha = digest.hexdigest()
        if not self.count:
            raise InputError(f"no tasks in {self._path or 'what was given'}; give one JSON object a line")

    def __iter__(self) -> Iterator[bytes]:
        if self._path is None:
            yield from self._kept
            return
        try:
            yield from _parquet(self._path) if self._path.suffix == ".parquet" else _lines(self._path)
        except (OSError, EOFError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise InputError(f"cannot read tasks from {self._path}: {why}") from error

    def blocks(self, size: int, wanted: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """(k, lines [k * size, (k + 1) * size) joined) for the wanted k."""
        left, block, k = set(wanted), [], 0
        for line in self:
            block.append(line)
            if len(block) == size:
                if k in left:
                    yield k, b"\n".join(block)
                block, k = [], k + 1
        if block and k in left:
            yield k, b"\n".join(block)


def line_of(task: Any) -> bytes:
    """A task as a line of JSON. What JSON cannot hold becomes a task that says so when it is done."""
    try:
        text = json.dumps(task, ensure_ascii=False, default=_to_json)
    except (TypeError, ValueError, RecursionError) as error:
        name = task.get("id") if isinstance(task, Mapping) else None
        name = name if isinstance(name, str | int) else None
        text = json.dumps({"id": name, "not JSON": str(error)}, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace")  # a lone surrogate as JSON's own escape


def _to_json(value: Any) -> Any:
    if isinstance(value, Document):
        out = {"id": value.id, "text": value.text, "title": value.title, "metadata": dict(value.metadata)}
        return out if value.score is None else out | {"score": value.score}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} is no JSON")


def read(line: bytes) -> tuple[str | int | None, Task | InputError]:
    """The id of a task as far as it can be read, and the task or what is wrong with it."""
    try:
        row = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        return None, InputError(f"the task is no JSON: {error}")
    if not isinstance(row, dict):
        return None, InputError(f"the task is a {type(row).__name__}; give an object with the keys {', '.join(KEYS)}")
    value = row.get("id")
    name = value if isinstance(value, str | int) and not isinstance(value, bool) else None
    try:
        if name is None and value is not None:
            raise InputError(f"the id is {str(value)[:80]!r}; give a string or a whole number")
        return name, _task(row)
    except InputError as error:
        return name, error


def _task(row: Mapping[str, Any]) -> Task:
    if unknown := [key for key in row if key not in KEYS]:
        raise InputError(f"the task has the key {unknown[0]!r}; allowed: {', '.join(KEYS)}")
    query = row.get("query")  # none, or null: what is most salient
    if isinstance(query, list):
        query = [tuple(q) if isinstance(q, list) else q for q in query]
    documents = row.get("documents")
    if documents is not None and not isinstance(documents, list):
        raise InputError(f"documents is a {type(documents).__name__}; give a list of texts or of objects with a text")
    listed = None if documents is None else [document_of(i, d) for i, d in enumerate(documents)]
    pins = row.get("pins") or []
    if not isinstance(pins, list):
        raise InputError(f"pins is a {type(pins).__name__}; give a list of ids or of [id, start, end]")
    listed_pins = [_pin(p) for p in pins]
    return Task(
        query=query,
        documents=listed,
        budget=row.get("budget"),
        pins=listed_pins,
        scores=_scores(row.get("scores")),
        enough=row.get("enough"),
    )


def document_of(number: int, row: Any) -> str | Document:
    """A text, or {"text", "id", "title", "metadata"}, of which the text is needed. Without an id: doc-NUMBER."""
    if isinstance(row, str):
        return row
    if not isinstance(row, Mapping):
        raise InputError(f"document {number} is a {type(row).__name__}; give a text or an object with a text")
    if unknown := [key for key in row if key not in _DOCUMENT_KEYS]:
        raise InputError(f"document {number} has the key {unknown[0]!r}; allowed: {', '.join(_DOCUMENT_KEYS)}")
    if not isinstance(row.get("text"), str):
        raise InputError(f"document {number} has no text")
    name = row.get("id")
    name = f"doc-{number}" if name is None else str(name) if isinstance(name, int) else name
    return Document(name, row["text"], row.get("title") or "", row.get("metadata") or {}, row.get("score"))


def _pin(pin: Any) -> Pin:
    if isinstance(pin, Mapping):
        pin = [pin.get(key) for key in ("id", "start", "end")]
    return tuple(pin) if isinstance(pin, list) else pin


def _scores(scores: Any) -> Any:
    """Numbers in order, {id: number}, or a list of {"id", "score"}, {"id", "start", "end", "score"}."""
    if not isinstance(scores, list) or not any(isinstance(s, Mapping) for s in scores):
        return scores
    if not all(isinstance(s, Mapping) and {"id", "score"} <= set(s) <= {"id", "start", "end", "score"} for s in scores):
        raise InputError('scores holds what is no score; give {"id", "score"}, or {"id", "start", "end", "score"}')
    whole = [set(s) == {"id", "score"} for s in scores]
    return {s["id"] if w else _pin(s): s["score"] for s, w in zip(scores, whole, strict=True)}


def _lines(path: Path) -> Iterator[bytes]:
    packed = path.name.endswith(".gz")
    with path.open("rb") as raw:
        file: IO[bytes] = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw
        for line in file:
            if stripped := line.strip():
                yield stripped


def _parquet(path: Path) -> Iterator[bytes]:
    try:
        import pyarrow.parquet as parquet  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ModuleNotFoundError:
        raise MissingExtraError("pyarrow", "ray") from None
    import pyarrow as pa  # type: ignore[import-not-found,import-untyped,unused-ignore]

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    # A column that a row does not use is null there.
                    yield line_of({key: value for key, value in row.items() if value is not None})
    except pa.ArrowException as error:
        raise InputError(f"{path} is no Parquet file: {error}") from error
