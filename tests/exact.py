"""The exact optimum of the packing objective for small n: what the greedy packer is held against."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from fieldpack.errors import InputError
from fieldpack.packing.objective import objective
from fieldpack.packing.problem import PackingSettings, Problem
from fieldpack.types import IntArray

MOST_ROWS = 16


def exact(problem: Problem, budget: int, settings: PackingSettings | None = None) -> tuple[IntArray, float]:
    """The best set of rows that fits, and its value; pinned rows are in it. All subsets are tried: n <= 16.

    Raises InputError for more rows.
    """
    settings = settings or PackingSettings()
    n = len(problem)
    if n > MOST_ROWS:
        raise InputError(f"{n} rows; the exact packer tries all subsets and takes at most {MOST_ROWS}")
    free = np.flatnonzero(problem.eligible & ~problem.pinned).tolist()
    pinned = np.flatnonzero(problem.pinned).tolist()
    best, value = np.array(pinned, np.int64), objective(problem, pinned, settings)
    for size in range(1, len(free) + 1):
        for some in combinations(free, size):
            rows = np.array(sorted([*pinned, *some]), np.int64)
            if cost_of(problem, rows) <= budget and (found := objective(problem, rows, settings)) > value:
                best, value = rows, found
    return best, value


def cost_of(problem: Problem, rows: IntArray) -> int:
    """Tokens of a set by the problem's estimates: each row's own, and the header of each of its documents once."""
    _, first = np.unique(problem.document[rows], return_index=True)
    return int(problem.cost[rows].sum() + problem.header_tokens[rows[first]].sum())
