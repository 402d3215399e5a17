"""What a pack is worth.

For a set S of rows with log odds l:

    F(S) = sum_{i in S} sigmoid(l_i + chain max_{j in S} link(j, i) - repel max_{j in S before i} duplicate(j, i))
         + cover p* sum_q w_q max_{i in S} best(q, i),   p* = max_i sigmoid(l_i)

"before" is the order of l, so that F depends on the set alone. `bound` is never below the optimum: every row at its
best conceivable log odds, in a fractional knapsack.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fieldpack.arrays import sigmoid
from fieldpack.field.couplings import Copies, Couplings
from fieldpack.packing.problem import PackingSettings, Problem
from fieldpack.types import FloatArray, IntArray

COUPLED = 4096
"""Rows of a pack whose links and copies are followed; what comes after them (a budget of a hundred thousand tokens, a
pack of single letters) is taken by its own worth: the work would grow as the square of the budget."""
SAME = 0.9999
"""Share of a copy from which it is one word for word: what copies the one copies the other."""
_MOST_LINKS = 512
"""Rows whose links are kept while a pack is made: some megabytes at most."""
_MOST_COPIES = 1 << 22
"""Copies that are kept while a pack is made, of all rows together: where all rows are alike, each has thousands."""
_BLOCK = 48
"""Rows compared with all others at once."""


class CouplingCache:
    """Couplings while packs of one problem are made: what was asked for once is kept, within bounds, and the rows that
    are likely to be packed are compared with all others in blocks."""

    def __init__(self, couplings: Couplings) -> None:
        self._couplings = couplings
        self._links: dict[int, FloatArray] = {}
        self._copies: dict[int, Copies] = {}
        self._copies_left = _MOST_COPIES
        self._queue: list[int] = []

    def prefetch(self, rows: IntArray) -> None:
        """Says which rows are likely to be packed, the first first."""
        self._queue = rows[::-1].tolist()

    def links(self, row: int) -> FloatArray:
        """`Couplings.links`; not to be written to."""
        links = self._links.get(row)
        if links is None:
            links = self._couplings.links(row)
            if len(self._links) < _MOST_LINKS:
                self._links[row] = links
        return links

    def copies(self, row: int) -> Copies:
        """`Couplings.copies` of one row."""
        known = self._copies.get(row)
        if known is not None:
            return known
        block = [row]
        while self._queue and len(block) < _BLOCK and self._copies_left > 0:
            following = self._queue.pop()
            if following != row and following not in self._copies:
                block.append(following)
        compared = self._couplings.copies(np.array(block))
        for one, copies in zip(block, compared, strict=True):
            if len(copies.rows) <= self._copies_left:
                self._copies[one] = copies
                self._copies_left -= len(copies.rows)
        return compared[0]


def objective(problem: Problem, chosen: Sequence[int] | IntArray, settings: PackingSettings) -> float:
    """F of a set of rows."""
    cache = CouplingCache(problem.couplings) if problem.couplings is not None else None
    return objective_of(problem, np.asarray(chosen, np.int64), settings, cache)


def objective_of(
    problem: Problem,
    rows: IntArray,
    settings: PackingSettings,
    cache: CouplingCache | None,
    link: FloatArray | None = None,
) -> float:
    """F of some rows. cache: of the problem's couplings, if there are any. link: the highest link of each row from
    another of them, when it is known already."""
    if not len(rows):
        return 0.0
    logit = problem.logit[rows].astype(np.float64)
    if cache is not None and settings.chain:
        if link is None:
            link = np.max([cache.links(row)[rows] for row in rows.tolist()], 0)
        logit = logit + settings.chain * link
    if cache is not None and settings.repel:
        logit = logit - settings.repel * _repeated(problem, cache, rows)
    value = float(sigmoid(logit).sum())
    unit = problem.best_probability
    if len(problem.max_similarity):
        best = np.maximum(problem.max_similarity[:, rows].max(1), 0)
        value += unit * settings.cover * float(problem.word_weight @ best)
    if len(problem.attraction):
        best = np.maximum(problem.attraction[:, rows].max(1), 0)
        value += unit * settings.attract * float(problem.attraction_weight @ best)
    return value


def _repeated(problem: Problem, cache: CouplingCache, rows: IntArray) -> FloatArray:
    """(k,) how much each of `rows` repeats one of them that is before it in the order of probability (one of the first
    COUPLED)."""
    out = np.zeros(len(problem), np.float32)
    place = np.full(len(problem), -1)
    ordered = rows[np.lexsort((rows, -problem.logit[rows].astype(np.float64)))]
    place[ordered] = np.arange(len(rows))
    for row in ordered[:COUPLED].tolist():
        if out[row] >= SAME:
            continue
        copies = cache.copies(row)
        if len(copies.rows):
            share = copies.share * (place[copies.rows] > place[row])
            out[copies.rows] = np.maximum(out[copies.rows], share)
    return out[rows]


def bound(problem: Problem, budget: int, settings: PackingSettings) -> float:
    """An upper bound on F over all sets that fit: each row fully linked, nothing twice, all covered; fractional
    knapsack."""
    able = problem.eligible & (problem.cost <= budget)
    top = sigmoid(problem.logit + (settings.chain if problem.couplings is not None else 0))
    cost = np.maximum(problem.cost, 1)
    order = np.argsort(-(top / cost) * able, kind="stable")
    order = order[able[order]]
    reached = np.cumsum(cost[order])
    whole = int(np.searchsorted(reached, budget, side="right"))
    value = float(top[order[:whole]].sum())
    if whole < len(order):
        left = budget - (int(reached[whole - 1]) if whole else 0)
        value += float(top[order[whole]]) * left / float(cost[order[whole]])
    coverage = settings.cover if len(problem.max_similarity) else 0
    attractors = settings.attract if len(problem.attraction) else 0
    return value + problem.best_probability * (coverage + attractors)
