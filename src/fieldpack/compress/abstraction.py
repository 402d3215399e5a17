"""Levels of abstraction (design text, section 4.2.2), as far as choosing reaches: a model would paraphrase."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fieldpack.compress.counting import Counting, tokenizer_of
from fieldpack.compress.extract import extract
from fieldpack.compress.rank import Embed
from fieldpack.compress.rewrite import restructure
from fieldpack.protocols import Tokenizer
from fieldpack.words import words_of

SHARES = (1.0, 1.0, 0.5, 0.25, 0.1)
"""Of the text's tokens: as it is, restructured, its important half, its gist, its key terms."""


def abstraction_levels(text: str, tokenizer: Counting = None, embed: Embed | None = None) -> tuple[str, ...]:
    """Five texts, each no longer in tokens than the one before: verbatim, restructured, half, quarter, key terms.

    Levels 2 and 3 are sentences of the text, level 4 its most telling words. Where a level comes out empty (one
    sentence does not fit a quarter) it is the key terms.
    """
    counter = tokenizer_of(tokenizer)
    whole = counter.count(text)
    levels = [text, restructure(text)]
    if counter.count(levels[1]) > whole:
        levels[1] = text
    for share in SHARES[2:4]:
        budget = int(share * whole)
        levels.append(extract(text, budget, counter, embed) or key_terms(text, budget, counter))
    levels.append(key_terms(text, int(SHARES[4] * whole), counter))
    for at in range(1, len(levels)):
        if counter.count(levels[at]) > counter.count(levels[at - 1]):
            levels[at] = levels[at - 1]
    return tuple(levels)


def key_terms(text: str, budget: int, tokenizer: Counting = None) -> str:
    """The most telling words of `text` within `budget` tokens, in the order of their first use, joined by ", ".

    Words rank by how often they occur times their length in letters, a language-free stand-in for rarity (short words
    are the frequent ones: Zipf's law of abbreviation); words of one or two letters and numbers alone are left out.
    """
    counter = tokenizer_of(tokenizer)
    words = words_of([text])
    counts = np.bincount(words.ids, minlength=len(words.vocabulary)).tolist()
    telling = [i for i, w in enumerate(words.vocabulary) if not w.isdigit() and (len(w) > 2 or not w.isascii())]
    telling.sort(key=lambda i: (-(counts[i] ** 0.5) * len(words.vocabulary[i]), i))
    return _as_many(words.vocabulary, telling, budget, counter)


def _as_many(vocabulary: Sequence[str], ranked: Sequence[int], budget: int, counter: Tokenizer) -> str:
    low, high = 0, len(ranked)
    while low < high:
        middle = (low + high + 1) // 2
        line = ", ".join(vocabulary[i] for i in sorted(ranked[:middle]))
        low, high = (middle, high) if counter.count(line) <= budget else (low, middle - 1)
    return ", ".join(vocabulary[i] for i in sorted(ranked[:low]))
