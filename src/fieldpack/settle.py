"""From the packer's estimate to the string that is handed out: count it, take back what is too much, fill what is left.

Token counts do not add up over joins, so the packer's sum is an estimate; the budget is kept on the rendered string.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fieldpack.packing.greedy import Packing, Problem, best_first
from fieldpack.render import Rendered
from fieldpack.types import BoolArray, IntArray

_ROUNDS = 4
_SCRAP = 0.01
"""Share of the budget that is not worth filling: only scraps ("Example:") fit there."""


@dataclass(frozen=True, eq=False)
class Settled:
    """inside (n,): rows of the text; filled (n,): those added to fill what was left."""

    inside: BoolArray
    filled: BoolArray
    rendered: Rendered
    tokens: int


def settle(
    problem: Problem,
    packing: Packing,
    budget: int,
    draw: Callable[[IntArray], Rendered],
    count: Callable[[str], int],
    fill: bool = True,
) -> Settled:
    """Drops the least gain until the text fits, then adds what still fits, the best first. Pinned rows stay."""
    inside = np.zeros(len(problem), np.bool_)
    inside[packing.chosen] = True
    free = packing.chosen[~problem.pinned[packing.chosen]]
    spare = free[best_first(packing.gain[free])].tolist()
    rendered, tokens = _within(problem, budget, inside, spare, draw, count)
    filled = np.zeros(len(problem), np.bool_)
    refused = np.zeros(len(problem), np.bool_)
    led, begun = bool(problem.lead.any()), np.zeros(int(problem.paragraph.max(initial=-1)) + 1, np.bool_)
    for _ in range(_ROUNDS if fill else 0):
        if budget - tokens <= _SCRAP * budget:
            break
        closed = inside | refused | ~problem.open
        if led:
            begun[problem.paragraph[inside]] = True
            closed |= problem.lead & ~begun[problem.paragraph]
        more = _more(problem, packing, closed, budget - tokens)
        if not len(more):
            break
        trial = inside.copy()
        trial[more] = True
        drawn, needed = _within(problem, budget, trial, more.tolist(), draw, count)
        refused[more] = ~trial[more]
        if trial[more].any():
            filled |= trial & ~inside
            inside, rendered, tokens = trial, drawn, needed
    return Settled(inside, filled, rendered, tokens)


def _drawn(
    inside: BoolArray, draw: Callable[[IntArray], Rendered], count: Callable[[str], int]
) -> tuple[Rendered, int]:
    drawn = draw(np.flatnonzero(inside))
    return drawn, count(drawn.text)


def _within(
    problem: Problem,
    budget: int,
    inside: BoolArray,
    spare: list[int],
    draw: Callable[[IntArray], Rendered],
    count: Callable[[str], int],
) -> tuple[Rendered, int]:
    """Takes rows of `spare` out of `inside`, the last first, until its text fits; both are changed in place."""
    while True:
        rendered, tokens = _drawn(inside, draw, count)
        if tokens <= budget or not spare:
            return rendered, tokens
        excess = tokens - budget
        while spare and excess > 0:
            row = spare.pop()
            inside[row] = False
            excess -= int(problem.cost[row])


def _more(problem: Problem, packing: Packing, closed: BoolArray, left: int) -> IntArray:
    """Rows that fit into what is left by their estimates, the best first."""
    free = np.flatnonzero(~closed & (problem.cost - 1 + problem.opening <= left))
    out = []
    for row in free[best_first(packing.gain[free])].tolist():
        cost = int(problem.cost[row] - 1 + problem.opening[row])
        if cost <= left:
            out.append(row)
            left -= cost + 1
    return np.array(out, np.int64)
