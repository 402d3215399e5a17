"""Texts as flat word ids: read once, then shared by the static vectors, BM25 and token resonance."""

from fieldpack.words.flat import Words, distinct, ranges, sums, symbols_of, words_of
from fieldpack.words.folding import fold
from fieldpack.words.splitting import (
    chunks,
    is_symbol,
    query_weights,
    shared_wording,
    split,
    split_with_offsets,
    unspaced,
)
from fieldpack.words.stems import stem_of

__all__ = [
    "Words",
    "chunks",
    "distinct",
    "fold",
    "is_symbol",
    "query_weights",
    "ranges",
    "shared_wording",
    "split",
    "split_with_offsets",
    "stem_of",
    "sums",
    "symbols_of",
    "unspaced",
    "words_of",
]
