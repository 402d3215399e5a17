"""Packs without a question, follow-up questions, the support-like set: arithmetic and rules of their recipes."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fieldpack.bench import corpora
from fieldpack.bench.context import Context
from fieldpack.bench.dataset import Query, Span
from fieldpack.embed.service import EmbeddingService
from fieldpack.errors import MissingExtraError
from fieldpack.text.tokens import tokenizer
from fieldpack.types import Document

FOLDER = Path(__file__).parents[1] / "benchmarks"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_recipe", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


retention, followups, support = script("retention"), script("build_followups"), script("build_support")


def context() -> Context:
    return Context(EmbeddingService("static"), tokenizer("o200k_base"))


A = Document("a", "The bridge was built in 1502. It is long. It crosses the river Oda.")
B = Document("b", "Fish is sold here. The market opens at six.")
SOURCE = retention.Source(
    "town", (A, B), (((Span("a", 0, 29),),), ((Span("b", 19, 43),), (Span("a", 42, 67),)), ((Span("a", 0, 41),),))
)


# --- packs without a question
def test_retention_is_the_mean_over_questions_of_the_best_alternative() -> None:
    assert retention.retention(SOURCE, [Span("a", 0, 29)]) == pytest.approx((1 + 0 + 29 / 41) / 3)
    assert retention.retention(SOURCE, [Span("b", 19, 43), Span("a", 42, 50)]) == pytest.approx(1 / 3)
    assert retention.retention(SOURCE, []) == 0
    assert retention.retention(SOURCE, [Span("a", 0, 67), Span("b", 0, 43)]) == 1


def test_white_space_between_two_kept_sentences_counts_as_kept() -> None:
    both = [Span("a", 30, 41), Span("a", 0, 29), Span("b", 0, 18)]
    assert retention.closed(SOURCE.documents, both) == [Span("a", 0, 41), Span("b", 0, 18)]
    assert retention.retention(SOURCE, both) == pytest.approx(2 / 3)


def test_sentences_are_printed_in_reading_order_and_the_final_string_is_counted() -> None:
    sentences, shared = retention.Sentences(SOURCE), context()
    kept = sentences.kept([4, 1, 0], 100, shared)
    assert kept.text == "The bridge was built in 1502. It is long.\nThe market opens at six."
    for budget in range(30):
        assert shared.tokenizer.count(sentences.kept([2, 0, 4, 1, 3], budget, shared).text) <= budget


@pytest.mark.parametrize("name", [*retention.BASELINES, "oracle"])
def test_every_system_keeps_to_the_budget_and_never_reads_the_questions(name: str) -> None:
    shared = context()
    select = retention.systems(shared)[name]
    blind = retention.Source("town", SOURCE.documents, ())
    for budget in (8, 15, 200):
        try:
            kept = select(SOURCE, budget, shared)
        except MissingExtraError:
            pytest.skip("not installed")
        kept = kept if isinstance(kept, list) else [kept]
        assert all(shared.tokenizer.count(k.text) <= budget for k in kept)
        if name != "oracle":
            again = select(blind, budget, context())
            assert (again if isinstance(again, list) else [again]) == kept
    if name != "design_text":
        assert [retention.retention(SOURCE, k.spans) for k in kept] == [1] * len(kept)


def test_the_oracle_takes_what_the_questions_want() -> None:
    kept = retention.oracle(SOURCE, 20, context())
    assert "1502" in kept.text and "Fish" not in kept.text


def test_any_function_of_documents_and_budget_plugs_in() -> None:
    kept = retention.plugged(lambda documents, budget: ("It is long.", [("a", 30, 41)]), SOURCE, 5, context())
    assert kept.spans == (Span("a", 30, 41),)
    rows = retention.measure_set("s", [SOURCE], {"x": lambda *_: kept}, (0.5,), context())
    assert rows[0]["retention"] == pytest.approx(12 / 41 / 3, abs=0.01) and rows[0]["over"] is False

    def broken(*_: Any) -> Any:
        raise ValueError("no")

    (row,) = retention.measure_set("s", [SOURCE], {"x": broken}, (0.5,), context())
    assert row["error"] == "ValueError: no"


def test_a_long_source_is_cut_between_documents_and_questions_go_where_all_their_evidence_is() -> None:
    parts = retention.runs(SOURCE, 25, context())
    assert [[d.id for d in p.documents] for p in parts] == [["a"], ["b"]]
    assert [len(p.questions) for p in parts] == [3, 1]
    assert parts[1].questions == (((Span("b", 19, 43),),),)


def test_sources_are_read_from_articles_conversations_and_folders(tmp_path: Path) -> None:
    passages = [{"id": "a", "text": A.text}, {"id": "b", "text": B.text}]
    asked = {"query": "?", "passages": passages}
    lines = [{**asked, "id": "1", "gold": ["a"]}, {**asked, "id": "2", "gold": ["a", "b"], "mode": "any"}]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, lines)))
    golds = [retention.wanted(case) for case in corpora.load(tmp_path / "x.jsonl")]
    assert golds == [((Span("a", 0, 67),),), ((Span("a", 0, 67),), (Span("b", 0, 43),))]
    turns = [{"id": "t1", "speaker": "A", "text": "Hello."}, {"id": "t2", "speaker": "B", "text": "I moved to Oda."}]
    said = [{"evidence": ["t2"], "category": "x"}, {"evidence": ["t1", "t2"], "category": "x"}]
    row = {"id": "c", "turns": turns, "questions": [*said, {"evidence": ["t1"], "category": "adversarial"}]}
    (tmp_path / "talk.conv.jsonl").write_text(json.dumps(row))
    (talk,) = retention.sources(tmp_path, "talk", context())
    assert talk.questions == (((Span("t2", 0, 15),),), ((Span("t1", 0, 6), Span("t2", 0, 15)),))
    text = "Head\n\n" + "filler\n" * 300 + "\nThe port is 80.\n"
    start = text.index("The port")
    spans = [[{"doc": "f", "start": 0, "end": 4}], [{"doc": "f", "start": start, "end": start + 15}]]
    (tmp_path / "d.folder.jsonl").write_text(json.dumps({"id": "f", "text": text}))
    (tmp_path / "d.folder.queries.jsonl").write_text(json.dumps({"id": "1", "query": "?", "groups": spans}))
    (file,) = retention.sources(tmp_path, "d", context())
    bodies = {d.id: d.text for d in file.documents}
    quoted = ["".join(bodies[s.doc_id][s.start : s.end] for s in a) for q in file.questions for a in q]
    assert quoted == ["Head", "The port is 80."] and "".join(bodies.values()) == text


def test_the_table_means_over_sources_then_over_sets() -> None:
    base = {"share": 0.1, "system": "x", "over": False}
    rows = [{**base, "set": "s", "source": str(i), "retention": r} for i, r in enumerate([0.2, 0.4])]
    rows += [{**base, "set": "t", "source": "0", "retention": 0.9}]
    assert "| 0.600 | 0.600 | 0 |" in retention.table(rows, ["s", "t"])
    other = [{**row, "system": "y", "retention": 0.1} for row in rows]
    assert "| y | +0.500* | +0.200* | +0.800* |" in retention.gaps([*rows, *other], ["s", "t"], "x")


# --- follow-ups
@pytest.mark.parametrize(
    ("previous", "whole", "people", "query", "form"),
    [
        ("Where did Anna Roth live?", "When did Anna Roth leave?", True, "When did they leave?", "pronoun"),
        ("Where is the Oda Bridge?", "How long is the Oda Bridge?", False, "How long is it?", "pronoun"),
        ("Where was Oda?", "What was Oda's main export?", False, "What was its main export?", "pronoun"),
        ("Was the Oda empire big?", "Who ruled the Oda empire then?", False, "Who ruled it then?", "pronoun"),
        ("Who sells my data?", "Who deletes my data?", False, "And who deletes?", "left out"),
        ("Do you store cookies?", "Do you store addresses?", False, "And what about addresses?", "left out"),
    ],
)
def test_what_the_first_question_said_is_left_unsaid(
    previous: str, whole: str, people: bool, query: str, form: str
) -> None:
    assert followups.follow_up(previous, whole, people) == followups.FollowUp(query, form)


@pytest.mark.parametrize(
    "whole", ["Where is Oda?", "Who sells data?", "Who sells very old worn broken unusable second hand data?"]
)
def test_a_question_that_shares_nothing_or_leaves_nothing_or_much_is_no_follow_up(whole: str) -> None:
    assert followups.follow_up("Who sells my data?", whole, False) is None


def test_a_month_is_no_name() -> None:
    assert followups.shared_names("Was Oda full in May?", "Is the Oda market open in May?") == ["Oda"]


def test_pairs_are_neighbours_of_one_document_with_the_evidence_of_the_second() -> None:
    def case(name: str, text: str, passages: tuple[Document, ...], gold: str) -> Query:
        return Query(name, text, passages, (gold,), (Span(gold, 0, 4),), ("x",))

    town, other = (A, B), (Document("c", "Other."),)
    first, second = case("1", "Where is Oda?", town, "a"), case("2", "How big is Oda?", town, "b")
    (row,) = followups.pairs("squad", [first, second, case("3", "Who built Oda?", other, "c")])
    assert (row["previous"], row["query"], row["whole"]) == ("Where is Oda?", "How big is it?", "How big is Oda?")
    assert row["gold"] == ["b"] and row["same_gold"] is False and row["answers"] == ["x"]
    asked = {how: followups.with_query(row, how)["query"] for how in followups.ASKED}
    assert asked["joined"] == "Where is Oda? How big is it?" and asked["whole"] == "How big is Oda?"
    assert asked["alone"] == row["query"]
    assert [p["id"] for p in followups.passages_of("squad", [first, second], {row["doc"]})] == ["a", "b"]


# --- the support-like set
PAGE = """
Trouble
=======

