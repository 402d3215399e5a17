"""Shells to settings. Nothing is run: records come out, and a part without a meaning is an error with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from fieldpack.errors import SettingsError
from fieldpack.shell.actions import read_step
from fieldpack.shell.kinds import (
    Kind,
    Problems,
    Stop,
    Wrong,
    describe,
    names,
    number,
    read,
    read_map,
    unknown,
)
from fieldpack.shell.nodes import Entry, Map, Number, Shell, Value
from fieldpack.shell.settings import (
    SECTIONS,
    AttractorSettings,
    BudgetSettings,
    FieldShellSettings,
    ShellSettings,
    ShellSettingsError,
    Step,
)
from fieldpack.shell.vocabulary import ACTIONS, MAX_TOKENS, SHELLS

_TOLERANCE = 1e-6


def compile(shell: Shell | Sequence[Shell]) -> ShellSettings:
    """The settings that a shell says, or several shells together (a prompt may hold a budget and a field).

    Raises ShellSettingsError (a SettingsError with .line and .column) for the first of: a shell that is not one of
    /token.budget, /field.manage, /context.manage or an action of theirs; an unknown key, action or value, with the
    nearest known one; a value out of range; allocations that do not sum up; a placeholder that nobody filled in; a key
    said twice.
    """
    settings, problems = compile_all(shell)
    if problems:
        raise problems[0]
    return settings


def compile_all(shell: Shell | Sequence[Shell]) -> tuple[ShellSettings, list[ShellSettingsError]]:
    """The settings and all problems in the order of the text (at most 100); with problems the settings are not to be
    used."""
    shells = [shell] if isinstance(shell, Shell) else list(shell)
    if not shells:
        raise SettingsError(f"no shell to compile; expected {can_compile()}")
    problems = Problems()
    settings = ShellSettings(shells=tuple(s.name for s in shells))
    try:
        for one in shells:
            settings = _add(problems, settings, one)
        _check_targets(problems, settings)
    except Stop:
        pass
    return settings, sorted(problems.errors, key=lambda p: (p.line, p.column))


def _check_targets(problems: Problems, settings: ShellSettings) -> None:
    """A target that is no usual section must be one of the budget's own."""
    budget = settings.budget
    own = set((budget.shares or budget.tokens or {}) if budget else ())
    for span, name in problems.own_sections:
        if name not in own:
            problems.add(span, f"target: {unknown('section', name, own | set(SECTIONS))}")


def can_compile() -> str:
    """What compiles, in words."""
    return f"{', '.join(f'/{name}' for name in SHELLS)} or an action: {names(ACTIONS)}"


def _add(problems: Problems, settings: ShellSettings, shell: Shell) -> ShellSettings:
    build = {"token.budget": _budget, "context.manage": _context, "field.manage": _field}.get(shell.name)
    if build:
        return build(problems, settings, shell)
    if shell.name in ACTIONS:
        step = read_step(problems, shell, ACTIONS)
        return _with_steps(settings, (step,) if step else ())
    message = unknown("shell", f"/{shell.name}", [f"/{name}" for name in (*SHELLS, *ACTIONS)])
    problems.add(shell.span, f"{message}; it parses, but there are no settings for it")
    return settings


def _with_steps(settings: ShellSettings, steps: Iterable[Step]) -> ShellSettings:
    """Steps beside a field: those that are about the field set it, the others are kept in order."""
    for step in steps:
        if step.action.startswith(("boundary.", "optimize.")):
            field = settings.field or FieldShellSettings()
            if step.action.startswith("boundary."):
                field = replace(field, rules=(*field.rules, step))
            else:
                field = replace(field, steps=(*field.steps, step))
            settings = replace(settings, field=field_from_actions(field))
        else:
            settings = replace(settings, steps=(*settings.steps, step))
    return settings


# -- budgets


def _budget(problems: Problems, settings: ShellSettings, shell: Shell) -> ShellSettings:
    values = _values(problems, shell, "allocations", _sections(("total_tokens",)))
    allocations = values.pop("allocations", {})
    return _with_budget(problems, settings, shell, values, allocations)


def _context(problems: Problems, settings: ShellSettings, shell: Shell) -> ShellSettings:
    values = _values(problems, shell, "budget", _sections(("total_tokens",)))
    settings = _with_steps(settings, values.get("optimization", ()))
    budget = values.pop("budget", {})
    if not budget and "monitoring" not in values:
        return replace(settings, intent=settings.intent or values.get("intent", ""))
    return _with_budget(problems, settings, shell, values, budget)


def _values(problems: Problems, shell: Shell, key: str, kind: Kind) -> dict[str, Any]:
    return read_map(problems, shell.body, {**SHELLS[shell.name], key: kind}, f"/{shell.name}")


def _with_budget(
    problems: Problems, settings: ShellSettings, shell: Shell, values: dict[str, Any], sections: dict[str, Any]
) -> ShellSettings:
    if settings.budget:
        problems.add(shell.span, f"/{shell.name} gives a second budget; keep one")
    total = sections.pop("total_tokens", values.get("total_tokens"))
    span = shell.get("allocations") or shell.get("budget") or shell
    try:
        split = split_sections(sections, total)
    except SettingsError as error:
        problems.add(span.span, str(error))
        return settings
    budget = BudgetSettings(
        intent=values.get("intent", ""),
        total_tokens=split.total,
        shares=split.shares,
        tokens=split.tokens,
        rules=values.get("management_rules", ()),
        **values.get("monitoring", {}),
    )
    return replace(settings, budget=budget, intent=settings.intent or budget.intent)


