"""Data sets that are no lists of passages: conversations, folders of files, outputs of tools; benchmarks/README.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldpack.bench.dataset import FOLDER, TALK, TOOL, FactPattern, Query, Span, records
from fieldpack.errors import InputError
from fieldpack.types import Document

CONVERSATIONS, FOLDERS, TOOLS = ".conv.jsonl", ".folder.queries.jsonl", ".toolout.jsonl"
ENDINGS = (CONVERSATIONS, FOLDERS, TOOLS)
ABOUT_ANOTHER = "adversarial"
"""LoCoMo's questions about the wrong speaker: the turns that they name are no evidence."""
REACH = {"csv": 400, "md_table": 400, "html_table": 900, "sql_box": 400, "json_array": 1500}
"""Characters within which a fact must stand beside the keys of its row, for outputs that are tables."""


def ending(path: Path) -> str:
    """Which of ENDINGS the file has; "" for none."""
    name = path.name.removesuffix(".gz")
    return next((e for e in ENDINGS if name.endswith(e)), "")


def load(path: Path) -> list[Query]:
    """The questions of a file with one of ENDINGS. Raises InputError for rows that lack what the schema names."""
    read = {CONVERSATIONS: _conversations, FOLDERS: _folder, TOOLS: _tools}[ending(path)]
    try:
        out = read(path)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path.name}: a row lacks {error}; benchmarks/README.md has the schema") from None
    if not out:
        raise InputError(f"{path.name}: no questions in it")
    return out


def _conversations(path: Path) -> list[Query]:
    """{"id", "turns": [{"id", "speaker", "text"}], "questions": [{"id", "question", "evidence", "category"}]}."""
    out = []
    for row in records(path):
        turns = tuple(Document(str(t["id"]), t["text"], t.get("speaker") or "", _time(t)) for t in row["turns"])
        ids = {t.id for t in turns}
        for q in row["questions"]:
            gold = tuple(dict.fromkeys(e for e in map(str, q["evidence"]) if e in ids))
            if not gold or q.get("category") == ABOUT_ANOTHER:
                continue
            out.append(
                Query(
                    id=str(q["id"]),
                    query=q["question"],
                    passages=turns,
                    gold=gold,
                    gold_spans=(),
                    answers=(),
                    kind=TALK,
                    category=q.get("category") or "",
                )
            )
    return out


def _time(turn: Mapping[str, Any]) -> dict[str, Any]:
    return {key: turn[key] for key in ("time", "session") if turn.get(key) is not None}


def _folder(path: Path) -> list[Query]:
    """{"id", "query", "kind", "groups", "facts"}, and {"id", "text"} a file in NAME.folder.jsonl beside it."""
    beside = path.with_name(path.name.replace(".folder.queries.", ".folder."))
    if not beside.is_file():
        raise InputError(f"{path.name} needs {beside.name} beside it")
    files = tuple(Document(str(row["id"]), row["text"]) for row in records(beside))
    size = {f.id: len(f.text) for f in files}
    out = []
    for row in records(path):
        groups = tuple(tuple(Span(str(s["doc"]), s["start"], s["end"]) for s in group) for group in row["groups"])
        _check(row["id"], groups, size)
        spans = tuple(s for group in groups for s in group)
        out.append(
            Query(
                id=str(row["id"]),
                query=row["query"],
                passages=files,
                gold=(),
                gold_spans=spans,
                answers=(),
                kind=FOLDER,
                category=row.get("kind") or "",
                groups=groups,
                facts=tuple(FactPattern((pattern,)) for pattern in row.get("facts") or ()),
            )
        )
    return out


def _check(name: str, groups: Sequence[Sequence[Span]], size: Mapping[str, int]) -> None:
    for span in (s for group in groups for s in group):
        if not 0 <= span.start < span.end <= size.get(span.doc_id, 0):
            raise InputError(f"query {name!r}: {tuple(span)} lies in no file; the file has {size.get(span.doc_id, 0)}")


def _tools(path: Path) -> list[Query]:
    """{"id", "kind", "query", "text", "gold", "needs", "facts"[, "keys"]}: gold and needs are [start, end) of text."""
    out = []
    for row in records(path):
        name, kind = str(row["id"]), row["kind"]
        window = REACH.get(kind, 0)
        patterns = tuple(re.escape(fact) for fact in row.get("facts") or ())
        fact = FactPattern(patterns, tuple(row.get("keys") or ()) if window else (), window)
        out.append(
            Query(
                id=name,
                query=row["query"],
                passages=(Document(name, row["text"]),),
                gold=(),
                gold_spans=tuple(Span(name, a, b) for a, b in row["gold"]),
                answers=(),
                kind=TOOL,
                category=kind,
                needs=tuple(Span(name, a, b) for a, b in row.get("needs") or ()),
                facts=(fact,) if patterns else (),
            )
        )
    return out
