"""Static vectors: a table of word-piece vectors distilled from a sentence embedder. No neural network, no torch.

A word's vector is the sum of its pieces' rows; its length is the word's weight. A text's vector is the unit-length sum
of its words' vectors (the mean of a sentence embedder, with frequent words weighed down: Arora et al. 2017).
A word that the table does not know (a script it lacks, letters one by one, a code with digits) has a direction made of
its own letters, so that it is like itself, like words that share most of its letters in a row, and like no other. A
name with signs as a whole (`a.b.c`) has none: its parts speak for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fieldpack import assets
from fieldpack.embed.wordpiece import LONGEST_WORD, UNKNOWN, wordpieces
from fieldpack.errors import AssetError
from fieldpack.storage import sha256_of_file
from fieldpack.types import FloatArray, IntArray
from fieldpack.words import Words, fold, is_symbol, sums, words_of

TYPICAL_WEIGHT = np.float32(1.2)
"""Weight of a word that the table does not know: in the middle of those of rare English words."""
_SHORT = 3
_RULES = 2
"""How a text becomes words and these vectors; other rules, other rows."""
_REMEMBERED_WORDS = 1 << 17
_WORDS_AT_ONCE = 1 << 14
"""Words whose pieces are looked up at once, which bounds memory: an unknown word has five pieces and more."""


class StaticEmbedder:
    """Texts to unit rows by table look-up. A row depends on its own text only, to the last bit.

    `folder` holds vectors.safetensors (int8 "rows" (v, d), float32 "scale" (v,), row i * scale i = piece i) and
    vocab.txt (line i names row i); by default the table that ships with fieldpack, whose checksum is verified.
    Raises AssetError when a file is missing or is not such a table.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        weights = _file(folder, "vectors.safetensors")
        arrays = read_safetensors(weights)
        try:
            # As a plain array over the mapped memory: each look-up in a memmap makes another one, which costs more.
            self._rows, self._scale = np.asarray(arrays["rows"]), np.asarray(arrays["scale"], np.float32)
            words = _file(folder, "vocab.txt").read_text("utf-8").removesuffix("\n").split("\n")
            self._vocabulary = {word: row for row, word in enumerate(words)}
            self._unknown = self._vocabulary[UNKNOWN]
            for word in [w for w in words if len(w) > 3 and w.isalpha() and not w.isascii()]:
                self._vocabulary.setdefault(fold(word).casefold(), self._vocabulary[word])
        except (KeyError, UnicodeDecodeError) as error:
            raise AssetError(f"{weights.parent} holds no table of static vectors (found no {error})") from error
        if not (self._rows.ndim == 2 and len(self._rows) == len(self._scale) == len(words)):
            shapes = f"{self._rows.shape} rows, {len(self._scale)} scales, {len(words)} words"
            raise AssetError(f"{weights.parent} holds no table of static vectors: {shapes}")
        self._longest = max(map(len, self._vocabulary))
        self._fingerprint = f"static-{self.dims}.{_RULES}:{_digest(folder, weights)[:16]}"
        self._pieces = lru_cache(maxsize=_REMEMBERED_WORDS)(self._pieces_of)

    def __reduce__(self) -> tuple[type[StaticEmbedder], tuple[Path | None]]:
        """Sent to another process as its folder: the table is memory-mapped there, not copied."""
        return StaticEmbedder, (self._folder,)

    @property
    def dims(self) -> int:
        return int(self._rows.shape[1])

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, dims), every row of length 1."""
        return self.embed_words(words_of(texts))

    def embed_words(self, words: Words) -> FloatArray:
        """float32 (n, dims) for texts already read as words. A text without words gets the unknown word's direction."""
        return unit_sums(self.word_vectors(words.vocabulary), words, self._row(self._unknown))

    def word_vectors(self, vocabulary: Sequence[str]) -> FloatArray:
        """float32 (u, dims), not normalised: a row's length is the word's weight. The array is the caller's own."""
        if len(vocabulary) <= _WORDS_AT_ONCE:
            return self._summed(vocabulary)
        out = np.empty((len(vocabulary), self.dims), np.float32)
        for start in range(0, len(vocabulary), _WORDS_AT_ONCE):
            out[start : start + _WORDS_AT_ONCE] = self._summed(vocabulary[start : start + _WORDS_AT_ONCE])
        return out

    def _summed(self, vocabulary: Sequence[str]) -> FloatArray:
        pieces = list(map(self._pieces, vocabulary))
        first = np.fromiter((rows[0] for rows in pieces), np.intp, len(pieces))
        vectors = self._row(first)
        several = [k for k, rows in enumerate(pieces) if len(rows) > 1]
        if several:
            self._add_pieces(vectors, several, pieces)
        strange = np.flatnonzero(first == self._unknown).tolist()
        if strange:
            vectors[strange] = 0
            own = [k for k in strange if not is_symbol(vocabulary[k])]
            vectors[own] = TYPICAL_WEIGHT * spelled([vocabulary[k] for k in own], self.dims)
        return vectors

    def _add_pieces(self, vectors: FloatArray, words: list[int], pieces: list[list[int]]) -> None:
        """Adds to the vectors of some words those of their further pieces, place by place, so that the order of
        addition within a word is fixed."""
        place = 1
        while words:
            vectors[words] += self._row(np.array([pieces[k][place] for k in words], np.intp))
            place += 1
            words = [k for k in words if len(pieces[k]) > place]

    def _pieces_of(self, word: str) -> list[int]:
        """The rows of a word's pieces; the unknown one alone where these say nothing about it: symbols as a whole, a
        word letter by letter, one that is partly digits."""
        if not word.isalpha():  # known as a whole or not at all; most names with signs are not
            return [self._vocabulary.get(word, self._unknown) if len(word) <= LONGEST_WORD else self._unknown]
        rows = wordpieces(word, self._vocabulary, self._longest)
        return [self._unknown] if 1 < len(rows) == len(word) else rows

    def known(self, words: Words) -> float:
        """Share in [0, 1] of the word occurrences that the table holds whole; a language it knows is well above 0.7.
        Names with signs count as known: they belong to no language, and their parts count besides."""
        known = np.fromiter(map(self._vocabulary.__contains__, words.vocabulary), np.bool_, len(words.vocabulary))
        return float((known | words.symbols)[words.ids].mean()) if len(words.ids) else 0.0

    def _row(self, row: int | IntArray) -> FloatArray:
        """float32 (dims,) or (k, dims): a row of the table, or some."""
        vectors: FloatArray = self._rows[row].astype(np.float32)
        vectors *= self._scale[row, None]
        return vectors


