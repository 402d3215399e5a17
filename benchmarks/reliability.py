"""Does a probability mean the same in small and large pools, in sentences and paragraphs, static and cascade?

    python benchmarks/reliability.py --data FOLDER [--limit 40] [--out benchmarks/results/reliability.json]

Every cell is one pool, one unit and one tier. Pools of a set of passages: `own`, a question's own candidates; `merged`,
the candidates of 20 questions together, where the evidence stays the question's own. Pools of a folder: `few`, the
files of the evidence and five others; `whole`, all files. Outputs of tools are pools of their own. Weights are those
trained without the set (benchmarks/held_out); those of folders were trained on other folders.

`said` is the mean probability of the segments at or above .05, `so` the share of them that holds evidence; `top` is the
same for the best segment of each question. A question whose evidence is labelled in part (one passage of several that
answer) makes `so` too small.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np

from fieldpack.bench.corpora import discover, load_named
from fieldpack.bench.dataset import FOLDER, TOOL
from fieldpack.bench.machine import machine
from fieldpack.corpus.corpus import in_rows
from fieldpack.pipeline import ContextPacker
from fieldpack.request import Request
from fieldpack.types import Document

HERE = Path(__file__).resolve().parent
TOGETHER, OTHERS, LEAST = 20, 5, 0.05
UNITS, TIERS = ("sentence", "paragraph"), ("static", "cascade")
BINS = (0.0, 0.05, 0.2, 0.5, 1.0001)


def merged(cases):
    """Groups of cases with the union of their candidates; the same id with another text keeps the first."""
    for first in range(0, len(cases), TOGETHER):
        group = cases[first : first + TOGETHER]
        together: dict[str, Document] = {}
        for case in group:
            for p in case.passages:
                together.setdefault(p.id, p)
        yield group, tuple(together.values())


def few(cases):
    """Each case with the files of its evidence and the OTHERS that follow the first of them in the folder."""
    for case in cases:
        holds = {s.doc_id for s in case.evidence()}
        at = next(i for i, p in enumerate(case.passages) if p.id in holds)
        around = [p for p in case.passages[at:] + case.passages[:at] if p.id not in holds][:OTHERS]
        yield [case], tuple(p for p in case.passages if p.id in holds or p in around)


def pools(cases):
    """(name, groups): each group is cases that share their candidates."""
    kind = cases[0].kind
    if kind == FOLDER:
        return {"few": few(cases), "whole": [(cases, cases[0].passages)]}
    own = (([case], case.passages) for case in cases)
    return {"own": own} if kind == TOOL else {"own": own, "merged": merged(cases)}


def scored(packer, groups):
    """For each question: probabilities (n,), and whether a segment holds some of the evidence (n,)."""
    for cases, passages in groups:
        corpus = packer.embedded(packer.read(passages))
        for case in cases:
            result = packer.pack_corpus(Request.checked(case.query, 1), corpus)
            spans = [(corpus.numbers[s.doc_id], s.start, s.end) for s in case.evidence() if s.doc_id in corpus.numbers]
            yield result.relevance.total.astype(float), in_rows(spans, corpus.rows)


def cell(found):
    """The row of one pool, unit and tier."""
    p, y = (np.concatenate(side) for side in zip(*found, strict=True))
    top = [(one.max(), bool(label[one.argmax()])) for one, label in found if len(one)]
    at = np.digitize(p, BINS) - 1
    bins = {
        f"{low:g}": [int((at == k).sum()), round(float(p[at == k].mean()), 4), round(float(y[at == k].mean()), 4)]
        for k, low in enumerate(BINS[:-1])
        if (at == k).any()
    }
    likely = p >= LEAST
    return {
        "questions": len(found),
        "segments": round(len(p) / len(found), 1),
        "likely": int(likely.sum()),
        "said": round(float(p[likely].mean()), 3) if likely.any() else None,
        "so": round(float(y[likely].mean()), 3) if likely.any() else None,
        "top": [round(float(np.mean(side)), 3) for side in zip(*top, strict=True)],
        "bins": bins,
    }


def together(rows):
    """Mean over the sets of `said`, `so` and `top`, for each kind, pool, unit and tier."""
    groups: dict[tuple[str, ...], list[dict]] = {}
    for row in rows:
        groups.setdefault((row["kind"], row["pool"], row["unit"], row["tier"]), []).append(row)
    out = []
    for key, found in groups.items():
        made = [r for r in found if r["said"] is not None]
        means = {m: round(float(np.mean([r[m] for r in made])), 3) for m in ("said", "so")} if made else {}
        top = [round(float(np.mean(side)), 3) for side in zip(*(r["top"] for r in found), strict=True)]
        segments = round(float(np.mean([r["segments"] for r in found])))
        out.append(
            dict(zip(("kind", "pool", "unit", "tier"), key, strict=True))
            | {"sets": len(found), "segments": segments, **means, "top": top}
        )
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("FIELDPACK_DATA"), required="FIELDPACK_DATA" not in os.environ)
    parser.add_argument("--sets", default="")
    parser.add_argument("--tiers", default=",".join(TIERS))
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "reliability.json")
    options = parser.parse_args()
    rows = []
    for name in options.sets.split(",") if options.sets else discover(options.data):
        weights = HERE / "held_out" / f"{name}.json"
        cases = [c for c in load_named(options.data, name, options.limit) if c.mode != "none" and c.evidence()]
        if not cases or not (weights.is_file() or cases[0].kind in (FOLDER, TOOL)):
            continue
        for tier in options.tiers.split(","):
            for unit in UNITS:
                packer = ContextPacker(embedder=tier, unit=unit, scorer=weights if weights.is_file() else None)
                for pool, groups in pools(cases).items():
                    row = {"set": name, "kind": cases[0].kind, "pool": pool, "unit": unit, "tier": tier}
                    rows.append(row | cell(list(scored(packer, groups))))
                    print(json.dumps({k: v for k, v in rows[-1].items() if k != "bins"}), flush=True)
    command = f"python benchmarks/reliability.py --data FOLDER --limit {options.limit}"
    made = {"command": command, "machine": machine(), "least": LEAST, "by kind": together(rows), "rows": rows}
    options.out.write_text(json.dumps(made, indent=1) + "\n", "utf-8")
    for row in made["by kind"]:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
