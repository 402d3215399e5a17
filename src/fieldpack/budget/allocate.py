"""Shares to integer budgets, and how unused tokens of a section flow to others. Exact arithmetic: no token is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from fieldpack.budget.windows import data
from fieldpack.checks import shown
from fieldpack.errors import SettingsError, UnknownNameError

RESERVE = "reserve"
OUTPUT = "output"
OVERALL = "overall"


@dataclass(frozen=True)
class Allocation:
    """Sections in the order in which unused tokens flow.

    `shares`: {section: exact share}, adding to at most 1. `accepts`: {other name: section}. Empty `shares` is the empty
    plan: everything is reserve.
    """

    shares: Mapping[str, Fraction]
    labels: Mapping[str, str] = field(default_factory=dict)
    accepts: Mapping[str, str] = field(default_factory=dict)
    preset: str = ""

    def section(self, name: str) -> str:
        """The section of that name, or the one that accepts it; UnknownNameError when none does."""
        section = name if name in self.shares else self.accepts.get(name, "")
        if section not in self.shares:
            raise UnknownNameError(
                "budget section", name, self.shares, "Add one with set_allocation or allocations={}."
            )
        return section


def presets() -> tuple[str, ...]:
    """The names of the presets."""
    return tuple(data("allocations.json")["presets"])


def preset(name: str) -> Allocation:
    """A preset of the design text (sections 6.1-6.3) by name."""
    known = data("allocations.json")["presets"]
    if name not in known:
        raise UnknownNameError("preset", name, known, "Or pass allocations={section: share}.")
    entry = known[name]
    shares = {section: exact(share) for section, share in entry["shares"].items()}
    return Allocation(shares, entry["labels"], _accepted(shares, entry["accepts"]), name)


def custom(allocations: Mapping[str, float], window: int) -> Allocation:
    """The caller's own sections: shares in [0, 1] adding to at most 1, or whole numbers of tokens up to `window`.

    The rest is reserve. Raises SettingsError for a negative, non-finite or too large value.
    """
    values = list(allocations.values())
    as_tokens = any(isinstance(v, int) and not isinstance(v, bool) and v > 1 for v in values)
    shares = {name: exact(v, window if as_tokens else 1, name) for name, v in allocations.items()}
    return own(shares, window if as_tokens else 1)


def own(shares: Mapping[str, Fraction], whole: int = 1) -> Allocation:
    """An allocation of the caller's; SettingsError when the shares add to more than 1 (said in units of `whole`)."""
    if OVERALL in shares or OUTPUT in shares:
        raise SettingsError(f"a section cannot be called {OVERALL!r} or {OUTPUT!r}: the report uses these names")
    total = sum(shares.values(), Fraction(0))
    if total > 1 + Fraction(1, 10**9):
        raise SettingsError(f"allocations add to {float(total * whole):g}; they may add to {whole} at most")
    return Allocation(shares, {}, _accepted(with_reserve(shares), {}), "custom")


def with_reserve(shares: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """`shares` with what they leave of 1 added to the reserve (a new last section when there is none)."""
    rest = 1 - sum(shares.values(), Fraction(0))
    if rest <= Fraction(1, 10**9):
        return dict(shares)
    return {**shares, RESERVE: shares.get(RESERVE, Fraction(0)) + rest}


def exact(value: float, whole: int = 1, name: str = "share") -> Fraction:
    """`value / whole` as the decimal that was written (0.15 is 3/20, not its binary neighbour)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= whole:
        limit = f"a number of tokens from 0 to {whole}" if whole > 1 else "a share from 0 to 1"
        raise SettingsError(f"allocation {name!r} is {shown(value)}; give {limit}")
    return Fraction(str(value)) / whole


def largest_remainder(total: int, weights: Sequence[Fraction]) -> list[int]:
    """`total` split in proportion to `weights` into integers that add to it (Hamilton's method; ties: the earlier one).

    Every part differs from its exact share by less than 1. Weights of zero get zero unless all are zero.
    """
    mass = sum(weights, Fraction(0))
    if not mass:
        return [total] + [0] * (len(weights) - 1) if weights else []
    quotas = [total * w / mass for w in weights]
    parts = [int(q) for q in quotas]
    order = sorted(range(len(quotas)), key=lambda i: (parts[i] - quotas[i], i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


def flow(budgets: Mapping[str, int], used: Mapping[str, int]) -> dict[str, int]:
    """Tokens that each section may use after the others' surplus has flowed to it; they add to the sum of `budgets`.

    Only a section whose use is known (`used`) gives or asks; one that is not tracked yet keeps its budget. In the order
    of `budgets`: 1. surplus covers what other sections lack, front to back; 2. what is left of a surplus flows to the
    next untracked section after its owner that has a budget, or into the reserve; 3. the reserve's spare tokens cover
    what still lacks, front to back. The reserve is the section of that name, else the last; `output` takes no part.
    """
    order = [name for name in budgets if name != OUTPUT]
    if not order:
        return dict(budgets)
    sink = RESERVE if RESERVE in budgets else order[-1]
    givers = [name for name in order if name != sink]
    available = dict(budgets)
    for donor in givers:
        spare = budgets[donor] - used.get(donor, budgets[donor])
        if spare > 0:
            available[donor] -= spare
            left = _lend(available, used, givers, spare)
            later = givers[givers.index(donor) + 1 :]
            available[next((name for name in later if name not in used and budgets[name]), sink)] += left
    spare = max(0, available[sink] - used.get(sink, 0))
    available[sink] += _lend(available, used, givers, spare) - spare
    return available


def _lend(available: dict[str, int], used: Mapping[str, int], borrowers: Sequence[str], spare: int) -> int:
    """Raises `available` (changed in place) towards `used`, front to back, by at most `spare` in all; returns the part
    of `spare` that is left."""
    for name in borrowers:
        lent = min(spare, max(0, used.get(name, 0) - available[name]))
        available[name] += lent
        spare -= lent
    return spare


def _accepted(shares: Mapping[str, Fraction], accepts: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """{other name: section}: the general aliases in both directions, then the preset's own."""
    names: dict[str, str] = {}
    for canonical, others in data("allocations.json")["aliases"].items():
        group = [canonical, *others]
        section = next((n for n in group if n in shares), None)
        names.update({n: section for n in group if section and n != section})
    aliases = data("allocations.json")["aliases"]
    for section, others in accepts.items():
        for other in others:
            names.update({n: section for n in [other, *aliases.get(other, [])] if n not in names and n not in shares})
    return names
