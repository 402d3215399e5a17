"""Admission by share, the rule of the ablation rows "boundary"."""

from __future__ import annotations

import random

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.bench.admission import threshold
from fieldpack.errors import InputError


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 100)), min_size=1, max_size=40),
    st.floats(0.0, 1.0),
)
def test_threshold_lets_in_the_share_of_the_mass_and_no_row_more(rows, permeability):
    relevance, mass = np.array(rows).T
    cut = threshold(relevance, permeability, mass)
    entered = mass[relevance >= cut].sum()
    assert entered >= permeability * mass.sum() * (1 - 1e-9)
    assert mass[relevance > cut].sum() <= permeability * mass.sum() * (1 + 1e-9)
    assert (relevance >= cut).any()


def test_what_enters_depends_on_no_scale_and_no_die():
    """Absolute thresholds let nothing in, or all, depending on the model; a die, something else each time."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 32))
    context = rows[:5].mean(0)
    assert oracles.apply_boundary_control(rows[5:], context, threshold=0.7) == []
    diced = {
        tuple(oracles.filter_by_attractor_relevance(rows, [context], 0.7, rng=random.Random(seed)))
        for seed in range(16)
    }
    assert len(diced) == 16
    relevance = np.array([oracles.cosine_similarity(context, row) for row in rows])
    entered = {tuple(np.flatnonzero(r >= threshold(r, 0.7))) for r in (relevance, 0.1 * relevance, relevance**3)}
    assert len(entered) == 1 and len(entered.pop()) == 42


def test_threshold_of_a_plain_case():
    relevance = np.array([0.1, 0.9, 0.5, 0.7])
    assert threshold(relevance, 0.5) == 0.7
    assert threshold(relevance, 1.0) == 0.1
    assert threshold(relevance, 0.0) == 0.9
    assert threshold(relevance, 0.5, np.array([100, 1, 1, 1])) == 0.1
    assert threshold(np.array([]), 0.5) == np.inf


@pytest.mark.parametrize(
    ("relevance", "permeability", "mass"),
    [([0.1, np.nan], 0.5, None), ([0.1], 1.2, None), ([0.1], 0.5, [-1.0]), ([0.1], 0.5, [1.0, 2.0])],
)
def test_threshold_refuses_what_it_cannot_rank(relevance, permeability, mass):
    with pytest.raises(InputError, match="expected two arrays"):
        threshold(np.array(relevance), permeability, None if mass is None else np.array(mass))
