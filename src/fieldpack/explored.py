"""What is in here: the field of documents without a query, as topics that a person can act on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from fieldpack.arrays import unit
from fieldpack.corpus.corpus import Corpus
from fieldpack.field.attractors import Attractors
from fieldpack.field.carry import merged
from fieldpack.field.state import FieldState, Reading
from fieldpack.relevance.topics import Faded, Topic, basin_words, topics_of
from fieldpack.types import BoolArray, FloatArray

KNOWN, SAME_TOPIC, SAME_PASSAGE = 0.66, 0.6, 0.8
"""KNOWN: how near the paragraphs of a topic are to the attractors of an earlier look, as a share of how near they are
to their own; a topic of more is known. Halves of agnews and of 12 intents of clinc150, one label left out of the first:
all 14 topics of that label are found, 10 % of the 100 others are called new. By the cosine of the two nearest
attractors (.6) it is 13 of 14 and 18 %, by the span of three (.65) 14 and 12 %. SAME_TOPIC: that cosine, for topics
that faded, of which no paragraphs are left. SAME_PASSAGE: the cosine from which a paragraph is about an attractor."""


@dataclass(frozen=True, eq=False)
class Explored:
    """The field of documents without a query: their paragraphs and what the field reads in them. since: the state of
    an earlier look, or None."""

    corpus: Corpus
    reading: Reading
    since: FieldState | None = None

    def nearest(self, attractor: int, count: int = 3) -> list[int]:
        """The paragraphs of an attractor's basin that lie nearest to it, the nearest first, at most `count`."""
        attractors = self.reading.attractors
        members = np.flatnonzero(attractors.basin == attractor)
        affinity = attractors.affinity(self.corpus.vectors)[members, attractor]
        return [int(i) for i in members[np.argsort(-affinity, kind="stable")[:count]]]

    @cached_property
    def topics(self) -> tuple[Topic, ...]:
        """The attractors as topics, the strongest first, each with its parts."""
        topics = topics_of(self.corpus, self.reading.attractors)
        if self.since is None:
            return topics
        known = _known(self.corpus.vectors, self.reading.attractors, self.since.centers)
        return tuple(replace(t, new=not bool(k)) for t, k in zip(topics, known, strict=True))

    @cached_property
    def faded(self) -> tuple[Faded, ...]:
        """The attractors of the earlier look that these documents have no more, nor a paragraph near to them, the
        strongest first."""
        if self.since is None or not len(self.since.centers):
            return ()
        old = self.since
        here = _have_match(old.centers, self.reading.attractors.centers)
        here |= _have_match(old.centers, self.corpus.vectors, SAME_PASSAGE)
        words = old.words if len(old.words) == len(old.centers) else ((),) * len(old.centers)
        return tuple(Faded(words[k], float(old.strength[k])) for k in np.flatnonzero(~here).tolist())

    @cached_property
    def state(self) -> FieldState:
        """For the next look (`since`), or for a pack (`state`): its attractors are carried, with their words. Where
        nothing gathers, as in a conversation of a few lines, the last paragraphs themselves."""
        own, state = self.reading.attractors, self.reading.state
        if self.since is not None:
            half_life, limit = self.since.residue.half_life, max(len(own), len(self.since.strength))
            carried = merged(self.since.carried, own, half_life=half_life, limit=limit)
            boundary = self.since.boundary.step(min(1.0, max(-1.0, self.reading.resonance)))
            state = replace(self.since, turn=self.since.turn + 1, boundary=boundary, words=(), **vars(carried))
        state = state.absorb(self.corpus.vectors, carry=True)
        named = [(c, w) for c, w in zip(own.centers, basin_words(self.corpus, own.basin, len(own)), strict=True)]
        if self.since is not None and len(self.since.words) == len(self.since.centers):
            named += list(zip(self.since.centers, self.since.words, strict=True))
        if not named:
            return state
        nearest = (state.centers @ np.stack([c for c, _ in named]).T).argmax(1)
        return replace(state, words=tuple(named[k][1] for k in nearest.tolist()))

    def to_dict(self) -> dict[str, Any]:
        """The object that `fieldpack field --json` prints."""
        corpus, out = self.corpus, self.reading.to_dict()
        spans = corpus.paragraphs.spans
        for k, (entry, topic) in enumerate(zip(out["attractors"], self.topics, strict=True)):
            entry["nearest"] = [
                {"doc_id": corpus.documents[spans[i].doc].id, "start": spans[i].start, "end": spans[i].end}
                for i in self.nearest(k)
            ]
            entry.update(topic.to_dict())
        if self.since is not None:
            out["faded"] = [{"words": list(f.words), "strength": round(f.strength, 6)} for f in self.faded]
        return {"documents": len(corpus.documents), "segments": len(corpus.rows), **out}


def _known(paragraphs: FloatArray, attractors: Attractors, others: FloatArray) -> BoolArray:
    """(k,) whether each attractor's topic is known by the others (m, d). paragraphs (n, d): those of the topics."""
    count = len(attractors)
    if not count or not len(others):
        return np.zeros(count, np.bool_)
    rows = unit(paragraphs - attractors.background)
    inside = attractors.basin >= 0
    basin, rows = attractors.basin[inside], rows[inside]
    own = np.bincount(basin, (rows * attractors.centers[basin]).sum(1), count)
    near = np.bincount(basin, (rows @ others.T).max(1), count)
    return np.asarray(near >= KNOWN * own, np.bool_)


def _have_match(centers: FloatArray, others: FloatArray, least: float = SAME_TOPIC) -> BoolArray:
    """(k,) whether each center has a cosine of at least `least` to one of the others."""
    if not len(centers) or not len(others):
        return np.zeros(len(centers), np.bool_)
    return np.asarray((centers @ others.T).max(1) >= least, np.bool_)
