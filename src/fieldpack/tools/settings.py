"""How tool output is trimmed: the settings of a trimmer, each with its range."""

from __future__ import annotations

from dataclasses import dataclass

from fieldpack import checks
from fieldpack.errors import SettingsError


@dataclass(frozen=True)
class TrimSettings:
    """budget: tokens of what a trimmed output may hold, its notice included; at least 16. threshold: outputs of so many
    tokens or fewer are left as they are, whatever the budget. time_limit: seconds after which the output goes out
    unchanged. shadow: decide and report, change nothing. handle: the name of the tool that gives the rest back, as the
    notice names it. screen: characters from which only the lines that can answer
    are read by the packer; at least 16 for each token of the budget.

    Raises SettingsError for a value out of range.
    """

    budget: int = 1000
    threshold: int = 500
    time_limit: float = 10.0
    shadow: bool = False
    handle: str = "expand"
    screen: int = 12_000

    def __post_init__(self) -> None:
        checks.whole("budget", self.budget, 16, 10_000_000)
        checks.whole("threshold", self.threshold, 0, 10_000_000)
        checks.number("time_limit", self.time_limit, 0, 3600)
        checks.whole("screen", self.screen, 1_000, 100_000_000)
        if not isinstance(self.shadow, bool):
            raise SettingsError(f"shadow is {self.shadow!r}; allowed: True, False")
        if not isinstance(self.handle, str) or not self.handle.replace("_", "").replace("-", "").isalnum():
            raise SettingsError(f"handle is {self.handle!r}; give the name of a tool: letters, digits, _ and -")
