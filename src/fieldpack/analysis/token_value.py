"""The value of a token (design text, sections 2.3 and 4.1): relevance x specificity x uniqueness / tokens, and the
information density in bits per token. Pure functions of arrays; each factor is measured and lies in [0, 1].

n segments, d dims, v words in the vocabulary.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.errors import InputError
from fieldpack.types import FloatArray, IntArray
from fieldpack.words import Words

Floats = npt.NDArray[np.floating[Any]]
_BLOCK = 1024
_SPELLED = 0.02  # share of running words that no word list has: spelled out, letter by letter


@dataclass(frozen=True, eq=False)
class SegmentValues:
    """(n,) arrays, one row a segment: the three factors in [0, 1], tokens, value per token, bits per token."""

    relevance: FloatArray
    specificity: FloatArray
    uniqueness: FloatArray
    tokens: IntArray
    value: FloatArray
    density: FloatArray

    def rows(self) -> list[dict[str, float]]:
        """One JSON-ready dict a segment."""
        names = ("relevance", "specificity", "uniqueness", "tokens", "value", "density")
        columns = [getattr(self, name).tolist() for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def segment_values(
    words: Words, vectors: Floats, relevance: Floats, tokens: IntArray, background: Floats | None = None
) -> SegmentValues:
    """All factors of n segments: vectors (n, d) unit rows, relevance (n,) in [0, 1], tokens (n,) of at least 1.

    background: (v,) probability of each vocabulary word in general text, 0 where unknown (see `zipf`).
    """
    specific, unique = specificity(words, background), uniqueness(vectors)
    value = token_value(relevance, specific, unique, tokens)
    density = surprisal(words, background) / np.asarray(tokens)
    relevant = np.asarray(relevance, np.float32)
    return SegmentValues(
        relevance=relevant,
        specificity=specific,
        uniqueness=unique,
        tokens=np.asarray(tokens),
        value=value,
        density=density.astype(np.float32),
    )


def token_value(relevance: Floats, specificity: Floats, uniqueness: Floats, tokens: IntArray) -> FloatArray:
    """(n,) relevance x specificity x uniqueness / tokens, in [0, 1] per token.

    Raises InputError for a factor outside [0, 1], a token count below 1, or lengths that differ.
    """
    factors = {"relevance": relevance, "specificity": specificity, "uniqueness": uniqueness}
    counts = np.asarray(tokens)
    for name, factor in factors.items():
        array = np.asarray(factor)
        if array.shape != counts.shape:
            raise InputError(f"{name} has shape {array.shape}, tokens {counts.shape}; give one of each per segment")
        if array.size and not (array.min() >= 0 and array.max() <= 1):
            raise InputError(f"{name} lies in [{array.min()}, {array.max()}]; it must lie in [0, 1]")
    if counts.size and counts.min() < 1:
        raise InputError(f"a segment has {counts.min()} tokens; value per token needs at least 1")
    product = np.asarray(relevance, np.float64) * specificity * uniqueness
    return (product / counts).astype(np.float32)


def uniqueness(vectors: Floats) -> FloatArray:
    """(n,) 1 - the cosine of each unit row of `vectors` (n, d) to its nearest other row, in [0, 1]: a copy has 0.

    O(n^2 d) time in blocks of 1024 rows, O(n) memory besides.
    """
    rows = np.asarray(vectors, np.float32)
    nearest = np.zeros(len(rows), np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK] @ rows.T
        at = np.arange(len(block))
        block[at, start + at] = -1.0
        nearest[start : start + _BLOCK] = block.max(axis=1)
    if len(rows) < 2:
        return np.ones(len(rows), np.float32)
    unique: FloatArray = np.clip(1.0 - nearest, 0.0, 1.0)
    return unique


def specificity(words: Words, background: Floats | None = None) -> FloatArray:
    """(n,) mean rarity of a segment's words, in [0, 1]; 0 for a text without words.

    A word's rarity is its inverse document frequency in the field, log((n + 1) / df) / log(n + 1); with `background`
    (v,) it is the mean of that and of log(p_max / p) / log(p_max / p_min), 1 for a word unknown to general text.
    """
    n, v = len(words), len(words.vocabulary)
    segment = np.repeat(np.arange(n), words.lengths)
    pairs = np.unique(segment * max(v, 1) + words.ids)
    df = np.bincount(pairs % max(v, 1), minlength=v)[:v]
    rarity = np.log((n + 1) / np.maximum(df, 1)) / np.log(n + 1) if n else np.zeros(v)
    if background is not None:
        rarity = (rarity + _general_rarity(np.asarray(background, np.float64))) / 2
    sums = np.bincount(segment, rarity[words.ids], minlength=n) if v else np.zeros(n)
    return (sums / np.maximum(words.lengths, 1)).astype(np.float32)


def surprisal(words: Words, background: Floats | None = None, prior_words: float = 1000.0) -> FloatArray:
    """(n,) bits of each segment, given the rest of the field and general text: an adaptive unigram code.

    A word w of segment i costs -log2 of (C + s + m q) / (N + r + m): C its count in the other segments, s its count
    earlier in the segment, N and r the words so far in all, m = `prior_words`, and q its general probability
    (Dirichlet-smoothed unigram; MacKay & Peto 1995). q comes from `background` (v,); a word that it does not have, or
    every word without it, is spelled out by a letter model of the vocabulary. Case, punctuation and word order are not
    charged, so this is no bound for a language model: it ranks segments.
    """
    n, v = len(words), len(words.vocabulary)
    if not v:
        return np.zeros(n, np.float32)
    segment = np.repeat(np.arange(n), words.lengths)
    pairs, own = np.unique(segment * v + words.ids, return_counts=True)
    at, word = pairs // v, pairs % v
    mass = np.bincount(words.ids, minlength=v)[word] - own + prior_words * _general(words.vocabulary, background)[word]
    charged = np.bincount(at, _rising(mass, own), minlength=n)
    outside = len(words.ids) - words.lengths + prior_words
    return np.maximum(_rising(outside, words.lengths) - charged, 0.0).astype(np.float32)


def deflate_bits(texts: Sequence[str], context: str = "") -> FloatArray:
    """(n,) bits of each text after DEFLATE primed with the last 32 KiB of `context`, without the empty stream's own.

    Counts case, punctuation and order, but knows no language beyond `context`: per token, common words cost more bits
    than random characters, because a tokenizer has one token for a common word. `surprisal` ranks the two rightly.
    """

    def size(raw: bytes) -> int:
        compressor = zlib.compressobj(level=9, wbits=-15, memLevel=9, zdict=dictionary)
        return len(compressor.compress(raw)) + len(compressor.flush())

    dictionary = context.encode("utf-8", "replace")[-32768:]
    empty = size(b"")
    return np.array([8.0 * (size(t.encode("utf-8", "replace")) - empty) for t in texts], np.float32)


def zipf(vocabulary: Sequence[str], ranked: Sequence[str]) -> FloatArray:
    """(v,) probability of each word of `vocabulary` by its rank in `ranked`, words in order of frequency.

    Zipf-Mandelbrot, 1 / (rank + 2.7); 0 for a word that `ranked` does not have; the probabilities of `ranked` add to 1.
    """
    mass = 1.0 / (np.arange(len(ranked)) + 3.7)
    mass /= mass.sum() if len(ranked) else 1.0
    rank = {word: i for i, word in reversed(list(enumerate(ranked)))}
    return np.array([mass[rank[w]] if w in rank else 0.0 for w in vocabulary], np.float32)


_log_gamma = np.frompyfunc(math.lgamma, 1, 1)


def _rising(start: Floats, steps: IntArray) -> npt.NDArray[np.float64]:
    """log2 of start (start + 1) ... (start + steps - 1), element by element."""
    nats = _log_gamma(start + steps) - _log_gamma(start)
    return np.asarray(nats, np.float64) / math.log(2)


def _general_rarity(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    known = p > 0
    rarity = np.ones(len(p))
    if known.any():
        high, low = p[known].max(), p[known].min()
        rarity[known] = np.log(high / p[known]) / np.log(high / low) if high > low else 0.0
    return rarity


def _general(vocabulary: Sequence[str], background: Floats | None) -> npt.NDArray[np.float64]:
    """(v,) probability of each word in general text: the given one, or its spelling's."""
    letters: dict[str, int] = {}
    for word in vocabulary:
        for letter in word:
            letters[letter] = letters.get(letter, 0) + 1
    total = sum(letters.values()) + len(vocabulary) + len(letters)
    cost = {letter: np.log2(total / (count + 1)) for letter, count in letters.items()}
    stop = np.log2(total / len(vocabulary)) if vocabulary else 0.0  # the end of the word is a letter too
    spelled: npt.NDArray[np.float64] = np.exp2(
        -np.array([stop + sum(cost[letter] for letter in word) for word in vocabulary])
    )
    if background is None:
        return spelled
    p = np.asarray(background, np.float64)
    mixed: npt.NDArray[np.float64] = np.where(p > 0, (1 - _SPELLED) * p, _SPELLED * spelled)
    return mixed
