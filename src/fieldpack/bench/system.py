"""A system that is measured answers `select(case, budget, context) -> Packed`; `Ranked` makes one of an order."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from fieldpack.bench.context import Context, Packed, Render, blank_line, cut
from fieldpack.bench.dataset import KINDS, PASSAGES, TALK, Query
from fieldpack.errors import MissingExtraError

LISTS = frozenset([PASSAGES, TALK])
"""Kinds of sets whose candidates are ranked as they come."""
EVERY = frozenset(KINDS)
Rank = Callable[[Query, int, Context], Iterable[int]]


class System(Protocol):
    """A way to spend a budget. `family` names the library; baselines and the oracle are families of their own.

    `most`: the largest pool that it is measured on, for systems whose time grows with the square of the pool. `kinds`:
    of the sets that it is measured on: who ranks whole passages has nothing to say about a folder of files.
    """

    @property
    def name(self) -> str: ...

    @property
    def family(self) -> str: ...

    @property
    def most(self) -> float: ...

    @property
    def kinds(self) -> frozenset[str]: ...

    def select(self, case: Query, budget: int, context: Context) -> Packed: ...


@dataclass(frozen=True)
class Ranked:
    """A system that gives passages an order; the budget is cut from it, and its rendering is the library's own.

    `budgeted`: the order depends on the budget, so it is made for each.
    """

    name: str
    family: str
    rank: Rank
    render: Render = blank_line
    budgeted: bool = False
    most: float = math.inf
    kinds: frozenset[str] = LISTS

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
