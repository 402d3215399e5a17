"""What of a field can be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from fieldpack.checks import choice, number, whole
from fieldpack.deprecation import renamed
from fieldpack.errors import SettingsError
from fieldpack.field.boundary import HIGHEST, LOWEST
from fieldpack.field.residue import GONE


@dataclass(frozen=True, slots=True)
class NamedAttractor:
    """An attractor that the caller sets: what is packed is drawn to it. strength in [0, 1]; keywords: what it is about,
    by default its name in words. Raises SettingsError."""

    name: str
    strength: float = 1.0
    keywords: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        number(f"the strength of attractor {self.name!r}", self.strength, 0.0, 1.0)
        if isinstance(self.keywords, str) or not all(isinstance(word, str) for word in self.keywords):
            raise SettingsError(
                f"the keywords of attractor {self.name!r} are {self.keywords!r}; give a list of strings"
            )
        if not isinstance(self.name, str) or not self.text.strip():
            raise SettingsError(f"an attractor has the name {self.name!r} and no keywords; give it one of the two")

    @property
    def text(self) -> str:
        """What is read of it: the keywords, else the name in words."""
        return " ".join(self.keywords) or self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class FieldSettings:
    """Settings of a field. Raises SettingsError.

    limit: attractors at most, 0 (none is looked for) to 4096. bias: pull of the query (gamma), 0 to 10.
    permeability (0.1 to 0.9), gradient (0 to 1): where the boundary starts, and its largest step. resonance_scale: the
    change of resonance that moves the boundary by about 3/4 of the gradient, 0.001 to 2.
    half_life: turns after which carried attractors and fragments weigh half, 0.1 to 1000. fragments: carried at most, 0
    to 4096. min_strength: weaker fragments are forgotten, 0 to 1.
    attractors: named ones (`NamedAttractor`, or mappings of its fields) that rows are drawn to. resonance: in [0, 1],
    the agreement that is wanted: the further the rows are below it, the more those gain that agree with the field; 0
    for none (`fieldpack.relevance.drawn`). adaptive: whether a `Session` moves its boundary over turns, in steps of
    `gradient`, from the packer's `enough` on.
    """

    limit: int = 12
    bias: float = 0.1
    permeability: float = 0.7
    gradient: float = 0.2
    half_life: float = 3.0
    fragments: int = 64
    resonance_scale: float = 0.1
    min_strength: float = GONE
    attractors: tuple[NamedAttractor, ...] = ()
    resonance: float = 0.0
    adaptive: bool = False

    def __post_init__(self) -> None:
        whole("limit", self.limit, 0, 4096)
        number("bias", self.bias, 0.0, 10.0)
        number("permeability", self.permeability, LOWEST, HIGHEST)
        number("gradient", self.gradient, 0.0, 1.0)
        number("half_life", self.half_life, 0.1, 1000.0)
        whole("fragments", self.fragments, 0, 4096)
        number("resonance_scale", self.resonance_scale, 1e-3, 2.0)
        number("min_strength", self.min_strength, 0.0, 1.0)
        number("resonance", self.resonance, 0.0, 1.0)
        choice("adaptive", self.adaptive, (False, True))
        object.__setattr__(self, "attractors", _named(self.attractors))

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


def _named(attractors: Any) -> tuple[NamedAttractor, ...]:
    """The attractors as records. Raises SettingsError for what is none, an unknown key, and a name given twice."""
    known = [f.name for f in fields(NamedAttractor)]
    out: list[NamedAttractor] = []
    for entry in attractors:
        if isinstance(entry, Mapping):
            if unknown := sorted(set(entry) - set(known)):
                raise SettingsError(f"unknown key of an attractor {unknown[0]!r}; known: {', '.join(known)}")
            keywords = entry.get("keywords", ())
            keywords = tuple(keywords) if isinstance(keywords, list) else keywords
            entry = NamedAttractor(**{"name": "", **entry, "keywords": keywords})
        if not isinstance(entry, NamedAttractor):
            raise SettingsError(
                f"an attractor is a {type(entry).__name__}; give NamedAttractor(name, strength, keywords)"
            )
        if entry.name in {a.name for a in out if a.name}:
            raise SettingsError(f"two attractors are named {entry.name!r}; rename one")
        out.append(entry)
    return tuple(out)
