"""Checks of settings: one rule and one sentence for each kind of value. All raise SettingsError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fieldpack.errors import SettingsError


def number(name: str, value: Any, low: float, high: float) -> None:
    """A finite number (no bool) from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise SettingsError(f"{name} is {value!r}; allowed: a number from {low:g} to {high:g}")


def whole(name: str, value: Any, low: int, high: int) -> None:
    """A whole number (no bool) from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SettingsError(f"{name} is {value!r}; allowed: a whole number from {low} to {high}")


def choice(name: str, value: Any, allowed: Sequence[Any]) -> None:
    """One of the allowed words or values."""
    if value not in allowed:
        raise SettingsError(f"{name} is {value!r}; allowed: {', '.join(map(str, allowed))}")
