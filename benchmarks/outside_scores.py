"""What scores from outside bring: BM25, MiniLM cosines and random numbers as `scores=`, at several weights.

    python benchmarks/outside_scores.py --data FOLDER [--limit 8] [--out benchmarks/results/outside_scores.json]

Evidence at three budgets (a tenth, a quarter and half of the candidates; 500, 1,000 and 2,000 tokens where these are
many) in points over a pack without scores. Weights of the scorer are those trained without the set at hand
(benchmarks/held_out), static vectors. For each set also the weight that the other sets would choose.
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from fieldpack.analysis.metrics import evidence_kept
from fieldpack.bench.corpora import discover, load_named
from fieldpack.bench.dataset import Span
from fieldpack.bench.machine import machine
from fieldpack.embed.service import EmbeddingService
from fieldpack.pipeline import ContextPacker
from fieldpack.request import Request

HERE = Path(__file__).resolve().parent
WEIGHTS = (0.15, 0.3, 0.5, 1.0)
KINDS = ("bm25", "minilm", "random")


def evidence(case, result):
    """Share of the evidence's characters kept; in mode any, of the passage that is kept best."""
    kept = [Span(k.doc_id, k.start, k.end) for k in result.kept]
    spans = case.evidence()
    if case.mode != "any":
        return evidence_kept(list(spans), kept)
    return max(evidence_kept([s for s in spans if s.doc_id == name], kept) for name in {s.doc_id for s in spans})


def retrievers(passages, minilm):
    """{kind: function of a query to one score for each passage}."""
    import bm25s

    texts = [f"{p.title}\n{p.text}" for p in passages]
    index, rng = bm25s.BM25(), np.random.default_rng(0)
    index.index(bm25s.tokenize(texts, stopwords="en", show_progress=False), show_progress=False)
    rows = minilm.embed(texts)

    def bm25(query):
        words = bm25s.tokenize([query], stopwords="en", show_progress=False, return_ids=False)[0]
        return index.get_scores(words) if words else np.zeros(len(texts))

    return {
        "bm25": bm25,
        "minilm": lambda query: rows @ minilm.embed_one(query),
        "random": lambda query: rng.random(len(texts)),
    }


def measured(name, options):
    """{(kind, weight): evidence of every query and budget} of a set; (None, 0) without scores."""
    packer = ContextPacker(scorer=HERE / "held_out" / f"{name}.json", enough=1.0)
    minilm, read, out = EmbeddingService("minilm", cache=options.cache), {}, {}
    for case in load_named(options.data, name, options.limit):
        if case.mode == "none" or not case.gold:
            continue
        key = tuple(p.id for p in case.passages)
        if key not in read:
            read = {key: (packer.read(case.passages), retrievers(case.passages, minilm))}
        corpus, score = read[key]
        total = int(corpus.rows.tokens.sum())
        budgets = (500, 1000, 2000) if total > 6000 else (max(30, total // 10), total // 4, total // 2)
        given = {(None, 0): None} | {(kind, w): score[kind](case.query) for kind in KINDS for w in WEIGHTS}
        for (kind, weight), scores in given.items():
            request = Request.checked(case.query, budgets[0], scores=scores)
            result = replace(packer, score_weight=weight).pack_corpus(request, corpus)
            packs = [result, *(result.repack(b) for b in budgets[1:])]
            out.setdefault((kind, weight), []).extend(evidence(case, p) for p in packs)
    return {key: float(np.mean(values)) for key, values in out.items()}


def chosen_by_others(sets):
    """{set: the weight that is best on the mean of BM25 and MiniLM over the other sets}."""
    out = {}
    for name in sets:
        others = [rows for other, rows in sets.items() if other != name]
        gain = {w: np.mean([r[k, w] - r[None, 0] for r in others for k in KINDS[:2]]) for w in WEIGHTS}
        out[name] = max(gain, key=gain.get)
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("FIELDPACK_DATA"), required="FIELDPACK_DATA" not in os.environ)
    parser.add_argument("--limit", type=int, default=8)
    parser.add_argument("--cache", type=Path, help="SQLite file for vectors.")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "outside_scores.json")
    options = parser.parse_args()
    sets = {}
    for name in discover(options.data):
        if (HERE / "held_out" / f"{name}.json").is_file():
            sets[name] = measured(name, options)
            print(name, flush=True)
    points = {
        f"{kind} {w}": {n: round(100 * (rows[kind, w] - rows[None, 0]), 2) for n, rows in sets.items()}
        for kind in KINDS
        for w in WEIGHTS
    }
    results = {
        "command": f"python benchmarks/outside_scores.py --data FOLDER --limit {options.limit}",
        "machine": machine(),
        "mean": {key: round(float(np.mean(list(v.values()))), 2) for key, v in points.items()},
        "weight_chosen_by_other_sets": chosen_by_others(sets),
        "points": points,
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(results["mean"], results["weight_chosen_by_other_sets"])
