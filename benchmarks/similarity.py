"""The resonance matrix in blocks, and the graph of nearest rows, exact and by FAISS: what the benchmarks of resonance,
scale and GPU measure. The library itself needs neither: its closed forms never make an n x n matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldpack.errors import InputError
from fieldpack.field.arrays import Array, host, library, rows


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The k nearest other rows of each row, the nearest first: ids (n, k), similarity (n, k)."""

    ids: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float32]


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
    buffer = xp.empty_like(x, shape=(min(block, n), n)) if xp is np else x.new_empty((min(block, n), n))
    for first in range(0, n, block):
        part = x[first : first + block]
        out = buffer[: len(part)]
        xp.matmul(part, x.T, out=out)
        yield first, out


def matrix(x: Array, block: int = 2048) -> Array:
    """(n, n) all similarities: 4 n^2 bytes."""
    x = rows(x, half=True)
    n, xp = len(x), library(x)
    out = np.empty((n, n), x.dtype) if xp is np else x.new_empty((n, n))
    for first in range(0, n, block):
        xp.matmul(x[first : first + block], x.T, out=out[first : first + block])
    return out


def nearest_exact(x: Array, k: int, block: int = 1024) -> Neighbours:
    """In blocks, ties broken by index. k is cut to n - 1."""
    x = rows(x, half=True)
    n, xp = len(x), library(x)
    k = min(k, n - 1)
    if k < 1:
        return _nobody(n)
    ids, similarity = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    for first, r in blocks(x, block):
        m = len(r)
        r[range(m), range(first, first + m)] = -np.inf
        if xp is np:
            columns = np.argpartition(-r, k - 1, axis=1)[:, :k] if k < n - 1 else np.argsort(-r, 1)[:, :k]
            columns.sort(axis=1)  # equal similarities then come in the order of their index
            values = np.take_along_axis(r, columns, 1)
        else:
            top = xp.topk(r, k, dim=1)
            columns, values = host(top.indices), host(top.values)
        order = np.argsort(-values, axis=1, kind="stable")
        ids[first : first + m] = np.take_along_axis(columns, order, 1)
        similarity[first : first + m] = np.take_along_axis(values, order, 1)
    return Neighbours(ids, similarity)


def nearest_by_faiss(x: Array, k: int) -> Neighbours:
    """By an HNSW index: approximate, and the only way that does not cost n^2. k is cut to n - 1."""
    import faiss

    x = np.ascontiguousarray(host(rows(x)))
    n, d = x.shape
    k = min(k, n - 1)
    if k < 1:
        return _nobody(n)
    index = faiss.IndexHNSWFlat(d, 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 80, max(64, 2 * k)
    index.add(x)
    similarity, ids = index.search(x, k + 1)
    itself = ids == np.arange(n)[:, None]
    # A row that did not find itself (duplicates crowd it out) loses its last neighbour instead.
    itself[~itself.any(1), k] = True
    return Neighbours(ids[~itself].reshape(n, k).astype(np.int64), similarity[~itself].reshape(n, k))


def _nobody(n: int) -> Neighbours:
    return Neighbours(np.zeros((n, 0), np.int64), np.zeros((n, 0), np.float32))
