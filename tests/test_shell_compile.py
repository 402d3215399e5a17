"""Shells to settings: what the shells of the design text mean, every kind of mistake with its place, conditions, check
and run."""

from __future__ import annotations

import json
import operator
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.analysis.prompts import shell_prompt
from fieldpack.budget import TokenBudgetPlanner, presets
from fieldpack.errors import InputError, SettingsError, UnknownNameError
from fieldpack.shell import (
    ShellSettings,
    ShellSettingsError,
    check,
    compile,
    dump,
    parse,
    parse_many,
    run,
    to_shell,
)
from fieldpack.shell.condition import parse_condition
from fieldpack.shell.kinds import CONDITION_NAMES
from fieldpack.shell.settings import SECTIONS, AttractorSettings
from fieldpack.shell.vocabulary import ACTIONS, SHELLS

DATA = Path(__file__).parent / "data" / "shells"
KEYS = [
    *("budget", "permeability", "gradient", "resonance_change", "attractors", "min_relevance", "top_n_attractors"),
    *("resonance_target", "residue_fragments", "residue_half_life", "residue_min_strength", "residue_weight"),
]


def read(name: str) -> str:
    return (DATA / f"{name}.shell").read_text("utf-8")


# -- the shells of the design text


def test_token_budget() -> None:
    told = compile(parse(read("token_budget")))
    assert told.budget and told.field is None and told.steps == ()
    assert told.budget.shares == {"system_prompt": 0.15, "history": 0.4, "current_input": 0.3, "reserve": 0.15}
    assert (told.budget.track_usage, told.budget.alert_threshold, told.budget.optimize_automatically) == (
        True,
        0.9,
        True,
    )
    assert [step.action for step in told.budget.rules] == ["history.summarize", "system.prune", "input.prioritize"]
    assert told.budget.allocate(16_000) == {
        "system_prompt": 2400,
        "history": 6400,
        "current_input": 4800,
        "reserve": 2400,
    }
    assert list(told.packer_options()) == KEYS


