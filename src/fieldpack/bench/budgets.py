"""Budgets: shares of a query's candidates where these are few, absolute numbers of tokens where they are many."""

from __future__ import annotations

from collections.abc import Sequence

from fieldpack.bench.context import SEPARATOR
from fieldpack.bench.dataset import FOLDER, PASSAGES, TOOL, Query
from fieldpack.errors import SettingsError
from fieldpack.protocols import Tokenizer

SHARES = (0.05, 0.10, 0.25, 0.50)
ABSOLUTE = (500.0, 1000.0, 2000.0)
FOLDERS = (500.0, 1000.0, 2000.0, 4000.0)
TOOLS = (150.0, 400.0, 1000.0)
LARGEST_SHARE = 0.6
"""A budget of more than this share of a tool's output chooses nothing: it is left out for that output."""
LARGE = 8_000
"""Mean tokens of the candidates from which a share of them is no budget that anybody has."""


def candidate_tokens(cases: Sequence[Query], tokenizer: Tokenizer) -> list[int]:
    """Tokens of each query's candidates joined by blank lines; queries that share a pool share its count."""
    known: dict[int, int] = {}
    out = []
    for case in cases:
        key = id(case.passages)
        if key not in known:
            known[key] = tokenizer.count(SEPARATOR.join(p.text for p in case.passages))
        out.append(known[key])
    return out


def choose(choice: Sequence[float], totals: Sequence[int], kind: str = PASSAGES) -> tuple[float, ...]:
    """The budgets chosen, or those that suit a set of this kind and size. Below 1 they are shares of the candidates."""
    if bad := [b for b in choice if not b > 0]:
        raise SettingsError(f"a budget must be above 0 (a share below 1, or tokens); found {bad[0]:g}")
    if choice:
        return tuple(choice)
    if kind in (FOLDER, TOOL):
        return FOLDERS if kind == FOLDER else TOOLS
    return ABSOLUTE if sum(totals) / max(1, len(totals)) > LARGE else SHARES


def limits_of(case: Query, total: int, chosen: Sequence[float]) -> dict[str, int]:
    """{label: tokens} of the budgets of one query with `total` tokens of candidates."""
    limits = {label(b): tokens_of(b, total) for b in chosen}
    if case.kind == TOOL:
        return {at: tokens for at, tokens in limits.items() if tokens <= LARGEST_SHARE * total}
    return limits


def tokens_of(budget: float, total: int) -> int:
    """A share of `total` tokens, at least 1, or the absolute number."""
    return max(1, int(budget * total)) if budget < 1 else int(budget)


def label(budget: float) -> str:
    """'5%' or '500'."""
    return f"{100 * budget:g}%" if budget < 1 else f"{budget:g}"
