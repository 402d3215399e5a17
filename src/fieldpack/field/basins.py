"""Basins: which attractor draws a row, and whether the rows of a basin agree more than noise could make them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldpack.field.arrays import Array, host, indices, library, like, squares, times, weighted_totals
from fieldpack.field.scale import null_cohesion, silhouette

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Basins:
    """Of k centers: basin (n,) of each row, -1 for none; share of mass, cohesion and excess over noise (k,)."""

    basin: npt.NDArray[np.int64]
    share: Float64
    cohesion: Float64
    excess: Float64

    @property
    def strength(self) -> Float64:
        """(k,) share times cohesion, in [0, 1]."""
        return self.share * self.cohesion


@dataclass(frozen=True, eq=False)
class Ground:
    """Rows x (n, d), weight (n,) that sums to 1, the background mu (d,), the noise level sigma, and what follows from
    them: offset (n,) = x.mu and spread (n,) = |x - mu|^2."""

    x: Array
    weight: Array
    mu: Array
    sigma: float
    offset: Array
    spread: Array

    @staticmethod
    def of(x: Array, weight: Array, mu: Array, sigma: float) -> Ground:
        """With the weight scaled to sum to 1."""
        offset = times(x, mu)
        spread = library(x).clip(squares(x) - 2 * offset + (mu * mu).sum(), 1e-12, None)
        return Ground(x, weight / weight.sum(), mu, sigma, offset, spread)

    def some(self, which: npt.NDArray[np.int64]) -> Ground:
        """Of these rows alone, in this order."""
        at = indices(which, self.x)
        weight = self.weight[at]
        if not float(weight.sum()) > 0:  # all of the mass lies elsewhere: then these count alike
            weight = weight + 1
        return Ground(self.x[at], weight / weight.sum(), self.mu, self.sigma, self.offset[at], self.spread[at])

    def pull(self, z: Array) -> Array:
        """(n, k) (x - mu).z, without a second matrix of the size of x."""
        return self.x @ z.T - times(z, self.mu)

    def affinity(self, z: Array) -> Array:
        """(n, k) cosine of x - mu and z."""
        return self.pull(z) / library(self.x).sqrt(self.spread)[:, None]

    def separation(self, z: Array) -> float:
        """How cleanly the centers z (k, d) divide the rows: the simplified silhouette, 0.0 for k < 2."""
        return silhouette(host(self.affinity(z)), host(self.weight).astype(np.float64))

    def basins(self, z: Array) -> Basins:
        """Each row goes to the center that pulls it most, if it pulls more than noise does."""
        n, k = len(self.x), len(z)
        pull = host(self.pull(z))
        basin = pull.argmax(1).astype(np.int64)
        basin[pull[np.arange(n), basin] <= self.sigma] = -1
        held = basin >= 0
        own = basin[held]
        size = np.bincount(own, minlength=k).astype(np.float64)
        member = like((basin[:, None] == np.arange(k)).astype(np.float32), self.x)
        sums = host(weighted_totals(member.T, self.x)) - size[:, None] * host(self.mu)
        trace = np.bincount(own, host(self.spread)[held], minlength=k)
        pairs = ((sums * sums).sum(1) - trace) / np.maximum(size * (size - 1), 1)
        along = host(self.weight) @ (pull * pull)
        null = null_cohesion(np.maximum(size, 2), n, self.sigma, along)
        excess = np.where(size >= 2, pairs - null, -1.0)
        cohesion = np.clip(pairs * size / np.maximum(trace, 1e-12), 0, 1)
        share = np.bincount(own, host(self.weight)[held], minlength=k).astype(np.float64)
        return Basins(basin, share, cohesion, excess)

    def settle(self, z: Array, limit: int) -> tuple[npt.NDArray[np.int64], Basins]:
        """Which of the centers z stay (indices, in order) and their basins: those that noise could not have made, the
        strongest `limit`. Each time some fade, their rows are assigned anew."""
        stay = np.arange(len(z))
        while True:
            basins = self.basins(z[indices(stay, z)]) if len(stay) else _NOBODY
            strength = np.where(basins.excess > 0, basins.strength, -1.0)
            best = np.argsort(-strength, kind="stable")[:limit]
            best = np.sort(best[strength[best] >= 0])
            if len(best) == len(stay):
                return stay, basins
            stay = stay[best]


_NONE = np.zeros(0)
_NOBODY = Basins(np.zeros(0, np.int64), _NONE, _NONE, _NONE)
