"""The reading of a field, and the small state that survives between turns.

`read` is a pure function of rows, query and state; its `Reading` holds the next `FieldState`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack import storage
from fieldpack.errors import InputError
from fieldpack.field.arrays import Array, host, like, rows, total, trace
from fieldpack.field.attractors import Attractors, detect
from fieldpack.field.boundary import Boundary
from fieldpack.field.carry import Carried, merged
from fieldpack.field.projections import Projections
from fieldpack.field.residue import FORMER_STATES, GONE, STATES, Fragment, Residue
from fieldpack.field.resonance import mean_of_pairs
from fieldpack.field.settings import FieldSettings as FieldSettings
from fieldpack.field.snippets import reading_snippet, state_snippet

_NAME, _VERSION, _KIND = "field", 1, "field state"
CARRIED_ROWS = 12
"""Rows of a short conversation that are carried as attractors."""
_ARRAYS = ("centers", "strength", "sums", "vectors")


@dataclass(frozen=True, eq=False)
class FieldState:
    """The part of a field that survives between turns: small and bounded, whatever the number of documents.

    turn: readings so far. centers (k, d), strength (k,): carried attractors. boundary, residue: theirs.
    count, sums (d,) float64, squares: statistics of all rows absorbed, from which mean and resonance follow exactly.
    words: of each carried attractor, in a state that `ContextPacker.explore` made; else ().
    """

    turn: int = 0
    centers: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    strength: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    boundary: Boundary = field(default_factory=Boundary)
    residue: Residue = field(default_factory=Residue)
    count: int = 0
    sums: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0, np.float64))
    squares: float = 0.0
    words: tuple[tuple[str, ...], ...] = ()

    @staticmethod
    def start(settings: FieldSettings | None = None) -> FieldState:
        """The state before the first turn."""
        s = settings or FieldSettings()
        return FieldState(
            boundary=Boundary(s.permeability, s.gradient, scale=s.resonance_scale),
            residue=Residue(half_life=s.half_life, limit=s.fragments, min_strength=s.min_strength),
        )

    @property
    def carried(self) -> Carried:
        """The attractors of earlier turns."""
        return Carried(self.centers, self.strength)

    @property
    def dims(self) -> int:
        """d, or 0 before anything was read."""
        return len(self.sums) or self.centers.shape[1] or (len(self.residue) and len(self.residue.fragments[0].vector))

    @property
    def resonance(self) -> float:
        """Overall resonance of all rows absorbed, as `resonance.overall` would give it; 0.0 for fewer than two."""
        return mean_of_pairs(float(self.sums @ self.sums), self.squares, self.count)

    def absorb(self, x: Array, carry: bool = False) -> FieldState:
        """With the statistics of further rows x (n, d) added: costs only those rows. carry: where the state has no
        attractor, the last CARRIED_ROWS rows are carried as attractors of equal strength, so that a conversation of a
        few lines, in which nothing gathers yet, asks for what it speaks of."""
        x = rows(x)
        self.fits(x.shape[1])
        sums = host(total(x)).astype(np.float64)
        state = replace(
            self,
            count=self.count + len(x),
            sums=sums if self.count == 0 else self.sums + sums,
            squares=self.squares + trace(x),
        )
        if not carry or len(self.strength) or not len(x):
            return state
        last = host(x[-CARRIED_ROWS:]).astype(np.float32)
        return replace(state, centers=last, strength=np.full(len(last), 1 / len(last), np.float32), words=())

    def integrate(
        self,
        keys: Sequence[str],
        vectors: Array,
        strength: Sequence[float] | npt.NDArray[np.floating] | None = None,
    ) -> FieldState:
        """With the residue after this turn's pack: see `Residue.integrate`."""
        return replace(self, residue=self.residue.integrate(keys, vectors, strength))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON, without the vectors."""
        return {
            "turn": self.turn,
            "attractors": [{"strength": round(float(s), 6)} for s in self.strength],
            "permeability": self.boundary.permeability,
            "gradient": self.boundary.gradient,
            "resonance": self.boundary.resonance,
            "residue": [
                {"key": f.key, "strength": round(f.strength, 6), "state": f.state, "age": f.age}
                for f in self.residue.fragments
            ],
            "rows": self.count,
        }

    def save(self, folder: str | Path) -> None:
        """Writes field.json and field.npz into the folder, each by a temporary file that is then renamed."""
        facts = {
            "turn": self.turn,
            "count": self.count,
            "squares": self.squares,
            "boundary": asdict(self.boundary),
            "half_life": self.residue.half_life,
            "fragment_limit": self.residue.limit,
            "min_strength": self.residue.min_strength,
            "fragments": [[f.key, f.strength, f.state, f.age] for f in self.residue.fragments],
            "words": [list(words) for words in self.words],
        }
        vectors = self.residue.vectors()
        arrays: dict[str, npt.NDArray[Any]] = {
            "centers": self.centers,
            "strength": self.strength,
            "sums": self.sums,
            "vectors": vectors,
        }
        storage.save_archive(folder, _NAME, _VERSION, kind=_KIND, facts=facts, arrays=arrays)

    @staticmethod
    def load(folder: str | Path) -> FieldState:
        """The state saved in the folder. Raises InputError when it is missing, damaged or of another version."""
        saved = storage.load_archive(folder, _NAME, _VERSION, _KIND, _ARRAYS)
        try:
            return _rebuilt(saved.facts, saved.arrays)
        except (KeyError, TypeError, ValueError) as e:
            raise storage.damaged(folder, _KIND, e) from e

    def __repr__(self) -> str:
        carried = f"{len(self.strength)} attractors, {len(self.residue)} fragments"
        return f"FieldState(turn {self.turn}, {carried}, permeability {self.boundary.permeability:.2f})"

    def _repr_html_(self) -> str:
        return state_snippet(self.to_dict())

    def fits(self, dims: int) -> None:
        """Raises InputError when the state is of rows with another number of dims."""
        if self.dims not in (0, dims):
            raise InputError(
                f"the state holds vectors of {self.dims} dims, the rows have {dims}: another model made it; "
                "use that model or start with a new state"
            )


@dataclass(frozen=True, eq=False)
class Reading:
    """The field of n segments.

    attractors: of these rows (`basin` (n,) is the attractor of each row). demand (k,): the share of the query in each
    attractor, sums to 1 (by strength when there is no query). attraction (n,) in [0, 1]: pull of the attractors,
    carried ones included, on each row. resonance: of all rows, in [-1, 1]; row_resonance (n,): mean similarity of each
    row to the others. residue (n,) in [0, 1]: how much a row repeats the fragments of earlier turns. unexplained (n,)
    in [0, 1]: the part of a row outside the span of the attractors. permeability: share of mass that the boundary lets
    in. state: for the next turn.
    """

    attractors: Attractors
    demand: npt.NDArray[np.float32]
    attraction: npt.NDArray[np.float32]
    resonance: float
    row_resonance: npt.NDArray[np.float32]
    residue: npt.NDArray[np.float32]
    unexplained: npt.NDArray[np.float32]
    permeability: float
    state: FieldState

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON: the field as a whole, without the arrays over segments."""
        a = self.attractors
        size = np.bincount(a.basin[a.basin >= 0], minlength=len(a))
        return {
            "attractors": [
                {
                    "strength": round(float(a.strength[k]), 6),
                    "cohesion": round(float(a.cohesion[k]), 6),
                    "segments": int(size[k]),
                    "demand": round(float(self.demand[k]), 6),
                }
                for k in range(len(a))
            ],
            "beta": round(a.beta, 6),
            "resonance": round(self.resonance, 6),
            "permeability": round(self.permeability, 6),
            "turn": self.state.turn,
            "residue": len(self.state.residue),
        }

    def __repr__(self) -> str:
        n, k = len(self.row_resonance), len(self.attractors)
        return f"Reading({n} segments, {k} attractors, resonance {self.resonance:.3f})"

    def _repr_html_(self) -> str:
        return reading_snippet({**self.to_dict(), "segments": len(self.row_resonance)})


