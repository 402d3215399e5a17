"""The systems that are measured: every one answers `select(case, budget, context) -> Packed`."""

from __future__ import annotations

import importlib
import math
import random
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fieldpack.bench.context import Context, Packed, Render, blank_line, cut, descending
from fieldpack.bench.corpora import Query
from fieldpack.errors import MissingExtraError, UnknownNameError
from fieldpack.types import FloatArray

Rank = Callable[[Query, int, Context], Iterable[int]]


class System(Protocol):
    """A way to spend a budget. `family` names the library; baselines and the oracle are families of their own.

    `most`: the largest pool that it is asked about, for those whose time grows with the square of the pool.
    """

    @property
    def name(self) -> str: ...

    @property
    def family(self) -> str: ...

    @property
    def most(self) -> float: ...

    def select(self, case: Query, budget: int, context: Context) -> Packed: ...


@dataclass(frozen=True)
class Ranked:
    """A system that gives passages an order; the budget is cut from it, and its rendering is the library's own.

    `budgeted`: the order depends on the budget, so it is made anew for each.
    """

    name: str
    family: str
    rank: Rank
    render: Render = blank_line
    budgeted: bool = False
    most: float = math.inf

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        if self.budgeted:
            order: Iterable[int] = self.rank(case, budget, context)
        else:
            order = context.replay(self.name, case.id, lambda: list(self.rank(case, budget, context)))
        return cut(order, case, budget, context, self.render)


def require(module: str) -> Any:
    """Import an optional peer, or say which extra brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise  # the package is there and broken: that must be seen
        raise MissingExtraError(module.partition(".")[0], "bench") from None


def truncation(case: Query, budget: int, context: Context) -> Iterable[int]:
    """The candidates in the order in which they came."""
    return range(len(case.passages))


def shuffled(case: Query, budget: int, context: Context) -> Iterable[int]:
    """A random order that depends on the query's id only."""
    order = list(range(len(case.passages)))
    random.Random(zlib.crc32(case.id.encode())).shuffle(order)
    return order


def dense(case: Query, budget: int, context: Context) -> Iterable[int]:
    """Cosine with the query, until full."""
    return descending(context.cosines(case)[0])


def dense_titled(case: Query, budget: int, context: Context) -> Iterable[int]:
    """The same with the title embedded before the text (the text alone is packed)."""
    rows = context.embed([f"{p.title}\n{p.text}" if p.title else p.text for p in case.passages])
    return descending(rows @ context.embed([case.query])[0])


def bm25_scores(case: Query) -> FloatArray:
    """(n,) BM25 of bm25s with its own tokenizer and English stop words, fitted on the query's candidates."""
    bm25s = require("bm25s")
    corpus = bm25s.tokenize([p.text for p in case.passages], stopwords="en", show_progress=False)
    zeros = np.zeros(len(case.passages), np.float32)
    if not corpus.vocab:
        return zeros
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)
    asked = bm25s.tokenize([case.query], stopwords="en", show_progress=False, return_ids=False)[0]
    known = [word for word in asked if word in corpus.vocab]
    return np.asarray(index.get_scores(known), np.float32) if known else zeros


def bm25(case: Query, budget: int, context: Context) -> Iterable[int]:
    return descending(bm25_scores(case))


def rrf(case: Query, budget: int, context: Context) -> Iterable[int]:
    """Reciprocal rank fusion of dense and BM25: sum of 1 / (60 + rank) (Cormack et al. 2009)."""
    total = np.zeros(len(case.passages))
    for scores in (context.cosines(case)[0], bm25_scores(case)):
        total[descending(scores)] += 1 / (60 + np.arange(len(scores)))
    return descending(total)


def oracle(case: Query, budget: int, context: Context) -> Iterable[int]:
    """Knows the evidence: most evidence characters per token first, then dense. Greedy, so not quite the optimum."""
    worth = np.zeros(len(case.passages))
    at = {p.id: i for i, p in enumerate(case.passages)}
    for span in case.evidence():
        worth[at[span.doc_id]] += span.end - span.start
    costs = np.array([max(1, context.count(p.text)) for p in case.passages])
    return descending(np.where(worth > 0, 2 + worth / costs, np.clip(context.cosines(case)[0], -1, 1)))


def baselines() -> tuple[System, ...]:
    """What anybody would write first, and the ceiling."""
    return (
        Ranked("truncate", "baseline", truncation),
        Ranked("random", "baseline", shuffled),
        Ranked("dense", "baseline", dense),
        Ranked("dense_titled", "baseline", dense_titled),
        Ranked("bm25s", "bm25s", bm25),
        Ranked("rrf", "baseline", rrf),
        Ranked("oracle", "oracle", oracle),
    )


def groups() -> dict[str, tuple[System, ...]]:
    """All systems by group; nothing heavy is imported before a system selects."""
    from fieldpack.bench import design_text, ours, peers, sentences

    return {
        "tiers": ours.systems(),
        "baselines": baselines(),
        "peers": (*peers.systems(), *sentences.systems(), design_text.system()),
        "ablations": ours.ablations(),
    }


def all_systems() -> dict[str, System]:
    """Every system by name."""
    return {s.name: s for group in groups().values() for s in group}


def named(names: Iterable[str]) -> tuple[System, ...]:
    """The systems of these names or groups: baselines, peers, tiers (fieldpack's), ablations, all (but the ablations).

    Raises UnknownNameError listing the known.
    """
    found, known = groups(), all_systems()
    groups_of = {**found, "all": (*found["tiers"], *found["baselines"], *found["peers"])}
    out: dict[str, System] = {}
    for name in names:
        if name not in known and name not in groups_of:
            raise UnknownNameError("system", name, [*known, *groups_of])
        out.update((s.name, s) for s in groups_of.get(name, ()) or (known[name],))
    return tuple(out.values())
