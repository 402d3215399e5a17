"""Steps: the actions that a shell names, and which of them are due when the sections hold so many tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as record_field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fieldpack.errors import InputError
from fieldpack.shell.condition import Condition

_DATA = Path(__file__).resolve().parents[1] / "data"
_ALLOCATIONS: dict[str, Any] = json.loads((_DATA / "allocations.json").read_text("utf-8"))
_ALIASES: dict[str, list[str]] = _ALLOCATIONS["aliases"]
SECTIONS = {name: section for section, names in _ALIASES.items() for name in (section, *names)} | {"tools": "tools"}
"""All names of the sections of a budget, each with the section that it means: those of the budget planner."""

PRIORITIES = ("high", "normal", "low")
FILTERS = frozenset(
    f"{section}.{verb}" for section in ("input", "current", "context") for verb in ("filter", "optimize", "prioritize")
)
"""Actions whose `threshold` is a least relevance, not a share of the allocation."""


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Step:
    """One action, such as `/history.summarize{...}`: `options` without `when`; `when` None means always.

    `section` is what it works on (the option `target`, else the section that the action is named after), or "".
    """

    action: str
    options: Mapping[str, Any] = record_field(default_factory=_nothing)
    when: Condition | None = None
    section: str = ""


@dataclass(frozen=True)
class Monitoring:
    """How usage is watched.

    track_usage: False leaves usage alone, so that only steps without a condition are due. alert_threshold: share of an
    allocation in [0, 1] from which a section is nearly full. optimize_automatically: a section that is nearly full, and
    that no step with a condition works on, is compressed.
    """

    track_usage: bool = True
    alert_threshold: float = 0.9
    optimize_automatically: bool = False


def due(
    steps: tuple[Step, ...], usage: Mapping[str, int], allocation: Mapping[str, int], monitoring: Monitoring
) -> tuple[Step, ...]:
    """The steps whose condition holds: by `priority`, then in the order of the text.

    usage, allocation: tokens by section, under any of its names. In a condition a section's name is its tokens;
    `tokens` (or `usage`) and `allocation` are those of the section that the step works on, or of all sections; `total`
    is the sum of the allocation, `remaining` what is left of it.
    """
    if not monitoring.track_usage:
        return _by_priority([step for step in steps if step.when is None])
    used, allotted = _by_section(usage), _by_section(allocation)
    values: dict[str, float] = {name: used.get(section, 0) for name, section in SECTIONS.items()}
    values.update({name: float(tokens) for name, tokens in usage.items()})
    values["total"] = values["budget"] = sum(allotted.values())
    values["remaining"] = values["total"] - sum(used.values())
    values["alert_threshold"] = monitoring.alert_threshold
    holding = []
    for step in steps:
        section = SECTIONS.get(step.section, step.section)
        tokens = used.get(section, 0) if section else sum(used.values())
        share = allotted.get(section, 0) if section else values["total"]
        if step.when is None or step.when.evaluate(values | {"tokens": tokens, "usage": tokens, "allocation": share}):
            holding.append(step)
    if monitoring.optimize_automatically:
        holding += _automatic(steps, used, allotted, monitoring.alert_threshold)
    return _by_priority(holding)


def _automatic(
    steps: tuple[Step, ...], used: Mapping[str, int], allotted: Mapping[str, int], threshold: float
) -> list[Step]:
    """One compression for each section that is nearly full and has no step with a condition."""
    ruled = {SECTIONS.get(step.section, step.section) for step in steps if step.when is not None}
    full = [name for name in allotted if name not in ruled and used.get(name, 0) > threshold * allotted[name]]
    return [
        Step("system.compress", MappingProxyType({"method": "minimal"}), section=name)
        if name == "system"
        else Step("context.compress", MappingProxyType({"target": name, "method": "minimal"}), section=name)
        for name in full
    ]


def _by_priority(steps: list[Step]) -> tuple[Step, ...]:
    def rank(step: Step) -> int:
        return PRIORITIES.index(str(step.options.get("priority", "normal")).replace("medium", "normal"))

    return tuple(sorted(steps, key=rank))


def _by_section(tokens: Mapping[str, int]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for name, count in tokens.items():
        if count < 0:
            raise InputError(f"the section {name!r} cannot hold {count} tokens; give 0 or more")
        section = SECTIONS.get(name, name)
        totals[section] = totals.get(section, 0) + count
    return totals
