"""What a row is worth when nobody asks: its salience.

Six kinds of evidence each put the rows in order; the share of all tokens that stands before a row, itself included, is
its rank r in (0, 1] by that kind. Its salience is 1 - g for the geometric mean g of the six ranks: 0.8 says that the
row stands, on the whole, among the first 20 % of the tokens.

All kinds count alike. On ten labelled sets (greedy choice of sentences, evidence of all questions) equal weights kept
.364, weights learned with the set held out .295 to .362 (listwise, and by direct search over up to 24 features): texts
differ more in kind than other sets show, and equal weights do not overfit (Dawes 1979). Not worth their place: a double
weight for the opening, the length of a row, LexRank in the place of `echo`. `benchmarks/results/retention.json` has
what is shipped beside ten baselines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fieldpack.arrays import concat_ranges, run_starts, unit, zscore
from fieldpack.corpus.corpus import Corpus
from fieldpack.field.carry import Carried
from fieldpack.field.state import Reading
from fieldpack.relevance.score import Relevance
from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.types import KINDS, BoolArray, FloatArray, IntArray

SALIENCE = (
    "opening",  # stands near the beginning of its text
    "opening_similarity",  # says what the first paragraphs of its text say
    "first",  # opens its paragraph
    "information",  # holds rare words, and words that occur for the first time
    "echo",  # holds words that the whole text repeats, one step of LexRank over words
    "attraction",  # is near the attractor of its basin
)
CARRIED = "carried"
"""The seventh kind, with the state of a conversation: near to an attractor that it carries."""
_CARRIED_SHARE = 0.5
"""Share of the logarithm of g that the carried attractors have, where there are any."""
_LEAD, _RAREST, _SHORT = 3, 3, 4
"""Paragraphs that open a text; rare words that count; words up to which a row says too little to be sought for."""
_LEAST = 1e-4


@dataclass(frozen=True, eq=False)
class RowWords:
    """The words of n rows: word (m,) numbers, row (m,) where each stands, idf (m,), 0 for function words and signs."""

    word: IntArray
    row: IntArray
    idf: FloatArray
    rows: int

    @staticmethod
    def from_corpus(corpus: Corpus) -> RowWords:
        """Of the rows of the corpus."""
        level, vocabulary = corpus.level, corpus.vocabulary
        worth = corpus.frequencies.idf * ~vocabulary.symbols * ~function_words(corpus)
        row = np.repeat(np.arange(len(level)), level.lengths)
        word = np.asarray(corpus.words[concat_ranges(level.offsets[:-1], level.offsets[1:])], np.int64)
        return RowWords(word, row, np.asarray(worth[word], np.float32), len(level))

    def total(self, values: FloatArray | BoolArray) -> FloatArray:
        """(n,) sum of values (m,) over the words of each row."""
        return np.bincount(self.row, values, self.rows).astype(np.float32)

    def share(self, chosen: BoolArray) -> FloatArray:
        """(n,) in [0, 1]: the share of each row's idf that the chosen (m,) words hold."""
        return np.asarray(self.total(chosen * self.idf) / np.maximum(self.total(self.idf), 1e-6), np.float32)

    def mean(self, values: FloatArray | BoolArray) -> FloatArray:
        """(n,) mean of values (m,) over the content words of each row."""
        content = self.idf > 0
        return np.asarray(self.total(values * content) / np.maximum(self.total(content), 1), np.float32)

    def rarest(self, count: int) -> FloatArray:
        """(n,) mean idf of the `count` rarest words of each row."""
        order = np.lexsort((-self.idf, self.row))
        row = self.row[order]
        first = np.arange(len(row)) - np.searchsorted(row, row) < count
        return np.asarray(np.bincount(row[first], self.idf[order][first], self.rows) / count, np.float32)


def function_words(corpus: Corpus) -> BoolArray:
    """(u,) the English function words of the vocabulary."""
    out = np.zeros(len(corpus.vocabulary), np.bool_)
    index = corpus.vocabulary.index
    out[[index[word] for word in sorted(STOPWORDS) if word in index]] = True
    return out


def salience(corpus: Corpus, reading: Reading, carried: Carried | None = None) -> Relevance:
    """The salience of the rows of `corpus` in the place of relevance. reading: of these rows, without a query. carried:
    attractors of a conversation, which then ask."""
    ranks = {name: rank(value, corpus) for name, value in _evidence(corpus, reading).items()}
    log_mean = np.mean([np.log(r) for r in ranks.values()], 0)
    if carried is not None and len(carried.centers):
        ranks[CARRIED] = rank(pull_of(carried, corpus, reading), corpus)
        log_mean = (1 - _CARRIED_SHARE) * log_mean + _CARRIED_SHARE * np.log(ranks[CARRIED])
    mean = np.clip(np.exp(log_mean), _LEAST, 1 - _LEAST)
    logit = np.asarray(np.log((1 - mean) / mean), np.float32)
    logit[corpus.level.lengths == 0] = -12.0  # a rule, a fence, a lone sign says nothing
    return Relevance(
        logit=logit,
        parts={name: np.asarray(1 - r, np.float32) for name, r in ranks.items()},
        max_similarity=np.zeros((0, len(logit)), np.float32),
        word_weight=np.zeros(0, np.float32),
        words=(),
        known=1.0,
        query_ids=np.zeros(0, np.int64),
    )


