"""The benchmarks of the switches, of turns and of the cascade: their arithmetic, and one small run of each."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import fieldpack.relevance.rerank as tier
from fieldpack.bench import fieldpack_systems
from fieldpack.bench.context import Context
from fieldpack.bench.dataset import Query, Span
from fieldpack.bench.statistics import Gap, mean_gap
from fieldpack.embed.service import EmbeddingService
from fieldpack.errors import InputError
from fieldpack.packing.problem import PARAGRAPH_SETTINGS, SENTENCE_SETTINGS
from fieldpack.pipeline import ContextPacker
from fieldpack.request import Request
from fieldpack.text.tokens import tokenizer
from fieldpack.types import Document

FOLDER = Path(__file__).parents[1] / "benchmarks"
TOWNS = ("Arles", "Bruges", "Cadiz", "Delft", "Evora", "Faro")
TEXTS = [
    f"{town} lies on a river. The bridge of {town} was built in {1500 + 7 * i}. People sell fish at its market."
    for i, town in enumerate(TOWNS)
]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its annotations are looked up there
    spec.loader.exec_module(module)
    return module


ablations, turns, cascade = script("ablations"), script("turns"), script("cascade")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two documents of three towns each, three questions about either."""
    passages, queries = [], []
    for i, (town, text) in enumerate(zip(TOWNS, TEXTS, strict=True)):
        doc = "ad"[i // 3]
        passages.append({"id": town, "title": town, "text": text, "doc": doc, "pos": i})
        start = text.index("The bridge")
        spans = [{"pid": town, "start": start, "end": text.index("People") - 1}]
        query = f"When was the bridge of {town} built?"
        queries.append({"id": f"q{i}", "query": query, "doc": doc, "gold": [town], "gold_spans": spans})
    folder = tmp_path / "data"
    folder.mkdir()
    for name, rows in (("passages", passages), ("queries", queries)):
        (folder / f"towns.{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def case() -> Query:
    documents = tuple(Document(t, text, t) for t, text in zip(TOWNS, TEXTS, strict=True))
    return Query("q", "When was the bridge of Delft built?", documents, ("Delft",), (), ())


def context() -> Context:
    return Context(EmbeddingService("static"), tokenizer("o200k_base"))


def test_the_mean_of_sets_weighs_sets_alike_and_its_interval_holds_it() -> None:
    gap = mean_gap({"few": np.array([1.0, 1.0]), "many": np.zeros(50)})
    assert gap == Gap(0.5, 0.5, 0.5) and gap.sure and str(gap) == "+0.500*"
    mixed = mean_gap({"s": np.array([-1.0, 1.0] * 10)})
    assert (
        mixed.low < 0 < mixed.high and str(mixed) == "+0.000" and mean_gap({"s": np.array([-1.0, 1.0] * 10)}) == mixed
    )
    with pytest.raises(InputError, match="in every set"):
        mean_gap({"s": np.array([])})


def test_every_switch_says_what_it_changes_and_only_that() -> None:
    shared, asked = context(), case()
    default = fieldpack_systems.systems()[0]
    for system in fieldpack_systems.ablations():
        assert isinstance(system, fieldpack_systems.Fieldpack) and system.reuse
        corpus = system.corpus(asked, shared)
        packer = system.packer(corpus, shared)
        same = replace(system, changes={}, packing={}, without=(), bias=None, name=default.name, reuse=False)
        assert same == default, system.name
        assert system.changes or system.packing or system.without or system.bias
        if system.packing:
            assert packer.packing != (SENTENCE_SETTINGS if corpus.unit == "sentence" else PARAGRAPH_SETTINGS)
        if system.without:
            weights = json.loads(packer.scorer.read_text("utf-8"))
            assert all(weights["paragraph"]["weights"][f] == 0 for f in system.without)


def test_reading_once_for_all_budgets_changes_no_pack() -> None:
    asked = case()
    for system in (fieldpack_systems.systems()[0], *fieldpack_systems.ablations()):
        assert isinstance(system, fieldpack_systems.Fieldpack)
        once, anew = context(), context()
        for budget in (30, 60, 90):
            kept = replace(system, reuse=True).select(asked, budget, once)
            assert kept == replace(system, reuse=False).select(asked, budget, anew), system.name


def test_the_boundary_lets_in_its_share_of_the_tokens_the_best_first() -> None:
    asked = case()
    packer = ContextPacker()
    corpus = packer.read(asked.passages)
    relevance = packer.pack_corpus(Request.checked(asked.query, 50), corpus).relevance
    tokens = corpus.rows.tokens
    for share in (0.1, 0.5, 0.7):
        inside = np.isfinite(fieldpack_systems.boundary(relevance, corpus, share))
        least = relevance.total[inside].min()
        assert (relevance.total[~inside] < least).all()
        assert tokens[inside].sum() >= share * tokens.sum() - 1e-6
        assert tokens[inside & (relevance.total > least)].sum() < share * tokens.sum()


def test_ablations_resume_and_compare_with_the_default(data: Path, tmp_path: Path) -> None:
    out, rows = tmp_path / "out.json", tmp_path / "rows"
    given = ["--data", str(data), "--rows", str(rows), "--out", str(out), "--limit", "2"]
    ablations.main(given)
    first, stored = json.loads(out.read_text()), (rows / "static" / "auto" / "towns.jsonl").read_text()
    ablations.main(given)
    assert json.loads(out.read_text()) == first and (rows / "static" / "auto" / "towns.jsonl").read_text() == stored
    names = {*(s.name for s in fieldpack_systems.ablations()), "with_0.8_of_the_budget"}
    assert {r["system"] for r in first["compared"]} == names and first["sets"]["towns"]["queries"] == 2
    page = ablations.table(first)
    assert all(f"| {name} |" in page for name in names) and "| switch | mean |" in page


def test_a_talk_is_consecutive_queries_of_one_pool(data: Path) -> None:
    from fieldpack.bench.corpora import load_named

    found = turns.talks(load_named(data, "towns"), 6, 9)
    assert [[q.id for q in talk] for talk in found] == [["q0", "q1", "q2"], ["q3", "q4", "q5"]]
    assert turns.talks(load_named(data, "towns"), 2, 9) == []  # too short to be one


def test_turns_measure_overlap_between_none_and_all(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "turns.json"
    turns.main(["--data", str(data), "--sets", "towns", "--few", "--out", str(out)])
    results = json.loads(out.read_text())
    assert results["sets"]["towns"] == {"conversations": 2, "turns": 6, "budget": "10%"}
    base = results["default"]["towns"]
    assert all(0 <= base[m] <= 1 for m in ("evidence", "overlap", "again", "prefix", "used"))
    assert "| faint, residue_weight 1 |" in turns.table(results)


def test_what_weighs_more_is_kept_longer() -> None:
    """The same candidates, three questions: with a residue of 50 log odds the pack stays, with none it follows."""
    talk = [replace(case(), id=t, query=f"When was the bridge of {t} built?", gold=(t,)) for t in TOWNS[:3]]
    default, shared = turns.switches(False)[0], context()

    def overlap(switch: Any) -> float:
        return float(np.mean([r["overlap"] for r in turns.walked(talk, switch, 40, shared)[1:]]))

    firm = overlap(default._replace(residue_weight=50.0))
    assert overlap(default._replace(residue_weight=0.0)) < firm and firm > 0.6


def test_pools_are_joined_until_they_are_large(data: Path) -> None:
    from fieldpack.bench.corpora import load_named

    cases = load_named(data, "towns")
    alone, both = cascade.joined(cases, 3), cascade.joined(cases, 4)
    assert {len(c.passages) for c in alone} == {3} and len(alone) == 6
    assert {len(c.passages) for c in both} == {6} and len(both) == 6
    assert len(list(cascade.pools(alone))) == 2 and len(list(cascade.pools(both))) == 1


def test_a_cascade_that_reads_all_is_minilm(data: Path, tmp_path: Path) -> None:
    class Letters:
        dims, fingerprint = 26, "letters"

        def embed(self, texts: list[str]) -> Any:
            rows = np.array([[t.lower().count(chr(97 + i)) for i in range(26)] for t in texts], np.float32) + 0.01
            return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    out, before = tmp_path / "cascade.json", (tier.FEWEST, tier.MOST)
    given = ["--data", str(data), "--pools", "towns:4", "--candidates", "8,64", "--timed", "1", "--out", str(out)]
    cascade.main(given, Letters())
    assert before == (tier.FEWEST, tier.MOST)
    results = json.loads(out.read_text())
    assert "| towns, 6 | 6 | 64 |" in cascade.table(results) and "| towns, 6 | 6 | 8 |" not in cascade.table(results)
    found = results["entries"]
    assert [e["candidates"] for e in found] == [8, 64] and all(e["difference"] == 0 for e in found)
    assert all(e["queries"] == 6 and e["passages"] == 6 and e["cascade_s"] > 0 for e in found)


situations = script("situations")


def test_a_copy_counts_as_what_it_copies() -> None:
    asked = situations.twice(case())
    first = case().passages[0]
    assert len({p.id for p in asked.passages}) == len(asked.passages) == 2 * len(case().passages)
    whole = situations.either(case(), [Span(first.id + situations.COPY, 3, len(first.text) + 9)])
    assert whole == (Span(first.id, 3, len(first.text)),)
    assert situations.either(case(), [Span(first.id + situations.COPY, len(first.text), len(first.text) + 9)]) == ()


def test_candidates_that_come_twice_are_packed_once() -> None:
    asked = case()
    doubled = ContextPacker().pack(asked.query, situations.twice(asked).passages, 60)
    texts = [k.text for k in doubled.kept]
    assert len(texts) > 2 and len(set(texts)) == len(texts)


def test_situations_run_and_make_their_tables(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "situations.json"
    for name in ("PEERS", "FOR_SEVERAL"):  # the others' libraries may not be there
        monkeypatch.setattr(situations, name, ("dense",))
    situations.main(["--data", str(data), "--limit", "2", "--out", str(out)])
    results = json.loads(out.read_text())
    found = {(r["situation"], r["view"], r["system"]): r for r in results["results"]}
    assert found["copies", "once", "fieldpack"]["mean"] >= found["copies", "twice", "without_duplicates"]["mean"]
    assert 0 <= found["several", "least", "fieldpack"]["mean"] <= found["several", "mean", "fieldpack"]["mean"] <= 1
    assert "| fieldpack, apart |" in situations.table(results, "several")
