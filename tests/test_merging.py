"""Topics as merged attractors: planted topics are found, noise has none, and the order of rows says nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.errors import InputError
from fieldpack.field.attractors import detect
from fieldpack.field.merging import _mergers, topics


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def planted(groups: int, each: int, seed: int, spread: float = 0.7, dims: int = 64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(groups), each)
    noise = rng.normal(size=(len(label), dims)) / np.sqrt(dims)
    return unit(unit(rng.normal(size=(groups, dims)))[label] + spread * noise), label


@pytest.mark.parametrize("groups", [3, 5, 9])
def test_planted_topics_are_found_each_as_one(groups: int) -> None:
    for seed in range(3):
        x, label = planted(groups, 60, seed)
        found = topics(x)
        drawn = found.basin >= 0
        assert len(found) == groups and drawn.mean() > 0.95
        pairs = set(zip(found.basin[drawn].tolist(), label[drawn].tolist(), strict=True))
        assert len(pairs) == groups, "a basin holds one group, and a group is in one basin"


def test_noise_has_no_topics() -> None:
    rng = np.random.default_rng(0)
    for n in (40, 400):
        assert len(topics(unit(rng.normal(size=(n, 128))), limit=64)) == 0


@given(st.integers(0, 50), st.integers(2, 12))
@settings(max_examples=10, deadline=None)
def test_topics_are_at_most_as_many_as_allowed_and_the_strongest_first(seed: int, limit: int) -> None:
    x, _ = planted(15, 20, seed, spread=1.2)
    found = topics(x, limit=limit)
    assert len(found) <= limit
    assert (np.diff(found.strength) <= 1e-6).all()
    assert found.basin.max() < len(found) and found.basin.shape == (len(x),)
    assert np.allclose(np.linalg.norm(found.centers, axis=1), 1, atol=1e-5)


def test_the_order_of_rows_says_nothing() -> None:
    x, _ = planted(6, 40, 1)
    order = np.random.default_rng(2).permutation(len(x))
    a, b = topics(x), topics(x[order])
    assert len(a) == len(b)
    same = a.basin[order][:, None] == a.basin[order]
    assert (same == (b.basin[:, None] == b.basin)).mean() > 0.999


def test_a_center_is_the_mean_direction_of_its_rows() -> None:
    x, _ = planted(4, 50, 3)
    found = topics(x)
    y = unit(x - found.background)
    nearest = (y @ found.centers.T).argmax(1)
    means = unit(np.stack([y[nearest == k].sum(0) for k in range(len(found))]))
    assert np.allclose(means, found.centers, atol=1e-3)


def test_mergers_cost_what_the_spread_within_grows_by() -> None:
    rng = np.random.default_rng(0)
    points, mass = rng.normal(size=(7, 3)), rng.uniform(1, 4, 7)
    levels, costs = _mergers(points * mass[:, None], mass)
    whole = (points * mass[:, None]).sum(0) / mass.sum()
    assert sum(costs.values()) == pytest.approx(float((mass[:, None] * (points - whole) ** 2).sum()))
    assert list(levels) == [7, 6, 5, 4, 3, 2, 1]
    assert all(np.allclose(level.sum(0), (points * mass[:, None]).sum(0)) for level in levels.values())


def test_few_rows_and_bad_limits_are_as_for_attractors() -> None:
    x, _ = planted(2, 2, 0)
    assert len(topics(x[:2])) == 0
    assert len(topics(x, limit=0)) == 0
    with pytest.raises(InputError):
        topics(x, limit=-1)
    assert np.array_equal(topics(x, limit=1).basin, detect(x, limit=1).basin)
