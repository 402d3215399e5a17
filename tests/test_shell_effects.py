"""Every key of the shells and of fractal.json changes what a packer or a plan does, or is refused: no key is read in
vain. The table of docs/shells.md names each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldpack import ContextPacker, FieldSettings, Session
from fieldpack.errors import SettingsError
from fieldpack.shell import ShellSettings, ShellSettingsError, compile, configure, fractal, parse, parse_many, run
from fieldpack.shell.vocabulary import ACTIONS, SHELLS

PAGE = (Path(__file__).parents[1] / "docs" / "shells.md").read_text("utf-8")
PACKER = ContextPacker()
USAGES = ({}, {"history": 300}, {"history": 700}, {"history": 990, "system": 990, "input": 990, "documents": 990})
NOTES = {"intent", "version", "description", "$schema"}
"""Keys for the reader of a file; nothing else may change nothing."""


FACTS = {
    "sea": (
        "Spring tides come at new moon and at full moon",
        "The Moon pulls the water of the sea",
        "Neap tides are weak",
    ),
    "bread": (
        "Sourdough bread needs flour and water",
        "A starter of rye flour rests for days",
        "Bakers bake bread early",
    ),
    "stone": (
        "Azurite is a blue mineral of copper",
        "Miners ground the mineral for paint",
        "Malachite is a green mineral",
    ),
    "train": ("The tunnel took nine years to dig", "Granite slowed the work in the tunnel", "Trains pass the tunnel"),
}
TEXTS = tuple(
    f"{fact}{more}."
    for facts in FACTS.values()
    for fact in facts
    for more in ("", ", says the keeper of the harbour", ", and that is known at the coast")
)
TURNS = ("What happens at the coast?", "Who digs the tunnel?", "Which mineral is blue?", "What do bakers need?")


HARBOURS = tuple(
    f"The keeper {does}."
    for does in (
        *(f"of the old harbour {does} the tide" for does in ("notes the hour of", "watches", "looks for", "notes")),
        "of the harbour notes the hour of the tide",
        "has a harbour and a tide",
        "waits in the old harbour",
        "slowed the work in the tunnel",
    )
)


LATER = ((1, "Which keeper notes the tide in the old harbour?"), (4, "Which keeper of the old harbour knows the tide?"))
"""A text that is pinned in the first turn, and the query of the fourth: it is behind the best, far and near."""


def later_pack(packer: ContextPacker, pinned: int, query: str) -> str:
    """What is packed in the fourth turn, when the residue of a text that was pinned in the first has faded."""
    state = None
    for k, asked in enumerate(["What slowed the work?"] * 3 + [query]):
        pins = [] if k else [f"doc-{pinned}"]
        result = packer.pack(asked, HARBOURS, 12 if k else 30, state=state, pins=pins)
        state = result.state
    return result.text


def packs(settings: ShellSettings) -> tuple[str, ...]:
    """What a packer that obeys the settings packs: over the turns of a session, and without a query."""
    configured = configure(PACKER, settings)
    session, budget = Session(configured.packer), configured.budget or 60
    turns = [session.turn(TURNS[k % 4], INDEX if k % 3 else TEXTS[: 9 * (k + 1)], budget + 60 * k) for k in range(6)]
    unasked = configured.packer.pack(None, INDEX.documents, budget).text
    return (unasked, *(result.text for result in turns), *(later_pack(configured.packer, *later) for later in LATER))


INDEX = PACKER.index(TEXTS)


def plan(settings: ShellSettings) -> tuple[Any, ...]:
    """The tokens of the sections, and the steps that are due."""
    allocation = settings.budget.allocate(2000) if settings.budget else None
    due = [[(step.action, dict(step.options), step.section) for step in settings.due(usage, 2000)] for usage in USAGES]
    return (allocation, due)


def effects(key: str, settings: ShellSettings) -> tuple[Any, ...]:
    """What the page says that a key changes: packs, or the plan."""
    return {"packs": packs, "plan": plan}[PROMISES[key]](settings)


def promises() -> dict[str, str]:
    """{key, with its action: the last column} of the page's tables of keys."""
    out: dict[str, str] = {}
    for line in PAGE.partition("## What each key does")[2].partition("## Mistakes")[0].splitlines():
        cells = line.strip("| ").split(" | ")
        if not line.startswith("| ") or cells[0] in ("shell", "action", "fractal.json", "the others"):
            continue
        place = cells[0].strip("`/") if len(cells) == 4 else ""
        prefix = f"{place}." if place in ACTIONS else ""
        out |= {prefix + name: cells[-1] for name in re.findall(r"`([^`]+)`", cells[-3])}
    return out


