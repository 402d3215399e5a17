"""Custom embedders: the caller's own function, or object with embed, encode or embed_documents."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

from fieldpack.embed.validate import RowError, unit_rows
from fieldpack.errors import EmbeddingError, FieldpackError
from fieldpack.types import FloatArray

PROBE = "The quick brown fox jumps over the lazy dog; fieldpack 1 2 3."
"""Embedded once to learn the width of an embedder that does not state it."""

METHODS = ("embed", "encode", "embed_documents")
"""Methods of an object that may embed, tried in this order; an object that can be called comes last."""


def function_of(model: object) -> Callable[[list[str]], Any] | None:
    """The function of `model` from texts to rows, or None when it has none."""
    for method in METHODS:
        bound = getattr(model, method, None)
        if callable(bound):
            return bound  # type: ignore[no-any-return]
    return model if callable(model) else None


class CustomEmbedder:
    """An Embedder from any object with a function from list[str] to rows.

    Width and fingerprint are the object's own where it states them. Else the width is learned from a probe text, and
    the fingerprint holds a hash of its vector: another function of the same name does not get this one's cached
    vectors. timeout: seconds for one call, None waits for ever; a call that takes longer goes on in its thread, because
    a thread cannot be stopped. Raises EmbeddingError when the object cannot embed.
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
        """The object's own answer; the service checks and normalises it."""
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
    """The error for an exception inside the embedder `who`; it names a text that UTF-8 cannot encode."""
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
    errors: list[BaseException] = []

    def run() -> None:
        try:
            result.append(call())
        except BaseException as error:
            errors.append(error)

    # A daemon: a call that never ends must not keep the process alive.
    thread = threading.Thread(target=run, daemon=True, name="fieldpack-embed")
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise EmbeddingError(f"{who} did not answer within {timeout:g} s; raise timeout=, or send fewer texts at once")
    if errors:
        raise errors[0]
    return result[0]
