"""What each part of fieldpack is worth: python benchmarks/ablations.py --data FOLDER [--page]

The default packer beside itself with one part taken out, or with one put in that it has and does not use
(src/fieldpack/bench/fieldpack_systems.py). Evidence kept and share of the budget used, each query with its mean over
the budgets, minus the default's over the same queries; 95 % bootstrap intervals over queries, of the mean over
queries within sets. Weights are those trained without the set at hand (benchmarks/held_out). `--tier static` reads no
transformer; `minilm` and `cascade` read the shipped one, and there the default of all switches is that tier.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fieldpack.bench import budgets, fieldpack_systems, quality, tables
from fieldpack.bench.context import Context, Packed
from fieldpack.bench.dataset import Query
from fieldpack.bench.fieldpack_systems import CASCADE, MINILM, STATIC, Fieldpack
from fieldpack.bench.machine import machine
from fieldpack.bench.statistics import Gap, mean_gap
from fieldpack.bench.system import System
from fieldpack.embed.service import EmbeddingService
from fieldpack.relevance.features import DENSE
from fieldpack.text.tokens import tokenizer

HERE = Path(__file__).resolve().parent
DEFAULT = "fieldpack"
PAGE = {
    STATIC: "ablations",
    MINILM: "ablations minilm",
    CASCADE: "ablations cascade",
}
"""Where each tier's table stands in the page."""
MEASURES = ("evidence", "used")
Row = dict[str, Any]


@dataclass(frozen=True)
class Shorter:
    """A packer given a share of the budget: what a switch that saves tokens has to be better than."""

    system: Fieldpack
    share: float
    name: str = "with_0.8_of_the_budget"
    family: str = "fieldpack"
    most: float = math.inf

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        return self.system.select(case, max(1, int(self.share * budget)), context)


def systems(unit: str, tier: str = STATIC) -> list[System]:
    """The default first; all in one unit and tier, reading documents once."""
    both = fieldpack_systems.systems()[0], *fieldpack_systems.ablations()
    default, *rest = (replace(s, unit=unit, tier=tier, reuse=True) for s in both)  # type: ignore[type-var]
    if tier != STATIC:
        rest.append(replace(default, name="without_dense", without=(*DENSE,)))
    return [default, *rest, Shorter(default, 0.8)]


def embedder(tier: str, folder: Path) -> EmbeddingService:
    """What the run's systems share; a transformer's vectors are kept in the folder."""
    if tier == STATIC:
        return EmbeddingService(STATIC)
    folder.mkdir(parents=True, exist_ok=True)
    return EmbeddingService(MINILM, cache=folder / "vectors.sqlite")


def measured(
    name: str, options: quality.Options, every: Sequence[System], folder: Path, shared: EmbeddingService
) -> list[Row]:
    """The rows of a set: {id, at, system, evidence, used}; those that `folder` has are read, not measured."""
    path = folder / f"{name}.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.is_file() else []
    known = {(r["id"], r["system"]) for r in rows}
    cases = [c for c in quality.cases_of(name, options) if c.mode != "none"]
    context = Context(shared, tokenizer(options.encoding), quality.weights_of(name, options))
    totals = budgets.candidate_tokens(cases, context.tokenizer)
    chosen = budgets.choose(options.budgets, totals)
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as out:
        for case, total in zip(cases, totals, strict=True):
            limits = {budgets.label(b): budgets.tokens_of(b, total) for b in chosen}
            for system in every:
                if (case.id, system.name) in known:
                    continue
                for row in compact(quality.rows_of(system, case, limits, context)):
                    rows.append(row)
                    out.write(json.dumps(row) + "\n")
            out.flush()
    asked, names = {c.id for c in cases}, {s.name for s in every}
    return [r for r in rows if r["id"] in asked and r["system"] in names]


def compact(rows: Iterator[Row]) -> Iterator[Row]:
    """What is kept of a row. An error is none of the peers' here: it ends the run."""
    for r in rows:
        if "error" in r:
            raise RuntimeError(f"{r['system']} on {r['id']}: {r['error']}")
        used = round(r["tokens"] / r["budget"], 4)
        yield {"id": r["id"], "at": r["at"], "system": r["system"], "evidence": round(r["evidence"], 6), "used": used}


def by_query(rows: Sequence[Row], measure: str) -> dict[str, dict[str, float]]:
    """{system: {query: mean over the budgets}}."""
    values: dict[str, dict[str, list[float]]] = {}
    for r in rows:
        values.setdefault(r["system"], {}).setdefault(r["id"], []).append(r[measure])
    return {s: {q: sum(v) / len(v) for q, v in each.items()} for s, each in values.items()}


