"""What draws rows into a pack beside the query: attractors that the caller named, and the field's own resonance.

Both are log odds for the choice of rows; their relevance stays the calibrated probability that it was.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fieldpack.corpus.corpus import Corpus
from fieldpack.embed.static import StaticEmbedder
from fieldpack.field.carry import Carried
from fieldpack.field.settings import NamedAttractor
from fieldpack.field.state import Reading
from fieldpack.relevance.query import parse_query
from fieldpack.relevance.score import Setup, score
from fieldpack.types import FloatArray

NAMED_WEIGHT = 4.0
"""Log odds that the row gains which is most about an attractor of strength 1. On texts of agnews, three keywords of one
label as the query and those of another as the attractor: the share of the named label in the pack grows from .088 to
.132, that of the asked one falls from .735 to .682 (8: .163 and .661; `benchmarks/named.py`)."""
_SURE = 0.05
"""Probability to be about an attractor from which the row that is most so counts as sure."""
RESONANCE_WEIGHT = 4.0
"""Log odds that the row gains which agrees most with the field, where rows agree by 1 less than is wanted."""


def drawn_to_named(
    attractors: Sequence[NamedAttractor],
    corpus: Corpus,
    setup: Setup,
    static: StaticEmbedder,
    dense: Sequence[FloatArray] | None = None,
) -> FloatArray:
    """(n,) log odds: NAMED_WEIGHT times the best of strength times how much the row is about an attractor, by its words
    and vectors, read as a query is, relative to the row that is so most. dense: for each attractor (g,) cosines to the
    paragraphs."""
    out = np.zeros(len(corpus.rows), np.float32)
    for k, attractor in enumerate(attractors):
        query = parse_query(attractor.text, corpus, static)
        about = score([query], corpus, setup, None if dense is None else [dense[k]]).total
        sure = about / max(float(about.max(initial=0.0)), _SURE)
        out = np.maximum(out, np.float32(NAMED_WEIGHT * attractor.strength) * sure)
    return out


def drawn_by_resonance(target: float, reading: Reading, corpus: Corpus) -> FloatArray:
    """(n,) log odds: RESONANCE_WEIGHT times what the rows' resonance lacks to `target` times the agreement of each row
    with the attractors, weighed by their demand, in [0, 1]. Zeros where the rows have no attractor."""
    attractors = reading.attractors
    lacking = max(0.0, target - max(reading.resonance, 0.0))
    if not len(attractors) or lacking == 0:
        return np.zeros(len(corpus.rows), np.float32)
    agreement = np.maximum(attractors.affinity(corpus.vectors), 0) @ reading.demand
    agreement /= max(float(agreement.max()), 1e-9)
    return np.asarray(RESONANCE_WEIGHT * lacking * agreement[corpus.paragraph], np.float32)


def with_named(carried: Carried | None, attractors: Sequence[NamedAttractor], vectors: FloatArray) -> Carried | None:
    """The attractors that ask in a pack without a query: those that a state carries, and the named ones with their
    vectors (k, d)."""
    strength = np.array([a.strength for a in attractors], np.float32)
    wanted = strength > 0
    if not wanted.any():
        return carried
    if carried is None or not len(carried.centers):
        return Carried(vectors[wanted], strength[wanted])
    return Carried(
        np.concatenate([carried.centers, vectors[wanted]]), np.concatenate([carried.strength, strength[wanted]])
    )
