"""Is `relevance` a probability? Reliability, expected calibration error, abstention, and the conformal boundary.

    python benchmarks/calibration.py --data FOLDER [--limit 100] [--out benchmarks/results/calibration.json]

Weights are those trained without the set at hand (benchmarks/held_out). Paragraph unit, static vectors.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np

from fieldpack.bench.corpora import discover, load_named
from fieldpack.bench.machine import machine
from fieldpack.corpus.corpus import in_rows
from fieldpack.field.boundary import conformal
from fieldpack.pipeline import ContextPacker
from fieldpack.request import Request

HERE = Path(__file__).resolve().parent
BINS = np.array([0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0001])


def scored(packer, cases):
    """For each query: probabilities (n,), labels (n,)."""
    corpora = {}
    for case in cases:
        key = tuple(p.id for p in case.passages)
        if key not in corpora:
            corpora[key] = packer.embedded(packer.read(case.passages))
        corpus = corpora[key]
        result = packer.pack_corpus(Request.checked(case.query, 1), corpus)
        label = in_rows([(corpus.numbers[s.doc_id], s.start, s.end) for s in case.evidence()], corpus.rows)
        yield result.relevance.total.astype(float), label


def reliability(scored_queries):
    """Rows (from, to, candidates, mean probability, share of evidence) and the expected calibration error, with every
    query weighing the same."""
    p = np.concatenate([a for a, _ in scored_queries])
    y = np.concatenate([b for _, b in scored_queries])
    w = np.concatenate([np.full(len(a), 1 / len(a)) for a, _ in scored_queries])
    w /= w.sum()
    at = np.digitize(p, BINS) - 1
    rows, error = [], 0.0
    for k in range(len(BINS) - 1):
        m = at == k
        if m.any():
            mean, share = float(np.average(p[m], weights=w[m])), float(np.average(y[m], weights=w[m]))
            error += float(w[m].sum()) * abs(mean - share)
            rows.append([float(BINS[k]), min(float(BINS[k + 1]), 1.0), int(m.sum()), round(mean, 4), round(share, 4)])
    return rows, error


def abstention(with_evidence, without):
    """How the best probability of a query tells queries with evidence from those without: area under the curve, and at
    the cut that keeps 95 % of the former, the share of the latter that gives an empty pack."""
    a = np.array([p.max() for p, _ in with_evidence])
    b = np.array([p.max() for p, _ in without])
    area = float((a[:, None] > b).mean() + 0.5 * (a[:, None] == b).mean())
    cut = float(np.quantile(a, 0.05))
    return {
        "queries": len(a),
        "null_queries": len(b),
        "auc": round(area, 3),
        "empty_at_95": round(float((b < cut).mean()), 3),
    }


def coverage(scored_queries, alpha=0.1):
    """Conformal boundary of a random half of the queries; share of the other half's evidence that it lets in, and the
    share of all candidates that enter."""
    order = np.random.default_rng(0).permutation(len(scored_queries))
    half = [scored_queries[i] for i in order[: len(order) // 2]]
    rest = [scored_queries[i] for i in order[len(order) // 2 :]]
    cut = conformal(np.concatenate([p[y] for p, y in half]), alpha)
    kept = np.concatenate([p[y] >= cut for p, y in rest])
    enter = np.concatenate([p >= cut for p, _ in rest])
    return {
        "alpha": alpha,
        "boundary": round(float(cut), 4),
        "coverage": round(float(kept.mean()), 3),
        "enter": round(float(enter.mean()), 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("FIELDPACK_DATA"), required="FIELDPACK_DATA" not in os.environ)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "calibration.json")
    options = parser.parse_args()
    sets, pooled = {}, []
    for name in discover(options.data):
        weights = HERE / "held_out" / f"{name}.json"
        if not weights.is_file():
            continue
        packer = ContextPacker(unit="paragraph", scorer=weights)
        cases = load_named(options.data, name, options.limit)
        found = list(scored(packer, cases))
        yes = [f for f, c in zip(found, cases, strict=True) if c.mode != "none"]
        none = [f for f, c in zip(found, cases, strict=True) if c.mode == "none"]
        rows, error = reliability(found)
        sets[name] = {"ece": round(error, 4), "conformal": coverage(yes)}
        if none:
            sets[name]["abstention"] = abstention(yes, none)
        pooled += found
        print(name, json.dumps(sets[name]), flush=True)
    rows, error = reliability(pooled)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    command = f"python benchmarks/calibration.py --data FOLDER --limit {options.limit}"
    results = {"command": command, "machine": machine(), "ece": round(error, 4), "reliability": rows, "sets": sets}
    options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print("all", round(error, 4))
    for row in rows:
        print(row)