def compared(rows: Mapping[str, Sequence[Row]]) -> list[dict[str, Any]]:
    """One entry for each system and set, and for their mean ("mean"): difference, ci, used, used_ci."""
    means = {m: {name: by_query(found, m) for name, found in rows.items()} for m in MEASURES}
    names = list(dict.fromkeys(s for found in means["evidence"].values() for s in found))
    out = []
    for system in names:
        if system == DEFAULT:
            continue
        pairs: dict[str, dict[str, np.ndarray]] = {m: {} for m in MEASURES}
        for m in MEASURES:
            for name, found in means[m].items():
                base, other = found[DEFAULT], found.get(system, {})
                if both := [q for q in base if q in other]:
                    pairs[m][name] = np.array([other[q] - base[q] for q in both])
        for name in ("mean", *pairs["evidence"]):
            some = {m: pairs[m] if name == "mean" else {name: pairs[m][name]} for m in MEASURES}
            evidence, used = (mean_gap(some[m]) for m in MEASURES)
            entry: Row = {"system": system, "set": name, "difference": evidence.difference, "ci": evidence[1:]}
            out.append({**entry, "used": used.difference, "used_ci": used[1:]})
    return out


def table(results: Mapping[str, Any]) -> str:
    """One row a switch: the mean over the sets with its interval, the budget used, then the sets."""
    found = {(r["system"], r["set"]): r for r in results["compared"]}
    sets = list(results["sets"])
    lines = []
    for system in dict.fromkeys(r["system"] for r in results["compared"]):
        m = found[system, "mean"]
        low, high = m["ci"]
        mean = f"**{m['difference']:+.3f}** [{low:+.3f}, {high:+.3f}]"
        cells = [str(_gap(found[system, name])) if (system, name) in found else "" for name in sets]
        lines.append([system, mean, f"{m['used']:+.3f}", *cells])
    base = results["default"]
    first = ["*fieldpack itself*", f"{np.mean([b['evidence'] for b in base.values()]):.3f}"]
    first += [f"{np.mean([b['used'] for b in base.values()]):.3f}", *(f"{base[n]['evidence']:.3f}" for n in sets)]
    return tables.markdown(["switch", "mean", "budget used", *sets], [first, *lines])


def _gap(r: Mapping[str, Any]) -> Gap:
    return Gap(r["difference"], *r["ci"])


def summary(rows: Mapping[str, Sequence[Row]], command: str, unit: str, tier: str) -> dict[str, Any]:
    about = {
        n: {"queries": len({r["id"] for r in f}), "budgets": list(dict.fromkeys(r["at"] for r in f))}
        for n, f in rows.items()
    }
    default = {
        n: {m: round(float(np.mean([r[m] for r in f if r["system"] == DEFAULT])), 4) for m in MEASURES}
        for n, f in rows.items()
    }
    head = {"kind": "ablations", "command": command, "machine": machine(), "unit": unit, "tier": tier, "sets": about}
    return {**head, "default": default, "compared": compared(rows)}


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("FIELDPACK_DATA"), required="FIELDPACK_DATA" not in os.environ)
    parser.add_argument("--sets", default="", help="names, separated by commas; all of them without it")
    parser.add_argument("--limit", default="50,cosqa=30,qmsum=30", help="queries of each set, and of single sets")
    parser.add_argument("--unit", choices=("auto", "paragraph", "sentence"), default="auto")
    parser.add_argument(
        "--tier",
        choices=(STATIC, MINILM, CASCADE),
        default=STATIC,
    )
    parser.add_argument("--held-out", type=Path, default=HERE / "held_out")
    parser.add_argument("--rows", type=Path, default=Path("bench-out/ablations"), help="rows, for resuming")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "ablations.json")
    parser.add_argument("--page", action="store_true", help="put the table into benchmarks/README.md")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    o = arguments(argv)
    first, *rest = o.limit.split(",")
    limits = {name: int(n) for name, _, n in (part.partition("=") for part in rest)}
    sets = tuple(filter(None, o.sets.split(",")))
    options = quality.Options(o.data, sets, limit=int(first), limits=limits, held_out=o.held_out)
    command = f"python benchmarks/ablations.py --data FOLDER --limit {o.limit} --unit {o.unit} --tier {o.tier}"
    shared = embedder(o.tier, o.rows)
    rows: dict[str, list[Row]] = {}
    for name in quality.sets_of(options):
        rows[name] = measured(name, options, systems(o.unit, o.tier), o.rows / o.tier / o.unit, shared)
        print(f"{name}: {len(rows[name])} rows", file=sys.stderr, flush=True)
        quality.save(summary(rows, command, o.unit, o.tier), o.out, "compared")
    results = json.loads(o.out.read_text("utf-8"))
    if o.page:
        tables.insert(HERE / "README.md", PAGE[o.tier], table(results))
    print(table(results))


if __name__ == "__main__":
    main()
