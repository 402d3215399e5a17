"""The importance of each unit of a text: its centrality in the text, times the facts that it holds.

n texts, v words, p pairs of a text and one of its words. No language model; everything O(p) or O(n d) per step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.errors import InputError
from fieldpack.words import words_of

Doubles = npt.NDArray[np.float64]
Embed = Callable[[Sequence[str]], npt.NDArray[np.floating[Any]]]

_DAMPING = 0.85
_STEPS = 50
_FACT = re.compile(r"(?<!^)\b[^\W\d_a-z]\w+|\d[\d.,:/%-]*")


@dataclass(frozen=True, eq=False)
class Lexical:
    """Texts as unit tf-idf rows, sparse: `value[i]` of word `word[i]` in text `text[i]`; n texts, v words."""

    text: npt.NDArray[np.int64]
    word: npt.NDArray[np.int64]
    value: Doubles
    n: int
    v: int

    def times(self, weights: Doubles) -> Doubles:
        """(n,) X w for w (v,)."""
        return _sums(self.text, self.value * weights[self.word], self.n)

    def transposed_times(self, weights: Doubles) -> Doubles:
        """(v,) X^T w for w (n,)."""
        return _sums(self.word, self.value * weights[self.text], self.v)


def lexical(texts: Sequence[str]) -> Lexical:
    """tf-idf rows: log(1 + tf) log((n + 1) / df), scaled to length 1 (a text without words has a zero row)."""
    words = words_of(texts)
    n, v = len(words), max(len(words.vocabulary), 1)
    pairs, tf = np.unique(np.repeat(np.arange(n), words.lengths) * v + words.ids, return_counts=True)
    text, word = pairs // v, pairs % v
    df = np.bincount(word, minlength=v)
    value = np.log1p(tf) * np.log((n + 1) / np.maximum(df, 1))[word]
    norms = np.sqrt(_sums(text, value * value, n))
    return Lexical(text, word, value / np.maximum(norms, 1e-12)[text], n, v)


def centrality(texts: Sequence[str], embed: Embed | None = None) -> Doubles:
    """(n,) share of a random walk's time, adding to 1: continuous LexRank (Erkan & Radev 2004) without a matrix.

    The walk goes from a text to another in proportion to their similarity, X X^T: of tf-idf rows, or of embed(texts)
    (n, d). Each step is two products with X, so n x n is never built.
    """
    n = len(texts)
    if n < 3:
        return np.full(n, 1 / max(n, 1))
    if embed is None:
        rows = lexical(texts)
        return _walk(lambda w: rows.times(rows.transposed_times(w)), n)
    vectors = np.asarray(embed(texts), np.float64)
    if vectors.ndim != 2 or len(vectors) != n:
        raise InputError(f"embed gave shape {vectors.shape} for {n} texts; it must give one row a text")
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return _walk(lambda w: vectors @ (vectors.T @ w), n)


def facts(texts: Sequence[str]) -> Doubles:
    """(n,) 1 + distinct names (capitals not at the start) and numbers of each text."""
    return np.array([1.0 + len(set(_FACT.findall(text))) for text in texts])


def importance(texts: Sequence[str], embed: Embed | None = None) -> Doubles:
    """(n,) sqrt(n centrality) x facts: what extraction ranks by, per token.

    Centrality alone keeps the answers to later questions no better than chance does; with facts it keeps more.
    """
    return np.sqrt(centrality(texts, embed) * len(texts)) * facts(texts)


def overlap(texts: Sequence[str], query: str) -> Doubles:
    """(n,) tf-idf cosine of each text to `query`, in [0, 1]; the default relevance where no better one is given."""
    rows = lexical([*texts, query])
    own = np.zeros(rows.n)
    own[-1] = 1.0
    cosine: Doubles = np.clip(rows.times(rows.transposed_times(own))[:-1], 0.0, 1.0)
    return cosine


def _sums(groups: npt.NDArray[np.int64], values: Doubles, size: int) -> Doubles:
    return np.bincount(groups, values, minlength=size).astype(np.float64)


def _walk(similar: Callable[[Doubles], Doubles], n: int) -> Doubles:
    own = np.ones(n)
    # Without its own similarity (1, or 0 for an empty row) a text cannot vote for itself.
    degree = similar(own) - 1.0
    alone = degree < 1e-9
    inverse = np.where(alone, 0.0, 1.0 / np.where(alone, 1.0, degree))
    rank: Doubles = np.full(n, 1.0 / n)
    for _ in range(_STEPS):
        flow = rank * inverse
        fresh: Doubles = np.maximum(similar(flow) - flow, 0.0) * _DAMPING
        fresh += (1.0 - fresh.sum()) / n  # the weight of texts without a similar one goes to all alike
        if np.abs(fresh - rank).sum() < 1e-9:
            return fresh
        rank = fresh
    return rank
