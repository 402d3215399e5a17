"""Few, cheap, scale-free features of each paragraph and sentence, standardised inside the query: by the mean and the
spread of the RIVALS candidates that can win, so that a crowd of texts about something else changes nothing.

The lists PARAGRAPH and SENTENCE name them in the order of the scorer's weights; `models/README.md` has what was
tried.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from fieldpack.relevance.corpus import Corpus, unit
from fieldpack.relevance.signals import Query, Signals, bm25, mean, title_in_query
from fieldpack.types import FloatArray, IntArray

PARAGRAPH = (
    "late",  # token resonance: mean best match of the query's content words
    "bm25",  # exact stems
    "cosine",  # static vectors of query and paragraph
    "late_titled",  # token resonance over title and text
    "title",  # share of the title that the query names
    "pairs",  # neighbouring words of the query side by side
    "neighbours",  # late and bm25 of the paragraphs before and after in the document
    "best_sentence",  # highest token resonance of one sentence, function words counted too
    "attraction",  # similarity to the query's attractor: one step of the field from the query
    "length",  # log of the words
)
DENSE = ("dense", "late_met", "bm25_met", "dense_met")
"""More paragraph features, when the packer has a sentence embedder: the cosine of its vectors; and
how much more or less near words, exact words and vectors are worth where the best candidate meets more of the query."""
RIVALS = 100
_ROUNDING = 1e-6
"""Spread, as a share of the mean, from which numbers differ by more than float32's rounding."""
_MET, _MET_UNIT = 0.8, 5.0
"""Token resonance of the best candidate in the middle of labelled queries, and what brings its spread to about 1."""

SENTENCE = (
    "late",
    "bm25",
    "late_titled",
    "neighbours",
    "length",
    "answer_kind",  # holds a number, a date, a name where the question asks for one
    "paragraph",  # the paragraph's score
    "first",  # opens its paragraph
    "below_best",  # distance to the best sentence of the paragraph
    "near",  # the sentences before and after, within the paragraph
    "sentences",  # log of the sentences in the paragraph
)


@dataclass(frozen=True, eq=False)
class Features:
    """table (n, f) standardised columns; raw: the columns before, by name, for reasons and reports."""

    table: FloatArray
    raw: dict[str, FloatArray]


def standardised(values: FloatArray) -> FloatArray:
    """z-scores inside the query; zeros when all are equal."""
    if not len(values):
        return values
    # By hand: numpy's own mean and std cost five times as much on twenty numbers.
    middle = np.add.reduce(values) / np.float32(len(values))
    off = values - middle
    spread = sqrt(float(off @ off) / len(values))
    told = spread > _ROUNDING * max(1.0, abs(float(middle)))
    return np.asarray(off / np.float32(spread), np.float32) if told else np.zeros_like(values)


def among(table: FloatArray, rank: FloatArray) -> FloatArray:
    """Columns of `table` (n, f) as z-scores by the mean and spread of the RIVALS rows that `rank` (n,) puts first; what
    does not tell those apart is 0."""
    if not len(table):
        return table
    rivals = table
    if len(table) > RIVALS:
        rivals = table[np.argpartition(-rank, RIVALS)[:RIVALS]]
    middle = np.add.reduce(rivals, 0) / np.float32(len(rivals))
    off = rivals - middle
    spread = np.sqrt(np.einsum("nf,nf->f", off, off) / np.float32(len(rivals)))
    told = spread > _ROUNDING * np.maximum(1, np.abs(middle))
    return np.asarray((table - middle) * (told / np.where(told, spread, 1)), np.float32)


def paragraph_features(signals: Signals, dense: FloatArray | None = None) -> Features:
    """Features of the g groups, in the order of PARAGRAPH; `dense` (g,) adds DENSE."""
    corpus, query = signals.corpus, signals.query
    best, document = signals.best_in_groups, corpus.document
    length = np.add.reduceat(corpus.lengths, corpus.starts)
    late = mean(best, query.weight)
    exact = bm25(signals.tf_in_groups, signals.stem_idf, length)
    cosine = corpus.groups @ query.vector
    of_exact, of_cosine = standardised(exact), standardised(cosine)
    base = standardised(late) + 0.5 * of_exact
    raw = {
        "late": late,
        "bm25": exact,
        "cosine": cosine,
        "late_titled": mean(np.maximum(best, signals.title_best[:, document]), query.weight),
        "title": title_in_query(corpus, query)[document],
        "pairs": np.maximum.reduceat(signals.pairs(), corpus.starts),
        "neighbours": neighbours(base, corpus.sequence, (1, 2, 3, 4)),
        # Function words count here: "how many", "when did" ask for a sentence of a certain make.
        "best_sentence": np.maximum.reduceat(mean(signals.best, query.loose), corpus.starts),
        "attraction": attraction(corpus.groups, base + 0.5 * of_exact + 0.5 * of_cosine),
        "length": np.log1p(length),
    }
    if dense is not None:
        raw["dense"] = dense
    rank = base + (of_cosine if dense is None else standardised(dense))
    table = among(np.stack(list(raw.values()), 1).astype(np.float32), rank)
    if dense is not None:
        met = np.float32(np.clip((late.max(initial=0) - _MET) * _MET_UNIT, -3, 3))
        table = np.concatenate([table, met * table[:, [list(raw).index(n) for n in ("late", "bm25", "dense")]]], 1)
    return Features(table, raw)


