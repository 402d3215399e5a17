"""Texts as flat word ids: read once, then shared by the static vectors, BM25 and token resonance."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.types import BoolArray, IntArray
from fieldpack.words.splitting import chunks, is_symbol, words_of_chunk

_REMEMBERED = 64
"""Characters of a chunk that is remembered while texts are read; longer ones seldom come twice."""

_BEFORE = "'\"()[]{}<>,;:!?*`“”‘’«»…"
_AFTER = _BEFORE + "."
"""Signs around a piece that are no part of its words, so that "word," is read as "word" was."""
_SIGNS = str.maketrans(dict.fromkeys("!?;()[]{}\"'`*=|^<", " "))
_SIGNS_AND_COMMA = _SIGNS | {ord(","): " "}
"""ASCII signs that join nothing, and the comma, which joins the digits of 1,000 alone."""
_THOUSANDS = re.compile(r",\d\d\d")
_COMMA = re.compile(r",(?:(?<!\d,)|(?!\d{3}(?!\d)))")
_PART = re.compile(r"[^!?;()\[\]{}\"'`*=|^<“”‘’«»…]+")
_END = "\0"
_AFTER_TEXT = f"\n{_END}\n"
"""A piece of its own after each text of a batch."""
_BATCH = 20_000
"""Characters from which texts are no longer gathered for one reading."""


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
        return self.offsets[1:] - self.offsets[:-1]

    @cached_property
    def symbols(self) -> BoolArray:
        """(u,) which words of the vocabulary are names with signs as a whole (`a.b.c`), written besides their parts."""
        return symbols_of(self.vocabulary)

    @property
    def places(self) -> npt.NDArray[np.int64]:
        """(n,) words per text as a reader counts them: a name with signs counts as its parts."""
        count = np.concatenate(([0], np.cumsum(self.symbols[self.ids])))
        return np.asarray(self.lengths - np.diff(count[self.offsets]), np.int64)


def symbols_of(words: Sequence[str]) -> BoolArray:
    """(u,) which words are names with signs as a whole."""
    out = ~np.fromiter(map(str.isalnum, words), np.bool_, len(words))
    for place in out.nonzero()[0].tolist():  # few
        out[place] = is_symbol(words[place])
    return out


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
            row += np.add.reduce(vectors.take(words.ids[block : min(block + _BLOCK, end)], 0))
    return out


def distinct(keys: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """np.unique of integers (m,) by sorting: ten times as fast as numpy's own, which hashes first."""
    ordered = np.sort(keys)
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))] if len(ordered) else ordered


_remembered = lru_cache(maxsize=1 << 15)(words_of_chunk)
"""Words of short chunks, from one reading to the next: names come again in the texts of one user."""


class _Numbers(dict[str, int]):
    """Piece of text -> the number of its word, or -2 - k where it is not one word: `several[k]` has their numbers.

    A word that is not in `index` gets the next number.
    """

    def __init__(self, index: dict[str, int]) -> None:
        super().__init__({_END: -1})
        self.several: list[tuple[int, ...]] = []
        self._index = index

    def __missing__(self, piece: str) -> int:
        index = self._index
        if piece.isascii():  # a word of prose or a number, nothing to take apart: most of what is new in a text
            if (piece.islower() and piece.isalpha()) or piece.isdigit():
                self[piece] = number = index.setdefault(piece, len(index))
                return number
            if piece.isalpha() and (piece.istitle() or piece.isupper()):
                self[piece] = number = index.setdefault(piece.lower(), len(index))
                return number
        short = len(piece) <= _REMEMBERED
        core = piece.rstrip(_AFTER).lstrip(_BEFORE)
        if core != piece:
            number = self[core]
        elif len(parts := _parts(piece)) > 1:
            number = self._number(tuple(chain.from_iterable([self.words(self[part]) for part in parts])))
        else:
            words = _remembered(piece) if short else words_of_chunk(piece)
            number = self._number(tuple([index.setdefault(word, len(index)) for word in words]))
        if short:
            self[piece] = number
        return number

    def _number(self, words: tuple[int, ...]) -> int:
        """The number of a piece of these words."""
        if len(words) == 1:
            return words[0]
        self.several.append(words)
        return -1 - len(self.several)

    def words(self, number: int) -> tuple[int, ...]:
        """The numbers of the words of a piece, given its own."""
        return (number,) if number >= -1 else self.several[-2 - number]

    def of(self, pieces: list[str]) -> npt.NDArray[np.int32]:
        """The words of pieces one after another, -1 for `_END`."""
        numbers = np.fromiter(map(self.__getitem__, pieces), np.int32, len(pieces))
        places = np.flatnonzero(numbers < -1)
        if not len(places):
            return numbers
        several = [self.several[k] for k in (-2 - numbers[places]).tolist()]
        counts = np.ones(len(numbers), np.int64)
        counts[places] = np.fromiter(map(len, several), np.int64, len(several))
        out = np.repeat(numbers, counts)
        out[out < -1] = np.fromiter(chain.from_iterable(several), np.int32)
        return out


def _parts(piece: str) -> list[str]:
    """A piece cut at signs that join nothing."""
    if not piece.isascii():
        return _PART.findall(piece)
    return _COMMA.split(piece) if "," in piece else [piece]


def _pieces(text: str) -> list[str]:
    """A text cut where no word goes on: at white space, and in ASCII at the signs that join nothing."""
    if not text.isascii():
        return chunks(text)
    thousands = _THOUSANDS.search(text) is not None
    text = _COMMA.sub(" ", text.translate(_SIGNS)) if thousands else text.translate(_SIGNS_AND_COMMA)
    return text.replace(". ", "  ").replace(".\n", " \n").replace(", ", "  ").split()


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """The pieces of texts in order, with `_END` after each, of as many texts at a time as make up a batch: what is done
    once for a batch costs little for each of its texts. Those in ASCII are cut apart from others."""
    pieces, size = list[str](), 0
    for _, group in groupby(texts, str.isascii):
        run = list[str]()
        for text in group:
            run.append((text.replace(_END, " ") if _END in text else text) + _AFTER_TEXT)
            size += len(text)
            if size > _BATCH:
                yield pieces + _pieces("".join(run))
                pieces, run, size = [], [], 0
        if run:
            pieces += _pieces("".join(run))
    if pieces:
        yield pieces


def words_of(texts: Iterable[str], vocabulary: Sequence[str] = (), known: Mapping[str, int] | None = None) -> Words:
    """All words of all texts. `vocabulary`, when given, comes first, so that several calls can share ids; `known`: its
    words with their ids, when they are at hand."""
    index = dict(known or {w: i for i, w in enumerate(vocabulary)})
    numbers = _Numbers(index)
    parts = [numbers.of(pieces) for pieces in _batches(texts)]
    flat = np.concatenate(parts) if parts else np.empty(0, np.int32)
    ends = np.flatnonzero(flat < 0)
    offsets = np.concatenate((np.zeros(1, np.int64), ends - np.arange(len(ends))))
    return Words(list(index), flat[flat >= 0], offsets)


def ranges(first: IntArray, last: IntArray) -> IntArray:
    """The integers of all [first, last) one after another."""
    sizes = last - first
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) - np.repeat(ends - sizes - first, sizes), np.int64)
