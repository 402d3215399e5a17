"""Labelled queries with their candidates and evidence, and how files of them are read and sampled."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from fieldpack.errors import InputError
from fieldpack.types import Document

T = TypeVar("T")
MODES = ("all", "any", "none", "topical")
PASSAGES, TALK, FOLDER, TOOL = "passages", "talk", "folder", "tool"
KINDS = (PASSAGES, TALK, FOLDER, TOOL)
"""Candidates of a question, turns of a conversation, whole files of a folder, one output of a tool."""


class Span(NamedTuple):
    """Characters [start, end) of the passage `doc_id`."""

    doc_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FactPattern:
    """What a packed text must say: all of `patterns` (regular expressions) occur in it. With `keys` and a `window`,
    each occurs with all the keys (plain strings) at most `window` characters away, as the cells of one row do."""

    patterns: tuple[str, ...]
    keys: tuple[str, ...] = ()
    window: int = 0

    def __post_init__(self) -> None:
        for pattern in self.patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise InputError(f"fact {pattern!r} is no regular expression: {error}") from None

    def holds(self, text: str) -> bool:
        """Whether the text says it."""
        return all(any(self._keyed(text, m) for m in re.finditer(p, text)) for p in self.patterns)

    def _keyed(self, text: str, match: re.Match[str]) -> bool:
        if not (self.keys and self.window):
            return True
        around = text[max(0, match.start() - self.window) : match.end() + self.window]
        return all(key in around for key in self.keys)


@dataclass(frozen=True, slots=True)
class Query:
    """One question with its candidates and the evidence among them.

    `gold` are passage ids, `gold_spans` the evidence inside them (the whole passage where a set has no spans).
    `mode`: all (every gold is needed), any (one is enough), none (no evidence exists), topical (many are relevant).
    `answers` are strings to look for; empty where the set's answers are no spans of its passages.
    `kind`: one of KINDS. `category`: the set's own name for questions of this sort. `groups`: parts of the evidence
    that are all needed, each a tuple of alternatives (folders). `needs`: what a reader needs to read the evidence, such
    as the header of a row (tool outputs). `facts`: what the packed text must say.
    """

    id: str
    query: str
    passages: tuple[Document, ...]
    gold: tuple[str, ...]
    gold_spans: tuple[Span, ...]
    answers: tuple[str, ...]
    mode: str = "all"
    kind: str = PASSAGES
    category: str = ""
    groups: tuple[tuple[Span, ...], ...] = ()
    needs: tuple[Span, ...] = ()
    facts: tuple[FactPattern, ...] = ()

    def __post_init__(self) -> None:
        ids = {p.id for p in self.passages}
        if len(ids) != len(self.passages):
            raise InputError(f"query {self.id!r}: passage ids must be unique")
        if missing := [g for g in self.gold if g not in ids]:
            raise InputError(f"query {self.id!r}: gold {missing[0]!r} is not among its {len(ids)} passages")
        if self.mode not in MODES:
            raise InputError(f"query {self.id!r}: mode is {self.mode!r}; it must be one of {', '.join(MODES)}")
        if self.kind not in KINDS:
            raise InputError(f"query {self.id!r}: kind is {self.kind!r}; it must be one of {', '.join(KINDS)}")

    @staticmethod
    def without_evidence(name: str, query: str, passages: tuple[Document, ...]) -> Query:
        """A question that its passages do not answer (mode none)."""
        return Query(id=name, query=query, passages=passages, gold=(), gold_spans=(), answers=(), mode="none")

    def evidence(self) -> tuple[Span, ...]:
        """The labelled spans, and whole passages for gold that has none."""
        labelled = {s.doc_id for s in self.gold_spans}
        bare = (Span(p.id, 0, len(p.text)) for p in self.passages if p.id in self.gold and p.id not in labelled)
        return (*self.gold_spans, *bare)


def evenly_spaced(items: Sequence[T], limit: int | None) -> list[T]:
    """`limit` of the items at even distances, the first among them; all of them when there are no more."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[i * len(items) // limit] for i in range(limit)]


def same_pool(cases: Iterable[Query], most: int, least: int) -> list[list[Query]]:
    """Consecutive queries with the same candidates, at most `most` together; fewer than `least` are left out."""
    pools: dict[tuple[str, ...], list[Query]] = {}
    for case in cases:
        pools.setdefault(tuple(p.id for p in case.passages), []).append(case)
    parts = [pool[i : i + most] for pool in pools.values() for i in range(0, len(pool), most)]
    return [part for part in parts if len(part) >= least]


def open_text(path: Path) -> Iterator[str]:
    """The lines of a plain or gzipped UTF-8 file."""
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as f:
        yield from f


def records(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a JSONL file; a line that is none is an InputError naming file and line."""
    for number, line in enumerate(open_text(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path.name}, line {number}: not JSON ({error.msg})") from None
        if not isinstance(row, dict):
            raise InputError(f"{path.name}, line {number}: expected an object, found {type(row).__name__}")
        yield row
