"""What of a field can be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from fieldpack.checks import number, whole
from fieldpack.deprecation import renamed
from fieldpack.errors import SettingsError
from fieldpack.field.boundary import HIGHEST, LOWEST
from fieldpack.field.residue import GONE


@dataclass(frozen=True, slots=True)
class FieldSettings:
    """Settings of a field. Raises SettingsError.

    limit: attractors at most, 0 (none is looked for) to 4096. bias: pull of the query (gamma), 0 to 10.
    permeability (0.1 to 0.9), gradient (0 to 1): where the boundary starts, and its largest step. resonance_scale: the
    change of resonance that moves the boundary by about 3/4 of the gradient, 0.001 to 2.
    half_life: turns after which carried attractors and fragments weigh half, 0.1 to 1000. fragments: carried at most, 0
    to 4096. min_strength: weaker fragments are forgotten, 0 to 1.
    """

    limit: int = 12
    bias: float = 0.1
    permeability: float = 0.7
    gradient: float = 0.2
    half_life: float = 3.0
    fragments: int = 64
    resonance_scale: float = 0.1
    min_strength: float = GONE

    def __post_init__(self) -> None:
        whole("limit", self.limit, 0, 4096)
        number("bias", self.bias, 0.0, 10.0)
        number("permeability", self.permeability, LOWEST, HIGHEST)
        number("gradient", self.gradient, 0.0, 1.0)
        number("half_life", self.half_life, 0.1, 1000.0)
        whole("fragments", self.fragments, 0, 4096)
        number("resonance_scale", self.resonance_scale, 1e-3, 2.0)
        number("min_strength", self.min_strength, 0.0, 1.0)

    @staticmethod
    def from_mapping(values: Mapping[str, Any]) -> FieldSettings:
        """From a mapping such as a parsed file; unknown keys are a SettingsError that lists the known ones."""
        known = [f.name for f in fields(FieldSettings)]
        if unknown := sorted(set(values) - set(known)):
            raise SettingsError(f"unknown field setting {', '.join(map(repr, unknown))}; known: {', '.join(known)}")
        return FieldSettings(**values)

    @staticmethod
    def of(values: Mapping[str, Any]) -> FieldSettings:
        """The name that `from_mapping` had in release 0.1."""
        renamed("FieldSettings.of", "FieldSettings.from_mapping")
        return FieldSettings.from_mapping(values)
