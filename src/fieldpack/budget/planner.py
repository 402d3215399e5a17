"""TokenBudgetPlanner: the window of a model divided among the sections of a prompt, with its use over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral

from fieldpack.budget import allocate
from fieldpack.budget.allocate import OUTPUT, OVERALL, Allocation
from fieldpack.budget.plan import Alert, BudgetPlan, make_plan
from fieldpack.budget.windows import window_of
from fieldpack.checks import MOST_TOKENS, number, shown
from fieldpack.errors import BudgetError, InputError, SettingsError
from fieldpack.protocols import Tokenizer

Count = Callable[[str], int]
Part = int | str | Iterable["Part"] | Mapping[str, "Part"]
"""Tokens, a text to count, or several of these (their sum)."""


@dataclass(frozen=True, slots=True)
class BudgetEquation:
    """available = window - (system + history + input) - output reserve, in tokens (design text, section 2.2).

    `available` is negative when the parts do not fit.
    """

    window: int
    system: int
    history: int
    input: int
    output_reserve: int = 0

    @property
    def available(self) -> int:
        return self.window - (self.system + self.history + self.input) - self.output_reserve

    def __str__(self) -> str:
        reserve = f" - {self.output_reserve} kept for the answer" if self.output_reserve else ""
        return f"{self.available} = {self.window} - ({self.system} + {self.history} + {self.input}){reserve}"


class TokenBudgetPlanner:
    """Divides a context window and keeps count of its use.

    window: tokens, or a model's name. preset: forty_forty_twenty, pyramid, simple_qa, creative_writing,
    complex_reasoning or default; allocations={section: share or tokens} instead of it gives your own sections, and
    the rest is reserve. output_reserve: tokens kept for the answer, taken off before the shares, shown as section
    "output". alert_threshold: share of a budget, in (0, 1], from which there is an alert.
    tokenizer: a Tokenizer or a function text -> tokens, for texts given instead of numbers; o200k_base when not given.
    """

    def __init__(
        self,
        window: int | str,
        preset: str | None = None,
        *,
        allocations: Mapping[str, float] | None = None,
        tokenizer: Tokenizer | Count | None = None,
        output_reserve: int = 0,
        alert_threshold: float = 0.9,
    ) -> None:
        self.window = window_of(window)
        self.model = window if isinstance(window, str) else ""
        if preset is not None and allocations is not None:
            raise SettingsError("give a preset or allocations, not both")
        number("alert_threshold", alert_threshold, 1e-6, 1)
        self.output_reserve = _tokens(output_reserve, "output_reserve")
        if self.output_reserve > self.window:
            raise SettingsError(f"output_reserve is {output_reserve} tokens, more than the window of {self.window}")
        self.alert_threshold = alert_threshold
        usable = self.window - self.output_reserve
        self._allocation = (
            allocate.preset(preset or "default") if allocations is None else allocate.custom(allocations, usable)
        )
        self._tokenizer = tokenizer
        self._used: dict[str, int] = {}

    def budgets(self) -> dict[str, int]:
        """{section: tokens}: integers that add to the window exactly (largest remainder)."""
        return self.plan().budgets

    def available(self) -> dict[str, int]:
        """{section: tokens} after unused tokens of tracked sections have flowed on; adds to the window as well."""
        return self.plan().available

    def plan(self) -> BudgetPlan:
        """The plan as it stands now, frozen."""
        return make_plan(
            self.window,
            self._closed(),
            self._used,
            output_reserve=self.output_reserve,
            alert_threshold=self.alert_threshold,
            model=self.model,
        )

    def set_allocation(self, section: str, share: float) -> None:
        """Give `section` this share of the window (0 to 1). The first call replaces the preset by your own sections.

        SettingsError when the shares would add to more than 1; the rest is reserve.
        """
        shares = dict(self._allocation.shares) if self._allocation.preset == "custom" else {}
        shares[section] = allocate.exact(share, 1, section)
        self._allocation = allocate.own(shares)
        self._used = {name: tokens for name, tokens in self._used.items() if name in self._closed().shares}

    def get_budget(self, section: str) -> int:
        """The section's own share, in tokens."""
        return self.budgets()[self._section(section)]

    def track_usage(self, section: str, content: Part) -> int:
        """Records the content of `section` now (in place of what was recorded before) and returns its tokens."""
        name = self._section(section)
        self._used[name] = self.count(content)
        return self._used[name]

    def get_used(self, section: str | None = None) -> int:
        """Tokens recorded for a section, or for all."""
        return sum(self._used.values()) if section is None else self._used.get(self._section(section), 0)

    def get_remaining(self, section: str | None = None) -> int:
        """Tokens left in the window, or of what `section` may use after surplus has flowed to it."""
        if section is None:
            return self.window - self.get_used()
        name = self._section(section)
        return self.available()[name] - self._used.get(name, 0)

    def is_within_budget(self, section: str, content: Part) -> bool:
        """Whether `content` fits the section's own share."""
        return self.count(content) <= self.get_budget(section)

    def optimize_to_fit(self, section: str, content: str, optimizer: Callable[[str, int], str]) -> str:
        """`content` if it fits its section, else `optimizer(content, budget)`; BudgetError if that is still over."""
        if self.is_within_budget(section, content):
            return content
        budget = self.get_budget(section)
        shorter = optimizer(content, budget)
        needed = self.count(shorter)
        if needed > budget:
            raise BudgetError(
                f"the optimizer left {needed} tokens for section {section!r}, whose budget is {budget}", needed, budget
            )
        return shorter

    def equation(self, system: Part = 0, history: Part = 0, input: Part = 0) -> BudgetEquation:
        """Available tokens by the budget equation; each part is tokens, a text, or several of these."""
        parts = (self.count(system), self.count(history), self.count(input))
        return BudgetEquation(self.window, *parts, self.output_reserve)

    def alerts(self) -> tuple[Alert, ...]:
        """Sections, and the window, whose use has reached the threshold."""
        return self.plan().alerts

    def get_status_report(self) -> dict[str, dict[str, float]]:
        """{section: {budget, used, remaining, available, utilization}} and "overall"."""
        return self.plan().status()

    def count(self, content: Part) -> int:
        """Tokens of a number, a text, or several of these."""
        if isinstance(content, str):
            return self._count_text(content)
        if isinstance(content, Mapping):
            return sum(self.count(part) for part in content.values())
        if isinstance(content, Iterable):
            return sum(self.count(part) for part in content)
        return _tokens(content, "usage")

    def _count_text(self, text: str) -> int:
        if self._tokenizer is None:
            from fieldpack.text.tokens import tokenizer  # only where a text is counted: a plan needs none

            self._tokenizer = tokenizer("o200k_base")
        count = self._tokenizer.count if isinstance(self._tokenizer, Tokenizer) else self._tokenizer
        return _tokens(count(text), "what the token counter returned")

    def _closed(self) -> Allocation:
        """The allocation with its rest as reserve."""
        return replace(self._allocation, shares=allocate.with_reserve(self._allocation.shares))

    def _section(self, name: str) -> str:
        if name == OUTPUT and self.output_reserve:
            return OUTPUT
        return self._closed().section(name)

    def __repr__(self) -> str:
        return f"TokenBudgetPlanner(window={self.window}, preset={self._allocation.preset!r}, used={self.get_used()})"


def parse_used(pairs: Iterable[str]) -> dict[str, int]:
    """["system=1800", ...] as the command line gives them -> {section: tokens}; InputError for anything else."""
    used: dict[str, int] = {}
    for pair in pairs:
        name, equals, amount = pair.partition("=")
        digits = amount.strip().replace(",", "").replace("_", "")
        if not (name.strip() and equals and digits.isascii() and digits.isdigit()):
            raise InputError(f"cannot read {pair!r}; write section=tokens, such as system=1800")
        if name.strip() in used or name.strip() == OVERALL:
            raise InputError(f"section {name.strip()!r} is given twice or cannot be used; write each section once")
        used[name.strip()] = int(digits)
    return used


def _tokens(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= int(value) <= MOST_TOKENS:
        raise InputError(f"{what} is {shown(value)}; give a whole number of tokens, 0 to {MOST_TOKENS:,}")
    return int(value)
