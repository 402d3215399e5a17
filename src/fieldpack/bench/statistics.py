"""Differences of two systems over the same things, their mean over data sets, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from fieldpack.errors import InputError
from fieldpack.types import FloatArray

RESAMPLES = 2000


class Gap(NamedTuple):
    """A mean difference and its 95 % interval."""

    difference: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.difference:+.3f}{'*' if self.sure else ''}"


def mean_gap(differences: Mapping[str, FloatArray], seed: int = 0) -> Gap:
    """The mean over sets of their mean difference. differences: {set: (n,)}, each of something drawn independently (a
    query, a conversation). Percentile bootstrap: they are resampled within each set, the sets stay.

    Raises InputError where a set has none.
    """
    if not differences or not all(len(d) for d in differences.values()):
        raise InputError("a mean needs a difference in every set; leave out the sets that have none")
    rng = np.random.default_rng(seed)
    drawn = np.zeros(RESAMPLES)
    for d in differences.values():
        drawn += np.asarray(d, np.float64)[rng.integers(0, len(d), (RESAMPLES, len(d)))].mean(1) / len(differences)
    low, high = np.quantile(drawn, (0.025, 0.975))
    mean = np.mean([np.mean(d) for d in differences.values()])
    return Gap(round(float(mean), 4), round(float(low), 4), round(float(high), 4))
