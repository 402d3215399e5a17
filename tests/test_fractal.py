"""fractal.json: the example of the design text, inheritance level by level, every refusal with its path,
conversions."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.errors import InputError
from fieldpack.shell import compile, dump, fractal, parse, parse_many, run, to_fractal, to_shell
from fieldpack.shell import schema as own_schema
from fieldpack.shell.fractal import FractalError
from fieldpack.shell.settings import ShellSettings
from fieldpack.shell.to_fractal import meaning as of_step
from fieldpack.shell.to_shell import step_shell

DATA = Path(__file__).parent / "data" / "shells"
EXAMPLE = DATA / "token_manager.fractal.json"
SHELLS = ["token_budget", "field_manage", "context_manage_prompt", "two_in_a_prompt"]


def example() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(EXAMPLE.read_text("utf-8"))
    return value


def manager(**parts: Any) -> dict[str, Any]:
    return {"fractalTokenManager": parts}


# -- the example and inheritance


def test_the_example_of_the_design_text() -> None:
    told = fractal.load(EXAMPLE)
    assert (told.version, told.depth) == ("1.0.0", 3)
    assert told.notes == ("field.attractors: influence 0.8 has no effect without seeds",)
    budget, field = told.settings.budget, told.settings.field
    assert budget and field
    assert budget.allocate(10_000) == {"system": 1500, "history": 4000, "input": 3000, "reserve": 1500}
    assert budget.optimize_automatically and (field.detection, field.influence) == (True, 0.8)
    assert told.packer_options() == {
        "budget": None,
        "permeability": 0.6,
        "gradient": None,
        "resonance_change": None,
        "attractors": [],
        "min_relevance": 0.6,
        "top_n_attractors": None,
        "resonance_target": 0.7,
        "residue_fragments": None,
        "residue_half_life": None,
        "residue_min_strength": None,
        "residue_weight": None,
    }
    assert fractal.load(example()) == fractal.load(str(EXAMPLE)) == told


def test_a_section_that_recurs_inherits_at_each_level() -> None:
    history = fractal.load(EXAMPLE).nodes[1]
    levels = [(n.path, n.level, n.compression, n.strategies) for n in history.walk()]
    assert levels == [
        ("history", 0, "progressive", ("window",)),
        ("history/1", 1, "progressive", ("summarize",)),
        ("history/2", 2, "progressive", ("key_value",)),
        ("history/3", 3, "progressive", ("key_value",)),
    ]
    steps = [s for s in fractal.load(EXAMPLE).settings.budget.rules if s.action == "history.manage"]  # type: ignore[union-attr]
    assert [(s.options["method"], s.options.get("level", 0)) for s in steps] == [
        ("window", 0),
        ("summarize", 1),
        ("key_value", 2),
        ("key_value", 3),
    ]


def test_children_inherit_what_they_do_not_say() -> None:
    told = fractal.load(
        manager(
            strategies={
                "input": {
                    "filtering": "relevance",
                    "threshold": 0.5,
                    "priority": "high",
                    "children": {"code": {"threshold": 0.2}, "prose": {"filtering": "none", "compression": "minimal"}},
                }
            },
            recursion={"depth": 1},
        )
    )
    top, code, prose = told.nodes[0].walk()
    assert (code.path, code.filtering, code.threshold, code.priority) == ("input/code", "relevance", 0.2, "high")
    assert (prose.filtering, prose.threshold, prose.compression, prose.priority) == ("none", 0.5, "minimal", "high")
    assert top.children == (code, prose)
    assert told.notes == ("strategies.input/prose: threshold 0.5 has no effect without filtering",)


def test_recursion_without_levels_below_is_the_section_alone() -> None:
    told = fractal.load(
        manager(strategies={"history": {"strategies": ["window"], "recursion": True}}, recursion={"depth": 0})
    )
    assert [n.path for n in told.nodes[0].walk()] == ["history"]


def test_what_has_no_effect_is_noted() -> None:
    told = fractal.load(
        manager(
            strategies={"system": {"priority": "high"}, "input": {"threshold": 0.3}},
            field={"resonance": {"target": 0.5, "amplification": False}},
        )
    )
    assert told.settings.steps == () and told.packer_options()["resonance_target"] is None
    assert len(told.notes) == 3 and set(told.notes) <= set(to_shell(told).unsaid)


# -- refusals


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"allocation": {"system": 0.5, "history": 0.4}}, "$.fractalTokenManager.allocation: the shares sum to 0.9"),
        ({"allocation": {"system": 1.5}}, "$.fractalTokenManager.allocation.system: is 1.5; expected at most 1"),
        ({"allocation": {"histori": 1}}, "allocation.histori: unknown section; did you mean 'history'?"),
        ({"allocation": {"system": 0.5, "system_prompt": 0.5}}, "is the same section as 'system'"),
        (
            {"allocation": {"9 lives": 1}},
            "allocation['9 lives']: the key is 9 lives; expected the pattern",
        ),
        ({"allocation": {}}, "$.fractalTokenManager.allocation: has 0 keys; expected at least 1"),
        ({"allocatoin": {}}, "$.fractalTokenManager.allocatoin: unknown key (did you mean 'allocation'?)"),
        ({"strategies": {"output": {}}}, "$.fractalTokenManager.strategies.output: no share in allocation"),
        ({"strategies": {"input": {"strategies": ["window"]}}}, "work on history, not on 'input'"),
        (
            {"strategies": {"history": {"strategies": ["window", "summarise"]}}},
            "$.fractalTokenManager.strategies.history.strategies[1]: is summarise (did you mean 'summarize'?)",
        ),
        ({"strategies": {"history": {"strategies": ["window", "window"]}}}, "holds the same item twice"),
        ({"strategies": {"history": {"threshold": True}}}, "history.threshold: is true; expected a number"),
        ({"strategies": {"history": {"children": {"a": 5}}}}, "history.children.a: is 5; expected an object"),
        ({"field": {"boundaries": {"permeability": 0.95}}}, "boundaries.permeability: is 0.95; expected at most 0.9"),
        (
            {"field": {"attractors": {"seeds": [{}]}}},
            "field.attractors.seeds[0]: lacks the key 'name'",
        ),
        ({"recursion": {"depth": 9}}, "$.fractalTokenManager.recursion.depth: is 9; expected at most 8"),
        ({"recursion": {"depth": 1.5}}, "recursion.depth: is 1.5; expected an integer"),
        (
            {"recursion": {}},
            "history: goes below its section, but $.fractalTokenManager.recursion.depth is not",
        ),
        (
            {"strategies": {"history": {"children": {"a": {"children": {"b": {}}}}}}, "recursion": {"depth": 1}},
            "strategies.history.children.a.children.b: is 2 levels below its section; recursion.depth allows 1",
        ),
        ({"version": "one"}, "$.fractalTokenManager.version: is one; expected the pattern"),
    ],
)
def test_refusals_name_the_path(change: dict[str, Any], problem: str) -> None:
    value = example()
    value["fractalTokenManager"] |= change
    with pytest.raises(FractalError) as error:
        fractal.load(value)
    assert any(problem in found for found in error.value.problems), error.value.problems


def test_all_problems_at_once() -> None:
    with pytest.raises(FractalError, match=r"and 2 more\)$") as error:
        fractal.load(manager(**{f"key{i}": 1 for i in range(7)}))
    assert len(error.value.problems) == 7


def test_growth_is_bounded() -> None:
    level: dict[str, Any] = {"recursion": True}
    for _ in range(3):
        level = {"recursion": True, "children": {f"c{i}": level for i in range(16)}}
    with pytest.raises(FractalError, match=r"grows to [0-9]+ nodes; at most 1000"):
        fractal.load(manager(strategies={"input": level}, recursion={"depth": 8}))


@pytest.mark.parametrize(
    ("text", "words", "line", "column"),
    [
        ('{"a": 1,\n "a": 2}', "the key 'a' stands twice", 0, 0),
        ('{"a": NaN}', "NaN is no JSON number", 0, 0),
        ('{"a": -Infinity}', "-Infinity is no JSON number", 0, 0),
        ('{"a": 1e999}', "is out of range", 0, 0),
        ('{"a": ' + "9" * 500_000 + "}", "a number of 500000 characters", 0, 0),
        ('{"a":\n  1 2}', "line 2, column 5", 2, 5),
        ("[" * 100_000, "line 1, column 65: brackets nest deeper than 64", 1, 65),
        ('{"a":' * 100_000, "brackets nest deeper than 64", 1, 321),
        (" " * (1 << 21), "at most 1048576 are read", 1, 1),
        ('{"a": "' + '\\"' * 500_000, "line 1, column 7: unterminated string", 1, 7),
        ("", "line 1, column 1", 1, 1),
        ("[]", "$: is an array; expected an object", 0, 0),
        ("{}", "$: lacks the key 'fractalTokenManager'", 0, 0),
    ],
)
def test_texts_that_are_no_strict_json(text: str, words: str, line: int, column: int) -> None:
    with pytest.raises(FractalError) as error:
        fractal.loads(text)
    assert words in str(error.value)
    assert (error.value.line, error.value.column) == (line, column)


def test_objects_that_are_no_json() -> None:
    loop: dict[str, Any] = {}
    loop["a"] = loop
    bad: list[Any] = [loop, {"a": float("nan")}, {"a": {1, 2}}, {"a": 10**400}, {1: 2}, {"a": [0] * 200_000}]
    for value in bad:
        with pytest.raises(FractalError):
            fractal.load(value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as UTF-8 text"):
        fractal.load(tmp_path / "missing.json")
    (tmp_path / "latin.json").write_bytes(b'{"\xff": 1}')
    with pytest.raises(InputError, match="cannot be read as UTF-8 text"):
        fractal.load(tmp_path / "latin.json")
    (tmp_path / "big.json").write_bytes(b" " * (5 << 20))
    with pytest.raises(FractalError, match="at most 1048576 are read"):
        fractal.load(tmp_path / "big.json")


# -- the schema and its validator


def test_the_schema_is_valid_and_uses_only_what_the_validator_knows() -> None:
    whole = fractal.json_schema()
    jsonschema.Draft202012Validator.check_schema(whole)
    assert jsonschema.Draft202012Validator(whole).is_valid(example())
    schemas = [whole]
    while schemas:
        one = schemas.pop()
        assert set(one) <= own_schema.KEYWORDS | own_schema.ANNOTATIONS, set(one)
        schemas += [s for s in one.get("properties", {}).values()] + [s for s in one.get("$defs", {}).values()]
        schemas += [one[k] for k in ("items", "additionalProperties", "propertyNames") if isinstance(one.get(k), dict)]


JUNK: list[Any] = [
    *(None, True, 0, 1, 2, -1, 0.5, 1.0, 1e9, "", "x", "high", "window", "1.0.0", [], ["window"], ["window", "window"]),
    *([1], {}, {"a": 1}, {"name": "n"}, {"depth": 1.0}, {"system": 1}, {"recursion": True}, {"children": {"a": {}}}),
]
NAMES = ["priority", "threshold", "depth", "system", "seeds", "name", "keywords", "children", "unknown", "9", "target"]


def mutated(random: Random) -> Any:
    """The example with a few values replaced, added or removed anywhere."""
    value: Any = example()
    value["fractalTokenManager"]["field"]["attractors"]["seeds"] = [{"name": "a", "strength": 1, "keywords": ["k"]}]
    value["fractalTokenManager"]["strategies"]["input"]["children"] = {"deep": {"children": {"er": {"threshold": 0}}}}
    for _ in range(random.randrange(1, 4)):
        node = value
        while isinstance(node, dict | list) and node and random.random() < 0.8:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = random.choice(keys)
            if not isinstance(node[key], dict | list) or not node[key] or random.random() < 0.2:
                node[key] = copy.deepcopy(random.choice(JUNK))
                break
            node = node[key]
        else:
            if isinstance(node, dict):
                node[random.choice(NAMES)] = copy.deepcopy(random.choice(JUNK))
            elif isinstance(node, list):
                node.append(copy.deepcopy(random.choice(JUNK)))
    return value


def pointer(path: str) -> str:
    return path.replace("['", ".").replace("']", "").replace("[", ".").replace("]", "")


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**48).map(Random))
def test_the_validator_agrees_with_jsonschema(random: Random) -> None:
    value = mutated(random)
    whole = fractal.json_schema()
    theirs = list(jsonschema.Draft202012Validator(whole).iter_errors(value))
    ours = list(own_schema.problems(value, whole, whole))
    assert bool(ours) == bool(theirs), (ours, [e.message for e in theirs])
    where = {".".join(("$", *map(str, e.absolute_path))) for e in theirs}
    for path, _ in ours:  # an unknown key is a problem of its own path here and of its object's there
        assert pointer(path) in where or pointer(path).rpartition(".")[0] in where, (path, where)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**48).map(Random))
def test_mutated_examples_load_or_are_refused(random: Random) -> None:
    value = mutated(random)
    try:
        told = fractal.load(value)
    except FractalError as error:
        assert all(problem.startswith("$") for problem in error.problems)
        return
    assert fractal.loads(json.dumps(value)) == told
    assert sum(1 for top in told.nodes for _ in top.walk()) <= 1000


@settings(max_examples=200, deadline=None)
@given(st.text('{}[]":,0919eE+-.truefalsn \n\\u', max_size=60), st.integers(0, 2**48).map(Random))
def test_random_texts_are_refused_cleanly(text: str, random: Random) -> None:
    whole = EXAMPLE.read_text("utf-8")
    at = random.randrange(len(whole))
    for one in (text, whole[:at] + text[:5] + whole[at + random.randrange(4) :]):
        try:
            fractal.loads(one)
        except FractalError:
            continue


# -- shells and fractal.json


def test_the_example_as_shells_and_back() -> None:
    told = fractal.load(EXAMPLE)
    said = to_shell(told)
    assert said.unsaid == (
        "field.attractors.detection true",
        "field.attractors.influence 0.8: give each attractor its strength instead",
        "field.attractors: influence 0.8 has no effect without seeds",
        "recursion.depth 3: the levels are written out one by one",
    )
    assert 'version="1.0.0"' in said.text
    compiled = compile(parse_many(said.text))
    assert told.settings.field
    assert compiled == replace(told.settings, field=replace(told.settings.field, detection=None, influence=None))
    back = to_fractal(compiled)
    assert back.unsaid == ()
    lost = example()["fractalTokenManager"]
    del lost["version"], lost["field"]["attractors"]
    assert back.value["fractalTokenManager"] == lost | {"description": "Recursive token optimization framework"}


@pytest.mark.parametrize("name", SHELLS)
def test_what_fractal_json_cannot_say_of_a_shell_is_listed(name: str) -> None:
    settings_ = compile(parse_many((DATA / f"{name}.shell").read_text("utf-8")))
    said = to_fractal(settings_)
    loaded = fractal.load(said.value).settings
    unsaid = " ".join(said.unsaid)
    for step in (*(settings_.budget.rules if settings_.budget else ()), *settings_.steps):
        kept = loaded.budget.rules if loaded.budget else loaded.steps
        assert f"/{step.action}{{" in unsaid or step.section in {s.section for s in kept}
    if settings_.budget and settings_.budget.total_tokens:
        assert loaded.budget and loaded.budget.allocate() == settings_.budget.allocate()
    same = {k: v for k, v in settings_.packer_options().items() if k != "min_relevance"}
    assert {k: v for k, v in loaded.packer_options().items() if k != "min_relevance"} == same


def some_manager(random: Random) -> dict[str, Any]:
    """A random valid manager."""

    def maybe(**options: Any) -> dict[str, Any]:
        return {k: v for k, v in options.items() if random.random() < 0.5}

    depth = random.randrange(4)
    weights = {name: random.randrange(1, 9) for name in ("system", "chat_history", "input", "own_part")}
    strategies: dict[str, Any] = {}
    shared = random.random() < 0.6
    for name in random.sample(list(weights)[: None if shared else 3], random.randrange(4)):
        node = maybe(
            compression=random.choice(["none", "minimal", "progressive", "aggressive"]),
            priority=random.choice(["low", "high"]),
            filtering=random.choice(["none", "relevance", "recency"]),
            threshold=random.randrange(11) / 10,
            recursion=random.random() < 0.5,
        )
        if name == "chat_history" and random.random() < 0.7:
            node["strategies"] = random.sample(["window", "summarize", "key_value"], random.randrange(1, 4))
        if depth and random.random() < 0.4:
            node["children"] = {"kid": maybe(compression="minimal", threshold=0.1, recursion=True)}
        strategies[name] = node
    field = maybe(
        attractors=maybe(top_n=random.randrange(1, 4), seeds=[{"name": "a b", "strength": 0.5, "keywords": ["c, d"]}]),
        resonance=maybe(target=0.5, amplification=random.random() < 0.5),
        boundaries=maybe(
            adaptive=random.random() < 0.5, permeability=0.5, gradient=0.25, resonance_change=0.5, min_score=0.75
        ),
        residue=maybe(
            tracking=random.random() < 0.5,
            preservation_strategy=random.choice(["compress_and_retain", "retain", "discard"]),
            priority=random.choice(["low", "medium", "high"]),
            min_strength=0.5,
        ),
    )
    whole = sum(weights.values())
    told = maybe(
        description="what it is for",
        version="1.2",
        total_tokens=random.randrange(1, 10**6),
        field=field,
        monitoring=maybe(track_usage=False, alert_threshold=0.5),
    )
    if shared:
        told["allocation"] = {name: weight / whole for name, weight in weights.items()}
    return told | {"strategies": strategies, "recursion": {"depth": depth}}


def outline(told: ShellSettings) -> tuple[Any, ...]:
    budget = told.budget
    return (told.packer_options(), budget and (budget.total_tokens, budget.shares, budget.alert_threshold))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**48).map(Random))
def test_random_managers_as_shells_and_back(random: Random) -> None:
    told = fractal.load({"fractalTokenManager": some_manager(random)})
    said = to_shell(told)
    if not said.shells:
        assert told.settings.packer_options() == ShellSettings().packer_options()
        return
    compiled = compile(parse_many(said.text))
    expected = told.settings
    if expected.field and expected.field.residue_tracking is False:
        assert expected.packer_options()["residue_fragments"] == 0
    assert compiled.packer_options() == expected.packer_options()
    rules = [*(expected.budget.rules if expected.budget else ()), *expected.steps]
    assert [*(compiled.budget.rules if compiled.budget else ()), *compiled.steps] == rules
    back = to_fractal(compiled)
    loaded = fractal.load(back.value)
    if not back.unsaid:
        assert outline(loaded.settings) == outline(compiled)
    again = [*(loaded.settings.budget.rules if loaded.settings.budget else ()), *loaded.settings.steps]
    kept = {of_step(step) for step in again}
    for step in rules:
        assert of_step(step) in kept or dump(step_shell(step)) in back.unsaid
    assert kept <= {of_step(step) for step in rules}


def test_a_shell_as_fractal_json_runs_the_same() -> None:
    said = to_fractal(parse((DATA / "field_manage.shell").read_text("utf-8")))
    assert run(json.dumps(said.value))["packer"] == run((DATA / "field_manage.shell").read_text("utf-8"))["packer"]
    assert said.unsaid == ()
