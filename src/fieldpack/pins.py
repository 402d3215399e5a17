"""Pins that cannot fit: how much they need, to the token."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fieldpack.errors import BudgetError

T = TypeVar("T")


def pins_need(needed: int, budget: int) -> BudgetError:
    """The error that says so."""
    return BudgetError(
        f"the pinned text needs {needed} tokens and the budget is {budget}; raise the budget to {needed} "
        "or pin less (a pin may be a range: id, start, end)",
        needed,
        budget,
    )


def packed_or_needed(pack: Callable[[int], T], budget: int) -> T:
    """pack(budget). A larger budget cuts documents into larger pieces, and a pinned range takes the pieces that it
    touches: so a BudgetError says what is needed at the very budget that it names."""
    try:
        return pack(budget)
    except BudgetError as error:
        first, needed = error, error.needed
    while True:
        try:
            pack(needed)
        except BudgetError as error:
            if error.needed > needed:
                needed = error.needed
                continue
        raise first if needed == first.needed else pins_need(needed, budget)
