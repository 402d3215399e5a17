"""All products of the rows with the vectors of a field, in one pass over the rows.

The formulas on them stand beside the quantities that they measure: `resonance`, `residue`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.field.arrays import Array, host, like, squares, total
from fieldpack.field.attractors import Attractors
from fieldpack.field.residue import Residue, basis, echo, unexplained
from fieldpack.field.resonance import mean_of_pairs, mean_to_others


@dataclass(frozen=True, eq=False)
class Projections:
    """Products of n rows x with all vectors of the field (float64), from one product of two matrices.

    to_sum (n,): with the sum of the rows. to_background (n,). to_centers (n, k): carried attractors. to_span (n, r): an
    orthonormal basis of the attractors' span. to_fragments (n, f): residue. squares (n,): |x|^2.
    background_square: |background|^2. center_offset (k,): center.background. fragment_strength (f,).
    """

    to_sum: Any
    to_background: Any
    to_centers: Any
    to_span: Any
    to_fragments: Any
    squares: Any
    background_square: float
    center_offset: Any
    fragment_strength: Any

    @staticmethod
    def from_field(x: Array, attractors: Attractors, centers: npt.NDArray[np.float32], residue: Residue) -> Projections:
        """Of the rows x (n, d): `attractors` of these rows, `centers` (k, d) carried from earlier turns."""
        n, d = x.shape
        sums = host(total(x)).astype(np.float64)
        span = basis(attractors.centers).T if len(attractors) else np.zeros((0, d))
        fragments = residue.vectors().reshape(-1, d)
        parts = (sums[None] / max(n, 1), attractors.background[None], centers, span, fragments)
        ends = np.cumsum([len(p) for p in parts])[:-1]
        product = host(x @ like(np.vstack(parts), x).T).astype(np.float64)
        to_sum, to_background, to_centers, to_span, to_fragments = np.split(product, ends, axis=1)
        background = attractors.background.astype(np.float64)
        return Projections(
            to_sum=to_sum[:, 0] * n,
            to_background=to_background[:, 0],
            to_centers=to_centers,
            to_span=to_span,
            to_fragments=to_fragments,
            squares=host(squares(x)).astype(np.float64),
            background_square=float(background @ background),
            center_offset=centers @ background,
            fragment_strength=residue.strength(),
        )

    def overall(self) -> float:
        """Resonance of all rows: see `resonance.overall`."""
        return mean_of_pairs(self.to_sum.sum(), self.squares.sum(), len(self.to_sum))

    def row_resonance(self) -> npt.NDArray[np.float32]:
        """(n,) see `resonance.per_row`."""
        return np.asarray(mean_to_others(self.to_sum, self.squares), np.float32)

    def attraction(self, strength: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(n,) in [0, 1]: similarity to the nearest center without the background, a weak center counting less
        (root of its strength (k,) relative to the strongest)."""
        if len(strength) == 0:
            return np.zeros(len(self.to_sum), np.float32)
        length = np.sqrt(np.maximum(self.squares - 2 * self.to_background + self.background_square, 1e-12))
        weighted = (self.to_centers - self.center_offset) / length[:, None] * np.sqrt(strength / strength.max())
        return np.asarray(np.clip(weighted.max(1), 0, 1), np.float32)

    def residue(self) -> npt.NDArray[np.float32]:
        """(n,) see `residue.echo`."""
        return echo(self.to_fragments, self.fragment_strength)

    def unexplained(self) -> npt.NDArray[np.float32]:
        """(n,) of the attractors' centers: see `residue.unexplained`."""
        return unexplained(self.squares, self.to_span)
