"""Every system by name and by group; nothing heavy is imported before a system selects."""

from __future__ import annotations

from collections.abc import Iterable

from fieldpack.bench import (
    baselines,
    fieldpack_systems,
    folders,
    peers,
    pieces,
    reference_baseline,
    rivals,
    sentences,
    tool_outputs,
)
from fieldpack.bench.system import System
from fieldpack.errors import UnknownNameError


def groups() -> dict[str, tuple[System, ...]]:
    """All systems by group."""
    return {
        "tiers": fieldpack_systems.systems(),
        "baselines": baselines.systems(),
        "peers": (*peers.systems(), *sentences.systems(), *rivals.systems(), reference_baseline.system()),
        "pieces": pieces.systems(),
        "folders": folders.systems(),
        "tools": tool_outputs.systems(),
        "ablations": fieldpack_systems.ablations(),
    }


def all_systems() -> dict[str, System]:
    """Every system by name."""
    return {s.name: s for group in groups().values() for s in group}


def named(names: Iterable[str]) -> tuple[System, ...]:
    """The systems of these names or groups: tiers (fieldpack's), baselines, peers, pieces, folders, tools, ablations,
    all (but the ablations).

    Raises UnknownNameError listing the known.
    """
    by_group, known = groups(), all_systems()
    groups_of = {**by_group, "all": tuple(s for name, group in by_group.items() if name != "ablations" for s in group)}
    out: dict[str, System] = {}
    for name in names:
        if name not in known and name not in groups_of:
            raise UnknownNameError("system", name, [*known, *groups_of])
        out.update((s.name, s) for s in groups_of.get(name, ()) or (known[name],))
    return tuple(out.values())
