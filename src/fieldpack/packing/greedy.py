"""The greedy packer: the most probable evidence first, given what is packed already.

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
import numpy.typing as npt

from fieldpack.errors import SettingsError
from fieldpack.packing.coupling import Coupling
from fieldpack.types import BoolArray, FloatArray, IntArray

TIE = 1e-4
"""Relative difference up to which two values are the same: single precision leaves 1e-6 of doubt in log odds of 1 and
1e-5 in a probability far from a half."""
COUPLED = 4096
"""Rows of a pack whose links and copies are followed; what comes after them (a budget of a hundred thousand tokens, a
pack of single letters) is taken by its own worth, lest the work grow as the square of the budget."""
_SAME = 0.9999
"""Share of a copy from which it is one word for word: what copies the one copies the other."""


@dataclass(frozen=True, slots=True)
class PackingSettings:
    """chain, repel: log odds that a full link adds, a full duplicate takes away (>= 0). cover: worth of seeing every
    word of the query, in rows as probable as the best one. rho: exponents of the cost to try, each in [0, 1].
    complete: log odds added to the neighbours of a packed row inside its paragraph. attract: worth of reaching every
    attractor of the field, in rows."""

    chain: float = 3.0
    repel: float = 8.0
    cover: float = 0.3
    rho: tuple[float, ...] = (0.0,)
    complete: float = 0.5
    attract: float = 0.0

    def __post_init__(self) -> None:
        for name in ("chain", "repel", "cover", "complete", "attract"):
            if not 0 <= getattr(self, name) <= 1e6:
                raise SettingsError(f"packing setting {name} is {getattr(self, name)!r}; allowed: a number >= 0")
        if not self.rho or not all(0 <= r <= 1 for r in self.rho):
            raise SettingsError(f"packing setting rho is {self.rho!r}; allowed: one or more numbers from 0 to 1")


@dataclass(frozen=True, eq=False)
class Problem:
    """n rows. logit (n,), cost (n,) tokens > 0, coupling among them, best (q, n) and its weights (q,) that sum to 1 (or
    to 0), attraction (k, n) and weights (k,) likewise, paragraph (n,), pinned (n,): must be in, open (n,): may be in,
    lead (n,): a heading, in only with another row of its paragraph, opening (n,): tokens that the first row of its
    document costs once more (a header), document (n,)."""

    logit: FloatArray
    cost: IntArray
    coupling: Coupling | None
    best: FloatArray
    best_weight: FloatArray
    attraction: FloatArray
    attraction_weight: FloatArray
    paragraph: IntArray
    document: IntArray
    opening: IntArray
    pinned: BoolArray
    open: BoolArray
    lead: BoolArray

    def __len__(self) -> int:
        return len(self.logit)

    @property
    def best_chance(self) -> float:
        """Probability of the best open row: the unit of what covering words and reaching attractors is worth."""
        return float(sigmoid(self.logit[self.open].max(keepdims=True))[0]) if self.open.any() else 0.0

    def take(self, rows: IntArray) -> Problem:
        """The problem of some rows (ascending), re-numbered 0, 1, ..."""
        return Problem(
            self.logit[rows],
            self.cost[rows],
            None if self.coupling is None else self.coupling.take(rows),
            self.best[:, rows],
            self.best_weight,
            self.attraction[:, rows],
            self.attraction_weight,
            self.paragraph[rows],
            self.document[rows],
            self.opening[rows],
            self.pinned[rows],
            self.open[rows],
            self.lead[rows],
        )


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


def pack(problem: Problem, budget: int, settings: PackingSettings | None = None) -> Packing:
    """The best of the greedy runs over settings.rho. Pinned rows are in first, whatever they cost (check before)."""
    settings = settings or PackingSettings()
    runs = [_run(problem, budget, settings, rho) for rho in settings.rho]
    top = max(r.value for r in runs)
    best = next(r for r in sorted(runs, key=lambda r: r.rho) if r.value >= top - TIE * abs(top))
    return replace(best, bound=max(bound(problem, budget, settings), best.value))


def sigmoid(x: npt.NDArray[np.floating]) -> FloatArray:
    """1 / (1 + e^-x), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)), np.float32)


