"""Evidence kept under a budget, by every system on every set: the table that fieldpack stands or falls by."""

from __future__ import annotations

import hashlib
import json
import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fieldpack.bench import budgets, corpora, kinds, summary
from fieldpack.bench.context import Context
from fieldpack.bench.dataset import FOLDER, Query
from fieldpack.bench.machine import machine, versions
from fieldpack.bench.measures import Row, measure
from fieldpack.bench.options import Options as Options
from fieldpack.bench.registry import all_systems, named
from fieldpack.bench.shards import Shard
from fieldpack.bench.system import System
from fieldpack.errors import MissingExtraError
from fieldpack.protocols import Embedder, Progress

QUICK_SYSTEMS = ("fieldpack", "fieldpack_paragraph", "truncate", "dense", "bm25s", "rrf", "pyversity_mmr", "oracle")
QUICK_QUERIES = 20
QUICK_SECONDS = 100.0
LEAST_QUERIES = 3
SAMPLE_CHARS = 4000
"""Characters of a passage whose embedding is timed: a model reads no more of it."""


def run(options: Options, progress: Progress | None = None, embedder: Embedder | None = None) -> dict[str, Any]:
    """Measure and summarise; the result is what goes to JSON and what tables.py draws (see summary.py).

    progress is called as progress(set, queries done, queries). `embedder` replaces the one that options name.
    Raises InputError for data it cannot read, UnknownNameError for a set or system that does not exist.
    """
    options = settled(options)
    names = sets_of(options)
    measuring = Run(options, named(options.systems or ("all",)), context_of(options, embedder), progress)
    sets: dict[str, Any] = {}
    rows: list[Row] = []
    started = time.monotonic()
    for left, name in zip(range(len(names), 0, -1), names, strict=True):
        until = math.inf
        if options.seconds is not None:  # the time that is left is shared by the sets that are left
            now = time.monotonic()
            until = now + (started + options.seconds - now) / left
        measured = measuring.measure_set(name, until)
        sets[name] = measured.about
        rows.extend(measured.rows)
    results = measuring.results(sets, rows)
    if options.out is not None:
        save(results, options.out / "quality.json")
    return results


@dataclass(frozen=True)
class MeasuredSet:
    """The facts of a set, and the rows of its queries."""

    about: dict[str, Any]
    rows: list[Row]


