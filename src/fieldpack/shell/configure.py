"""A packer set up by a shell: each of `ShellSettings.packer_options` is put where the packer obeys it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from fieldpack.shell.settings import ShellSettings

P = TypeVar("P")
_FIELD = {
    "permeability": "permeability",
    "gradient": "gradient",
    "resonance_change": "resonance_scale",
    "top_n_attractors": "limit",
    "resonance_target": "resonance",
    "residue_fragments": "fragments",
    "residue_half_life": "half_life",
    "residue_min_strength": "min_strength",
}
"""Options that are settings of the packer's field (FieldSettings), and their names there."""
_PACKER = {"min_relevance": "min_relevance", "residue_weight": "residue_weight", "permeability": "enough"}
"""Options that are settings of the packer itself, and their names there."""


@dataclass(frozen=True)
class Configured(Generic[P]):
    """packer: as the shell sets it, its attractors included. budget: tokens, None where the shell gives none. queries:
    (text, weight in (0, 1]) of the same attractors, for a caller that wants to ask for them outright."""

    packer: P
    budget: int | None
    queries: tuple[tuple[str, float], ...]


def configure(packer: P, settings: ShellSettings) -> Configured[P]:
    """The packer (a ContextPacker) with the shell's settings; keys that the shell does not have keep the packer's."""
    options = settings.packer_options()
    changes = {new: options[old] for old, new in _FIELD.items() if options[old] is not None}
    if settings.field is not None and settings.field.moves is not None:
        changes["adaptive"] = settings.field.moves
    if named := settings.named_attractors:
        changes["attractors"] = [{"name": a.name, "strength": a.strength, "keywords": a.keywords} for a in named]
    changed = replace_field(packer, changes)
    own = {new: options[old] for old, new in _PACKER.items() if options[old] is not None}
    queries = tuple((text, max(min(weight, 1.0), 0.01)) for text, weight in options["attractors"] if text.strip())
    return Configured(replace(changed, **own), options["budget"], queries)


def replace_field(packer: Any, changes: dict[str, Any]) -> Any:
    """The packer with these settings of its field changed."""
    return replace(packer, field=replace(packer.field, **changes))