def _sections(besides: tuple[str, ...]) -> Kind:
    """A map from sections to shares or tokens. A section of the user's own stands in quotes: a misspelt one is an
    error."""
    amount = number(0, MAX_TOKENS)

    def one(problems: Problems, entry: Entry, known: tuple[str, ...]) -> float | None:
        if entry.key is None:
            problems.add(entry.span, f"{describe(entry.value)} stands without a section; expected section=number")
        elif entry.key not in known and not entry.quoted:
            own = f'for a section of your own write "{entry.key[:60]}"=...'
            problems.add(entry.span, f"{unknown('section', entry.key, known)}; {own}")
        else:
            value: float | None = read(problems, amount, entry.value, entry.key)
            whole = isinstance(entry.value, Number) and isinstance(entry.value.value, int) and not entry.value.percent
            return int(value) if value is not None and whole else value
        return None

    def read_sections(problems: Problems, node: Value) -> dict[str, float]:
        if not isinstance(node, Map):
            raise Wrong(f"is {describe(node)}")
        sections: dict[str, float] = {}
        meant: set[str] = set()
        before = len(problems.errors)
        for entry in node.entries:
            value = one(problems, entry, (*SECTIONS, *besides))
            section = SECTIONS.get(entry.key or "", entry.key or "")
            if value is not None and section in meant:
                problems.add(entry.span, f"the section {section!r} is given twice (by one of its names); keep one")
            elif value is not None and entry.key is not None:
                meant.add(section)
                sections[entry.key] = value
        # A sum of the sections that are left would be a second complaint.
        return sections if len(problems.errors) == before else {}

    return Kind("a map of sections {system=0.15, history=0.4, ...}", read_sections)


@dataclass(frozen=True)
class Split:
    """The sections of a budget: `shares` that sum to 1, or `tokens` that sum to `total`; None for the other."""

    shares: Mapping[str, float] | None
    tokens: Mapping[str, int] | None
    total: int | None


def split_sections(sections: Mapping[str, float], total: int | None) -> Split:
    """Sections with numbers as shares or tokens. SettingsError where the two are mixed or do not sum up."""
    if not sections:
        return Split(None, None, total)
    whole = sum(sections.values())
    if all(value <= 1 for value in sections.values()):
        if abs(whole - 1) > _TOLERANCE:
            raise SettingsError(f"the shares sum to {whole:.6g}; they must sum to 1{_repair(1 - whole, sections)}")
        return Split(MappingProxyType({k: float(v) for k, v in sections.items()}), None, total)
    if any(value != int(value) or 0 < value < 1 for value in sections.values()):
        raise SettingsError("shares (at most 1) and numbers of tokens are mixed; use one of them for all sections")
    if total is not None and whole != total:
        raise SettingsError(f"the sections sum to {whole:g} tokens of {total}{_repair(total - whole, sections)}")
    return Split(None, MappingProxyType({k: int(v) for k, v in sections.items()}), int(whole))


def _repair(missing: float, sections: Mapping[str, float]) -> str:
    if missing <= 0:
        return f": take {-missing:.6g} away"
    return f": add {missing:.6g} to one" + ("" if "reserve" in sections else f", or reserve={missing:.6g}")


# -- the field


def _field(problems: Problems, settings: ShellSettings, shell: Shell) -> ShellSettings:
    if settings.field:
        problems.add(shell.span, "/field.manage comes after other settings of the field; keep one")
    values = read_map(problems, shell.body, SHELLS["field.manage"], "/field.manage")
    boundaries, residue = values.get("boundaries", {}), values.get("residue_handling", {})
    field = FieldShellSettings(
        intent=values.get("intent", ""),
        attractors=_attractors(problems, shell, values.get("attractors", ())),
        permeability=boundaries.get("permeability"),
        gradient=boundaries.get("gradient"),
        rules=boundaries.get("rules", ()),
        residue_tracking=residue.get("tracking"),
        residue_strategy=residue.get("preservation_strategy"),
        residue_priority=residue.get("priority"),
        residue_min_strength=residue.get("min_strength"),
        steps=values.get("token_optimization", ()),
    )
    return replace(settings, field=field_from_actions(field), intent=settings.intent or field.intent)


def _attractors(problems: Problems, shell: Shell, values: Iterable[dict[str, Any]]) -> tuple[AttractorSettings, ...]:
    attractors: dict[str, AttractorSettings] = {}
    span = (shell.get("attractors") or shell).span
    for value in values:
        name = value.get("name", " ".join(value.get("keywords", ())))
        if not name:
            problems.add(span, "an attractor needs a name or keywords")
        elif name in attractors:
            problems.add(span, f"two attractors are named {name[:60]!r}; rename one")
        else:
            attractors[name] = AttractorSettings(name, value.get("strength", 1.0), value.get("keywords", ()))
    return tuple(attractors.values())


def field_from_actions(field: FieldShellSettings) -> FieldShellSettings:
    """The numbers that the field's own actions set."""
    setters: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "boundary.adapt": lambda o: {"resonance_change": o.get("threshold")},
        "boundary.filter": lambda o: {"min_score": o.get("min_score")},
        "optimize.by_attractor": lambda o: {"top_n": None if o.get("keep") == "all" else o.get("top_n")},
        "optimize.preserve_residue": lambda o: {"residue_min_strength": o.get("min_strength")},
        "optimize.amplify_resonance": lambda o: {"resonance_target": o.get("target")},
    }
    for step in (*field.rules, *field.steps):
        if step.action in setters:
            field = replace(field, **setters[step.action](dict(step.options)))
    return field
