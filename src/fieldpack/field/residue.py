"""Residue: what must persist from turn to turn, and what the attractors leave unexplained.

A fragment is a piece of an earlier pack. Its strength halves every `half_life` turns and rises again when it is packed
again. States: `integrated` (in the last pack), `echo` (packed before and still strong), `shadow` (faded, kept for the
case that it comes back).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fieldpack.checks import number, whole
from fieldpack.errors import InputError
from fieldpack.field.arrays import Array, host, like

STATES = ("integrated", "echo", "shadow")
FORMER_STATES = {"surfaced": "echo", "orphaned": "shadow"}
"""States that release 0.1 could save, and what they are read as."""
SHADOW = 0.25
"""Below this strength an echo is a shadow."""
GONE = 0.02
"""Below this strength a fragment is forgotten, unless the settings say otherwise."""


@dataclass(frozen=True, eq=False)
class Fragment:
    """key: the caller's name for it, the same in every turn. strength in [0, 1]. age: turns since it was last packed.
    vector (d,): its row."""

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

    def faded(self, share: float) -> Fragment:
        """One turn later without being packed: `share` of its strength is left."""
        strength = self.strength * share
        return replace(self, strength=strength, state="shadow" if strength < SHADOW else "echo", age=self.age + 1)


@dataclass(frozen=True)
class Residue:
    """The fragments carried, the strongest first (ties by key), at most `limit`.

    half_life: turns, from 0.001 up. min_strength in [0, 1]: weaker fragments are forgotten.
    """

    fragments: tuple[Fragment, ...] = ()
    half_life: float = 3.0
    limit: int = 64
    min_strength: float = GONE

    def __post_init__(self) -> None:
        number("half_life", self.half_life, 1e-3, 1e6)
        whole("limit", self.limit, 0, 1_000_000)
        number("min_strength", self.min_strength, 0.0, 1.0)

    def __len__(self) -> int:
        return len(self.fragments)

    def integrate(
        self,
        keys: Sequence[str],
        vectors: Array,
        strength: Sequence[float] | npt.NDArray[np.floating] | None = None,
    ) -> Residue:
        """The residue after a turn that packed `keys` (m,) with rows `vectors` (m, d) and `strength` (m,) in [0, 1].

        Older fragments fade. strength: default 1 for each. Raises InputError when the three differ in length.
        """
        share = 0.5 ** (1 / self.half_life)
        carried = {f.key: f.faded(share) for f in self.fragments}
        for fragment in _packed(keys, vectors, strength):
            old = carried.get(fragment.key)
            best = fragment.strength if old is None else max(old.strength, fragment.strength)
            carried[fragment.key] = replace(fragment, strength=best)
        kept = sorted(
            (f for f in carried.values() if f.strength >= self.min_strength), key=lambda f: (-f.strength, f.key)
        )
        return replace(self, fragments=tuple(kept[: self.limit]))

    def strengths(self) -> dict[str, float]:
        """{key: strength in [0, 1]} of all fragments."""
        return {f.key: f.strength for f in self.fragments}

    def vectors(self) -> npt.NDArray[np.float32]:
        """(fragments, d) rows; (0, 0) when there is none."""
        return np.stack([f.vector for f in self.fragments]) if self.fragments else np.zeros((0, 0), np.float32)

    def strength(self) -> npt.NDArray[np.float64]:
        """(fragments,) in [0, 1]."""
        return np.array([f.strength for f in self.fragments], np.float64)

    def echo(self, x: Array) -> npt.NDArray[np.float32]:
        """(n,) in [0, 1]: how much each row of x (n, d) repeats what is carried: see `echo`."""
        if not self.fragments:
            return np.zeros(len(x), np.float32)
        return echo(host(x @ like(self.vectors(), x).T), self.strength().astype(np.float32))


def echo(similarity: npt.NDArray[np.floating], strength: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """(n,) in [0, 1]: max over fragments of strength (f,) times similarity (n, f); zeros for f = 0."""
    return np.asarray(np.clip((similarity * strength).max(1, initial=0.0), 0, 1), np.float32)


def unexplained(squares: npt.NDArray[np.floating], to_basis: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """(n,) in [0, 1]: the part of each row outside a span, `sqrt(|x|^2 - |P x|^2)` by Pythagoras.

    squares (n,): |x|^2. to_basis (n, r): products with an orthonormal basis of the span (see `basis`). 0: the span
    holds the row; 1: it holds nothing of it. Close to 0 it is good to about 1e-3 for float32 rows.
    """
    left = squares - (to_basis**2).sum(1)
    return np.asarray(np.sqrt(np.clip(left, 0, 1)), np.float32)


def basis(vectors: Array) -> npt.NDArray[np.float64]:
    """(d, r) orthonormal columns that span the rows of `vectors` (m, d), m > 0; r <= min(m, d)."""
    u, s, _ = np.linalg.svd(host(vectors).astype(np.float64).T, full_matrices=False)
    return np.asarray(u[:, s > 1e-5 * max(float(s[0]), 1e-12)])


def _packed(
    keys: Sequence[str], vectors: Array, strength: Sequence[float] | npt.NDArray[np.floating] | None
) -> list[Fragment]:
    """One fragment a key, as it is in the turn that packs it."""
    v = np.asarray(host(vectors), np.float32)
    s = np.ones(len(keys)) if strength is None else np.clip(np.asarray(strength, np.float64), 0, 1)
    if len(v) != len(keys) or len(s) != len(keys):
        raise InputError(f"{len(keys)} keys, {len(v)} vectors, {len(s)} strengths; expected as many of each")
    return [Fragment(str(k), float(s[i]), "integrated", 0, v[i].copy()) for i, k in enumerate(keys)]
