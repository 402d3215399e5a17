"""Basins: which attractor draws a row, and whether the rows of a basin agree more than noise could make them."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
class FieldRows:
    """The rows of a field. x (n, d), weight (n,) that sums to 1, background mu (d,), noise level sigma.

    offset (n,) = x.mu and squared_norms (n,) = |x - mu|^2 follow from them.
    """

    x: Array
    weight: Array
    mu: Array
    sigma: float
    offset: Array
    squared_norms: Array

    @staticmethod
    def from_rows(x: Array, weight: Array, mu: Array, sigma: float) -> FieldRows:
        """With the weight scaled to sum to 1."""
        offset = times(x, mu)
        squared = library(x).clip(squares(x) - 2 * offset + (mu * mu).sum(), 1e-12, None)
        return FieldRows(x, weight=weight / weight.sum(), mu=mu, sigma=sigma, offset=offset, squared_norms=squared)

    def take(self, chosen: npt.NDArray[np.int64]) -> FieldRows:
        """The chosen rows alone, in this order."""
        at = indices(chosen, self.x)
        weight = self.weight[at]
        if not float(weight.sum()) > 0:  # all of the mass is in other rows: then these weigh the same
            weight = weight + 1
        return replace(
            self,
            x=self.x[at],
            weight=weight / weight.sum(),
            offset=self.offset[at],
            squared_norms=self.squared_norms[at],
        )

    def pull(self, z: Array) -> Array:
        """(n, k) (x - mu).z, without a second matrix of the size of x."""
        return self.x @ z.T - times(z, self.mu)

    def affinity(self, z: Array) -> Array:
        """(n, k) cosine of x - mu and z."""
        return self.pull(z) / library(self.x).sqrt(self.squared_norms)[:, None]

    def separation(self, z: Array) -> float:
        """How cleanly the centers z (k, d) divide the rows: the simplified silhouette, 0.0 for k < 2."""
        return silhouette(host(self.affinity(z)), host(self.weight).astype(np.float64))

    def basins(self, z: Array) -> Basins:
        """Each row goes to the center that pulls it most, if it pulls more than noise does."""
        n, k = len(self.x), len(z)
        pull = host(self.pull(z))
        basin = pull.argmax(1).astype(np.int64)
        basin[pull[np.arange(n), basin] <= self.sigma] = -1
        drawn = basin >= 0
        own = basin[drawn]
        size = np.bincount(own, minlength=k).astype(np.float64)
        member = like((basin[:, None] == np.arange(k)).astype(np.float32), self.x)
        sums = host(weighted_totals(member.T, self.x)) - size[:, None] * host(self.mu)
        trace = np.bincount(own, host(self.squared_norms)[drawn], minlength=k)
        pairs = ((sums * sums).sum(1) - trace) / np.maximum(size * (size - 1), 1)
        along = host(self.weight) @ (pull * pull)
        null = null_cohesion(np.maximum(size, 2), n, self.sigma, along)
        excess = np.where(size >= 2, pairs - null, -1.0)
        cohesion = np.clip(pairs * size / np.maximum(trace, 1e-12), 0, 1)
        share = np.bincount(own, host(self.weight)[drawn], minlength=k).astype(np.float64)
        return Basins(basin, share, cohesion, excess)

    def keep_significant(self, z: Array, limit: int) -> tuple[npt.NDArray[np.int64], Basins]:
        """Indices (ascending) of the centers z (k, d) that noise could not have made, at most the strongest `limit`,
        and their basins. Whenever a center goes, its rows are assigned again, until all that are left stay."""
        stay = np.arange(len(z))
        while True:
            basins = self.basins(z[indices(stay, z)]) if len(stay) else _NO_BASINS
            strength = np.where(basins.excess > 0, basins.strength, -1.0)
            best = np.argsort(-strength, kind="stable")[:limit]
            best = np.sort(best[strength[best] >= 0])
            if len(best) == len(stay):
                return stay, basins
            stay = stay[best]


_NONE = np.zeros(0)
_NO_BASINS = Basins(np.zeros(0, np.int64), _NONE, _NONE, _NONE)
