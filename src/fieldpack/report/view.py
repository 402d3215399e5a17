"""What a report draws, as records of numbers and texts: a field, and a pack over it. Who makes a page fills one in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from fieldpack.arrays import run_starts
from fieldpack.corpus.corpus import Corpus
from fieldpack.field.attractors import Attractors
from fieldpack.field.state import Reading
from fieldpack.types import BoolArray, Document, FloatArray, IntArray, Segments
from fieldpack.words import Words

MOST_PAIRS = 4096
"""Segments up to which uniqueness, which compares all pairs, is computed."""


@dataclass(frozen=True, eq=False)
class FieldView:
    """n segments in g paragraphs, and the field of the paragraphs.

    paragraph (n,): the paragraph of each segment; first (g,): the first segment of each paragraph. vectors (g, d): unit
    rows. words: of the n segments; stems (u,): the stem of each word of their vocabulary. segment_vectors (n, d): unit
    rows of the segments, None where there are more than MOST_PAIRS. attractors: with a basin for each paragraph; demand
    (k,): of each. attraction, similarity, unexplained, residue (n,): the reading's numbers of each segment. resonance
    in [-1, 1] and permeability in [0, 1]: of the whole field.
    """

    documents: tuple[Document, ...]
    rows: Segments
    paragraph: IntArray
    first: IntArray
    vectors: FloatArray
    words: Words
    stems: IntArray
    segment_vectors: FloatArray | None
    attractors: Attractors
    demand: FloatArray
    attraction: FloatArray
    similarity: FloatArray
    unexplained: FloatArray
    residue: FloatArray
    resonance: float
    permeability: float

    @property
    def mass(self) -> IntArray:
        """(g,) tokens of each paragraph."""
        return np.asarray(np.add.reduceat(self.rows.tokens, self.first), np.int64)

    def paragraphs_of(self, segments: BoolArray) -> BoolArray:
        """(g,) whether a paragraph holds one of the segments (n,) that are True."""
        return np.asarray(np.bincount(self.paragraph[segments], minlength=len(self.first)) > 0, np.bool_)


class Explanation(Protocol):
    """Writes the reason of a segment when it is asked for."""

    def of(self, row: int) -> str: ...


@dataclass(frozen=True, eq=False)
class OtherPack:
    """A pack of the same segments at another budget: which of them (n,) it keeps."""

    budget: int
    tokens: int
    inside: BoolArray


@dataclass(frozen=True, eq=False)
class Comparison:
    """What another way keeps of the same documents. name: of that way; tokens: of its text, headers included; inside
    (n,): the segments of this pack that it keeps; outside: characters it keeps of documents that this pack has not."""

    name: str
    tokens: int
    inside: BoolArray
    outside: int = 0


@dataclass(frozen=True, eq=False)
class PackView:
    """A pack over a field of n segments.

    query_vectors (q, d): the queries as rows of the field. inside (n,): what is kept. cut: (row, end) of a segment that
    is kept up to a character only. relevance (n,) in [0, 1] and log_odds (n,); parts: {feature: (n,)}; words: of the
    queries, with their weights (w,) and their best match (w, n) in each segment. gain, link, duplicate (n,): what the
    packer made of each segment. pinned, filled (n,). reasons: a line for each segment. value, bound: the pack's worth,
    and the worth that no pack of this budget can pass. timings: milliseconds by stage. others: for the slider.
    compared: another way, shown beside this pack.
    """

    field: FieldView
    queries: tuple[str, ...]
    query_vectors: FloatArray
    text: str
    tokens: int
    budget: int
    inside: BoolArray
    cut: tuple[int, int] | None
    relevance: FloatArray
    log_odds: FloatArray
    parts: Mapping[str, FloatArray]
    words: Sequence[str]
    word_weights: FloatArray
    word_matches: FloatArray
    gain: FloatArray
    link: FloatArray
    duplicate: FloatArray
    pinned: BoolArray
    filled: BoolArray
    reasons: Explanation
    value: float
    bound: float
    notes: tuple[str, ...]
    timings: Mapping[str, float]
    others: tuple[OtherPack, ...] = ()
    compared: Comparison | None = None

    @property
    def packs(self) -> list[OtherPack]:
        """This pack and the others, by budget."""
        own = OtherPack(self.budget, self.tokens, self.inside)
        return sorted([own, *(p for p in self.others if p.budget != self.budget)], key=lambda p: p.budget)


def field_view(corpus: Corpus, reading: Reading) -> FieldView:
    """The view of documents and a reading of their paragraphs, or of the same reading for each of their sentences."""
    rows, level, paragraph = corpus.rows, corpus.level, corpus.paragraph
    first = run_starts(paragraph)
    attractors = reading.attractors
    if len(attractors.basin) != len(first):
        attractors = replace(attractors, basin=attractors.basin[first])

    def by_segment(values: FloatArray) -> FloatArray:
        return values if len(values) == len(rows) else values[paragraph]

    few = len(rows) <= MOST_PAIRS
    return FieldView(
        documents=corpus.documents,
        rows=rows,
        paragraph=paragraph,
        first=np.asarray(first, np.int64),
        vectors=corpus.vectors,
        words=Words(corpus.vocabulary.words, corpus.words, level.offsets),
        stems=corpus.vocabulary.stem,
        segment_vectors=level.vectors if few else None,
        attractors=attractors,
        demand=reading.demand,
        attraction=by_segment(reading.attraction),
        similarity=by_segment(reading.row_resonance),
        unexplained=by_segment(reading.unexplained),
        residue=by_segment(reading.residue),
        resonance=reading.resonance,
        permeability=reading.permeability,
    )
