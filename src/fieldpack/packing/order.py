"""The best first, where two values that differ by their last bits are the same."""

from __future__ import annotations

import numpy as np

from fieldpack.types import FloatArray, IntArray

TIE = 1e-4
"""Relative difference up to which two values are the same: single precision leaves 1e-6 of doubt in log odds of 1 and
1e-5 in a probability far from a half."""


def first_of_best(value: FloatArray) -> int:
    """The first row whose value (n,) is the highest or within TIE of it: the last bits, which differ between threads
    and processors, decide nothing."""
    top = float(value.max())
    return int(np.argmax(value >= top - TIE * abs(top))) if np.isfinite(top) else 0


def best_first(value: FloatArray) -> IntArray:
    """(n,) rows by value >= 0, the highest first; of those alike to four digits, the first."""
    return np.argsort(-np.round(np.log(np.maximum(value, 1e-30)), 4), kind="stable")
