"""Few, cheap, scale-free features of each paragraph and sentence, as z-scores inside the query: by the mean and the
deviation of the RIVALS candidates that can win, so that a crowd of texts about something else changes nothing.

The lists PARAGRAPH and SENTENCE name them in the order of the scorer's weights; `models/README.md` has what was
tried.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from fieldpack.arrays import ROUNDING, unit, zscore
from fieldpack.corpus.vocabulary import TIME
from fieldpack.field.couplings import neighbour_sum
from fieldpack.relevance.shortlist import Candidates
from fieldpack.relevance.signals import Signals, bm25, title_in_query, weighted_mean
from fieldpack.types import BoolArray, FloatArray, IntArray

PARAGRAPH = (
    "maxsim",  # token resonance: mean best match of the query's content words (late interaction)
    "bm25",  # exact stems
    "cosine",  # static vectors of query and paragraph
    "maxsim_titled",  # token resonance over title and text
    "title",  # share of the title that the query names
    "pairs",  # neighbouring words of the query side by side
    "neighbours",  # maxsim and bm25 of the paragraphs before and after in the document
    "best_sentence",  # highest token resonance of one sentence, function words counted too
    "attraction",  # similarity to the query's attractor: one step of the field from the query
    "length",  # log of the words
)
DENSE = ("dense", "maxsim_met", "bm25_met", "dense_met")
"""More paragraph features, when the packer has a sentence embedder: the cosine of its vectors; and how much more or
less similar words, exact words and vectors are worth where the best candidate meets more of the query."""
RIVALS = 100
_MET, _MET_UNIT = 0.8, 5.0
"""Token resonance of the best candidate in the middle of labelled queries, and what brings its deviation to about 1."""

SENTENCE = (
    "maxsim",
    "bm25",
    "maxsim_titled",
    "neighbours",
    "length",
    "answer_kind",  # holds a number, a date, a name where the question asks for one
    "paragraph",  # the paragraph's score
    "first",  # opens its paragraph
    "below_best",  # distance to the best sentence of the paragraph
    "near",  # the sentences before and after, within the paragraph
    "sentences",  # log of the sentences in the paragraph
)

SECTION = (
    "paragraph",  # the paragraph's score, in its own unit
    "cosine",
    "neighbours",
    "pairs",
    "bm25",
    "section_bm25",  # stems of the section, the path of headings counted twice
    "piece_bm25",
    "document_bm25",
    "piece_cosine",  # static vectors of query and piece
    "piece_maxsim",  # token resonance over the whole piece
    "path_maxsim",  # token resonance over the file's name and the headings above
    "piece_path_maxsim",  # over both
    "news",  # -1 in release notes, unless the query asks for a version or a change
)
"""More features of paragraphs where documents have sections (`relevance/sections.py`)."""


@dataclass(frozen=True, eq=False)
class Features:
    """table (n, f) columns as z-scores; raw: the columns before, by name, for reasons and reports."""

    table: FloatArray
    raw: dict[str, FloatArray]


def zscore_by_top(table: FloatArray, rank: FloatArray, most: int = RIVALS) -> FloatArray:
    """Columns of `table` (n, f) as z-scores by the mean and deviation of the `most` rows that `rank` (n,) puts first; a
    column that does not tell those apart is 0."""
    if not len(table):
        return table
    rivals = table
    if len(table) > most:
        rivals = table[np.argpartition(-rank, most)[:most]]
    mean = np.add.reduce(rivals, 0) / np.float32(len(rivals))
    centred = rivals - mean
    deviation = np.sqrt(np.einsum("nf,nf->f", centred, centred) / np.float32(len(rivals)))
    differs = deviation > ROUNDING * np.maximum(1, np.abs(mean))
    return np.asarray((table - mean) * (differs / np.where(differs, deviation, 1)), np.float32)


def paragraph_features(signals: Signals, dense: FloatArray | None = None) -> Features:
    """Features of the g paragraphs, in the order of PARAGRAPH; `dense` (g,) adds DENSE."""
    candidates, query = signals.candidates, signals.query
    best, document = signals.paragraph_similarity, candidates.document
    length = candidates.paragraph_lengths
    maxsim = weighted_mean(best, query.weight)
    exact = bm25(signals.paragraph_tf, signals.stem_idf, length)
    cosine = candidates.vectors @ query.vector
    exact_z, cosine_z = zscore(exact), zscore(cosine)
    base = zscore(maxsim) + 0.5 * exact_z
    raw = {
        "maxsim": maxsim,
        "bm25": exact,
        "cosine": cosine,
        "maxsim_titled": weighted_mean(
            with_contexts(np.maximum(best, signals.title_similarity[:, document]), candidates.context("paragraph")),
            query.weight,
        ),
        "title": title_in_query(candidates, query)[document],
        "pairs": np.maximum.reduceat(signals.pairs(), candidates.starts),
        "neighbours": neighbour_sum(base, candidates.sequence, (1, 2, 3, 4)),
        # Function words count here: "how many", "when did" ask for a sentence of a certain make.
        "best_sentence": np.maximum.reduceat(
            weighted_mean(signals.max_similarity, query.weight_with_stopwords), candidates.starts
        ),
        "attraction": attraction(candidates.vectors, base + 0.5 * exact_z + 0.5 * cosine_z),
        "length": np.log1p(length),
    }
    if dense is not None:
        raw["dense"] = dense
    rank = base + (cosine_z if dense is None else zscore(dense))
    table = zscore_by_top(np.stack(list(raw.values()), 1).astype(np.float32), rank)
    if dense is not None:
        met = np.float32(np.clip((maxsim.max(initial=0) - _MET) * _MET_UNIT, -3, 3))
        columns = [list(raw).index(name) for name in ("maxsim", "bm25", "dense")]
        table = np.concatenate([table, met * table[:, columns]], 1)
    return Features(table, raw)


def sentence_features(signals: Signals, paragraph_score: FloatArray) -> Features:
    """Features of the n sentences, in the order of SENTENCE; paragraph_score (g,) is the scorer's, in its own unit."""
    candidates, query = signals.candidates, signals.query
    document, group, starts = candidates.document[candidates.group], candidates.group, candidates.starts
    maxsim = weighted_mean(signals.max_similarity, query.weight)
    exact = bm25(signals.tf, signals.stem_idf, candidates.lengths)
    base = zscore(maxsim) + 0.5 * zscore(exact)
    sizes = np.diff(np.append(starts, len(group)))
    first = np.zeros(len(group), np.float32)
    first[starts] = sizes > 1
    titled = np.maximum(signals.max_similarity, signals.title_similarity[:, document])
    titled = with_contexts(titled, candidates.context("sentence"))
    raw = {
        "maxsim": maxsim,
        "bm25": exact,
        "maxsim_titled": weighted_mean(titled, query.weight),
        "neighbours": neighbour_sum(base, group, (1, 2, 3, 4)),
        "length": np.log1p(candidates.lengths),
        "answer_kind": answer_kind(signals),
    }
    columns = [zscore(v) for v in raw.values()]
    rest = {
        "paragraph": paragraph_score[group],
        "first": first,
        "below_best": base - np.maximum.reduceat(base, starts)[group],
        "near": neighbour_sum(base, group, (1,)),
        "sentences": np.log(sizes[group]).astype(np.float32),
    }
    return Features(np.stack([*columns, *rest.values()], 1).astype(np.float32), {**raw, **rest})


