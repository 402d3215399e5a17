"""Static vectors: a table of word-piece vectors distilled from a sentence embedder. No neural network, no torch.

A word's vector is the sum of its pieces' rows; its length is the word's weight. A text's vector is the unit-length sum
of its words' vectors (the mean of a sentence embedder, with frequent words weighed down: Arora et al. 2017).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fieldpack import assets
from fieldpack.embed.wordpiece import UNKNOWN, wordpieces
from fieldpack.errors import AssetError
from fieldpack.storage import sha256_of_file
from fieldpack.types import FloatArray
from fieldpack.words import Words, sums, words_of

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
            self._rows, self._scale = arrays["rows"], np.asarray(arrays["scale"], np.float32)
            words = _file(folder, "vocab.txt").read_text("utf-8").removesuffix("\n").split("\n")
            self._vocabulary = {word: row for row, word in enumerate(words)}
            self._unknown = self._vocabulary[UNKNOWN]
        except (KeyError, UnicodeDecodeError) as error:
            raise AssetError(f"{weights.parent} holds no table of static vectors (found no {error})") from error
        if not (self._rows.ndim == 2 and len(self._rows) == len(self._scale) == len(words)):
            shapes = f"{self._rows.shape} rows, {len(self._scale)} scales, {len(words)} words"
            raise AssetError(f"{weights.parent} holds no table of static vectors: {shapes}")
        self._fingerprint = f"static-{self.dims}:{_digest(folder, weights)[:16]}"
        self._pieces = lru_cache(maxsize=_REMEMBERED_WORDS)(lambda word: wordpieces(word, self._vocabulary))

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
        pieces = [self._pieces(word) for word in vocabulary]
        flat = np.array([row for rows in pieces for row in rows], np.intp)
        vectors = self._rows[flat].astype(np.float32)
        vectors *= self._scale[flat, None]
        if len(flat) == len(pieces):
            return vectors
        counts = np.fromiter(map(len, pieces), np.intp, len(pieces))
        starts = np.cumsum(counts) - counts
        sums: FloatArray = vectors[starts]
        # Pieces are added place by place, so that the order of addition within a word is fixed.
        for place in range(1, int(counts.max())):
            longer = np.flatnonzero(counts > place)
            sums[longer] += vectors[starts[longer] + place]
        return sums

    def known(self, words: Words) -> float:
        """Share in [0, 1] of the word occurrences that the table holds whole; a language it knows is well above 0.7."""
        whole = np.fromiter((w in self._vocabulary for w in words.vocabulary), np.bool_, len(words.vocabulary))
        return float(whole[words.ids].mean()) if len(words.ids) else 0.0

    def _row(self, row: int) -> FloatArray:
        vector: FloatArray = self._rows[row].astype(np.float32) * self._scale[row]
        return vector


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
