"""Checks of settings: one rule and one sentence for each kind of value. All raise SettingsError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fieldpack.errors import SettingsError

MOST_TOKENS = 10**12
"""No window, budget or count of tokens is larger; numbers up to it keep their value as floats."""


def shown(value: Any) -> str:
    """A value as errors name it: what it is in Python, at most 100 characters of it."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return f"{type(value).__name__} of more digits than can be shown"
    return text if len(text) <= 100 else f"{text[:97]}..."


def number(name: str, value: Any, low: float, high: float) -> None:
    """A finite number (no bool) from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise SettingsError(f"{name} is {shown(value)}; allowed: a number from {low:g} to {high:g}")


def whole(name: str, value: Any, low: int, high: int) -> None:
    """A whole number (no bool) from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SettingsError(f"{name} is {shown(value)}; allowed: a whole number from {low} to {high}")


def choice(name: str, value: Any, allowed: Sequence[Any]) -> None:
    """One of the allowed words or values."""
    if value not in allowed:
        raise SettingsError(f"{name} is {shown(value)}; allowed: {', '.join(map(str, allowed))}")
