"""What the field says of one pack, read when somebody asks: the packer itself needs it only for its attractors.

With the default settings no choice of the packer depends on the reading (packing setting `attract` is 0; the step of
the field from the query is a feature of relevance and is always taken). So a pack does not wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fieldpack.errors import InputError
from fieldpack.field.state import FieldSettings, FieldState, Reading, read
from fieldpack.prepared import Prepared
from fieldpack.problem import key
from fieldpack.relevance.read import Relevance
from fieldpack.types import BoolArray, FloatArray, IntArray

Reader = Callable[[FloatArray, FieldState | None], Reading]
"""Query vectors (q, d) and the state of the turn before to a reading of the paragraphs, the next state in it."""


@dataclass(frozen=True, eq=False)
class Look:
    """Documents, queries and the state of the turn before. vectors (q, d): the queries as rows of the field, or None to
    take the static table's. reader: a reading from elsewhere. Raises InputError where the state has other dims."""

    queries: tuple[str, ...]
    prepared: Prepared
    state: FieldState | None
    settings: FieldSettings
    vectors: FloatArray | None = None
    reader: Reader | None = None

    def __post_init__(self) -> None:
        if self.state is None:
            return
        if not isinstance(self.state, FieldState):
            raise InputError(f"state is a {type(self.state).__name__}; give the `state` of an earlier result, or None")
        self.state.fits(self.prepared.vectors.shape[1])

    @cached_property
    def asked(self) -> FloatArray:
        """(q, d) the queries as rows of the field."""
        return self.prepared.static.embed(list(self.queries)) if self.vectors is None else self.vectors

    @property
    def reading(self) -> Reading:
        """The field of the paragraphs; what it says of a paragraph holds for its sentences."""
        return self._read[0]

    @property
    def milliseconds(self) -> float:
        """What the reading took."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[Reading, float]:
        start = time.perf_counter()
        prepared, x = self.prepared, self.prepared.vectors
        if self.reader is not None:
            reading = self.reader(self.asked, self.state)
        else:
            mass = np.maximum(prepared.paragraph_tokens, 1).astype(np.float32)
            reading = read(x, self.asked, self.state, mass=mass, settings=self.settings)
            reading = replace(reading, state=reading.state.absorb(x))
        if prepared.sentences:
            reading = _spread(reading, prepared.corpus.group)
        return reading, (time.perf_counter() - start) * 1000

    def after(self, inside: BoolArray, relevance: Relevance) -> FieldState:
        """The state of the next turn: what was packed becomes residue at full strength, of more than its limit the most
        relevant. (With its relevance as its strength it steadied nothing: benchmarks/turns.py.)"""
        prepared, state = self.prepared, self.reading.state
        chosen = np.flatnonzero(inside)
        chosen = chosen[np.argsort(-relevance.total[chosen], kind="stable")[: state.residue.limit]]
        vectors = prepared.vectors[prepared.corpus.group[chosen] if prepared.sentences else chosen]
        strength = np.ones(len(chosen), np.float32)
        return state.integrate([key(prepared, int(i)) for i in chosen], vectors, strength)


def _spread(reading: Reading, group: IntArray) -> Reading:
    """A reading of paragraphs as one of their sentences."""
    found = replace(reading.attractors, basin=reading.attractors.basin[group])
    return replace(
        reading,
        attractors=found,
        attraction=reading.attraction[group],
        row_resonance=reading.row_resonance[group],
        residue=reading.residue[group],
        unexplained=reading.unexplained[group],
    )
