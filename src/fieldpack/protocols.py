"""The seams of fieldpack: pass an object that fits; there is no registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from fieldpack.types import FloatArray, IntArray

Progress = Callable[[str, int, int], None]
"""Called as progress(stage, done, total) from long work; the CLI draws it, the library prints nothing."""


@runtime_checkable
class Embedder(Protocol):
    """Texts to unit rows. Order is kept, a row does not depend on the call's other texts, [] gives shape (0, dims)."""

    @property
    def dims(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """Names model, weights and pooling: equal fingerprints give equal vectors (it keys the cache)."""
        ...

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, dims), every row of length 1."""
        ...


@runtime_checkable
class Tokenizer(Protocol):
    """Counts tokens as the target model would; special-token text counts as plain text."""

    @property
    def name(self) -> str: ...

    def count(self, text: str) -> int: ...

    def count_many(self, texts: Sequence[str]) -> IntArray:
        """(n,) counts of each text alone."""
        ...