Intro.

Why is the backup so slow?
--------------------------

Your backup may take many hours with a remote repository.

Lower the compression level in the profile, or use another algorithm::

    tool create --level 1

Unrelated words close this section.
"""


def test_code_stays_with_its_lead_in_and_roles_are_read_as_words() -> None:
    found = {s.heading: s.paragraphs for s in support.sections(PAGE)}
    assert list(found) == ["", "Trouble", "Why is the backup so slow?"]
    assert found["Why is the backup so slow?"][1].endswith("algorithm::\n\n    tool create --level 1")
    assert support.plain("see :ref:`the notes <x>` and :option:`--a`") == "see the notes and --a"


def test_a_question_restates_the_problem_in_other_words_and_its_gold_says_what_to_do() -> None:
    (project,) = support.SOURCES[:1]
    section = list(support.sections(PAGE))[2]
    question = support.post(project, section, ["Can I stop it?", "Why is it full?"])
    assert "How come is the backup so sluggish?" in question and "My backup may take many hours" in question
    assert support.answers(section, question) == [1]
    restated = support.Section("Slow?", [section.paragraphs[0], section.paragraphs[0].replace("Your", "Use your")])
    assert support.answers(restated, question) == []


def test_the_set_is_the_same_each_time_and_in_the_schema(tmp_path: Path) -> None:
    (project,) = support.SOURCES[:1]
    pages = {"faq": "".join(PAGE.replace("backup", f"backup{i}").replace("Trouble", f"T{i}") for i in range(9))}
    passages, queries = support.built(project, pages)
    assert queries and all(q["doc"] in {p["doc"] for p in passages} for q in queries)
    for name, content in (("passages", passages), ("queries", queries)):
        support.write(tmp_path / f"s.{name}.jsonl.gz", content)
    first = [p.read_bytes() for p in sorted(tmp_path.iterdir())]
    assert len(corpora.load(tmp_path / "s.queries.jsonl.gz")) == len(queries)
    for name, content in zip(("passages", "queries"), support.built(project, pages), strict=True):
        support.write(tmp_path / f"s.{name}.jsonl.gz", content)
    assert first == [p.read_bytes() for p in sorted(tmp_path.iterdir())]
