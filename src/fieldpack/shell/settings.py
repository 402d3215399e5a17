"""Compiled shells and fractal.json: frozen records that a packer, a memory or a planner can be set up from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as record_field
from fractions import Fraction
from typing import Any

from fieldpack.errors import SettingsError
from fieldpack.shell.steps import FILTERS as FILTERS
from fieldpack.shell.steps import SECTIONS as SECTIONS
from fieldpack.shell.steps import Monitoring as Monitoring
from fieldpack.shell.steps import Step as Step
from fieldpack.shell.steps import due

RESIDUE_WEIGHTS = {"low": 0.5, "normal": 1.0, "medium": 1.0, "high": 2.0}
"""Log odds that carried residue adds, by its priority: a setting of this project, not of the design text. 1.0 is the
packer's own default."""
_FOR_EVER = 1000.0
"""Half-life in turns of residue that is retained: the longest that the field takes."""


class ShellSettingsError(SettingsError):
    """A shell that parses but does not compile; `line` and `column` (from 1) say where."""

    def __init__(self, message: str, line: int, column: int) -> None:
        self.line, self.column = line, column
        super().__init__(f"line {line}, column {column}: {message}")


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

    @property
    def monitoring(self) -> Monitoring:
        """How usage is watched, as `due` takes it."""
        return Monitoring(self.track_usage, self.alert_threshold, self.optimize_automatically)

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
        0): see `fieldpack.shell.steps.due`."""
        return due(self.rules, usage, self.allocate(total_tokens), self.monitoring)


@dataclass(frozen=True)
class AttractorSettings:
    """A subject that the field is to keep: its strength in [0, 1] weighs its pull on what is packed."""

    name: str
    strength: float = 1.0
    keywords: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of its query: the keywords, else its name in words."""
        return " ".join(self.keywords) or self.name.replace("_", " ")


@dataclass(frozen=True)
class FieldShellSettings:
    """`/field.manage`; None where the shell has no such key and the packer's own setting holds."""

    intent: str = ""
    attractors: tuple[AttractorSettings, ...] = ()
    detection: bool | None = None  # whether attractors are looked for in the documents (fractal.json)
    influence: float | None = None  # weight of attractors in [0, 1] (fractal.json)
    permeability: float | None = None  # in [0.1, 0.9]
    gradient: float | None = None  # in [0, 1]; 0: the boundary does not adapt
    resonance_change: float | None = None  # in [0.001, 1]: the change that moves the boundary by most of the gradient
    rules: tuple[Step, ...] = ()
    min_score: float | None = None  # in [0, 1]
    residue_tracking: bool | None = None
    residue_strategy: str | None = None  # compress_and_retain, retain, discard
    residue_priority: str | None = None  # low, normal, medium, high
    residue_min_strength: float | None = None  # in [0, 1]
    top_n: int | None = None
    resonance_target: float | None = None  # in [0, 1]
    steps: tuple[Step, ...] = ()

    @property
    def most_attractors(self) -> int | None:
        """Attractors that the field detects at most: 0 without detection."""
        return 0 if self.detection is False else self.top_n

    @property
    def moves(self) -> bool | None:
        """Whether the boundary moves over the turns of a session: a gradient or a rule says how."""
        if self.gradient is not None:
            return self.gradient > 0
        return True if any(rule.action == "boundary.adapt" for rule in self.rules) else None

    @property
    def keeps_residue(self) -> bool:
        """Whether pieces of earlier packs are carried to the next turn."""
        return self.residue_tracking is not False and self.residue_strategy != "discard"


@dataclass(frozen=True)
class ShellSettings:
    """The settings of all shells of one text. `steps` are the actions outside a budget's rules and a field."""

    budget: BudgetSettings | None = None
    field: FieldShellSettings | None = None
    steps: tuple[Step, ...] = ()
    intent: str = ""
    shells: tuple[str, ...] = record_field(default=(), compare=False)

    def packer_options(self) -> dict[str, Any]:
        """Settings for a packer as JSON values; None (or []) where the shell has no such key. `configure` obeys all.

        budget: tokens. attractors: [(text, weight)], what the packer is drawn to. min_relevance in [0, 1].
        permeability: the packer's `enough`. gradient, resonance_change: how it moves over turns. top_n_attractors:
        detected at most. resonance_target: the agreement that is wanted, in [0, 1]. residue_fragments,
        residue_half_life, residue_min_strength: what is carried to the next turn, at most, how long, and how weak.
        residue_weight: log odds that it adds.
        """
        field = self.field or FieldShellSettings()
        return {
            "budget": self.budget.total_tokens if self.budget else None,
            "permeability": field.permeability,
            "gradient": field.gradient,
            "resonance_change": field.resonance_change,
            "attractors": [(a.text, a.strength) for a in self.named_attractors],
            "min_relevance": field.min_score if field.min_score is not None else self._threshold(),
            "top_n_attractors": field.most_attractors,
            "resonance_target": field.resonance_target,
            "residue_fragments": None if field.keeps_residue else 0,
            "residue_half_life": _FOR_EVER if field.residue_strategy == "retain" else None,
            "residue_min_strength": field.residue_min_strength,
            "residue_weight": RESIDUE_WEIGHTS[field.residue_priority] if field.residue_priority else None,
        }

    @property
    def named_attractors(self) -> tuple[AttractorSettings, ...]:
        """The strongest `top_n` attractors, their strength times the influence that fractal.json gives them."""
        field = self.field or FieldShellSettings()
        influence = 1.0 if field.influence is None else field.influence
        chosen = sorted(field.attractors, key=lambda a: -a.strength)[: field.top_n]
        return tuple(replace(a, strength=a.strength * influence) for a in chosen)

    def _threshold(self) -> float | None:
        """The least relevance that a step on the input or the context asks for."""
        rules = self.budget.rules if self.budget else ()
        steps = [s for s in (*self.steps, *rules) if s.action in FILTERS and "threshold" in s.options]
        return steps[0].options["threshold"] if steps else None

    def due(self, usage: Mapping[str, int], total_tokens: int | None = None) -> tuple[Step, ...]:
        """The steps and rules that apply when the sections hold so many tokens; see `BudgetSettings.due`."""
        if self.budget is None:
            return due(self.steps, usage, {"context": total_tokens or 0}, Monitoring())
        return due((*self.budget.rules, *self.steps), usage, self.budget.allocate(total_tokens), self.budget.monitoring)