@pytest.mark.parametrize(
    ("usage", "due"),
    [
        ({"history": 6400 * 8 // 10}, ["input.prioritize"]),  # not more than 0.8 of the allocation
        ({"history": 6400 * 8 // 10 + 1}, ["history.summarize", "input.prioritize"]),
        ({"system": 2401}, ["system.prune", "input.prioritize"]),
        ({"system_prompt": 2000, "instructions": 401}, ["system.prune", "input.prioritize"]),
    ],
)
def test_rules_are_due_when_their_conditions_hold(usage: dict[str, int], due: list[str]) -> None:
    budget = compile(parse(read("token_budget"))).budget
    assert budget
    assert [step.action for step in budget.due(usage, 16_000)] == due


@pytest.mark.parametrize("preset", presets())
def test_the_planner_and_a_shell_of_its_plan_agree(preset: str) -> None:
    plan = TokenBudgetPlanner(12_345, preset=preset).plan()
    budget = compile(parse(shell_prompt(plan))).budget
    assert budget and budget.allocate() == plan.budgets
    shares = ", ".join(f'"{s.name}"={s.budget}' for s in plan.sections)
    assert compile(parse(f"/token.budget{{allocations={{{shares}}}}}")).budget.allocate(12_345) == plan.budgets  # type: ignore[union-attr]


def test_field_manage() -> None:
    told = compile(parse(read("field_manage")))
    assert told.field and told.budget is None
    assert told.field.attractors[0] == AttractorSettings("core_concept_1", 0.8, ("key1", "key2", "key3"))
    assert told.packer_options() == {
        "budget": None,
        "permeability": 0.7,
        "gradient": 0.2,
        "resonance_change": 0.1,
        "attractors": [("key1 key2 key3", 0.8), ("key4 key5 key6", 0.7)],
        "min_relevance": 0.6,
        "top_n_attractors": 3,
        "resonance_target": 0.8,
        "residue_fragments": None,
        "residue_half_life": None,
        "residue_min_strength": 0.5,
        "residue_weight": 2.0,
    }


def test_context_manage_in_a_prompt() -> None:
    told = compile(parse(read("context_manage_prompt")))
    assert told.budget and told.budget.tokens == {"system": 1000, "history": 3000, "current": 3000, "reserve": 1000}
    options = told.packer_options()
    assert (options["budget"], options["min_relevance"]) == (8000, 0.6)
    assert [s.action for s in told.due({"history": 2400})] == ["system.compress", "current.prioritize"]
    assert [s.action for s in told.due({"history": 2401})] == [
        "system.compress",
        "history.manage",
        "current.prioritize",
    ]


def test_an_action_alone_and_its_threshold() -> None:
    told = compile(parse(read("context_compress")))
    (step,) = told.steps
    assert (step.action, step.section, dict(step.options)) == (
        "context.compress",
        "history",
        {"target": "history", "method": "summarize", "threshold": 0.7},
    )
    assert step.when and step.when.evaluate({"tokens": 701, "allocation": 1000})
    assert not step.when.evaluate({"tokens": 700, "allocation": 1000})


def test_several_shells_make_one_record() -> None:
    told = compile(parse_many(read("two_in_a_prompt")))
    assert told.shells == ("token.budget", "field.manage")
    assert told.budget and told.budget.allocate() == {"system": 400, "history": 2000, "current": 1200, "reserve": 400}
    assert told.packer_options()["attractors"] == [("refund chargeback", 1.0)]
    field_alone = compile(parse("/boundary.filter{min_score=0.3}"))
    assert field_alone.packer_options()["min_relevance"] == 0.3


def test_steps_in_quotes_and_in_a_chain() -> None:
    quoted = "/history.summarize{when='history > 5', method='key_points'}"
    rules = f'["{quoted}", /system.prune{{}} -> /input.filter{{threshold=20%}}]'
    budget = compile(parse(f"/token.budget{{management_rules={rules}}}")).budget
    assert budget
    assert [s.action for s in budget.rules] == ["history.summarize", "system.prune", "input.filter"]
    assert budget.rules[2].options["threshold"] == 0.2


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=8).filter(any), st.integers(0, 10**7))
def test_allocations_sum_to_the_total_and_are_near_their_share(weights: list[int], total: int) -> None:
    parts = ", ".join(f'"s{i}"={w}' for i, w in enumerate(weights))
    if max(weights) <= 1 and sum(weights) != 1:
        return
    budget = compile(parse(f"/token.budget{{allocations={{{parts}}}}}")).budget
    assert budget
    given_tokens = budget.allocate(total)
    assert sum(given_tokens.values()) == total
    for i, weight in enumerate(weights):
        assert abs(given_tokens[f"s{i}"] - total * weight / sum(weights)) < 1 + 1e-6


# -- mistakes


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("/token.budgt{}", 1, "did you mean '/token.budget'?"),
        ("/review.plan{}", 1, "it parses, but there are no settings for it"),
        ("/token.budget{alocations={}}", 15, "unknown key 'alocations' in /token.budget; did you mean 'allocations'?"),
        ("/token.budget{allocations={histroy=1}}", 28, "did you mean 'history'?"),
        ("/token.budget{allocations={history=0.5, reserve=0.4}}", 27, "the shares sum to 0.9"),
        ("/token.budget{allocations={history=50%}}", 27, "or reserve=0.5"),
        ("/token.budget{allocations={system=0.5, history=500}}", 27, "are mixed"),
        ("/token.budget{allocations={system=0.5, system_prompt=0.5}}", 40, "is given twice"),
        ("/token.budget{allocations={system=-1}}", 35, "system is -1; expected a number in [0, 1e+08]"),
        ("/token.budget{allocations=[1]}", 27, "allocations is a list [...]; expected a map of sections"),
        ("/token.budget{allocations={0.5}}", 28, "0.5 stands without a section"),
        ("/context.manage{budget={total_tokens=100, history=50}}", 24, "the sections sum to 50 tokens of 100"),
        (
            "/token.budget{total_tokens=8K}",
            28,
            "total_tokens is 8K (write it in full, as in 8000); expected a whole number",
        ),
        ("/token.budget{total_tokens=1.5}", 28, "total_tokens is 1.5"),
        ("/token.budget{total_tokens=<how many>}", 28, "still has the placeholder <how many>: fill it in"),
        ("/token.budget{total_tokens=5, total_tokens=5}", 31, "says 'total_tokens' twice"),
        ("/token.budget{5}", 15, "5 stands in /token.budget without a key"),
        ("/token.budget{monitoring={alert_threshold=90}}", 43, "alert_threshold is 90; expected a number in [0, 1]"),
        ("/token.budget{monitoring={track_usage=maybe}}", 39, "track_usage is maybe; expected true or false"),
        ("/token.budget{management_rules=[/history.sumarize{}]}", 33, "did you mean 'history.summarize'?"),
        ("/token.budget{management_rules=[/boundary.adapt{}]}", 33, "unknown action 'boundary.adapt'"),
        ("/token.budget{management_rules=[5]}", 33, "found 5; expected an action /name{...}"),
        ("/token.budget{management_rules=7}", 32, "management_rules is 7; expected a list of actions"),
        ("/token.budget{management_rules=[/history.summarize{metod=x}]}", 52, "did you mean 'method'?"),
        ("/token.budget{management_rules=[/history.summarize{method=keypoints}]}", 59, "did you mean 'key_points'?"),
        ('/token.budget{management_rules=["/history.summarize{metod=x}"]}', 33, "did you mean 'method'?"),
        ('/token.budget{management_rules=["/history.summarize{"]}', 33, "in the quoted step: line 1, column 20"),
        ('/token.budget{management_rules=[/system.prune{when="sytem > 1"}]}', 52, "did you mean 'system'?"),
        ("/field.manage{boundaries={permeability=1.7}}", 40, "permeability is 1.7; expected a number in [0.1, 0.9]"),
        ("/field.manage{boundaries={permeability=high}}", 40, "permeability is high"),
        ("/field.manage{boundaries=5}", 26, "boundaries is 5; expected a map"),
        ("/field.manage{attractors=[{strength=0.5}]}", 26, "an attractor needs a name or keywords"),
        ("/field.manage{attractors=[{name=a}, {name=a}]}", 26, "two attractors are named 'a'"),
        ("/field.manage{attractors=[{name=a, keywords=[1]}]}", 45, "keywords is 1; expected a text or a list of texts"),
        ("/field.manage{attractors={}}", 26, "attractors is a map {...}; expected a list of maps"),
        (
            "/field.manage{token_optimization=[/optimize.by_attractor{top_n=0}]}",
            64,
            "top_n is 0; expected a whole number",
        ),
        ("/context.compress{target=everything}", 26, "target: unknown section 'everything'"),
        ('/context.compress{target="histry"}', 26, "did you mean 'history'?"),
    ],
)
def test_mistakes_say_where_and_what_is_allowed(text: str, column: int, words: str) -> None:
    with pytest.raises(ShellSettingsError) as error:
        compile(parse("\n\n" + text))
    assert (error.value.line, error.value.column) == (3, column)
    assert words in str(error.value)
    assert isinstance(error.value, SettingsError | InputError)


