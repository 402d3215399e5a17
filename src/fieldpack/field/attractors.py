"""Attractors: the fixed points of spherical mean shift on the rows of a field.

The field is a dense associative memory (Ramsauer et al. 2021) with a bias,

    E(z) = -(1/beta) log sum_i m_i exp(beta z.x_i) - b.z,    b = gamma (q - background) - background,    |z| = 1

and `z <- unit(sum_i p_i x_i + b)`, `p = m_i exp(beta z.x_i)` normalised, is its concave-convex descent: E never rises.
`background` is the mean of the rows: real embedding models give all texts a common part, and what all rows share says
nothing about topics. Taking it as a bias leaves rows, fixed points and energy in the space of the rows.

`beta` is relative to the rows: shares of the scale at which the median row would be held by itself alone
(`trapping_scale`) are tried, and the one whose attractors divide the rows most cleanly stays (`silhouette`).
A fixed point counts as an attractor only when the rows in its basin agree more than any subset of that size would in
isotropic noise (`null_cohesion`); so noise has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fieldpack.checks import number, whole
from fieldpack.errors import InputError
from fieldpack.field.arrays import Array, host, indices, library, like, product, rows, trace, unit, weighted_totals
from fieldpack.field.basins import FieldRows
from fieldpack.field.descent import SimilarityMatrix, Trace, distinct, fixed_points, merging_cosine, refine, starts
from fieldpack.field.scale import noise_scale, trapping_scale

SHARPNESS = (0.35, 0.5, 0.7, 1.0)
SAMPLE, WIDE = (192, 512), 4096
ROUNDING = 1e-5
"""Share of the rows' length below which differences from the background are its rounding and no topics."""


@dataclass(frozen=True, eq=False)
class Attractors:
    """k attractors, the strongest first; k may be 0.

    centers (k, d): unit rows, in the space of the rows. strength (k,) in [0, 1]: share of mass in the basin times
    cohesion. basin (n,) int64: the attractor a row is drawn to most, -1 for none. cohesion (k,) in [0, 1]: mean
    similarity of two rows of the basin once the background is taken away, relative to the rows' own size.
    beta: the scale used. energy (steps, k): along the last descent to the centers, never rising.
    background (d,): what all rows share. separation in [0, 1]: the simplified silhouette.
    """

    centers: npt.NDArray[np.float32]
    strength: npt.NDArray[np.float32]
    basin: npt.NDArray[np.int64]
    beta: float
    cohesion: npt.NDArray[np.float32]
    energy: Trace
    background: npt.NDArray[np.float32]
    separation: float

    def __len__(self) -> int:
        return len(self.centers)

    def affinity(self, x: Array) -> npt.NDArray[np.float32]:
        """(n, k) similarity of rows to the centers, background taken away, in [-1, 1]."""
        field = FieldRows.from_rows(x, library(x).ones_like(x[:, 0]), like(self.background, x), 0.0)
        return host(field.affinity(like(self.centers, x))).astype(np.float32)

    def demand(self, query: Array | None) -> npt.NDArray[np.float32]:
        """(k,) share of a query (d,) or of queries (q, d) in each attractor, sums to 1: strength times affinity.

        Without a query by strength alone; equal shares where no attractor has any.
        """
        if len(self) == 0:
            return np.zeros(0, np.float32)
        weight = self.strength.astype(np.float64)
        if query is not None:
            q = np.atleast_2d(host(query)).astype(np.float32)
            weight = weight * np.maximum(self.affinity(q), 0).mean(0)
        whole = weight.sum()
        return np.asarray(weight / whole if whole > 0 else np.full(len(self), 1 / len(self)), np.float32)


def detect(
    x: Array,
    mass: Array | None = None,
    *,
    query: Array | None = None,
    bias: float = 0.0,
    beta: float | None = None,
    limit: int = 12,
    sharpness: float | Sequence[float] = SHARPNESS,
    sample: int | None = None,
    background: Array | None = None,
) -> Attractors:
    """The attractors of the rows x (n, d), unit length.

    mass (n,): weights >= 0 (default: equal). query (d,) or (q, d) with bias gamma >= 0 pulls the field towards it.
    beta: the scale; default the best of `sharpness * trapping_scale`. limit: at most so many, the strongest.
    sample: rows from which attractors are sought (default: n / 4 within 192 and 512, at least 12 limit); they descend
    again in the field of up to 4,096 rows, and all rows are assigned in one pass.
    background (d,): default the mean of the rows; zeros for the raw field. Raises InputError.
    """
    x = rows(x)
    scales = _checked(limit, sharpness, bias, beta)
    weight = _weight(x, mass)
    mu = like(weighted_totals(weight[None], x)[0] if background is None else background, x)
    if len(x) < 3 or limit == 0:
        return _none(x, mu, beta or 0.0)
    whole = FieldRows.from_rows(x, weight, mu, 0.0)
    order = np.argsort(host(whole.offset), kind="stable")
    part = whole.take(_evenly_spaced(order, sample or _size(len(x), limit)))
    if trace(part.x - mu) <= ROUNDING**2 * trace(part.x):
        return _none(x, mu, beta or 0.0)  # equal rows: what is left is the rounding of their mean
    sigma = noise_scale(part.x - mu)
    part, whole = replace(part, sigma=sigma), replace(whole, sigma=sigma)
    b = _pull(query, bias, mu, x) - mu
    matrix = SimilarityMatrix.from_rows(part.x, part.weight, b)
    trapping = 1.0 if beta else trapping_scale(matrix.r[:-1, :-1])
    betas = [beta] if beta else sorted((s * trapping for s in scales), reverse=True)
    used, z = _clearest(part, b, matrix, betas, limit)
    wide = whole if len(x) <= WIDE else whole.take(_evenly_spaced(order, WIDE))
    return _finish(whole, wide, b, z, beta=used, limit=limit)


