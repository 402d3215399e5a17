"""A second tier over the first: cheap signals read all paragraphs, a transformer those that can still win.

Where documents have sections it reads whole pieces (`corpus/sections.py`): a paragraph alone seldom says what it is
about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fieldpack.arrays import run_starts, scatter, zscore
from fieldpack.corpus.corpus import Corpus, texts_of
from fieldpack.corpus.sections import Sections
from fieldpack.embed.service import EmbeddingService
from fieldpack.relevance.query import Query
from fieldpack.relevance.score import Relevance, Setup, score, score_candidates
from fieldpack.relevance.shortlist import Candidates, some_candidates
from fieldpack.types import FloatArray, IntArray

SHARE, FEWEST, MOST = 16, 32, 192
"""The transformer reads the paragraphs that the cheap signals rank first: one of 16, from 32 to 192 of them. A tenth of
the time that reading all takes is room for about so many, and more bring no more evidence (benchmarks/cascade.py)."""
PIECES, LONGEST, _PATH = 64, 1200, 200
"""Pieces that the transformer reads, characters of each, and of the path before it. 32 bring three quarters of what 64
do, and 160 no more (benchmarks/README.md)."""
CLOSE = 1.2
"""What a standard deviation of its cosines adds to the score of the paragraphs."""


@dataclass(frozen=True)
class Reranking:
    """The queries as they were given, and the model that reads them with the paragraphs."""

    texts: Sequence[str]
    model: EmbeddingService


def rerank(
    second: Reranking,
    queries: Sequence[Query],
    corpus: Corpus,
    setup: Setup,
    dense: Sequence[FloatArray] | None = None,
) -> Relevance:
    """Relevance by the cheap signals, and over it that of the first paragraphs with the vectors of a second model.
    dense: cosines (g,) for each query that the first reading has already."""
    if corpus.sections is not None:
        reread = [PieceReader(second.model, text) for text in second.texts]
        return score(queries, corpus, replace(setup, reread=reread), dense)
    first = score(queries, corpus, replace(setup, unit="paragraph"), dense)
    paragraphs = np.sort(np.argsort(-first.logit, kind="stable")[: candidates(len(first.logit))])
    vectors = _embed(second, corpus, paragraphs)
    close_dense = [scatter(vectors.paragraphs @ q, paragraphs, len(corpus.paragraphs)) for q in vectors.queries]
    some = some_candidates(corpus, paragraphs)
    close = score_candidates(queries, [some] * len(queries), [None] * len(queries), setup, close_dense)
    if some.all:
        return close
    whole = first if setup.unit == "paragraph" else score(queries, corpus, setup, dense)
    return _overlaid(whole, close, some.rows(setup.unit))


def candidates(paragraphs: int) -> int:
    """How many of so many paragraphs the transformer reads, at most."""
    return min(max(paragraphs // SHARE, FEWEST), MOST)


@dataclass(frozen=True)
class PieceReader:
    """The `text` of a query and the model that reads it with whole pieces."""

    model: EmbeddingService
    text: str

    def __call__(self, candidates: Candidates, score: FloatArray) -> FloatArray:
        """The scores (g,) of the candidates; what was not read stays below what was."""
        corpus, rows = candidates.corpus, candidates.paragraphs
        assert corpus.sections is not None
        piece = corpus.sections.piece[rows]
        starts = run_starts(piece)
        best = np.maximum.reduceat(score, starts)
        first = np.sort(np.argsort(-best, kind="stable")[:PIECES])
        vectors = self.model.embed([self.text, *piece_texts(corpus, corpus.sections, piece[starts[first]])])
        added = scatter(CLOSE * zscore(vectors[1:] @ vectors[0]), first, len(starts), np.nan)
        added = np.repeat(added, np.diff(np.append(starts, len(piece))))
        read = ~np.isnan(added)
        out = np.minimum(score, (score + added)[read].min())
        out[read] = (score + added)[read]
        return np.asarray(out, np.float32)


def piece_texts(corpus: Corpus, sections: Sections, pieces: IntArray) -> list[str]:
    """Some pieces as a model reads them: the words of the path, then the first LONGEST characters."""
    spans, first = corpus.paragraphs.spans, sections.piece_starts[pieces]
    last = np.append(sections.piece_starts[1:], len(spans))[pieces] - 1
    places = zip(spans.doc[first].tolist(), spans.start[first].tolist(), spans.end[last].tolist(), strict=True)
    texts = [corpus.documents[d].text[a : min(b, a + LONGEST)] for d, a, b in places]
    paths = [_path(corpus, sections, section) for section in sections.piece_section[pieces].tolist()]
    return [f"{path}. {text}" for path, text in zip(paths, texts, strict=True)]


def _path(corpus: Corpus, sections: Sections, section: int) -> str:
    """The words of the path of a section, each once; of names with signs their parts alone."""
    words, signs = corpus.vocabulary.words, corpus.vocabulary.symbols
    ids = sections.path_words[sections.path_offsets[section] : sections.path_offsets[section + 1]]
    return " ".join(dict.fromkeys(words[i] for i in ids.tolist() if not signs[i]))[:_PATH]


@dataclass(frozen=True, eq=False)
class _Vectors:
    """queries (q, d), paragraphs (k, d): unit rows of one model."""

    queries: FloatArray
    paragraphs: FloatArray


def _embed(second: Reranking, corpus: Corpus, paragraphs: IntArray) -> _Vectors:
    """The queries and the paragraphs in one call."""
    rows = second.model.embed([*second.texts, *texts_of(corpus.paragraphs.spans, corpus.documents, paragraphs)])
    return _Vectors(rows[: len(second.texts)], rows[len(second.texts) :])


def _overlaid(whole: Relevance, close: Relevance, rows: IntArray) -> Relevance:
    """The cheap scores with the better ones laid over some rows; what was not read again stays below what was."""
    logit = np.minimum(whole.logit, float(close.logit[rows].min()))
    logit[rows] = close.logit[rows]
    parts = {}
    for name, values in close.parts.items():
        parts[name] = whole.parts[name].copy() if name in whole.parts else np.zeros(len(logit), np.float32)
        parts[name][rows] = values[rows]
    return replace(whole, logit=logit, parts=parts)
