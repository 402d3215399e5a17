"""All products of the rows with the vectors of a field, in one pass over the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.field.arrays import Array, host, like, squares, total
from fieldpack.field.attractors import Attractors
from fieldpack.field.residue import Residue, basis


@dataclass(frozen=True, eq=False)
class Products:
    """What the rows have to do with everything in the field, from one product of x with all its vectors (float64):
    to the sum of the rows (n,), the background (n,), carried centers (n, k), a basis of the attractors' span (n, r),
    fragments (n, f); and |x|^2 (n,)."""

    to_sum: Any
    to_background: Any
    to_centers: Any
    to_span: Any
    to_fragments: Any
    squares: Any
    size: float
    center_offset: Any
    fragment_strength: Any

    @staticmethod
    def of(x: Array, found: Attractors, centers: npt.NDArray[np.float32], residue: Residue) -> Products:
        n, d = x.shape
        sums = host(total(x)).astype(np.float64)
        span = basis(found.centers).T if len(found) else np.zeros((0, d))
        fragments = residue.vectors().reshape(-1, d)
        parts = (sums[None] / max(n, 1), found.background[None], centers, span, fragments)
        ends = np.cumsum([len(p) for p in parts])[:-1]
        product = host(x @ like(np.vstack(parts), x).T).astype(np.float64)
        to_sum, to_background, to_centers, to_span, to_fragments = np.split(product, ends, axis=1)
        background = found.background.astype(np.float64)
        return Products(
            to_sum[:, 0] * n,
            to_background[:, 0],
            to_centers,
            to_span,
            to_fragments,
            host(squares(x)).astype(np.float64),
            float(background @ background),
            centers @ background,
            np.array([f.strength for f in residue.fragments]),
        )

    def overall(self) -> float:
        """`resonance.overall`, from the products at hand."""
        n = len(self.to_sum)
        return float((self.to_sum.sum() - self.squares.sum()) / (n * (n - 1))) if n > 1 else 0.0

    def row_resonance(self) -> npt.NDArray[np.float32]:
        """`resonance.per_row`."""
        n = len(self.to_sum)
        return np.asarray((self.to_sum - self.squares) / (n - 1) if n > 1 else self.to_sum * 0, np.float32)

    def attraction(self, strength: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Nearest center by similarity without the background, a weak one counting less (root of relative strength)."""
        if len(strength) == 0:
            return np.zeros(len(self.to_sum), np.float32)
        size = np.sqrt(np.maximum(self.squares - 2 * self.to_background + self.size, 1e-12))
        near = (self.to_centers - self.center_offset) / size[:, None] * np.sqrt(strength / strength.max())
        return np.asarray(np.clip(near.max(1), 0, 1), np.float32)

    def residue(self) -> npt.NDArray[np.float32]:
        """`Residue.echo`."""
        near = self.to_fragments * self.fragment_strength
        return np.asarray(np.clip(near.max(1, initial=0.0), 0, 1), np.float32)

    def unexplained(self) -> npt.NDArray[np.float32]:
        """`residue.unexplained` of the attractors' centers."""
        left = self.squares - (self.to_span**2).sum(1)
        return np.asarray(np.sqrt(np.clip(left, 0, 1)), np.float32)
