"""Foreign objects as embedders: a function, or an object with embed, encode or embed_documents."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

from fieldpack.embed.rows import RowError, unit_rows
from fieldpack.errors import EmbeddingError, FieldpackError
from fieldpack.types import FloatArray

PROBE = "The quick brown fox jumps over the lazy dog; fieldpack 1 2 3."
"""Embedded once to learn the width of an embedder that does not state it."""

METHODS = ("embed", "encode", "embed_documents")
"""What an object may be called by, in this order; a plain callable comes last."""


def function_of(model: object) -> Callable[[list[str]], Any] | None:
    """How `model` turns texts into rows, or None when it cannot."""
    for method in METHODS:
        found = getattr(model, method, None)
        if callable(found):
            return found  # type: ignore[no-any-return]
    return model if callable(model) else None


class AdaptedEmbedder:
    """The Embedder face of any object with a function from list[str] to rows.

    Width and fingerprint are the object's own where it states them. Else the width is learned from a probe text, and
    the fingerprint holds a hash of its vector: another function of the same name does not find this one's vectors.
    `timeout` (seconds, None: wait for ever) bounds one call; the call itself cannot be stopped, only left behind.
    """

    def __init__(self, model: object, *, timeout: float | None = None) -> None:
        function = function_of(model)
        if function is None:
            raise EmbeddingError(f"{type(model).__name__} has none of {', '.join(METHODS)} and cannot be called")
        self._function, self._timeout = function, timeout
        named: Any = model if hasattr(model, "__qualname__") else type(model)
        self.name = f"{named.__module__}.{named.__qualname__}"
        dims = getattr(model, "dims", None)
        fingerprint = getattr(model, "fingerprint", None)
        self._dims = dims if isinstance(dims, int) and dims > 0 else None
        self._fingerprint = fingerprint if isinstance(fingerprint, str) and fingerprint else None

    @property
    def dims(self) -> int:
        if self._dims is None:
            self._dims = self._probe().shape[1]
        return self._dims

    @property
    def fingerprint(self) -> str:
        if self._fingerprint is None:
            digest = hashlib.sha256(self._probe().tobytes()).hexdigest()[:16]
            self._fingerprint = f"object:{self.name}:{digest}"
        return self._fingerprint

    def embed(self, texts: Sequence[str]) -> Any:
        """Whatever the object returns; the service checks and normalises it."""
        return bounded(lambda: self._function(list(texts)), self._timeout, self.name)

    def _probe(self) -> FloatArray:
        try:
            raw = self.embed([PROBE])
        except FieldpackError:
            raise
        except Exception as error:
            raise failure(self.name, [PROBE], error) from error
        return unit_rows(raw, 1, self._dims, self.name)


def failure(who: str, texts: Sequence[str], error: Exception) -> RowError:
    """The EmbeddingError for an exception inside an embedder; a text that no encoder can take is named."""
    for i, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError as bad:
            return RowError(
                f"{who} cannot embed text ",
                i,
                f": it holds the lone surrogate U+{ord(text[bad.start]):04X} at "
                f"character {bad.start}, no character; read the text with its right encoding, or errors='replace'",
            )
    return RowError(
        f"{who} failed on {len(texts)} texts (from text ",
        0,
        f" on): {type(error).__name__}: {str(error)[:300]}; "
        "embed one text alone to see whether the model or a text is at fault",
    )


def bounded(call: Callable[[], Any], timeout: float | None, who: str) -> Any:
    """call(), or EmbeddingError when it takes longer than `timeout` seconds."""
    if timeout is None:
        return call()
    result: list[Any] = []
    trouble: list[BaseException] = []

    def run() -> None:
        try:
            result.append(call())
        except BaseException as error:
            trouble.append(error)

    # A daemon: a call that never ends must not keep the process alive.
    thread = threading.Thread(target=run, daemon=True, name="fieldpack-embed")
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise EmbeddingError(f"{who} did not answer within {timeout:g} s; raise timeout=, or send fewer texts at once")
    if trouble:
        raise trouble[0]
    return result[0]
