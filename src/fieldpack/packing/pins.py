"""Whether what must be in a pack fits into its budget."""

from __future__ import annotations

import numpy as np

from fieldpack.errors import BudgetError
from fieldpack.packing.fit import Writer
from fieldpack.types import BoolArray


def _pin_error(needed: int, budget: int) -> BudgetError:
    """The error for pinned text that does not fit."""
    return BudgetError(
        f"the pinned text needs {needed} tokens and the budget is {budget}; raise the budget to {needed} "
        "or pin less (a pin may be a range: id, start, end)",
        needed,
        budget,
    )


def require_pins(writer: Writer, pinned: BoolArray, budget: int) -> None:
    """Raises BudgetError when the pinned rows (n,) alone do not fit, in the order of the documents. What fits so is
    packed, whatever the order that was asked for (`fit`)."""
    if pinned.any():
        needed = writer.in_source_order().write(np.flatnonzero(pinned)).tokens
        if needed > budget:
            raise _pin_error(needed, budget)
