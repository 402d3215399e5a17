"""The benchmark's queries over a Ray cluster: every missing row is measured there and lands in the run's own shards.

What is left for `fieldpack.bench.quality.run` is to read the shards: the tables are made in one place.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from fieldpack.bench import budgets, quality
from fieldpack.bench.context import Context
from fieldpack.bench.dataset import FactPattern, Query, Span
from fieldpack.bench.measures import Row
from fieldpack.bench.registry import named
from fieldpack.bench.shards import Shard
from fieldpack.embed.service import EmbeddingService
from fieldpack.errors import InputError, MissingExtraError
from fieldpack.parallel import ComputeOptions, run_jobs
from fieldpack.parallel.spec import gpu_use, weights_file
from fieldpack.protocols import Embedder, Progress
from fieldpack.text.tokens import tokenizer
from fieldpack.types import Document

BATCH = 8
"""Queries in a job; their systems and budgets are measured together."""
Limits = dict[str, int]


def run(
    options: quality.Options,
    compute: ComputeOptions,
    progress: Progress | None = None,
    embedder: Embedder | None = None,
) -> dict[str, Any]:
    """As `quality.run`, its rows measured by the workers of `compute`. Needs options.out: the rows are kept there.

    The rows are those of one process but for their times, which are a worker's on its one core; the time limit of
    `seconds` and `quick` binds only what is left to do here, which is nothing. A system that a worker has not got the
    packages for is left to this process, which says so if it has not got them either.
    """
    if compute.ray is None:
        return quality.run(options, progress, embedder)
    if options.out is None:
        raise InputError("out is None; give a folder: over Ray the rows are collected there")
    options = quality.settled(options)
    context = quality.context_of(options, embedder)
    jobs, shards = _plan(options, context)
    weights = {job["set"]: quality.weights_of(job["set"], options) for job in jobs}
    carried = embedder if embedder is not None else options.embedder
    make = functools.partial(
        BenchWorker, carried, options.encoding, {name: path.read_bytes() for name, path in weights.items() if path}
    )
    content = [(k, json.dumps(job, ensure_ascii=True).encode()) for k, job in enumerate(jobs)]
    waiting: dict[int, bytes] = {}
    at = 0
    service = carried if isinstance(carried, EmbeddingService) else EmbeddingService(carried)
    for done, (k, rows) in enumerate(run_jobs(make, content, compute, gpu_use(service)), 1):
        waiting[k] = rows
        while at in waiting:  # in order, so that a shard does not depend on who was faster
            for row in json.loads(waiting.pop(at)):
                shards[jobs[at]["set"], row["system"]].add([row])
            at += 1
        if progress is not None:
            progress("bench", done, len(jobs))
    return quality.run(options, progress, embedder)


def _plan(options: quality.Options, context: Context) -> tuple[list[dict[str, Any]], dict[tuple[str, str], Shard]]:
    """Jobs of up to BATCH queries with what is missing of each, and the shards that the rows go to."""
    jobs: list[dict[str, Any]] = []
    shards: dict[tuple[str, str], Shard] = {}
    for name in quality.sets_of(options):
        cases = quality.cases_of(name, options)
        totals = budgets.candidate_tokens(cases, context.tokenizer)
        chosen = budgets.choose(options.budgets, totals, cases[0].kind)
        systems = quality.systems_for(cases, named(options.systems or ("all",)))
        shards |= {(name, s.name): quality.shard_of(name, s.name, options, context) for s in systems}
        todo = []
        for case, total in zip(cases, totals, strict=True):
            limits = budgets.limits_of(case, total, chosen)
            missing = {
                s.name: {at: n for at, n in limits.items() if not shards[name, s.name].has(case.id, at)}
                for s in systems
            }
            if missing := {system: found for system, found in missing.items() if found}:
                todo.append({"case": _to_json(case), "limits": missing})
        jobs += [{"set": name, "todo": todo[i : i + BATCH]} for i in range(0, len(todo), BATCH)]
    return jobs, shards


class BenchWorker:
    """The benchmark's systems in a worker. weights: of fieldpack's scorer, for the sets that have their own."""

    def __init__(self, embedder: Any, encoding: str, weights: Mapping[str, bytes]) -> None:
        self._context = Context(
            EmbeddingService(embedder) if isinstance(embedder, str) else embedder, tokenizer(encoding)
        )
        self._weights = {name: weights_file(content) for name, content in weights.items()}

    def __call__(self, number: int, content: bytes) -> bytes:
        job = json.loads(content)
        context = self._context
        context.scorer = self._weights.get(job["set"])
        cases = [_case_from_json(item["case"]) for item in job["todo"]]
        context.embed(quality.texts_of(cases))
        rows: list[Row] = []
        for case, item in zip(cases, job["todo"], strict=True):
            rows += self._rows(case, item["limits"])
        return json.dumps(rows).encode()

    def _rows(self, case: Query, limits: Mapping[str, Limits]) -> list[Row]:
        rows: list[Row] = []
        for name, wanted in limits.items():
            (system,) = named([name])
            try:
                rows += quality.rows_of(system, case, wanted, self._context)
            except MissingExtraError:
                continue  # left to the caller
        return rows


def _to_json(case: Query) -> dict[str, Any]:
    passages = [[p.id, p.text, p.title, dict(p.metadata)] for p in case.passages]
    return {
        "id": case.id,
        "query": case.query,
        "passages": passages,
        "gold": list(case.gold),
        "spans": [list(s) for s in case.gold_spans],
        "answers": list(case.answers),
        "mode": case.mode,
        "kind": case.kind,
        "category": case.category,
        "groups": [[list(s) for s in group] for group in case.groups],
        "needs": [list(s) for s in case.needs],
        "facts": [[list(f.patterns), list(f.keys), f.window] for f in case.facts],
    }


def _case_from_json(facts: Mapping[str, Any]) -> Query:
    return Query(
        id=facts["id"],
        query=facts["query"],
        passages=tuple(Document(*p) for p in facts["passages"]),
        gold=tuple(facts["gold"]),
        gold_spans=tuple(Span(*s) for s in facts["spans"]),
        answers=tuple(facts["answers"]),
        mode=facts["mode"],
        kind=facts["kind"],
        category=facts["category"],
        groups=tuple(tuple(Span(*s) for s in group) for group in facts["groups"]),
        needs=tuple(Span(*s) for s in facts["needs"]),
        facts=tuple(FactPattern(tuple(patterns), tuple(keys), window) for patterns, keys, window in facts["facts"]),
    )
