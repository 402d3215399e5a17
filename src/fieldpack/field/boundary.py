"""The boundary: how open the field is to what comes in.

Permeability is the share of the incoming mass that enters. It follows the change of resonance (design text, 5.3 and
8.4): more agreement opens, less closes. The step is `gradient * tanh(change / scale)`: proportional to small changes
and never more than the gradient, so that it does not slam between its clamps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fieldpack.checks import number
from fieldpack.errors import InputError

LOWEST, HIGHEST = 0.1, 0.9


@dataclass(frozen=True, slots=True)
class Boundary:
    """permeability in [0.1, highest]: share of incoming mass let in. gradient in [0, 1]: the largest step of a turn.

    resonance: smoothed overall resonance, None before the first step. memory in [0, 1): share of the old resonance
    kept when it is smoothed. scale > 0: the change of resonance that moves the boundary by about 3/4 of the gradient.
    highest: the upper clamp, 0.9 in the design text.
    """

    permeability: float = 0.7
    gradient: float = 0.2
    resonance: float | None = None
    memory: float = 0.7
    scale: float = 0.1
    highest: float = HIGHEST

    def __post_init__(self) -> None:
        number("highest", self.highest, LOWEST, 1.0)
        number("permeability", self.permeability, LOWEST, self.highest)
        number("gradient", self.gradient, 0.0, 1.0)
        number("memory", self.memory, 0.0, 0.999)
        number("scale", self.scale, 1e-6, 2.0)
        if self.resonance is not None:
            number("resonance", self.resonance, -1.0, 1.0)

    def step(self, resonance: float) -> Boundary:
        """The boundary after a turn whose rows have this overall resonance (-1 to 1); the first only records it."""
        number("resonance", resonance, -1.0, 1.0)
        if self.resonance is None:
            return replace(self, resonance=float(resonance))
        change = resonance - self.resonance
        moved = self.permeability + self.gradient * float(np.tanh(change / self.scale))
        return replace(
            self,
            permeability=float(np.clip(moved, LOWEST, self.highest)),
            resonance=float(self.memory * self.resonance + (1 - self.memory) * resonance),
        )


def conformal(relevant: npt.NDArray[np.floating], alpha: float) -> float:
    """Split-conformal threshold: a new relevant row scores at or above it with probability at least 1 - alpha.

    relevant (n,): scores of rows known to be relevant, exchangeable with the new one. The threshold is the k-th
    smallest with k = floor(alpha (n + 1)); -inf (all enter) when n is too small for a promise, that is k = 0.
    alpha is usually in (0, 1): all enter from 0 down, only the best row from 1 up.
    """
    scores = np.asarray(relevant, np.float64)
    if scores.ndim != 1 or not np.isfinite(alpha) or np.isnan(scores).any():
        raise InputError(f"scores {scores.shape}, alpha {alpha}; expected (n,) numbers without NaN and a finite alpha")
    # 0.1 * 30 is 3.0000000000000004 and 0.1 * 10 * 29 may fall short: round before the floor.
    k = min(int(np.floor(round(alpha * (len(scores) + 1), 9))), len(scores))
    return float(np.partition(scores, k - 1)[k - 1]) if k >= 1 else float("-inf")
