"""What the section, the piece and the document of a paragraph say of it: the first stage of reading a folder, and more
features for the paragraphs that it chooses.

A paragraph of documentation seldom names what it is about; its heading, its file and the paragraphs around it do. So a
query is compared with pieces of some hundred characters and with whole sections, by BM25 and by vectors, and a
paragraph is scored by its own features together with those of its piece, its section and its document.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fieldpack.arrays import reduce_segments, sorted_unique, zscore
from fieldpack.corpus.corpus import SHORTLIST, Corpus
from fieldpack.corpus.sections import Sections, stems_of_query
from fieldpack.relevance.features import SECTION, Features, zscore_by_top
from fieldpack.relevance.query import Query
from fieldpack.relevance.shortlist import Candidates
from fieldpack.relevance.signals import Signals, weighted_mean
from fieldpack.types import FloatArray, IntArray

RAW = ("paragraph", "news")
"""Features that are taken as they are; the others are z-scores among the RIVALS best."""
RIVALS = 300


@dataclass(frozen=True, eq=False)
class SectionSignals:
    """What a query finds in the sections of a corpus: BM25 (s,) of sections, (p,) of pieces, (t,) of documents; cosine
    (p,) of pieces; path_similarity (q, s): the best match of each query word in each path; news (p,): 1 for pieces of
    release notes that the query does not ask for."""

    section_bm25: FloatArray
    piece_bm25: FloatArray
    document_bm25: FloatArray
    cosine: FloatArray
    path_similarity: FloatArray
    news: FloatArray


def section_signals(query: Query, corpus: Corpus, sections: Sections) -> SectionSignals:
    """One pass over the inverted indexes and the vectors of all pieces."""
    stems = corpus.vocabulary.stems
    content = [(w, s) for w, c, s in zip(query.words, query.content, query.share.tolist(), strict=True) if c]
    counts = stems_of_query([w for w, _ in content], [s for _, s in content], lambda stem: stems.get(stem, -1))
    ids, share = np.array(list(counts), np.int64), np.array(list(counts.values()), np.float32)
    news = sections.news[sections.piece_starts].astype(np.float32)
    return SectionSignals(
        section_bm25=sections.by_section.bm25(ids, share),
        piece_bm25=sections.by_piece.bm25(ids, share),
        document_bm25=sections.by_document.bm25(ids, share),
        cosine=np.asarray(sections.vectors @ query.vector, np.float32),
        path_similarity=_path_similarity(query, corpus, sections),
        news=np.zeros_like(news) if query.asks_for_news else news,
    )


def _path_similarity(query: Query, corpus: Corpus, sections: Sections) -> FloatArray:
    """(q, s) the best match in [-1, 1] of each query word among the words of each path; 1 where it stands there."""
    present = sorted_unique(sections.path_words)
    values = np.minimum(query.direction @ corpus.vocabulary.direction[present].T, np.float32(0.99))
    place = np.searchsorted(present, np.maximum(query.ids, 0))
    place = np.minimum(place, max(len(present) - 1, 0))
    exact = np.flatnonzero((query.ids >= 0) & (present[place] == query.ids)) if len(present) else np.zeros(0, int)
    values[exact, place[exact]] = 1.0
    columns = np.searchsorted(present, sections.path_words)
    return reduce_segments(np.maximum, values.take(columns, 1), sections.path_offsets)


def pieces_score(signals: SectionSignals, sections: Sections, query: Query) -> FloatArray:
    """(p,) the first stage: how much each piece promises, by its stems, those of its section, its vector and its path."""
    path = weighted_mean(signals.path_similarity, query.weight)
    of_section = zscore(signals.section_bm25) + 0.5 * zscore(path)
    return np.asarray(
        zscore(signals.piece_bm25) + zscore(signals.cosine) + 0.5 * of_section[sections.piece_section] - signals.news,
        np.float32,
    )


def promising(query: Query, corpus: Corpus, sections: Sections, more: FloatArray | None = None) -> IntArray:
    """The paragraphs of the pieces that promise most, whole pieces, ascending: SHORTLIST of them and few more. more
    (g,): another score of the paragraphs, whose best counts for their piece."""
    score = pieces_score(section_signals(query, corpus, sections), sections, query)
    if more is not None:
        score = score + zscore(np.maximum.reduceat(more, sections.piece_starts))
    order = np.argsort(-score, kind="stable")
    sizes = np.diff(np.append(sections.piece_starts, len(sections.piece)))
    count = int(np.searchsorted(np.cumsum(sizes[order]), SHORTLIST)) + 1
    return sections.paragraphs_of(order[:count])


def section_features(signals: Signals, paragraph: Features, score: FloatArray, sections: Sections) -> Features:
    """Features of the g candidates, in the order of SECTION. paragraph: theirs alone; score (g,): the scorer's of
    those."""
    candidates, query = signals.candidates, signals.query
    found = section_signals(query, candidates.corpus, sections)
    rows = candidates.paragraphs
    section, piece = sections.section[rows], sections.piece[rows]
    path = found.path_similarity[:, section]
    whole = _over_pieces(signals.paragraph_similarity, piece)
    raw = {
        "paragraph": score,
        "cosine": paragraph.raw["cosine"],
        "neighbours": paragraph.raw["neighbours"],
        "pairs": paragraph.raw["pairs"],
        "length": paragraph.raw["length"],
        "section_bm25": found.section_bm25[section],
        "piece_bm25": found.piece_bm25[piece],
        "document_bm25": found.document_bm25[_documents(candidates)],
        "piece_cosine": found.cosine[piece],
        "piece_maxsim": weighted_mean(whole, query.weight),
        "path_maxsim": weighted_mean(path, query.weight),
        "piece_path_maxsim": weighted_mean(np.maximum(whole, path), query.weight),
        "news": -found.news[piece],
    }
    rank = zscore(score) + 0.5 * (zscore(raw["section_bm25"]) + zscore(raw["piece_bm25"]) + zscore(raw["piece_cosine"]))
    table = zscore_by_top(np.stack(list(raw.values()), 1).astype(np.float32), rank, RIVALS)
    for column, name in enumerate(SECTION):
        if name in RAW:
            table[:, column] = raw[name]
    return Features(table, raw)


def _documents(candidates: Candidates) -> IntArray:
    return candidates.corpus.paragraphs.spans.doc[candidates.paragraphs]


def _over_pieces(similarity: FloatArray, piece: IntArray) -> FloatArray:
    """(q, g) of each row the best match of each query word in its piece. piece (g,): ascending."""
    starts = np.flatnonzero(np.diff(piece, prepend=-1))
    best = np.maximum.reduceat(similarity, starts, axis=1)
    return np.asarray(best[:, np.cumsum(np.diff(piece, prepend=-1) != 0) - 1], np.float32)
