"""Admission by share: the rule of the ablation rows "boundary" (the packer itself has no such threshold)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fieldpack.errors import InputError


def threshold(
    relevance: npt.NDArray[np.floating], permeability: float, mass: npt.NDArray[np.floating] | None = None
) -> float:
    """The relevance from which rows enter: `relevance >= threshold` lets in the share `permeability` of the mass.

    relevance (n,), mass (n,) >= 0 (default: equal; tokens are the usual mass). The most relevant rows enter until
    their mass reaches the share, ties together; at least one row enters. +inf when n is 0. Raises InputError.
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
