"""Texts as flat word ids: read once, then shared by the static vectors, BM25 and token resonance.

A word is a maximal run of letters and digits, lower-cased with accents removed, as BERT's uncased pre-tokenizer has it;
every CJK character (kana too, which BERT keeps together) is a word of its own. Punctuation is not a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.types import IntArray

# Scripts written without spaces, where one character is the unit: Han, kana, and their extensions (Hangul has spaces).
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f"
_WORD_ASCII = re.compile(r"[a-z0-9]+")
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_MARKS = re.compile("[\u0300-\u036f]+")


@dataclass(frozen=True, eq=False)
class Words:
    """`ids[offsets[i]:offsets[i + 1]]` are the words of text i, as indices into `vocabulary` (in order of first sight).

    ids: int32 (m,); offsets: int64 (n + 1,).
    """

    vocabulary: list[str]
    ids: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(n,) words per text."""
        return np.diff(self.offsets)


def split(text: str) -> list[str]:
    """The words of one text, in order."""
    if text.isascii():
        return _WORD_ASCII.findall(text.lower())
    # Marks are dropped after decomposition, so that "é" and "e\u0301" are one word with "e".
    return _WORD.findall(_MARKS.sub("", unicodedata.normalize("NFD", text.lower())))


_BLOCK = 4096
"""Words of one text gathered at once, so that a text of any length takes a few megabytes."""


def sums(vectors: npt.NDArray[np.float32], words: Words) -> npt.NDArray[np.float32]:
    """(n, d) sum of each text's word vectors (u, d).

    One text at a time: its words stay in the processor's cache (2-10 times the speed of np.add.reduceat over all), and
    no other text has a part in the order of addition.
    """
    out = np.zeros((len(words), vectors.shape[1]), np.float32)
    bounds = words.offsets.tolist()
    for row, start, end in zip(out, bounds, bounds[1:], strict=False):
        for block in range(start, end, _BLOCK):
            row += vectors.take(words.ids[block : min(block + _BLOCK, end)], 0).sum(0)
    return out


def distinct(keys: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """np.unique of integers (m,) by sorting: ten times as fast as numpy's own, which hashes first."""
    ordered = np.sort(keys)
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))] if len(ordered) else ordered


def words_of(texts: Iterable[str], vocabulary: Sequence[str] = (), known: Mapping[str, int] | None = None) -> Words:
    """All words of all texts. `vocabulary`, when given, comes first, so that several calls can share ids; `known`: its
    words with their ids, when they are at hand."""
    index: defaultdict[str, int] = defaultdict(None, known or {w: i for i, w in enumerate(vocabulary)})
    index.default_factory = index.__len__
    flat: list[int] = []
    ends = [0]
    lookup = index.__getitem__
    for text in texts:
        flat.extend(map(lookup, split(text)))
        ends.append(len(flat))
    return Words(list(index), np.array(flat, np.int32), np.array(ends, np.int64))


def ranges(first: IntArray, last: IntArray) -> IntArray:
    """The integers of all [first, last) one after another."""
    sizes = last - first
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) - np.repeat(ends - sizes - first, sizes), np.int64)
