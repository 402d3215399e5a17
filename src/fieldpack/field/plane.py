"""A field seen on a plane: its rows without what they share, on their first two principal axes; and in basin order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldpack.field.attractors import Attractors

Floats = npt.NDArray[np.float32]
_MOST = 8192
"""Rows from which the axes are found; all rows are placed."""


@dataclass(frozen=True, eq=False)
class Plane:
    """rows (n, 2), centers (k, 2), queries (q, 2): places on the plane. explained in [0, 1]: share of the variance of
    the rows that the two axes show."""

    rows: Floats
    centers: Floats
    queries: Floats
    explained: float


def plane(x: Floats, attractors: Attractors, queries: Floats | None = None) -> Plane:
    """Principal component analysis of the rows x (n, d) with the background of the field taken away, unit length.

    An attractor is a direction; it is drawn where the rows of its basin have their mean along it, so inside its basin.
    queries: (q, d). The sign of each axis is fixed by its largest component, so the same field gives the same picture.
    """
    y = _without_background(x, attractors.background)
    # A row of zeros is a text without known words: it has no place of its own.
    sample = _distinct(y[(x * x).sum(1) > 0][:: max(1, -(-len(y) // _MOST))])
    middle = sample.mean(0) if len(sample) else np.zeros(y.shape[1], np.float32)
    axes, explained = _axes(sample - middle)
    z = np.zeros_like(attractors.centers)
    for k, center in enumerate(attractors.centers):
        members = y[attractors.basin == k] if len(attractors.basin) == len(y) else y
        z[k] = center * float((members @ center).mean() if len(members) else 1.0)
    q = z[:0]
    if queries is not None and len(queries):
        q = _without_background(np.atleast_2d(queries), attractors.background)
    rows, centers, placed_queries = (np.asarray((part - middle) @ axes.T, np.float32) for part in (y, z, q))
    return Plane(rows, centers, placed_queries, explained)


def basin_order(x: Floats, attractors: Attractors) -> npt.NDArray[np.int64]:
    """(n,) all rows, basin by basin, the strongest first, each from its center outwards; rows of no basin come last."""
    n, k = len(x), len(attractors)
    if not k:
        return np.argsort(-(x @ x.mean(0)), kind="stable") if n else np.zeros(0, np.int64)
    basin = attractors.basin
    affinity = attractors.affinity(x)
    own = np.where(basin >= 0, affinity[np.arange(n), basin], affinity.max(1))
    return np.lexsort((np.arange(n), -own, np.where(basin >= 0, basin, k)))


def _without_background(x: Floats, background: Floats) -> Floats:
    y = x - background if len(background) == x.shape[1] else x
    return np.asarray(y / np.maximum(np.linalg.norm(y, axis=1), 1e-9)[:, None], np.float32)


def _distinct(y: Floats) -> Floats:
    """Every row once: many copies of one line must not turn the axes towards it."""
    return y[np.sort(np.unique(np.round(y, 4), axis=0, return_index=True)[1])] if len(y) else y


def _axes(y: Floats) -> tuple[Floats, float]:
    """(2, d) unit axes of the largest variance, zeros where there is none; and the share of the variance on them."""
    n, d = y.shape
    axes = np.zeros((2, d), np.float32)
    if min(n, d) == 0:
        return axes, 0.0
    small = n < d
    wide = y.astype(np.float64)  # single precision would make axes of its own rounding where there is one axis only
    variance, vectors = np.linalg.eigh(wide @ wide.T if small else wide.T @ wide)
    total = float(np.maximum(variance, 0).sum())
    shown = 0.0
    for k in range(min(2, len(variance))):
        if variance[-1 - k] <= 1e-9 * max(total, 1e-30):
            break
        axis = y.T @ vectors[:, -1 - k] if small else vectors[:, -1 - k]
        axis = axis / max(float(np.linalg.norm(axis)), 1e-12)
        axes[k] = axis * (1 if axis[np.argmax(np.abs(axis))] >= 0 else -1)
        shown += float(variance[-1 - k])
    return axes, shown / total if total > 0 else 0.0