def rank(value: FloatArray, corpus: Corpus) -> FloatArray:
    """(n,) in (0, 1]: the share of all tokens in the rows up to each, the highest value (n,) first. Values alike to
    four digits keep the order of the text, whatever thread or processor made their last bits."""
    cost = np.asarray(corpus.rows.tokens + 1, np.float64)
    order = np.argsort(-np.round(value.astype(np.float64), 4), kind="stable")
    out = np.empty(len(cost))
    out[order] = np.cumsum(cost[order]) / cost.sum()
    return np.asarray(out, np.float32)


def pull_of(carried: Carried, corpus: Corpus, reading: Reading) -> FloatArray:
    """(n,) similarity of each row to the nearest carried attractor, the background taken away; a weak attractor counts
    less, by the root of its strength."""
    strength = np.sqrt(carried.strength / max(float(carried.strength.max()), 1e-9))
    vectors = _vectors(corpus) - reading.attractors.background
    return np.asarray((unit(vectors) @ carried.centers.T * strength).max(1), np.float32)


def _vectors(corpus: Corpus) -> FloatArray:
    """(n, d) the rows in the space of the field: their own, or those of their paragraphs by a sentence embedder."""
    return corpus.level.vectors if corpus.dense is None else corpus.dense[corpus.paragraph]


def _evidence(corpus: Corpus, reading: Reading) -> dict[str, FloatArray]:
    """What puts the rows in order, by the names of SALIENCE: (n,) each, more is better."""
    words, vectors = RowWords.from_corpus(corpus), _vectors(corpus)
    centroid = vectors @ unit(corpus.vectors.mean(0, keepdims=True))[0]
    count = np.bincount(words.word, minlength=len(corpus.vocabulary))
    new = np.zeros(len(words.word), np.bool_)
    new[np.unique(words.word, return_index=True)[1]] = True
    held_elsewhere = corpus.frequencies.words[words.word] > 1
    columns = {
        "opening_similarity": _opening_similarity(corpus, vectors),
        "first": 0.3 * zscore(np.asarray(centroid, np.float32)) - zscore(_place_in_paragraph(corpus)),
        "information": zscore(words.rarest(_RAREST)) + zscore(words.share(new)),
        "echo": zscore(words.mean(np.log(count[words.word]).astype(np.float32))) + zscore(words.mean(held_elsewhere)),
        "attraction": _affinity_to_own(corpus, reading, vectors),
    }
    last = 1e3 * _says_little(corpus)
    return {"opening": -_place_in_text(corpus)} | {n: np.asarray(v - last, np.float32) for n, v in columns.items()}


def _says_little(corpus: Corpus) -> BoolArray:
    """(n,) rows that come last, but for their place: headings, and rows of a few words, which get any value by chance.
    (Lines that lead in to what follows them are not among these: on folders of documentation that cost 3 points.)"""
    heading = corpus.rows.kind == KINDS.index("heading")
    return np.asarray((corpus.level.lengths <= _SHORT) | heading, np.bool_)


def _affinity_to_own(corpus: Corpus, reading: Reading, vectors: FloatArray) -> FloatArray:
    """(n,) affinity of each row to the attractor of its basin; -1 outside all basins."""
    attractors = reading.attractors
    if not len(attractors):
        return np.zeros(len(vectors), np.float32)
    own = attractors.affinity(vectors)[np.arange(len(vectors)), attractors.basin]
    return np.where(attractors.basin >= 0, own, np.float32(-1))


def _texts(corpus: Corpus) -> IntArray:
    """(g,) 0, 1, ...: the text of each paragraph; documents that are pieces of one text are one."""
    return np.asarray(np.cumsum(np.diff(corpus.sequence, prepend=corpus.sequence[:1]) != 0), np.int64)


def _opening_similarity(corpus: Corpus, vectors: FloatArray) -> FloatArray:
    """(n,) similarity of each row to the mean of the first paragraphs of its text."""
    text = _texts(corpus)
    starts = run_starts(text)
    ends = np.append(starts, len(text))[1:]
    lead = np.stack([corpus.vectors[a : min(a + _LEAD, b)].mean(0) for a, b in zip(starts, ends, strict=True)])
    return np.asarray(np.einsum("nd,nd->n", vectors, unit(lead)[text[corpus.paragraph]]), np.float32)


def _place_in_text(corpus: Corpus) -> FloatArray:
    """(n,) in [0, 1): the share of the tokens of its text that stands before each row."""
    cost = np.asarray(corpus.rows.tokens + 1, np.float64)
    text = _texts(corpus)[corpus.paragraph]
    before = np.cumsum(cost) - cost
    return np.asarray((before - before[run_starts(text)][text]) / np.bincount(text, cost)[text], np.float32)


def _place_in_paragraph(corpus: Corpus) -> FloatArray:
    """(n,) log of 1 + the number of rows before each in its paragraph."""
    starts = run_starts(corpus.paragraph)
    sizes = np.diff(np.append(starts, len(corpus.rows)))
    return np.log1p(np.arange(len(corpus.rows)) - np.repeat(starts, sizes)).astype(np.float32)
