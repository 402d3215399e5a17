"""The numbers of rows, records and entries for segments that are made of several atoms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fieldpack.types import IntArray


@dataclass(frozen=True, eq=False)
class RowNumbers:
    """row (n,): the number of each piece in its table, array or log, from 0, -1 outside; rows (n,): how many that has,
    0 where a piece is in none, or is several rows of it."""

    row: IntArray
    rows: IntArray

    def grouped(self, first: IntArray) -> RowNumbers:
        """The numbers of groups of pieces. first: the first piece of each group, sorted, the first of them 0."""
        n = len(self.row)
        if not len(first):
            return RowNumbers(np.zeros(0, np.int64), np.zeros(0, np.int64))
        counted = (self.row >= 0) & (self.rows > 0)
        at = np.minimum.reduceat(np.where(counted, np.arange(n), n), first)
        none = at == n
        row = np.where(none, -1, self.row[np.minimum(at, n - 1)])
        rows = np.where(none, 0, self.rows[np.minimum(at, n - 1)])
        size = np.diff(np.append(first, n))
        same = counted & (self.rows == np.repeat(rows, size))
        several = np.logical_or.reduceat(same & (self.row != np.repeat(row, size)), first)
        return RowNumbers(np.where(several, -1, row).astype(np.int64), np.where(several, 0, rows).astype(np.int64))
