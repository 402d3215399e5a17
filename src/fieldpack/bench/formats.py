"""The files that HotpotQA, 2WikiMultiHopQA, MuSiQue, SQuAD and BEIR publish, read into `Query` records."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fieldpack.bench.dataset import Query, Span, evenly_spaced, open_text, records
from fieldpack.bench.system import require
from fieldpack.errors import InputError
from fieldpack.types import Document

BEIR_DEPTH = 1000
"""A larger BEIR corpus is cut to the BM25 best of each query; only gold inside that pool is measured."""


def from_json(path: Path) -> list[Query]:
    """A .json file: SQuAD is an object with `data`, HotpotQA and 2WikiMultiHopQA a list with `context`."""
    try:
        content = json.loads("".join(open_text(path)))
    except json.JSONDecodeError as error:
        raise InputError(f"{path.name}, line {error.lineno}: not JSON ({error.msg})") from None
    if isinstance(content, dict) and isinstance(content.get("data"), list):
        return list(_squad(content["data"], path.name))
    if isinstance(content, list) and content and isinstance(content[0], dict):
        if "supporting_facts" in content[0] and "context" in content[0]:
            return [_hotpot(row) for row in content]
        if "paragraphs" in content[0]:
            return [musique_row(row) for row in content]
    raise InputError(f"{path.name}: neither SQuAD (an object with `data`) nor HotpotQA (a list with `context`)")


def _hotpot(row: Mapping[str, Any]) -> Query:
    """Supporting facts are (title, sentence number); a paragraph is its sentences joined."""
    name = str(row.get("_id", row.get("id")))
    passages, spans = [], []
    facts = {(title, number) for title, number in row["supporting_facts"]}
    # 2WikiMultiHopQA's sentences begin without the space that HotpotQA's carry
    for i, (title, sentences) in enumerate(row["context"]):
        at, parts = 0, list[str]()
        for number, sentence in enumerate(sentences):
            body = sentence if not parts or sentence[:1].isspace() else f" {sentence}"
            if (title, number) in facts:
                spans.append(Span(f"{name}#{i}", at + len(body) - len(body.lstrip()), at + len(body.rstrip())))
            parts.append(body)
            at += len(body)
        passages.append(Document(f"{name}#{i}", "".join(parts), title))
    gold = tuple(dict.fromkeys(s.doc_id for s in spans))
    answers = (row["answer"],) if row.get("answer") else ()
    return Query(
        id=name, query=row["question"], passages=tuple(passages), gold=gold, gold_spans=tuple(spans), answers=answers
    )


def musique_row(row: Mapping[str, Any]) -> Query:
    """One line of a MuSiQue file; its unanswerable half has no complete evidence: mode none."""
    name = str(row["id"])
    passages, gold = [], []
    for p in row["paragraphs"]:
        passages.append(Document(f"{name}#{p['idx']}", p["paragraph_text"], p.get("title") or ""))
        if p.get("is_supporting"):
            gold.append(passages[-1].id)
    answers = tuple(a for a in (row.get("answer"), *row.get("answer_aliases", ())) if a)
    if not row.get("answerable", True):
        return Query.without_evidence(name, row["question"], tuple(passages))
    return Query(
        id=name, query=row["question"], passages=tuple(passages), gold=tuple(gold), gold_spans=(), answers=answers
    )


def _squad(articles: list[Mapping[str, Any]], file: str) -> Iterator[Query]:
    """All paragraphs of the question's article are the candidates; the answer's characters are the evidence."""
    for article in articles:
        if "paragraphs" not in article:
            raise InputError(f"{file}: an article without `paragraphs`; found keys: {', '.join(article)}")
        title = article.get("title", "").replace("_", " ")
        passages = tuple(
            Document(f"{title}/{i}", p["context"], title, {"doc": title, "pos": i})
            for i, p in enumerate(article["paragraphs"])
        )
        for passage, paragraph in zip(passages, article["paragraphs"], strict=True):
            for question in paragraph["qas"]:
                yield _squad_query(question, passage, passages)


def _squad_query(question: Mapping[str, Any], passage: Document, passages: tuple[Document, ...]) -> Query:
    name, text = str(question["id"]), question["question"]
    if question.get("is_impossible"):
        return Query.without_evidence(name, text, passages)
    # annotators mark the same fact with longer and shorter spans: the first is the evidence, all are accepted answers
    first = question["answers"][0]
    span = Span(passage.id, first["answer_start"], first["answer_start"] + len(first["text"]))
    answers = tuple(dict.fromkeys(a["text"] for a in question["answers"]))
    return Query(id=name, query=text, passages=passages, gold=(passage.id,), gold_spans=(span,), answers=answers)


def beir(folder: Path, limit: int | None) -> list[Query]:
    """corpus.jsonl, queries.jsonl and qrels/test.tsv; every document of positive grade is gold (mode topical)."""
    for needed in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        if not (folder / needed).is_file():
            raise InputError(f"{folder.name}: a BEIR folder needs {needed}")
    corpus = [Document(str(r["_id"]), r["text"], r.get("title") or "") for r in records(folder / "corpus.jsonl")]
    queries = {str(r["_id"]): r["text"] for r in records(folder / "queries.jsonl")}
    judged = _qrels(folder / "qrels" / "test.tsv")
    wanted = evenly_spaced([(q, gold) for q, gold in judged.items() if q in queries], limit)
    pools = _bm25_pools([queries[q] for q, _ in wanted], corpus)
    out = []
    for (name, gold), pool in zip(wanted, pools, strict=True):
        inside = {d.id for d in pool}
        known = tuple(g for g in gold if g in inside)
        topical = Query(
            id=name, query=queries[name], passages=pool, gold=known, gold_spans=(), answers=(), mode="topical"
        )
        out.append(topical)
    return [q for q in out if q.gold]


def _qrels(path: Path) -> dict[str, list[str]]:
    judged: dict[str, list[str]] = {}
    with path.open(encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f, delimiter="\t"):
            if not {"query-id", "corpus-id", "score"} <= row.keys():
                columns = ", ".join(map(str, row))
                raise InputError(f"{path.name}: expected columns query-id, corpus-id, score; found {columns}")
            if float(row["score"]) > 0:
                judged.setdefault(row["query-id"], []).append(row["corpus-id"])
    return judged


def _bm25_pools(queries: list[str], corpus: list[Document]) -> list[tuple[Document, ...]]:
    if len(corpus) <= BEIR_DEPTH:
        return [tuple(corpus)] * len(queries)
    bm25s = require("bm25s")
    index = bm25s.BM25()
    texts = [f"{d.title}\n{d.text}" for d in corpus]
    index.index(bm25s.tokenize(texts, stopwords="en", show_progress=False), show_progress=False)
    words = bm25s.tokenize(queries, stopwords="en", show_progress=False)
    rows, _ = index.retrieve(words, k=BEIR_DEPTH, show_progress=False)
    # corpus order, so that no system learns BM25's ranks from the order of the candidates
    return [tuple(corpus[i] for i in sorted(int(j) for j in row)) for row in rows]