PROMISES = promises()


def written(shell: str, entries: str) -> str:
    """A shell with entries in the place of its @."""
    return shell.replace("@", entries)


BUDGET = "/token.budget{allocations={system=0.5, history=0.5}, @}"
RULES = written(BUDGET, "management_rules=[/history.summarize{when='history > 100'}, /system.prune{}], @")
CONTEXT = "/context.manage{budget={system=0.5, history=0.5}, @}"
ATTRACTOR = "/field.manage{attractors=[{name='tides at sea'}, {name=bread, @}]}"
RESIDUE = "/field.manage{residue_handling={priority=high, @}}"
CASES = {
    "total_tokens": (BUDGET, "", "total_tokens=500"),
    "allocations": ("/token.budget{allocations={@}}", "system=0.5, history=0.5", "system=0.25, history=0.75"),
    "management_rules": (BUDGET, "", "management_rules=[/system.prune{}]"),
    "budget": ("/context.manage{budget={@}}", "system=0.5, history=0.5", "system=0.25, history=0.75"),
    "optimization": (CONTEXT, "", "optimization=[/system.prune{}]"),
    "monitoring.track_usage": (RULES, "", "monitoring={track_usage=false}"),
    "monitoring.optimize_automatically": (BUDGET, "", "monitoring={optimize_automatically=true}"),
    "monitoring.alert_threshold": (
        written(BUDGET, "monitoring={optimize_automatically=true, @}"),
        "",
        "alert_threshold=0.1",
    ),
    "attractors.name": ("/field.manage{attractors=[{@}]}", "name=tides", "name=bread"),
    "attractors.keywords": (ATTRACTOR, "", "keywords=[flour, water]"),
    "attractors.strength": (ATTRACTOR, "", "strength=0.3"),
    "boundaries.permeability": ("/field.manage{boundaries={@}}", "", "permeability=0.3"),
    "boundaries.gradient": ("/field.manage{boundaries={@}}", "", "gradient=0.3"),
    "boundaries.rules": ("/field.manage{boundaries={@}}", "", "rules=[/boundary.filter{min_score=0.3}]"),
    "residue_handling.tracking": ("/field.manage{residue_handling={@}}", "", "tracking=false"),
    "residue_handling.preservation_strategy": (
        RESIDUE,
        "preservation_strategy=compress_and_retain",
        "preservation_strategy=retain",
    ),
    "residue_handling.priority": ("/field.manage{residue_handling={@}}", "priority=low", "priority=high"),
    "residue_handling.min_strength": (RESIDUE, "", "min_strength=0.9"),
    "token_optimization": ("/field.manage{@}", "", "token_optimization=[/optimize.by_attractor{top_n=1}]"),
    "boundary.adapt.threshold": ("/boundary.adapt{@}", "", "threshold=0.3"),
    "boundary.filter.min_score": ("/boundary.filter{@}", "", "min_score=0.3"),
    "optimize.by_attractor.top_n": ("/optimize.by_attractor{@}", "", "top_n=3"),
    "optimize.by_attractor.keep": ("/optimize.by_attractor{top_n=3, @}", "", "keep=all"),
    "optimize.preserve_residue.min_strength": ("/optimize.preserve_residue{@}", "", "min_strength=0.9"),
    "optimize.amplify_resonance.target": ("/optimize.amplify_resonance{@}", "", "target=0.8"),
}
"""Key: a shell, and two values of the key that must not come to the same."""
REFUSED = {
    "residue_handling.share": ("/field.manage{residue_handling={share=0.1}}", "priority=low, normal or high"),
    "boundary.adapt.trigger": ("/boundary.adapt{trigger=every_turn}", "one of resonance_change"),
    "boundary.filter.method": ("/boundary.filter{method=recency}", "attractor_relevance"),
}
"""Key: a shell that is refused, and what the message names instead."""


