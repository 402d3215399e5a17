"""The same input gives the same bytes; documents in another order, or under other names, give the same evidence."""

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles import repeats_by_words

import fieldpack as fp
from fieldpack.embed.testing import HashEmbedder
from fieldpack.field.couplings import Couplings
from fieldpack.packing.problem import PackingSettings, Problem
from fieldpack.packing.select import select
from fieldpack.request import Request

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import fuzz_budget as fuzz

FACTS = """Azurite is a deep blue copper mineral that forms where copper ore weathers. Miners ground it for blue paint.
Tides are caused by the gravity of the Moon and the Sun. Spring tides come at new and at full moon.
Sourdough bread is leavened with wild yeast. A starter wants flour, water and some days of patience.
Neil Peart was the drummer of the Canadian rock band Rush. He entered the Modern Drummer Hall of Fame in 1983.
Glaciers carve valleys with steep walls. When they melt, they leave long ridges of gravel behind.
The printing press spread through Europe after 1450. Books became cheap enough for merchants to own.
Honey bees dance to tell the hive where nectar is. The angle of the dance gives the direction.
A sundial shows the hour by the shadow of its gnomon. It must be set for the latitude of its garden.
Penguins keep their eggs warm on their feet. The males fast through the dark of the Antarctic winter.
Concrete hardens because cement binds water. Roman builders mixed it with volcanic ash.
The violin has four strings tuned in fifths. Its varnish does less for the sound than people say.
Coffee came to Venice in the seventeenth century. The first houses that sold it stood near the harbour."""
DOCUMENTS = [fp.Document(f"fact-{chr(97 + i)}", line) for i, line in enumerate(FACTS.split("\n"))]
QUERIES = ["What causes spring tides?", "Who played drums for a rock band?", "How do bees tell where nectar is?"]


def shown(result):
    """All that a result says, times left out."""
    found = result.to_dict()
    del found["timings_ms"]
    return json.dumps(found, sort_keys=True)


def kept(result, names=None):
    """(document, start, end) of what was kept, whatever the order of documents."""
    return {((names or {}).get(k.doc_id, k.doc_id), k.start, k.end) for k in result.kept}


def test_other_processes_hash_seeds_and_threads_give_the_same_bytes():
    worlds = range(7_000_000, 7_000_008)
    assert len({fuzz.another_process(worlds, seed, threads) for seed, threads in (("0", "1"), ("424242", "2"))}) == 1


def test_a_pack_leaves_no_trace_on_the_next():
    packer = fp.ContextPacker()
    first = [shown(packer.pack(q, DOCUMENTS, 60)) for q in QUERIES]
    again = [shown(packer.pack(q, DOCUMENTS, 60)) for q in reversed(QUERIES)][::-1]
    assert first == again == [shown(fp.ContextPacker().pack(q, DOCUMENTS, 60)) for q in QUERIES]
    assert shown(packer.pack(QUERIES[0], DOCUMENTS, 200).repack(60)) == first[0]


@pytest.mark.parametrize("unit", ["paragraph", "sentence"])
@pytest.mark.parametrize("query", QUERIES)
def test_documents_in_another_order_give_the_same_evidence(unit, query):
    packer = fp.ContextPacker(unit=unit)
    for budget in (25, 60, 120):
        wanted = kept(packer.pack(query, DOCUMENTS, budget))
        for seed in range(4):
            mixed = random.Random(seed).sample(DOCUMENTS, len(DOCUMENTS))
            assert kept(packer.pack(query, mixed, budget)) == wanted


def test_names_carry_no_weight():
    packer = fp.ContextPacker()
    names = {d.id: f"z{9 - i}" if i < 9 else f"a{i}" for i, d in enumerate(DOCUMENTS)}
    renamed = [replace(d, id=names[d.id]) for d in DOCUMENTS]
    for query in QUERIES:
        first, second = (packer.pack(query, documents, 60) for documents in (DOCUMENTS, renamed))
        assert kept(first, names) == kept(second) and first.text == second.text


def test_equal_documents_are_taken_in_their_order():
    texts = ["Tides are caused by the Moon."] * 5 + ["Bread is baked."]
    result = fp.ContextPacker().pack("what causes tides", texts, 9)
    assert [k.doc_id for k in result.kept] == ["doc-0"]


