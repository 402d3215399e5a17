"""JSON and JSON Lines to documents: one per record, with the keys that data sets use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fieldpack.errors import InputError
from fieldpack.files.model import OnSkip
from fieldpack.types import Document

TEXT_KEYS = ("text", "content", "body", "page_content")
_TITLE_KEYS = ("title", "name", "headline")
_ID_KEYS = ("id", "_id", "doc_id", "docid", "key")
_LIST_KEYS = ("documents", "passages", "records", "data", "items")
_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Records:
    """The documents of a file of records. empty: (place, why) of each record that has a key for a text but no text."""

    documents: list[Document] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)


def record_documents(path: str, text: str) -> Records:
    """One document per record of JSON Lines, a JSON list of records or strings, {"documents": [...]}, or one record.

    The id is the record's own, else "path#number" counted from 1. Other keys go into the metadata. A JSON value none of
    whose records has a text (settings, a table of numbers) is one document: the JSON as it stands. Raises InputError
    with the line for bad JSON, with the record's number for a record without text.
    """
    lines = path.lower().endswith(_LINES)
    values = list(_lines(path, text)) if lines else list(enumerate(_whole(path, text), 1))
    if values and not any(_has_text(value) for _, value in values):
        return Records([Document(path, text, "", {"path": path, "kind": "jsonl" if lines else "json"})])
    place = "line" if lines else "record"
    records = Records()
    for number, value in values:
        key = _empty_key(value)
        if key is None:
            records.documents.append(_document(path, value, number, place))
        else:
            records.empty.append(_empty(f"{place} {number}", key))
    return records


def stream_records(lines: Iterable[str], name: str = "-", *, on_skip: OnSkip | None = None) -> Iterator[Document]:
    """The documents of JSON Lines one by one, as `record_documents` reads them, from an open file or standard input:
    only one line is in memory. `name` stands for the file in ids and messages; a record whose text is null is told to
    `on_skip(name, why)`. Raises InputError likewise, when the line is reached, and for any other record without text.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        value = parse(name, line, number - 1)
        key = _empty_key(value)
        if key is None:
            yield _document(name, value, number, "line")
        elif on_skip is not None:
            on_skip(name, _empty(f"line {number}", key))


def _lines(path: str, text: str) -> Iterator[tuple[int, Any]]:
    # Only "\n" ends a record: JSON strings may hold the other separators that splitlines() knows.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, parse(path, line, number - 1)


def _whole(path: str, text: str) -> list[Any]:
    value = parse(path, text, 0)
    if isinstance(value, Mapping) and not any(isinstance(value.get(k), str) for k in TEXT_KEYS):
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


def _has_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, Mapping) and any(key in value for key in TEXT_KEYS))


def _first_key(value: Mapping[str, Any], keys: tuple[str, ...], kinds: type | tuple[type, ...] = str) -> str | None:
    """The first of the keys under which a record has a value of some kinds."""
    for key in keys:
        if isinstance(value.get(key), kinds):
            return key
    return None


def _empty_key(value: Any) -> str | None:
    """The key of a record whose text is null."""
    if not isinstance(value, dict) or _first_key(value, TEXT_KEYS) is not None:
        return None
    return next((key for key in TEXT_KEYS if key in value and value[key] is None), None)


def _empty(place: str, key: str) -> str:
    return f"{place} has no text ({key!r} is null)"


def _document(path: str, value: Any, number: int, place: str) -> Document:
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, dict):
        raise InputError(
            f"{path} {place} {number}: found {type(value).__name__}; allowed: an object with a text, or a string"
        )
    key = _first_key(value, TEXT_KEYS)
    if key is None:
        keys = ", ".join(list(value)[:8]) or "none"
        raise InputError(f"{path} {place} {number}: no text (keys found: {keys}; allowed: {', '.join(TEXT_KEYS)})")
    title_key = _first_key(value, _TITLE_KEYS)
    id_key = _first_key(value, _ID_KEYS, (str, int))
    rest = {k: v for k, v in value.items() if k not in (key, title_key, id_key)}
    rest["path"], rest[place] = path, number
    return Document(
        str(value[id_key]) if id_key is not None else f"{path}#{number}",
        value[key],
        value[title_key] if title_key is not None else "",
        rest,
    )
