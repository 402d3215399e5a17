from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.errors import InputError, SettingsError
from fieldpack.field.residue import GONE, SHADOW, STATES, Residue, basis, unexplained


def unit_rows(n: int, d: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, d))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


ROWS = unit_rows(200, 16, 0)


def states(residue: Residue) -> dict[str, str]:
    return {f.key: f.state for f in residue.fragments}


def test_strength_halves_every_half_life_until_it_is_forgotten():
    r = Residue(half_life=2.0).integrate(["a"], ROWS[:1], [0.8])
    seen = [(r.fragments[0].strength, r.fragments[0].state, r.fragments[0].age)]
    while len(r):
        r = r.integrate([], ROWS[:0])
        seen += [(f.strength, f.state, f.age) for f in r.fragments]
    for age, (strength, state, found_age) in enumerate(seen):
        assert found_age == age and strength == pytest.approx(0.8 * 0.5 ** (age / 2))
        assert state == ("integrated" if age == 0 else "echo" if strength >= SHADOW else "shadow")
    assert seen[-1][0] >= GONE > seen[-1][0] * 0.5**0.5


def test_packed_again_it_is_whole_again():
    r = Residue().integrate(["a"], ROWS[:1], [0.9]).integrate([], ROWS[:0]).integrate(["a"], ROWS[:1], [0.4])
    (f,) = r.fragments
    assert f.state == "integrated" and f.age == 0
    assert f.strength == pytest.approx(0.9 * 0.5 ** (2 / 3))  # the stronger of what was left and what is new


def test_states_of_a_turn():
    r = Residue(half_life=1.0).integrate(["strong", "weak"], ROWS[:2], [0.9, 0.4]).integrate(["packed"], ROWS[4:5])
    assert states(r) == {"packed": "integrated", "strong": "echo", "weak": "shadow"}
    assert set(states(r).values()) == set(STATES)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 40), max_size=12), max_size=12), st.integers(0, 10))
def test_the_list_is_bounded_sorted_and_without_doubles(turns, limit):
    r = Residue(limit=limit)
    for turn in turns:
        keys = sorted({str(i) for i in turn})
        r = r.integrate(keys, ROWS[: len(keys)], np.linspace(0.1, 1, len(keys)))
        assert len(r) <= limit
        order = [(-f.strength, f.key) for f in r.fragments]
        assert order == sorted(order) and len({f.key for f in r.fragments}) == len(r)


def test_echo_is_the_nearest_fragment_times_its_strength():
    r = Residue().integrate(["a", "b"], ROWS[:2], [1.0, 0.5])
    x = ROWS[:20]
    expected = np.maximum(np.maximum(x @ ROWS[0], 0.5 * (x @ ROWS[1])), 0)
    np.testing.assert_allclose(r.echo(x), expected, atol=1e-6)
    assert Residue().echo(x).tolist() == [0.0] * 20


def outside(x: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(n,) the part of each row outside the span of the vectors, by the closed form."""
    span = basis(vectors) if len(vectors) else np.zeros((x.shape[1], 0))
    wide = x.astype(np.float64)
    return unexplained((wide**2).sum(1), wide @ span)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9), st.integers(0, 10**6))
def test_unexplained_is_the_distance_to_the_span_as_least_squares_finds_it(m, seed):
    x, vectors = unit_rows(12, 8, seed), unit_rows(m, 8, seed + 1) if m else np.zeros((0, 8), np.float32)
    for row, length in zip(x, outside(x, vectors), strict=True):
        best = np.linalg.lstsq(vectors.T, row, rcond=None)[0] if m else np.zeros(0)
        assert length == pytest.approx(float(np.linalg.norm(row - vectors.T @ best)), abs=1e-3)


def test_what_spans_is_explained_also_twice():
    vectors = np.vstack([ROWS[:3], ROWS[:3], np.zeros((1, 16), np.float32)])
    np.testing.assert_allclose(outside(ROWS[:3], vectors), 0, atol=1e-3)
    more = outside(ROWS, ROWS[:5])
    assert (more <= outside(ROWS, ROWS[:4]) + 1e-6).all() and more.min() >= 0 and more.max() <= 1


def test_torch_tensors_give_the_same_numbers():
    torch = pytest.importorskip("torch")
    r = Residue().integrate(["a"], torch.from_numpy(ROWS[:1]))
    np.testing.assert_allclose(r.echo(torch.from_numpy(ROWS)), r.echo(ROWS), atol=1e-6)


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="2 keys, 1 vectors"):
        Residue().integrate(["a", "b"], ROWS[:1])
    with pytest.raises(SettingsError, match="half_life is 0"):
        Residue(half_life=0)
