"""What the scorer's choices buy: each set measured with weights trained without it and its kin.

    python models/try_scorer.py --data FOLDER [--vectors minilm.npz] [--limit 150]

Paragraphs by score alone, no coupling, while they fit: mean share of the gold paragraphs' words that is kept, at 5,
10, 25 and 50 % of the candidates' words (350, 700 and 1,400 words where there are more than 6,000). Prints one row for
each variant, one column for each set.
"""

import argparse

import build_scorer as shipped
import numpy as np

import fieldpack.relevance.features as features
from fieldpack.bench.corpora import discover
from fieldpack.embed.static import StaticEmbedder
from fieldpack.relevance.features import DENSE, PARAGRAPH

NAMES = {"paragraph": PARAGRAPH, "dense": (*PARAGRAPH, *DENSE)}
SHARES, WORDS, MANY = (0.05, 0.1, 0.25, 0.5), (350, 700, 1400), 6000


def table(case, layer):
    return case.par.table if layer == "paragraph" else case.dense.table


def kept(score, words, label, budget):
    """Share of the gold words in the paragraphs that fit, the best first."""
    left, got = budget, 0.0
    for i in np.argsort(-score, kind="stable"):
        if words[i] <= left:
            left -= words[i]
            got += words[i] * label[i]
    return got / max(float(words @ label), 1)


def measured(cases, score):
    rows = []
    for case in cases:
        if case.par_label.any():
            words = np.maximum(np.expm1(case.par.raw["length"]), 1)
            budgets = WORDS if words.sum() > MANY else [s * words.sum() for s in SHARES]
            rows.append(np.mean([kept(score(case), words, case.par_label, b) for b in budgets]))
    return float(np.mean(rows))


def fitted(sets, layer, ridge, prior):
    shipped.RIDGE, shipped.PRIOR = {layer: ridge}, {layer: prior}
    cases = [(c, 1 / len(cs)) for cs in sets.values() for c in cs]
    tables, labels = [table(c, layer) for c, _ in cases], [c.par_label for c, _ in cases]
    return shipped.listwise(layer, NAMES[layer], tables, labels, [w for _, w in cases])


def row(name, values):
    print(f"{name:34s}" + " ".join(f"{v:7.3f}" for v in values) + f"  {np.mean(values):.4f}", flush=True)


def trained(sets, layer, ridge, prior, label):
    out = []
    for name, cases in sets.items():
        rest = {n: c for n, c in sets.items() if shipped.kin(n) != shipped.kin(name)}
        weights = fitted(rest, layer, ridge, prior)
        out.append(measured(cases, lambda c, weights=weights: table(c, layer) @ weights))
    row(label, out)


def main(options):
    static, vectors = StaticEmbedder(), {}
    if options.vectors:
        stored = np.load(options.vectors)
        vectors = {key.tobytes().hex(): r for key, r in zip(stored["sha256"], stored["vectors"], strict=True)}
    names = [n for n in discover(options.data) if not n.startswith(shipped.NEVER)]
    layers = ["paragraph", "dense"] if options.vectors else ["paragraph"]
    priors, ridges, rivals = dict(shipped.PRIOR), dict(shipped.RIDGE), features.RIVALS
    for most in (10**9, rivals):
        features.RIVALS = most
        sets = {n: shipped.read_set(options.data, n, options.limit, static, vectors) for n in names}
        if most != rivals:
            print(" " * 34 + " ".join(n[:7].rjust(7) for n in names) + "  mean")
            row("bm25", [measured(c, lambda c: c.par.raw["bm25"]) for c in sets.values()])
            row("token resonance", [measured(c, lambda c: c.par.raw["maxsim"]) for c in sets.values()])
            if options.vectors:
                row("dense", [measured(c, lambda c: c.dense.raw["dense"]) for c in sets.values()])
        pool = "all" if most != rivals else str(rivals)
        for layer in layers:
            prior = np.array([priors[layer].get(n, 0.0) for n in NAMES[layer]])
            summed = [measured(c, lambda c, k=layer, p=prior: table(c, k) @ p) for c in sets.values()]
            row(f"{layer}, {pool}: plain sum", summed)
            for ridge in (0.01, ridges[layer], 10.0):
                trained(sets, layer, ridge, {}, f"{layer}, {pool}: ridge {ridge:g}")
                trained(sets, layer, ridge, priors[layer], f"{layer}, {pool}: ridge {ridge:g} to sum")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--vectors")
    parser.add_argument("--limit", type=int, default=150)
    main(parser.parse_args())
