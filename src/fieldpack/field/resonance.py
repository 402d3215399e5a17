"""Resonance: how much the rows of a field agree. `R = X X^T` for unit rows.

The mean over all pairs and the mean of each row need no n x n matrix: both follow from the sum of the rows,
`sum_ij x_i.x_j = |sum x|^2`, so they cost O(n d) time and O(d) memory. The matrix itself comes in blocks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fieldpack.errors import InputError
from fieldpack.field.arrays import Array, host, library, like, rows, squares, times, total, trace

EXACT_GRAPH = 20_000
"""Up to this many rows the neighbour graph is exact; beyond, exact search would take minutes."""


def overall(x: Array) -> float:
    """Mean similarity of two different rows, in [-1, 1]; 0.0 for fewer than two rows.

    x: (n, d). Equals `(sum(R) - trace(R)) / (n (n - 1))`, which is `(|sum x|^2 - n) / (n (n - 1))` for unit rows.
    """
    x = rows(x)
    n = len(x)
    if n < 2:
        return 0.0
    s = total(x)
    return float((float((s * s).sum()) - trace(x)) / (n * (n - 1)))


def per_row(x: Array) -> Array:
    """(n,) mean similarity of each row to the others, in [-1, 1]; zeros for fewer than two rows. x: (n, d)."""
    x = rows(x)
    n, xp = len(x), library(x)
    if n < 2:
        return xp.zeros_like(x[:, 0])
    return (times(x, like(total(x), x)) - squares(x)) / (n - 1)


def to_query(x: Array, query: Array) -> Array:
    """(n,) similarity to the query (d,), or to the nearest of several queries (q, d)."""
    x = rows(x)
    q = like(query, x)
    if q.shape[-1] != x.shape[1]:
        raise InputError(f"the query has {q.shape[-1]} dims and the rows have {x.shape[1]}; embed both with one model")
    return times(x, q) if q.ndim == 1 else library(x).amax(x @ q.T, 1)


def blocks(x: Array, block: int = 2048) -> Iterator[tuple[int, Array]]:
    """The resonance matrix as (first row, R[first : first + block]) from the top; holds one block at a time.

    The yielded block is overwritten by the next step: copy it to keep it.
    """
    x = rows(x, half=True)
    n, xp = len(x), library(x)
    if block < 1:
        raise InputError(f"block is {block}; expected 1 or more rows")
    if n == 0:
        return
    room = xp.empty_like(x, shape=(min(block, n), n)) if xp is np else x.new_empty((min(block, n), n))
    for first in range(0, n, block):
        part = x[first : first + block]
        out = room[: len(part)]
        xp.matmul(part, x.T, out=out)
        yield first, out


def matrix(x: Array, block: int = 2048) -> Array:
    """(n, n) all similarities. 4 n^2 bytes: for large n use `blocks`, `overall`, `per_row` or `graph`."""
    x = rows(x, half=True)
    n, xp = len(x), library(x)
    out = np.empty((n, n), x.dtype) if xp is np else x.new_empty((n, n))
    for first in range(0, n, block):
        xp.matmul(x[first : first + block], x.T, out=out[first : first + block])
    return out


def graph(
    x: Array, k: int, *, exact: bool | None = None, block: int = 1024
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The k nearest other rows of each row: ids (n, k) and similarity (n, k), the nearest first.

    Exact in blocks up to EXACT_GRAPH rows (ties broken by index), else approximate by a FAISS HNSW index;
    `exact` overrides that choice. k is cut to n - 1.
    """
    x = rows(x, half=True)
    n = len(x)
    k = min(k, n - 1)
    if k < 1:
        return np.zeros((n, 0), np.int64), np.zeros((n, 0), np.float32)
    if exact is None:
        exact = n <= EXACT_GRAPH or library(x) is not np
    return _exact_graph(x, k, block) if exact else _faiss_graph(host(x), k)


def _exact_graph(x: Array, k: int, block: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    n, xp = len(x), library(x)
    ids, similarity = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    for first, r in blocks(x, block):
        m = len(r)
        r[range(m), range(first, first + m)] = -np.inf
        if xp is np:
            near = np.argpartition(-r, k - 1, axis=1)[:, :k] if k < n - 1 else np.argsort(-r, 1)[:, :k]
            near.sort(axis=1)  # equal similarities then come in the order of their index
            found = np.take_along_axis(r, near, 1)
        else:
            top = xp.topk(r, k, dim=1)
            near, found = host(top.indices), host(top.values)
        order = np.argsort(-found, axis=1, kind="stable")
        ids[first : first + m] = np.take_along_axis(near, order, 1)
        similarity[first : first + m] = np.take_along_axis(found, order, 1)
    return ids, similarity


def _faiss_graph(x: npt.NDArray[np.float32], k: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    import faiss  # heavy, and only needed here

    n, d = x.shape
    index = faiss.IndexHNSWFlat(d, 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 80, max(64, 2 * k)
    index.add(np.ascontiguousarray(x))
    similarity, ids = index.search(np.ascontiguousarray(x), k + 1)
    self_hit = ids == np.arange(n)[:, None]
    # A row that did not find itself (duplicates crowd it out) loses its last neighbour instead.
    self_hit[~self_hit.any(1), k] = True
    keep = ~self_hit
    return ids[keep].reshape(n, k).astype(np.int64), similarity[keep].reshape(n, k)
