"""JSON and JSON Lines to documents: one per record, with the keys that data sets use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fieldpack.errors import InputError
from fieldpack.types import Document

_TEXT_KEYS = ("text", "content", "body", "page_content")
_TITLE_KEYS = ("title", "name", "headline")
_ID_KEYS = ("id", "_id", "doc_id", "docid", "key")
_LIST_KEYS = ("documents", "passages", "records", "data", "items")


def record_documents(path: str, text: str) -> list[Document]:
    """One document per record of JSON Lines, a JSON list of records or strings, {"documents": [...]}, or one record.

    The id is the record's own, else "path#number" counted from 1. Other keys go into the metadata. Raises InputError
    with the line for bad JSON, with the record's number for a record without text.
    """
    lines = path.lower().endswith((".jsonl", ".ndjson"))
    found = _lines(path, text) if lines else enumerate(_whole(path, text), 1)
    place = "line" if lines else "record"
    return [_document(path, value, number, place) for number, value in found]


def stream_records(lines: Iterable[str], name: str = "-") -> Iterator[Document]:
    """The documents of JSON Lines one by one, as `record_documents` reads them, from an open file or standard input:
    only one line is in memory. `name` stands for the file in ids and messages. Raises InputError likewise, when the
    line is reached."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _document(name, parse(name, line, number - 1), number, "line")


def _lines(path: str, text: str) -> Iterator[tuple[int, Any]]:
    # Only "\n" ends a record: JSON strings may hold the other separators that splitlines() knows.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, parse(path, line, number - 1)


def _whole(path: str, text: str) -> list[Any]:
    value = parse(path, text, 0)
    if isinstance(value, Mapping) and not any(isinstance(value.get(k), str) for k in _TEXT_KEYS):
        value = next((value[k] for k in _LIST_KEYS if isinstance(value.get(k), list)), value)
    return value if isinstance(value, list) else [value]


def parse(path: str, text: str, lines_before: int) -> Any:
    """The value of a JSON text that starts after `lines_before` lines of its file; InputError says where it is bad."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno + lines_before}, column {error.colno}"
        raise InputError(f"{path} is not valid JSON: {error.msg} at {at}") from None
    except RecursionError:
        raise InputError(f"{path}: JSON nested too deeply to read (line {lines_before + 1})") from None
    except ValueError as error:  # a number with more digits than Python converts
        raise InputError(f"{path} is not usable JSON: {error} (line {lines_before + 1})") from None


def _document(path: str, value: Any, number: int, place: str) -> Document:
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, Mapping):
        raise InputError(
            f"{path} {place} {number}: found {type(value).__name__}; allowed: an object with a text, or a string"
        )
    key = next((k for k in _TEXT_KEYS if isinstance(value.get(k), str)), None)
    if key is None:
        keys = ", ".join(list(value)[:8]) or "none"
        raise InputError(f"{path} {place} {number}: no text (keys found: {keys}; allowed: {', '.join(_TEXT_KEYS)})")
    title_key = next((k for k in _TITLE_KEYS if isinstance(value.get(k), str)), None)
    id_key = next((k for k in _ID_KEYS if isinstance(value.get(k), str | int)), None)
    rest = {k: v for k, v in value.items() if k not in (key, title_key, id_key)}
    return Document(
        str(value[id_key]) if id_key is not None else f"{path}#{number}",
        value[key],
        value[title_key] if title_key is not None else "",
        {**rest, "path": path, place: number},
    )
