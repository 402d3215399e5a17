"""Labelled data sets on disk, read into `Query` records.

`load(path)` takes a set in fieldpack's own JSONL schemas (see benchmarks/README.md), an official file of HotpotQA,
2WikiMultiHopQA, MuSiQue or SQuAD, or a BEIR folder; `discover(folder)` lists the sets of a folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fieldpack.bench import formats, kinds
from fieldpack.bench.dataset import Query, Span, evenly_spaced, records
from fieldpack.errors import InputError, UnknownNameError
from fieldpack.types import Document


def discover(folder: str | Path) -> dict[str, Path]:
    """{name: path} of the sets in `folder`: NAME.jsonl, NAME.queries.jsonl, NAME.conv.jsonl (each may end in .gz),
    official .json files and BEIR folders; and NAME.folder.queries.jsonl, NAME.toolout.jsonl there and in the folders in
    it. A path that is itself a set gives that one."""
    root = Path(folder)
    if not root.exists():
        raise InputError(f"no such file or folder: {root}; give a data set, or a folder of them, by --data")
    if root.is_file() or (root / "corpus.jsonl").is_file():
        return {_stem(root): root}
    sets = {}
    for path in sorted(root.iterdir()):
        if path.is_dir():
            if (path / "corpus.jsonl").is_file():
                sets[path.name] = path
            else:
                sets |= {_stem(p): p for p in sorted(path.iterdir()) if kinds.ending(p)}
        elif _is_set(path):
            sets[_stem(path)] = path
    if not sets:
        raise InputError(f"{root} holds no data set: expected *.jsonl[.gz], *.json or BEIR folders in it")
    return sets


def load(path: str | Path, limit: int | None = None) -> list[Query]:
    """The queries of a set in file order; `limit` takes that many, evenly spaced (neighbours often share a document).

    Raises InputError when the format is none of those known.
    """
    source = Path(path)
    if source.is_dir():
        return formats.beir(source, limit)
    if not source.is_file():
        raise InputError(f"no such data set: {source}")
    if kinds.ending(source):
        return evenly_spaced(kinds.load(source), limit)
    if ".queries." in source.name:
        return evenly_spaced(_pooled(source), limit)
    if source.name.endswith((".jsonl", ".jsonl.gz")):
        return evenly_spaced(_lines(source), limit)
    if source.name.endswith((".json", ".json.gz")):
        return evenly_spaced(formats.from_json(source), limit)
    raise InputError(f"{source.name}: unknown kind of file; expected .jsonl, .jsonl.gz, .json or a BEIR folder")


def load_named(folder: str | Path, name: str, limit: int | None = None) -> list[Query]:
    """The set `name` of `folder`."""
    sets = discover(folder)
    if name not in sets:
        raise UnknownNameError("data set", name, sets)
    return load(sets[name], limit)


def _lines(path: Path) -> list[Query]:
    out: list[Query] = []
    for row in records(path):
        out.append(formats.musique_row(row) if "paragraphs" in row else _query(row, _passages(row, path), path))
    if not out:
        raise InputError(f"{path.name}: no queries in it")
    return out


def _pooled(path: Path) -> list[Query]:
    """NAME.queries.jsonl and NAME.passages.jsonl of one folder: a query with `doc` has that document's passages."""
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
        return Query(
            id=str(row["id"]),
            query=row["query"],
            passages=passages,
            gold=gold,
            gold_spans=spans,
            answers=tuple(answers),
            mode=mode,
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"{path.name}: query {row.get('id')!r} needs id, query and gold; wrong: {error}") from None


def _is_set(path: Path) -> bool:
    name = path.name.removesuffix(".gz")
    if name.endswith((".passages.jsonl", ".folder.jsonl", ".topics.jsonl")):
        return False
    return name.endswith((".jsonl", ".json"))


def _stem(path: Path) -> str:
    name = path.name
    for ending in (".gz", ".jsonl", ".json", ".queries"):
        name = name.removesuffix(ending)
    return name
