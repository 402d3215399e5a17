"""Folders, outputs of tools and conversations in the benchmark: reading, measures, systems, tables."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.bench import (
    budgets,
    corpora,
    distributed,
    folders,
    measures,
    pieces,
    quality,
    registry,
    rivals,
    summary,
    tables,
    tool_outputs,
)
from fieldpack.bench.context import Context, Packed
from fieldpack.bench.dataset import FOLDER, PASSAGES, TALK, TOOL, FactPattern, Query, Span
from fieldpack.embed.service import EmbeddingService
from fieldpack.errors import InputError, MissingExtraError
from fieldpack.text.tokens import tokenizer
from fieldpack.types import Document

GUIDE = (
    "Install\n=======\n\nRun the installer as root.\n\nUpgrade\n=======\n\nStop the server. Then copy the new files.\n"
)
NOTES = "Release 2\n---------\n\nThe default port is 8080 now.\n"
CSV = "id,city,carrier\nA-1,Visby,Brevex\nA-2,Malmo,Handfast\nA-3,Visby,Handfast\n"


def write(path: Path, *rows: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def span(text: str, part: str) -> dict[str, Any]:
    return {"doc": "", "start": text.index(part), "end": text.index(part) + len(part)}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    inner = tmp_path / "inner"
    inner.mkdir()
    write(inner / "docs.folder.jsonl", {"id": "guide.rst", "text": GUIDE}, {"id": "notes.rst", "text": NOTES})
    stop, port = span(GUIDE, "Stop the server."), span(NOTES, "The default port is 8080 now.")
    groups = [[{**stop, "doc": "guide.rst"}], [{**port, "doc": "notes.rst"}, {**stop, "doc": "guide.rst"}]]
    question = {"id": "q1", "query": "how to upgrade the server", "kind": "howto", "groups": groups}
    write(inner / "docs.folder.queries.jsonl", {**question, "facts": [r"default port is \d+", "copy the"]})
    row = CSV.index("A-2")
    write(
        inner / "dev.toolout.jsonl",
        {"id": "t1", "kind": "csv", "query": "carrier of A-2", "text": CSV, "gold": [[row, row + 18]]}
        | {"needs": [[0, 15]], "facts": ["Handfast"], "keys": ["A-2"]},
    )
    write(inner / "other.jsonl", {"question": "of another schema"})
    turns = [{"id": f"D1:{i}", "speaker": "AB"[i % 2], "text": f"Words of turn {i}.", "session": 1} for i in range(4)]
    asked = {"id": "c/q0", "question": "What was said?", "evidence": ["D1:1", "D1:1", "D9:9"], "category": "single-hop"}
    other = {"id": "c/q1", "question": "And by B?", "evidence": ["D1:2"], "category": "adversarial"}
    write(tmp_path / "chat.conv.jsonl", {"id": "c", "turns": turns, "questions": [asked, other]})
    return tmp_path


def context() -> Context:
    return Context(EmbeddingService("static"), tokenizer("o200k_base"))


def the_case(data: Path, name: str) -> Query:
    (case,) = corpora.load_named(data, name)
    return case


def test_sets_of_all_kinds_are_found_also_in_folders_below(data: Path) -> None:
    assert sorted(corpora.discover(data)) == ["chat.conv", "dev.toolout", "docs.folder"]


def test_a_conversation_has_its_turns_as_candidates_and_no_questions_about_the_wrong_speaker(data: Path) -> None:
    case = the_case(data, "chat.conv")
    assert (case.kind, case.category, case.gold) == (TALK, "single-hop", ("D1:1",))
    assert [p.title for p in case.passages] == ["A", "B", "A", "B"]
    whole = Packed("x", (Span("D1:1", 0, 16),), "x")
    assert measures.measure(case, whole, 9, context())["evidence"] == 1.0


def test_evidence_of_a_folder_is_the_mean_over_groups_of_the_best_alternative(data: Path) -> None:
    case = the_case(data, "docs.folder")
    stop, port = case.groups[0][0], case.groups[1][0]
    half = Span("guide.rst", stop.start, stop.start + (stop.end - stop.start) // 2)
    row = measures.measure(case, Packed("the default port is 80", (half, port), ""), 9, context())
    assert row["evidence"] == pytest.approx((0.5 + 1) / 2) and row["complete"] is False and row["facts"] == 0.5
    # the second group is answered by the guide too
    row = measures.measure(case, Packed("copy the default port is 1", (stop,), ""), 9, context())
    assert (row["evidence"], row["complete"], row["facts"]) == (1.0, True, 1.0)


spans = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(0, 30)), max_size=6)
groups = st.lists(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20), st.integers(1, 10)), min_size=1, max_size=3),
    min_size=1,
    max_size=3,
)


@given(groups, spans)
def test_evidence_of_a_folder_equals_counting_its_characters_one_by_one(
    wanted: list[list[tuple[str, int, int]]], drawn: list[tuple[str, int, int]]
) -> None:
    kept = tuple(Span(d, min(a, b), max(a, b)) for d, a, b in drawn)
    alternatives = tuple(tuple(Span(d, a, a + n) for d, a, n in group) for group in wanted)
    files = (Document("a", "x" * 30), Document("b", "x" * 30))
    flat = tuple(s for group in alternatives for s in group)
    case = Query("q", "?", files, (), flat, (), kind=FOLDER, groups=alternatives)
    have = {(s.doc_id, i) for s in kept for i in range(s.start, s.end)}
    shares = [max(np.mean([(s.doc_id, i) in have for i in range(s.start, s.end)]) for s in g) for g in alternatives]
    row = measures.measure(case, Packed("", kept, ""), 9, context())
    assert row["evidence"] == pytest.approx(np.mean(shares))
    assert row["complete"] == all(s == 1 for s in shares)


def test_evidence_of_a_tools_output_counts_visible_characters_and_wants_what_a_reader_needs(data: Path) -> None:
    case = the_case(data, "dev.toolout")
    row, head = CSV.index("A-2"), Span("t1", 0, 15)
    found = measures.measure(case, Packed("A-2,Malmo,Handfast", (Span("t1", row, row + 18),), ""), 9, context())
    assert (found["evidence"], found["needs"], found["complete"], found["facts"]) == (1.0, 0.0, False, 1.0)
    both = measures.measure(case, Packed(CSV, (Span("t1", row, row + 18), head), ""), 9, context())
    assert both["complete"] is True
    assert measures.visible_share("ab cd", [Span("t", 0, 5)], [Span("t", 0, 3)]) == 0.5
    assert measures.visible_share("ab", [], []) == 1.0


def test_a_fact_of_a_table_counts_only_beside_the_keys_of_its_row() -> None:
    fact = FactPattern((re.escape("1.5"),), ("row 7",), 10)
    assert fact.holds("row 7: 1.5") and not fact.holds("row 7" + " " * 40 + "1.5") and not fact.holds("row 7: 105")
    assert fact.holds("1.5" + " " * 40 + "row 7 1.5")  # the second place has the key
    assert FactPattern((r"a\s+b", "c")).holds("c a\nb") and not FactPattern((r"a\s+b", "c")).holds("a b")
    with pytest.raises(InputError, match="no regular expression"):
        FactPattern(("(",))


def test_rows_that_lack_something_say_what(tmp_path: Path) -> None:
    write(tmp_path / "x.toolout.jsonl", {"id": "1", "kind": "csv"})
    with pytest.raises(InputError, match=r"x\.toolout\.jsonl: a row lacks"):
        corpora.load(tmp_path / "x.toolout.jsonl")
    write(tmp_path / "y.folder.queries.jsonl", {"id": "1"})
    with pytest.raises(InputError, match=r"needs y\.folder\.jsonl beside it"):
        corpora.load(tmp_path / "y.folder.queries.jsonl")
    write(tmp_path / "y.folder.jsonl", {"id": "f", "text": "abc"})
    outside = {"doc": "f", "start": 1, "end": 9}
    write(tmp_path / "y.folder.queries.jsonl", {"id": "1", "query": "?", "groups": [[outside]]})
    with pytest.raises(InputError, match="lies in no file"):
        corpora.load(tmp_path / "y.folder.queries.jsonl")


def test_budgets_suit_the_kind_and_leave_nothing_to_choose_out(data: Path) -> None:
    assert budgets.choose((), [10**6], FOLDER) == budgets.FOLDERS and budgets.choose((), [1], TOOL) == budgets.TOOLS
    assert budgets.choose((), [10], PASSAGES) == budgets.SHARES
    tool, folder = the_case(data, "dev.toolout"), the_case(data, "docs.folder")
    assert budgets.limits_of(tool, 700, budgets.TOOLS) == {"150": 150, "400": 400}
    assert budgets.limits_of(folder, 700, (500.0, 1000.0)) == {"500": 500, "1000": 1000}


@pytest.mark.parametrize("name", ["docs.folder", "dev.toolout", "chat.conv"])
def test_a_case_goes_to_a_worker_and_comes_back(data: Path, name: str) -> None:
    case = the_case(data, name)
    assert distributed._case_from_json(json.loads(json.dumps(distributed._to_json(case)))) == case


@pytest.mark.parametrize("set_name", ["docs.folder", "dev.toolout", "chat.conv"])
def test_every_system_that_takes_the_kind_keeps_to_the_budget_and_quotes_the_source(data: Path, set_name: str) -> None:
    case, shared = the_case(data, set_name), context()
    bodies = {p.id: p.text for p in case.passages}
    names = {s.name for s in quality.systems_for([case], registry.named(["tiers", "folders", "tools", "pieces"]))}
    assert len(names) >= 10
    for system in registry.named([*sorted(names), "trimwise", "redhop"]):
        if case.kind not in system.kinds:
            continue
        try:
            packed = system.select(case, 25, shared)
        except MissingExtraError:
            continue
        assert shared.tokenizer.count(packed.text) <= 25, system.name
        flat = "".join(packed.text.split())
        for s in packed.spans:
            quoted = "".join(bodies[s.doc_id][s.start : s.end].split())
            assert quoted in flat or system.family in ("fieldpack", "trimwise"), (system.name, s)


def test_a_folder_is_read_once_for_all_questions(data: Path) -> None:
    case, shared, made = the_case(data, "docs.folder"), context(), []
    for _ in range(2):
        shared.prepared("x", case, lambda: made.append(1))
    assert made == [1] and shared.replayed_seconds == 0


TEXTS = st.text(alphabet=st.sampled_from("ab.\n# =A"), max_size=120)


@given(TEXTS, st.sampled_from([folders.chunks, folders.paragraphs, folders.sections]))
def test_cuts_of_a_file_leave_no_visible_character_out(text: str, cut: Any) -> None:
    parts = cut(text)
    assert "".join("".join(text[a:b].split()) for a, b in parts) == "".join(text.split())
    assert all(a < b for a, b in parts) and all(x[1] <= y[0] for x, y in pairwise(parts))


def test_sections_begin_at_their_headings() -> None:
    starts = [GUIDE[a:b].split("\n", 1)[0] for a, b in folders.sections(GUIDE)]
    assert starts == ["Install", "Upgrade"]
    manual = "NAME\n    x - y\n\nOPTIONS\n    -a  all\n"
    assert [manual[a:b].split("\n")[0] for a, b in folders.sections(manual)] == ["NAME", "OPTIONS"]
    assert len(folders.sections("# A\ntext\n## B\nmore\n")) == 2


def test_the_loop_without_skipping_stops_where_a_piece_does_not_fit() -> None:
    text = "alpha alpha alpha alpha " * 8 + "\n\n" + "alpha beta\n\n" + "gamma\n"
    case = Query("q", "alpha", (Document("f", text),), (), (), (), kind=FOLDER)
    stop = folders.FolderPieces("a", folders.paragraphs).select(case, 6, context())
    skip = folders.FolderPieces("b", folders.paragraphs, skip=True).select(case, 6, context())
    assert stop.text == "" and skip.text == "alpha beta"


PASSAGE = Document("p", "The bolt is loose. Turn it with care! Does it hold? Yes.", "Manual")


@pytest.mark.parametrize("system", pieces.systems(), ids=lambda s: s.name)
def test_pieces_are_printed_in_reading_order_and_the_title_is_not_paid(system: Any) -> None:
    case = Query("q", "turn the bolt with care", (PASSAGE, Document("q", "Nothing here.")), ("p",), (), ())
    try:
        packed = system.select(case, 40, context())
    except MissingExtraError:
        pytest.skip("not installed")
    assert packed.text == f"{PASSAGE.text}\n\nNothing here." and "Manual" not in packed.text
    assert [s.doc_id for s in packed.spans] == sorted(s.doc_id for s in packed.spans)


def test_a_piece_is_found_by_its_title_alone() -> None:
    a, b = Document("a", "Turn it left.", "Valve"), Document("b", "Turn it left twice.", "Pump")
    case = Query("q", "pump", (a, b), ("b",), (), ())
    system = next(s for s in pieces.systems() if s.name == "passages_bm25")
    assert system.select(case, 6, context()).text == "Turn it left twice."


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=8))
def test_fusing_a_ranking_with_itself_keeps_its_order(scores: list[float]) -> None:
    row = np.array(scores, np.float32)
    fused = pieces.fused(row, row)
    assert list(np.argsort(-fused, kind="stable")) == list(np.argsort(-row, kind="stable"))


def test_changed_white_space_is_found_again() -> None:
    case = Query("q", "?", (Document("a", "one  two\nthree"), Document("b", " four five")), (), (), ())
    places = rivals.Places(case)
    assert places.spans("two three") == [Span("a", 5, 14)]
    assert places.spans("three four") == [Span("a", 9, 14), Span("b", 1, 5)]
    assert places.spans("six") == () and places.spans(" ") == ()


def test_lines_of_an_output_and_what_comes_with_them() -> None:
    text = "server:\n  port: 80\n  host: a\nclient:\n  port: 99\n"
    case = Query("q", "client port", (Document("t", text),), (), (), (), kind=TOOL)
    lines = tool_outputs.lines_of(text)
    assert [text[a:b] for a, b in lines] == text.splitlines()
    order = list(dict.fromkeys(tool_outputs.bm25_around(case, lines, context())))
    assert order[0] == 0 and {3, 4} <= set(order[:4])  # the header, the line, the line that encloses it
    assert tool_outputs.head_tail(case, lines, context()) == [0, 4, 1, 3, 2]
    minified = "{" + ",".join(f'"k{i}":{i}' for i in range(400)) + "}"
    parts = tool_outputs.lines_of(minified)
    assert "".join(minified[a:b] for a, b in parts) == minified and max(b - a for a, b in parts) <= 300


def rows(name: str, system: str, at: str, evidence: list[float], category: str = "") -> list[measures.Row]:
    base = {"set": name, "at": at, "system": system, "category": category, "mode": "all"}
    return [{**base, "id": str(i), "evidence": e} for i, e in enumerate(evidence)]


def test_the_best_peer_is_the_strongest_of_each_cell() -> None:
    families = {"fieldpack": "fieldpack", "a": "x", "b": "y", "oracle": "oracle"}
    everything = [*rows("s", "fieldpack", "5", [1, 1]), *rows("s", "a", "5", [1, 0]), *rows("s", "b", "5", [0, 0])]
    everything += [*rows("s", "fieldpack", "9", [0, 0]), *rows("s", "a", "9", [0, 0]), *rows("s", "b", "9", [1, 1])]
    everything += [*rows("t", "fieldpack", "5", [1]), *rows("t", "b", "5", [0]), *rows("t", "oracle", "5", [1])]
    found = {c["kind"]: c for c in summary.against_best(everything, families, {"s": PASSAGES, "t": TOOL})}
    # s: (0 + 1) / 2 at 5 and -1 at 9; t: 1
    assert found[PASSAGES]["difference"] == -0.25 and found[TOOL]["difference"] == 1 and found["all"]["sets"] == 2
    assert found["all"]["difference"] == pytest.approx(0.375)
    page = tables.best_table({"against_best": list(found.values())})
    assert "| fieldpack | +0.375" in page and "tool (1 sets)" in page


def test_sorts_of_questions_have_means_of_their_own() -> None:
    everything = [*rows("s", "a", "5", [1, 0], "x"), *rows("s", "a", "9", [1, 1], "x"), *rows("s", "a", "5", [0], "y")]
    found = {c["category"]: c for c in summary.by_category([*everything, *rows("s", "a", "5", [1])])}
    assert found["x"]["evidence"] == 0.75 and found["x"]["packs"] == 4 and found["y"]["evidence"] == 0
    assert set(found) == {"x", "y"}


def test_a_run_over_all_kinds_makes_its_tables(data: Path) -> None:
    systems = ("fieldpack", "bm25_chunks", "pieces_200_bm25", "bm25_lines", "bm25s")
    results = quality.run(quality.Options(data, systems=systems, budgets=(20.0,)))
    assert {name: about["kind"] for name, about in results["sets"].items()} == {
        "chat.conv": TALK,
        "docs.folder": FOLDER,
        "dev.toolout": TOOL,
    }
    measured = {(c["set"], c["system"]) for c in results["cells"]}
    assert ("docs.folder", "bm25_chunks") in measured and ("docs.folder", "bm25s") not in measured
    page = tables.quality_page(results)
    assert "complete 20" in page and "facts 20" in page and "| evidence | howto |" in page
    assert "docs.folder" not in quality.sets_of(quality.settled(quality.Options(data, quick=True)))
