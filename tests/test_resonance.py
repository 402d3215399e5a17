from __future__ import annotations

import tracemalloc

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.errors import InputError
from fieldpack.field import resonance


def unit_rows(n: int, d: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, d)) + 0.3
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


shapes = st.tuples(st.integers(2, 12), st.integers(1, 9), st.integers(0, 10**6))


@settings(max_examples=40, deadline=None)
@given(shapes)
def test_closed_forms_equal_the_design_texts_loops(shape):
    x = unit_rows(*shape)
    overall, _ = oracles.measure_token_resonance(x)
    assert resonance.overall(x) == pytest.approx(overall, abs=1e-5)
    assert resonance.overall(x) == pytest.approx(oracles.calculate_resonance(x), abs=1e-5)
    np.testing.assert_allclose(resonance.per_row(x), oracles.average_similarities(x), atol=1e-5)


def test_too_few_rows_resonate_with_nothing():
    for n in (0, 1):
        x = unit_rows(5, 4, 0)[:n]
        assert resonance.overall(x) == 0.0
        assert resonance.per_row(x).tolist() == [0.0] * n


def test_rows_of_other_lengths_are_not_taken_for_unit_rows():
    x = unit_rows(6, 4, 1) * 3
    r = x @ x.T
    assert resonance.overall(x) == pytest.approx((r.sum() - np.trace(r)) / 30, rel=1e-5)


def test_memory_of_the_statistics_does_not_grow_with_the_rows():
    peaks = []
    for n in (20_000, 80_000):
        x = np.tile(unit_rows(1000, 16, 7), (n // 1000, 1))
        tracemalloc.start()
        resonance.overall(x)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 10_000


def test_torch_tensors_give_the_same_numbers():
    torch = pytest.importorskip("torch")
    x = unit_rows(50, 8, 8)
    t = torch.from_numpy(x)
    assert resonance.overall(t) == pytest.approx(resonance.overall(x), abs=1e-6)
    out = resonance.per_row(t)
    assert isinstance(out, torch.Tensor)
    np.testing.assert_allclose(out.numpy(), resonance.per_row(x), atol=1e-6)
    half = t.to(torch.bfloat16)
    assert resonance.overall(half) == pytest.approx(resonance.overall(x), abs=1e-2)
    assert resonance.per_row(torch.eye(3, dtype=torch.int64)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("bad", [np.zeros(4, np.float32), np.zeros((2, 3, 4)), np.array([["a"]])])
def test_what_is_no_matrix_of_numbers_is_refused(bad):
    with pytest.raises(InputError, match="expected a matrix"):
        resonance.overall(bad)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(number):
    x = unit_rows(4, 4, 9)
    x[2, 1] = number
    with pytest.raises(InputError, match="NaN or infinite"):
        resonance.per_row(x)


def test_whole_numbers_and_doubles_are_accepted():
    assert resonance.overall(np.eye(3)) == 0.0
    assert resonance.overall(np.ones((3, 1), int)) == 1.0
