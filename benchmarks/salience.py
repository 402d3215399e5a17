"""Which kinds of evidence should salience count? Equal weights of all, beside the best of their subsets, held out.

    python benchmarks/salience.py --data FOLDER [--limit 16] [--out FILE]

Every subset of at least five of the kinds of `fieldpack.relevance.salience.SALIENCE`, equal weights, ranks the rows of
the sources of `benchmarks/retention.py` (talks have kinds of their own and are left out); the rows are taken in this
order while they fit 10, 25 and 50 % of the tokens, and what is kept is the evidence of all questions. `held out` is the
subset that is best on the mean of the other sets. `effect` of a kind is the mean over all subsets without it of what it
adds.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import retention

from fieldpack.bench.context import Context
from fieldpack.bench.dataset import evenly_spaced
from fieldpack.corpus.corpus import Corpus
from fieldpack.corpus.kinds import is_talk
from fieldpack.corpus.reading import of_rows, read_field
from fieldpack.embed.service import EmbeddingService
from fieldpack.pipeline import ContextPacker
from fieldpack.relevance.salience import SALIENCE, salience
from fieldpack.text.tokens import tokenizer

HERE = Path(__file__).resolve().parent
LEAST = 5
SETS = tuple(s for s in (*retention.SETS, *retention.FOLDERS) if s not in ("qmsum", "locomo"))


@dataclass(frozen=True)
class Ranked:
    """A source as numbers. logs (k, n): log of each row's rank by each kind; cost (n,); evidence (a, n): the share of
    each alternative that a row holds; question (a,): whose alternative it is; budgets: in tokens."""

    logs: np.ndarray
    cost: np.ndarray
    evidence: np.ndarray
    question: np.ndarray
    budgets: tuple[int, ...]

    def kept(self, kinds: Sequence[int]) -> float:
        """Mean over the budgets of the mean evidence of all questions."""
        order = np.argsort(np.round(self.logs[list(kinds)].mean(0), 4), kind="stable")
        return float(np.mean([self._kept(order, budget) for budget in self.budgets]))

    def _kept(self, order: np.ndarray, budget: int) -> float:
        chosen, left = [], budget
        for row, cost in zip(order.tolist(), self.cost[order].tolist(), strict=True):
            if cost <= left:
                chosen.append(row)
                left -= cost
        best = np.zeros(int(self.question.max()) + 1)
        np.maximum.at(best, self.question, self.evidence[:, chosen].sum(1))
        return float(best.mean())


def ranked(source: retention.Source, packer: ContextPacker, context: Context) -> Ranked:
    corpus = packer.read(source.documents)
    reading = of_rows(read_field(corpus, None, None, packer.field), corpus)
    parts = salience(corpus, reading).parts
    alternatives = [(q, a) for q, question in enumerate(source.questions) for a in question]
    evidence = np.stack([_overlaps(corpus, spans) for _, spans in alternatives])
    total = sum(context.count(d.text + "\n") for d in source.documents)
    return Ranked(
        logs=np.log(np.maximum(1 - np.stack([parts[name] for name in SALIENCE]), 1e-6)),
        cost=corpus.rows.tokens + 1,
        evidence=evidence / np.maximum(evidence.sum(1, keepdims=True), 1),
        question=np.array([q for q, _ in alternatives]),
        budgets=tuple(max(1, int(share * total)) for share in retention.SHARES),
    )


def _overlaps(corpus: Corpus, spans: Sequence[Any]) -> np.ndarray:
    rows, out = corpus.rows, np.zeros(len(corpus.rows))
    for span in spans:
        own = rows.doc == corpus.numbers[span.doc_id]
        out += own * np.maximum(np.minimum(rows.end, span.end) - np.maximum(rows.start, span.start), 0)
    return out


def read(data: Path, limit: int) -> Iterator[tuple[str, list[Ranked]]]:
    context = Context(EmbeddingService("static"), tokenizer("o200k_base"))
    packer = ContextPacker(tokenizer=context.tokenizer)
    for name in SETS:
        found = evenly_spaced(retention.sources(data, name, context), limit)
        yield name, [ranked(s, packer, context) for s in found if not is_talk(s.documents)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=16, help="sources of each set, spread evenly")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "salience.json")
    options = parser.parse_args()
    sets = dict(read(options.data, options.limit))
    numbers = range(len(SALIENCE))
    subsets = [c for size in range(LEAST, len(SALIENCE) + 1) for c in itertools.combinations(numbers, size)]
    table = np.array([[np.mean([s.kept(c) for s in found]) for found in sets.values()] for c in subsets])
    place = {c: i for i, c in enumerate(subsets)}
    held = {}
    for j, name in enumerate(sets):
        best = int(np.delete(table, j, 1).mean(1).argmax())
        held[name] = {"kept": round(float(table[best, j]), 4), "kinds": [SALIENCE[k] for k in subsets[best]]}
    effect = {}
    for k, kind in enumerate(SALIENCE):
        pairs = [(place[tuple(sorted((*c, k)))], i) for c, i in place.items() if k not in c]
        effect[kind] = round(float(np.mean([table[a].mean() - table[b].mean() for a, b in pairs])), 4)
    best = int(table.mean(1).argmax())
    results = {
        "command": f"python benchmarks/salience.py --data FOLDER --limit {options.limit}",
        "all kinds": {name: round(float(table[-1, j]), 4) for j, name in enumerate(sets)},
        "all kinds, mean": round(float(table[-1].mean()), 4),
        "held out": held,
        "held out, mean": round(float(np.mean([h["kept"] for h in held.values()])), 4),
        "best subset of all sets": [SALIENCE[k] for k in subsets[best]],
        "best subset of all sets, mean": round(float(table[best].mean()), 4),
        "effect": effect,
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
