"""The words of basins: what the rows that an attractor draws say, and the others do not."""

from __future__ import annotations

import numpy as np

from fieldpack.corpus.corpus import Corpus
from fieldpack.relevance.salience import function_words
from fieldpack.types import BoolArray, IntArray

MOST_WORDS = 5


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
