"""Token-efficiency experiments: order, intervals, tables, plot, errors."""

from __future__ import annotations

import json
import math

import pytest

from fieldpack.analysis.experiment import run_token_efficiency_experiment
from fieldpack.errors import InputError

VARIANTS = {"long": "please do add the two numbers now", "short": "add numbers", "poor": "numbers"}


def words(text):
    return len(text.split())


def noisy():
    """Quality 0.9, 0.8, 0.1 with a drift from run to run."""
    calls = []

    def respond(variant, task):
        calls.append(variant)
        base = {"long": 0.9, "short": 0.8, "poor": 0.1}[next(k for k, v in VARIANTS.items() if v == variant)]
        return base + 0.01 * ((len(calls) - 1) // 3)

    return respond, calls


def run(**change):
    respond, calls = noisy()
    settings = {"respond": respond, "count": words, "repeats": 4} | change
    return run_token_efficiency_experiment(VARIANTS, {"sum": 3}, lambda response, task: response, **settings), calls


def test_sorted_by_quality_per_token_with_every_run_in_its_turn():
    found, calls = run()
    assert [r.name for r in found] == ["short", "long", "poor"] and found.best.name == "short"
    assert calls[:3] == list(VARIANTS.values()) and len(calls) == 12
    short = found.best
    assert short.scores == pytest.approx((0.8, 0.81, 0.82, 0.83))
    assert short.quality.mean == pytest.approx(0.815) and short.efficiency.mean == pytest.approx(0.815 / 2)
    assert short.quality.low < short.quality.mean < short.quality.high
    assert short.efficiency.low == pytest.approx(short.quality.low / 2)


def test_the_seed_decides_the_intervals_and_nothing_else():
    assert run(seed=4)[0] == run(seed=4)[0]
    assert [r.scores for r in run(seed=4)[0]] == [r.scores for r in run(seed=5)[0]]


def test_table_and_dict():
    found, _ = run()
    text, markdown = found.table(), found.table(markdown=True)
    assert text.splitlines()[1].startswith("short") and "[0.80" in text
    assert len({len(line) for line in text.splitlines()}) == 1
    assert markdown.splitlines()[1] == "|---|---:|---:|---:|---:|"
    data = json.loads(json.dumps(found.to_dict()))
    assert data["results"][0]["token_count"] == 2 and len(data["results"][0]["quality_interval"]) == 2
    assert "<td>short</td>" in found._repr_html_()


def test_a_single_run_has_no_interval():
    found, _ = run(repeats=1)
    assert found.to_dict()["results"][0]["efficiency_interval"] is None
    assert "[" not in found.table()


def test_markdown_and_html_are_escaped():
    found = run_token_efficiency_experiment(
        {"a|b <i>": "x y"}, None, lambda r, t: 1, respond=lambda v, t: v, count=words, repeats=1
    )
    assert r"a\|b" in found.table(markdown=True) and "<i>" not in found._repr_html_()


def test_plot_draws_one_point_a_variant():
    found, _ = run()
    axes = found.plot()
    assert len(axes.containers) == 3 and axes.get_xlabel() == "prompt tokens"
    assert found.plot(axes) is axes and len(axes.containers) == 6


@pytest.mark.parametrize(
    ("variants", "change"),
    [
        ([], {}),
        ("one text", {}),
        (["", "b"], {}),
        (["a"], {"repeats": 0}),
        (["a"], {"score": math.nan}),
        (["a"], {"score": None}),
        (["a"], {"score": "good"}),
    ],
)
def test_bad_input(variants, change):
    score = change.pop("score", 1)
    with pytest.raises(InputError):
        run_token_efficiency_experiment(
            variants, None, lambda r, t: score, respond=lambda v, t: v, count=words, **change
        )


def test_progress_counts_to_the_end():
    seen = []
    run(progress=lambda stage, done, total: seen.append((stage, done, total)))
    assert seen[-1] == ("experiment", 12, 12) and len(seen) == 12