def nested(kind_name: str) -> list[str]:
    from fieldpack.shell import vocabulary

    tables = {"attractors": "_ATTRACTOR", "boundaries": "_BOUNDARIES", "residue_handling": "_RESIDUE"}
    if kind_name == "monitoring":
        return ["track_usage", "alert_threshold", "optimize_automatically"]
    return list(getattr(vocabulary, tables[kind_name])) if kind_name in tables else []


def shell_keys() -> set[str]:
    """All keys of the three shells, and those of the field's own actions."""
    keys = {"allocations", "budget"}
    for table in SHELLS.values():
        for name in table:
            keys |= {f"{name}.{below}" for below in nested(name)} or {name}
    for action in (a for a in ACTIONS if a.split(".")[0] in ("boundary", "optimize")):
        keys |= {f"{action}.{name}" for name in ACTIONS[action]}
    return keys - NOTES


def test_every_key_of_the_shells_has_a_case() -> None:
    assert shell_keys() == CASES.keys() | REFUSED.keys()


@pytest.mark.parametrize("key", CASES)
def test_every_key_of_the_shells_changes_something(key: str) -> None:
    shell, one, other = CASES[key]
    assert effects(key, compile(parse(written(shell, one)))) != effects(key, compile(parse(written(shell, other))))


@pytest.mark.parametrize("key", REFUSED)
def test_a_key_or_word_that_nothing_obeys_is_refused_with_the_nearest(key: str) -> None:
    text, instead = REFUSED[key]
    with pytest.raises(ShellSettingsError, match=re.escape(instead)):
        compile(parse(text))


VALUES = {
    "when": "'history > 100'",
    "priority": "low",
    "target": "history",
    "threshold": "0.3",
    "ratio": "0.3",
    "preserve": "figures",
    "keep": "figures",
    "max_messages": "3",
    "top_n": "3",
    "level": "2",
    "triggers": '{condition="history > 100", action="key_points"}',
}
SECTION_ACTIONS = [a for a in ACTIONS if a.split(".")[0] not in ("boundary", "optimize")]


@pytest.mark.parametrize("action", SECTION_ACTIONS)
def test_every_option_of_a_sections_action_changes_the_steps_that_are_due(action: str) -> None:
    for name, kind in ACTIONS[action].items():
        first_word = kind.expected.removeprefix("one of ").split(", ")[0]
        value = VALUES.get(name, first_word)
        rules = written(BUDGET, f"management_rules=[/{action}{{@}}]")
        bare, with_option = (compile(parse(written(rules, option))) for option in ("", f"{name}={value}"))
        assert plan(bare) != plan(with_option), name


def test_a_high_priority_comes_before_a_low_one_whatever_the_order_of_the_text() -> None:
    low, high = "/system.prune{priority=low}", "/history.summarize{priority=high}"
    for rules in (f"{low}, {high}", f"{high}, {low}"):
        budget = compile(parse(f"/token.budget{{total_tokens=9, management_rules=[{rules}]}}")).budget
        assert budget and [s.action for s in budget.due({})] == ["history.summarize", "system.prune"]


def test_automatic_optimisation_leaves_sections_with_a_rule_of_their_own_alone() -> None:
    text = (
        "/token.budget{total_tokens=100, allocations={history=0.5, input=0.5}, "
        "management_rules=[/history.summarize{when='history > 49'}], monitoring={optimize_automatically=true}}"
    )
    settings = compile(parse(text))
    assert [s.section for s in settings.due({"history": 46, "input": 46})] == ["input"]
    assert [s.action for s in settings.due({"history": 50, "input": 45})] == ["history.summarize"]


# -- fractal.json

