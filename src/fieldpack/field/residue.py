"""Residue: what must persist from turn to turn, and what a pack leaves unexplained.

A fragment is a piece of an earlier pack. Its strength halves every `half_life` turns and rises again when it is packed
again. States: `surfaced` (noticed, never packed), `integrated` (in the last pack), `echo` (packed before and still
strong), `shadow` (faded, kept for the case that it comes back), `orphaned` (its source is no longer there).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fieldpack.errors import InputError, SettingsError
from fieldpack.field.arrays import Array, host, library, like, rows

STATES = ("surfaced", "integrated", "echo", "shadow", "orphaned")
SHADOW = 0.25
"""Below this strength an echo is a shadow."""
GONE = 0.02
"""Below this strength a fragment is forgotten."""


@dataclass(frozen=True, eq=False)
class Fragment:
    """key: the caller's name for it, the same in every turn. strength in [0, 1]. age: turns since it was last packed
    or noticed. vector (d,): its row."""

    key: str
    strength: float
    state: str
    age: int
    vector: npt.NDArray[np.float32]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fragment) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self._facts())

    def _facts(self) -> tuple[object, ...]:
        return self.key, self.strength, self.state, self.age, self.vector.tobytes()


@dataclass(frozen=True)
class Residue:
    """The fragments carried, the strongest first (ties by key), at most `limit`. half_life: turns, > 0."""

    fragments: tuple[Fragment, ...] = ()
    half_life: float = 3.0
    limit: int = 64

    def __post_init__(self) -> None:
        if not self.half_life > 0 or self.limit < 0:
            raise SettingsError(f"half_life is {self.half_life}, limit {self.limit}; allowed: above 0, and 0 or more")

    def __len__(self) -> int:
        return len(self.fragments)

    def integrate(
        self,
        keys: Sequence[str],
        vectors: Array,
        strength: Sequence[float] | npt.NDArray[np.floating] | None = None,
        *,
        present: Collection[str] | None = None,
        noticed: tuple[Sequence[str], Array, Sequence[float]] | None = None,
    ) -> Residue:
        """The residue after a turn that packed `keys` (m,) with rows `vectors` (m, d) and `strength` (m,) in [0, 1].

        Older fragments decay; those whose key is not in `present` (when given) are orphaned. `noticed`: keys, rows and
        strengths of what was important but not packed: they surface.
        """
        faded = {f.key: self._fade(f, present) for f in self.fragments}
        for key, vector, s in _triples(keys, vectors, strength):
            old = faded[key].strength if key in faded else 0.0
            faded[key] = Fragment(key, max(old, s), "integrated", 0, vector)
        for key, vector, s in _triples(*noticed) if noticed else ():
            if key not in faded or (faded[key].state != "integrated" and faded[key].strength < s):
                faded[key] = Fragment(key, s, "surfaced", 0, vector)
        kept = sorted((f for f in faded.values() if f.strength >= GONE), key=lambda f: (-f.strength, f.key))
        return replace(self, fragments=tuple(kept[: self.limit]))

    def strengths(self) -> dict[str, float]:
        """{key: strength in [0, 1]} of all fragments."""
        return {f.key: f.strength for f in self.fragments}

    def vectors(self) -> npt.NDArray[np.float32]:
        """(fragments, d) rows; (0, 0) when there is none."""
        return np.stack([f.vector for f in self.fragments]) if self.fragments else np.zeros((0, 0), np.float32)

    def echo(self, x: Array) -> npt.NDArray[np.float32]:
        """(n,) in [0, 1]: how much a row repeats what is carried: max over fragments of strength x similarity."""
        if not self.fragments:
            return np.zeros(len(x), np.float32)
        strength = np.array([f.strength for f in self.fragments], np.float32)
        near = (host(x @ like(self.vectors(), x).T) * strength).max(1)
        return np.asarray(np.clip(near, 0, 1), np.float32)

    def _fade(self, f: Fragment, present: Collection[str] | None) -> Fragment:
        strength = f.strength * 0.5 ** (1 / self.half_life)
        if present is not None and f.key not in present:
            state = "orphaned"
        elif strength < SHADOW:
            state = "shadow"
        else:
            state = "surfaced" if f.state == "surfaced" else "echo"
        return Fragment(f.key, strength, state, f.age + 1, f.vector)


def unexplained(x: Array, packed: Array) -> Array:
    """(n,) in [0, 1]: ||e - P e|| of each unit row e of x, P the projection on the span of the rows of `packed` (m, d).

    0: the packed rows say it all; 1: they say nothing of it. Ones for m = 0. Rank-deficient rows are fine.
    """
    x = rows(x)
    xp = library(x)
    if len(packed) == 0:
        return xp.ones_like(x[:, 0])
    if packed.shape[1] != x.shape[1]:
        raise InputError(f"packed rows have {packed.shape[1]} dims and x has {x.shape[1]}; embed both with one model")
    span = like(basis(packed), x)
    left = x - (x @ span) @ span.T
    return xp.clip(xp.sqrt((left * left).sum(1)), 0, 1)


def basis(packed: Array) -> npt.NDArray[np.float64]:
    """(d, r) orthonormal columns that span the rows of `packed` (m, d), m > 0; r <= min(m, d)."""
    u, s, _ = np.linalg.svd(host(packed).astype(np.float64).T, full_matrices=False)
    return np.asarray(u[:, s > 1e-5 * max(float(s[0]), 1e-12)])


def _triples(
    keys: Sequence[str], vectors: Array, strength: Sequence[float] | npt.NDArray[np.floating] | None
) -> list[tuple[str, npt.NDArray[np.float32], float]]:
    v = np.asarray(host(vectors), np.float32)
    s = np.ones(len(keys)) if strength is None else np.clip(np.asarray(strength, np.float64), 0, 1)
    if len(v) != len(keys) or len(s) != len(keys):
        raise InputError(f"{len(keys)} keys, {len(v)} vectors, {len(s)} strengths; expected as many of each")
    return [(str(k), v[i].copy(), float(s[i])) for i, k in enumerate(keys)]
