from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.errors import InputError, SettingsError
from fieldpack.field.boundary import Boundary, conformal

resonances = st.lists(st.floats(-1, 1), min_size=1, max_size=30)


@given(resonances)
def test_permeability_stays_in_its_range_and_never_jumps(sequence):
    b = Boundary()
    for resonance in sequence:
        after = b.step(resonance)
        assert 0.1 <= after.permeability <= 0.9
        assert abs(after.permeability - b.permeability) <= b.gradient + 1e-12
        b = after


@given(st.floats(-0.9, 0.9), st.floats(1e-3, 0.1))
def test_the_step_follows_the_change_of_resonance(start, change):
    b = Boundary().step(start)
    small, large = b.step(start + change / 4), b.step(start + change)
    assert b.permeability < small.permeability < large.permeability
    assert b.step(start).permeability == b.permeability
    assert b.step(start - change).permeability == pytest.approx(2 * b.permeability - large.permeability)


def test_resonance_is_smoothed_as_in_the_design_text():
    state = {"resonance": 0.4, "permeability": 0.7, "gradient": 0.2}
    ours = Boundary(resonance=0.4)
    for new in (0.5, 0.1, 0.3):
        state = oracles.update_field_state(state, new)
        ours = ours.step(new)
        assert ours.resonance == pytest.approx(state["resonance"])


def test_it_does_not_slam_between_its_clamps_where_the_design_text_does():
    flutter = [0.30, 0.31] * 10
    state, ours, theirs, mine = {"resonance": 0.3, "permeability": 0.7, "gradient": 0.2}, Boundary(), [], []
    for new in flutter:
        state = oracles.update_field_state(state, new)
        ours = ours.step(new)
        theirs.append(state["permeability"])
        mine.append(ours.permeability)
    assert max(theirs) - min(theirs) > 0.15
    assert max(mine) - min(mine) < 0.05


@settings(max_examples=60)
@given(st.integers(1, 200), st.sampled_from([0.05, 0.1, 0.2, 0.5]), st.integers(0, 1000))
def test_conformal_is_the_kth_smallest(n, alpha, seed):
    scores = np.random.default_rng(seed).random(n)
    k = int((alpha * (n + 1)) + 1e-9)
    assert conformal(scores, alpha) == (np.sort(scores)[k - 1] if k else -np.inf)


def test_conformal_keeps_its_promise_on_new_rows():
    rng, alpha, held = np.random.default_rng(0), 0.1, []
    for _ in range(3000):
        scores = rng.beta(2, 5, size=40)
        held.append(scores[-1] >= conformal(scores[:-1], alpha))
    assert 0.89 <= np.mean(held) <= 0.935  # 1 - alpha and at most 1 / (n + 1) more, within sampling error


def test_conformal_refuses_nonsense():
    with pytest.raises(InputError, match="alpha nan"):
        conformal(np.array([0.1]), float("nan"))
    with pytest.raises(InputError, match="without NaN"):
        conformal(np.array([np.nan]), 0.1)
    assert conformal(np.array([0.1, 0.2]), -0.3) == -np.inf and conformal(np.array([0.1, 0.2]), 1.3) == 0.2


@pytest.mark.parametrize(
    "values",
    [
        {"permeability": 0.05},
        {"permeability": 0.95},
        {"permeability": float("nan")},
        {"gradient": -0.1},
        {"memory": 1.0},
        {"scale": 0.0},
        {"resonance": 1.5},
    ],
)
def test_settings_out_of_range_say_what_is_allowed(values):
    with pytest.raises(SettingsError, match="allowed"):
        Boundary(**values)


def test_a_resonance_that_is_none_is_refused():
    with pytest.raises(InputError, match="-1 to 1"):
        Boundary().step(float("nan"))
