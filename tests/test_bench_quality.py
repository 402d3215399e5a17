"""The benchmark's own arithmetic, on a data set and systems small enough to work out by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fieldpack.bench import budgets, measures, quality, registry, summary, system, tables
from fieldpack.bench.context import Context, Packed, blank_line, cut, descending
from fieldpack.bench.dataset import Query, Span
from fieldpack.bench.shards import Shard
from fieldpack.errors import InputError, MissingExtraError, SettingsError, UnknownNameError
from fieldpack.types import Document, FloatArray, IntArray


class Words:
    """Counts words and blank lines, so that joins cost."""

    name = "words"

    def count(self, text: str) -> int:
        return len(text.split()) + text.count("\n\n")

    def count_many(self, texts: Iterable[str]) -> IntArray:
        return np.array([self.count(t) for t in texts], np.int64)


class Letters:
    """A row is the letters that a text has."""

    dims, fingerprint = 26, "letters"
    calls = 0

    def embed(self, texts: Iterable[str]) -> FloatArray:
        self.calls += 1
        rows = np.array([[t.lower().count(chr(97 + i)) for i in range(26)] for t in texts], np.float32) + 0.01
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def context() -> Context:
    return Context(Letters(), Words())


PASSAGES = (Document("a", "zebra zoo zigzag"), Document("b", "quiz quick quilt queen"), Document("c", "apple"))
CASE = Query("q", "quiz queen", PASSAGES, ("b",), (Span("b", 5, 10),), ("quick",))


def test_cut_skips_what_does_not_fit_and_counts_the_joined_string() -> None:
    packed = cut([1, 0, 2], CASE, 6, context())
    assert packed.text == "quiz quick quilt queen\n\napple"  # 4 + 1 + 1
    assert packed.spans == (Span("b", 0, 22), Span("c", 0, 5))
    # the library's own way takes passages by their sum and is over after the join
    tight = cut([1, 2], CASE, 5, context())
    assert tight.text == "quiz quick quilt queen" and Words().count(tight.rendered) == 6


def test_cut_never_exceeds_a_count_that_does_not_add_up() -> None:
    class Growing(Words):
        def count(self, text: str) -> int:
            return len(text.split()) ** 2

    packed = cut([0, 1, 2], CASE, 20, Context(Letters(), Growing()))
    assert Growing().count(packed.text) <= 20


def test_ties_keep_reading_order() -> None:
    assert descending(np.array([0.5, 1.0, 0.5, 1.0])) == [1, 3, 0, 2]


@pytest.mark.parametrize("name", ["truncate", "random", "dense", "dense_titled", "oracle"])
def test_baselines_keep_to_the_budget(name: str) -> None:
    (system,) = registry.named([name])
    for budget in range(12):
        shared = context()
        packed = system.select(CASE, budget, shared)
        assert shared.tokenizer.count(packed.text) <= budget
        assert packed.text == blank_line([next(p for p in PASSAGES if p.id == s.doc_id) for s in packed.spans])


@pytest.mark.parametrize(
    "name",
    [
        n
        for n, s in registry.all_systems().items()
        if s.family not in ("fieldpack", "baseline") and "passages" in s.kinds
    ],
)
def test_peers_answer_within_the_budget(name: str) -> None:
    """Each peer that is installed packs without error; one that is not says which extra brings it."""
    (system,) = registry.named([name])
    shared = context()
    try:
        packed = system.select(CASE, 6, shared)
    except MissingExtraError as error:
        assert "fieldpack[bench]" in str(error)
        return
    assert shared.tokenizer.count(packed.text) <= 6
    assert {s.doc_id for s in packed.spans} <= {"a", "b", "c"}


OURS = [n for n, s in registry.all_systems().items() if s.family == "fieldpack" and "passages" in s.kinds]


@pytest.mark.parametrize("name", OURS)
def test_fieldpack_answers_with_verbatim_spans(name: str) -> None:
    (system,) = registry.named([name])
    shared = context()
    packed = system.select(CASE, 5, shared)
    bodies = {p.id: p.text for p in PASSAGES}
    assert packed.spans and all(bodies[s.doc_id][s.start : s.end] in packed.text for s in packed.spans)
    assert shared.tokenizer.count(packed.text) <= 5 and packed.rendered == packed.text
    reads_vectors = "minilm" in name or "cascade" in name
    assert (shared.embedded_chars > 0) == reads_vectors


def test_dense_and_oracle_find_the_evidence() -> None:
    for name in ("dense", "oracle"):
        (system,) = registry.named([name])
        assert system.select(CASE, 4, context()).spans == (Span("b", 0, 22),)


def test_an_unknown_system_lists_the_known() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'bm25s'"):
        registry.named(["bm25"])


def test_orders_are_made_once_a_query_and_their_time_is_replayed() -> None:
    made = []

    def rank(case: Query, budget: int, shared: Context) -> Iterable[int]:
        made.append(budget)
        shared.embed(["x" * 7])
        return [0, 1, 2]

    shared = context()
    once, always = system.Ranked("once", "t", rank), system.Ranked("always", "t", rank, budgeted=True)
    for budget in (4, 8):
        once.select(CASE, budget, shared)
    assert made == [4] and shared.embedded_chars == 14 and shared.replayed_seconds > 0
    for budget in (4, 8):
        always.select(CASE, budget, shared)
    assert made == [4, 4, 8]
    once.select(replace(CASE, id="other"), 4, shared)
    assert made == [4, 4, 8, 4]


def packed(*spans: Span, text: str = "") -> Packed:
    return Packed(text, spans, text)


def test_evidence_is_counted_in_characters_once() -> None:
    row = measures.measure(CASE, packed(Span("b", 0, 7), Span("b", 5, 8), text="Quick!"), 9, context())
    assert row["evidence"] == 3 / 5 and row["complete"] is False and row["recall"] == 0
    assert row["answer"] is True and row["tokens"] == 1


def test_any_needs_one_gold_passage_and_none_has_no_evidence() -> None:
    either = replace(CASE, gold=("a", "b"), gold_spans=(Span("a", 0, 5), Span("b", 0, 4), Span("b", 5, 9)), mode="any")
    row = measures.measure(either, packed(Span("b", 0, 6), Span("a", 0, 1)), 9, context())
    assert row["complete"] is False and row["evidence"] == 5 / 8
    assert measures.measure(either, packed(Span("a", 0, 5)), 9, context())["complete"] is True
    row = measures.measure(replace(CASE, gold=(), gold_spans=(), answers=(), mode="none"), packed(), 9, context())
    assert row["evidence"] is row["complete"] is row["answer"] is row["recall"] is None


def test_budgets_are_shares_of_small_sets_and_absolute_for_large_ones() -> None:
    assert budgets.candidate_tokens([CASE, CASE], Words()) == [10, 10]
    assert budgets.choose((), [10, 10]) == budgets.SHARES
    assert budgets.choose((), [20_000]) == budgets.ABSOLUTE
    assert [budgets.tokens_of(b, 10) for b in (0.05, 0.5, 7)] == [1, 5, 7]
    assert [budgets.label(b) for b in (0.05, 500.0)] == ["5%", "500"]
    with pytest.raises(SettingsError, match="above 0"):
        budgets.choose((-1,), [10])


def rows(system: str, evidence: list[float], **extra: Any) -> list[measures.Row]:
    base = {"set": "s", "at": "5%", "system": system, "mode": "all", "ms": 1.0, "embedded": 10, "budget": 4}
    base |= {"tokens": 2, "rendered": 5, "complete": None, "answer": None, "recall": None}
    return [{**base, "id": str(i), "evidence": e, **extra} for i, e in enumerate(evidence)]


FAMILIES = {"fieldpack": "fieldpack", "good": "x", "bad": "x", "oracle": "oracle"}


def test_cells_compare_with_the_best_peer_only() -> None:
    everything = [
        *rows("fieldpack", [1, 1, 0.5, 1] * 5),
        *rows("good", [0.5, 1, 0.5, 1] * 5),
        *rows("bad", [0, 0, 0, 1] * 5),
        *rows("oracle", [1] * 20),
    ]
    ours, good, *_ = summary.cells(everything, FAMILIES)
    assert ours["against"] == "good" and ours["ahead"] == 0.125 and "ahead" not in good
    assert ours["ahead_ci"][0] <= 0.125 <= ours["ahead_ci"][1] and 0 < ours["p"] < 0.2
    assert good["evidence"] == 0.75 and good["evidence_ci"][0] < 0.75 < good["evidence_ci"][1]
    assert good["over"] == 0 and good["rendered_over"] == 20 and good["used"] == 0.5


def test_ablations_are_paired_with_the_default_over_all_budgets() -> None:
    everything = [*rows("fieldpack", [1, 0]), *rows("fieldpack", [0, 0], at="9%"), *rows("without", [0, 0])]
    everything += [*rows("without", [0, 0], at="9%"), *rows("good", [1, 1])]
    families = {**FAMILIES, "without": "fieldpack"}
    (found,) = summary.against_default(everything, families)
    assert found["system"] == "without" and found["difference"] == -0.25 and found["queries"] == 2
    page = tables.ablation_table({"against_default": [{**found, "ci": [-0.4, -0.1]}], "sets": {"s": {}}})
    assert "| without | -0.250* |" in page
    assert summary.against_default(rows("without", [0]), families) == []


def test_errors_and_queries_without_evidence_are_counted_apart() -> None:
    failed = [{"set": "s", "at": "5%", "system": "bad", "id": "9", "error": "Boom"}]
    nothing = [{**r, "evidence": None} for r in rows("bad", [0], mode="none", tokens=0)]
    (cell,) = summary.cells([*rows("bad", [0.5]), *failed, *nothing], FAMILIES)
    assert cell["errors"] == 1 and cell["evidence"] == 0.5 and cell["queries"] == 2
    assert cell["empty_without_evidence"] == 1 and cell["empty"] == 0


@pytest.fixture
def data(tmp_path: Path) -> Path:
    lines = []
    for i in range(6):
        passages = [{"id": f"{i}{p.id}", "text": p.text} for p in PASSAGES]
        spans = [{"pid": f"{i}b", "start": 5, "end": 10}]
        row = {"id": f"q{i}", "query": f"quiz queen {i}", "passages": passages, "gold": [f"{i}b"], "gold_spans": spans}
        lines.append(json.dumps({**row, "answers": ["quick"]}))
    (tmp_path / "tiny.jsonl").write_text("\n".join(lines))
    return tmp_path


OPTIONS: dict[str, Any] = {"systems": ("truncate", "dense", "oracle"), "budgets": (0.5,)}


def test_a_run_measures_every_system_and_makes_tables(data: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    results = quality.run(
        quality.Options(data, limit=4, **OPTIONS), lambda *step: seen.append(step), embedder=Letters()
    )
    assert seen[-1] == ("tiny", 4, 4)
    assert results["sets"]["tiny"]["queries"] == 4 and results["sets"]["tiny"]["budgets"] == ["50%"]
    found = {c["system"]: c["evidence"] for c in results["cells"]}
    assert found == {"truncate": 0.0, "dense": 1.0, "oracle": 1.0}
    quality.save(results, tmp_path / "out" / "r.json")
    assert json.loads((tmp_path / "out" / "r.json").read_text()) == json.loads(json.dumps(results))
    page = tables.quality_page(results)
    assert "| dense | **1.000 [1.00, 1.00]** | 1.000 |" in page and "### tiny" in page


def test_a_run_out_of_time_still_asks_three_queries_of_each_set(data: Path) -> None:
    results = quality.run(quality.Options(data, seconds=1e-9, **OPTIONS), embedder=Letters())
    assert results["sets"]["tiny"]["queries"] == 3 and {c["queries"] for c in results["cells"]} == {3}


def test_a_quick_run_needs_no_transformer(data: Path) -> None:
    results = quality.run(quality.Options(data, quick=True))
    assert results["embedder"].startswith("static") and "fieldpack" in results["systems"]
    found = {c["system"]: c.get("evidence") for c in results["cells"] if c["budget"] == "50%"}
    assert found["fieldpack"] == 1.0


def test_a_run_resumes_and_measures_only_what_is_missing(data: Path, tmp_path: Path, monkeypatch: Any) -> None:
    options = quality.Options(data, limit=3, out=tmp_path / "out", **OPTIONS)
    first = quality.run(options, embedder=Letters())
    shard = next((tmp_path / "out").glob("shards-*/tiny/dense.jsonl"))
    lines = shard.read_text().splitlines()
    shard.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:10])  # killed while writing its last row
    asked: list[tuple[str, str]] = []
    select = system.Ranked.select

    def spy(self: system.Ranked, case: Query, budget: int, shared: Context) -> Packed:
        asked.append((self.name, case.id))
        return select(self, case, budget, shared)

    monkeypatch.setattr(system.Ranked, "select", spy)
    second = quality.run(options, embedder=Letters())
    assert len(asked) == 1 and asked[0][0] == "dense"
    assert [c["evidence"] for c in second["cells"]] == [c["evidence"] for c in first["cells"]]
    asked.clear()
    quality.run(replace(options, redo=("truncate",)), embedder=Letters())
    assert [name for name, _ in asked] == ["truncate"] * 3


def test_a_peer_that_fails_is_counted_and_one_that_is_missing_is_skipped(data: Path, monkeypatch: Any) -> None:
    def boom(case: Query, budget: int, shared: Context) -> Iterable[int]:
        raise RuntimeError("no")

    def missing(case: Query, budget: int, shared: Context) -> Iterable[int]:
        system.require("no_such_package.part")
        return []

    fakes = tuple(system.Ranked(f.__name__, "x", f) for f in (boom, missing))
    monkeypatch.setattr(quality, "named", lambda _: fakes)
    results = quality.run(quality.Options(data, systems=("boom",), budgets=(0.5,)), embedder=Letters())
    assert results["cells"][0]["errors"] == 6 and results["cells"][0]["error"] == "RuntimeError: no"
    assert "fieldpack[bench]" in results["skipped"]["missing"]


def test_shards_without_a_folder_stay_in_memory() -> None:
    shard = Shard(None)
    shard.add([{"id": "q", "at": "5%"}])
    assert shard.has("q", "5%") and not shard.has("q", "10%")


def test_tables_go_between_their_markers(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("a\n<!-- quality -->\nold\n<!-- /quality -->\nb\n")
    tables.insert(page, "quality", "new")
    assert page.read_text() == "a\n<!-- quality -->\n\nnew\n\n<!-- /quality -->\nb\n"
    with pytest.raises(InputError, match="markers"):
        tables.insert(page, "speed", "new")


def test_options_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="limit is 0"):
        quality.Options(tmp_path, limit=0)
    with pytest.raises(InputError, match="no such file"):
        quality.run(quality.Options(tmp_path / "none"), embedder=Letters())
