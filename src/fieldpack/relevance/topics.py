"""Attractors as topics: the words that the rows of a basin say and the others do not, the best passage, the documents,
and the parts into which a basin splits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fieldpack.corpus.corpus import Corpus
from fieldpack.field.attractors import Attractors
from fieldpack.field.merging import topics
from fieldpack.relevance.row_words import function_words
from fieldpack.types import BoolArray, IntArray

MOST_WORDS = 5
_SPLIT, _MOST_PARTS = 24, 6
"""Paragraphs from which a basin is looked at more closely, and the parts that it may have."""
_NEAR, _SAYS = 20, 8
"""Paragraphs nearest to an attractor among which the best passage is sought, and the words that it has at least."""


def basin_words(corpus: Corpus, basin: IntArray, basins: int, most: int = MOST_WORDS) -> list[tuple[str, ...]]:
    """For each of so many basins its words, the most telling first, at most `most`. basin (n,): of each row of the
    corpus, -1 for none.

    Class-based tf-idf (Grootendorst 2022): of stem s in basin c, tf(s, c) / tf(c) x log(1 + A / tf(s)), A the mean
    number of words of a basin. A stem stands once, as the word that occurs most.
    """
    if not basins:
        return []
    vocabulary = corpus.vocabulary
    stem, stems = vocabulary.stem, len(vocabulary.stems)
    word = corpus.words.astype(np.int64)
    owner = np.repeat(basin, corpus.level.lengths)
    use = (owner >= 0) & ~_hidden(corpus)[word]
    word, owner = word[use], owner[use]
    table = np.bincount(owner * stems + stem[word], minlength=basins * stems).reshape(basins, -1).astype(np.float64)
    size = table.sum(1, keepdims=True)
    weight = table / np.maximum(size, 1) * np.log1p(size.mean() / np.maximum(table.sum(0), 1))
    spelling = _commonest(word, stem, stems)
    order = [np.argsort(-row, kind="stable")[:most].tolist() for row in weight]
    return [tuple(vocabulary.words[spelling[s]] for s in o if table[k, s] > 0) for k, o in enumerate(order)]


def _commonest(word: IntArray, stem: IntArray, stems: int) -> IntArray:
    """(s,) for each stem the word that occurs most; of those alike the first. word (m,), stem (u,)."""
    count = np.bincount(word, minlength=len(stem))
    order = np.lexsort((-np.arange(len(stem)), count))
    out = np.zeros(stems, np.int64)
    out[stem[order]] = order  # the last one written is the commonest
    return out


def _hidden(corpus: Corpus) -> BoolArray:
    """(u,) words that say nothing of a topic: function words, signs, words with digits, single Latin letters."""
    vocabulary = corpus.vocabulary
    short = np.fromiter((len(w) < 2 and w.isascii() for w in vocabulary.words), np.bool_, len(vocabulary))
    return np.asarray(function_words(corpus) | vocabulary.symbols | vocabulary.holds_digit | short, np.bool_)


@dataclass(frozen=True)
class Passage:
    """Characters [start, end) of a document."""

    doc_id: str
    start: int
    end: int


@dataclass(frozen=True)
class Topic:
    """An attractor as a topic. words: the most telling first; share in [0, 1]: of all tokens in its basin; paragraphs:
    so many; documents: (id, share in [0, 1] of the topic's tokens), the largest first; passage: its best paragraph;
    parts: the topics that it splits into when only its own paragraphs are looked at; new: whether an earlier look did
    not have it, None without one."""

    words: tuple[str, ...]
    share: float
    paragraphs: int
    documents: tuple[tuple[str, float], ...]
    passage: Passage
    parts: tuple[Topic, ...] = ()
    new: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        out: dict[str, Any] = {
            "words": list(self.words),
            "share": round(self.share, 6),
            "paragraphs": self.paragraphs,
            "documents": [{"doc_id": d, "share": round(s, 6)} for d, s in self.documents],
            "passage": asdict(self.passage),
            "parts": [part.to_dict() for part in self.parts],
        }
        return out if self.new is None else {**out, "new": self.new}


@dataclass(frozen=True)
class Faded:
    """A topic of an earlier look that is gone: its words (() where they were not kept) and its strength then."""

    words: tuple[str, ...]
    strength: float


def topics_of(corpus: Corpus, attractors: Attractors, depth: int = 1) -> tuple[Topic, ...]:
    """The attractors of a corpus of paragraphs as topics; those of many paragraphs with the parts into which they
    split, `depth` levels down."""
    return _topics(corpus, np.arange(len(corpus.paragraphs)), attractors, depth)


def _topics(corpus: Corpus, rows: IntArray, attractors: Attractors, depth: int) -> tuple[Topic, ...]:
    """rows (m,): the paragraphs that the attractors were sought in."""
    basin = np.full(len(corpus.paragraphs), -1, np.int64)
    basin[rows] = attractors.basin
    words = basin_words(corpus, basin, len(attractors))
    affinity = attractors.affinity(corpus.vectors[rows]) if len(attractors) else np.zeros((len(rows), 0), np.float32)
    out = []
    for k in range(len(attractors)):
        own = attractors.basin == k
        members = rows[own]
        out.append(
            Topic(
                words=words[k],
                share=float(corpus.paragraph_tokens[members].sum() / max(int(corpus.paragraph_tokens.sum()), 1)),
                paragraphs=len(members),
                documents=_documents(corpus, members),
                passage=_passage(corpus, members[np.argsort(-affinity[own, k], kind="stable")]),
                parts=_parts(corpus, members, depth),
            )
        )
    return tuple(out)


def _parts(corpus: Corpus, members: IntArray, depth: int) -> tuple[Topic, ...]:
    """The topics of some paragraphs among themselves; () where they are few or do not split in two."""
    if depth < 1 or len(members) < _SPLIT:
        return ()
    mass = np.maximum(corpus.paragraph_tokens[members], 1).astype(np.float32)
    found = topics(corpus.vectors[members], mass, limit=_MOST_PARTS)
    return _topics(corpus, members, found, depth - 1) if len(found) > 1 else ()


def _documents(corpus: Corpus, members: IntArray) -> tuple[tuple[str, float], ...]:
    tokens = np.bincount(corpus.paragraphs.spans.doc[members], corpus.paragraph_tokens[members])
    order = np.argsort(-tokens, kind="stable")[: np.count_nonzero(tokens)]
    return tuple((corpus.documents[d].id, float(tokens[d] / tokens.sum())) for d in order.tolist())


def _passage(corpus: Corpus, members: IntArray) -> Passage:
    """The first of the paragraphs, the nearest first, that says something; the nearest where none does."""
    near = members[:_NEAR]
    long = near[corpus.paragraphs.lengths[near] >= _SAYS]
    spans, i = corpus.paragraphs.spans, int((long if len(long) else near)[0])
    return Passage(corpus.documents[spans.doc[i]].id, int(spans.start[i]), int(spans.end[i]))
