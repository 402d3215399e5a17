"""Evidence kept under a budget, by every system on every set: the table that fieldpack stands or falls by."""

from __future__ import annotations

import hashlib
import json
import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fieldpack.bench import budgets, corpora, summary
from fieldpack.bench.context import Context
from fieldpack.bench.dataset import Query
from fieldpack.bench.machine import machine, versions
from fieldpack.bench.measures import Row, measure
from fieldpack.bench.registry import all_systems, named
from fieldpack.bench.shards import Shard
from fieldpack.bench.system import System
from fieldpack.errors import InputError, MissingExtraError, SettingsError
from fieldpack.protocols import Embedder, Progress

QUICK_SYSTEMS = ("fieldpack", "fieldpack_paragraph", "truncate", "dense", "bm25s", "rrf", "pyversity_mmr", "oracle")
QUICK_QUERIES = 20
QUICK_SECONDS = 100.0
LEAST_QUERIES = 3


@dataclass(frozen=True)
class Options:
    """What to measure. Empty `sets`, `systems`, `budgets` mean all sets, all systems but the ablations, and the budgets
    that suit each set. Among `systems` may be groups: baselines, peers, tiers (fieldpack's), ablations.

    data: a data set or a folder of them. limit: queries of each set; limits: of single sets. embedder: what every
    system that needs vectors is given (any name that EmbeddingService takes). out: folder for shards and vectors, which
    make a run resumable. redo: systems whose stored rows are measured anew. seconds: when they are over no new query is
    begun, but for three of each set. quick: few queries and systems, static vectors, two minutes. held_out: a folder of
    SET.json, fieldpack's weights trained without that set (models/build_scorer.py --held-out); a set that has none
    there is measured with the shipped weights.
    """

    data: str | Path
    sets: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    budgets: tuple[float, ...] = ()
    limit: int | None = 100
    limits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    embedder: str = "minilm"
    encoding: str = "o200k_base"
    out: Path | None = None
    redo: tuple[str, ...] = ()
    held_out: Path | None = None
    quick: bool = False
    seconds: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise SettingsError(f"limit is {self.limit}; allowed: 1 or more")


def words_of(text: str) -> tuple[str, ...]:
    """The names of a comma-separated list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def numbers_of(text: str) -> tuple[float, ...]:
    """The budgets of a comma-separated list. Raises InputError for one that is no number."""
    out = []
    for word in words_of(text):
        try:
            out.append(float(word))
        except ValueError as error:
            raise InputError(f"budget {word!r} is no number; give shares (0.25) or tokens (1000)") from error
    return tuple(out)


def run(options: Options, progress: Progress | None = None, embedder: Embedder | None = None) -> dict[str, Any]:
    """Measure and summarise; the result is what goes to JSON and what tables.py draws (see summary.py).

    progress is called as progress(set, queries done, queries). `embedder` replaces the one that options name.
    Raises InputError for data it cannot read, UnknownNameError for a set or system that does not exist.
    """
    options = settled(options)
    names = sets_of(options)
    systems = named(options.systems or ("all",))
    context = context_of(options, embedder)
    sets: dict[str, Any] = {}
    rows: list[Row] = []
    skipped: dict[str, str] = {}
    started = time.monotonic()
    for left, name in zip(range(len(names), 0, -1), names, strict=True):
        cases = cases_of(name, options)
        context.scorer = weights_of(name, options)
        until = math.inf
        if options.seconds is not None:  # the time that is left is shared by the sets that are left
            now = time.monotonic()
            until = now + (started + options.seconds - now) / left
        about, measured = _measure_set(name, cases, systems, options, context, progress, skipped, until)
        sets[name] = {**about, "weights": "shipped" if context.scorer is None else "held out"}
        rows.extend(measured)
    results = {
        "kind": "quality",
        "machine": machine(),
        "embedder": context.embedder.fingerprint,
        "encoding": options.encoding,
        "versions": versions(),
        "sets": sets,
        "systems": {s.name: s.family for s in systems if s.name not in skipped},
        "skipped": skipped,
        "against_default": summary.against_default(rows, {s.name: s.family for s in systems}, options.seed),
        "cells": summary.cells(rows, {s.name: s.family for s in systems}, options.seed),
    }
    if options.out is not None:
        save(results, options.out / "quality.json")
    return results


def settled(options: Options) -> Options:
    """The options with what `quick` stands for; these are settled already."""
    return replace(_quicker(options), quick=False) if options.quick else options


def context_of(options: Options, embedder: Embedder | None = None) -> Context:
    """What the systems are given: the embedder, this one or the one that options name, and the counts."""
    from fieldpack.text.tokens import tokenizer

    return Context(embedder or _embedder(options), tokenizer(options.encoding))


def sets_of(options: Options) -> tuple[str, ...]:
    """The names of the sets to measure."""
    return options.sets or tuple(corpora.discover(options.data))


def cases_of(name: str, options: Options) -> list[Query]:
    """The queries of a set, in the order in which they are measured."""
    cases = corpora.load_named(options.data, name, options.limits.get(name, options.limit))
    if options.seconds is not None:
        random.Random(options.seed).shuffle(cases)
    return cases


def systems_for(cases: Sequence[Query], systems: Sequence[System]) -> list[System]:
    """The systems that are asked about pools of this size: a system answers all queries of a set or none."""
    largest = max(len(c.passages) for c in cases)
    return [s for s in systems if s.most >= largest]


def weights_of(name: str, options: Options) -> Path | None:
    """fieldpack's weights for a set: trained without it, or None for the shipped ones."""
    path = options.held_out / f"{name}.json" if options.held_out is not None else None
    return path if path is not None and path.is_file() else None


