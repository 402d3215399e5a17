"""Budgets: exact sums, stated flow, use, alerts, errors."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.budget import (
    TokenBudgetPlanner,
    context_windows,
    flow,
    largest_remainder,
    parse_used,
    presets,
    window_of,
)
from fieldpack.errors import BudgetError, InputError, SettingsError, UnknownNameError
from fieldpack.request import checked_budget

ALL_PRESETS = ("forty_forty_twenty", "pyramid", "simple_qa", "creative_writing", "complex_reasoning", "default")


def words(text: str) -> int:
    return len(text.split())


def test_presets_are_the_design_texts():
    assert set(presets()) == set(ALL_PRESETS)
    assert TokenBudgetPlanner(16000, "pyramid").budgets() == {
        "system": 3200,
        "context": 4800,
        "history": 4800,
        "auxiliary": 2400,
        "reserve": 800,
    }
    assert TokenBudgetPlanner(1000, "simple_qa").budgets() == {
        "system_prompt": 100,
        "examples": 0,
        "history": 700,
        "user_input": 150,
        "reserve": 50,
    }
    assert list(TokenBudgetPlanner(10, "forty_forty_twenty").budgets().values()) == [4, 4, 2]
    assert list(TokenBudgetPlanner(100, "creative_writing").budgets().values()) == [15, 20, 40, 15, 10]
    assert list(TokenBudgetPlanner(100, "complex_reasoning").budgets().values()) == [15, 25, 30, 20, 10]
    assert list(TokenBudgetPlanner(100).budgets().values()) == [15, 15, 40, 20, 10]


@given(st.integers(1, 10**7), st.sampled_from(ALL_PRESETS), st.data())
def test_budgets_add_to_the_window_and_stay_within_one_token_of_their_share(window, name, data):
    reserve = data.draw(st.integers(0, window))
    planner = TokenBudgetPlanner(window, name, output_reserve=reserve)
    plan = planner.plan()
    assert sum(plan.budgets.values()) == window
    assert sum(TokenBudgetPlanner(window, name).budgets().values()) == window
    assert plan.budgets.get("output", 0) == reserve


@given(st.integers(0, 10**6), st.lists(st.integers(0, 1000), min_size=1, max_size=8))
def test_largest_remainder_matches_its_definition(total, weights):
    parts = largest_remainder(total, [Fraction(w) for w in weights])
    assert sum(parts) == total
    if sum(weights):
        quotas = [Fraction(total * w, sum(weights)) for w in weights]
        assert all(abs(p - q) < 1 for p, q in zip(parts, quotas, strict=True))
        up = [q - int(q) for p, q in zip(parts, quotas, strict=True) if p > q]
        down = [q - int(q) for p, q in zip(parts, quotas, strict=True) if p <= q and q != int(q)]
        assert not up or not down or min(up) >= max(down)


budget_dicts = st.dictionaries(
    st.sampled_from(["system", "context", "history", "input", "output", "reserve"]), st.integers(0, 1000), min_size=1
)


@given(budget_dicts, st.data())
def test_flow_conserves_the_sum_and_respects_the_untracked(budgets, data):
    names = [n for n in budgets if n != "output"]
    used = data.draw(st.dictionaries(st.sampled_from(names), st.integers(0, 3000))) if names else {}
    given_ = flow(budgets, used)
    assert list(given_) == list(budgets) and sum(given_.values()) == sum(budgets.values())
    assert all(v >= 0 for v in given_.values())
    assert given_.get("output") == budgets.get("output")
    sink = "reserve" if "reserve" in budgets else (names[-1] if names else "")
    for name in names:
        if name != sink and name not in used:
            assert given_[name] >= budgets[name]
        if name in used and name != sink:
            assert given_[name] >= min(budgets[name], used[name])
    # Nobody lacks tokens while another tracked section, or an untracked reserve, has some to spare.
    lacks = any(used.get(n, 0) > given_[n] for n in names)
    spare = sum(max(0, given_[n] - used[n]) for n in used if n != sink) + max(
        0, given_.get(sink, 0) - used.get(sink, 0)
    )
    assert not (lacks and spare and sink)


def test_surplus_flows_to_need_then_to_the_next_open_section():
    budgets = {"system": 200, "context": 300, "history": 300, "auxiliary": 150, "reserve": 50}
    assert flow(budgets, {"system": 80}) == {**budgets, "system": 80, "context": 420}
    needy = flow(budgets, {"system": 80, "history": 350})
    assert needy == {"system": 80, "context": 370, "history": 350, "auxiliary": 150, "reserve": 50}
    assert flow(budgets, {"auxiliary": 0})["reserve"] == 200
    assert flow(budgets, {"context": 340}) == {**budgets, "context": 340, "reserve": 10}
    assert flow(budgets, {}) == budgets
    assert flow({"system": 100, "examples": 0, "input": 50}, {"system": 40}) == {
        "system": 40,
        "examples": 0,
        "input": 110,
    }


def test_windows_by_model_name():
    assert window_of("gpt-4o") == 128_000 == window_of("openai/GPT-4o-2024-08-06")
    assert window_of("claude-3-opus-20240229") == 200_000
    assert TokenBudgetPlanner("gpt-3.5-turbo").window == 16_385
    with pytest.raises(UnknownNameError, match=r"did you mean 'gpt-4o'.*gpt-4o.*Pass the context window as a number"):
        TokenBudgetPlanner("gpt-4oo")
    assert all(isinstance(v, int) and v >= 1000 for v in context_windows().values())


@pytest.mark.parametrize(
    "window", [0, -5, True, 16000.0, None, 10**13, pytest.param(-(10**5000), id="huge"), float("nan")]
)
def test_windows_that_are_none(window):
    with pytest.raises(InputError):
        TokenBudgetPlanner(window)


@pytest.mark.parametrize("value", [10**13, 10**400, pytest.param(10**5000, id="huge"), float("inf"), True])
def test_numbers_out_of_every_range_are_refused_wherever_tokens_are_given(value):
    planner = TokenBudgetPlanner(1000)
    for call in (
        lambda: TokenBudgetPlanner(1000, output_reserve=value),
        lambda: TokenBudgetPlanner(1000, allocations={"a": value}),
        lambda: TokenBudgetPlanner(1000, alert_threshold=value if value is not True else "x"),
        lambda: planner.track_usage("system", value),
        lambda: planner.set_allocation("a", value),
        lambda: checked_budget(value),
    ):
        with pytest.raises((InputError, SettingsError)) as error:
            call()
        assert len(str(error.value)) < 400


@pytest.mark.parametrize("count", [-1, "3", None, 1.5, True, 10**30, float("nan")])
def test_a_token_counter_that_returns_no_count_is_refused(count):
    with pytest.raises(InputError, match="token counter returned"):
        TokenBudgetPlanner(1000, tokenizer=lambda text: count).track_usage("system", "some text")


def test_own_allocations_as_shares_or_tokens():
    shares = TokenBudgetPlanner(1000, allocations={"system": 0.15, "history": 0.4})
    assert shares.budgets() == {"system": 150, "history": 400, "reserve": 450}
    tokens = TokenBudgetPlanner(8000, allocations={"system": 1000, "history": 3000, "current": 3000, "reserve": 1000})
    assert tokens.budgets() == {"system": 1000, "history": 3000, "current": 3000, "reserve": 1000}
    assert tokens.get_budget("input") == 3000
    fewer = TokenBudgetPlanner(7919, allocations={"a": 1001, "b": 3}, output_reserve=919)
    assert fewer.budgets() == {"a": 1001, "b": 3, "reserve": 5996, "output": 919}


@pytest.mark.parametrize(
    "bad", [{"a": 0.6, "b": 0.6}, {"a": -0.1}, {"a": float("nan")}, {"a": 2000}, {"overall": 0.1}, {"a": "half"}]
)
def test_bad_allocations(bad):
    with pytest.raises(SettingsError):
        TokenBudgetPlanner(1000, allocations=bad)


def test_the_design_texts_own_calls():
    planner = TokenBudgetPlanner(1000, tokenizer=words)
    planner.set_allocation("system", 0.1)
    planner.set_allocation("history", 0.5)
    assert planner.budgets() == {"system": 100, "history": 500, "reserve": 400}
    assert planner.track_usage("system", "one two three") == 3
    for bad in (-1, True, 1.5):
        with pytest.raises(InputError):
            planner.track_usage("system", bad)
    assert planner.get_remaining() == 997
    assert planner.get_remaining("history") == 597  # 500 and what system leaves
    assert planner.is_within_budget("system", "w " * 100) and not planner.is_within_budget("system", "w " * 101)
    report = planner.get_status_report()
    assert report["system"] == {"budget": 100, "used": 3, "remaining": 97, "available": 3, "utilization": 0.03}
    assert report["overall"]["used"] == 3 and report["overall"]["budget"] == 1000
    planner.track_usage("system", 40)
    assert planner.get_used() == 40
    with pytest.raises(SettingsError, match=r"add to 1\.1"):
        planner.set_allocation("input", 0.5)


def test_optimize_to_fit_checks_the_result():
    planner = TokenBudgetPlanner(100, allocations={"input": 0.05}, tokenizer=words)
    assert planner.optimize_to_fit("input", "a b", lambda t, n: "never called") == "a b"
    assert planner.optimize_to_fit("input", "a b c d e f", lambda t, n: " ".join(t.split()[:n])) == "a b c d e"
    with pytest.raises(BudgetError) as caught:
        planner.optimize_to_fit("input", "a b c d e f", lambda t, n: t)
    assert (caught.value.needed, caught.value.budget) == (6, 5)


def test_equation_adds_parts_and_keeps_the_output():
    planner = TokenBudgetPlanner(16000, tokenizer=words, output_reserve=1000)
    equation = planner.equation(system={"instructions": 1500, "examples": [300, 200]}, history=4000, input="what is it")
    assert equation.available == 16000 - (2000 + 4000 + 3) - 1000
    assert str(equation) == "8997 = 16000 - (2000 + 4000 + 3) - 1000 kept for the answer"
    assert planner.equation(history=20000).available < 0


def test_texts_are_counted_in_o200k_base_when_no_tokenizer_is_given():
    planner = TokenBudgetPlanner(1000)
    assert planner.track_usage("system", 40) == 40
    assert planner.track_usage("system", "one two three") == 3
    for bad in (-1, True, 1.5):
        with pytest.raises(InputError):
            planner.track_usage("system", bad)


@pytest.mark.parametrize("name", ALL_PRESETS)
def test_every_preset_knows_the_common_section_names(name):
    planner = TokenBudgetPlanner(10000, name)
    for section in ("system", "history", "input", "reserve", "system_prompt", "user_input", "context", "examples"):
        planner.get_budget(section)
    with pytest.raises(UnknownNameError, match="known: "):
        planner.get_budget("sytsem")


def test_alerts_tell_near_borrowed_and_over():
    planner = TokenBudgetPlanner(1000, "pyramid")
    planner.track_usage("system", 179)
    assert planner.alerts() == ()
    planner.track_usage("system", 180)
    assert [(a.section, a.level) for a in planner.alerts()] == [("system", "near")]
    planner.track_usage("system", 240)
    assert [(a.section, a.level) for a in planner.alerts()] == [("system", "borrows")]
    planner.track_usage("system", 251)
    assert [(a.section, a.level) for a in planner.alerts()] == [("system", "over")]
    planner.track_usage("system", 1001)
    assert [(a.section, a.level) for a in planner.alerts()] == [("system", "over"), ("overall", "over")]


def test_the_plan_renders_for_machines_people_and_notebooks():
    planner = TokenBudgetPlanner(1000, allocations={"sys[bold]": 0.2, "<b>": 0.0}, output_reserve=100)
    planner.track_usage("sys[bold]", 250)
    planner.track_usage("<b>", 5)
    plan = planner.plan()
    assert json.loads(json.dumps(plan.to_dict(), allow_nan=False))["sections"]["<b>"]["utilization"] is None
    assert plan.to_dict()["budgets"] == plan.budgets
    assert "over" not in plan.text() and "uses 70 tokens that other sections leave free" in plan.text()
    assert "<b>" not in plan._repr_html_().replace("<b>'", "") and "&lt;b&gt;" in plan._repr_html_()

    from rich.text import Text

    plain, marked = plan.bars(20, markup=False), plan.bars(20)
    assert [Text.from_markup(line).plain for line in marked] == plain
    assert len(plain) == len(plan.sections) and plain[0].startswith("sys[bold] ")
    assert plain[0].count("█") == max(1, round(20 * 250 / 645)) and "250/250" in plain[0]


def test_plan_is_frozen_and_does_not_follow_later_use():
    planner = TokenBudgetPlanner(1000)
    before = planner.plan()
    planner.track_usage("system", 10)
    assert before.used == 0 and planner.plan().used == 10


def test_parse_used():
    assert parse_used(["system=1800", "history=12,000", "input = 5"]) == {"system": 1800, "history": 12000, "input": 5}
    for bad in ("system", "system=", "=5", "system=-3", "system=1e3", "system=²"):
        with pytest.raises(InputError, match="write section=tokens"):
            parse_used([bad])
    with pytest.raises(InputError, match="twice"):
        parse_used(["system=1", "system=2"])