SEEDS = [{"name": "tides", "strength": 0.9}, {"name": "bread", "strength": 0.8}]
ALLOCATED = {"allocation": {"system": 0.5, "history": 0.5}}
RULED = {**ALLOCATED, "strategies": {"history": {"compression": "minimal", "strategies": ["window", "summarize"]}}}


def deeper(path: str, value: Any) -> dict[str, Any]:
    """{"a": {"b": value}} for a.b"""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in change.items():
        out[key] = merged(out[key], value) if isinstance(out.get(key), dict) and isinstance(value, dict) else value
    return out


AUTOMATIC = {**ALLOCATED, "recursion": {"self_optimization": True}}
FRACTAL: dict[str, tuple[dict[str, Any], Any]] = {
    "total_tokens": (ALLOCATED, 500),
    "allocation": ({}, {"system": 0.25, "history": 0.75}),
    "strategies": (ALLOCATED, {"system": {"compression": "minimal"}}),
    "monitoring.track_usage": (AUTOMATIC, False),
    "monitoring.alert_threshold": (AUTOMATIC, 0.1),
    "recursion.self_optimization": (ALLOCATED, True),
    "recursion.depth": (merged(RULED, {"strategies": {"history": {"recursion": True}}, "recursion": {"depth": 0}}), 2),
    "field.attractors.detection": ({}, False),
    "field.attractors.influence": (deeper("field.attractors.seeds", SEEDS), 0.5),
    "field.attractors.top_n": (deeper("field.attractors.seeds", SEEDS), 1),
    "field.attractors.seeds": ({}, SEEDS),
    "field.resonance.target": ({}, 0.6),
    "field.resonance.amplification": (deeper("field.resonance.target", 0.6), False),
    "field.boundaries.adaptive": (deeper("field.boundaries.gradient", 0.3), False),
    "field.boundaries.permeability": ({}, 0.3),
    "field.boundaries.gradient": ({}, 0.3),
    "field.boundaries.resonance_change": ({}, 0.3),
    "field.boundaries.min_score": ({}, 0.3),
    "field.residue.tracking": ({}, False),
    "field.residue.preservation_strategy": (deeper("field.residue.priority", "high"), "retain"),
    "field.residue.priority": ({}, "high"),
    "field.residue.min_strength": (deeper("field.residue.priority", "high"), 0.9),
}
NODE: dict[str, tuple[dict[str, Any], Any]] = {
    "compression": ({}, "minimal"),
    "strategies": ({}, ["window"]),
    "filtering": ({}, "relevance"),
    "priority": ({"compression": "minimal"}, "high"),
    "threshold": ({"filtering": "relevance"}, 0.3),
    "recursion": ({"strategies": ["window", "summarize"]}, True),
    "children": ({"compression": "minimal"}, {"facts": {}}),
}


