"""Checks of texts before they are embedded, and of the rows that an embedder returns; then unit float32 rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fieldpack.errors import EmbeddingError, InputError
from fieldpack.types import FloatArray

# A float32 row of length 1 has a squared length within this of 1; such rows pass through bit for bit.
_UNIT = 4e-6


class RowError(EmbeddingError):
    """An error about one text; the message is `head`, the text's index, `tail`."""

    def __init__(self, head: str, row: int, tail: str) -> None:
        super().__init__(f"{head}{row}{tail}")
        self.head, self.row, self.tail = head, row, tail

    def at(self, where: Callable[[int], int]) -> RowError:
        """The same error with the caller's index of the text: `where` turns row into index."""
        return RowError(self.head, where(self.row), self.tail)


def check_texts(texts: Sequence[str]) -> list[str]:
    """The texts as a list. InputError for a lone str, for what is no sequence, and for an item that is not a str."""
    if isinstance(texts, str | bytes):
        raise InputError(f"embed() takes a list of texts, found one {type(texts).__name__}; call embed([text])")
    try:
        listed = list(texts)
    except TypeError:
        raise InputError(f"embed() takes a list of texts, found {type(texts).__name__}") from None
    for i, text in enumerate(listed):
        if not isinstance(text, str):
            raise InputError(f"text {i} is {type(text).__name__}, expected str")
    return listed


def is_blank(text: str) -> bool:
    """True when there is nothing to embed: empty, or white space only."""
    return not text or text.isspace()


def blank_row(dims: int) -> FloatArray:
    """(dims,) the vector of a blank text: the same number in every place, length 1. It is near nothing."""
    return np.full(dims, 1.0 / np.sqrt(dims), np.float32)


def unit_rows(raw: Any, n: int, dims: int | None, who: str, where: Callable[[int], int] | None = None) -> FloatArray:
    """float32 (n, dims) rows of length 1 from the answer of the embedder `who` for n texts.

    dims: None accepts any width above 0. where: turns a row into the index of the caller's text, for messages; default
    the row itself. Rows of length 1 keep their bits. Raises RowError: which text, what was found, what to do.
    """
    try:
        return _unit_rows(raw, n, dims, who)
    except RowError as error:
        raise (error if where is None else error.at(where)) from error.__cause__


def _unit_rows(raw: Any, n: int, dims: int | None, who: str) -> FloatArray:
    array = _matrix(raw, who)
    if array.ndim != 2 or len(array) != n:
        raise RowError(
            f"{who} returned an array of shape {array.shape} for {n} texts (from text ",
            0,
            f" on), expected ({n}, {dims or 'dims'}): it must return one row of numbers per text, in order",
        )
    if array.shape[1] == 0 or (dims is not None and array.shape[1] != dims):
        raise RowError(
            f"{who} returned rows of {array.shape[1]} numbers for {n} texts (from text ",
            0,
            f" on), expected {dims or 'at least 1'}: all vectors of one model have the same length",
        )
    squares = np.einsum("ij,ij->i", array, array, dtype=np.float64)
    if np.all(np.abs(squares - 1.0) <= _UNIT):
        return array.astype(np.float32, copy=False)
    return _normalised(array, squares, who)


def _matrix(raw: Any, who: str) -> np.ndarray[Any, Any]:
    """Numbers from lists, arrays, generators of rows and torch tensors (recognised by their methods: no torch here)."""
    if hasattr(raw, "detach"):
        raw = raw.detach().cpu().float().numpy()
    elif not hasattr(raw, "__len__") and hasattr(raw, "__iter__"):
        raw = list(raw)
    if isinstance(raw, list | tuple) and raw and hasattr(raw[0], "detach"):
        raw = [row.detach().cpu().float().numpy() for row in raw]
    try:
        array = np.asarray(raw)
        if array.dtype.kind not in "fiub":
            array = np.asarray(raw, np.float64)
        if array.ndim == 0:
            raise ValueError("one value")
    except (TypeError, ValueError) as error:
        raise EmbeddingError(
            f"{who} returned {type(raw).__name__} that is no table of numbers ({error}): "
            "it must return one row of numbers per text, all of one length"
        ) from error
    return np.ascontiguousarray(array, np.float32 if array.dtype.kind == "f" and array.itemsize <= 4 else np.float64)


def _normalised(array: np.ndarray[Any, Any], squares: np.ndarray[Any, Any], who: str) -> FloatArray:
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        values = array[bad[0]]
        kind = "NaN" if np.isnan(values).any() else "an infinite number"
        raise RowError(
            f"{who} returned {kind} in the vector of text ",
            int(bad[0]),
            f" ({len(bad)} of {len(array)} rows): embed that text alone to see whether the model or the text is at "
            "fault (half precision can overflow: try device='cpu')",
        )
    # Scaled by the largest entry first: the squares of 1e30 or 1e-30 would leave the range.
    largest = np.abs(array).max(axis=1)
    zero = np.flatnonzero(largest == 0)
    if len(zero):
        raise RowError(
            f"{who} returned a vector of zeros for text ",
            int(zero[0]),
            f" ({len(zero)} of {len(array)} rows): a zero vector has no direction; give such texts a fixed non-zero "
            "vector, or leave them out",
        )
    unit = array.astype(np.float32)
    rows = np.flatnonzero(np.abs(squares - 1.0) > _UNIT)
    scaled = array[rows].astype(np.float64) / largest[rows, None].astype(np.float64)
    unit[rows] = scaled / np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
    return unit


def pool(rows: FloatArray, weights: Sequence[int]) -> FloatArray:
    """(dims,) unit vector of sum_i weights[i] rows[i]: the windows (m, dims) of one text, weighted by their length.

    When the windows cancel out, the row of the heaviest one.
    """
    share = np.asarray(weights, np.float64)
    total = share @ rows.astype(np.float64)
    length = float(np.linalg.norm(total))
    if length < 1e-6 * float(share.sum()):
        heaviest: FloatArray = rows[int(share.argmax())]
        return heaviest
    pooled: FloatArray = (total / length).astype(np.float32)
    return pooled
