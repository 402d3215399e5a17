"""Every system by name and by group; nothing heavy is imported before a system selects."""

from __future__ import annotations

from collections.abc import Iterable

from fieldpack.bench import baselines, fieldpack_systems, peers, reference_baseline, sentences
from fieldpack.bench.system import System
from fieldpack.errors import UnknownNameError


def groups() -> dict[str, tuple[System, ...]]:
    """All systems by group."""
    return {
        "tiers": fieldpack_systems.systems(),
        "baselines": baselines.systems(),
        "peers": (*peers.systems(), *sentences.systems(), reference_baseline.system()),
        "ablations": fieldpack_systems.ablations(),
    }


def all_systems() -> dict[str, System]:
    """Every system by name."""
    return {s.name: s for group in groups().values() for s in group}


def named(names: Iterable[str]) -> tuple[System, ...]:
    """The systems of these names or groups: baselines, peers, tiers (fieldpack's), ablations, all (but the ablations).

    Raises UnknownNameError listing the known.
    """
    by_group, known = groups(), all_systems()
    groups_of = {**by_group, "all": (*by_group["tiers"], *by_group["baselines"], *by_group["peers"])}
    out: dict[str, System] = {}
    for name in names:
        if name not in known and name not in groups_of:
            raise UnknownNameError("system", name, [*known, *groups_of])
        out.update((s.name, s) for s in groups_of.get(name, ()) or (known[name],))
    return tuple(out.values())
