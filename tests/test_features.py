"""Columns as z-scores among the candidates that can win."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.relevance.features import RIVALS, among


@given(st.integers(0, 2**32 - 1), st.integers(1, 3 * RIVALS))
def test_a_crowd_that_ranks_below_the_rivals_changes_nothing(seed: int, crowd: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(RIVALS, 3)).astype(np.float32)
    rank = rng.normal(size=RIVALS)
    others = rng.normal(5, 9, size=(crowd, 3)).astype(np.float32)
    alone = among(table, rank)
    crowded = among(np.concatenate([table, others]), np.append(rank, rng.normal(size=crowd) - 100))
    assert np.allclose(crowded[:RIVALS], alone, atol=1e-5)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-100, 100))
def test_the_unit_of_a_signal_does_not_matter(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    table, rank = rng.normal(size=(250, 2)), rng.normal(size=250)
    assert np.allclose(among(table * scale + shift, rank), among(table, rank), atol=1e-3)


@pytest.mark.parametrize("rows", [0, 1, 2, RIVALS, RIVALS + 1])
def test_what_does_not_tell_the_rivals_apart_is_nothing(rows: int) -> None:
    table = np.full((rows, 2), 3, np.float32)
    assert not among(table, np.arange(rows)).any() and np.isfinite(among(table, np.arange(rows))).all()
