"""Readings and states as notebooks show them. Both take what `to_dict` gives, so that no type of the field is needed
here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fieldpack.html import bar, escape, more, table

_MOST = 12


def reading_snippet(facts: Mapping[str, Any]) -> str:
    """The whole field in a line, and its attractors as a table. facts: of `Reading.to_dict`, and "segments"."""
    attractors = facts["attractors"]
    most = max([a["strength"] for a in attractors], default=1.0) or 1.0
    rows = [
        [
            str(k),
            f"{a['strength']:.3f} {bar(a['strength'] / most)}",
            f"{a['segments']:,}",
            f"{a['cohesion']:.2f}",
            f"{a['demand']:.0%}",
        ]
        for k, a in enumerate(attractors[:_MOST], 1)
    ]
    head = ("attractor", "strength", "segments", "cohesion", "demand")
    return (
        f"<div><b>Reading</b> of {facts['segments']:,} segments: resonance {facts['resonance']:.3f}, "
        f"permeability {facts['permeability']:.2f}, turn {facts['turn']}</div>"
        f"{table(head, rows) if rows else '<div>no attractor</div>'}{more(len(attractors) - _MOST, 'attractors')}"
    )


def state_snippet(facts: Mapping[str, Any]) -> str:
    """What is carried to the next turn: the field's few numbers, and the fragments, the strongest first.

    facts: of `FieldState.to_dict`.
    """
    fragments = sorted(facts["residue"], key=lambda f: -f["strength"])
    rows = [
        [
            f"<code>{escape(f['key'][:80])}</code>",
            f"{f['strength']:.2f} {bar(min(f['strength'], 1.0))}",
            escape(f["state"]),
            str(f["age"]),
        ]
        for f in fragments[:_MOST]
    ]
    shown = table(("fragment", "strength", "state", "age"), rows, text_columns=(0,))
    return (
        f"<div><b>FieldState</b> after turn {facts['turn']}: {len(facts['attractors'])} attractors carried, "
        f"permeability {facts['permeability']:.2f}, resonance {facts['resonance'] or 0.0:.3f}, "
        f"{facts['rows']:,} rows absorbed</div>"
        f"{shown if rows else '<div>no residue</div>'}{more(len(fragments) - _MOST, 'fragments')}"
    )
