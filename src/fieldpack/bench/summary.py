"""Rows of single queries to the cells of a table: means, confidence intervals, a paired test against the best peer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fieldpack.analysis.metrics import bootstrap_ci, paired_bootstrap, paired_permutation
from fieldpack.bench.measures import Row
from fieldpack.bench.statistics import mean_gap
from fieldpack.types import FloatArray

MEASURES = ("evidence", "complete", "answer", "recall", "facts", "needs")
RESAMPLES = 2000
OURS, CEILING = "fieldpack", "oracle"


def cells(rows: Sequence[Row], families: Mapping[str, str], seed: int = 0) -> list[dict[str, Any]]:
    """One cell for each (set, budget, system), in the order of the rows; fieldpack's carry the comparison with the best
    peer of that set and budget (`against`, `ahead`, `ahead_ci`, `p`)."""
    grouped: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in rows:
        grouped.setdefault((row["set"], row["at"]), {}).setdefault(row["system"], []).append(row)
    out = []
    for (name, at), systems in grouped.items():
        table = {system: _cell(name, at, system, results, seed) for system, results in systems.items()}
        best = best_peer(table.values(), families)
        for system, cell in table.items():
            if best is not None and families.get(system) == OURS:
                cell |= _compare(systems[system], systems[best["system"]], best["system"], seed)
            out.append(cell)
    return out


def against_default(rows: Sequence[Row], families: Mapping[str, str], seed: int = 0) -> list[dict[str, Any]]:
    """For each set and each other row of fieldpack: its evidence minus the default's, paired over queries, every query
    with its mean over the budgets. Empty when the default did not run."""
    means: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in rows:
        if row.get("evidence") is not None and families.get(row["system"]) == OURS:
            means.setdefault((row["set"], row["system"]), {}).setdefault(row["id"], []).append(row["evidence"])
    out = []
    for (name, system), queries in means.items():
        default = means.get((name, OURS), {})
        both = [query for query in queries if query in default]
        if system == OURS or not both:
            continue
        a, b = ([_mean(side[query]) for query in both] for side in (queries, default))
        gap = paired_bootstrap(a, b, np.random.default_rng(seed), resamples=RESAMPLES)
        out.append(
            {
                "set": name,
                "system": system,
                "queries": len(both),
                "difference": round(gap.difference, 4),
                "ci": [round(gap.low, 4), round(gap.high, 4)],
            }
        )
    return out


def best_peer(table: Any, families: Mapping[str, str], measure: str = "evidence") -> dict[str, Any] | None:
    """The cell of the system that is neither fieldpack nor the oracle and keeps most; None when there is none."""
    peers = [c for c in table if families.get(c["system"]) not in (OURS, CEILING) and c.get(measure) is not None]
    return max(peers, key=lambda c: c[measure], default=None)


def against_best(
    rows: Sequence[Row], families: Mapping[str, str], kinds: Mapping[str, str], seed: int = 0
) -> list[dict[str, Any]]:
    """For each row of fieldpack and each kind of set (and "all"): the mean over sets of its evidence minus that of the
    strongest peer of each set and budget, chosen after the fact; every query with its mean over the budgets."""
    grouped: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for row in rows:
        if row.get("evidence") is not None:
            cell = grouped.setdefault((row["set"], row["at"]), {})
            cell.setdefault(row["system"], {})[row["id"]] = row["evidence"]
    gaps: dict[str, dict[str, dict[str, list[float]]]] = {}
    for (name, _), systems in grouped.items():
        peers = [s for s in systems if families.get(s) not in (OURS, CEILING)]
        if not peers:
            continue
        best = systems[max(peers, key=lambda s: _mean(list(systems[s].values())))]
        for system in (s for s in systems if families.get(s) == OURS):
            queries = gaps.setdefault(system, {}).setdefault(name, {})
            for query in (q for q in systems[system] if q in best):
                queries.setdefault(query, []).append(systems[system][query] - best[query])
    return [
        {"system": system, "kind": kind, "sets": len(chosen), "difference": gap.difference, "ci": [gap.low, gap.high]}
        for system, sets in gaps.items()
        for kind in ("all", *dict.fromkeys(kinds.values()))
        if (chosen := {name: _means(q) for name, q in sets.items() if q and kind in ("all", kinds[name])})
        for gap in [mean_gap(chosen, seed)]
    ]


def _means(queries: Mapping[str, Sequence[float]]) -> FloatArray:
    return np.array([_mean(values) for values in queries.values()], np.float32)


def by_category(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Means over queries and budgets for each set, category and system, of the sets that have categories."""
    grouped: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row.get("category") and row.get("evidence") is not None:
            grouped.setdefault((row["set"], row["category"], row["system"]), []).append(row)
    out = []
    for (name, category, system), found in grouped.items():
        cell: dict[str, Any] = {"set": name, "category": category, "system": system, "packs": len(found)}
        for measure in MEASURES:
            values = [float(r[measure]) for r in found if r.get(measure) is not None]
            if values:
                cell[measure] = round(_mean(values), 4)
        out.append(cell)
    return out


def _cell(name: str, at: str, system: str, rows: Sequence[Row], seed: int) -> dict[str, Any]:
    good = [r for r in rows if "error" not in r]
    cell: dict[str, Any] = {"set": name, "budget": at, "system": system, "queries": len(good)}
    if errors := [r["error"] for r in rows if "error" in r]:
        cell |= {"errors": len(errors), "error": errors[0]}
    for measure in MEASURES:
        values = [float(r[measure]) for r in good if r.get(measure) is not None]
        if values:
            cell[measure] = round(sum(values) / len(values), 4)
            if measure in ("evidence", "answer", "facts"):
                cell[f"{measure}_ci"] = _interval(values, seed)
    nothing = [r for r in good if r["mode"] == "none"]
    if nothing:
        cell["empty_without_evidence"] = round(sum(r["tokens"] == 0 for r in nothing) / len(nothing), 4)
    if good:
        cell |= {
            "empty": round(sum(r["tokens"] == 0 for r in good if r["mode"] != "none") / len(good), 4),
            "used": round(_mean([r["tokens"] / r["budget"] for r in good]), 4),
            "over": sum(r["tokens"] > r["budget"] for r in good),
            "rendered_over": sum(r["rendered"] > r["budget"] for r in good),
            "ms": round(_median([r["ms"] for r in good]), 3),
            "embedded_chars": round(_mean([r["embedded"] for r in good])),
        }
    return cell


def _compare(mine: Sequence[Row], theirs: Sequence[Row], name: str, seed: int) -> dict[str, Any]:
    """Paired over the queries that both answered: mean difference in evidence, bootstrap interval, permutation p."""
    other = {r["id"]: r["evidence"] for r in theirs if r.get("evidence") is not None}
    pairs = [(r["evidence"], other[r["id"]]) for r in mine if r.get("evidence") is not None and r["id"] in other]
    if not pairs:
        return {"against": name}
    ours, best = [a for a, _ in pairs], [b for _, b in pairs]
    gap = paired_bootstrap(ours, best, np.random.default_rng(seed), resamples=RESAMPLES)
    p = paired_permutation(ours, best, np.random.default_rng(seed), resamples=RESAMPLES)
    return {
        "against": name,
        "ahead": round(gap.difference, 4),
        "ahead_ci": [round(gap.low, 4), round(gap.high, 4)],
        "p": round(p, 4),
    }


def _interval(values: Sequence[float], seed: int) -> list[float]:
    interval = bootstrap_ci(values, np.random.default_rng(seed), resamples=RESAMPLES)
    return [round(interval.low, 4), round(interval.high, 4)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
