"""What the section, the piece and the document of a paragraph say of it: the first stage of reading a folder, and more
features for the paragraphs that it chooses.

A paragraph of documentation seldom names what it is about; its heading, its file and the paragraphs around it do. So a
query is compared with pieces of some hundred characters and with whole sections, by BM25 and by vectors, and a
paragraph is scored by its own features together with those of its piece, its section and its document.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fieldpack.arrays import concat_ranges, offsets_of, reduce_segments, sorted_unique, zscore
from fieldpack.corpus.corpus import SHORTLIST, Corpus
from fieldpack.corpus.sections import Sections, Similar
from fieldpack.relevance.features import SECTION, Features, zscore_by_top
from fieldpack.relevance.query import Query
from fieldpack.relevance.shortlist import Candidates
from fieldpack.relevance.signals import Signals, weighted_mean
from fieldpack.types import FloatArray, IntArray
from fieldpack.words import stem_of

RAW = ("paragraph", "news")
"""Features that are taken as they are; the others are z-scores among the RIVALS best."""
RIVALS = 300
_ALIKE, _MOST_ALIKE, _LIKE = 0.45, 12, 0.8
"""A word counts for one of the query's from this cosine, the so many most alike, by so much of the cosine's square."""


@dataclass(frozen=True, eq=False)
class SectionSignals:
    """What a query finds in the `sections` of a corpus: BM25 (s,) of sections, (p,) of pieces, (t,) of documents;
    cosine (p,) of pieces; news (p,): 1 for pieces of release notes that the query does not ask for."""

    sections: Sections
    section_bm25: FloatArray
    piece_bm25: FloatArray
    document_bm25: FloatArray
    cosine: FloatArray
    news: FloatArray


def section_signals(query: Query, corpus: Corpus) -> SectionSignals | None:
    """One pass over the inverted indexes and the vectors of all pieces; None for a corpus without sections."""
    if (sections := corpus.sections) is None:
        return None
    words = similar_words(query, corpus, sections)
    news = sections.news[sections.piece_starts].astype(np.float32)
    return SectionSignals(
        sections=sections,
        section_bm25=sections.by_section.bm25(words),
        piece_bm25=sections.by_piece.bm25(words),
        document_bm25=sections.by_document.bm25(words),
        cosine=np.asarray(sections.vectors @ query.vector, np.float32),
        news=np.zeros_like(news) if query.asks_for_news else news,
    )


def similar_words(query: Query, corpus: Corpus, sections: Sections) -> list[Similar]:
    """Each content word of the query as the stems of the corpus that say it: its own, and those of words like it."""
    stem, stems = corpus.vocabulary.stem, corpus.vocabulary.stems
    content = np.flatnonzero(query.content)
    cosine = query.direction[content] @ sections.common_directions.T
    out, seen = [], set()
    for place, row in zip(content.tolist(), cosine, strict=True):
        name = stem_of(query.words[place])
        if name in seen:
            continue
        seen.add(name)
        own = stems.get(name, -1)
        like = {own: 1.0} if own >= 0 else {}
        near = np.flatnonzero(row > _ALIKE)
        near = near[np.argsort(-row[near], kind="stable")[:_MOST_ALIKE]]
        for word, value in zip(sections.common[near].tolist(), row[near].tolist(), strict=True):
            like.setdefault(int(stem[word]), _LIKE * value * value)
        if like:
            # Where one word alone says it, that counts whole.
            likeness = tuple(like.values()) if len(like) > 1 else (1.0,)
            out.append(Similar(tuple(like), likeness, float(query.share[place]), own >= 0))
    return out


def _path_similarity(query: Query, corpus: Corpus, sections: Sections, section: IntArray) -> FloatArray:
    """(q, g) the best match in [-1, 1] of each query word among the words of the path of each row's `section` (g,); 1
    where it stands there."""
    different, of_row = np.unique(section, return_inverse=True)
    first, last = sections.path_offsets[different], sections.path_offsets[different + 1]
    path_words = sections.path_words[concat_ranges(first, last)]
    present = sorted_unique(path_words)
    values = np.minimum(query.direction @ corpus.vocabulary.direction[present].T, np.float32(0.99))
    place = np.searchsorted(present, np.maximum(query.ids, 0))
    place = np.minimum(place, max(len(present) - 1, 0))
    exact = np.flatnonzero((query.ids >= 0) & (present[place] == query.ids)) if len(present) else np.zeros(0, int)
    values[exact, place[exact]] = 1.0
    columns = np.searchsorted(present, path_words)
    return reduce_segments(np.maximum, values.take(columns, 1), offsets_of(last - first))[:, of_row]


def pieces_score(signals: SectionSignals) -> FloatArray:
    """(p,) the first stage: how much each piece promises, by its stems, those of its section with its path, its
    vector."""
    of_section = zscore(signals.section_bm25)[signals.sections.piece_section]
    return np.asarray(zscore(signals.piece_bm25) + zscore(signals.cosine) + 0.5 * of_section - signals.news, np.float32)


def promising(signals: SectionSignals, more: FloatArray | None = None) -> IntArray:
    """The paragraphs of the pieces that promise most, whole pieces, ascending: SHORTLIST of them and few more. more
    (g,): another score of the paragraphs, whose best counts for their piece."""
    sections, score = signals.sections, pieces_score(signals)
    if more is not None:
        score = score + zscore(np.maximum.reduceat(more, sections.piece_starts))
    order = np.argsort(-score, kind="stable")
    sizes = np.diff(np.append(sections.piece_starts, len(sections.piece)))
    count = int(np.searchsorted(np.cumsum(sizes[order]), SHORTLIST)) + 1
    return sections.paragraphs_of(order[:count])


def section_features(signals: Signals, paragraph: Features, score: FloatArray, of_sections: SectionSignals) -> Features:
    """Features of the g candidates, in the order of SECTION. paragraph: theirs alone; score (g,): the scorer's of
    those; of_sections: what the query finds in the sections."""
    candidates, query, sections = signals.candidates, signals.query, of_sections.sections
    rows = candidates.paragraphs
    section, piece = sections.section[rows], sections.piece[rows]
    path = _path_similarity(query, candidates.corpus, sections, section)
    whole = _over_pieces(signals.paragraph_similarity, piece)
    raw = {
        "paragraph": score,
        "cosine": paragraph.raw["cosine"],
        "neighbours": paragraph.raw["neighbours"],
        "pairs": paragraph.raw["pairs"],
        "bm25": paragraph.raw["bm25"],
        "section_bm25": of_sections.section_bm25[section],
        "piece_bm25": of_sections.piece_bm25[piece],
        "document_bm25": of_sections.document_bm25[_documents(candidates)],
        "piece_cosine": of_sections.cosine[piece],
        "piece_maxsim": weighted_mean(whole, query.weight),
        "path_maxsim": weighted_mean(path, query.weight),
        "piece_path_maxsim": weighted_mean(np.maximum(whole, path), query.weight),
        "news": -of_sections.news[piece],
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
