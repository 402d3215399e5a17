"""Texts as flat word ids: read once, then shared by the static vectors, BM25 and token resonance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.types import BoolArray, IntArray
from fieldpack.words.splitting import chunks, is_symbol, words_of_chunk

_REMEMBERED = 64
"""Characters of a chunk that is remembered while texts are read; longer ones seldom come twice."""

_BEFORE = "'\"()[]{}<>,;:!?*`“”‘’«»…"
_AFTER = _BEFORE + "."
"""Signs around a chunk that are no part of its words, so that "word," is read as "word" was."""


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
        """(n,) words per text, names as a whole counted besides their parts."""
        return np.diff(self.offsets)

    @cached_property
    def symbols(self) -> BoolArray:
        """(u,) which words of the vocabulary are names with signs as a whole (`a.b.c`), written besides their parts."""
        whole = (not word.isalnum() and is_symbol(word) for word in self.vocabulary)
        return np.fromiter(whole, np.bool_, len(self.vocabulary))

    @property
    def places(self) -> npt.NDArray[np.int64]:
        """(n,) words per text as a reader counts them: a name with signs counts as its parts."""
        count = np.concatenate(([0], np.cumsum(self.symbols[self.ids])))
        return np.asarray(self.lengths - np.diff(count[self.offsets]), np.int64)


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


class _Ids(dict[str, tuple[int, ...]]):
    """Chunk -> the ids of its words; a word that is not in `index` gets the next number."""

    def __init__(self, index: dict[str, int]) -> None:
        super().__init__()
        self._index = index

    def __missing__(self, chunk: str) -> tuple[int, ...]:
        index = self._index
        if chunk.isalpha() and chunk.isascii() and (chunk.islower() or chunk.istitle()):
            # A word of prose, nothing to take apart: most of what is new in a text.
            self[chunk] = alone = (index.setdefault(chunk.lower(), len(index)),)
            return alone
        core = chunk.rstrip(_AFTER).lstrip(_BEFORE)
        if core != chunk:
            ids = self[core]
        else:
            ids = tuple([index.setdefault(word, len(index)) for word in words_of_chunk(chunk)])
        if len(chunk) <= _REMEMBERED:
            self[chunk] = ids
        return ids


def words_of(texts: Iterable[str], vocabulary: Sequence[str] = (), known: Mapping[str, int] | None = None) -> Words:
    """All words of all texts. `vocabulary`, when given, comes first, so that several calls can share ids; `known`: its
    words with their ids, when they are at hand."""
    index = dict(known or {w: i for i, w in enumerate(vocabulary)})
    flat: list[int] = []
    ends = [0]
    lookup = _Ids(index).__getitem__
    for text in texts:
        flat.extend(chain.from_iterable(map(lookup, chunks(text))))
        ends.append(len(flat))
    return Words(list(index), np.array(flat, np.int32), np.array(ends, np.int64))


def ranges(first: IntArray, last: IntArray) -> IntArray:
    """The integers of all [first, last) one after another."""
    sizes = last - first
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) - np.repeat(ends - sizes - first, sizes), np.int64)
