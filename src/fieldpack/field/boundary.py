"""The boundary: how open the field is to what comes in.

Permeability is the share of the incoming mass that enters, so admission is a quantile of relevance and the same input
always gives the same answer. It follows the change of resonance (design text, 5.3 and 8.4): more agreement opens,
less closes. The step is `gradient * tanh(change / scale)`: proportional to small changes and never more than the
gradient, so that it does not slam between its clamps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fieldpack.errors import InputError, SettingsError

LOWEST, HIGHEST = 0.1, 0.9


@dataclass(frozen=True, slots=True)
class Boundary:
    """permeability in [0.1, 0.9]: share of incoming mass let in. gradient in [0, 1]: the largest step of a turn.

    resonance: smoothed overall resonance, None before the first step. memory in [0, 1): share of the old resonance
    kept when it is smoothed. scale > 0: the change of resonance that moves the boundary by about 3/4 of the gradient.
    """

    permeability: float = 0.7
    gradient: float = 0.2
    resonance: float | None = None
    memory: float = 0.7
    scale: float = 0.1

    def __post_init__(self) -> None:
        for name, low, high in (
            ("permeability", LOWEST, HIGHEST),
            ("gradient", 0.0, 1.0),
            ("memory", 0.0, 0.999),
            ("scale", 1e-6, 2.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise SettingsError(f"{name} is {getattr(self, name)}; allowed: {low} to {high}")
        if self.resonance is not None and not -1.0 <= self.resonance <= 1.0:
            raise SettingsError(f"resonance is {self.resonance}; allowed: -1 to 1, or None")

    def step(self, resonance: float) -> Boundary:
        """The boundary after a turn whose rows have this overall resonance (-1 to 1); the first only records it."""
        if not -1.0 <= resonance <= 1.0:
            raise InputError(f"resonance is {resonance}; expected the mean similarity of unit rows, -1 to 1")
        if self.resonance is None:
            return replace(self, resonance=float(resonance))
        change = resonance - self.resonance
        moved = self.permeability + self.gradient * float(np.tanh(change / self.scale))
        return replace(
            self,
            permeability=float(np.clip(moved, LOWEST, HIGHEST)),
            resonance=float(self.memory * self.resonance + (1 - self.memory) * resonance),
        )


def threshold(
    relevance: npt.NDArray[np.floating], permeability: float, mass: npt.NDArray[np.floating] | None = None
) -> float:
    """The relevance from which rows enter: `relevance >= threshold` lets in the share `permeability` of the mass.

    relevance (n,), mass (n,) >= 0 (default: equal; tokens are the usual mass). The most relevant rows enter until
    their mass reaches the share, ties together; at least one row enters. +inf when n is 0.
    """
    r = np.asarray(relevance, np.float64)
    m = np.ones(len(r)) if mass is None else np.asarray(mass, np.float64)
    if r.ndim != 1 or m.shape != r.shape or not 0.0 <= permeability <= 1.0 or (m < 0).any() or np.isnan(r).any():
        raise InputError(
            f"relevance {r.shape}, mass {m.shape}, permeability {permeability}; "
            "expected two arrays of one length, no NaN, mass >= 0, permeability 0 to 1"
        )
    if len(r) == 0:
        return float("inf")
    order = np.argsort(-r, kind="stable")
    reached = np.cumsum(m[order])
    # Rounding of the sum must not let one row more in: compare with a hair less than the share.
    last = int(np.searchsorted(reached, permeability * reached[-1] * (1 - 1e-12), side="left"))
    return float(r[order[min(last, len(r) - 1)]])


def conformal(relevant: npt.NDArray[np.floating], alpha: float) -> float:
    """Split-conformal threshold: a new relevant row scores at or above it with probability at least 1 - alpha.

    relevant (n,): scores of rows known to be relevant, exchangeable with the new one. The threshold is the k-th
    smallest with k = floor(alpha (n + 1)); -inf (all enter) when n is too small for a promise, that is k = 0.
    alpha is usually in (0, 1); `adapt_alpha` may carry it beyond: all enter from 0 down, the best row from 1 up.
    """
    scores = np.asarray(relevant, np.float64)
    if scores.ndim != 1 or not np.isfinite(alpha) or np.isnan(scores).any():
        raise InputError(f"scores {scores.shape}, alpha {alpha}; expected (n,) numbers without NaN and a finite alpha")
    # 0.1 * 30 is 3.0000000000000004 and 0.1 * 10 * 29 may fall short: round before the floor.
    k = min(int(np.floor(round(alpha * (len(scores) + 1), 9))), len(scores))
    return float(np.partition(scores, k - 1)[k - 1]) if k >= 1 else float("-inf")


def adapt_alpha(alpha: float, target: float, missed: bool, rate: float = 0.05) -> float:
    """Adaptive conformal inference over turns: alpha + rate (target - missed).

    missed: whether this turn's relevant row fell below the threshold. In the long run the share of misses is the
    target, whatever the drift (Gibbs & Candes 2021); for that alpha must be free to leave (0, 1) for a while.
    """
    return alpha + rate * (target - float(missed))
