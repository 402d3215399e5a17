"""fractal.json: what is done about each section, in nodes that nest, compiled to the same settings as shells.

Inheritance: a node takes compression, priority, strategies, filtering and threshold from the node above where it has
none of its own. `children` are nodes below. A node with `"recursion": true` is its own child at each of
`recursion.depth` levels; then one of its `strategies` holds at each level (the last for the levels that are left),
applied to the text that the level above leaves out. Without recursion all its strategies hold at the node's own level.
`recursion` and `children` are not inherited.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from fieldpack.errors import InputError
from fieldpack.shell import schema
from fieldpack.shell.actions import make_step
from fieldpack.shell.compile import field_from_actions, split_sections
from fieldpack.shell.consistency import contradictions
from fieldpack.shell.kinds import MAX_PROBLEMS
from fieldpack.shell.settings import (
    SECTIONS,
    AttractorSettings,
    BudgetSettings,
    FieldShellSettings,
    ShellSettings,
    Step,
)
from fieldpack.shell.strict_json import MAX_CHARS, check_value, parse_json
from fieldpack.shell.strict_json import FractalError as FractalError

_INHERITED = ("compression", "priority", "strategies", "filtering", "threshold")


@dataclass(frozen=True)
class FractalNode:
    """One node after inheritance. `level` 0 is the section; `path` such as history/facts or history/1 (its own
    repetition)."""

    path: str
    section: str
    level: int
    compression: str | None = None
    priority: str | None = None
    strategies: tuple[str, ...] = ()  # those that hold at this node
    filtering: str | None = None
    threshold: float | None = None
    children: tuple[FractalNode, ...] = ()

    def walk(self) -> Iterator[FractalNode]:
        """The node and all below it, from the top."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class FractalSettings:
    """A fractal.json: its nodes by section, and the `settings` that an equal shell would give.

    `notes` name keys without an effect: a threshold that nothing filters by, a priority of nothing.
    """

    version: str
    depth: int
    nodes: tuple[FractalNode, ...]
    settings: ShellSettings
    notes: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """What the file is for, in its own words: the intent of the settings, which `fieldpack shell run` shows."""
        return self.settings.intent

    def packer_options(self) -> dict[str, Any]:
        """See ShellSettings.packer_options."""
        return self.settings.packer_options()


