"""The same query at other budgets: what the slider of a report moves through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldpack.errors import BudgetError
from fieldpack.types import BoolArray, IntArray

if TYPE_CHECKING:
    from fieldpack.result import Result

_SHARES = (0.125, 0.2, 0.33, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0, 4.0)
_MANY = 20_000
"""From this many segments on, fewer budgets are tried: each costs a greedy run."""
_FEW = (0.25, 0.5, 1.0, 1.5, 2.0)


def budgets(result: Result) -> list[int]:
    """About twelve budgets around the result's own, its own among them, none far above what all segments take."""
    most = int(result.segments.tokens.sum()) + 2 * len(result.segments)
    shares = _SHARES if len(result.segments) < _MANY else _FEW
    near = {_round(result.budget * share) for share in shares if share != 1}
    upper = [b for b in near if b < most] + ([most] if any(b >= most for b in near) and most > result.budget else [])
    return sorted({b for b in upper if b >= 1} | {result.budget})


def packs(result: Result, given: Sequence[Result] | None = None) -> list[Result]:
    """Packs in order of budget, the result among them. given: those to show, None to make them where that can be done.

    A budget that the pins do not fit gives no pack.
    """
    others = list(given) if given is not None else _made(result)
    fits = [p for p in others if p.prepared is result.prepared and p.budget != result.budget]
    return sorted([result, *fits], key=lambda p: p.budget)


def _made(result: Result) -> list[Result]:
    out = []
    for budget in budgets(result) if result.repack is not None else []:
        if budget != result.budget and result.repack is not None:
            try:
                out.append(result.repack(budget))
            except BudgetError:
                continue
    return out


def anywhere(found: Sequence[Result]) -> BoolArray:
    """(n,) rows that some pack keeps."""
    return np.asarray(np.logical_or.reduce([p.inside for p in found]), np.bool_)


def pack_columns(found: Sequence[Result], result: Result, rows: IntArray) -> list[dict[str, Any]]:
    """For JSON: of each pack its size and the places in `rows` of what it keeps."""
    whole = np.bincount(result.segments.doc, minlength=len(result.prepared.documents))
    out = []
    for p in found:
        kept = np.bincount(p.segments.doc[p.inside], minlength=len(whole))
        out.append(
            {
                "budget": p.budget,
                "tokens": p.tokens,
                "count": int(p.inside.sum()),
                "rows": np.flatnonzero(p.inside[rows]).tolist(),
                "kept": {int(d): int(kept[d]) for d in np.flatnonzero(kept)},
                "base": p is result,
            }
        )
    return out


def _round(value: float) -> int:
    """Two significant digits, so that the slider's stops read well."""
    if value < 10:
        return round(value)
    unit = 10 ** (len(str(int(value))) - 2)
    return int(round(value / unit) * unit)
