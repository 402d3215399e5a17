"""Columns of numbers and texts for a page's script: as JSON, or packed into one compressed block where they are many.

A page of 10^5 segments has some forty numbers for each. As JSON that is a hundred megabytes; as small whole numbers,
compressed, it is a tenth. The page's script `unpack.js` reads the block back.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fieldpack.html import readable

Numbers = npt.NDArray[Any]
_TYPES = (np.int8, np.uint8, np.int16, np.uint16, np.int32)
_LARGEST = 2**31 - 1


class Form(Protocol):
    """How columns are written: `Lists` or `Block`."""

    def numbers(self, values: Numbers, digits: int = 4) -> Any:
        """Finite numbers (n,), rounded."""

    def texts(self, values: Sequence[str]) -> Any:
        """Texts (n,)."""


class Lists:
    """Columns as lists for JSON."""

    def numbers(self, values: Numbers, digits: int = 4) -> list[Any]:
        """A list of finite numbers; whole floats lose their point."""
        array = np.asarray(values)
        if array.dtype.kind in "iub":
            return list(array.astype(int).tolist())
        return [int(v) if v == int(v) else v for v in np.round(_finite(array), digits).tolist()]

    def texts(self, values: Sequence[str]) -> list[str]:
        """The texts as they are."""
        return list(values)


class Block:
    """Columns as bytes behind each other. What it returns for a column says where the column stands:
    {"$": [type, first byte, last byte, divisor]} for numbers, {"$": ["text", first, last, lengths]} for texts."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def numbers(self, values: Numbers, digits: int = 4) -> dict[str, Any]:
        """Whole numbers of the smallest type that holds the values times 10^digits; fewer digits where they are
        large."""
        array = _finite(np.asarray(values))
        whole = np.asarray(values).dtype.kind in "iub"
        most = float(np.abs(array).max(initial=0.0))
        digits = 0 if whole else digits
        while digits and most * 10**digits > _LARGEST:
            digits -= 1
        scaled = np.clip(np.round(array * 10**digits), -_LARGEST, _LARGEST).astype(np.int64)
        low, high = int(scaled.min(initial=0)), int(scaled.max(initial=0))
        kind = next(t for t in _TYPES if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
        little_endian = scaled.astype(np.dtype(kind).newbyteorder("<"))
        return {"$": [np.dtype(kind).name, *self._add(little_endian.tobytes()), 10**digits]}

    def texts(self, values: Sequence[str]) -> dict[str, Any]:
        """UTF-8 without gaps, and where each text ends in JavaScript's units (UTF-16)."""
        plain = [readable(v) for v in values]
        ends = np.fromiter(accumulate(map(utf16_length, plain)), np.int64, len(plain))
        place = self._add("".join(plain).encode("utf-8"))
        return {"$": ["text", *place, self.numbers(ends)["$"]]}

    def base64(self) -> str:
        """The block, compressed. The same columns give the same bytes."""
        return base64.b64encode(gzip.compress(b"".join(self._parts), 6, mtime=0)).decode("ascii")

    def _add(self, raw: bytes) -> tuple[int, int]:
        first = self._size
        padded = raw + bytes(-len(raw) % 4)  # typed arrays of JavaScript begin at multiples of their size
        self._parts.append(padded)
        self._size += len(padded)
        return first, first + len(raw)


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units, in which JavaScript counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _finite(array: Numbers) -> Numbers:
    return np.nan_to_num(array.astype(np.float64), nan=0.0, posinf=99.0, neginf=-99.0)