def _clearest(
    field: FieldRows, b: Array, matrix: SimilarityMatrix, betas: list[float], limit: int
) -> tuple[float, Array]:
    """The scale at which the attractors divide the rows most cleanly, and their centers there.

    From fine to coarse: fixed points only merge as beta falls, so each scale starts from those of the one before.
    """
    a = starts(matrix, betas[0], 4 * limit + 32)
    best, used, centers = -1.0, betas[-1], field.x[:0]
    for beta in betas:
        a = fixed_points(a, matrix, beta)
        z = unit(product(a[:, :-1], field.x) + b)
        z = z[indices(field.keep_significant(z, limit)[0], z)]
        clean = field.separation(z) if len(z) else -1.0
        if clean > best:
            best, used, centers = clean, beta, z
    return used, centers


def _finish(field: FieldRows, wide: FieldRows, b: Array, z: Array, *, beta: float, limit: int) -> Attractors:
    """The centers descend once more in the wide field; all rows are assigned; what is left is sorted by strength."""
    z, trace = refine(z, wide.x, wide.weight, beta, b)
    if len(z):
        keep = distinct(host(z @ z.T) > merging_cosine(beta), trace[-1], limit)
        stay, basins = field.keep_significant(z[indices(keep, z)], limit)
        keep = keep[stay]
        z, trace = z[indices(keep, z)], trace[:, keep]
    if len(z) == 0:
        return _none(field.x, field.mu, beta)
    order = np.argsort(-basins.strength, kind="stable")
    rank = np.append(np.argsort(order), -1)  # the last entry keeps -1 at -1
    return Attractors(
        centers=host(z)[order].astype(np.float32),
        strength=basins.strength[order].astype(np.float32),
        basin=rank[basins.basin],
        beta=beta,
        cohesion=basins.cohesion[order].astype(np.float32),
        energy=trace[:, order],
        background=host(field.mu).astype(np.float32),
        separation=wide.separation(z),
    )


def _checked(limit: int, sharpness: float | Sequence[float], bias: float, beta: float | None) -> tuple[float, ...]:
    scales = (sharpness,) if isinstance(sharpness, int | float) else tuple(sharpness)
    if not scales:
        raise InputError("sharpness is empty; give one number above 0, or several")
    whole("limit", limit, 0, 1 << 31)
    number("bias", bias, 0, 1e9)
    for scale in scales:
        number("sharpness", scale, 1e-9, 1e9)
    if beta is not None:
        number("beta", beta, 1e-9, 1e9)
    return scales


def _weight(x: Array, mass: Array | None) -> Array:
    n = len(x)
    if mass is None:
        return library(x).ones_like(x[:, 0]) / max(n, 1)
    weight = like(mass, x)
    if tuple(weight.shape) != (n,) or bool((weight < 0).any()) or (n and not float(weight.sum()) > 0):
        raise InputError(f"mass has shape {tuple(weight.shape)}; expected ({n},) numbers >= 0 with a sum above 0")
    return weight / weight.sum()


def _pull(query: Array | None, bias: float, mu: Array, x: Array) -> Array:
    if query is None or bias == 0:
        return mu * 0
    q = like(query, x)
    if q.shape[-1] != x.shape[1]:
        raise InputError(f"the query has {q.shape[-1]} dims and the rows have {x.shape[1]}; embed both with one model")
    return bias * ((q if q.ndim == 1 else q.mean(0)) - mu)


def _size(n: int, limit: int) -> int:
    return max(min(max(n // 4, SAMPLE[0]), SAMPLE[1]), 12 * limit)


def _evenly_spaced(order: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """At most `size` entries of `order`, evenly spaced. With rows in the order of their resonance with the background
    it gives the same sample after any permutation or rotation of the rows, and needs no random number."""
    n = len(order)
    return order if n <= size else order[np.arange(size) * n // size]


def _none(x: Array, mu: Array, beta: float) -> Attractors:
    empty = np.zeros(0, np.float32)
    centers = np.zeros((0, x.shape[1]), np.float32)
    return Attractors(
        centers=centers,
        strength=empty,
        basin=np.full(len(x), -1, np.int64),
        beta=beta,
        cohesion=empty,
        energy=np.zeros((0, 0)),
        background=host(mu).astype(np.float32),
        separation=0.0,
    )
