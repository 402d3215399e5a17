"""Does a boundary that moves over turns save tokens at equal evidence, beside one that stands still?

    python benchmarks/boundary_turns.py --data FOLDER [--sets squad,locomo.conv] [--conversations 20] [--turns 8]

Turns are questions about one pool of passages (an article, a conversation). A fixed boundary packs each turn with
`enough` at one of FIXED; a moving one starts at one of STARTS and follows the resonance of a turn by the design text's
law (`fieldpack.field.boundary`), with one of GRADIENTS: the resonance of the rows that were packed (as a `Session` with
`FieldSettings(adaptive=True)`), that of the 20 best paragraphs of the turn, or that of the packed rows with the sign
turned round, as a control. The budget is half of the candidates' tokens, 4,000 at most.

For each moving boundary: its evidence and tokens, and its evidence minus that of fixed boundaries that take the same
tokens in the same conversation (interpolated), with a 95 % interval over conversations drawn within sets.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fieldpack.analysis.metrics import evidence_kept
from fieldpack.bench.corpora import load_named
from fieldpack.bench.dataset import Query, Span, evenly_spaced, same_pool
from fieldpack.bench.machine import machine
from fieldpack.bench.statistics import mean_gap
from fieldpack.corpus.corpus import Corpus
from fieldpack.field.boundary import Boundary
from fieldpack.field.resonance import overall
from fieldpack.pipeline import ContextPacker
from fieldpack.request import Request
from fieldpack.result import Result

HERE = Path(__file__).resolve().parent
MOST, BEST = 4000, 20
FIXED = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
STARTS, GRADIENTS = (0.7, 0.98), (0.05, 0.2)


class Point(NamedTuple):
    """evidence in [0, 1] and tokens: means over the turns of a conversation."""

    evidence: float
    tokens: float


def evidence(case: Query, result: Result) -> float:
    """Share of the evidence's characters kept; in mode any, of the passage that is kept best."""
    kept = [Span(k.doc_id, k.start, k.end) for k in result.kept]
    spans = case.evidence()
    if case.mode != "any":
        return evidence_kept(list(spans), kept)
    return max(evidence_kept([s for s in spans if s.doc_id == name], kept) for name in {s.doc_id for s in spans})


def of_packed(result: Result) -> float:
    """Resonance of the rows that were packed."""
    return overall(result.corpus.vectors[result.corpus.paragraph[result.inside]])


def of_best(result: Result) -> float:
    """Resonance of the best paragraphs, packed or not."""
    best = np.full(len(result.corpus.vectors), -np.inf)
    np.maximum.at(best, result.corpus.paragraph, result.relevance.logit)
    return overall(result.corpus.vectors[np.argsort(-best, kind="stable")[:BEST]])


def reversed_packed(result: Result) -> float:
    """The control: the boundary closes where resonance rises."""
    return -of_packed(result)


RESONANCES: tuple[Callable[[Result], float], ...] = (of_packed, of_best, reversed_packed)


class Talk:
    """A conversation: turns with one pool. Packs are kept, since several boundaries come to the same share."""

    def __init__(self, turns: Sequence[Query], packer: ContextPacker) -> None:
        self.turns, self.packer = turns, packer
        self.corpus: Corpus = packer.read(turns[0].passages)
        self.budget = min(max(int(self.corpus.rows.tokens.sum()) // 2, 8), MOST)
        self._scored: dict[int, Result] = {}

    def pack(self, turn: int, enough: float) -> Result:
        request = Request.checked(self.turns[turn].query, self.budget, enough=enough)
        first = self._scored.setdefault(turn, self.packer.pack_corpus(request, self.corpus))
        return self.packer.choose(request, first.scored)

    def fixed(self, enough: float) -> Point:
        return self._point([self.pack(t, enough) for t in range(len(self.turns))])

    def moving(self, start: float, gradient: float, resonance: Callable[[Result], float]) -> Point:
        boundary, results = Boundary(start, gradient, highest=1.0), []
        for turn in range(len(self.turns)):
            results.append(self.pack(turn, boundary.permeability))
            boundary = boundary.step(float(np.clip(resonance(results[-1]), -1, 1)))
        return self._point(results)

    def _point(self, results: Sequence[Result]) -> Point:
        kept = [evidence(case, r) for case, r in zip(self.turns, results, strict=True)]
        return Point(float(np.mean(kept)), float(np.mean([r.tokens for r in results])))


def measured(name: str, options: argparse.Namespace) -> dict[str, np.ndarray]:
    """{boundary: (talks, 2) evidence and tokens} of a set."""
    weights = HERE / "held_out" / f"{name}.json"
    packer = ContextPacker(scorer=weights if weights.is_file() else None)
    cases = [c for c in load_named(options.data, name) if c.mode != "none" and c.evidence()]
    out: dict[str, list[Point]] = {}
    for turns in evenly_spaced(same_pool(cases, options.turns, 3), options.conversations):
        talk = Talk(turns, packer)
        for enough in FIXED:
            out.setdefault(f"fixed {enough:g}", []).append(talk.fixed(enough))
        for start in STARTS:
            for gradient in GRADIENTS:
                for law in RESONANCES:
                    key = f"{law.__name__} from {start:g}, gradient {gradient:g}"
                    out.setdefault(key, []).append(talk.moving(start, gradient, law))
    return {key: np.array(points) for key, points in out.items()}


def over_fixed(found: dict[str, np.ndarray], key: str) -> np.ndarray:
    """(talks,) evidence minus that of fixed boundaries with the same tokens."""
    curve = np.stack([found[f"fixed {e:g}"] for e in FIXED])
    return np.array(
        [
            point[0] - np.interp(point[1], np.maximum.accumulate(curve[:, k, 1]), curve[:, k, 0])
            for k, point in enumerate(found[key])
        ]
    )


def summary(sets: dict[str, dict[str, np.ndarray]], command: str) -> dict[str, Any]:
    rows = []
    for key in next(iter(sets.values())):
        means = {name: [round(float(x), 4) for x in found[key].mean(0)] for name, found in sets.items()}
        row: dict[str, Any] = {"boundary": key, "evidence_and_tokens": means}
        if not key.startswith("fixed"):
            row["over_fixed"] = str(mean_gap({name: over_fixed(found, key) for name, found in sets.items()}))
        rows.append(row)
    talks = {name: len(found["fixed 1"]) for name, found in sets.items()}
    return {"command": command, "machine": machine(), "conversations": talks, "rows": rows}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("FIELDPACK_DATA"), required="FIELDPACK_DATA" not in os.environ)
    parser.add_argument("--sets", default="squad,locomo.conv")
    parser.add_argument("--conversations", type=int, default=20)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "boundary_turns.json")
    options = parser.parse_args()
    command = "python benchmarks/boundary_turns.py --data FOLDER"
    command += f" --sets {options.sets} --conversations {options.conversations} --turns {options.turns}"
    results = summary({name: measured(name, options) for name in options.sets.split(",")}, command)
    options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    for row in results["rows"]:
        print(row["boundary"], row["evidence_and_tokens"], row.get("over_fixed", ""))
