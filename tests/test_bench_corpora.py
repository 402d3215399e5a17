"""Data sets as their authors publish them, tiny and made here."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from fieldpack.bench import formats
from fieldpack.bench.corpora import discover, load, load_named
from fieldpack.bench.dataset import Query, Span
from fieldpack.errors import InputError, UnknownNameError
from fieldpack.types import Document


def write(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, "utf-8")
    return path


def text_of(query: Query, span: Span) -> str:
    return next(p.text for p in query.passages if p.id == span.doc_id)[span.start : span.end]


INLINE = {
    "id": "q1",
    "query": "who?",
    "passages": [{"id": "a", "title": "T", "text": "Ann did. Bob did not."}, {"id": "b", "text": "Nothing."}],
    "gold": ["a", "b"],
    "gold_spans": [{"pid": "a", "start": 0, "end": 8}],
    "answers": ["Ann"],
}


@pytest.mark.parametrize("name", ["set.jsonl", "set.jsonl.gz"])
def test_inline_rows(tmp_path: Path, name: str) -> None:
    (query,) = load(write(tmp_path / name, INLINE))
    assert query.passages == (Document("a", "Ann did. Bob did not.", "T"), Document("b", "Nothing."))
    assert query.mode == "all" and query.answers == ("Ann",)
    # gold without spans is evidence as a whole
    assert [text_of(query, s) for s in query.evidence()] == ["Ann did.", "Nothing."]
    assert list(discover(tmp_path)) == ["set"]


def test_pooled_rows_share_their_passages_and_keep_document_order(tmp_path: Path) -> None:
    passages = [{"id": f"p{i}", "text": str(i), "doc": "x" if i < 2 else "y", "pos": i} for i in range(4)]
    write(tmp_path / "set.passages.jsonl.gz", *passages)
    asked = [
        {"id": "q", "query": "?", "doc": "y", "gold": ["p3"]},
        {"id": "r", "query": "?", "doc": "y", "gold": ["p2"]},
    ]
    write(tmp_path / "set.queries.jsonl.gz", *asked, {"id": "all", "query": "?", "gold": ["p0"], "mode": "any"})
    first, second, third = load_named(tmp_path, "set")
    assert [p.id for p in first.passages] == ["p2", "p3"]
    assert first.passages is second.passages
    assert len(third.passages) == 4 and third.mode == "any"
    assert first.passages[1].metadata == {"doc": "y", "pos": 3}
    assert len(load(tmp_path / "set.queries.jsonl.gz", limit=1)) == 1


def test_answers_that_are_no_spans_are_not_looked_for(tmp_path: Path) -> None:
    (query,) = load(write(tmp_path / "s.jsonl", {**INLINE, "answer_type": "summary"}))
    assert query.answers == ()


def test_hotpotqa_sentences_become_spans(tmp_path: Path) -> None:
    row = {
        "_id": "h",
        "question": "Which?",
        "answer": "Rush",
        "supporting_facts": [["Peart", 1], ["Rush", 0]],
        "context": [["Peart", ["Born in 1952.", " He drummed."]], ["Rush", ["A band.", " Canadian."]], ["X", ["No."]]],
    }
    path = tmp_path / "hotpot_dev_distractor_v1.json"
    path.write_text(json.dumps([row]))
    (query,) = load(path)
    assert [p.text for p in query.passages] == ["Born in 1952. He drummed.", "A band. Canadian.", "No."]
    assert [text_of(query, s) for s in query.evidence()] == ["He drummed.", "A band."]
    assert query.gold == ("h#0", "h#1") and query.answers == ("Rush",)


def test_2wiki_sentences_without_leading_spaces_are_kept_apart(tmp_path: Path) -> None:
    row = {
        "_id": "w",
        "question": "?",
        "answer": "yes",
        "supporting_facts": [["A", 1]],
        "context": [["A", ["One.", "Two."]]],
        "evidences": [],
    }
    path = tmp_path / "dev.json"
    path.write_text(json.dumps([row]))
    (query,) = load(path)
    assert query.passages[0].text == "One. Two."
    assert text_of(query, query.evidence()[0]) == "Two."


def test_musique(tmp_path: Path) -> None:
    paragraphs = [
        {"idx": 0, "title": "A", "paragraph_text": "alpha", "is_supporting": True},
        {"idx": 1, "title": "B", "paragraph_text": "beta", "is_supporting": False},
    ]
    base = {"question": "?", "paragraphs": paragraphs, "answer": "alpha", "answer_aliases": ["a"]}
    path = write(
        tmp_path / "musique_full_v1.0_dev.jsonl",
        {"id": "2hop__1", **base, "answerable": True},
        {"id": "2hop__2", **base, "answerable": False},
    )
    answerable, other = load(path)
    assert answerable.gold == ("2hop__1#0",) and answerable.answers == ("alpha", "a")
    assert other.mode == "none" and other.evidence() == ()


def test_squad(tmp_path: Path) -> None:
    found = {
        "id": "1",
        "question": "When?",
        "answers": [{"text": "1066", "answer_start": 3}, {"text": "in 1066", "answer_start": 0}],
    }
    none = {"id": "2", "question": "Why?", "is_impossible": True, "answers": []}
    article = {
        "title": "The_Normans",
        "paragraphs": [{"context": "in 1066.", "qas": [found, none]}, {"context": "Else.", "qas": []}],
    }
    path = tmp_path / "dev-v2.0.json"
    path.write_text(json.dumps({"version": "v2.0", "data": [article]}))
    first, second = load(path)
    assert [text_of(first, s) for s in first.evidence()] == ["1066"]
    assert first.answers == ("1066", "in 1066") and len(first.passages) == 2
    assert first.passages[0].title == "The Normans"
    assert second.mode == "none"


def beir(folder: Path) -> Path:
    write(folder / "corpus.jsonl", *({"_id": str(i), "title": "t", "text": f"word{i} common"} for i in range(6)))
    write(folder / "queries.jsonl", {"_id": "q", "text": "word2 word3"}, {"_id": "unjudged", "text": "x"})
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t2\t1\nq\t5\t0\nq\t3\t2\n")
    return folder


def test_beir_folder(tmp_path: Path) -> None:
    (query,) = load(beir(tmp_path / "scifact"))
    assert query.gold == ("2", "3") and query.mode == "topical" and len(query.passages) == 6
    assert list(discover(tmp_path)) == ["scifact"] and list(discover(tmp_path / "scifact")) == ["scifact"]


def test_a_large_beir_corpus_is_cut_to_what_bm25_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("bm25s")
    monkeypatch.setattr(formats, "BEIR_DEPTH", 3)
    (query,) = load(beir(tmp_path / "scifact"))
    ids = [p.id for p in query.passages]
    assert len(ids) == 3 and {"2", "3"} <= set(ids) and ids == sorted(ids)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", '{"id": "q", "query": "?", "gold": []}\n', "passages"),
        ("b.jsonl", '{"id": "q"\n', "line 1: not JSON"),
        ("c.jsonl", "[1]\n", "expected an object"),
        ("d.jsonl", "\n", "no queries"),
        ("e.json", '{"rows": []}', "neither SQuAD"),
        ("f.json", "{", "not JSON"),
        ("g.csv", "a,b\n", "unknown kind"),
        ("h.queries.jsonl", '{"id": "q", "query": "?", "gold": []}\n', "h.passages.jsonl beside it"),
        ("i.jsonl", json.dumps({**INLINE, "gold": ["zz"]}) + "\n", "'zz' is not among"),
        ("j.jsonl", json.dumps({**INLINE, "mode": "some"}) + "\n", "it must be one of"),
        ("k.jsonl", json.dumps({**INLINE, "passages": [{"id": "a"}]}) + "\n", "needs `id` and `text`"),
        ("l.jsonl", json.dumps({"id": "q", "query": "?", "passages": []}) + "\n", "gold"),
        ("m.jsonl", json.dumps({**INLINE, "passages": INLINE["passages"] * 2}) + "\n", "unique"),  # type: ignore[operator]
    ],
)
def test_wrong_files_say_what_is_wrong(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=said) as caught:
        load(path)
    assert "q" in str(caught.value) or name in str(caught.value)


def test_folders_without_sets_and_unknown_sets(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no data set"):
        discover(tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        discover(tmp_path / "nowhere")
    write(tmp_path / "hotpot.jsonl", INLINE)
    with pytest.raises(UnknownNameError, match="hotpot"):
        load_named(tmp_path, "hotpt")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "corpus.jsonl").write_text("")
    with pytest.raises(InputError, match=r"needs queries\.jsonl"):
        load(tmp_path / "half")
