"""The greedy selection: the most probable evidence first, given what is packed already (`packing.objective` has the
formula).

Gains are weighed by cost^rho; of several rho the best F stays (Lin & Bilmes 2010), and after each step the best single
row that still fits is tried too (Greedy+Max: Yaroslavtsev et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fieldpack.arrays import mask_of, scatter, sigmoid
from fieldpack.packing.enough import GUARD, Stop, rows_that_answer
from fieldpack.packing.objective import COUPLED, SAME, CouplingCache, bound, objective_of
from fieldpack.packing.order import TIE, first_of_best
from fieldpack.packing.problem import MissingContexts, PackingSettings, Problem, continues, with_contexts
from fieldpack.types import BoolArray, FloatArray, FrozenArrays, IntArray


@dataclass(frozen=True, eq=False)
class Packing(FrozenArrays):
    """chosen: rows in order of choice; gain (n,): of each chosen row when it was chosen, of others at the end; link
    (n,): log odds that links added; duplicate (n,): that duplicates took away; value: F(chosen); bound >= optimum of
    F; used: tokens by the costs of the problem; rho: the exponent that won. brought (n,): rows that came in because
    others need them (a table's header, an enclosing key, a lead-in sentence). fits: relevance of all that the budget
    could hold; ended: whether less is enough, and the rest was left out."""

    chosen: IntArray
    gain: FloatArray
    link: FloatArray
    duplicate: FloatArray
    value: float
    bound: float
    used: int
    rho: float
    brought: BoolArray
    fits: float = 0.0
    ended: bool = False


def select(problem: Problem, budget: int, settings: PackingSettings | None = None, stop: Stop | None = None) -> Packing:
    """The best of the greedy runs over settings.rho. Pinned rows are in first, whatever they cost (check before). stop:
    when the pack has enough; None fills the budget."""
    settings = settings or PackingSettings()
    cache = CouplingCache(problem.couplings) if problem.couplings is not None else None
    runs = [_run(problem, budget, settings, rho, cache) for rho in settings.rho]
    top = max(r.value for r in runs)
    best = next(r for r in sorted(runs, key=lambda r: r.rho) if r.value >= top - TIE * abs(top))
    best = replace(best, bound=max(bound(problem, budget, settings), best.value))
    return best if stop is None else _ended(best, stop, problem, settings, cache)


def _ended(
    packing: Packing, stop: Stop, problem: Problem, settings: PackingSettings, cache: CouplingCache | None
) -> Packing:
    """The packing without the rows that were chosen when it had enough; what is pinned, and what that needs, stays."""
    fits = float(stop.relevance[packing.chosen].sum(dtype=np.float64))
    must = np.flatnonzero(problem.pinned)
    must = must if problem.context is None else with_contexts(must, problem.context)
    needed = np.flatnonzero(np.isin(packing.chosen, must)).max(initial=-1) + 1
    count = max(stop.after(packing.chosen, packing.brought), int(needed))
    if stop.share >= GUARD:
        count = max(count, rows_that_answer(problem.max_similarity[:, packing.chosen], problem.word_weight))
    if count >= len(packing.chosen):
        return replace(packing, fits=fits)
    chosen = packing.chosen[:count]
    return replace(
        packing,
        chosen=chosen,
        value=objective_of(problem, chosen, settings, cache),
        used=int(problem.cost[chosen].sum()),
        brought=packing.brought & mask_of(chosen, len(problem)),
        fits=fits,
        ended=True,
    )


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
        brought=mask_of(rows[packing.brought], len(problem)),
    )


def worth(problem: Problem, packing: Packing) -> FloatArray:
    """(n,) gains, by which rows leave a text that is too long: the most relevant row, from which the gain of others may
    come, and what it needs leave last."""
    out = packing.gain.copy()
    if len(packing.chosen):
        best = packing.chosen[[first_of_best(problem.logit[packing.chosen])]]
        along = best if problem.context is None else with_contexts(best, problem.context)
        out[along] = out[packing.chosen].max() * np.float32(1.01)
    return out


class _Selection:
    """A pack while it grows: what its rows have done to the others."""

    def __init__(self, problem: Problem, settings: PackingSettings, cache: CouplingCache | None) -> None:
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
        self.inside = np.zeros(n, np.bool_)
        self.chosen: list[int] = []
        self.used = 0
        self.beside_packed = np.zeros(n, np.bool_)
        self.missing = MissingContexts(problem)
        self.coverage = self._coverage()

    def costs(self, *, alone: bool = False) -> IntArray:
        """(n,) tokens that each row takes now; alone: without what must be in with it."""
        problem, costs = self.problem, self.problem.cost
        if problem.context is not None and not alone:
            costs = costs + self.missing.tokens(self.inside)
        if self.has_headers:
            costs = costs + np.where(self.document_begun[problem.document], 0, problem.header_tokens)
        return np.asarray(costs, np.int64)

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
        """Packs a row, for `cost` tokens."""
        self.used += cost
        self._pack(row)

    def add_with_context(self, row: int, cost: int) -> list[int]:
        """Packs a row and what must be in with it, for `cost` tokens together; the rows that came along."""
        along: list[int] = []
        context = self.problem.context
        at = int(context[row]) if context is not None else -1
        while at >= 0 and not self.inside[at]:
            along.append(at)
            at = int(context[at]) if context is not None else -1
        for other in along[::-1]:
            self._pack(other)
        self.add(row, cost)
        return along

    def _pack(self, row: int) -> None:
        problem, settings = self.problem, self.settings
        self.free[row] = False
        self.inside[row] = True
        self.missing.added(row)
        if problem.same is not None:
            self.free[problem.same == problem.same[row]] = False  # of copies, one
        self.chosen.append(row)
        self.document_begun[problem.document[row]] = True
        self.paragraph_begun[problem.paragraph[row]] = True
        self._cover(problem.max_similarity[:, row], problem.attraction[:, row])
        beside = [k for k in (row - 1, row + 1) if 0 <= k < len(self.free) and continues(problem, k, row)]
        self.beside_packed[beside] = True
        if self.cache is not None and len(self.chosen) <= COUPLED:
            if settings.chain:
                np.maximum(self.link, self.cache.links(row), out=self.link)
            if settings.repel and self.duplicate[row] < SAME:
                copies = self.cache.copies(row)
                if len(copies.rows):
                    self.duplicate[copies.rows] = np.maximum(self.duplicate[copies.rows], copies.share)
                    self._weigh(copies.rows)
        if beside:
            self._weigh(beside)

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


def _run(problem: Problem, budget: int, settings: PackingSettings, rho: float, cache: CouplingCache | None) -> Packing:
    pack = _Selection(problem, settings, cache)
    if cache is not None:
        cache.prefetch(_most_probable(problem, budget))
    gain, brought = np.zeros(len(problem), np.float32), np.zeros(len(problem), np.bool_)
    for row in np.flatnonzero(problem.pinned).tolist():
        gain[row] = pack.gains()[row]
        pack.add(row, int(pack.costs(alone=True)[row]))
    _add_contexts_of_pins(pack, budget, brought)
    gains = pack.gains()
    while len(problem):
        costs, gains = pack.costs(), pack.gains()
        able = pack.able(costs, budget - pack.used)
        weighed = gains if rho == 0 else gains / np.maximum(costs, 1) ** rho
        row = first_of_best(np.where(able, weighed, -np.inf))
        if not able[row]:
            break
        gain[row] = gains[row]
        along = pack.add_with_context(row, int(costs[row]))
        brought[along] = True
        # A row that others need is worth more than they are: it goes after them when the text is too long.
        gain[along] = np.maximum(gains[along], gains[row] * np.float32(1.01))
    chosen = np.array(pack.chosen, np.int64)
    gain = np.where(pack.inside, gain, gains)
    value, used = objective_of(problem, chosen, settings, cache, pack.link[chosen]), pack.used
    single = _best_single(problem, budget, chosen)
    if single is not None and (alone := objective_of(problem, single, settings, cache)) > value:
        chosen, value, used = single, alone, int(problem.cost[single].sum())
        brought[:] = False
    return Packing(
        chosen=chosen,
        gain=gain,
        link=settings.chain * pack.link,
        duplicate=settings.repel * pack.duplicate,
        value=value,
        bound=value,
        used=used,
        rho=rho,
        brought=brought,
    )


def _add_contexts_of_pins(pack: _Selection, budget: int, brought: BoolArray) -> None:
    """Packs what pinned rows need, as far as it fits: they are in before it, and without it."""
    context = pack.problem.context
    if context is None:
        return
    for row in with_contexts(np.flatnonzero(pack.inside), context).tolist():
        if not pack.inside[row] and (cost := int(pack.costs()[row])) <= budget - pack.used:
            brought[pack.add_with_context(row, cost)] = True
            brought[row] = True


def _most_probable(problem: Problem, budget: int) -> IntArray:
    """The most probable rows, as many as the budget may hold."""
    order = np.argsort(-problem.logit, kind="stable")
    return order[: int(np.searchsorted(np.cumsum(problem.cost[order]), budget)) + 1]


def _best_single(problem: Problem, budget: int, chosen: IntArray) -> IntArray | None:
    """A long row that greedy left out although it is worth more than all that was packed in its place."""
    if len(chosen) == 0 or problem.pinned.any():
        return None
    fits = problem.eligible & ~problem.is_heading & (problem.cost + problem.header_tokens <= budget)
    if problem.context is not None:
        fits &= problem.context < 0
    alone = np.where(fits, sigmoid(problem.logit), -np.inf)
    row = first_of_best(alone)
    return None if row in chosen or not np.isfinite(alone[row]) else np.array([row])