def test_two_budgets_and_none() -> None:
    with pytest.raises(ShellSettingsError, match="a second budget"):
        compile(parse_many("/token.budget{total_tokens=5}\n/context.manage{budget={total_tokens=6}}"))
    with pytest.raises(SettingsError, match="no shell to compile"):
        compile(())
    with pytest.raises(SettingsError, match="names no total_tokens"):
        compile(parse("/token.budget{allocations={history=1}}")).due({}, None)
    with pytest.raises(InputError, match="cannot hold -1 tokens"):
        compile(parse("/token.budget{total_tokens=9, allocations={history=1}}")).due({"history": -1})


def test_a_section_of_ones_own_stands_in_quotes() -> None:
    rule = "/context.compress{target=retrieved, threshold=0.5}"
    text = f'/token.budget{{management_rules=[{rule}], total_tokens=10, allocations={{"retrieved"=0.5, history=0.5}}}}'
    own = compile(parse(text)).budget
    assert own and own.due({"retrieved": 3}) == own.rules and own.due({"retrieved": 2}) == ()
    budget = compile(parse('/token.budget{total_tokens=10, allocations={"retrieved"=0.5, history=0.5}}')).budget
    assert budget and budget.allocate() == {"retrieved": 5, "history": 5}


# -- conditions