def first_of_best(value: FloatArray) -> int:
    """The first row whose value (n,) is the highest or within TIE of it: the last bits, which differ between threads
    and processors, decide nothing."""
    top = float(value.max())
    return int(np.argmax(value >= top - TIE * abs(top))) if np.isfinite(top) else 0


def best_first(value: FloatArray) -> IntArray:
    """(n,) rows by value >= 0, the highest first; of those alike to four digits, the first."""
    return np.argsort(-np.round(np.log(np.maximum(value, 1e-30)), 4), kind="stable")


class _Growing:
    """A pack while it grows: what its rows have done to the others."""

    def __init__(self, problem: Problem, settings: PackingSettings) -> None:
        n = len(problem)
        self.p, self.s = problem, settings
        self.unit = problem.best_chance
        self.free = problem.open.copy()
        self.link = np.zeros(n, np.float32)
        self.duplicate = np.zeros(n, np.float32)
        self.logit = problem.logit.astype(np.float32)
        self.covered = np.zeros(len(problem.best), np.float32)
        self.reached = np.zeros(len(problem.attraction), np.float32)
        self.begun = np.zeros(int(problem.paragraph.max(initial=-1)) + 1, np.bool_)
        self.opened = np.zeros(int(problem.document.max(initial=-1)) + 1, np.bool_)
        self.costly, self.led = bool(problem.opening.any()), bool(problem.lead.any())
        self.chosen: list[int] = []
        self.used = 0
        self.near = np.zeros(n, np.bool_)
        self.more = self._more()

    def costs(self) -> IntArray:
        if not self.costly:
            return self.p.cost
        return np.asarray(self.p.cost + np.where(self.opened[self.p.document], 0, self.p.opening), np.int64)

    def able(self, costs: IntArray, left: int) -> BoolArray:
        """Rows that may come in next."""
        fits = self.free & (costs <= left)
        return fits & (~self.p.lead | self.begun[self.p.paragraph]) if self.led else fits

    def gains(self) -> FloatArray:
        return np.asarray(sigmoid(self.logit + self.s.chain * self.link) + self.more, np.float32)

    def _more(self) -> FloatArray | float:
        """What rows add besides their own probability: words covered, attractors reached."""
        p, s, more = self.p, self.s, 0.0
        if s.cover and len(p.best):
            more = self.unit * s.cover * (p.best_weight @ np.maximum(p.best - self.covered[:, None], 0))
        if s.attract and len(p.attraction):
            more = more + self.unit * s.attract * (
                p.attraction_weight @ np.maximum(p.attraction - self.reached[:, None], 0)
            )
        return more

    def add(self, row: int, cost: int) -> None:
        p, s = self.p, self.s
        self.free[row] = False
        self.chosen.append(row)
        self.used += cost
        self.opened[p.document[row]] = True
        self.begun[p.paragraph[row]] = True
        self._reach(p.best[:, row], p.attraction[:, row])
        beside = [k for k in (row - 1, row + 1) if 0 <= k < len(p) and p.paragraph[k] == p.paragraph[row]]
        self.near[beside] = True
        if p.coupling is not None and len(self.chosen) <= COUPLED:
            if s.chain:
                np.maximum(self.link, p.coupling.links(row), out=self.link)
            if s.repel and self.duplicate[row] < _SAME:
                rows, share = p.coupling.copies(row)
                if len(rows):
                    self.duplicate[rows] = np.maximum(self.duplicate[rows], share)
                    self._weigh(rows)
        if beside:
            self._weigh(beside)

    def _weigh(self, rows: list[int] | IntArray) -> None:
        p, s = self.p, self.s
        self.logit[rows] = p.logit[rows] + s.complete * self.near[rows] - s.repel * self.duplicate[rows]

    def _reach(self, best: FloatArray, attraction: FloatArray) -> None:
        if (best > self.covered).any() or (attraction > self.reached).any():
            self.covered = np.maximum(self.covered, best)
            self.reached = np.maximum(self.reached, attraction)
            self.more = self._more()


