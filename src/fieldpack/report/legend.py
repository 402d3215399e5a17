"""The legend of a page: what each colour and mark stands for, and what each number means."""

from __future__ import annotations

from fieldpack.html import escape as text
from fieldpack.report.measures import definitions
from fieldpack.report.view import PackView

_PACK: tuple[str, ...] = (
    "segments",
    "relevance",
    "tokens",
    "bits per token",
    "unique",
    "gain",
    "called for",
    "repeats",
    "resonance",
)
_PACK += ("attraction", "residue", "attractor", "size", "strength", "demand")
_FIELD: tuple[str, ...] = (
    "segments",
    "attractor",
    "share",
    "size",
    "strength",
    "resonance",
    "permeability",
    "attraction",
)
_FIELD += ("unexplained", "bits per token", "unique")


def pack_legend(view: PackView) -> str:
    """HTML of a pack's legend."""
    if view.compared is None:
        colours = [
            ('<span class="eg k">kept</span>', "in the pack"),
            ('<span class="eg k new">kept now</span>', "enters at the budget chosen"),
            ('<span class="eg gone">left out now</span>', "falls out at the budget chosen"),
        ]
    else:
        colours = [
            ('<span class="eg k">both</span>', "kept by both"),
            ('<span class="eg k new">this pack</span>', "kept by this pack only"),
            ('<span class="eg gone">the other</span>', f"kept by {text(view.compared.name[:120])} only"),
        ]
    colours.append(('<span class="eg">grey</span>', "dropped"))
    marks = [
        ('<span class="swatch lit b0"></span>', "a paragraph with kept text; its colour is its basin"),
        ('<span class="swatch diamond b0"></span>', "an attractor, with its number and words"),
        ('<span class="swatch ring"></span>', "the query"),
    ]
    return _legend([*colours, *marks], _PACK)


def field_legend() -> str:
    """HTML of a field's legend."""
    marks = [
        ('<span class="swatch b0"></span>', "a paragraph; the larger, the more tokens; its colour is its basin"),
        ('<span class="swatch diamond b0"></span>', "an attractor, with its number and words"),
        ('<span class="swatch b-none"></span>', "a paragraph of no basin"),
    ]
    return _legend(marks, _FIELD)


def _legend(marks: list[tuple[str, str]], names: tuple[str, ...]) -> str:
    items = "".join(f"<li>{mark} {meaning}</li>" for mark, meaning in marks)
    return (
        f'<details class="legend"><summary>Legend: colours, and what the numbers mean</summary><ul>{items}</ul>'
        f"{definitions(names)}</details>"
    )
