"""Plots: what is drawn is what was measured, on the axes that were given."""

import sys
from dataclasses import replace

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

import fieldpack as fp
from fieldpack import plot
from fieldpack.budget import TokenBudgetPlanner
from fieldpack.errors import InputError, MissingExtraError
from fieldpack.field.plane import plane
from fieldpack.field.state import FieldState, read

TEXTS = [
    "Rush is a Canadian rock band. Neil Peart was its drummer. The band released Counterparts in 1993.",
    "Azurite is a soft, deep blue copper mineral. It forms by the weathering of $copper$ ore deposits.",
    "Sourdough bread is leavened with wild yeast. A starter needs flour, water and a few days of patience.",
]


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def result():
    return fp.ContextPacker().pack("Who drummed for the rock band?", TEXTS, 40)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    x = np.concatenate([c + 0.05 * rng.normal(size=(12, 8)) for c in np.eye(3, 8)]).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def points(ax):
    found = [c.get_offsets() for c in ax.collections if isinstance(c, PathCollection)]
    return np.concatenate([np.asarray(f) for f in found])


def test_every_plot_draws_on_the_axes_it_is_given_and_returns_them(result):
    plan = TokenBudgetPlanner(1000, preset="pyramid").plan()
    draw = {
        plot.field_map: result,
        plot.resonance: result,
        plot.energy: result.reading.attractors,
        plot.permeability: [result.state],
        plot.budget: plan,
        plot.relevance: result,
        plot.frontier: result,
    }
    for function, source in draw.items():
        ax = pyplot.subplots()[1]
        assert function(source, ax=ax) is ax
        ax.figure.canvas.draw()
        new = function(source)
        assert isinstance(new, Axes) and new is not ax
        new.figure.canvas.draw()


def test_the_map_shows_rows_attractors_query_and_what_is_kept(rows):
    reading = read(rows, rows[0])
    kept = np.arange(len(rows)) < 5
    ax = plot.field_map(rows, reading, rows[0], kept=kept)
    flat = plane(rows, reading.attractors, rows[:1])
    drawn = points(ax)
    for expected in (flat.rows, flat.centers, flat.queries):
        for point in expected:
            assert np.abs(drawn - point).sum(1).min() < 1e-5
    assert len(drawn) == len(rows) + 5 + len(reading.attractors) + 1
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["kept", *(str(k + 1) for k in range(len(reading.attractors))), "query"]


def test_rows_need_their_reading(rows):
    with pytest.raises(InputError, match="reading"):
        plot.field_map(rows)
    with pytest.raises(InputError, match="36 rows"):
        plot.resonance(rows[:5], read(rows))


def test_resonance_is_the_matrix_in_basin_order(rows):
    reading = read(rows)
    assert len(reading.attractors) == 3
    image = plot.resonance(rows[::-1].copy(), read(rows[::-1].copy())).images[0].get_array()
    assert image.shape == (36, 36) and np.allclose(image, image.T, atol=1e-6)
    blocks = np.kron(np.eye(3), np.ones((12, 12))).astype(bool)
    assert image[blocks].min() > image[~blocks].max()


def test_energy_lines_never_rise(rows):
    ax = plot.energy(read(rows).attractors)
    assert len(ax.lines) == 3
    for line in ax.lines:
        assert (np.diff(line.get_ydata()) <= 1e-9).all() and line.get_ydata()[-1] == 0


def test_permeability_over_turns(rows):
    states, state = [FieldState.start()], None
    for turn in range(4):
        state = read(rows[: 12 + 6 * turn], state=state).state
        states.append(state)
    ax = plot.permeability(states)
    permeability, resonance = ax.lines
    assert permeability.get_ydata().tolist() == [s.boundary.permeability for s in states]
    assert np.isnan(resonance.get_ydata()[0]) and resonance.get_ydata()[-1] == states[-1].boundary.resonance


def test_budget_bars_are_the_plan():
    planner = TokenBudgetPlanner(1000, preset="pyramid")
    planner.track_usage("context", 900)
    plan = planner.plan()
    ax = plot.budget(plan)
    available, used = ax.containers
    assert [b.get_width() for b in available] == [s.available for s in plan.sections[::-1]]
    assert [b.get_width() for b in used] == [s.used for s in plan.sections[::-1]]
    assert [t.get_text() for t in ax.get_yticklabels()] == [s.label for s in plan.sections[::-1]]


def test_relevance_bars_tell_what_was_kept(result):
    ax = plot.relevance(result, most=4)
    bars = ax.containers[0]
    best = np.argsort(-result.relevance.total, kind="stable")[:4][::-1]
    assert [b.get_width() for b in bars] == pytest.approx(result.relevance.total[best])
    assert [to_hex(b.get_facecolor()) for b in bars] == [plot.KEPT if result.inside[r] else plot.DROPPED for r in best]


def test_the_frontier_goes_through_the_pack(result):
    ax = plot.frontier(result, bound=True)
    bound, worth, this = ax.lines
    assert (result.tokens, result.packing.value) in set(zip(*worth.get_data(), strict=True))
    assert this.get_data()[0][0] == result.tokens
    assert (np.asarray(bound.get_ydata()) + 1e-6 >= np.asarray(worth.get_ydata())).all()
    named = plot.frontier({"a": [result], "b": [result, result.repack(60)]})
    assert [line.get_label() for line in named.lines] == ["a", "b"]


@pytest.mark.parametrize("texts", [["One."], ["12 34", "56"], ["same text"] * 5])
def test_small_fields(texts):
    result = fp.ContextPacker().pack("one", texts, 20)
    for draw in (plot.field_map, plot.resonance, plot.relevance, plot.frontier):
        draw(result).figure.canvas.draw()
    plot.energy(result.reading.attractors).figure.canvas.draw()


def test_without_matplotlib_the_extra_is_named(monkeypatch, result):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"fieldpack\[plot\]"):
        plot.relevance(replace(result))
