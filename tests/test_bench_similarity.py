"""The resonance matrix and the graph of nearest rows that the benchmarks measure."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.errors import InputError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import similarity


def unit_rows(n: int, d: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, d)) + 0.3
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def test_the_matrix_is_that_of_the_design_texts_loops():
    x = unit_rows(9, 4, 0)
    np.testing.assert_allclose(similarity.matrix(x), oracles.measure_token_resonance(x)[1], atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 70))
def test_blocks_are_the_matrix_whatever_their_size(n, block):
    x = unit_rows(n, 8, n)
    parts = [(first, part.copy()) for first, part in similarity.blocks(x, block)]
    assert [first for first, _ in parts] == list(range(0, n, block))
    np.testing.assert_allclose(np.vstack([p for _, p in parts]), x @ x.T, atol=1e-6)
    np.testing.assert_allclose(similarity.matrix(x, block), x @ x.T, atol=1e-6)


@pytest.mark.parametrize("n", [2, 5, 130])
def test_exact_graph_is_the_sorted_matrix_with_ties_by_index(n):
    x = unit_rows(n, 6, 4)
    x[n // 2] = x[0]  # an exact tie for every other row
    k = min(9, n - 1)
    graph = similarity.nearest_exact(x, k, block=17)
    r = np.vstack([part.copy() for _, part in similarity.blocks(x, 17)])
    np.fill_diagonal(r, -np.inf)
    expected = np.argsort(-r, axis=1, kind="stable")[:, :k]
    np.testing.assert_allclose(graph.similarity, np.take_along_axis(r, expected, 1), rtol=1e-6)
    assert (graph.ids == expected).mean() > 0.9  # equal similarities at the cut may pick either row
    assert all(i not in row for i, row in enumerate(graph.ids))


def test_faiss_graph_finds_nearly_the_same_neighbours():
    topics = unit_rows(40, 32, 5)
    x = topics[np.arange(3000) % 40] + 0.3 * unit_rows(3000, 32, 6)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    exact, near = similarity.nearest_exact(x, 10), similarity.nearest_by_faiss(x, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.ids, near.ids, strict=True)])
    assert recall > 0.95
    assert (np.diff(near.similarity, axis=1) <= 1e-6).all() and all(i not in row for i, row in enumerate(near.ids))


@pytest.mark.parametrize("n", [0, 1])
def test_a_row_alone_has_no_neighbours(n):
    x = unit_rows(5, 4, 0)[:n]
    assert similarity.matrix(x).shape == (n, n)
    assert similarity.nearest_exact(x, 3).ids.shape == similarity.nearest_by_faiss(x, 3).ids.shape == (n, 0)
    assert list(similarity.blocks(x[:0])) == []
    with pytest.raises(InputError, match="block is 0"):
        next(similarity.blocks(np.eye(3), 0))


def test_torch_tensors_give_the_same_neighbours():
    torch = pytest.importorskip("torch")
    x = unit_rows(50, 8, 8)
    t = torch.from_numpy(x)
    np.testing.assert_allclose(similarity.matrix(t).numpy(), similarity.matrix(x), atol=1e-6)
    assert (similarity.nearest_exact(t, 4).ids == similarity.nearest_exact(x, 4).ids).all()
    assert similarity.matrix(t.to(torch.bfloat16)).dtype == torch.bfloat16
