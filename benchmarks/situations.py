"""Two situations that the labelled sets lack: python benchmarks/situations.py --data FOLDER [--page]

copies    every candidate comes twice, as when a page was crawled from two places: the second time under another id and
          with a line at its end. The budget is that of the candidates without their copies, and either one counts.
several   three questions about the same candidates share one budget. `least`: evidence of the question served worst.
          `apart`: a third of the budget for each question alone. Peers rank by their best score over the questions.

Evidence kept by the default (static vectors) and by its switches beside peers with the same static vectors; mean over
the sets, 95 % bootstrap intervals over queries or groups within sets. Weights are those trained without the set.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fieldpack.bench import budgets, fieldpack_systems, quality, registry, tables
from fieldpack.bench.context import Context, Packed, cut, descending
from fieldpack.bench.dataset import Query, Span, evenly_spaced, same_pool
from fieldpack.bench.machine import machine
from fieldpack.bench.measures import measure
from fieldpack.bench.statistics import mean_gap
from fieldpack.embed.service import EmbeddingService
from fieldpack.request import Request
from fieldpack.text.tokens import tokenizer

HERE = Path(__file__).resolve().parent
COPY, LINE, TOGETHER = "#copy", " (This page is an archived copy.)", 3
SHARES, TOKENS = (0.05, 0.1, 0.25), (500.0, 1000.0)
PEERS = ("dense", "bm25s", "rrf", "langchain_filter", "langchain_pipeline", "pyversity_dpp", "pyversity_mmr_0.3")
FOR_SEVERAL = ("dense", "bm25s", "rrf")
Found = dict[str, list[float]]
"""{system: one figure a query or group, the mean over the budgets}."""


def twice(case: Query) -> Query:
    """The case with a copy of every candidate behind them all."""
    copies = (replace(p, id=p.id + COPY, text=p.text + LINE) for p in case.passages)
    return replace(case, id=case.id + COPY, passages=(*case.passages, *copies))


def either(case: Query, spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans of copies as spans of what they copy."""
    length = {p.id: len(p.text) for p in case.passages}
    named = [(s.doc_id.removesuffix(COPY), s.start, s.end) for s in spans]
    return tuple(Span(d, a, min(b, length[d])) for d, a, b in named if a < length[d])


def copies(cases: Sequence[Query], context: Context) -> dict[str, Found]:
    """{"once" or "twice": {system: evidence}}."""
    every = [*_switches("without_duplicates"), *registry.named(PEERS)]
    out: dict[str, Found] = {"once": {}, "twice": {}}
    for case, limits in _limits(cases, context):
        for when, asked in (("once", case), ("twice", twice(case))):
            for system in every:
                kept = [either(case, system.select(asked, b, context).spans) for b in limits]
                evidence = _mean(_evidence(case, spans, context) for spans in kept)
                out[when].setdefault(system.name, []).append(evidence)
    return out


def several(cases: Sequence[Query], limit: int, context: Context) -> dict[str, Found]:
    """{"mean" or "least": {system: evidence}} over `limit` groups of questions about the same candidates."""
    arms: dict[str, Callable[[Sequence[Query], int], tuple[Span, ...]]] = {
        **{s.name: _together(s, context) for s in _switches("without_word_coverage")},
        "fieldpack, apart": _apart(_switches()[0], context),
        **{name: _ranked(name, context) for name in FOR_SEVERAL},
    }
    out: dict[str, Found] = {"mean": {}, "least": {}}
    for group in evenly_spaced(same_pool(cases, TOGETHER, TOGETHER), limit):
        limits = next(_limits(group[:1], context))[1]
        for name, pack in arms.items():
            kept = [pack(group, b) for b in limits]
            rows = [[_evidence(q, spans, context) for q in group] for spans in kept]
            out["mean"].setdefault(name, []).append(_mean(map(_mean, rows)))
            out["least"].setdefault(name, []).append(_mean(map(min, rows)))
    return out


def _switches(*names: str) -> list[Any]:
    """The default and some of its switches."""
    chosen = [fieldpack_systems.systems()[0], *(s for s in fieldpack_systems.ablations() if s.name in names)]
    return [replace(s, reuse=True) for s in chosen]  # type: ignore[type-var]


def _together(system: Any, context: Context) -> Callable[[Sequence[Query], int], tuple[Span, ...]]:
    def pack(group: Sequence[Query], budget: int) -> tuple[Span, ...]:
        corpus = system.corpus(group[0], context)
        request = Request.checked([q.query for q in group], budget)
        result = system.pack(system.packer(corpus, context), request, corpus)
        return tuple(Span(k.doc_id, k.start, k.end) for k in result.kept)

    return pack