def read(
    x: Array,
    query: Array | None = None,
    state: FieldState | None = None,
    mass: Array | None = None,
    settings: FieldSettings | None = None,
    attractors: Attractors | None = None,
) -> Reading:
    """Reads the field of the unit rows x (n, d).

    query (d,) or (q, d). state: of the turn before. mass (n,): weights of the rows >= 0, default equal. attractors: of
    these rows, where they are known already.
    The rows are not absorbed into the state's statistics: call `state.absorb(new_rows)` once for each new row.
    """
    x = rows(x)
    settings = settings or FieldSettings()
    state = state or FieldState.start(settings)
    state.fits(x.shape[1])
    if attractors is None:
        pull, background = settings.bias, _background(x, state)
        attractors = detect(x, mass, query=query, bias=pull, limit=settings.limit, background=background)
    carried = merged(state.carried, attractors, half_life=settings.half_life, limit=settings.limit)
    projections = Projections.from_field(x, attractors, carried.centers, state.residue)
    overall = projections.overall()
    boundary = state.boundary.step(min(1.0, max(-1.0, overall))) if len(x) else state.boundary
    return Reading(
        attractors=attractors,
        demand=attractors.demand(None if query is None else like(query, x)),
        attraction=projections.attraction(carried.strength),
        resonance=overall,
        row_resonance=projections.row_resonance(),
        residue=projections.residue(),
        unexplained=projections.unexplained(),
        permeability=boundary.permeability,
        state=replace(state, turn=state.turn + 1, boundary=boundary, words=(), **vars(carried)),
    )


