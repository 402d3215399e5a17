"""What a pack is made from, whatever its budget: the scored rows, and what the caller knows besides the texts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fieldpack.corpus.corpus import Corpus
from fieldpack.corpus.reading import FieldOverview, absorbed, of_rows, read_field
from fieldpack.field.state import FieldSettings, FieldState, Reading
from fieldpack.packing.problem import Problem
from fieldpack.relevance.score import Relevance
from fieldpack.types import FloatArray


@dataclass(frozen=True, slots=True)
class Skipped:
    """Documents of a stream that were read and let go, and their segments: too many to list, so they are counted."""

    documents: int = 0
    segments: int = 0

    @property
    def reason(self) -> str:
        """Why they were let go."""
        return "no paragraph ranked high enough, by the query's words and by vectors, to be held until the end"

    def to_dict(self) -> dict[str, int | str]:
        """As `fieldpack pack --json` has it."""
        return {"documents": self.documents, "segments": self.segments, "reason": self.reason}

    def __str__(self) -> str:
        return f"{self.segments:,} segments of {self.documents:,} documents were streamed past: {self.reason}"


@dataclass(frozen=True, eq=False)
class LazyReading:
    """The field of the rows of a corpus, read when somebody asks for it. embed_queries: gives (q, d) the queries as
    rows of the field, none for a pack without a query. state: of the turn before. overview: the field of a large
    index."""

    corpus: Corpus
    embed_queries: Callable[[], FloatArray]
    state: FieldState | None
    settings: FieldSettings
    overview: FieldOverview | None = None

    @cached_property
    def query_vectors(self) -> FloatArray:
        """(q, d) the queries as rows of the field."""
        return self.embed_queries()

    @property
    def reading(self) -> Reading:
        """What the field says of the rows."""
        return self._timed[0]

    @property
    def milliseconds(self) -> float:
        """What reading it took."""
        return self._timed[1]

    @cached_property
    def _timed(self) -> tuple[Reading, float]:
        start = time.perf_counter()
        vectors = self.query_vectors if len(self.query_vectors) else None
        if self.overview is not None:
            reading = self.overview.read(vectors, self.state)
        else:
            reading = absorbed(read_field(self.corpus, vectors, self.state, self.settings), self.corpus)
        return of_rows(reading, self.corpus), (time.perf_counter() - start) * 1000


@dataclass(frozen=True, eq=False)
class Scored:
    """All of a pack that does not depend on the budget. relevance, problem: of the rows of `corpus`. field: their
    reading. notes: of where scores are from."""

    corpus: Corpus
    relevance: Relevance
    problem: Problem
    field: LazyReading
    skipped: Skipped = Skipped()
    notes: tuple[str, ...] = ()

    @property
    def query_vectors(self) -> FloatArray:
        """(q, d) the queries as rows of the field."""
        return self.field.query_vectors

    @property
    def reading(self) -> Reading:
        """What the field says of the rows; read at the first call. With the default settings no choice of a pack for a
        query depends on it, so a pack does not wait for it."""
        return self.field.reading

    @property
    def milliseconds(self) -> float:
        """What reading the field took."""
        return self.field.milliseconds


@dataclass(frozen=True)
class Extras:
    """What a caller knows besides texts. bias (n,): log odds for the choice of rows, -inf keeps one out; the scores
    stay what they are. query_vectors (q, d): of the model of `corpus.dense`. overview: the field of a large index.
    skipped: what a stream let go."""

    bias: FloatArray | None = None
    query_vectors: FloatArray | None = None
    overview: FieldOverview | None = None
    skipped: Skipped = Skipped()


def added(one: FloatArray | None, other: FloatArray | None) -> FloatArray | None:
    """The sum of two biases (n,), None for none."""
    if one is None or other is None:
        return other if one is None else one
    return np.asarray(one + other, np.float32)


NOTHING_MORE = Extras()
"""What a caller of `pack` knows: nothing besides the texts."""