def schema_keys(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Paths of the keys of the manager that hold no further named keys."""
    definitions = fractal.json_schema()["$defs"]
    for name, below in schema.get("properties", {}).items():
        part = definitions[below["$ref"].removeprefix("#/$defs/")] if "$ref" in below else below
        if "properties" in part:
            yield from schema_keys(part, f"{path}{name}.")
        elif name not in NOTES:
            yield f"{path}{name}"


def test_every_key_of_fractal_json_has_a_case() -> None:
    definitions = fractal.json_schema()["$defs"]
    assert set(schema_keys(definitions["manager"])) == FRACTAL.keys()
    assert set(definitions["strategy"]["properties"]) == NODE.keys()


def loaded(manager: dict[str, Any]) -> ShellSettings:
    return fractal.load({"fractalTokenManager": manager}).settings


@pytest.mark.parametrize("key", FRACTAL)
def test_every_key_of_fractal_json_changes_something(key: str) -> None:
    base, value = FRACTAL[key]
    assert effects(key, loaded(base)) != effects(key, loaded(merged(base, deeper(key, value))))


@pytest.mark.parametrize("key", NODE)
def test_every_key_of_a_node_changes_something(key: str) -> None:
    base, value = NODE[key]
    managers = [
        {**ALLOCATED, "strategies": {"history": node}, "recursion": {"depth": 1}}
        for node in (base, {**base, key: value})
    ]
    assert plan(loaded(managers[0])) != plan(loaded(managers[1]))


def test_a_key_that_fractal_json_no_longer_takes_is_refused_with_those_that_work() -> None:
    with pytest.raises(fractal.FractalError, match=r"residue\.share: unknown key.*known: min_strength, .*priority"):
        loaded(deeper("field.residue.share", 0.1))


# -- the packer, and the page


def test_a_shell_sets_a_packer_that_packs() -> None:
    text = (
        "/field.manage{attractors=[{name=bread, keywords=[sourdough, flour]}], boundaries={permeability=0.3}}"
        "/context.manage{budget={total_tokens=12}}"
    )
    configured = configure(PACKER, compile(parse_many(text)))
    documents = ["Tides follow the Moon.", "Sourdough bread needs flour and water.", "Azurite is a blue mineral."]
    assert configured.budget == 12 and configured.queries == (("sourdough flour", 1.0),)
    result = configured.packer.pack([*configured.queries], documents, configured.budget)
    assert result.text == documents[1] and result.state.boundary.permeability == 0.3


def test_a_shell_without_keys_leaves_the_packer_as_it_is() -> None:
    configured = configure(PACKER, ShellSettings())
    assert configured.packer == PACKER and configured.budget is None and configured.queries == ()


def test_the_options_are_json_and_the_documentation_names_every_key() -> None:
    options = compile(parse(written(CASES["boundaries.permeability"][0], "permeability=0.3"))).packer_options()
    assert json.loads(json.dumps(options)) == options
    refused = {key for key, promise in PROMISES.items() if promise == "refused"}
    assert refused == REFUSED.keys()
    assert CASES.keys() | FRACTAL.keys() | NOTES - {"$schema"} == PROMISES.keys() - refused


MINERALS = {"name": "minerals", "keywords": ["azurite", "mineral"]}


def test_a_named_attractor_draws_rows_with_and_without_a_query_as_strongly_as_it_is() -> None:
    for query in (None, "What happens at the coast?"):
        without, numbers = PACKER.pack(query, TEXTS, 60), []
        for strength in (0.0, 1.0):
            field = FieldSettings.from_mapping({"attractors": [{**MINERALS, "strength": strength}]})
            result = ContextPacker(field=field).pack(query, TEXTS, 60)
            numbers.append(sum("mineral" in kept.text for kept in result.kept))
            if strength == 0:
                assert result.text == without.text
            if query is not None:
                assert (result.relevance.total == without.relevance.total).all(), "scores stay calibrated"
        assert numbers[1] > numbers[0]


def test_the_resonance_that_is_wanted_draws_rows_that_agree_with_the_field() -> None:
    packs_of = [
        ContextPacker(field=FieldSettings(resonance=target)).pack(TURNS[0], TEXTS, 200) for target in (0.0, 0.9)
    ]
    assert packs_of[0].text == PACKER.pack(TURNS[0], TEXTS, 200).text
    assert packs_of[0].text != packs_of[1].text
    agreement = packs_of[0].reading.attractors.affinity(packs_of[0].corpus.vectors) @ packs_of[0].reading.demand
    means = [agreement[result.corpus.paragraph[result.inside]].mean() for result in packs_of]
    assert means[1] > means[0]


@pytest.mark.parametrize(
    "attractors",
    [[{"name": ""}], [{"name": "a", "color": 1}], ["a"], [{"name": "a"}] * 2, [{"name": "a", "strength": 2}]],
)
def test_what_is_no_attractor_is_refused(attractors: Any) -> None:
    with pytest.raises(SettingsError, match="attractor"):
        FieldSettings(attractors=attractors)


def test_what_the_description_says_is_the_intent_that_is_shown() -> None:
    described = {"fractalTokenManager": {"description": "Keep to the tides"}}
    assert fractal.load(described).description == "Keep to the tides"
    assert run(json.dumps(described))["settings"]["intent"] == "Keep to the tides"
