"""Readings and states as notebooks show them: numbers and bars, inline styles."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fieldpack.field.state import FieldState, Reading

_MOST = 12
_BAR = '<span style="display:inline-block;height:.7em;width:{:.0f}px;background:#0072b2;border-radius:2px"></span>'


def reading_snippet(reading: Reading) -> str:
    """The whole field in a line, and its attractors as a table."""
    facts = reading.to_dict()
    found = facts["attractors"]
    most = max([a["strength"] for a in found], default=1.0) or 1.0
    rows = "".join(
        f"<tr><td>{k}</td><td>{a['strength']:.3f} {_BAR.format(60 * a['strength'] / most)}</td>"
        f"<td>{a['segments']:,}</td><td>{a['cohesion']:.2f}</td><td>{a['demand']:.0%}</td></tr>"
        for k, a in enumerate(found[:_MOST], 1)
    )
    head = _head("attractor", "strength", "segments", "cohesion", "demand")
    table = f"<table>{head}<tbody>{rows}</tbody></table>" if found else "<div>no attractor</div>"
    return (
        f"<div><b>Reading</b> of {len(reading.row_resonance):,} segments: resonance {reading.resonance:.3f}, "
        f"permeability {reading.permeability:.2f}, turn {reading.state.turn}</div>"
        f"{table}{_rest(len(found), 'attractors')}"
    )


def state_snippet(state: FieldState) -> str:
    """What is carried to the next turn: the field's few numbers, and the fragments, the strongest first."""
    fragments = sorted(state.residue.fragments, key=lambda f: -f.strength)
    rows = "".join(
        f"<tr><td style='text-align:left'><code>{html.escape(f.key[:80], quote=True)}</code></td>"
        f"<td>{f.strength:.2f} {_BAR.format(60 * max(0.0, min(f.strength, 1.0)))}</td>"
        f"<td>{html.escape(f.state)}</td><td>{f.age}</td></tr>"
        for f in fragments[:_MOST]
    )
    head = _head("fragment", "strength", "state", "age")
    table = f"<table>{head}<tbody>{rows}</tbody></table>" if fragments else "<div>no residue</div>"
    return (
        f"<div><b>FieldState</b> after turn {state.turn}: {len(state.strength)} attractors carried, permeability "
        f"{state.boundary.permeability:.2f}, resonance {state.boundary.resonance or 0.0:.3f}, "
        f"{state.count:,} rows absorbed</div>{table}{_rest(len(fragments), 'fragments')}"
    )


def _head(*names: str) -> str:
    return f"<thead><tr>{''.join(f'<th>{name}</th>' for name in names)}</tr></thead>"


def _rest(count: int, name: str) -> str:
    return f"<div>and {count - _MOST:,} more {name}</div>" if count > _MOST else ""
