"""Labelled-evidence data sets, read into one record: `Query`.

`load(path)` takes a set in fieldpack's own JSONL schema (see benchmarks/README.md), an official file of HotpotQA,
2WikiMultiHopQA, MuSiQue or SQuAD, or a BEIR folder; `discover(folder)` lists the sets of a folder.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from fieldpack.errors import InputError, UnknownNameError
from fieldpack.types import Document

T = TypeVar("T")
MODES = ("all", "any", "none", "topical")


class Span(NamedTuple):
    """Characters [start, end) of the passage `doc_id`."""

    doc_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Query:
    """One question with its candidates and the evidence among them.

    `gold` are passage ids, `gold_spans` the evidence inside them (the whole passage where a set has no spans).
    `mode`: all (every gold is needed), any (one is enough), none (no evidence exists), topical (many are relevant).
    `answers` are strings to look for; empty where the set's answers are no spans of its passages.
    """

    id: str
    query: str
    passages: tuple[Document, ...]
    gold: tuple[str, ...]
    gold_spans: tuple[Span, ...]
    answers: tuple[str, ...]
    mode: str = "all"

    def __post_init__(self) -> None:
        ids = {p.id for p in self.passages}
        if len(ids) != len(self.passages):
            raise InputError(f"query {self.id!r}: passage ids must be unique")
        if missing := [g for g in self.gold if g not in ids]:
            raise InputError(f"query {self.id!r}: gold {missing[0]!r} is not among its {len(ids)} passages")
        if self.mode not in MODES:
            raise InputError(f"query {self.id!r}: mode is {self.mode!r}; it must be one of {', '.join(MODES)}")

    def evidence(self) -> tuple[Span, ...]:
        """The labelled spans, and whole passages for gold that has none."""
        labelled = {s.doc_id for s in self.gold_spans}
        bare = (Span(p.id, 0, len(p.text)) for p in self.passages if p.id in self.gold and p.id not in labelled)
        return (*self.gold_spans, *bare)


def discover(folder: str | Path) -> dict[str, Path]:
    """{name: path} of the sets in `folder`: NAME.jsonl, NAME.queries.jsonl (each may end in .gz), official .json files
    and BEIR folders. A path that is itself a set gives that one."""
    root = Path(folder)
    if not root.exists():
        raise InputError(f"no such file or folder: {root}; give a data set, or a folder of them, by --data")
    if root.is_file() or (root / "corpus.jsonl").is_file():
        return {_stem(root): root}
    found = {}
    for path in sorted(root.iterdir()):
        if path.is_dir():
            if (path / "corpus.jsonl").is_file():
                found[path.name] = path
        elif _is_set(path):
            found[_stem(path)] = path
    if not found:
        raise InputError(f"{root} holds no data set: expected *.jsonl[.gz], *.json or BEIR folders in it")
    return found


def load(path: str | Path, limit: int | None = None) -> list[Query]:
    """The queries of a set in file order; `limit` takes that many, spread evenly (neighbours often share a document).

    Raises InputError when the format is none of those known.
    """
    from fieldpack.bench import official

    source = Path(path)
    if source.is_dir():
        return official.beir(source, limit)
    if not source.is_file():
        raise InputError(f"no such data set: {source}")
    if ".queries." in source.name:
        return spread(_pooled(source), limit)
    if source.name.endswith((".jsonl", ".jsonl.gz")):
        return spread(_lines(source), limit)
    if source.name.endswith((".json", ".json.gz")):
        return spread(official.from_json(source), limit)
    raise InputError(f"{source.name}: unknown kind of file; expected .jsonl, .jsonl.gz, .json or a BEIR folder")


def load_named(folder: str | Path, name: str, limit: int | None = None) -> list[Query]:
    """The set `name` of `folder`."""
    sets = discover(folder)
    if name not in sets:
        raise UnknownNameError("data set", name, sets)
    return load(sets[name], limit)


def spread(items: Sequence[T], limit: int | None) -> list[T]:
    """`limit` of the items at even distances, the first among them; all of them when there are no more."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[i * len(items) // limit] for i in range(limit)]


