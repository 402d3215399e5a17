"""What a row is worth when nobody asks: its salience.

Several kinds of evidence each put the rows in order; the share of all tokens that stands before a row, and half of its
own, is its rank r in (0, 1) by that kind. Its salience is 1 - g for the geometric mean g of its ranks: 0.8 says that
the row stands, on the whole, among the first 20 % of the tokens. In a talk other kinds count (TALK).

All kinds count alike, and none is left out where it does not help: of eight labelled sets of texts the subset of kinds
that is best on seven keeps .332 of the evidence of the eighth, all nine keep .399 (`benchmarks/salience.py`). Weights
learned with the set held out kept .30 to .32 by ridge regression over 90 features: texts differ more in kind than other
sets show, and equal weights do not overfit (Dawes 1979). `benchmarks/results/retention.json` has what is shipped beside
ten baselines.
"""

from __future__ import annotations

import re

import numpy as np

from fieldpack.arrays import run_starts, unit, zscore
from fieldpack.corpus.corpus import Corpus
from fieldpack.corpus.kinds import is_talk
from fieldpack.field.carry import Carried
from fieldpack.field.state import Reading
from fieldpack.relevance.row_words import RowWords, words_among
from fieldpack.relevance.score import Relevance
from fieldpack.types import HIDDEN, KINDS, BoolArray, FloatArray, IntArray

SALIENCE = (
    "opening",  # stands near the beginning of its text
    "opening_similarity",  # says what the first paragraphs of its text say
    "first",  # opens its paragraph
    "information",  # holds rare words, and words that occur for the first time
    "echo",  # holds words that the whole text repeats
    "attraction",  # is near the attractor of its basin
    "centrality",  # has words in common with many rows: LexRank
    "numbers",  # holds numbers, and is no code
    "definitions",  # says what something is
)
TALK = ("information", "names", "numbers")
"""In a talk what many turns say is chatter: a turn counts for its rare words, its names and its numbers."""
CARRIED = "carried"
"""The seventh kind, with the state of a conversation: near to an attractor that it carries."""
_CARRIED_SHARE = 0.5
"""Share of the logarithm of g that the carried attractors have, where there are any."""
_LEAD, _RAREST, _SHORT = 3, 3, 4
"""Paragraphs that open a text; rare words that count; words up to which a row says too little to be sought for."""
_LEAST, _HEADING = 1e-4, 0.25
"""The least rank; log odds that a heading is behind the row below it."""
_QUESTION = ("?", "？", "؟")
_SAYS_WHAT = frozenset(("is", "are", "was", "were", "mean", "means", "called", "known", "defined"))
_NAME = re.compile(r"(?<=[^\W\d_A-Z,;:] )[A-Z]\w+|(?<=[,;:] )[A-Z]\w+")
"""A word with a capital that does not open a sentence."""


def salience(corpus: Corpus, reading: Reading, carried: Carried | None = None) -> Relevance:
    """The salience of the rows of `corpus` in the place of relevance. reading: of these rows, without a query. carried:
    attractors of a conversation, which then ask."""
    evidence = _of_talk(corpus) if is_talk(corpus.documents) else _evidence(corpus, reading)
    ranks = {name: rank(value, corpus) for name, value in evidence.items()}
    log_mean = np.mean([np.log(r) for r in ranks.values()], 0)
    if carried is not None and len(carried.centers):
        ranks[CARRIED] = rank(pull_of(carried, corpus, reading), corpus)
        log_mean = (1 - _CARRIED_SHARE) * log_mean + _CARRIED_SHARE * np.log(ranks[CARRIED])
    mean = np.clip(np.exp(log_mean), _LEAST, 1 - _LEAST)
    logit = np.asarray(np.log((1 - mean) / mean), np.float32)
    logit = _with_headings(logit, corpus)
    logit[(corpus.level.lengths == 0) | (corpus.rows.kind == HIDDEN)] = -12.0  # a rule, a lone sign says nothing
    return Relevance(
        logit=logit,
        parts={name: np.asarray(1 - r, np.float32) for name, r in ranks.items()},
        max_similarity=np.zeros((0, len(logit)), np.float32),
        word_weight=np.zeros(0, np.float32),
        words=(),
        known=1.0,
        query_ids=np.zeros(0, np.int64),
    )