def _background(x: Array, state: FieldState) -> Array | None:
    """The mean of all rows known: those absorbed before and these. None: of these alone."""
    if state.count == 0 or len(x) == 0:
        return None
    return (total(x) + like(state.sums, x)) / (len(x) + state.count)


def _rebuilt(facts: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> FieldState:
    """The state that was saved. Raises ValueError, KeyError or TypeError for what no state can be."""
    centers, strength, sums, vectors = (arrays[name] for name in _ARRAYS)
    shapes = [a.shape for a in (centers, vectors, sums[None])]
    dims = {shape[-1] for shape in shapes if 0 not in shape}
    if len(dims) > 1 or {len(shape) for shape in shapes} != {2} or strength.shape != shapes[0][:1]:
        raise ValueError("the arrays do not fit one another")
    if not all(np.isfinite(a).all() for a in (centers, strength, vectors, sums)):
        raise ValueError("the arrays hold NaN or infinite numbers")
    fragments = tuple(_fragment(row, vector) for row, vector in zip(facts["fragments"], vectors, strict=True))
    return FieldState(
        turn=int(facts["turn"]),
        centers=centers,
        strength=strength,
        boundary=Boundary(**facts["boundary"]),
        residue=Residue(
            fragments,
            half_life=float(facts["half_life"]),
            limit=int(facts["fragment_limit"]),
            min_strength=float(facts.get("min_strength", GONE)),  # release 0.1 did not save it
        ),
        count=int(facts["count"]),
        sums=sums,
        squares=float(facts["squares"]),
        words=tuple(tuple(map(str, words)) for words in facts.get("words", ())),
    )


def _fragment(row: Sequence[Any], vector: npt.NDArray[np.float32]) -> Fragment:
    key, strength, state, age = row
    known = FORMER_STATES.get(str(state), str(state))
    if known not in STATES:
        raise ValueError(f"a fragment has the state {state!r}; known: {', '.join(STATES)}")
    return Fragment(str(key), float(strength), known, int(age), vector)