def with_contexts(similarity: FloatArray, context: IntArray) -> FloatArray:
    """(q, n) best match of each query word in each row or in what must be packed with it. context (n,): -1 for none."""
    chain = context
    while (chain >= 0).any():
        rows = np.flatnonzero(chain >= 0)
        similarity = similarity.copy()
        similarity[:, rows] = np.maximum(similarity[:, rows], similarity[:, chain[rows]])
        chain = np.where(chain >= 0, context[np.maximum(chain, 0)], -1)
    return similarity


def attraction(rows: FloatArray, score: FloatArray) -> FloatArray:
    """(g,) cosine to the query's attractor z = unit(sum_i softmax(score)_i x_i): one update of the dense associative
    memory (Ramsauer et al. 2021) that starts from the query's own scores."""
    mass = np.exp(score - score.max())
    return np.asarray(rows @ unit((mass @ rows)[None])[0], np.float32)


_TIME = re.compile(rf"\b{TIME}\b")
_NAME = re.compile(r"[A-Z](?<=[a-z,] [A-Z])[a-z]")
_NUMBER_QUESTION = frozenset(["many", "much", "number", "percentage", "percent", "often", "long", "old", "cost"])
_TIME_QUESTION = frozenset(["when", "year", "date", "day", "month", "century"])
_NAME_QUESTION = frozenset(["who", "whom", "whose", "where"])


def answer_kind(signals: Signals) -> FloatArray:
    """(n,) in [0, 1]: whether a sentence holds what an English question asks for: a number, a time, names. Zeros for
    other questions."""
    candidates, words = signals.candidates, set(signals.query.words)
    vocabulary = candidates.corpus.vocabulary
    if words & _NUMBER_QUESTION:
        return _holds(candidates, vocabulary.holds_digit).astype(np.float32)
    if words & _TIME_QUESTION:
        out = 0.5 * _holds(candidates, vocabulary.holds_digit).astype(np.float32)
        # Words are lower-cased: the text itself says whether "may" is the month.
        at = np.flatnonzero(_holds(candidates, vocabulary.names_time))
        texts = candidates.texts(at)
        out[[i for i, text in zip(at.tolist(), texts, strict=True) if _TIME.search(text)]] = 1
        return out
    if words & _NAME_QUESTION:
        return np.array([_names(text) for text in candidates.texts()], np.float32)
    return np.zeros(len(candidates.sentences), np.float32)


def _names(text: str) -> float:
    """In [0, 1]: capitalised words inside a sentence, three or more of them as 1."""
    return min(len(_NAME.findall(text)), 3) / 3


def _holds(candidates: Candidates, words: BoolArray) -> BoolArray:
    """(n,) sentences with one of the marked words (u,) of the vocabulary."""
    held = np.concatenate(([0], np.cumsum(words[candidates.words])))
    return np.asarray(held[candidates.offsets[1:]] > held[candidates.offsets[:-1]], np.bool_)