def about_the_same(cases: Iterable[Query], most: int, least: int) -> list[list[Query]]:
    """Consecutive queries with the same candidates, at most `most` together; fewer than `least` are left out."""
    pools: dict[tuple[str, ...], list[Query]] = {}
    for case in cases:
        pools.setdefault(tuple(p.id for p in case.passages), []).append(case)
    parts = [found[i : i + most] for found in pools.values() for i in range(0, len(found), most)]
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


def _lines(path: Path) -> list[Query]:
    from fieldpack.bench import official

    out: list[Query] = []
    for row in records(path):
        out.append(official.musique_row(row) if "paragraphs" in row else _query(row, _passages(row, path), path))
    if not out:
        raise InputError(f"{path.name}: no queries in it")
    return out


def _pooled(path: Path) -> list[Query]:
    """NAME.queries.jsonl beside NAME.passages.jsonl: a query with `doc` has that document's passages as candidates."""
    pool_path = path.with_name(path.name.replace(".queries.", ".passages."))
    if not pool_path.is_file():
        raise InputError(f"{path.name} needs {pool_path.name} beside it")
    by_doc: dict[str | None, list[Document]] = {}
    everything: list[Document] = []
    for row in records(pool_path):
        passage = _passage(row, pool_path)
        by_doc.setdefault(row.get("doc"), []).append(passage)
        everything.append(passage)
    pools, pool = {doc: tuple(passages) for doc, passages in by_doc.items()}, tuple(everything)
    out: list[Query] = []
    for row in records(path):
        if "doc" in row and row["doc"] not in pools:
            raise InputError(f"{path.name}: query {row.get('id')!r} has doc {row['doc']!r}, which no passage has")
        out.append(_query(row, pools[row["doc"]] if "doc" in row else pool, path))
    return out


def _passages(row: Mapping[str, Any], path: Path) -> tuple[Document, ...]:
    if not isinstance(row.get("passages"), list):
        raise InputError(
            f"{path.name}: query {row.get('id')!r} has neither a list `passages` nor MuSiQue's `paragraphs`; "
            f"found keys: {', '.join(row)}"
        )
    return tuple(_passage(p, path) for p in row["passages"])


def _passage(row: Mapping[str, Any], path: Path) -> Document:
    try:
        extra = {k: row[k] for k in ("doc", "pos") if row.get(k) is not None}
        return Document(str(row["id"]), row["text"], row.get("title") or "", extra)
    except (KeyError, TypeError):
        raise InputError(f"{path.name}: a passage needs `id` and `text`; found {str(row)[:80]}") from None


def _query(row: Mapping[str, Any], passages: tuple[Document, ...], path: Path) -> Query:
    try:
        spans = tuple(Span(str(s["pid"]), int(s["start"]), int(s["end"])) for s in row.get("gold_spans") or ())
        # answers of another type than spans of the text (summaries, labels) are no strings to look for
        answers = row.get("answers") or () if row.get("answer_type", "excerpts") == "excerpts" else ()
        gold, mode = tuple(map(str, row["gold"])), row.get("mode") or "all"
        return Query(str(row["id"]), row["query"], passages, gold, spans, tuple(answers), mode)
    except (KeyError, TypeError) as error:
        raise InputError(f"{path.name}: query {row.get('id')!r} needs id, query and gold; wrong: {error}") from None


def _is_set(path: Path) -> bool:
    name = path.name.removesuffix(".gz")
    if name.endswith((".passages.jsonl", ".conv.jsonl", ".topics.jsonl")):
        return False
    return name.endswith((".jsonl", ".json"))


def _stem(path: Path) -> str:
    name = path.name
    for ending in (".gz", ".jsonl", ".json", ".queries"):
        name = name.removesuffix(ending)
    return name
