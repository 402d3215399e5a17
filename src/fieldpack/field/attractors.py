"""Attractors: the fixed points of spherical mean shift on the rows of a field.

The field is a dense associative memory (Ramsauer et al. 2021) with a bias,

    E(z) = -(1/beta) log sum_i m_i exp(beta z.x_i) - b.z,    b = gamma (q - background) - background,    |z| = 1

and `z <- unit(sum_i p_i x_i + b)`, `p = m_i exp(beta z.x_i)` normalised, is its concave-convex descent: E never rises.
`background` is the mean of the rows: real embedding models give all texts a common part, and what all rows share says
nothing about topics. Taking it as a bias leaves rows, fixed points and energy in the space of the rows.

`beta` is relative to the rows: a share (`sharpness`) of the scale at which the median row would be held by itself
alone (`trapping_scale`). A fixed point counts as an attractor only when the rows in its basin agree more than any
subset of that size would in isotropic noise (`null_cohesion`); so noise has none.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldpack.errors import InputError
from fieldpack.field.arrays import Array, host, indices, library, like, rows, total, unit

SHARPNESS = 0.7
SAMPLE = 256
_PAIRS = 128
_FIRST_STEPS = 4
_MAX_STEPS = 40
_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Attractors:
    """k attractors, the strongest first; k may be 0.

    centers (k, d): unit rows, in the space of the rows. strength (k,) in [0, 1]: share of mass in the basin times
    cohesion. basin (n,) int64: the attractor a row is drawn to most, -1 for none. cohesion (k,) in [0, 1]: mean
    similarity of two rows of the basin once the background is taken away, relative to the rows' own size.
    beta: the scale used. energy (steps, k): along the descent of the fixed points, never rising.
    background (d,): what all rows share.
    """

    centers: npt.NDArray[np.float32]
    strength: npt.NDArray[np.float32]
    basin: npt.NDArray[np.int64]
    beta: float
    cohesion: npt.NDArray[np.float32]
    energy: npt.NDArray[np.float64]
    background: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.centers)

    def affinity(self, x: Array) -> npt.NDArray[np.float32]:
        """(n, k) similarity of rows to the centers, background taken away, in [-1, 1]."""
        y = unit(x - like(self.background, x))
        return host(y @ like(self.centers, x).T).astype(np.float32)


def detect(
    x: Array,
    mass: Array | None = None,
    *,
    query: Array | None = None,
    bias: float = 0.0,
    beta: float | None = None,
    limit: int = 12,
    sharpness: float = SHARPNESS,
    sample: int | None = None,
    background: Array | None = None,
) -> Attractors:
    """The attractors of the rows x (n, d), unit length.

    mass (n,): weights >= 0 (default: equal). query (d,) or (q, d) with bias gamma >= 0 pulls the field towards it.
    beta: the scale; default `sharpness * trapping_scale`. limit: at most this many, the strongest. sample: rows that
    make the field when n is larger (default max(256, 12 limit)); all rows are assigned in one pass.
    background (d,): default the mean of the rows; zeros for the raw field. Raises InputError.
    """
    x = rows(x)
    if limit < 1 or sharpness <= 0 or bias < 0 or (beta is not None and beta <= 0):
        raise InputError(
            f"limit={limit}, sharpness={sharpness}, bias={bias}, beta={beta}; "
            "expected limit >= 1, sharpness > 0, bias >= 0, beta > 0"
        )
    n, d = x.shape
    weight = _weights(x, mass)
    mu = like(total(x * weight[:, None]) if background is None else background, x)
    if n < 3:
        return _none(n, d, beta or 0.0, mu)
    chosen = indices(_sample(x, mu, sample or max(SAMPLE, 12 * limit)), x)
    field, m = x[chosen], weight[chosen]
    sigma = noise_scale(field)
    beta = beta or sharpness * trapping_scale(field)
    pull = _pull(query, bias, mu, x)
    z, energy = _descend(field, m / m.sum(), beta, pull - mu, 3 * limit + 16)
    return _settle(x, weight, mu, z, energy, beta, sigma, limit)


def energy_of(z: Array, x: Array, weight: Array, beta: float, b: Array) -> Array:
    """(k,) E(z) = -(1/beta) log sum_i m_i exp(beta z.x_i) - b.z for the points z (k, d); weight (n,) sums to 1."""
    return _step(z, x, weight, beta, b)[1]


def trapping_scale(x: Array) -> float:
    """The beta at which the median row weighs as much in the softmax at itself as all others together.

    Solves median_i sum_{j != i} exp(beta (x_i.x_j - 1)) = 1; beyond it rows are fixed points of their own. It grows
    like log(n) / (1 - typical similarity), in the units of the model at hand. 1.0 to 1000.0.
    """
    xp, n = library(x), len(x)
    step = max(1, n // 64)
    some = np.arange(0, n, step)
    gap = x[indices(some, x)] @ x.T - 1.0
    gap[range(len(some)), some] = -np.inf
    low, high = 1.0, 1000.0
    for _ in range(12):
        middle = (low * high) ** 0.5
        held = np.median(host(xp.exp(middle * gap).sum(1)))
        low, high = (middle, high) if held > 1.0 else (low, middle)
    return float((low * high) ** 0.5)


def noise_scale(x: Array) -> float:
    """Standard deviation of the similarity of unrelated rows: the lower spread (median - 16 % quantile) over pairs.

    Related rows fill the upper tail, so the lower half is what chance alone gives. At least 1/sqrt(d), the value of
    isotropic noise.
    """
    n, d = x.shape
    part = x[indices(np.arange(0, n, max(1, n // _PAIRS)), x)]
    pairs = host(part @ part.T)[np.triu_indices(len(part), 1)]
    if len(pairs) == 0:
        return float(d**-0.5)
    at = [int(0.16 * (len(pairs) - 1)), len(pairs) // 2]
    low, middle = np.partition(pairs, at)[at]
    return float(max(middle - low, d**-0.5))


def null_cohesion(size: npt.NDArray[np.float64], n: int, sigma: float) -> npt.NDArray[np.float64]:
    """What the mean pair similarity of the best subset of `size` rows among n reaches in isotropic noise.

    Two effects: the cap (a subset on one side of the sphere shares a direction: (phi(q_s) / s)^2 sigma^2 for the share
    s = size / n) and the search (a maximum over C(n, size) subsets of a mean over size (size - 1) / 2 pairs:
    sigma sqrt(2 / (size (size - 1))) sqrt(2 log C(n, size)) <= sigma sqrt(4 (log(n / size) + 1) / (size - 1))).
    """
    share = np.clip(size / n, 1e-9, 1.0)
    search = sigma * np.sqrt(4 * (np.log(1 / share) + 1) / np.maximum(size - 1, 1e-9))
    return np.asarray(search + (sigma * _cap(share)) ** 2)


def _cap(share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean of a standard normal number above its upper quantile `share`: phi(q) / share."""
    grid, upper, density = _normal()
    q = np.interp(share, upper[::-1], grid[::-1])
    return np.asarray(np.interp(q, grid, density) / share)


