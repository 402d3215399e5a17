"""HashEmbedder: vectors from hashes of words, for tests, examples and documentation. No model, no file, no network."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fieldpack.checks import whole
from fieldpack.embed.validate import blank_row, check_texts, is_blank, unit_rows
from fieldpack.types import FloatArray
from fieldpack.words import split


class HashEmbedder:
    """Texts that share words have similar rows; other texts have nearly orthogonal ones.

    The row of a text is the sum of one fixed pseudo-random vector per word (from the word's BLAKE2b hash), made unit.
    Sums are of integers, so the bits are the same in every process, batch and machine.
    """

    def __init__(self, dims: int = 64) -> None:
        whole("dims", dims, 1, 1_000_000)
        self.dims = dims
        self.fingerprint = f"hash-words-1:{dims}"

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, dims) unit rows."""
        listed = check_texts(texts)
        rows = np.zeros((len(listed), self.dims), np.float32)
        for i, text in enumerate(listed):
            rows[i] = blank_row(self.dims) if is_blank(text) else self._row(text)
        return rows

    def _row(self, text: str) -> FloatArray:
        total = np.zeros(self.dims, np.int64)
        for word in split(text) or [text]:
            total += _word_vector(word, self.dims)
        if not total.any():
            total += 1
        row: FloatArray = unit_rows(total[None, :].astype(np.float64), 1, self.dims, "HashEmbedder")[0]
        return row


@functools.lru_cache(maxsize=65536)
def _word_vector(word: str, dims: int) -> npt.NDArray[np.int64]:
    """(dims,) integers in [-128, 127]."""
    seed = word.encode("utf-8", "surrogatepass")
    blocks = (hashlib.blake2b(seed, salt=k.to_bytes(8, "little")).digest() for k in range(-(-dims // 64)))
    return np.frombuffer(b"".join(blocks), np.int8)[:dims].astype(np.int64)