@pytest.mark.parametrize(
    ("text", "values", "holds"),
    [
        ("history > 0.8*allocation", {"history": 801, "allocation": 1000}, True),
        ("history > 80%*allocation", {"history": 800, "allocation": 1000}, False),
        ("not history > 1 or tokens == 2 and tokens != 3", {"history": 5, "tokens": 2}, True),
        ("!(history > 1 || tokens >= 2) && true", {"history": 5, "tokens": 2}, False),
        ("history - 2 - 1 == 2", {"history": 5}, True),
        ("12 / 2 / 3 == 2 and -history * 2 <= -10", {"history": 5}, True),
        ("2 + 3 * 4 ≥ 14 and (2 + 3) * 4 == 20", {}, True),
        ("-2 * -3 == +6", {}, True),
    ],
)
def test_conditions(text: str, values: dict[str, float], holds: bool) -> None:
    assert parse_condition(text, CONDITION_NAMES).evaluate(values) is holds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "column 1: the condition ends"),
        ("history", "this is a number; compare it"),
        ("history >", "column 10: the condition ends; expected a number or a name"),
        ("> 5", "column 1: found '>'; expected a number or a name"),
        ("history > 5 5", "column 13: found '5'; expected an operator"),
        ("histry > 5", "did you mean 'history'?"),
        ("1 < history < 3", "'<' works on numbers only"),
        ("not history", "'!' works on conditions only"),
        ("history > 5 and 3", "'&&' works on conditions only"),
        ("(history > 5", "a '(' is not closed"),
        ("history > 5)", "this ')' closes nothing"),
        ("history > 80%", "a percentage of what?"),
        ("history > $5", "column 11: '$' has no meaning here"),
        ("__import__('os').system('x') > 1", "unknown name"),
        ("history > " + "9" * 400, "out of range"),
        ("history > 1" + "+1" * 500, "at most 500 are read"),
    ],
)
def test_conditions_that_mean_nothing(text: str, words: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_condition(text, CONDITION_NAMES)
    assert words in str(error.value)


def test_conditions_need_their_values() -> None:
    with pytest.raises(UnknownNameError, match="unknown value 'history'"):
        parse_condition("history > 5", CONDITION_NAMES).evaluate({"tokens": 1})
    with pytest.raises(SettingsError, match="divides by zero"):
        parse_condition("1/allocation > 2", CONDITION_NAMES).evaluate({"allocation": 0})


OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "<": operator.lt, ">=": operator.ge}


def some_expression(random: Random, depth: int) -> tuple[str, float]:
    if depth == 0 or random.random() < 0.2:
        value = random.randrange(20)
        return (str(value), value) if random.random() < 0.5 else (f"-{value}", -value)
    (left, a), (right, b) = some_expression(random, depth - 1), some_expression(random, depth - 1)
    sign = random.choice("+-*")
    return f"({left}) {sign} {right if random.random() < 0.3 and depth == 1 else f'({right})'}", OPERATORS[sign](a, b)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**48).map(Random))
