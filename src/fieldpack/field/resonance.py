"""Resonance: how much the rows of a field agree. `R = X X^T` for unit rows.

The mean over all pairs and the mean of each row need no n x n matrix: both follow from the sum of the rows,
`sum_ij x_i.x_j = |sum x|^2`, so they cost O(n d) time and O(d) memory. The two closed forms stand here once, as
functions of the products that they need: `mean_of_pairs` and `mean_to_others`.
"""

from __future__ import annotations

from fieldpack.field.arrays import Array, library, like, rows, squares, times, total, trace


def overall(x: Array) -> float:
    """Mean similarity of two different rows, in [-1, 1]; 0.0 for fewer than two rows.

    x: (n, d). Equals `(sum(R) - trace(R)) / (n (n - 1))`, which is `(|sum x|^2 - n) / (n (n - 1))` for unit rows.
    """
    x = rows(x)
    s = total(x)
    return mean_of_pairs(float((s * s).sum()), trace(x), len(x))


def per_row(x: Array) -> Array:
    """(n,) mean similarity of each row to the others, in [-1, 1]; zeros for fewer than two rows. x: (n, d)."""
    x = rows(x)
    if len(x) < 2:
        return library(x).zeros_like(x[:, 0])
    return mean_to_others(times(x, like(total(x), x)), squares(x))


def mean_of_pairs(square_of_sum: float, sum_of_squares: float, n: int) -> float:
    """`(|sum x|^2 - sum |x|^2) / (n (n - 1))` of n rows x: their mean similarity; 0.0 for fewer than two rows."""
    return float((square_of_sum - sum_of_squares) / (n * (n - 1))) if n > 1 else 0.0


def mean_to_others(to_sum: Array, squared: Array) -> Array:
    """(n,) `(x_i.sum - |x_i|^2) / (n - 1)`, from the products of the rows with their sum and their squared lengths.

    Zeros for fewer than two rows.
    """
    n = len(to_sum)
    return (to_sum - squared) / (n - 1) if n > 1 else to_sum * 0
