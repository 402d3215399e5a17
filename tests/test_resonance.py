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
    overall, matrix = oracles.measure_token_resonance(x)
    assert resonance.overall(x) == pytest.approx(overall, abs=1e-5)
    assert resonance.overall(x) == pytest.approx(oracles.calculate_resonance(x), abs=1e-5)
    np.testing.assert_allclose(resonance.per_row(x), oracles.average_similarities(x), atol=1e-5)
    np.testing.assert_allclose(resonance.matrix(x), matrix, atol=1e-5)


def test_too_few_rows_resonate_with_nothing():
    for n in (0, 1):
        x = unit_rows(5, 4, 0)[:n]
        assert resonance.overall(x) == 0.0
        assert resonance.per_row(x).tolist() == [0.0] * n
        assert resonance.matrix(x).shape == (n, n)
        assert resonance.graph(x, 3)[0].shape == (n, 0)
        assert list(resonance.blocks(x[:0])) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 70))
def test_blocks_are_the_matrix_whatever_their_size(n, block):
    x = unit_rows(n, 8, n)
    parts = [(first, part.copy()) for first, part in resonance.blocks(x, block)]
    assert [first for first, _ in parts] == list(range(0, n, block))
    np.testing.assert_allclose(np.vstack([p for _, p in parts]), x @ x.T, atol=1e-6)
    np.testing.assert_allclose(resonance.matrix(x, block), x @ x.T, atol=1e-6)


def test_rows_of_other_lengths_are_not_taken_for_unit_rows():
    x = unit_rows(6, 4, 1) * 3
    r = x @ x.T
    assert resonance.overall(x) == pytest.approx((r.sum() - np.trace(r)) / 30, rel=1e-5)


def test_similarity_to_one_query_or_to_the_nearest_of_several():
    x, q = unit_rows(7, 5, 2), unit_rows(3, 5, 3)
    np.testing.assert_allclose(resonance.to_query(x, q[0]), x @ q[0], rtol=1e-6)
    np.testing.assert_allclose(resonance.to_query(x, q), (x @ q.T).max(1), rtol=1e-6)
    with pytest.raises(InputError, match="4 dims and the rows have 5"):
        resonance.to_query(x, q[0, :4])


@pytest.mark.parametrize("n", [2, 5, 130])
def test_exact_graph_is_the_sorted_matrix_with_ties_by_index(n):
    x = unit_rows(n, 6, 4)
    x[n // 2] = x[0]  # an exact tie for every other row
    k = min(9, n - 1)
    ids, similarity = resonance.graph(x, k, block=17)
    r = np.vstack([part.copy() for _, part in resonance.blocks(x, 17)])
    np.fill_diagonal(r, -np.inf)
    expected = np.argsort(-r, axis=1, kind="stable")[:, :k]
    np.testing.assert_allclose(similarity, np.take_along_axis(r, expected, 1), rtol=1e-6)
    assert (ids == expected).mean() > 0.9  # equal similarities at the cut may pick either row
    assert all(i not in row for i, row in enumerate(ids))


def test_faiss_graph_finds_nearly_the_same_neighbours():
    topics = unit_rows(40, 32, 5)
    x = topics[np.arange(3000) % 40] + 0.3 * unit_rows(3000, 32, 6)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    exact, _ = resonance.graph(x, 10)
    near, similarity = resonance.graph(x, 10, exact=False)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, near, strict=True)])
    assert recall > 0.95
    assert (np.diff(similarity, axis=1) <= 1e-6).all() and all(i not in row for i, row in enumerate(near))


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
    for f in (resonance.per_row, resonance.matrix, lambda a: resonance.to_query(a, x[:2])):
        out = f(t)
        assert isinstance(out, torch.Tensor)
        np.testing.assert_allclose(out.numpy(), f(x), atol=1e-6)
    assert (resonance.graph(t, 4)[0] == resonance.graph(x, 4)[0]).all()
    half = t.to(torch.bfloat16)
    assert resonance.matrix(half).dtype == torch.bfloat16
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
    with pytest.raises(InputError, match="block is 0"):
        next(resonance.blocks(np.eye(3), 0))
