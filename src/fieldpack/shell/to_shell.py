"""Settings as shells: they compile to the same settings; settings that a shell has no key for are listed, never
dropped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from fieldpack.shell.dump import dump
from fieldpack.shell.fractal import FractalSettings
from fieldpack.shell.nodes import Boolean, Entry, List, Map, Number, Shell, String, Value
from fieldpack.shell.settings import SECTIONS, BudgetSettings, FieldShellSettings, ShellSettings, Step


class AsShell(NamedTuple):
    """Shells that compile to the settings; `unsaid` lists the settings that a shell has no key for."""

    shells: tuple[Shell, ...]
    unsaid: tuple[str, ...]

    @property
    def text(self) -> str:
        """The shells in canonical form."""
        return "\n".join(dump(shell, canonical=True) for shell in self.shells)


def to_shell(source: FractalSettings | ShellSettings) -> AsShell:
    """The shells for a fractal.json (or for any settings). Compiled, they give the same settings but for `unsaid`."""
    settings = source.settings if isinstance(source, FractalSettings) else source
    unsaid: list[str] = []
    shells: list[Shell] = []
    if settings.budget:
        shells.append(_budget_shell(settings.budget))
    if settings.field:
        shells.append(_field_shell(settings.field, unsaid))
    first = next(
        (i for i in (settings.budget and settings.budget.intent, settings.field and settings.field.intent) if i), ""
    )
    if settings.steps or (settings.intent and settings.intent != first):
        own = settings.intent if settings.intent != first else ""
        body = _map(intent=own or None, optimization=_steps(settings.steps))
        shells.insert(0 if own else len(shells), Shell("context.manage", body))
    if isinstance(source, FractalSettings):
        unsaid += _fractal_only(source)
        if source.version and shells:
            body = shells[0].body or Map()
            shells[0] = Shell(shells[0].name, Map((Entry("version", String(source.version)), *body.entries)))
        elif source.version:
            unsaid.append(f"version {source.version}")
    return AsShell(tuple(shells), tuple(unsaid))


def _fractal_only(source: FractalSettings) -> Iterable[str]:
    yield from source.notes
    nodes = [node for top in source.nodes for node in top.walk()]
    if any(node.level for node in nodes):
        yield f"recursion.depth {source.depth}: the levels are written out one by one"
    elif source.depth:
        yield f"recursion.depth {source.depth}: nothing recurs"
    for node in nodes:
        if node.level and not node.path.rsplit("/", 1)[-1].isdigit():
            yield f"strategies.{node.path}: the name of a child; its actions are written out"


def _budget_shell(budget: BudgetSettings) -> Shell:
    monitoring = _map(
        track_usage=budget.track_usage,
        alert_threshold=budget.alert_threshold,
        optimize_automatically=budget.optimize_automatically,
    )
    sections = budget.shares or budget.tokens or {}
    entries = tuple(Entry(name, _value(amount), quoted=name not in SECTIONS) for name, amount in sections.items())
    body = _map(
        intent=budget.intent or None,
        total_tokens=budget.total_tokens if not budget.tokens else None,
        allocations=Map(entries) if entries else None,
        management_rules=_steps(budget.rules),
        monitoring=monitoring,
    )
    return Shell("token.budget", body)


def _field_shell(settings: FieldShellSettings, unsaid: list[str]) -> Shell:
    if settings.detection is not None:
        unsaid.append(f"field.attractors.detection {str(settings.detection).lower()}")
    if settings.influence is not None:
        unsaid.append(f"field.attractors.influence {settings.influence:g}: give each attractor its strength instead")
    attractors = [_map(name=a.name, strength=a.strength, keywords=a.keywords or None) for a in settings.attractors]
    acted = any("min_strength" in step.options for step in settings.steps)
    boundaries = _map(permeability=settings.permeability, gradient=settings.gradient, rules=_steps(settings.rules))
    residue = _map(
        tracking=settings.residue_tracking,
        preservation_strategy=settings.residue_strategy,
        priority=settings.residue_priority,
        min_strength=None if acted else settings.residue_min_strength,
    )
    body = _map(
        intent=settings.intent or None,
        attractors=List(tuple(Entry(None, a) for a in attractors)) if attractors else None,
        boundaries=boundaries if boundaries.entries else None,
        residue_handling=residue if residue.entries else None,
        token_optimization=_steps(settings.steps),
    )
    return Shell("field.manage", body)


def _steps(steps: Iterable[Step]) -> List | None:
    entries = tuple(Entry(None, step_shell(step)) for step in steps)
    return List(entries) if entries else None


def step_shell(step: Step) -> Shell:
    options: dict[str, Any] = dict(step.options)
    when: str | None = step.when.text if step.when else None
    if "action" in options:  # it came from `triggers`
        return Shell(step.action, _map(triggers=_map(condition=when, action=options.pop("action")), **options))
    return Shell(step.action, _map(when=when, **options))


def _map(**values: Any) -> Map:
    return Map(tuple(Entry(key, _value(value)) for key, value in values.items() if value is not None))


def _value(value: Any) -> Value:
    match value:
        case Map() | List():
            return value
        case bool():
            return Boolean(value)
        case int() | float():
            return Number(value)
        case str():
            return String(value)
        case _:
            return List(tuple(Entry(None, String(item)) for item in value))
