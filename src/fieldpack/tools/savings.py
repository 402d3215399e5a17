"""What trimming saved: tokens, cached and not, and money by a table of prices."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from fieldpack.errors import SettingsError, UnknownNameError

if TYPE_CHECKING:
    from fieldpack.tools.trimmed import Trimmed


@dataclass(frozen=True)
class Price:
    """Money for a million input tokens: new ones, and those that a prompt cache holds. Raises SettingsError."""

    input: float
    cached: float = 0.0

    def __post_init__(self) -> None:
        for name in ("input", "cached"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise SettingsError(f"{name} is {value!r}; give the money for a million tokens, 0 or more")

    def of(self, tokens: int, cached_tokens: int = 0) -> float:
        """What so many tokens cost."""
        return (tokens * self.input + cached_tokens * self.cached) / 1e6


def price_of(prices: Mapping[str, Any] | Price | None, model: str = "") -> Price | None:
    """The price of a model in a table {model: Price or {"input", "cached"}}. Raises UnknownNameError, SettingsError."""
    if prices is None or isinstance(prices, Price):
        return prices
    if model not in prices:
        raise UnknownNameError("model", model, prices, "Say model=..., or add its price.")
    entry = prices[model]
    if isinstance(entry, Price):
        return entry
    if not isinstance(entry, Mapping) or not set(entry) <= {"input", "cached"} or "input" not in entry:
        raise SettingsError(f"the price of {model!r} is {entry!r}; give Price(input, cached) or a dict of these")
    return Price(**entry)


@dataclass(frozen=True)
class Savings:
    """Counts over many outputs. outputs: seen; trimmed: cut; replayed: sent again as decided before; failed: sent
    unchanged because of an error or the time limit; before, after: tokens of those seen for the first time; saved:
    tokens that were not sent new; saved_cached: tokens that were not sent again; expanded: times that a rest was asked
    for; money: what that would have cost, where there is a price."""

    outputs: int = 0
    trimmed: int = 0
    replayed: int = 0
    failed: int = 0
    before: int = 0
    after: int = 0
    saved: int = 0
    saved_cached: int = 0
    expanded: int = 0
    money: float = 0.0

    def to_dict(self) -> dict[str, int | float]:
        """Plain values for JSON."""
        return asdict(self)


class Counters:
    """Savings as they grow. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[str, int | float] = {f.name: f.default for f in fields(Savings)}  # type: ignore[misc]

    def add(self, trimmed: Trimmed) -> None:
        """Counts one output."""
        new = not trimmed.replayed
        more: dict[str, int | float] = {
            "outputs": 1,
            "trimmed": int(new and trimmed.cut),
            "replayed": int(trimmed.replayed),
            "failed": int(trimmed.failed),
            "before": trimmed.tokens_before if new else 0,
            "after": trimmed.tokens_after if new else 0,
            "saved": trimmed.saved,
            "saved_cached": trimmed.saved_cached,
            "money": trimmed.money or 0.0,
        }
        with self._lock:
            for name, value in more.items():
                self._sums[name] += value

    def expanded(self) -> None:
        """Counts one question for a rest."""
        with self._lock:
            self._sums["expanded"] += 1

    def sums(self) -> Savings:
        """What was counted until now."""
        with self._lock:
            return Savings(**self._sums)  # type: ignore[arg-type]


def collector(counters: Counters, prefix: str = "fieldpack_tools") -> Any:
    """What `prometheus_client` registers: `registry.register(collector(trimmer.counters))`. Needs prometheus-client,
    which comes with the extra "serve"."""
    from prometheus_client.core import CounterMetricFamily

    class _Collector:
        def collect(self) -> Any:
            for name, value in counters.sums().to_dict().items():
                yield CounterMetricFamily(f"{prefix}_{name}", f"Savings.{name} of trimmed tool output", value=value)

    return _Collector()