@functools.cache
def _normal() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    grid = np.linspace(-7, 7, 2801)
    density = np.exp(-grid * grid / 2) / np.sqrt(2 * np.pi)
    return grid, 1 - np.cumsum(density) * (grid[1] - grid[0]), density


def _weights(x: Array, mass: Array | None) -> Array:
    n = len(x)
    if mass is None:
        return library(x).ones_like(x[:, 0]) / max(n, 1)
    weight = like(mass, x)
    if tuple(weight.shape) != (n,) or bool((weight < 0).any()) or not float(weight.sum()) > 0:
        raise InputError(f"mass has shape {tuple(weight.shape)}; expected ({n},) numbers >= 0 with a sum above 0")
    return weight / weight.sum()


def _pull(query: Array | None, bias: float, mu: Array, x: Array) -> Array:
    if query is None or bias == 0:
        return mu * 0
    q = like(query, x)
    if q.shape[-1] != x.shape[1]:
        raise InputError(f"the query has {q.shape[-1]} dims and the rows have {x.shape[1]}; embed both with one model")
    return bias * ((q if q.ndim == 1 else q.mean(0)) - mu)


def _sample(x: Array, mu: Array, size: int) -> npt.NDArray[np.int64]:
    """Rows spread evenly over the order of resonance with the background: the same rows after any permutation or
    rotation, and no random number."""
    n = len(x)
    if n <= size:
        return np.arange(n)
    order = np.argsort(host(x @ mu), kind="stable")
    return np.sort(order[np.arange(size) * n // size])


def _step(z: Array, x: Array, weight: Array, beta: float, b: Array, skip_self: bool = False) -> tuple[Array, Array]:
    """One descent step from z (k, d): the next points and the energies (k,) at z."""
    xp = library(x)
    s = z @ x.T
    s *= beta
    if skip_self:
        s[range(len(x)), range(len(x))] = -np.inf
    top = xp.amax(s, 1)
    s -= top[:, None]
    p = xp.exp(s) * weight
    mass = p.sum(1)
    energy = -(xp.log(mass) + top) / beta - z @ b
    return unit(p @ x / mass[:, None] + b), energy


def _descend(x: Array, weight: Array, beta: float, b: Array, most: int) -> tuple[Array, npt.NDArray[np.float64]]:
    """Fixed points reached from every row, and the energies (steps, k) of the last descent.

    Every row starts where its neighbours, without itself, would put it: a row alone would hold itself.
    """
    z, energy = _step(x, x, weight, beta, b, skip_self=True)
    for _ in range(_FIRST_STEPS):
        z, energy = _step(z, x, weight, beta, b)
    z = z[indices(_distinct(z, energy, beta, most), z)]
    for _ in range(2):
        z, trace = _converge(z, x, weight, beta, b)
        keep = _distinct(z, like(trace[-1], z), beta, most)
        z, trace = z[indices(keep, z)], trace[:, keep]
    return z, trace


def _converge(z: Array, x: Array, weight: Array, beta: float, b: Array) -> tuple[Array, npt.NDArray[np.float64]]:
    trace = []
    for _ in range(_MAX_STEPS):
        after, energy = _step(z, x, weight, beta, b)
        trace.append(host(energy).astype(np.float64))
        moved = float(abs(after - z).max())
        z = after
        if moved < _TOLERANCE:
            break
    return z, np.array(trace)


def _distinct(z: Array, energy: Array, beta: float, most: int) -> npt.NDArray[np.int64]:
    """Indices of points that are not one another's neighbours at this scale, the deepest first, at most `most`.

    Two bumps of width 1/sqrt(beta) closer than that are one: cosine above 1 - 1 / (2 beta).
    """
    order = np.argsort(host(energy), kind="stable")
    near = host(z @ z.T) > max(1 - 0.5 / beta, 0.5)
    open_ = np.ones(len(order), bool)
    kept: list[int] = []
    for i in order:
        if open_[i]:
            kept.append(int(i))
            open_ &= ~near[i]
            if len(kept) == most:
                break
    return np.array(kept, np.int64)


def _settle(
    x: Array,
    weight: Array,
    mu: Array,
    z: Array,
    energy: npt.NDArray[np.float64],
    beta: float,
    sigma: float,
    limit: int,
) -> Attractors:
    """Assigns all rows, lets those fade that noise could have made, keeps the strongest `limit`."""
    while len(z):
        basin, share, cohesion, excess = _basins(x, weight, mu, z, sigma)
        strength = share * cohesion
        alive = np.flatnonzero(excess > 0)
        alive = alive[np.argsort(-strength[alive], kind="stable")][:limit]
        if len(alive) == len(z):
            rank = np.append(np.argsort(alive), -1)  # the last entry keeps -1 at -1
            pick = indices(alive, z)
            return Attractors(
                host(z[pick]).astype(np.float32),
                strength[alive].astype(np.float32),
                rank[basin],
                beta,
                cohesion[alive].astype(np.float32),
                energy[:, alive],
                host(mu).astype(np.float32),
            )
        z, energy = z[indices(np.sort(alive), z)], energy[:, np.sort(alive)]
    return _none(len(x), x.shape[1], beta, mu)


def _basins(
    x: Array, weight: Array, mu: Array, z: Array, sigma: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Basin of each row; per attractor its share of mass, its cohesion and the excess over what noise could reach."""
    n, k = len(x), len(z)
    pull = host(x @ z.T - mu @ z.T)
    basin = pull.argmax(1).astype(np.int64)
    basin[pull[np.arange(n), basin] <= sigma] = -1
    size = np.bincount(basin[basin >= 0], minlength=k).astype(np.float64)
    share = np.bincount(basin[basin >= 0], host(weight)[basin >= 0], minlength=k)
    own = _membership(basin, k, x)
    sums = host(own.T @ x - own.sum(0)[:, None] * mu).astype(np.float64)
    squares = host((x * x).sum(1) - 2 * (x @ mu) + (mu * mu).sum())
    trace = np.bincount(basin[basin >= 0], squares[basin >= 0], minlength=k)
    pairs = ((sums * sums).sum(1) - trace) / np.maximum(size * (size - 1), 1)
    excess = np.where(size >= 2, pairs - null_cohesion(np.maximum(size, 2), n, sigma), -1.0)
    cohesion = np.clip(pairs * size / np.maximum(trace, 1e-12), 0, 1)
    return basin, share.astype(np.float64), cohesion, excess


def _membership(basin: npt.NDArray[np.int64], k: int, x: Array) -> Array:
    return like((basin[:, None] == np.arange(k)).astype(np.float32), x)


def _none(n: int, d: int, beta: float, mu: Array) -> Attractors:
    empty = np.zeros(0, np.float32)
    return Attractors(
        np.zeros((0, d), np.float32),
        empty,
        np.full(n, -1, np.int64),
        beta,
        empty,
        np.zeros((0, 0)),
        host(mu).astype(np.float32),
    )