def _run(problem: Problem, budget: int, settings: PackingSettings, rho: float) -> Packing:
    pack = _Growing(problem, settings)
    if problem.coupling is not None:
        problem.coupling.expect(_first(problem, budget))
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
    better = _single(problem, budget, settings, chosen)
    value = objective(problem, chosen, settings, pack.link[chosen])
    if better is not None and objective(problem, better, settings) > value:
        chosen, value = better, objective(problem, better, settings)
        pack.used = int(problem.cost[chosen].sum())
    return Packing(
        chosen, gain, settings.chain * pack.link, settings.repel * pack.duplicate, value, value, pack.used, rho
    )


def _first(problem: Problem, budget: int) -> IntArray:
    """The most probable rows, as many as the budget may hold."""
    order = np.argsort(-problem.logit, kind="stable")
    return order[: int(np.searchsorted(np.cumsum(problem.cost[order]), budget)) + 1]


def _single(problem: Problem, budget: int, settings: PackingSettings, chosen: IntArray) -> IntArray | None:
    """A long row that greedy left out although it is worth more than all that was packed in its place."""
    if len(chosen) == 0 or problem.pinned.any():
        return None
    alone = np.where(
        problem.open & ~problem.lead & (problem.cost + problem.opening <= budget), sigmoid(problem.logit), -np.inf
    )
    row = first_of_best(alone)
    return None if row in chosen or not np.isfinite(alone[row]) else np.array([row])


def objective(
    problem: Problem, chosen: Sequence[int] | IntArray, settings: PackingSettings, link: FloatArray | None = None
) -> float:
    """F of a set of rows. link: the highest link of each from another of them, when it is known already."""
    rows = np.asarray(chosen, np.int64)
    if not len(rows):
        return 0.0
    logit, coupling = problem.logit[rows].astype(np.float64), problem.coupling
    if coupling is not None and settings.chain:
        if link is None:
            link = np.max([coupling.links(row)[rows] for row in rows.tolist()], 0)
        logit = logit + settings.chain * link
    if coupling is not None and settings.repel:
        logit = logit - settings.repel * _repeated(problem, coupling, rows)
    value = float(sigmoid(logit).sum())
    if len(problem.best):
        value += (
            problem.best_chance
            * settings.cover
            * float(problem.best_weight @ np.maximum(problem.best[:, rows].max(1), 0))
        )
    if len(problem.attraction):
        value += (
            problem.best_chance
            * settings.attract
            * float(problem.attraction_weight @ np.maximum(problem.attraction[:, rows].max(1), 0))
        )
    return value


def _repeated(problem: Problem, coupling: Coupling, rows: IntArray) -> FloatArray:
    """(k,) how much each of `rows` repeats one of them that is before it in the order of probability (one of the first
    COUPLED)."""
    out = np.zeros(len(problem), np.float32)
    place = np.full(len(problem), -1)
    ordered = rows[np.lexsort((rows, -problem.logit[rows].astype(np.float64)))]
    place[ordered] = np.arange(len(rows))
    for row in ordered[:COUPLED].tolist():
        if out[row] >= _SAME:
            continue
        near, share = coupling.copies(row)
        if len(near):
            out[near] = np.maximum(out[near], share * (place[near] > place[row]))
    return out[rows]


def bound(problem: Problem, budget: int, settings: PackingSettings) -> float:
    """An upper bound on F over all sets that fit: each row fully linked, nothing twice, all covered; fractional
    knapsack."""
    able = problem.open & (problem.cost <= budget)
    top = sigmoid(problem.logit + (settings.chain if problem.coupling is not None else 0))
    cost = np.maximum(problem.cost, 1)
    order = np.argsort(-(top / cost) * able, kind="stable")
    order = order[able[order]]
    reached = np.cumsum(cost[order])
    whole = int(np.searchsorted(reached, budget, side="right"))
    value = float(top[order[:whole]].sum())
    if whole < len(order):
        value += (
            float(top[order[whole]]) * (budget - (int(reached[whole - 1]) if whole else 0)) / float(cost[order[whole]])
        )
    more = (settings.cover if len(problem.best) else 0) + (settings.attract if len(problem.attraction) else 0)
    return value + problem.best_chance * more