def load(source: str | Path | Mapping[str, Any]) -> FractalSettings:
    """The settings of a fractal.json: a path, or the parsed object.

    Raises FractalError (a SettingsError; .problems with JSON paths) for what is no strict JSON, breaks
    fractal.schema.json or contradicts itself (allocations that do not sum to 1, a strategy for a section without a
    share, nesting below the depth); InputError for a file that cannot be read.
    """
    if isinstance(source, Mapping):
        return _build(check_value(source))
    try:
        with Path(source).open("rb") as file:
            data = file.read(4 * MAX_CHARS + 1)
        return loads(data.decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{source} cannot be read as UTF-8 text: {error}; pass the path of a fractal.json") from error


def loads(text: str) -> FractalSettings:
    """The settings of a JSON text; raises as `load` does."""
    return _build(parse_json(text))


@functools.cache
def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of fractal.json."""
    parsed: dict[str, Any] = json.loads(Path(__file__).with_name("fractal.schema.json").read_text("utf-8"))
    return parsed


def _build(value: Any) -> FractalSettings:
    problems = list(islice(schema.problems(value, json_schema(), json_schema()), MAX_PROBLEMS))
    if not problems:
        problems = list(islice(contradictions(value["fractalTokenManager"]), MAX_PROBLEMS))
    if problems:
        raise FractalError([f"{path}: {problem}" for path, problem in problems])
    manager = value["fractalTokenManager"]
    recursion = manager.get("recursion", {})
    depth = int(recursion.get("depth", 0))
    nodes = tuple(
        _node(s, {}, path=name, section=name, level=0, depth=depth) for name, s in manager.get("strategies", {}).items()
    )
    return FractalSettings(
        version=manager.get("version", ""),
        depth=depth,
        nodes=nodes,
        settings=_settings(manager, nodes),
        notes=tuple(_notes(manager, nodes)),
    )


def _node(
    own: Mapping[str, Any], above: Mapping[str, Any], *, path: str, section: str, level: int, depth: int
) -> FractalNode:
    """A node with what it inherits, its children, and, when it recurs, itself at the levels below."""
    keys = {key: own.get(key, above.get(key)) for key in _INHERITED}
    below = [
        _node(child, keys, path=f"{path}/{name}", section=section, level=level + 1, depth=depth)
        for name, child in own.get("children", {}).items()
    ]
    strategies: tuple[str, ...] = tuple(keys["strategies"] or ())
    recurs = bool(own.get("recursion"))
    if recurs and level < depth:
        base = path.removesuffix(f"/{level}")  # history/1 recurs as history/2
        rest = {"strategies": strategies[1:] or strategies, "recursion": True}
        again = _node(rest, keys, path=f"{base}/{level + 1}", section=section, level=level + 1, depth=depth)
        below.insert(0, again)
    return FractalNode(
        path=path,
        section=section,
        level=level,
        compression=keys["compression"],
        priority=keys["priority"],
        strategies=strategies[:1] if recurs else strategies,
        filtering=keys["filtering"],
        threshold=keys["threshold"],
        children=tuple(below),
    )


def node_steps(node: FractalNode) -> Iterator[Step]:
    """The actions that a node stands for."""
    at: dict[str, Any] = {"level": node.level} if node.level else {}
    if node.priority:
        at["priority"] = node.priority
    section = SECTIONS.get(node.section, node.section)
    if node.compression not in (None, "none"):
        action = "system.compress" if section == "system" else "context.compress"
        target = {} if section == "system" else {"target": node.section}
        yield make_step(action, {**target, "method": node.compression, **at})
    for strategy in node.strategies:
        yield make_step("history.manage", {"method": strategy, **at})
    if node.filtering not in (None, "none"):
        action = f"{node.section}.filter" if node.section in ("input", "current", "context") else "context.filter"
        target = {} if action.startswith(f"{node.section}.") else {"target": node.section}
        threshold = {} if node.threshold is None else {"threshold": float(node.threshold)}
        yield make_step(action, {**target, "method": node.filtering, **threshold, **at})


def _settings(manager: Mapping[str, Any], nodes: tuple[FractalNode, ...]) -> ShellSettings:
    steps = tuple(step for top in nodes for node in top.walk() for step in node_steps(node))
    allocation, description = manager.get("allocation"), manager.get("description", "")
    monitoring = {**manager.get("monitoring", {})}
    if "self_optimization" in manager.get("recursion", {}):
        monitoring["optimize_automatically"] = manager["recursion"]["self_optimization"]
    budget = None
    if allocation or monitoring or "total_tokens" in manager:
        split = split_sections(allocation or {}, manager.get("total_tokens"))
        total = int(split.total) if split.total else None
        budget = BudgetSettings(intent=description, total_tokens=total, shares=split.shares, rules=steps, **monitoring)
    field = _field(manager["field"]) if "field" in manager else None
    return ShellSettings(
        budget=budget, field=field, steps=() if budget else steps, intent=description, shells=("fractal.json",)
    )


def _notes(manager: Mapping[str, Any], nodes: tuple[FractalNode, ...]) -> Iterator[str]:
    for node in (node for top in nodes for node in top.walk() if not node.level or not node.path[-1].isdigit()):
        filters = node.filtering not in (None, "none")
        if node.threshold is not None and not filters:
            yield f"strategies.{node.path}: threshold {node.threshold:g} has no effect without filtering"
        if node.priority and not filters and not node.strategies and node.compression in (None, "none"):
            yield f"strategies.{node.path}: priority {node.priority} has no effect without something to do"
    resonance = manager.get("field", {}).get("resonance", {})
    if resonance.get("amplification") is False and "target" in resonance:
        yield f"field.resonance: target {resonance['target']:g} has no effect without amplification"
    if resonance.get("amplification") and "target" not in resonance:
        yield "field.resonance: amplification has no effect without a target"
    boundaries = manager.get("field", {}).get("boundaries", {})
    if boundaries.get("adaptive") is False and boundaries.get("gradient"):
        yield f"field.boundaries: gradient {boundaries['gradient']:g} has no effect where adaptive is false"
    attractors = manager.get("field", {}).get("attractors", {})
    if "influence" in attractors and not attractors.get("seeds"):
        yield f"field.attractors: influence {attractors['influence']:g} has no effect without seeds"


def _field(field: Mapping[str, Any]) -> FieldShellSettings:
    attractors, resonance = field.get("attractors", {}), field.get("resonance", {})
    boundaries, residue = field.get("boundaries", {}), field.get("residue", {})
    seeds = [
        AttractorSettings(s["name"], float(s.get("strength", 1)), tuple(s.get("keywords", ())))
        for s in attractors.get("seeds", ())
    ]
    rules, steps = [], []
    change = {"threshold": boundaries["resonance_change"]} if "resonance_change" in boundaries else {}
    if boundaries.get("adaptive") or change:
        rules.append(make_step("boundary.adapt", {"trigger": "resonance_change", **change}))
    if "min_score" in boundaries:
        rules.append(
            make_step("boundary.filter", {"method": "attractor_relevance", "min_score": boundaries["min_score"]})
        )
    if "top_n" in attractors:
        steps.append(make_step("optimize.by_attractor", {"keep": "strongest", "top_n": int(attractors["top_n"])}))
    if "min_strength" in residue:
        steps.append(make_step("optimize.preserve_residue", {"min_strength": residue["min_strength"]}))
    if resonance.get("amplification", True) and "target" in resonance:
        steps.append(make_step("optimize.amplify_resonance", {"target": resonance["target"]}))
    return field_from_actions(
        FieldShellSettings(
            attractors=tuple(seeds),
            detection=attractors.get("detection"),
            influence=attractors.get("influence"),
            permeability=boundaries.get("permeability"),
            gradient=0.0 if boundaries.get("adaptive") is False else boundaries.get("gradient"),
            rules=tuple(rules),
            residue_tracking=residue.get("tracking"),
            residue_strategy=residue.get("preservation_strategy"),
            residue_priority=residue.get("priority"),
            steps=tuple(steps),
        )
    )