def test_vectors_from_the_cache_or_fresh(tmp_path):
    def packed(cache):
        return [
            shown(fp.ContextPacker(embedder=fp.EmbeddingService(HashEmbedder(), cache=cache)).pack(q, DOCUMENTS, 60))
            for q in QUERIES
        ]

    fresh, cache = packed(None), tmp_path / "vectors.sqlite"
    assert packed(cache) == fresh
    assert cache.stat().st_size > 0 and packed(cache) == fresh, "read back from the file"
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); import test_determinism as t; import fieldpack as fp\n"
        "service = fp.EmbeddingService(t.HashEmbedder(), cache=sys.argv[2])\n"
        "print(json.dumps([t.shown(fp.ContextPacker(embedder=service).pack(q, t.DOCUMENTS, 60)) for q in t.QUERIES]))"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(cache)]
    assert json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) == fresh


def permuted(problem, order):
    """The same problem with its rows in another order; each row its own document and paragraph."""
    c = problem.couplings
    bags = [c.words[c.offsets[i] : c.offsets[i + 1]] for i in order]
    titles = [c.title_words[c.title_offsets[i] : c.title_offsets[i + 1]] for i in order]
    words, offsets = np.concatenate(bags), np.cumsum([0, *map(len, bags)])
    couplings = Couplings(
        words=words,
        offsets=offsets,
        paragraph=np.arange(len(order)),
        document=np.arange(len(order)),
        title_words=np.concatenate(titles),
        title_offsets=np.cumsum([0, *map(len, titles)]),
        idf=c.idf,
        query_ids=c.query_ids,
        vectors=c.vectors[order],
        has_titles=c.has_titles,
        repeats=repeats_by_words(words, offsets),
        repeats_rows=np.arange(len(order)),
    )
    return replace(
        problem.take(np.asarray(order)),
        couplings=couplings,
        paragraph=np.arange(len(order)),
        document=np.arange(len(order)),
    )


@pytest.mark.parametrize("seed", range(12))
def test_the_packer_does_not_care_for_the_order_of_rows(seed):
    rng = np.random.default_rng(seed)
    n, words = 10, 30
    offsets = np.cumsum([0, *rng.integers(2, 7, n)])
    vectors = rng.normal(size=(n, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    bags = rng.integers(0, words, offsets[-1])
    couplings = Couplings(
        words=bags,
        offsets=offsets,
        paragraph=np.arange(n),
        document=np.arange(n),
        title_words=rng.integers(0, words, 2 * n),
        title_offsets=np.arange(0, 2 * n + 1, 2),
        idf=rng.random(words).astype(np.float32),
        query_ids=np.unique(rng.integers(0, words, 3)),
        vectors=vectors,
        has_titles=bool(seed % 2),
        repeats=repeats_by_words(bags, offsets),
        repeats_rows=np.arange(n),
    )
    problem = Problem(
        logit=rng.normal(-1, 2, n).astype(np.float32),
        cost=rng.integers(1, 12, n),
        max_similarity=rng.random((3, n)).astype(np.float32),
        word_weight=np.full(3, 1 / 3, np.float32),
        attraction=np.zeros((0, n), np.float32),
        attraction_weight=np.zeros(0, np.float32),
        paragraph=np.arange(n),
        document=np.arange(n),
        header_tokens=rng.integers(0, 4, n),
        pinned=np.zeros(n, bool),
        eligible=np.ones(n, bool),
        is_heading=np.zeros(n, bool),
        couplings=couplings,
    )
    chosen = PackingSettings(rho=(0.0, 0.5, 1.0))
    for budget in (8, 20, 40):
        found = select(problem, budget, chosen)
        order = rng.permutation(n)
        other = select(permuted(problem, order), budget, chosen)
        assert set(order[other.chosen].tolist()) == set(found.chosen.tolist())
        assert other.value == pytest.approx(found.value, abs=1e-4) and other.bound == pytest.approx(
            found.bound, abs=1e-4
        )


@pytest.mark.parametrize("seed", range(6))
def test_the_last_bits_of_scores_decide_nothing(seed):
    """What threads, processors and libraries change in a score (here ten times as much) leaves the same rows."""
    twice = [*DOCUMENTS, *(replace(d, id=f"{d.id}-again") for d in DOCUMENTS[::2])]
    packer, rng = fp.ContextPacker(unit="sentence"), np.random.default_rng(seed)
    corpus = packer.read(tuple(twice))

    def shaken(scored):
        def near(values):
            return np.asarray(values * (1 + 1e-6 * rng.standard_normal(values.shape)), np.float32)

        logit, similarity = near(scored.relevance.logit), near(scored.relevance.max_similarity)
        relevance = replace(scored.relevance, logit=logit, max_similarity=similarity)
        problem = replace(scored.problem, logit=logit, max_similarity=similarity)
        return replace(scored, relevance=relevance, problem=problem)

    for query in QUERIES:
        for budget in (25, 60, 120):
            request = Request.checked(query, budget)
            plain = packer.pack_corpus(request, corpus)
            assert packer.choose(request, shaken(plain.scored)).inside.tolist() == plain.inside.tolist()
