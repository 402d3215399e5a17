"""Descent to the fixed points of a field, by similarities alone.

A point `z ~ sum_i a_i x_i + b` is held as its similarities to the rows and to the bias, so that a step costs one
product with the resonance matrix and no vector of d numbers is touched until the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldpack.field.arrays import Array, host, indices, library, like, product, times, unit, weighted_totals

_ROUNDS, _STEPS = 2, 4
_TOLERANCE = 1e-3

Trace = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SimilarityMatrix:
    """All similarities that the descent needs: r (s + 1, s + 1) of the s rows and, last, the bias b; log mass (s,)."""

    r: Array
    log_mass: Array

    @staticmethod
    def from_rows(x: Array, weight: Array, b: Array) -> SimilarityMatrix:
        """Of rows x (s, d), weight (s,) >= 0, bias b (d,)."""
        xp = library(x)
        both = xp.concatenate([x, b[None]])
        tiny = xp.clip(weight / weight.sum(), 1e-30, None)
        return SimilarityMatrix(product(both, both.T), xp.log(tiny))

    def __len__(self) -> int:
        return len(self.log_mass)


def starts(matrix: SimilarityMatrix, beta: float, most: int) -> Array:
    """Weights (k, s + 1) of up to `most` points to descend from, the deepest first.

    Every row proposes the place where its neighbours, without itself, put it (a row alone would hold itself), and
    goes one step on from there.
    """
    similarity = matrix.r[: len(matrix)] * 1.0
    similarity[range(len(matrix)), range(len(matrix))] = -np.inf
    a, _ = _weights(similarity, matrix, beta)
    u = product(a, matrix.r)
    a, energy = _weights(u / _length(a, u)[:, None], matrix, beta)
    return a[_distinct(a, product(a, matrix.r), energy, beta, most)]


def fixed_points(a: Array, matrix: SimilarityMatrix, beta: float) -> Array:
    """Weights (k, s + 1) of the fixed points `unit(weights @ [rows; bias])` below the points a; those that meet on the
    way become one, the deepest first."""
    u = product(a, matrix.r)
    for _ in range(_ROUNDS):
        for _ in range(_STEPS):
            before = u / _length(a, u)[:, None]
            a, energy = _weights(before, matrix, beta)
            u = product(a, matrix.r)
        moved = float(abs(u / _length(a, u)[:, None] - before).max())
        keep = _distinct(a, u, energy, beta, len(a))
        a, u = a[keep], u[keep]
        if moved < _TOLERANCE:
            break
    return a


def refine(z: Array, x: Array, weight: Array, beta: float, b: Array, steps: int = 6) -> tuple[Array, Trace]:
    """The fixed points of the field of rows x (n, d) below the points z (k, d), and the energies (steps, k)."""
    trace = []
    precise = x.astype(np.float64) if library(x) is np else x  # once, not at each step: see `product`
    for _ in range(steps):
        after, energy = step(z, precise, weight, beta, b)
        trace.append(host(energy).astype(np.float64))
        moved = float(abs(after - z).max()) if len(z) else 0.0
        z = after
        if moved < _TOLERANCE:
            break
    return z, np.array(trace).reshape(len(trace), len(z))


def step(z: Array, x: Array, weight: Array, beta: float, b: Array) -> tuple[Array, Array]:
    """One descent step from z (k, d): the next points (k, d) and the energies (k,) at z.

    E(z) = -(1/beta) log sum_i m_i exp(beta z.x_i) - b.z; weight m (n,) sums to 1.
    """
    xp = library(x)
    s = beta * product(z, x.T)
    top = xp.amax(s, 1)
    p = xp.exp(s - top[:, None]) * weight
    mass = p.sum(1)
    moved = like(weighted_totals(p, x), z) / mass[:, None] + b
    return unit(moved), -(xp.log(mass) + top) / beta - times(z, b)


def merging_cosine(beta: float) -> float:
    """Two bumps of width 1/sqrt(beta) whose centers are closer than that are one: cosine above 1 - 1 / (2 beta)."""
    return max(1 - 0.5 / beta, 0.5)


def distinct(neighbours: npt.NDArray[np.bool_], energy: npt.NDArray[np.floating], most: int) -> npt.NDArray[np.int64]:
    """Indices of the points that are no neighbour of a deeper one that is kept: at most `most`, the deepest first.

    neighbours (k, k): which points count as the same. energy (k,): lower is deeper.
    """
    order = np.argsort(energy, kind="stable")
    free = np.ones(len(order), bool)
    kept: list[int] = []
    for i in order.tolist():
        if free[i]:
            kept.append(i)
            if len(kept) == most:
                break
            free &= ~neighbours[i]
    return np.array(kept, np.int64)


def _length(a: Array, u: Array) -> Array:
    xp = library(a)
    return xp.sqrt(abs(xp.einsum("ij,ij->i", u, a)) + 1e-12)


def _weights(similarity: Array, matrix: SimilarityMatrix, beta: float) -> tuple[Array, Array]:
    """The next weights (k, s + 1), the bias' own weight 1 last, and the energies (k,)."""
    xp, s = library(similarity), len(matrix)
    a = beta * similarity
    a[:, :s] += matrix.log_mass
    a[:, s] = -np.inf
    top = xp.amax(a, 1)
    a = xp.exp(a - top[:, None])
    mass = a.sum(1)
    a /= mass[:, None]
    a[:, s] = 1.0
    return a, -(xp.log(mass) + top) / beta - similarity[:, s]


def _distinct(a: Array, u: Array, energy: Array, beta: float, most: int) -> Array:
    """Index of the points to keep; u = a @ r."""
    size = _length(a, u)
    cosine = product(u, a.T) / (size[:, None] * size)
    return indices(distinct(host(cosine) > merging_cosine(beta), host(energy), most), a)
