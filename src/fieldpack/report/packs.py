"""The same query at other budgets: what the slider of a report moves through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from fieldpack.errors import BudgetError
from fieldpack.report.view import OtherPack, PackView
from fieldpack.types import BoolArray, IntArray

P = TypeVar("P")

_SHARES = (0.125, 0.2, 0.33, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0, 4.0)
_MANY = 20_000
"""From this many segments on, fewer budgets are tried: each costs a greedy run."""
_FEW = (0.25, 0.5, 1.0, 1.5, 2.0)


def slider_budgets(tokens: IntArray, budget: int) -> list[int]:
    """About twelve budgets around `budget`, which is among them, none far above what all segments take.

    tokens (n,): of the segments.
    """
    most = int(tokens.sum()) + 2 * len(tokens)
    shares = _SHARES if len(tokens) < _MANY else _FEW
    rounded = {_round(budget * share) for share in shares if share != 1}
    chosen = [b for b in rounded if b < most]
    if most > budget and len(chosen) < len(rounded):
        chosen.append(most)
    return sorted({b for b in chosen if b >= 1} | {budget})


def at_other_budgets(tokens: IntArray, budget: int, repack: Callable[[int], P] | None) -> list[P]:
    """What `repack` gives at the other budgets of the slider; a budget that the pins do not fit gives nothing."""
    out = []
    for other in slider_budgets(tokens, budget) if repack is not None else []:
        if other != budget and repack is not None:
            try:
                out.append(repack(other))
            except BudgetError:
                continue
    return out


def kept_anywhere(packs: Sequence[OtherPack]) -> BoolArray:
    """(n,) segments that some pack keeps."""
    return np.asarray(np.logical_or.reduce([p.inside for p in packs]), np.bool_)


def pack_columns(view: PackView, rows: IntArray) -> list[dict[str, Any]]:
    """For JSON: of each pack its size, and the places in `rows` of what it keeps."""
    owners, documents = view.field.rows.doc, len(view.field.documents)
    out = []
    for p in view.packs:
        kept = np.bincount(owners[p.inside], minlength=documents)
        out.append(
            {
                "budget": p.budget,
                "tokens": p.tokens,
                "count": int(p.inside.sum()),
                "rows": np.flatnonzero(p.inside[rows]).tolist(),
                "kept": {int(d): int(kept[d]) for d in np.flatnonzero(kept)},
                "base": p.budget == view.budget,
            }
        )
    return out


def _round(value: float) -> int:
    """Two significant digits, so that the slider's stops read well."""
    if value < 10:
        return round(value)
    unit = 10 ** (len(str(int(value))) - 2)
    return int(round(value / unit) * unit)
