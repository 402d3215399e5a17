"""What shells and fractal.json compile to: frozen records that a packer, a memory or a planner can be set up from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as record_field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fieldpack.errors import InputError, SettingsError
from fieldpack.shell.condition import Condition

_DATA = Path(__file__).resolve().parents[1] / "data"
_ALLOCATIONS: dict[str, Any] = json.loads((_DATA / "allocations.json").read_text("utf-8"))
_ALIASES: dict[str, list[str]] = _ALLOCATIONS["aliases"]
SECTIONS = {name: section for section, names in _ALIASES.items() for name in (section, *names)} | {"tools": "tools"}
"""The names that a section of the budget may go by, and the one that they mean: those of the budget planner."""

RESIDUE_SHARES = {"low": 0.05, "normal": 0.1, "high": 0.2}
"""Share of the packing budget that residue may take, by its priority: a setting of this project, not of the design
text."""


class ShellSettingsError(SettingsError):
    """A shell that parses but does not compile; `line` and `column` (from 1) say where."""

    def __init__(self, message: str, line: int, column: int) -> None:
        self.line, self.column = line, column
        super().__init__(f"line {line}, column {column}: {message}")


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
class BudgetSettings:
    """`shares` (fractions of the window, summing to 1) or `tokens` (whole numbers, summing to `total_tokens`) by
    section."""

    intent: str = ""
    total_tokens: int | None = None
    shares: Mapping[str, float] | None = None
    tokens: Mapping[str, int] | None = None
    rules: tuple[Step, ...] = ()
    track_usage: bool = True
    alert_threshold: float = 0.9
    optimize_automatically: bool = False

    def allocate(self, total_tokens: int | None = None) -> dict[str, int]:
        """Tokens by section, whole numbers that sum to the total: the planner's own rule of largest remainders.

        `total_tokens` (default: the shell's own) rescales absolute sections too. SettingsError where neither is given.
        """
        from fieldpack.budget.allocate import largest_remainder  # its package loads numpy: not to read a shell

        total = self.total_tokens if total_tokens is None else total_tokens
        parts: Mapping[str, float] = self.shares or self.tokens or {}
        if total is None or total < 0:
            raise SettingsError(f"the shell names no total_tokens; pass a number of tokens (found {total_tokens})")
        weights = [Fraction(str(value)) for value in parts.values()]  # as it was written: 0.15 is 3/20
        return dict(zip(parts, largest_remainder(total, weights), strict=True))

    def due(self, usage: Mapping[str, int], total_tokens: int | None = None) -> tuple[Step, ...]:
        """The rules that apply when the sections hold so many tokens (sections by any of their names; absent ones hold
        0)."""
        return due(self.rules, usage, self.allocate(total_tokens), self.alert_threshold)


def due(
    steps: tuple[Step, ...], usage: Mapping[str, int], allocation: Mapping[str, int], alert_threshold: float = 0.9
) -> tuple[Step, ...]:
    """The steps whose condition holds, in order.

    In a condition a section's name is its tokens; `tokens` (or `usage`) and `allocation` are those of the section that
    the step works on, or of all sections; `total` is the sum of the allocation, `remaining` what is left of it.
    """
    used, allotted = _by_section(usage), _by_section(allocation)
    values: dict[str, float] = {name: used.get(section, 0) for name, section in SECTIONS.items()}
    values.update({name: float(tokens) for name, tokens in usage.items()})
    values["total"] = values["budget"] = sum(allotted.values())
    values["remaining"] = values["total"] - sum(used.values())
    values["alert_threshold"] = alert_threshold
    found = []
    for step in steps:
        section = SECTIONS.get(step.section, step.section)
        tokens = used.get(section, 0) if section else sum(used.values())
        share = allotted.get(section, 0) if section else values["total"]
        here = values | {"tokens": tokens, "usage": tokens, "allocation": share}
        if step.when is None or step.when.evaluate(here):
            found.append(step)
    return tuple(found)


def _by_section(tokens: Mapping[str, int]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for name, count in tokens.items():
        if count < 0:
            raise InputError(f"the section {name!r} cannot hold {count} tokens")
        section = SECTIONS.get(name, name)
        totals[section] = totals.get(section, 0) + count
    return totals


@dataclass(frozen=True)
class AttractorSettings:
    """A subject that the field is to keep: its strength in [0, 1] weighs it beside the query."""

    name: str
    strength: float = 1.0
    keywords: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What stands for it as an extra query: its keywords, else its name in words."""
        return " ".join(self.keywords) or self.name.replace("_", " ")


@dataclass(frozen=True)
class FieldShellSettings:
    """`/field.manage`; None where the shell says nothing and the packer's own setting holds."""

    intent: str = ""
    attractors: tuple[AttractorSettings, ...] = ()
    detection: bool | None = None  # whether attractors are looked for in the documents (fractal.json)
    influence: float | None = None  # weight of attractors in [0, 1] (fractal.json)
    permeability: float | None = None  # in [0.1, 0.9]
    gradient: float | None = None  # in [0, 1]; 0: the boundary does not adapt
    rules: tuple[Step, ...] = ()
    min_score: float | None = None  # in [0, 1]
    residue_tracking: bool | None = None
    residue_strategy: str | None = None
    residue_share: float | None = None  # in [0, 1]
    residue_min_strength: float | None = None  # in [0, 1]
    top_n: int | None = None
    resonance_target: float | None = None  # in [0, 1]
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class ShellSettings:
    """All that the shells of one text say. `steps` are the actions outside a budget's rules and a field."""

    budget: BudgetSettings | None = None
    field: FieldShellSettings | None = None
    steps: tuple[Step, ...] = ()
    intent: str = ""
    shells: tuple[str, ...] = record_field(default=(), compare=False)

    def packer_options(self) -> dict[str, Any]:
        """Plain settings for a packer; None (or []) where the shell says nothing.

        budget (tokens), permeability, gradient, attractors [(text, weight)], min_relevance, top_n_attractors,
        residue_min_strength, residue_share, resonance_target.
        """
        told = self.field or FieldShellSettings()
        chosen = sorted(told.attractors, key=lambda a: -a.strength)[: told.top_n]
        influence = 1.0 if told.influence is None else told.influence
        return {
            "budget": self.budget.total_tokens if self.budget else None,
            "permeability": told.permeability,
            "gradient": told.gradient,
            "attractors": [(a.text, a.strength * influence) for a in chosen],
            "min_relevance": told.min_score if told.min_score is not None else self._threshold(),
            "top_n_attractors": told.top_n,
            "residue_min_strength": told.residue_min_strength,
            "residue_share": told.residue_share,
            "resonance_target": told.resonance_target,
        }

    def _threshold(self) -> float | None:
        """The least relevance that a step on the input or the context asks for."""
        rules = self.budget.rules if self.budget else ()
        steps = [s for s in (*self.steps, *rules) if s.action in FILTERS and "threshold" in s.options]
        return steps[0].options["threshold"] if steps else None

    def due(self, usage: Mapping[str, int], total_tokens: int | None = None) -> tuple[Step, ...]:
        """The steps and rules that apply when the sections hold so many tokens; see `BudgetSettings.due`."""
        if self.budget is None:
            return due(self.steps, usage, {"context": total_tokens or 0})
        allocation = self.budget.allocate(total_tokens)
        return due((*self.budget.rules, *self.steps), usage, allocation, self.budget.alert_threshold)


FILTERS = frozenset(
    f"{section}.{verb}" for section in ("input", "current", "context") for verb in ("filter", "optimize", "prioritize")
)
"""Actions whose `threshold` is a least relevance, not a share of the allocation."""
