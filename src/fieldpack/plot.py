"""Plots of fields, packs and budgets. Each function draws on the axes it is given, or on new ones, and returns them.

Needs the extra "plot" (matplotlib), else MissingExtraError. Colours are told apart by colour-blind readers too, and
nothing is said by colour alone: attractors carry numbers, bars and lines their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldpack.corpus.corpus import Corpus
from fieldpack.errors import InputError, MissingExtraError
from fieldpack.field.attractors import Attractors
from fieldpack.field.plane import Plane, basin_order, plane
from fieldpack.field.state import FieldState, Reading
from fieldpack.report.numbers import topics
from fieldpack.report.packs import at_other_budgets
from fieldpack.report.view import field_view
from fieldpack.result import Result
from fieldpack.types import BoolArray, FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fieldpack.budget import BudgetPlan

COLOURS = (
    "#0072b2", "#b25000", "#007a5a", "#a8437f", "#7a6a00", "#5b4bb5",
    "#0f7f8c", "#a32638", "#4d7c0f", "#80552a", "#3d5a80", "#6d3a86",
)  # fmt: skip
"""Of basins, as in the report: dark enough for text on white; of more than 12 they repeat."""
NOBODY, KEPT, DROPPED, OVER = "#8b8f96", "#b07d00", "#c9c6be", "#b03a17"
_MOST_POINTS, _MOST_CELLS, _NAME = 4000, 400, 46

Source = Result | Corpus | FloatArray


def field_map(
    source: Source,
    reading: Reading | None = None,
    query: FloatArray | None = None,
    ax: Axes | None = None,
    *,
    kept: BoolArray | None = None,
) -> Axes:
    """The rows of a field on their first two principal axes: basins by colour, attractors by number, the query, kept
    rows with a golden edge.

    source: a result (the rest follows from it), a corpus or rows (n, d) of unit length, these with their
    reading. query: (d,) or (q, d). kept: (n,) of the rows. Raises InputError when rows come without a reading.
    """
    on = _axes(ax, 6.4, 5.2)
    field = _field(source, reading)
    if isinstance(source, Result):
        query = source.query_vectors if query is None else query
        kept = _kept_rows(source) if kept is None else kept
    flat = plane(field.x, field.attractors, query)
    _draw_rows(on, field, flat, kept)
    _draw_centers(on, flat, field.names)
    if on.get_legend_handles_labels()[0]:
        on.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8.5)
    on.set_aspect("equal", adjustable="box")
    on.set_xticks([])
    on.set_yticks([])
    return _quiet(
        on,
        f"{len(field.x):,} rows, {len(field.attractors)} attractors; the axes show {flat.explained:.0%} of the spread",
        frame=False,
    )


def _draw_rows(on: Any, field: _Field, flat: Plane, kept: BoolArray | None) -> None:
    """Rows as points, a line from each to its attractor, a golden edge around the kept ones."""
    rows, basin = _drawn(field, _MOST_POINTS), field.attractors.basin
    colours = np.array([*(_colour(k) for k in range(len(field.attractors))), NOBODY])
    for k in range(len(field.attractors)):
        ends = flat.rows[rows[basin[rows] == k]]
        lines = np.stack([np.repeat(flat.centers[k][None], len(ends), 0), ends, np.full_like(ends, np.nan)], 1)
        on.plot(*lines.reshape(-1, 2).T, color=_colour(k), alpha=0.16, linewidth=0.8, zorder=1)
    on.scatter(*flat.rows[rows].T, s=18, c=colours[basin[rows]], alpha=0.55, linewidths=0, zorder=2)
    if kept is not None:
        marked = rows[np.asarray(kept, bool)[rows]]
        edge = {"edgecolors": KEPT, "linewidths": 2.2}
        on.scatter(*flat.rows[marked].T, s=52, c=colours[basin[marked]], zorder=3, label="kept", **edge)


def _draw_centers(on: Any, flat: Plane, names: Sequence[str]) -> None:
    """Attractors as numbered diamonds, queries as crosses."""
    for k, center in enumerate(flat.centers):
        label = f"{k + 1} {names[k]}".replace("$", r"\$").rstrip()
        on.scatter(*center, s=150, marker="D", color=_colour(k), edgecolors="white", zorder=4, label=label)
        on.annotate(str(k + 1), center, ha="center", va="center", color="white", fontsize=8, weight="bold", zorder=5)
    if len(flat.queries):
        on.scatter(*flat.queries.T, s=150, marker="P", color="black", edgecolors="white", zorder=6, label="query")


def resonance(source: Source, reading: Reading | None = None, ax: Axes | None = None) -> Axes:
    """The similarities of all rows to each other, basin by basin; of more than 400 rows an evenly spaced sample."""
    on = _axes(ax, 5.6, 5.2)
    field = _field(source, reading)
    rows = _drawn(field, _MOST_CELLS)
    r = field.x[rows] @ field.x[rows].T
    pairs = r[~np.eye(len(rows), dtype=bool)]
    low, high = np.percentile(pairs, (2, 99)) if len(pairs) else (0.0, 1.0)
    image = on.imshow(r, cmap="cividis", vmin=low, vmax=high, interpolation="nearest")
    on.figure.colorbar(image, ax=on, shrink=0.8, label="similarity")
    basin = field.attractors.basin[rows]
    for k in np.unique(basin[basin >= 0]).tolist():
        at = np.flatnonzero(basin == k)
        on.plot(
            [-2, -2], [at[0] - 0.5, at[-1] + 0.5], color=_colour(k), linewidth=4, clip_on=False, solid_capstyle="butt"
        )
        on.text(-0.02 * len(rows) - 3, at.mean(), str(k + 1), ha="right", va="center", fontsize=8, color=_colour(k))
    on.set_xticks([])
    on.set_yticks([])
    return _quiet(on, f"{len(rows):,} of {len(field.x):,} rows by attractor", frame=False)


def energy(attractors: Attractors, ax: Axes | None = None) -> Axes:
    """The energy of each attractor above its final one, at every step of its last descent: it never rises."""
    on = _axes(ax, 6.0, 3.6)
    trace = np.asarray(attractors.energy, float)
    for k in range(trace.shape[1] if trace.size else 0):
        above = np.maximum(trace[:, k] - trace[-1, k], 0)
        on.plot(np.arange(len(trace)), above, color=_colour(k), linewidth=1.6, label=str(k + 1))
    if trace.size:
        on.legend(title="attractor", frameon=False, fontsize=8, ncols=max(1, trace.shape[1] // 4))
        on.set_yscale("symlog", linthresh=1e-6)
        on.set_ylim(bottom=0)
    return _quiet(on, "step", "energy above its end")


def permeability(states: Sequence[FieldState], ax: Axes | None = None) -> Axes:
    """The boundary over turns: its permeability, and the smoothed resonance that it follows."""
    on = _axes(ax, 6.0, 3.6)
    turns = [s.turn for s in states]
    on.plot(turns, [s.boundary.permeability for s in states], "o-", color=COLOURS[0], label="permeability")
    resonances = [np.nan if s.boundary.resonance is None else s.boundary.resonance for s in states]
    on.plot(turns, resonances, "s--", color=COLOURS[1], label="resonance")
    on.set_ylim(min(-0.02, float(np.nanmin([0.0, *resonances])) - 0.02), 1.02)
    on.xaxis.get_major_locator().set_params(integer=True)
    on.legend(frameon=False, fontsize=9)
    return _quiet(on, "turn", "")


def budget(plan: BudgetPlan, ax: Axes | None = None) -> Axes:
    """A budget plan: the tokens available to each section, and those used."""
    on = _axes(ax, 6.4, 0.42 * len(plan.sections) + 1.0)
    sections = plan.sections[::-1]
    at = np.arange(len(sections))
    on.barh(at, [s.available for s in sections], color=DROPPED, height=0.7, label="available")
    within = [COLOURS[0] if s.used <= s.available else OVER for s in sections]
    on.barh(at, [s.used for s in sections], color=within, height=0.36, label="used")
    for y, s in zip(at, sections, strict=True):
        tokens = f" {s.used:,} of {s.available:,}" if s.tracked else f" {s.available:,}"
        on.text(max(s.available, s.used), y, tokens, va="center", fontsize=8.5)
    on.set_yticks(at, [s.label for s in sections])
    on.margins(x=0.22)
    on.set_xlim(left=0)
    return _quiet(on, f"tokens of a window of {plan.window:,}", "")


def relevance(result: Result, ax: Axes | None = None, *, most: int = 20) -> Axes:
    """The `most` relevant segments as bars; those that were kept are golden, and their names bold."""
    on = _axes(ax, 7.0, 0.3 * min(most, len(result.segments)) + 0.9)
    score = result.relevance.total
    rows = np.lexsort((np.arange(len(score)), -score))[: max(most, 1)][::-1]
    texts, at = result.corpus.texts(), np.arange(len(rows))
    on.barh(at, score[rows], color=[KEPT if result.inside[r] else DROPPED for r in rows], height=0.72)
    on.set_yticks(at, [_short(texts[r]) for r in rows.tolist()], fontsize=8)
    for label, row in zip(on.get_yticklabels(), rows.tolist(), strict=True):
        label.set_parse_math(False)
        label.set_weight("bold" if result.inside[row] else "normal")
    for y, row in zip(at, rows.tolist(), strict=True):
        on.text(float(score[row]), y, f" {result.segments.tokens[row]:,} tokens", va="center", fontsize=7.5)
    on.margins(x=0.16)
    on.set_xlim(left=0)
    return _quiet(on, "relevance (kept: golden, in bold)", "")


def frontier(
    source: Result | Sequence[Result] | Mapping[str, Sequence[Result]], ax: Axes | None = None, *, bound: bool = False
) -> Axes:
    """The worth of packs against their tokens; with `bound` also the upper bound of any pack's worth.

    source: a result (packed again at other budgets where it can be), several results of the same documents, or
    {name: results} to compare packers.
    """
    on = _axes(ax, 6.0, 3.8)
    if isinstance(source, Mapping):
        lines = {name: sorted(results, key=lambda p: p.tokens) for name, results in source.items()}
    else:
        results = _at_budgets(source) if isinstance(source, Result) else sorted(source, key=lambda p: p.tokens)
        lines = {"": results}
        if bound:
            most = [p.packing.bound for p in results]
            on.plot([p.budget for p in results], most, ":", color=NOBODY, label="no pack is worth more")
    for k, (name, results) in enumerate(lines.items()):
        values = [p.packing.value for p in results]
        on.plot([p.tokens for p in results], values, "o-", color=_colour(k), markersize=4, label=name or "pack")
    if isinstance(source, Result):
        on.plot([source.tokens], [source.packing.value], "o", color=KEPT, markersize=10, zorder=4, label="this pack")
    on.set_xlim(left=0)
    on.set_ylim(bottom=0)
    on.legend(frameon=False, fontsize=9)
    return _quiet(on, "tokens", "worth (expected evidence + coverage)")


def _axes(ax: Axes | None, width: float, height: float) -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error
    return ax if ax is not None else pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def _quiet(on: Any, xlabel: str, ylabel: str = "", *, frame: bool = True) -> Axes:
    """Labels of the axes; without the lines of the frame that show nothing."""
    on.set_xlabel(xlabel)
    on.set_ylabel(ylabel)
    on.spines[["top", "right"] if frame else ["top", "right", "left", "bottom"]].set_visible(False)
    done: Axes = on
    return done


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


@dataclass(frozen=True, eq=False)
class _Field:
    """Rows x (n, d), their attractors, and a name for each attractor."""

    x: FloatArray
    attractors: Attractors
    names: list[str]


def _field(source: Source, reading: Reading | None) -> _Field:
    if isinstance(source, Result):
        reading = reading or source.reading
        source = source.corpus
    if reading is None:
        raise InputError("found rows without a reading; pass reading=fieldpack.field.state.read(rows), or a result")
    if isinstance(source, Corpus):
        view = field_view(source, reading)
        return _Field(view.vectors, view.attractors, [" ".join(words[:2]) for words in topics(view)])
    x = np.asarray(source, np.float32)
    if x.ndim != 2 or len(x) != len(reading.attractors.basin):
        raise InputError(
            f"rows have shape {x.shape}, the reading is of {len(reading.attractors.basin)} rows; read them again"
        )
    return _Field(x, reading.attractors, [""] * len(reading.attractors))


def _kept_rows(result: Result) -> BoolArray:
    """(n,) which rows of the field hold a segment that was kept."""
    return field_view(result.corpus, result.reading).paragraphs_of(result.inside)


def _at_budgets(result: Result) -> list[Result]:
    """The result and the same pack at other budgets, by budget."""
    others = at_other_budgets(result.segments.tokens, result.budget, result.repack)
    return sorted([result, *others], key=lambda p: p.budget)


def _drawn(field: _Field, most: int) -> Any:
    """Rows in basin order without those of zeros; of more than `most` an evenly spaced sample."""
    order = basin_order(field.x, field.attractors)
    order = order[(field.x[order] ** 2).sum(1) > 0]
    return order if len(order) <= most else order[np.arange(most) * len(order) // most]


def _short(text: str) -> str:
    line = " ".join(text[: 4 * _NAME].split())
    return line if len(line) <= _NAME else line[: _NAME - 1] + "…"