def spelled(words: Sequence[str], dims: int) -> FloatArray:
    """float32 (u, dims) unit rows: the direction of a word is the sum of those of its groups of three letters (ends
    marked) and of the word itself; a word with digits has its own alone. A group's direction is random and fixed, so
    that two are nearly at right angles (random indexing: Kanerva et al. 2000; groups of letters: Bojanowski et al.
    2017)."""
    groups = [_groups(word) for word in words]
    number = {group: k for k, group in enumerate(dict.fromkeys(g for some in groups for g in some))}
    flat = np.array([number[g] for some in groups for g in some], np.intp)
    counts = np.fromiter(map(len, groups), np.intp, len(groups))
    starts = np.cumsum(counts) - counts
    signs = _signs([_key(group) for group in number], dims)
    total = signs[flat[starts]]
    for place in range(1, int(counts.max(initial=0))):  # some times as fast as np.add.reduceat
        longer = np.flatnonzero(counts > place)
        total[longer] += signs[flat[starts[longer] + place]]
    sums: FloatArray = total.astype(np.float32)
    sums /= np.maximum(np.sqrt(np.einsum("ud,ud->u", sums, sums)), 1)[:, None]
    return sums


def _key(group: str) -> int:
    """64 bits of a group of letters: its own bytes while they are eight at most, else a digest of them."""
    encoded = group.encode("utf-8", "surrogatepass")
    return int.from_bytes(encoded if len(encoded) <= 8 else hashlib.blake2b(encoded, digest_size=8).digest(), "little")


def _signs(keys: Sequence[int], dims: int) -> npt.NDArray[np.int16]:
    """int16 (k, dims) of -1 and 1: SplitMix64 (Steele et al. 2014) from each key, the same on every machine."""
    step = np.arange(1, -(-dims // 64) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = np.array(keys, np.uint64)[:, None] + step
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    x ^= x >> np.uint64(31)
    bits = np.unpackbits(x.astype("<u8").view(np.uint8), axis=1)[:, :dims]
    return 2 * bits.astype(np.int16) - 1


def _groups(word: str) -> list[str]:
    """The word between marks of its ends, and what it shares with others: its groups of three signs. Short words and
    codes share nothing (measured on Arabic: from four letters on is best)."""
    marked = f"<{word}>"
    if not _SHORT < len(word) <= LONGEST_WORD or any(c.isdigit() for c in word):
        return [marked]
    return [marked, *(marked[k : k + 3] for k in range(len(marked) - 2))]


def unit_sums(vectors: FloatArray, words: Words, empty: FloatArray) -> FloatArray:
    """float32 (n, d): the unit-length sum of each text's word vectors (u, d); `empty` (d,) where that sum is zero."""
    rows = sums(vectors, words)
    norms = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    blank = norms < 1e-12
    rows[blank] = empty
    norms[blank] = np.sqrt(empty @ empty)
    rows /= norms[:, None]
    return rows


def read_safetensors(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Memory-mapped arrays of a .safetensors file, by name. Raises AssetError when it is none.

    The format: 8 bytes of header length, a JSON header, raw little-endian data. Read by hand although the package
    `safetensors` is installed, because its numpy reader copies every array: for the shipped table
    7.6 MB of memory more in every process, and 6 ms at each start in place of 0.4 ms.
    """
    kinds = {"I8": "i1", "F16": "<f2", "F32": "<f4"}
    try:
        with path.open("rb") as f:
            size = int.from_bytes(f.read(8), "little")
            header = json.loads(f.read(size))
        header.pop("__metadata__", None)
        raw = np.memmap(path, np.uint8, "r", offset=8 + size)
        return {
            name: raw[slice(*entry["data_offsets"])].view(kinds[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in header.items()
        }
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise AssetError(f"{path} is no readable .safetensors file: {error}") from error


def _file(folder: Path | None, name: str) -> Path:
    if folder is None:
        return assets.verified(f"static/{name}")
    if not (folder / name).is_file():
        raise AssetError(f"{folder} has no {name}; a static model is a folder with vectors.safetensors and vocab.txt")
    return folder / name


def _digest(folder: Path | None, weights: Path) -> str:
    # The manifest's checksum can be used: `assets.verified` has compared it with the file.
    return str(assets.manifest()["files"]["static/vectors.safetensors"]) if folder is None else sha256_of_file(weights)
