"""The field of a corpus: read from its paragraphs; what it says of a paragraph holds for the sentences in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fieldpack.corpus.corpus import Corpus
from fieldpack.corpus.keys import key
from fieldpack.field.carry import merged
from fieldpack.field.merging import topics
from fieldpack.field.state import FieldSettings, FieldState, Reading, read
from fieldpack.types import BoolArray, FloatArray


def read_field(
    corpus: Corpus,
    query_vectors: FloatArray | None,
    state: FieldState | None,
    settings: FieldSettings,
) -> Reading:
    """The field of the paragraphs, weighed by their tokens. query_vectors (q, d): of the same model as
    `corpus.vectors`, None for a field without a query."""
    mass = np.maximum(corpus.paragraph_tokens, 1).astype(np.float32)
    return read(corpus.vectors, query_vectors, state, mass=mass, settings=settings)


def read_topics(corpus: Corpus, settings: FieldSettings) -> Reading:
    """The field of the paragraphs without a query, its attractors merged to topics (`fieldpack.field.merging`)."""
    mass = np.maximum(corpus.paragraph_tokens, 1).astype(np.float32)
    found = topics(corpus.vectors, mass, limit=settings.limit)
    return read(corpus.vectors, None, None, mass=mass, settings=settings, attractors=found)


def absorbed(reading: Reading, corpus: Corpus) -> Reading:
    """The reading with the corpus's paragraphs in the statistics of its state."""
    return replace(reading, state=reading.state.absorb(corpus.vectors))


def of_rows(reading: Reading, corpus: Corpus) -> Reading:
    """A reading of the paragraphs as one of the rows of the corpus."""
    if corpus.unit == "paragraph":
        return reading
    paragraph = corpus.paragraph
    return replace(
        reading,
        attractors=replace(reading.attractors, basin=reading.attractors.basin[paragraph]),
        attraction=reading.attraction[paragraph],
        row_resonance=reading.row_resonance[paragraph],
        residue=reading.residue[paragraph],
        unexplained=reading.unexplained[paragraph],
    )


def next_state(state: FieldState, corpus: Corpus, inside: BoolArray, relevance: FloatArray) -> FieldState:
    """The state after a pack of the rows `inside` (n,): they become residue at full strength, of more than its limit
    the most relevant (n,). (With its relevance as its strength residue steadied nothing: benchmarks/turns.py.)"""
    chosen = np.flatnonzero(inside)
    chosen = chosen[np.argsort(-relevance[chosen], kind="stable")[: state.residue.limit]]
    vectors = corpus.vectors[corpus.paragraph[chosen]]
    return state.integrate([key(corpus, int(i)) for i in chosen], vectors, np.ones(len(chosen), np.float32))


@dataclass(frozen=True, eq=False)
class FieldOverview:
    """The field of a large index, read once without a query; each query and state is laid over it."""

    corpus: Corpus
    settings: FieldSettings

    @cached_property
    def base(self) -> Reading:
        """Without a query; its state holds the statistics of all paragraphs."""
        reading = read_field(self.corpus, None, None, self.settings)
        return replace(reading, state=FieldState.start(self.settings).absorb(self.corpus.vectors))

    def read(self, query_vectors: FloatArray | None, state: FieldState | None) -> Reading:
        """The field for query vectors (q, d), or None, and the state of the turn before."""
        base, vectors = self.base, self.corpus.vectors
        state = state or base.state
        state.fits(vectors.shape[1])
        attractors, settings = base.attractors, self.settings
        carried = merged(state.carried, attractors, half_life=settings.half_life, limit=settings.limit)
        boundary = state.boundary.step(min(1.0, max(-1.0, base.resonance)))
        return replace(
            base,
            demand=attractors.demand(query_vectors),
            residue=state.residue.echo(vectors),
            permeability=boundary.permeability,
            state=replace(state, turn=state.turn + 1, boundary=boundary, words=(), **vars(carried)),
        )