def sentence_features(signals: Signals, paragraph_score: FloatArray, texts: Sequence[str]) -> Features:
    """Features of the n atoms, in the order of SENTENCE; paragraph_score (g,) is the scorer's, in its own unit."""
    corpus, query = signals.corpus, signals.query
    document = corpus.document[corpus.group]
    late = mean(signals.best, query.weight)
    exact = bm25(signals.tf, signals.stem_idf, corpus.lengths)
    base = standardised(late) + 0.5 * standardised(exact)
    sizes = np.diff(np.append(corpus.starts, len(corpus)))
    first = np.zeros(len(corpus), np.float32)
    first[corpus.starts] = sizes > 1
    raw = {
        "late": late,
        "bm25": exact,
        "late_titled": mean(np.maximum(signals.best, signals.title_best[:, document]), query.weight),
        "neighbours": neighbours(base, corpus.group, (1, 2, 3, 4)),
        "length": np.log1p(corpus.lengths),
        "answer_kind": answer_kind(query, texts, corpus),
    }
    columns = [standardised(v) for v in raw.values()]
    rest = {
        "paragraph": paragraph_score[corpus.group],
        "first": first,
        "below_best": base - np.maximum.reduceat(base, corpus.starts)[corpus.group],
        "near": neighbours(base, corpus.group, (1,)),
        "sentences": np.log(sizes[corpus.group]).astype(np.float32),
    }
    return Features(np.stack([*columns, *rest.values()], 1).astype(np.float32), {**raw, **rest})


def neighbours(values: FloatArray, sequence: IntArray, steps: Sequence[int]) -> FloatArray:
    """(n,) sum of 0.6^k times the values k places before and after, inside the same sequence."""
    out = np.zeros(len(values), np.float32)
    for k in steps:
        if len(values) > k:
            same = 0.6**k * (sequence[k:] == sequence[:-k])
            out[k:] += same * values[:-k]
            out[:-k] += same * values[k:]
    return out


def attraction(rows: FloatArray, score: FloatArray) -> FloatArray:
    """(g,) cosine to the query's attractor z = unit(sum_i softmax(score)_i x_i): one update of the dense associative
    memory (Ramsauer et al. 2021) that starts from the query's own scores."""
    mass = np.exp(score - score.max())
    return np.asarray(rows @ unit((mass @ rows)[None])[0], np.float32)


_TIME = re.compile(
    r"\b(?:1\d{3}|20\d\d|January|February|March|April|May|June|July|August|September|October|November|December|century|"
    r"days?|weeks?|months?|years?|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|yesterday|today|ago)\b"
)
_NUMBER_WORD = re.compile(r".*\d.*", re.DOTALL)
_TIME_WORD = re.compile(_TIME.pattern.replace(r"\b", "").lower())
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]")
_ASKS_NUMBER = frozenset(["many", "much", "number", "percentage", "percent", "often", "long", "old", "cost"])
_ASKS_TIME = frozenset(["when", "year", "date", "day", "month", "century"])
_ASKS_NAME = frozenset(["who", "whom", "whose", "where"])


def answer_kind(query: Query, texts: Sequence[str], corpus: Corpus) -> FloatArray:
    """(n,) in [0, 1]: whether a sentence holds what an English question asks for: a number, a time, names. Zeros for
    other questions."""
    asked = set(query.words)
    if asked & _ASKS_NUMBER:
        return corpus.holding(_NUMBER_WORD).astype(np.float32)
    if asked & _ASKS_TIME:
        found = 0.5 * corpus.holding(_NUMBER_WORD).astype(np.float32)
        # Words are lower-cased: the text itself says whether "may" is the month.
        at = np.flatnonzero(corpus.holding(_TIME_WORD)).tolist()
        found[[i for i in at if _TIME.search(texts[i])]] = 1
        return found
    if asked & _ASKS_NAME:
        return np.array([min(sum(1 for _ in _NAME.finditer(t)), 3) / 3 for t in texts], np.float32)
    return np.zeros(len(texts), np.float32)
