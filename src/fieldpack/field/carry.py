"""Which attractors are carried to the next turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldpack.field.attractors import Attractors
from fieldpack.field.descent import merging_cosine

_FADED = 0.01
"""A carried attractor below this share of the strongest is forgotten."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Carried:
    """Attractors after a turn, the strongest first: centers (k, d), strength (k,)."""

    centers: Floats
    strength: Floats


def merged(old: Carried, new: Attractors, *, half_life: float, limit: int) -> Carried:
    """The old attractors fade by their half-life (turns); those near a new one merge into it; the weak are forgotten.

    At most `limit` stay, the strongest.
    """
    share = 0.5 ** (1 / half_life)
    centers, strength = [*new.centers], [float(s) for s in new.strength]
    for center, s in zip(old.centers, old.strength * share, strict=True):
        cosines = new.centers @ center if len(new) else np.zeros(0)
        k = int(cosines.argmax()) if len(cosines) else -1
        if k >= 0 and cosines[k] > merging_cosine(new.beta):
            centers[k] = centers[k] * strength[k] + center * s
            centers[k] /= max(float(np.linalg.norm(centers[k])), 1e-12)
            strength[k] = max(strength[k], float(s))
        else:
            centers.append(center)
            strength.append(float(s))
    order = np.argsort(-np.array(strength), kind="stable")[:limit]
    order = order[np.array(strength)[order] > _FADED * max([*strength, 1e-12])] if len(order) else order
    return Carried(
        np.array([centers[i] for i in order], np.float32).reshape(len(order), new.centers.shape[1]),
        np.array([strength[i] for i in order], np.float32),
    )