def _quicker(options: Options) -> Options:
    known = all_systems()
    systems = options.systems or tuple(s for s in QUICK_SYSTEMS if s in known)
    limit = min(options.limit or QUICK_QUERIES, QUICK_QUERIES)
    seconds = options.seconds or QUICK_SECONDS
    return replace(options, systems=systems, limit=limit, limits={}, embedder="static", seconds=seconds)


def _embedder(options: Options) -> Embedder:
    from fieldpack.embed.service import EmbeddingService

    if options.out is None or options.embedder == "static":
        return EmbeddingService(options.embedder)
    options.out.mkdir(parents=True, exist_ok=True)
    return EmbeddingService(options.embedder, cache=options.out / "vectors.sqlite")


def _measure_set(
    name: str,
    cases: Sequence[Query],
    systems: Sequence[System],
    options: Options,
    context: Context,
    progress: Progress | None,
    skipped: dict[str, str],
    until: float,
) -> tuple[dict[str, Any], list[Row]]:
    totals = budgets.candidate_tokens(cases, context.tokenizer)
    chosen = budgets.choose(options.budgets, totals)
    systems = systems_for(cases, systems)
    shards = {s.name: shard_of(name, s.name, options, context) for s in systems}
    labels = [budgets.label(b) for b in chosen]
    new = [c for c in cases if not all(shard.has(c.id, at) for shard in shards.values() for at in labels)]
    context.embed([*(p.text for c in new for p in c.passages), *(c.query for c in new)])
    for done, (case, total) in enumerate(zip(cases, totals, strict=True)):
        limits = {budgets.label(b): budgets.tokens_of(b, total) for b in chosen}
        for system in systems:
            todo = {at: n for at, n in limits.items() if not shards[system.name].has(case.id, at)}
            if system.name in skipped or not todo:
                continue
            try:
                shards[system.name].add(list(rows_of(system, case, todo, context)))
            except MissingExtraError as error:
                skipped[system.name] = str(error)
        if progress is not None:
            progress(name, done + 1, len(cases))
        if time.monotonic() > until and done + 1 >= LEAST_QUERIES:
            cases, totals = cases[: done + 1], totals[: done + 1]
            break
    asked, at = {c.id for c in cases}, {budgets.label(b) for b in chosen}
    rows = [r for s in shards.values() for r in s.rows if r["id"] in asked and r["at"] in at]
    return _about(cases, totals, chosen, context), [{"set": name, **r} for r in rows]


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
        "queries": len(cases),
        "passages": round(sum(len(c.passages) for c in cases) / len(cases), 1),
        "tokens": round(sum(totals) / len(totals)),
        "budgets": [budgets.label(b) for b in chosen],
        "embedding_ms_per_1000_chars": _embedding_cost(cases, context),
    }


def _embedding_cost(cases: Sequence[Query], context: Context, sample: int = 64) -> float:
    """Milliseconds for 1,000 characters with no cache, on some of the set's passages, so that times can include it."""
    embedder = getattr(context.embedder, "embedder", context.embedder)  # the service's own, without its cache
    texts = list(dict.fromkeys(p.text for c in cases for p in c.passages))
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
