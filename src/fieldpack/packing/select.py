"""The greedy selection: the most probable evidence first, given what is packed already.

Objective, for a set S of rows with log odds l:

    F(S) = sum_{i in S} sigmoid(l_i + chain max_{j in S} link(j, i) - repel max_{j in S before i} duplicate(j, i))
         + cover p* sum_q w_q max_{i in S} best(q, i),   p* = max_i sigmoid(l_i)

"before" is the order of l, so that F depends on the set alone. Gains are weighed by cost^rho; of several rho the best F
stays (Lin & Bilmes 2010), and after each step the best single row that still fits is tried too (Greedy+Max:
Yaroslavtsev et al. 2020). `bound` is never below the optimum: every row at its best conceivable log odds, in a
fractional knapsack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fieldpack.arrays import scatter, sigmoid
from fieldpack.field.couplings import Copies, Couplings
from fieldpack.packing.problem import PackingSettings, Problem
from fieldpack.types import BoolArray, FloatArray, IntArray

TIE = 1e-4
"""Relative difference up to which two values are the same: single precision leaves 1e-6 of doubt in log odds of 1 and
1e-5 in a probability far from a half."""
COUPLED = 4096
"""Rows of a pack whose links and copies are followed; what comes after them (a budget of a hundred thousand tokens, a
pack of single letters) is taken by its own worth: the work would grow as the square of the budget."""
_SAME = 0.9999
"""Share of a copy from which it is one word for word: what copies the one copies the other."""
_MOST_LINKS = 512
"""Rows whose links are kept while a pack is made: some megabytes at most."""
_MOST_COPIES = 1 << 22
"""Copies that are kept while a pack is made, of all rows together: where all rows are alike, each has thousands."""
_BLOCK = 48
"""Rows compared with all others at once."""


@dataclass(frozen=True, eq=False)
class Packing:
    """chosen: rows in order of choice; gain (n,): of each chosen row when it was chosen, of others at the end; link
    (n,): log odds that links added; duplicate (n,): that duplicates took away; value: F(chosen); bound >= optimum of
    F; used: tokens by the costs of the problem; rho: the exponent that won."""

    chosen: IntArray
    gain: FloatArray
    link: FloatArray
    duplicate: FloatArray
    value: float
    bound: float
    used: int
    rho: float


def select(problem: Problem, budget: int, settings: PackingSettings | None = None) -> Packing:
    """The best of the greedy runs over settings.rho. Pinned rows are in first, whatever they cost (check before)."""
    settings = settings or PackingSettings()
    cache = _CouplingCache(problem.couplings) if problem.couplings is not None else None
    runs = [_run(problem, budget, settings, rho, cache) for rho in settings.rho]
    top = max(r.value for r in runs)
    best = next(r for r in sorted(runs, key=lambda r: r.rho) if r.value >= top - TIE * abs(top))
    return replace(best, bound=max(bound(problem, budget, settings), best.value))


def over_all_rows(packing: Packing, problem: Problem, rows: IntArray) -> Packing:
    """A packing of some `rows` of a problem as one of all; what was not looked at has its relevance as its gain."""
    if len(rows) == len(problem):
        return packing
    gain = np.exp(np.minimum(problem.logit, 0)).astype(np.float32)
    gain[rows] = packing.gain
    return replace(
        packing,
        chosen=rows[packing.chosen],
        gain=gain,
        link=scatter(packing.link, rows, len(problem)),
        duplicate=scatter(packing.duplicate, rows, len(problem)),
    )


def first_of_best(value: FloatArray) -> int:
    """The first row whose value (n,) is the highest or within TIE of it: the last bits, which differ between threads
    and processors, decide nothing."""
    top = float(value.max())
    return int(np.argmax(value >= top - TIE * abs(top))) if np.isfinite(top) else 0


def best_first(value: FloatArray) -> IntArray:
    """(n,) rows by value >= 0, the highest first; of those alike to four digits, the first."""
    return np.argsort(-np.round(np.log(np.maximum(value, 1e-30)), 4), kind="stable")


class _CouplingCache:
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


class _Selection:
    """A pack while it grows: what its rows have done to the others."""

    def __init__(self, problem: Problem, settings: PackingSettings, cache: _CouplingCache | None) -> None:
        n = len(problem)
        self.problem, self.settings, self.cache = problem, settings, cache
        self.unit = problem.best_probability
        self.free = problem.eligible.copy()
        self.link = np.zeros(n, np.float32)
        self.duplicate = np.zeros(n, np.float32)
        self.logit = problem.logit.astype(np.float32)
        self.covered = np.zeros(len(problem.max_similarity), np.float32)
        self.reached = np.zeros(len(problem.attraction), np.float32)
        self.paragraph_begun = np.zeros(int(problem.paragraph.max(initial=-1)) + 1, np.bool_)
        self.document_begun = np.zeros(int(problem.document.max(initial=-1)) + 1, np.bool_)
        self.has_headers, self.has_headings = bool(problem.header_tokens.any()), bool(problem.is_heading.any())
        self.chosen: list[int] = []
        self.used = 0
        self.beside_packed = np.zeros(n, np.bool_)
        self.coverage = self._coverage()

    def costs(self) -> IntArray:
        """(n,) tokens that each row takes now."""
        problem = self.problem
        if not self.has_headers:
            return problem.cost
        header = np.where(self.document_begun[problem.document], 0, problem.header_tokens)
        return np.asarray(problem.cost + header, np.int64)

    def able(self, costs: IntArray, left: int) -> BoolArray:
        """(n,) rows that may come in next."""
        fits = self.free & (costs <= left)
        if not self.has_headings:
            return fits
        return fits & (~self.problem.is_heading | self.paragraph_begun[self.problem.paragraph])

    def gains(self) -> FloatArray:
        """(n,) what each row would add."""
        return np.asarray(sigmoid(self.logit + self.settings.chain * self.link) + self.coverage, np.float32)

    def add(self, row: int, cost: int) -> None:
        """Packs a row."""
        problem, settings = self.problem, self.settings
        self.free[row] = False
        self.chosen.append(row)
        self.used += cost
        self.document_begun[problem.document[row]] = True
        self.paragraph_begun[problem.paragraph[row]] = True
        self._cover(problem.max_similarity[:, row], problem.attraction[:, row])
        beside = [k for k in (row - 1, row + 1) if self._same_paragraph(k, row)]
        self.beside_packed[beside] = True
        if self.cache is not None and len(self.chosen) <= COUPLED:
            if settings.chain:
                np.maximum(self.link, self.cache.links(row), out=self.link)
            if settings.repel and self.duplicate[row] < _SAME:
                copies = self.cache.copies(row)
                if len(copies.rows):
                    self.duplicate[copies.rows] = np.maximum(self.duplicate[copies.rows], copies.share)
                    self._weigh(copies.rows)
        if beside:
            self._weigh(beside)

    def _same_paragraph(self, k: int, row: int) -> bool:
        paragraph = self.problem.paragraph
        return 0 <= k < len(paragraph) and bool(paragraph[k] == paragraph[row])

    def _weigh(self, rows: list[int] | IntArray) -> None:
        settings = self.settings
        completed = settings.complete * self.beside_packed[rows]
        self.logit[rows] = self.problem.logit[rows] + completed - settings.repel * self.duplicate[rows]

    def _cover(self, similarity: FloatArray, attraction: FloatArray) -> None:
        if (similarity > self.covered).any() or (attraction > self.reached).any():
            self.covered = np.maximum(self.covered, similarity)
            self.reached = np.maximum(self.reached, attraction)
            self.coverage = self._coverage()

    def _coverage(self) -> FloatArray | float:
        """What rows add besides their own probability: words covered, attractors reached."""
        problem, settings, out = self.problem, self.settings, 0.0
        if settings.cover and len(problem.max_similarity):
            new = np.maximum(problem.max_similarity - self.covered[:, None], 0)
            out = self.unit * settings.cover * (problem.word_weight @ new)
        if settings.attract and len(problem.attraction):
            new = np.maximum(problem.attraction - self.reached[:, None], 0)
            out = out + self.unit * settings.attract * (problem.attraction_weight @ new)
        return out


def _run(problem: Problem, budget: int, settings: PackingSettings, rho: float, cache: _CouplingCache | None) -> Packing:
    pack = _Selection(problem, settings, cache)
    if cache is not None:
        cache.prefetch(_most_probable(problem, budget))
    gain = np.zeros(len(problem), np.float32)
    for row in np.flatnonzero(problem.pinned).tolist():
        gain[row] = pack.gains()[row]
        pack.add(row, int(pack.costs()[row]))
    while True:
        costs = pack.costs()
        able, gains = pack.able(costs, budget - pack.used), pack.gains()
        weighed = gains if rho == 0 else gains / np.maximum(costs, 1) ** rho
        row = first_of_best(np.where(able, weighed, -np.inf))
        if not able[row]:
            break
        gain[row] = gains[row]
        pack.add(row, int(costs[row]))
    chosen = np.array(pack.chosen, np.int64)
    left = np.ones(len(problem), np.bool_)
    left[chosen] = False
    gain[left] = gains[left]
    value, used = _objective(problem, chosen, settings, cache, pack.link[chosen]), pack.used
    single = _best_single(problem, budget, chosen)
    if single is not None and (alone := _objective(problem, single, settings, cache)) > value:
        chosen, value, used = single, alone, int(problem.cost[single].sum())
    return Packing(
        chosen=chosen,
        gain=gain,
        link=settings.chain * pack.link,
        duplicate=settings.repel * pack.duplicate,
        value=value,
        bound=value,
        used=used,
        rho=rho,
    )


def _most_probable(problem: Problem, budget: int) -> IntArray:
    """The most probable rows, as many as the budget may hold."""
    order = np.argsort(-problem.logit, kind="stable")
    return order[: int(np.searchsorted(np.cumsum(problem.cost[order]), budget)) + 1]


def _best_single(problem: Problem, budget: int, chosen: IntArray) -> IntArray | None:
    """A long row that greedy left out although it is worth more than all that was packed in its place."""
    if len(chosen) == 0 or problem.pinned.any():
        return None
    fits = problem.eligible & ~problem.is_heading & (problem.cost + problem.header_tokens <= budget)
    alone = np.where(fits, sigmoid(problem.logit), -np.inf)
    row = first_of_best(alone)
    return None if row in chosen or not np.isfinite(alone[row]) else np.array([row])


def objective(problem: Problem, chosen: Sequence[int] | IntArray, settings: PackingSettings) -> float:
    """F of a set of rows."""
    cache = _CouplingCache(problem.couplings) if problem.couplings is not None else None
    return _objective(problem, np.asarray(chosen, np.int64), settings, cache)


def _objective(
    problem: Problem,
    rows: IntArray,
    settings: PackingSettings,
    cache: _CouplingCache | None,
    link: FloatArray | None = None,
) -> float:
    """link: the highest link of each row from another of them, when it is known already."""
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


def _repeated(problem: Problem, cache: _CouplingCache, rows: IntArray) -> FloatArray:
    """(k,) how much each of `rows` repeats one of them that is before it in the order of probability (one of the first
    COUPLED)."""
    out = np.zeros(len(problem), np.float32)
    place = np.full(len(problem), -1)
    ordered = rows[np.lexsort((rows, -problem.logit[rows].astype(np.float64)))]
    place[ordered] = np.arange(len(rows))
    for row in ordered[:COUPLED].tolist():
        if out[row] >= _SAME:
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