def test_conditions_agree_with_python(random: Random) -> None:
    numbers = [str(random.randrange(1, 30)) for _ in range(random.randrange(2, 12))]
    flat = " ".join(x for n in numbers for x in (n, random.choice("+-*")))[:-2]
    (left, a), (right, b) = some_expression(random, 3), (flat, eval(flat))
    sign = random.choice(["<", ">="])
    assert parse_condition(f"{left} {sign} {right}", ()).evaluate({}) is OPERATORS[sign](a, b)


@settings(max_examples=300, deadline=None)
@given(st.text("history0.9%()+-*/<>=!&| andortuef\n", max_size=60))
def test_random_conditions_raise_nothing_but_settings_errors(text: str) -> None:
    try:
        condition = parse_condition(text, CONDITION_NAMES)
    except SettingsError:
        return
    try:
        assert condition.evaluate(dict.fromkeys(CONDITION_NAMES, 3.0)) in (True, False)
    except SettingsError as error:
        assert "divides by zero" in str(error)


# -- what settings say is said again by the shells made of them


def some_option(random: Random, kind_name: str, expected: str) -> object:
    if expected.startswith("a section"):
        return random.choice([*SECTIONS])
    if expected.startswith("one of "):
        return random.choice(expected.removeprefix("one of ").split(", "))
    if expected.startswith("a number"):
        return random.randrange(10, 90) / 100
    if expected.startswith("a whole number"):
        return random.randrange(1, 9)
    if expected == "true or false":
        return random.random() < 0.5
    if expected.startswith("a condition"):
        return random.choice(["tokens > 0.5*allocation", "history >= 3 and not system == 1", "usage/2 < 9"])
    return f"some {kind_name}"


def written(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else json.dumps(value)


def some_step(random: Random, names: list[str]) -> str:
    name = random.choice(names)
    keys = [k for k in ACTIONS[name] if k != "triggers" and random.random() < 0.6]
    options = [f"{k}={written(some_option(random, k, ACTIONS[name][k].expected))}" for k in keys]
    if name == "history.manage" and random.random() < 0.5 and "when" not in keys:
        options.append('triggers={condition="tokens > 5", action="key_points"}')
    return f"/{name}{{{', '.join(options)}}}"


def some_settings(random: Random) -> ShellSettings:
    section_actions = [a for a in ACTIONS if a.split(".")[0] not in ("boundary", "optimize")]
    rules = [some_step(random, section_actions) for _ in range(random.randrange(4))]
    steps = [some_step(random, section_actions) for _ in range(random.randrange(3))]
    optimize = [
        some_step(random, [a for a in ACTIONS if a.startswith("optimize.")]) for _ in range(random.randrange(3))
    ]
    boundary = [
        some_step(random, [a for a in ACTIONS if a.startswith("boundary.")]) for _ in range(random.randrange(3))
    ]
    shells = [
        f"/token.budget{{total_tokens=100, allocations={{history={random.choice(['60%', '0.6'])}, 'own one'=40%}},"
        f' intent="a \\"b\\"", management_rules=[{", ".join(rules)}]}}',
        f"/context.manage{{intent=c, optimization=[{', '.join(steps)}]}}",
        f"/field.manage{{attractors=[{{name=x, strength=0.5}}, {{keywords=[p, q]}}], boundaries={{gradient=0.3,"
        f" rules=[{', '.join(boundary)}]}}, residue_handling={{priority={random.choice(['low', 'medium', 'high'])},"
        f" tracking={random.choice(['yes', 'no'])}}}, token_optimization=[{', '.join(optimize)}]}}",
    ]
    return compile(parse_many("\n".join(random.sample(shells, random.randrange(1, 4)))))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**48).map(Random))
def test_to_shell_says_all_that_settings_say(random: Random) -> None:
    told = some_settings(random)
    said = to_shell(told)
    assert said.unsaid == ()
    assert compile(said.shells) == told
    assert compile(parse_many(said.text)) == told


@pytest.mark.parametrize("name", ["token_budget", "field_manage", "context_manage_prompt", "two_in_a_prompt"])
def test_the_examples_as_shells_again(name: str) -> None:
    told = compile(parse_many(read(name)))
    assert compile(to_shell(told).shells) == told


