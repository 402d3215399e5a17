"""Small operations on arrays that several stages need, each in one place, and arrays that grow."""

from __future__ import annotations

import threading
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.types import BoolArray, FloatArray, IntArray

ROUNDING = 1e-6
"""Deviation, as a share of the mean, from which numbers differ by more than float32's rounding."""
_SPARE = 0.5
"""Share of a buffer that is kept free when it is copied: appending rows one by one copies each a few times at most."""


def unit(rows: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Rows (n, d) scaled to length 1; rows of zeros stay zero. out: float32 (n, d) to write them into, `rows` itself
    where they are not needed any more: of a million rows, one table is a gigabyte."""
    length = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    return np.asarray(np.divide(rows, np.maximum(length, 1e-12)[:, None], out=out), np.float32)


def sigmoid(x: npt.NDArray[np.floating]) -> FloatArray:
    """1 / (1 + e^-x), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)), np.float32)


def zscore(values: FloatArray) -> FloatArray:
    """Standard scores (n,); zeros when all values are equal up to float32's rounding."""
    if not len(values):
        return values
    # By hand: numpy's own mean and std cost five times as much on twenty numbers.
    mean = np.add.reduce(values) / np.float32(len(values))
    centred = values - mean
    deviation = sqrt(float(centred @ centred) / len(values))
    differs = deviation > ROUNDING * max(1.0, abs(float(mean)))
    return np.asarray(centred / np.float32(deviation), np.float32) if differs else np.zeros_like(values)


def sorted_unique(keys: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The different integers of `keys` (m,), ascending. np.unique hashes first and takes ten times as long."""
    ordered = np.sort(keys)
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))] if len(ordered) else ordered


def concat_ranges(first: IntArray, last: IntArray) -> IntArray:
    """The integers of all half-open ranges [first[i], last[i]), one range after another."""
    sizes = last - first
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) - np.repeat(ends - sizes - first, sizes), np.int64)


def run_starts(keys: IntArray) -> IntArray:
    """Positions where a run of equal values >= 0 begins in `keys` (n,)."""
    changes = np.ones(len(keys), np.bool_)
    changes[1:] = keys[1:] != keys[:-1]
    return changes.nonzero()[0]


def offsets_of(lengths: IntArray) -> IntArray:
    """(n + 1,) where each of n pieces of these lengths begins, and where the last one ends."""
    return np.append(0, np.cumsum(lengths)).astype(np.int64)


def reduce_segments(ufunc: np.ufunc, table: FloatArray, offsets: npt.NDArray[np.int64]) -> FloatArray:
    """(q, n) `ufunc` over the columns [offsets[i], offsets[i + 1]) of a (q, m) table; 0 for an empty segment."""
    out = np.zeros((len(table), len(offsets) - 1), np.float32)
    full = (offsets[1:] != offsets[:-1]).nonzero()[0]
    if len(full) and len(table):
        out[:, full] = ufunc.reduceat(table, offsets[full], axis=1)
    return out


def scatter(values: FloatArray, columns: IntArray, size: int, fill: float = 0.0) -> FloatArray:
    """(..., size) filled with `fill`, and `values` (..., k) in the given columns."""
    shape = (*values.shape[:-1], size)
    # Memory of zeros is not touched before it is read.
    out = np.full(shape, fill, np.float32) if fill else np.zeros(shape, np.float32)
    out[..., columns] = values
    return out


def mask_of(rows: IntArray, size: int) -> BoolArray:
    """(size,) True at the given rows."""
    out = np.zeros(size, np.bool_)
    out[rows] = True
    return out


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A view of the array that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


class GrowableArrays:
    """Named arrays with amortised append. A view that was handed out is read-only and never changes.

    Only the newest holder appends in place; a second branch from an older holder gets copies (see `fork`).
    """

    def __init__(self, size: int = -1) -> None:
        self._lock = threading.Lock()
        self._buffers: dict[str, npt.NDArray[Any]] = {}
        self._size = size

    def __reduce__(self) -> tuple[type[GrowableArrays], tuple[()]]:
        """In another process there are other buffers: whoever appends there copies first."""
        return GrowableArrays, ()

    def fork(self, size: int, grown: int) -> GrowableArrays:
        """These buffers for the holder of `size` items that grows to `grown`, if nobody appended after it; else new
        ones."""
        with self._lock:
            if self._size != size:
                return GrowableArrays(grown)
            self._size = grown
            return self

    def append(self, name: str, old: npt.NDArray[Any], more: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`old` with the rows `more` after it, in the type of `old`, read-only."""
        end = len(old) + len(more)
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < end:
            buffer = np.empty((end + int(_SPARE * end) + 16, *old.shape[1:]), old.dtype)
            buffer[: len(old)] = old
            self._buffers[name] = buffer
        buffer[len(old) : end] = more
        return read_only(buffer[:end])
