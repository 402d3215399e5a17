"""Scales of a field, relative to its own rows: the beta that traps rows, the level of noise, how clean a split is.

`trapping_scale` reads the resonance matrix R (s, s) of some rows, `R_ij = x_i.x_j`.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldpack.field.arrays import Array, host

_SAMPLE = 48
_PAIRS = 128
_SAME = 1e-4

Float64 = npt.NDArray[np.float64]


def trapping_scale(r: Array) -> float:
    """The beta at which the median row weighs as much in the softmax at itself as all other rows together.

    Solves median_i sum_j exp(beta (R_ij - 1)) = 1 over the j whose row is another than i's (copies are no others);
    beyond it rows are fixed points of their own. It grows like log(s) / (1 - typical similarity), in the units of the
    model at hand. From 1.0 to 1000.0.
    """
    s = len(r)
    sample = np.arange(0, s, max(1, s // _SAMPLE))
    gap = host(r[sample]) - 1.0
    gap[gap > -_SAME] = -np.inf
    low, high = 1.0, 1000.0
    for points in (9, 5, 5):  # nested grids: three passes of one exponential each, in place of a long bisection
        grid = (low * (high / low) ** (np.arange(points) / (points - 1))).astype(gap.dtype)
        weight_of_others = np.sort(np.exp(grid[:, None, None] * gap).sum(2), axis=1)[:, len(sample) // 2]
        k = min(max(int((weight_of_others > 1.0).sum()), 1), points - 1)
        low, high = float(grid[k - 1]), float(grid[k])
    return float((low * high) ** 0.5)


def noise_scale(y: Array) -> float:
    """Standard deviation of the product of two unrelated rows of y (s, d), the background taken away.

    Related rows fill the upper tail and, once the mean is taken away, push the middle about; what is left of chance
    alone is the lower tail: the distance of the 2.5 % and the 16 % quantile over pairs, 0.966 deviations of a normal
    number. At least the value of isotropic noise, mean |y|^2 / sqrt(d). A few rows measure badly: times 1 + 2 / s.
    """
    n, d = y.shape
    part = host(y[:: max(1, n // _PAIRS)])
    pairs = (part @ part.T)[_upper(len(part))]
    floor: float = (part * part).sum(1).mean() / math.sqrt(d)
    if len(pairs) < 2:
        return float(floor * (1 + 2 / max(n, 1)))
    at = [int(0.025 * (len(pairs) - 1)), int(0.16 * (len(pairs) - 1))]
    lowest, low = np.partition(pairs, at)[at]
    return float(max((low - lowest) / 0.966, floor) * (1 + 2 / n))


def null_cohesion(size: Float64, n: int, sigma: float, along: Float64) -> Float64:
    """What the mean pair similarity of the best subset of `size` rows among n reaches in noise without modes.

    The larger of two: the search (a maximum over C(n, size) subsets of a mean over size (size - 1) / 2 pairs,
    sigma sqrt(2 / (size (size - 1))) sqrt(2 log C(n, size))) on top of the cap of isotropic noise (rows on one side of
    a cloud share a direction: (phi(q_s) / s)^2 sigma^2 for the share s = size / n of a normal cloud), and the cap of a
    cloud stretched in that direction, along (k,) being its variance there. size (k,) from 2 to n.
    """
    subsets = _log_factorial(np.float64(n)) - _log_factorial(size) - _log_factorial(n - size)
    search = sigma * np.sqrt(4 * np.maximum(subsets, 0) / (size * (size - 1)))
    cap = _cap(np.clip(size / n, 1e-9, 1.0)) ** 2
    return np.maximum(search + sigma**2 * cap, along * cap)


def _log_factorial(m: npt.NDArray[np.float64] | np.float64) -> Float64:
    """log m! by Stirling's series after one step of the recursion: good to 1e-3 from m = 0 up."""
    a = m + 2.0
    return np.asarray((a - 0.5) * np.log(a) - a + 0.9189385 + 1 / (12 * a) - np.log(m + 1.0))


def silhouette(affinity: npt.NDArray[np.floating], weight: npt.NDArray[np.floating]) -> float:
    """How cleanly k attractors divide the rows, in [0, 1]: the mean of (b - a) / b, where a is the distance
    1 - affinity of a row to its nearest attractor and b to the second nearest (the simplified silhouette).

    affinity (n, k), weight (n,) sums to 1. 0.0 for k < 2.
    """
    if affinity.shape[1] < 2:
        return 0.0
    two = np.partition(affinity, -2, axis=1)[:, -2:]
    a, b = 1 - two[:, 1], np.maximum(1 - two[:, 0], 1e-6)
    return float(weight @ ((b - a) / b))


@dataclass(frozen=True, eq=False)
class _Normal:
    """The standard normal distribution on a grid: density, and the probability above each point."""

    grid: Float64
    above: Float64
    density: Float64


def _cap(share: Float64) -> Float64:
    """Mean of a standard normal number above its upper quantile `share`: phi(q) / share."""
    normal = _normal()
    q = np.interp(share, normal.above[::-1], normal.grid[::-1])
    return np.asarray(np.interp(q, normal.grid, normal.density) / share)


@functools.cache
def _normal() -> _Normal:
    grid = np.linspace(-7, 7, 2801)
    density = np.exp(-grid * grid / 2) / np.sqrt(2 * np.pi)
    return _Normal(grid, 1 - np.cumsum(density) * (grid[1] - grid[0]), density)


@functools.lru_cache(maxsize=8)
def _upper(s: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return np.triu_indices(s, 1)