class Run:
    """One run: its systems over one set after another. A system whose package is missing is skipped from then on."""

    def __init__(
        self, options: Options, systems: Sequence[System], context: Context, progress: Progress | None
    ) -> None:
        self._options, self._systems, self._context, self._progress = options, systems, context, progress
        self._skipped: dict[str, str] = {}

    def measure_set(self, name: str, until: float) -> MeasuredSet:
        """The rows that are missing in the shards of a set are measured; no new query after the moment `until`, but
        for LEAST_QUERIES."""
        options, context = self._options, self._context
        cases = cases_of(name, options)
        context.scorer = weights_of(name, options)
        totals = budgets.candidate_tokens(cases, context.tokenizer)
        chosen = budgets.choose(options.budgets, totals, cases[0].kind)
        labels = {budgets.label(b) for b in chosen}
        limits = [budgets.limits_of(case, total, chosen) for case, total in zip(cases, totals, strict=True)]
        systems = systems_for(cases, self._systems)
        shards = {s.name: shard_of(name, s.name, options, context) for s in systems}
        new = [
            c
            for c, at_all in zip(cases, limits, strict=True)
            if not all(shard.has(c.id, at) for shard in shards.values() for at in at_all)
        ]
        context.embed(texts_of(new))
        for done, (case, at_all) in enumerate(zip(cases, limits, strict=True), 1):
            self._measure_query(case, at_all, systems, shards)
            if self._progress is not None:
                self._progress(name, done, len(cases))
            if time.monotonic() > until and done >= LEAST_QUERIES:
                cases, totals = cases[:done], totals[:done]
                break
        queries = {c.id for c in cases}
        rows = [r for s in shards.values() for r in s.rows if r["id"] in queries and r["at"] in labels]
        about = _about(cases, totals, chosen, context)
        about["weights"] = "shipped" if context.scorer is None else "held out"
        return MeasuredSet(about, [{"set": name, **r} for r in rows])

    def _measure_query(
        self, case: Query, limits: Mapping[str, int], systems: Sequence[System], shards: Mapping[str, Shard]
    ) -> None:
        for system in systems:
            todo = {at: n for at, n in limits.items() if not shards[system.name].has(case.id, at)}
            if system.name in self._skipped or not todo:
                continue
            try:
                shards[system.name].add(list(rows_of(system, case, todo, self._context)))
            except MissingExtraError as error:
                self._skipped[system.name] = str(error)

    def results(self, sets: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
        """The JSON of a run."""
        families = {s.name: s.family for s in self._systems}
        return {
            "kind": "quality",
            "machine": machine(),
            "embedder": self._context.embedder.fingerprint,
            "encoding": self._options.encoding,
            "versions": versions(),
            "sets": sets,
            "systems": {name: family for name, family in families.items() if name not in self._skipped},
            "skipped": self._skipped,
            "against_default": summary.against_default(rows, families, self._options.seed),
            "against_best": summary.against_best(
                rows, families, {name: about["kind"] for name, about in sets.items()}, self._options.seed
            ),
            "categories": summary.by_category(rows),
            "cells": summary.cells(rows, families, self._options.seed),
        }


def settled(options: Options) -> Options:
    """The options with what `quick` stands for; these are settled already."""
    return replace(_quicker(options), quick=False) if options.quick else options


def context_of(options: Options, embedder: Embedder | None = None) -> Context:
    """What the systems are given: the embedder, this one or the one that options name, and the counts."""
    from fieldpack.text.tokens import tokenizer

    return Context(embedder or _embedder(options), tokenizer(options.encoding))


def sets_of(options: Options) -> tuple[str, ...]:
    """The names of the sets to measure."""
    found = corpora.discover(options.data)
    small = (name for name, path in found.items() if not options.few or kinds.ending(path) != kinds.FOLDERS)
    return options.sets or tuple(small)


def cases_of(name: str, options: Options) -> list[Query]:
    """The queries of a set, in the order in which they are measured."""
    cases = corpora.load_named(options.data, name, options.limits.get(name, options.limit))
    if options.seconds is not None:
        random.Random(options.seed).shuffle(cases)
    return cases


def systems_for(cases: Sequence[Query], systems: Sequence[System]) -> list[System]:
    """The systems that take sets of this kind and pools of this size: a system answers all queries of a set or none."""
    largest, kind = max(len(c.passages) for c in cases), cases[0].kind
    return [s for s in systems if s.most >= largest and kind in s.kinds]


def texts_of(cases: Sequence[Query]) -> list[str]:
    """What is embedded for all systems before the first query; a whole file has no vector."""
    return [t for c in cases if c.kind != FOLDER for t in (*(p.text for p in c.passages), c.query)]


def weights_of(name: str, options: Options) -> Path | None:
    """fieldpack's weights for a set: trained without it, or None for the shipped ones."""
    path = options.held_out / f"{name}.json" if options.held_out is not None else None
    return path if path is not None and path.is_file() else None


def _quicker(options: Options) -> Options:
    known = all_systems()
    systems = options.systems or tuple(s for s in QUICK_SYSTEMS if s in known)
    limit = min(options.limit or QUICK_QUERIES, QUICK_QUERIES)
    seconds = options.seconds or QUICK_SECONDS
    return replace(options, systems=systems, limit=limit, limits={}, embedder="static", seconds=seconds, few=True)


def _embedder(options: Options) -> Embedder:
    from fieldpack.embed.service import EmbeddingService

    if options.out is None or options.embedder == "static":
        return EmbeddingService(options.embedder)
    options.out.mkdir(parents=True, exist_ok=True)
    return EmbeddingService(options.embedder, cache=options.out / "vectors.sqlite")


def rows_of(system: System, case: Query, limits: Mapping[str, int], context: Context) -> Iterator[Row]:
    """One row for each budget; an error of the system is a row too. Raises MissingExtraError."""
    for at, budget in limits.items():
        start, embedding = time.perf_counter(), context.embed_seconds
        chars, replayed = context.embedded_chars, context.replayed_seconds
        head: Row = {"id": case.id, "at": at, "system": system.name}
        try:
            packed = system.select(case, budget, context)
        except MissingExtraError:
            raise
        except Exception as error:  # a peer that fails on a query must not end the run: it is counted
            yield {**head, "error": f"{type(error).__name__}: {error}"[:300]}
            continue
        seconds = time.perf_counter() - start - (context.embed_seconds - embedding)
        seconds += context.replayed_seconds - replayed
        yield {
            **head,
            "mode": case.mode,
            "category": case.category,
            "ms": round(1000 * seconds, 3),
            "embedded": context.embedded_chars - chars,
            **measure(case, packed, budget, context),
        }


def shard_of(name: str, system: str, options: Options, context: Context) -> Shard:
    """The rows of a system on a set that are there already."""
    if options.out is None:
        return Shard(None)
    settings = f"{context.embedder.fingerprint} {context.tokenizer.name}"
    folder = options.out / f"shards-{hashlib.sha256(settings.encode()).hexdigest()[:8]}" / name
    path = folder / f"{system}.jsonl"
    if system in options.redo:
        path.unlink(missing_ok=True)
    return Shard(path)


def _about(cases: Sequence[Query], totals: Sequence[int], chosen: Sequence[float], context: Context) -> dict[str, Any]:
    return {
        "kind": cases[0].kind,
        "queries": len(cases),
        "passages": round(sum(len(c.passages) for c in cases) / len(cases), 1),
        "tokens": round(sum(totals) / len(totals)),
        "budgets": [budgets.label(b) for b in chosen],
        "embedding_ms_per_1000_chars": _embedding_cost(cases, context),
    }


def _embedding_cost(cases: Sequence[Query], context: Context, sample: int = 64) -> float:
    """Milliseconds for 1,000 characters with no cache, on some of the set's passages, so that times can include it."""
    embedder = getattr(context.embedder, "embedder", context.embedder)  # the service's own, without its cache
    texts = list(dict.fromkeys(p.text[:SAMPLE_CHARS] for c in cases for p in c.passages))
    texts = texts[:: max(1, len(texts) // sample)][:sample]
    start = time.perf_counter()
    embedder.embed(texts)
    return round(1e6 * (time.perf_counter() - start) / sum(map(len, texts)), 3)


def save(results: Mapping[str, Any], path: Path, rows: str = "cells") -> None:
    """Write results as JSON, one of `rows` a line so that a diff of two runs can be read."""
    lines = ",\n".join("  " + json.dumps(c, ensure_ascii=False) for c in results[rows])
    head = json.dumps({k: v for k, v in results.items() if k != rows}, ensure_ascii=False, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{head[:-2]},\n "{rows}": [\n{lines}\n ]\n}}\n', "utf-8")