def _apart(system: Any, context: Context) -> Callable[[Sequence[Query], int], tuple[Span, ...]]:
    def pack(group: Sequence[Query], budget: int) -> tuple[Span, ...]:
        share = max(1, budget // len(group))
        return tuple(s for q in group for s in system.select(q, share, context).spans)

    return pack


def _ranked(name: str, context: Context) -> Callable[[Sequence[Query], int], tuple[Span, ...]]:
    """A peer's order for several questions: by the best place that a passage has for any of them."""
    (system,) = registry.named((name,))

    def pack(group: Sequence[Query], budget: int) -> tuple[Span, ...]:
        place = np.full(len(group[0].passages), np.inf)
        for q in group:
            order = list(system.rank(q, budget, context))  # type: ignore[attr-defined]
            place[order] = np.minimum(place[order], np.arange(len(order)))
        return cut(descending(-place), group[0], budget, context).spans

    return pack


def _evidence(case: Query, spans: tuple[Span, ...], context: Context) -> float:
    return float(measure(case, Packed("", spans, ""), 1, context)["evidence"])


def _limits(cases: Sequence[Query], context: Context) -> Iterable[tuple[Query, list[int]]]:
    totals = budgets.candidate_tokens(cases, context.tokenizer)
    chosen = SHARES if budgets.choose((), totals) == budgets.SHARES else TOKENS
    for case, total in zip(cases, totals, strict=True):
        yield case, [budgets.tokens_of(b, total) for b in chosen]


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def summary(sets: Mapping[str, Mapping[str, Any]], command: str) -> dict[str, Any]:
    """For each situation and system: the mean over the sets, and its difference from the default with the interval."""
    out: list[dict[str, Any]] = []
    for kind in dict.fromkeys(k for found in sets.values() for k in found):
        held = {name: found[kind] for name, found in sets.items() if kind in found}
        for view in next(iter(held.values())):
            for system in next(iter(held.values()))[view]:
                values = {name: np.array(found[view][system]) for name, found in held.items()}
                base = {name: np.array(found[view]["fieldpack"]) for name, found in held.items()}
                gap = mean_gap({name: values[name] - base[name] for name in values})
                entry = {"situation": kind, "view": view, "system": system, "difference": list(gap)}
                by_set = {name: round(float(v.mean()), 4) for name, v in values.items()}
                out.append({**entry, "mean": round(_mean(by_set.values()), 4), "sets": by_set})
    return {"kind": "situations", "command": command, "machine": machine(), "results": out}


def table(results: Mapping[str, Any], kind: str) -> str:
    """One row a system: each view's mean and how far it is from the default's."""
    rows = [r for r in results["results"] if r["situation"] == kind]
    views = list(dict.fromkeys(r["view"] for r in rows))
    found = {(r["system"], r["view"]): r for r in rows}
    lines = []
    for system in dict.fromkeys(r["system"] for r in rows):
        line = [f"**{system}**" if system == "fieldpack" else system]
        for view in views:
            d, low, high = (r := found[system, view])["difference"]
            line += [f"{r['mean']:.3f}", "" if system == "fieldpack" else f"{d:+.3f} [{low:+.3f}, {high:+.3f}]"]
        lines.append(line)
    return tables.markdown(["system", *(h for v in views for h in (v, "minus fieldpack"))], lines)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("FIELDPACK_DATA"), required="FIELDPACK_DATA" not in os.environ)
    parser.add_argument("--sets", default="", help="names, separated by commas; all of them without it")
    parser.add_argument("--limit", type=int, default=40, help="queries, and groups of questions, of each set")
    parser.add_argument("--held-out", type=Path, default=HERE / "held_out")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "situations.json")
    parser.add_argument("--page", action="store_true", help="put the tables into benchmarks/README.md")
    o = parser.parse_args(argv)
    sets: dict[str, dict[str, Any]] = {}
    options = quality.Options(o.data, tuple(filter(None, o.sets.split(","))), limit=None, held_out=o.held_out)
    for name in quality.sets_of(options):
        cases = [c for c in quality.cases_of(name, options) if c.mode != "none"]
        context = Context(EmbeddingService("static"), tokenizer(options.encoding), quality.weights_of(name, options))
        sets[name] = {"copies": copies(evenly_spaced(cases, o.limit), context)}
        if len({tuple(p.id for p in c.passages) for c in cases}) * TOGETHER <= len(cases):
            sets[name]["several"] = several(cases, o.limit, context)
        print(f"{name}: done", file=sys.stderr, flush=True)
    results = summary(sets, f"python benchmarks/situations.py --data FOLDER --limit {o.limit}")
    quality.save(results, o.out, "results")
    for kind in ("copies", "several"):
        if o.page:
            tables.insert(HERE / "README.md", f"situations {kind}", table(results, kind))
        print(table(results, kind), end="\n\n")


if __name__ == "__main__":
    main()