# -- check and run


def test_check_finds_everything_in_order() -> None:
    text = '/token.budget{\n  totl=5,\n  monitoring={alert_threshold=9}\n  intent=<why>\n}\n/review.plan{x=<y>}\n/a{"'
    found = [(d.line, d.column, d.severity) for d in check(text)]
    assert found == [
        (2, 3, "error"),
        (3, 31, "error"),
        (4, 3, "warning"),
        (4, 10, "error"),
        (6, 1, "warning"),
        (6, 16, "warning"),
        (7, 4, "error"),
    ]
    assert str(check(text)[0]).startswith(
        "2:3: error: unknown key 'totl' in /token.budget; did you mean 'total_tokens'?"
    )


@pytest.mark.parametrize("name", ["token_budget", "field_manage", "context_manage_prompt", "two_in_a_prompt"])
def test_the_examples_check_clean_and_run(name: str) -> None:
    assert check(read(name)) == []
    answer = run(read(name))
    assert json.loads(json.dumps(answer)) == answer
    assert list(answer["packer"]) == KEYS


def test_check_of_what_is_no_shell() -> None:
    assert [d.message for d in check("only prose")] == [
        "no shell found; expected '/' and a name, as in /token.budget{...}"
    ]
    assert check("/a{\ud800}")[0].severity == "error"
    assert check('{"fractalTokenManager": {"allocation": {"history": 2}}}')[0].message.startswith(
        "$.fractalTokenManager"
    )
    assert check('{"fractalTokenManager": \n [}')[0][:3] == (2, 3, "error")
    assert check('{"fractalTokenManager": {}}') == []


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(DATA.glob("*.shell"))), st.integers(0, 2**48).map(Random))
def test_check_of_mutated_examples_never_raises(path: Path, random: Random) -> None:
    text = path.read_text("utf-8")
    words = [
        *SHELLS,
        *ACTIONS,
        *SECTIONS,
        "{",
        "}",
        "[",
        "]",
        ",",
        '"',
        "=",
        "<x>",
        "1e9",
        "true",
        "->",
        "when",
        "intent",
    ]
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(text))
        text = text[:at] + random.choice(words) + text[at + random.randrange(12) :]
    for diagnostic in check(text):
        assert diagnostic.severity in ("error", "warning")
    if not any(d.severity == "error" for d in check(text)) and not any("no settings" in d.message for d in check(text)):
        run(text)


def test_a_hundred_problems_are_enough() -> None:
    text = "/token.budget{" + ",".join(f"key_{i}=1" for i in range(5000)) + "}"
    assert len(check(text)) == 100


def test_shells_change_nothing_but_settings() -> None:
    """Compiled text is data: no import of the package's heavy parts, no names looked up, nothing called."""
    code = (
        "import sys, fieldpack.shell as s; s.run(open(sys.argv[1]).read());"
        "heavy = {'torch', 'sklearn', 'jsonschema', 'lark', 'scipy', 'faiss'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(DATA / "token_budget.shell")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_misread_word_is_never_written() -> None:
    told = compile(parse('/field.manage{attractors=[{name="a, b", keywords=["x -> y", "//"]}]}'))
    said = to_shell(told).text
    assert compile(parse(said)) == told
    assert dump(parse(said), canonical=True) == said
    assert replace(told, intent="") == told


def test_the_examples_of_the_documentation_are_real_runs() -> None:
    page = (Path(__file__).parents[1] / "docs" / "shells.md").read_text("utf-8")
    pairs = re.findall(r"```(?:shell|json)\n(.*?)```\n```text\n(.*?)```", page, re.DOTALL)
    assert len(pairs) >= 8
    for text, said in pairs:
        assert "".join(f"{d}\n" for d in check(text)) == said
    for name, table in (*ACTIONS.items(), *SHELLS.items()):
        assert f"`/{name.replace('current.', 'input.')}`" in page, name
        assert all(f"`{key}`" in page for key in table), name
