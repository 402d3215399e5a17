"""Settings as fractal.json: it loads to the same settings; those that it has no key for are listed, never dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fieldpack.errors import InputError
from fieldpack.shell.compile import compile as compile_shells
from fieldpack.shell.dump import dump
from fieldpack.shell.fractal import load
from fieldpack.shell.nodes import Shell
from fieldpack.shell.settings import SECTIONS, BudgetSettings, FieldShellSettings, ShellSettings, Step
from fieldpack.shell.to_shell import step_shell

_COMPRESSIONS = {"minimal_instructions": "minimal"} | {m: m for m in ("minimal", "progressive", "aggressive")}
_FILTERINGS = ("relevance", "attractor_relevance", "recency")
_STRATEGIES = ("window", "summarize", "key_value")
_DEFAULTS = BudgetSettings()


class AsFractal(NamedTuple):
    """A fractal.json object that loads to the settings; `unsaid` lists the settings that it has no key for."""

    value: dict[str, Any]
    unsaid: tuple[str, ...]


def to_fractal(source: ShellSettings | Shell | Sequence[Shell]) -> AsFractal:
    """The fractal.json object for shells (or compiled settings). Raises ShellSettingsError as `compile` does."""
    settings = source if isinstance(source, ShellSettings) else compile_shells(source)
    unsaid: list[str] = []
    manager: dict[str, Any] = {}
    if settings.intent:
        manager["description"] = settings.intent[:2000]
        if len(settings.intent) > 2000:
            unsaid.append("intent: all after its first 2000 characters")
    sections = _manager_budget(settings.budget, manager, unsaid) if settings.budget else None
    rules = (*(settings.budget.rules if settings.budget else ()), *settings.steps)
    _manager_strategies(rules, sections, manager, unsaid)
    if settings.field:
        manager["field"] = _manager_field(settings.field, unsaid)
        if settings.field.intent not in ("", settings.intent):
            unsaid.append(f"intent of /field.manage: {settings.field.intent!r}")
    return AsFractal({"fractalTokenManager": manager}, tuple(unsaid))


def _manager_budget(budget: BudgetSettings, manager: dict[str, Any], unsaid: list[str]) -> dict[str, str] | None:
    """Fill in the budget; gives the name in the allocation of each section that has a share (None: no allocation)."""
    if budget.total_tokens is not None:
        manager["total_tokens"] = budget.total_tokens
    sections = budget.shares or budget.tokens
    if sections:
        whole = sum(sections.values()) if budget.tokens else 1
        manager["allocation"] = {name: amount / whole for name, amount in sections.items()}
        if _refused(manager["allocation"]):
            unsaid.append("allocation: a section's name that fractal.json does not allow")
            del manager["allocation"]
            sections = None
    monitoring = {
        name: getattr(budget, name)
        for name in ("track_usage", "alert_threshold")
        if getattr(budget, name) != getattr(_DEFAULTS, name)
    }
    if monitoring:
        manager["monitoring"] = monitoring
    if budget.optimize_automatically:
        manager["recursion"] = {"self_optimization": True}
    if budget.intent not in ("", manager.get("description")):
        unsaid.append(f"intent of the budget: {budget.intent!r}")
    return {SECTIONS.get(name, name): name for name in sections} if sections else None


def _refused(allocation: Mapping[str, float]) -> bool:
    try:
        load({"fractalTokenManager": {"allocation": allocation}})
    except InputError:
        return True
    return False


def _manager_strategies(
    steps: Iterable[Step], sections: dict[str, str] | None, manager: dict[str, Any], unsaid: list[str]
) -> None:
    """Strategies from the steps that a node can stand for; the others are unsaid."""
    by_section: dict[str, list[Step]] = {}
    for step in steps:
        section = SECTIONS.get(step.section, step.section)
        if _node_field(step) and (sections is None or section in sections):
            by_section.setdefault(section, []).append(step)
        else:
            unsaid.append(_words(step))
    depth = max((s.options.get("level", 0) for group in by_section.values() for s in group), default=0)
    for section, group in by_section.items():
        name = sections[section] if sections else section
        strategy, rest = _strategy(name, group, depth)
        unsaid += [_words(step) for step in rest]
        if strategy:
            manager.setdefault("strategies", {})[name] = strategy
    if any(s.get("recursion") for s in manager.get("strategies", {}).values()):
        manager.setdefault("recursion", {})["depth"] = depth


def _node_field(step: Step) -> tuple[str, str] | None:
    """The key and value of a node that a step without a condition can be."""
    method = step.options.get("method")
    if step.when is not None or set(step.options) - {"method", "target", "level", "priority", "threshold"}:
        return None
    verb = step.action.split(".")[1]
    if verb == "filter" and method in _FILTERINGS:
        return "filtering", method
    if "threshold" in step.options:
        return None
    if verb == "compress" and method in _COMPRESSIONS:
        return "compression", _COMPRESSIONS[method]
    return ("strategies", method) if step.action == "history.manage" and method in _STRATEGIES else None


def _strategy(name: str, steps: list[Step], depth: int) -> tuple[dict[str, Any], list[Step]]:
    """The node for a section, with recursion where that gives just these steps, else of level 0 alone; and what it
    leaves."""
    for recursion in (True, False):
        node: dict[str, Any] = {"recursion": True} if recursion else {}
        for step in sorted(steps, key=lambda s: s.options.get("level", 0)):
            key, value = _node_field(step) or ("", "")
            if step.options.get("level", 0) and not recursion:
                continue
            if key == "strategies":
                node[key] = [*node.get(key, []), *([value] if value not in node.get(key, []) else [])]
            else:
                node.setdefault(key, value)
            for extra in ("threshold", "priority"):
                if extra in step.options:
                    node.setdefault(extra, step.options[extra])
        alone = {"allocation": {name: 1}, "strategies": {name: node}, "recursion": {"depth": depth}}
        budget = load({"fractalTokenManager": alone}).settings.budget
        loaded = budget.rules if budget else ()
        wanted, actual = Counter(map(meaning, steps)), Counter(map(meaning, loaded))
        if not actual - wanted and (recursion is False or actual == wanted) and (not recursion or depth):
            left = wanted - actual
            return node, [s for s in steps if meaning(s) in left]
    return {}, steps


def meaning(step: Step) -> tuple[Any, ...]:
    """What a step does, whichever of its names it and its section go by."""
    field = _node_field(step)
    kept = tuple(step.options.get(key) for key in ("level", "priority", "threshold"))
    return (field, SECTIONS.get(step.section, step.section), *kept)


def _words(step: Step) -> str:
    return dump(step_shell(step))


def _manager_field(settings: FieldShellSettings, unsaid: list[str]) -> dict[str, Any]:
    seeds = [{"name": a.name, "strength": a.strength, "keywords": list(a.keywords)} for a in settings.attractors]
    field: dict[str, dict[str, Any]] = {
        "attractors": {
            "detection": settings.detection,
            "influence": settings.influence,
            "top_n": settings.top_n,
            "seeds": seeds or None,
        },
        "resonance": {"target": settings.resonance_target},
        "boundaries": {
            "permeability": settings.permeability,
            "gradient": settings.gradient,
            "resonance_change": settings.resonance_change,
            "min_score": settings.min_score,
        },
        "residue": {
            "tracking": settings.residue_tracking,
            "preservation_strategy": settings.residue_strategy,
            "priority": settings.residue_priority,
            "min_strength": settings.residue_min_strength,
        },
    }
    if settings.resonance_target is not None:
        field["resonance"]["amplification"] = True
    for step in (*settings.rules, *settings.steps):
        if step.action == "boundary.adapt":
            field["boundaries"]["adaptive"] = True
        unsaid += _unsaid_of(step)
    kept = {part: {k: v for k, v in values.items() if v is not None} for part, values in field.items()}
    return {part: values for part, values in kept.items() if values}


def _unsaid_of(step: Step) -> list[str]:
    """The options of a field's action that fractal.json has no key for."""
    options = dict(step.options)
    sayable: dict[str, dict[str, Any]] = {
        "boundary.adapt": {"trigger": "resonance_change", "threshold": options.get("threshold")},
        "boundary.filter": {"method": "attractor_relevance", "min_score": options.get("min_score")},
        "optimize.by_attractor": {"keep": "strongest", "top_n": options.get("top_n")},
    }
    known = sayable.get(step.action, options)
    return [f"/{step.action}: {key}={value}" for key, value in options.items() if known.get(key) != value]
