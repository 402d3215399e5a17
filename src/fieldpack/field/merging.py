"""Topics of rows: fine attractors, merged until those are left that differ, then moved to the middle of their rows.

The attractors of a fine field are many; which of them are one topic is decided by Ward's rule (1963): the two whose
union adds least to the spread within topics become one. The number of topics is at least that at which a merger costs
LEAST of all spread, at most `limit`, and between the two the one that divides the rows most cleanly (`silhouette`).
Each center then goes to the mean of its rows until none changes sides (spherical k-means: Dhillon & Modha 2001).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fieldpack.field.arrays import Array, host, unit
from fieldpack.field.attractors import WIDE, Attractors, detect
from fieldpack.field.basins import FieldRows
from fieldpack.field.scale import noise_scale, silhouette

LEAST = 0.008
"""Share of all spread that a merger may cost at most while topics are many: agnews (4 labels) is cut into 4 to 7 topics
by .008, into 10 by .006, and intents of clinc150 into 6 by .010."""
_FINE, _MANY, _MOVES, _STEP = 64, 256, 10, 1.2

Float64 = npt.NDArray[np.float64]


def topics(x: Array, mass: Array | None = None, *, limit: int = 12) -> Attractors:
    """The attractors of the unit rows x (n, d) as at most `limit` topics, the strongest first. mass (n,): weights >= 0.

    Their centers are means of rows, not fixed points, and `energy` is empty. Fewer than three fine attractors are left
    as `detect` has them. Raises InputError.
    """
    fine = detect(x, mass, limit=min(max(_FINE, 4 * limit), max(_MANY, limit)), sharpness=1.0) if limit > 1 else None
    if fine is None or len(fine) < 3:
        return detect(x, mass, limit=limit)
    rows = np.asarray(host(x), np.float32)
    weight = np.ones(len(rows)) if mass is None else np.asarray(host(mass), np.float64)
    field = FieldRows.from_rows(rows, np.asarray(weight / weight.sum(), np.float32), fine.background, 0.0)
    order = np.argsort(field.offset, kind="stable")
    sample = order[np.arange(min(len(order), WIDE)) * len(order) // min(len(order), WIDE)]
    field = replace(field, sigma=noise_scale(rows[sample] - fine.background))
    y = unit(rows[sample] - fine.background).astype(np.float64)
    centers = _moved(_cleanest(y, weight[sample], fine.centers, limit), y, weight[sample])
    return _attractors(fine, field, centers.astype(np.float32), limit)


def _cleanest(y: Float64, weight: Float64, fine: npt.NDArray[np.float32], limit: int) -> Float64:
    """Centers (k, d), merged from the fine ones."""
    sums, mass = _sums(y, weight, fine.astype(np.float64))
    levels, costs = _mergers(sums, mass)
    fewest = max([k for k, cost in costs.items() if cost >= LEAST * mass.sum()], default=2)
    most = min(limit, max(levels))
    low = min(fewest, most)
    grid = {min(most, round(low * _STEP**i)) for i in range(1 + int(np.log(most / low) / np.log(_STEP) + 1))}
    share = weight / max(float(weight.sum()), 1e-12)
    clean = {k: silhouette(y @ unit(levels[k]).T, share) for k in sorted(grid)}
    return np.asarray(unit(levels[max(clean, key=lambda k: clean[k])]), np.float64)


def _sums(y: Float64, weight: Float64, centers: Float64) -> tuple[Float64, Float64]:
    """(k, d) weighted sums of the rows nearest to each center, and their mass (k,); without those that have none."""
    nearest = (y @ centers.T).argmax(1)
    member = (nearest[:, None] == np.arange(len(centers))) * weight[:, None]
    mass = member.sum(0)
    return (member.T @ y)[mass > 0], mass[mass > 0]


def _mergers(sums: Float64, mass: Float64) -> tuple[dict[int, Float64], dict[int, float]]:
    """By number of topics k: the sums (k, d) of their rows, and what the merger to k - 1 costs."""
    sums, mass = sums.copy(), mass.copy()
    levels, costs = {len(mass): sums.copy()}, {}
    while len(mass) > 1:
        mean = sums / mass[:, None]
        apart = np.maximum((mean * mean).sum(1)[:, None] + (mean * mean).sum(1) - 2 * mean @ mean.T, 0)
        cost = apart * mass[:, None] * mass / (mass[:, None] + mass)
        cost[np.diag_indices(len(mass))] = np.inf
        i, j = sorted(int(k) for k in np.unravel_index(int(cost.argmin()), cost.shape))
        costs[len(mass)] = float(cost[i, j])
        sums[i] += sums[j]
        mass[i] += mass[j]
        sums, mass = np.delete(sums, j, 0), np.delete(mass, j)
        levels[len(mass)] = sums.copy()
    return levels, costs


def _moved(centers: Float64, y: Float64, weight: Float64) -> Float64:
    """Centers (k, d) at the mean of the rows nearest to them; one that loses all rows is gone."""
    for _ in range(_MOVES):
        before = centers
        centers = np.asarray(unit(_sums(y, weight, before)[0]), np.float64)
        if centers.shape == before.shape and float(np.abs(centers - before).max()) < 1e-4:
            break
    return centers


def _attractors(fine: Attractors, field: FieldRows, centers: npt.NDArray[np.float32], limit: int) -> Attractors:
    """The centers that noise could not have made, with the basins of all rows."""
    stay, basins = field.keep_significant(centers, limit)
    order = np.argsort(-basins.strength, kind="stable")
    rank = np.append(np.argsort(order), -1)
    kept = centers[stay][order]
    return replace(
        fine,
        centers=kept,
        strength=basins.strength[order].astype(np.float32),
        basin=rank[basins.basin],
        cohesion=basins.cohesion[order].astype(np.float32),
        energy=np.zeros((0, len(kept))),
        separation=field.separation(kept) if len(kept) else 0.0,
    )
