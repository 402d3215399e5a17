"""When is it enough? Evidence kept against tokens spent, of packs that end early, by five rules.

    python benchmarks/enough.py --data FOLDER [--limit 40] [--out benchmarks/results/enough.json]

The budget is half of the candidates' tokens, 4,000 at most. Each rule is given as the share of the full pack's evidence
that it keeps, and the share of its tokens that it takes:

enough: the packer's rule (`fieldpack.packing.enough`). budget: a smaller budget, filled. floor: min_relevance.
threshold: LangChain's EmbeddingsFilter(similarity_threshold) with MiniLM, the passages that pass packed by us. top:
that share of the segments, the most relevant first.

Weights are those trained without the set at hand (benchmarks/held_out).
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
from fieldpack.bench.statistics import mean_gap
from fieldpack.embed.service import EmbeddingService
from fieldpack.pipeline import ContextPacker
from fieldpack.request import Request
from fieldpack.scored import Extras

HERE = Path(__file__).resolve().parent
MOST = 4000
ENOUGH = (0.8, 0.9, 0.95, 0.98, 0.99)
BUDGETS = (0.9, 0.8, 0.7, 0.6, 0.5)
FLOORS = (0.005, 0.01, 0.02, 0.05, 0.1)
THRESHOLDS = (0.0, 0.1, 0.2, 0.3)
TOPS = (0.5, 0.35, 0.25, 0.15)


def evidence(case, result):
    """Share of the evidence's characters kept; in mode any, of the passage that is kept best."""
    kept = [Span(k.doc_id, k.start, k.end) for k in result.kept]
    spans = case.evidence()
    if case.mode != "any":
        return evidence_kept(list(spans), kept)
    return max(evidence_kept([s for s in spans if s.doc_id == name], kept) for name in {s.doc_id for s in spans})


class Cases:
    """The queries of one set, each with its corpus; documents are read once."""

    def __init__(self, name, options):
        self.packer = ContextPacker(scorer=HERE / "held_out" / f"{name}.json", enough=1.0)
        self.minilm = EmbeddingService("minilm", cache=options.cache)
        self.cases = [c for c in load_named(options.data, name, options.limit) if c.mode != "none" and c.gold]
        self.corpora = {}

    def __iter__(self):
        for case in self.cases:
            key = tuple(p.id for p in case.passages)
            if key not in self.corpora:
                corpus = self.packer.read(case.passages)
                texts = [f"{p.title}\n{p.text}" if p.title else p.text for p in case.passages]
                self.corpora = {key: (corpus, self.minilm.embed(texts))}
            yield (case, *self.corpora[key])


def packs(case, corpus, vectors, cases):
    """(rule, its parameter, the pack) of one query."""
    packer = cases.packer
    budget = min(max(int(corpus.rows.tokens.sum()) // 2, 8), MOST)
    request = Request.checked(case.query, budget)
    full = packer.pack_corpus(request, corpus)
    yield "full", 1.0, full
    for share in ENOUGH:
        yield "enough", share, replace(packer, enough=share).pack_corpus(request, corpus)
    for share in BUDGETS:
        yield "budget", share, full.repack(max(int(budget * share), 4))
    for floor in FLOORS:
        yield "floor", floor, replace(packer, min_relevance=floor).pack_corpus(request, corpus)
    cosine = vectors @ cases.minilm.embed_one(case.query)
    for least in THRESHOLDS:
        yield "threshold", least, packer.pack_corpus(request, corpus, extras=without((cosine < least)[corpus.rows.doc]))
    order = np.argsort(np.argsort(-full.relevance.total, kind="stable"))
    for share in TOPS:
        yield "top", share, packer.pack_corpus(request, corpus, extras=without(order >= max(share * len(order), 1)))


def without(rows):
    """Keeps some rows (n,) out."""
    return Extras(bias=np.where(rows, -np.inf, 0).astype(np.float32))


def measured(name, options):
    """{(rule, parameter): (evidence (q,), tokens (q,))} of a set, and whether the default ended early (q,)."""
    found, ended = {}, []
    cases = Cases(name, options)
    for case, corpus, vectors in cases:
        for rule, value, result in packs(case, corpus, vectors, cases):
            found.setdefault((rule, value), []).append((evidence(case, result), result.tokens))
            if (rule, value) == ("enough", 0.95):
                ended.append(result.enough.ended)
    return {key: np.array(rows, float).T for key, rows in found.items()}, np.array(ended)


def summary(sets):
    """Means over sets of the shares of the full pack's evidence and tokens, for each rule and parameter."""
    out = []
    for key in next(iter(sets.values())):
        evidence_share = {n: rows[key][0].mean() / max(rows["full", 1.0][0].mean(), 1e-9) for n, rows in sets.items()}
        token_share = {n: rows[key][1].sum() / rows["full", 1.0][1].sum() for n, rows in sets.items()}
        out.append(
            {
                "rule": key[0],
                "at": key[1],
                "evidence": round(float(np.mean(list(evidence_share.values()))), 4),
                "tokens": round(float(np.mean(list(token_share.values()))), 4),
                "least_evidence": min((round(v, 3), n) for n, v in evidence_share.items()),
            }
        )
    return out


def beside_a_budget(sets, share):
    """Evidence of `enough` over a smaller budget that takes the same tokens, interpolated for each query: mean over
    sets with its interval."""
    gaps = {}
    for name, rows in sets.items():
        tokens = np.stack([rows["budget", s][1] for s in BUDGETS[::-1]] + [rows["full", 1.0][1]])
        kept = np.stack([rows["budget", s][0] for s in BUDGETS[::-1]] + [rows["full", 1.0][0]])
        same = [np.interp(t, tokens[:, q], kept[:, q]) for q, t in enumerate(rows["enough", share][1])]
        gaps[name] = rows["enough", share][0] - np.array(same)
    return mean_gap(gaps)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("FIELDPACK_DATA"), required="FIELDPACK_DATA" not in os.environ)
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--cache", type=Path, help="SQLite file for vectors.")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "enough.json")
    options = parser.parse_args()
    sets, ended = {}, {}
    for name in discover(options.data):
        if (HERE / "held_out" / f"{name}.json").is_file():
            sets[name], early = measured(name, options)
            ended[name] = round(float(early.mean()), 3)
            print(name, len(early), "ended early", ended[name], flush=True)
    rows = summary(sets)
    results = {
        "command": f"python benchmarks/enough.py --data FOLDER --limit {options.limit}",
        "machine": machine(),
        "rows": rows,
        "ended_early_at_0.95": ended,
        "over_a_smaller_budget": {str(s): str(beside_a_budget(sets, s)) for s in ENOUGH},
        "sets": {
            name: {f"{rule} {at}": [round(float(x.mean()), 4) for x in v] for (rule, at), v in found.items()}
            for name, found in sets.items()
        },
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    for row in rows:
        print(row["rule"], row["at"], "evidence", row["evidence"], "tokens", row["tokens"], row["least_evidence"])
    print(results["over_a_smaller_budget"])