def _with_headings(logit: FloatArray, corpus: Corpus) -> FloatArray:
    """The log odds (n,), where a heading is nearly as salient as the row below it: it says what that is about. On four
    folders of documentation .373 of the evidence is kept, .366 without it."""
    rows, n = corpus.rows, len(logit)
    heading = rows.kind == KINDS.index("heading")
    below = np.minimum.accumulate(np.where(heading, n, np.arange(n))[::-1])[::-1]
    named = np.flatnonzero(heading & (below < n))
    named = named[rows.doc[below[named]] == rows.doc[named]]
    out = logit.copy()
    out[named] = np.maximum(logit[named], logit[below[named]] - _HEADING)
    return out


def rank(value: FloatArray, corpus: Corpus) -> FloatArray:
    """(n,) in (0, 1): the share of all tokens in the rows up to each, the highest value (n,) first. Rows of one value
    share the middle of their places, so that evidence which tells no rows apart moves none. Values are alike up to four
    digits, whatever thread or processor made their last bits."""
    cost = np.asarray(corpus.rows.tokens + 1, np.float64)
    _, place = np.unique(-np.round(value.astype(np.float64), 4), return_inverse=True)
    tokens = np.bincount(place, cost)
    middle = (np.cumsum(tokens) - tokens / 2) / cost.sum()
    return np.asarray(middle[place], np.float32)


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
    held_elsewhere = corpus.frequencies.words[words.word] > 1
    columns = {
        "opening_similarity": _opening_similarity(corpus, vectors),
        "first": 0.3 * zscore(np.asarray(centroid, np.float32)) - zscore(_place_in_paragraph(corpus)),
        "information": _information(words),
        "echo": zscore(words.mean(np.log(count[words.word]).astype(np.float32))) + zscore(words.mean(held_elsewhere)),
        "attraction": _affinity_to_own(corpus, reading, vectors),
        "centrality": words.centrality(corpus.vocabulary.stem),
    }
    last = 1e3 * _says_little(corpus)
    out = {n: np.asarray(v - last, np.float32) for n, v in columns.items()}
    return {"opening": -_place_in_text(corpus), **out, **cues(words, corpus)}


def _of_talk(corpus: Corpus) -> dict[str, FloatArray]:
    """The same of the turns of a talk, by the names of TALK."""
    words = RowWords.from_corpus(corpus)
    information = np.asarray(_information(words) - 1e3 * _says_little(corpus), np.float32)
    return {"information": information, "names": names(corpus), "numbers": cues(words, corpus)["numbers"]}


def _information(words: RowWords) -> FloatArray:
    """(n,) rare words, and words that occur for the first time."""
    new = np.zeros(len(words.word), np.bool_)
    new[np.unique(words.word, return_index=True)[1]] = True
    return zscore(words.rarest(_RAREST)) + zscore(words.share(new))


def cues(words: RowWords, corpus: Corpus) -> dict[str, FloatArray]:
    """Numbers and definitions (n,), counted; numbers for each word of a row, none in code. words: theirs."""
    rows, vocabulary = corpus.rows, corpus.vocabulary
    numbers = words.total(vocabulary.holds_digit[words.word]) / np.maximum(corpus.level.lengths, 1)
    return {
        "numbers": numbers * (rows.kind != KINDS.index("code")),
        "definitions": words.total(words_among(corpus, _SAYS_WHAT)[words.word]),
    }


def names(corpus: Corpus) -> FloatArray:
    """(n,) how many words of each row have a capital and open no sentence."""
    return np.array([len(_NAME.findall(text)) for text in corpus.rows.texts(corpus.documents)], np.float32)


def _says_little(corpus: Corpus) -> BoolArray:
    """(n,) rows that come last, but for their place: headings, and rows of a few words, which get any value by chance.
    (Lines that lead in to what follows them are not among these: on folders of documentation that cost 3 points.)"""
    heading = corpus.rows.kind == KINDS.index("heading")
    return np.asarray((corpus.level.lengths <= _SHORT) | heading | _beside_prose(corpus), np.bool_)


def _beside_prose(corpus: Corpus) -> BoolArray:
    """(n,) code and questions of several texts that are mostly prose, such as a folder of documentation, and the
    questions of a talk: what they are about stands in the other sentences. In a single text all rows count. (Questions
    of a talk are worth .013 on locomo.)"""
    code, tokens = corpus.rows.kind == KINDS.index("code"), corpus.rows.tokens
    several = len(corpus.sequence) > 0 and _texts(corpus)[-1] > 0
    if not several or 2 * int(tokens[code].sum()) >= int(tokens.sum()):
        return np.zeros(len(tokens), np.bool_)
    asks = [text.rstrip()[-1:] in _QUESTION for text in corpus.rows.texts(corpus.documents)]
    return np.asarray(np.array(asks, np.bool_) | (code & (not is_talk(corpus.documents))), np.bool_)


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
