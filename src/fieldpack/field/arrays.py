"""One body of code for numpy arrays and torch tensors.

The array chooses the library: torch is looked up in `sys.modules` and never imported from here, and a tensor stays on
its device. `Array` in the signatures of `fieldpack.field` means either of the two, float32 unless said otherwise.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.errors import InputError

Array = Any
_BLOCK, _SHORT, _MANY = 256, 320, 16_384


def library(x: Array) -> Any:
    """`torch` for a tensor, else `numpy`."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(x, torch.Tensor) else np


def like(values: Any, x: Array) -> Array:
    """`values` as an array of the library, the device and the type of `x`."""
    if library(x) is np:
        return np.asarray(host(values), dtype=x.dtype)
    return library(x).as_tensor(values if hasattr(values, "device") else np.asarray(values), dtype=x.dtype).to(x.device)


def indices(values: npt.NDArray[np.int64], x: Array) -> Array:
    """Row numbers as an index for `x` on its device."""
    return values if library(x) is np else library(x).as_tensor(values, device=x.device)


def host(x: Array) -> npt.NDArray[Any]:
    """The numbers as a numpy array in main memory."""
    return np.asarray(x) if library(x) is np else x.detach().cpu().numpy()


def total(x: Array) -> Array:
    """(d,) float64: the sum of the rows. float32 would lose digits after some 10,000 rows."""
    return x.sum(0, dtype=library(x).float64)


def weighted_totals(weight: Array, x: Array) -> Array:
    """(k, d) float64: the product of weight (k, n) and x (n, d), summed over short blocks of rows.

    A BLAS cuts a long sum where the number of threads says so; short blocks give the same bits on any number of them,
    and no digits are lost over many rows.
    """
    xp, shape = library(x), (len(weight), x.shape[1])
    out = np.zeros(shape) if xp is np else x.new_zeros(shape, dtype=xp.float64)
    for first in range(0, len(x), _BLOCK):
        out += weight[:, first : first + _BLOCK] @ x[first : first + _BLOCK]
    return out


def squares(x: Array) -> Array:
    """(n,) squared length of each row."""
    return library(x).einsum("ij,ij->i", x, x)


def trace(x: Array) -> float:
    """Sum of the squared lengths of all rows, in blocks: memory does not grow with n."""
    parts = (squares(x[first : first + _MANY]) for first in range(0, len(x), _MANY))
    return sum(float(part.sum(dtype=library(x).float64)) for part in parts)


def unit(x: Array) -> Array:
    """Rows scaled to length 1; a zero row stays zero."""
    xp = library(x)
    norm = xp.sqrt(squares(x))[:, None]
    return x / xp.where(norm > 0, norm, xp.ones_like(norm))


def product(a: Array, b: Array) -> Array:
    """a @ b, the same bits on any number of threads.

    numpy: in float64, rounded to the type of `a`, because the BLAS sums in another order when it shares a product among
    threads, also a short one (AVX-512: from 30 x 256 x 30 on). torch: long sums cut into short blocks.
    """
    if library(a) is np:
        return (a.astype(np.float64) @ b.astype(np.float64, copy=False)).astype(a.dtype)
    out = a[:, :_SHORT] @ b[:_SHORT]
    for first in range(_SHORT, len(b), _SHORT):
        out += a[:, first : first + _SHORT] @ b[first : first + _SHORT]
    return out


def times(x: Array, v: Array) -> Array:
    """(n,) x @ v by the kernel for matrices: that for a single vector cuts its sums by the number of threads."""
    return (x @ library(x).stack([v, v, v, v]).T)[:, 0]


def rows(x: Array, *, half: bool = False) -> Array:
    """`x` as a float32 matrix (n, d) with finite entries, or InputError. half: half precision may stay."""
    xp = library(x)
    if xp is np:
        x = np.asarray(x)
        if x.ndim == 2 and x.dtype != np.float32 and x.dtype.kind in "fiu":
            x = x.astype(np.float32)
    if x.ndim != 2 or (xp is np and x.dtype != np.float32):
        raise InputError(f"x has shape {tuple(x.shape)} and type {x.dtype}; expected a matrix of numbers (n, d)")
    if xp is not np and not (x.is_floating_point() and (half or x.dtype == xp.float64)):
        x = x.float()
    if not np.isfinite(float(x.sum())) and not bool(xp.isfinite(x).all()):
        raise InputError("x holds NaN or infinite numbers; check the embedder that made the vectors")
    return x
