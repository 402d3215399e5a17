"""The field on a plane as SVG, and the resonance matrix in basin order as bytes for a canvas."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.field.attractors import Attractors
from fieldpack.field.plane import Plane, basin_order, plane
from fieldpack.html import escape as text
from fieldpack.types import BoolArray, FloatArray, IntArray

MOST_POINTS, MOST_CELLS = 1500, 200
FEWEST = 3
"""Fewer rows are no field to look at."""
WIDTH, HEIGHT, _EDGE = 640, 480, 28
COLOURS = 12
"""Basins have colours b0 ... b11 in the style sheet; of more than 12 they repeat."""


def sampled(order: IntArray, first: BoolArray, most: int) -> IntArray:
    """At most `most` rows, in the given order: those that come `first`, and of the rest every so many-th."""
    if len(order) <= most:
        return order
    lead, rest = order[first[order]][: most // 2], order[~first[order]]
    left = most - len(lead)
    sample = rest[np.arange(left) * len(rest) // left] if len(rest) > left else rest
    chosen = np.zeros(len(first), np.bool_)  # `order` may leave rows out, such as those without a word
    chosen[lead] = chosen[sample] = True
    return order[chosen[order]]


def svg(
    x: FloatArray,
    attractors: Attractors,
    *,
    queries: FloatArray | None = None,
    first: BoolArray,
    kept: BoolArray,
    mass: IntArray,
    names: Sequence[str],
) -> tuple[str, float]:
    """SVG of the rows x (g, d), and the share of their variance that it shows; "" for fewer than FEWEST.

    first (g,): points that are drawn whatever their number; kept (g,): lit; mass (g,): tokens; names: of attractors.
    """
    drawn = _drawn(x, attractors)
    if len(drawn) < FEWEST:
        return "", 0.0
    flat = plane(x, attractors, queries)
    rows = sampled(drawn, first, MOST_POINTS)
    rows = rows[np.argsort(kept[rows], kind="stable")]  # what is lit is drawn on top
    place = _Frame(np.concatenate([flat.rows[rows], flat.centers, flat.queries]))
    radius = np.clip(1.6 + 0.32 * np.sqrt(mass), 2.2, 7.5)
    points = "".join(
        f'<circle class="p {_basin(attractors, g)}{" k" if kept[g] else ""}" data-g="{g}" {place.at(flat.rows[g])} '
        f'r="{radius[g]:.1f}"/>'
        for g in rows.tolist()
    )
    centers = [(*place.xy(c), r) for c, r in zip(flat.centers, _sizes(attractors), strict=True)]
    queries_at = [place.xy(q) for q in flat.queries]
    labels = _Labels([*centers, *((x, y, 13.0) for x, y in queries_at)])
    marks = _queries(queries_at, labels)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="map-about">',
        f"<g>{_threads(flat, attractors, place, rows)}</g><g>{points}</g>",
        f'<g class="marks">{_centers(centers, names, labels)}{marks}</g></svg>',
    ]
    return "".join(parts), flat.explained


def _drawn(x: FloatArray, attractors: Attractors) -> IntArray:
    """Rows in basin order without those of zeros, which are texts without known words."""
    order = basin_order(x, attractors)
    return np.asarray(order[(x[order] ** 2).sum(1) > 0], np.int64)


def _basin(attractors: Attractors, g: int) -> str:
    own = int(attractors.basin[g])
    return f"b{own % COLOURS}" if own >= 0 else "b-none"


class _Frame:
    """From places on the plane to those of the picture; both axes have one scale."""

    def __init__(self, points: npt.NDArray[np.float32]) -> None:
        low, high = (points.min(0), points.max(0)) if len(points) else (np.zeros(2), np.ones(2))
        size = np.maximum(high - low, 1e-6)
        self._scale = float(min((WIDTH - 2 * _EDGE) / size[0], (HEIGHT - 2 * _EDGE) / size[1]))
        if not np.isfinite(self._scale) or float(size.max()) <= 1e-6:
            self._scale = 1.0
        self._middle = (low + high) / 2

    def xy(self, point: npt.NDArray[Any]) -> tuple[float, float]:
        dx, dy = (point - self._middle) * self._scale
        return WIDTH / 2 + float(dx), HEIGHT / 2 - float(dy)

    def at(self, point: npt.NDArray[Any]) -> str:
        x, y = self.xy(point)
        return f'cx="{x:.1f}" cy="{y:.1f}"'


def _threads(flat: Plane, attractors: Attractors, place: _Frame, drawn: IntArray) -> str:
    """A line from each attractor to every drawn row of its basin."""
    out = []
    for k in range(len(attractors)):
        x, y = place.xy(flat.centers[k])
        ends = [place.xy(flat.rows[g]) for g in drawn[attractors.basin[drawn] == k].tolist()]
        lines = "".join(f"M{x:.0f} {y:.0f}L{a:.0f} {b:.0f}" for a, b in ends)
        out.append(f'<path class="thread b{k % COLOURS}" d="{lines}"/>')
    return "".join(out)


def _sizes(attractors: Attractors) -> list[float]:
    most = max([float(s) for s in attractors.strength], default=1.0)
    return [9 + 5 * float(s) / max(most, 1e-9) for s in attractors.strength]


def _centers(centers: Sequence[tuple[float, float, float]], names: Sequence[str], labels: _Labels) -> str:
    return "".join(
        f'<g class="center b{k % COLOURS}" transform="translate({x:.1f} {y:.1f})">'
        f'<path d="M0 {-r:.1f}L{r:.1f} 0L0 {r:.1f}L{-r:.1f} 0Z"/>'
        f'<text class="number" y="3.8" text-anchor="middle">{k + 1}</text></g>{labels.put(names[k], x, y, r + 4)}'
        for k, (x, y, r) in enumerate(centers)
    )


def _queries(places: Sequence[tuple[float, float]], labels: _Labels) -> str:
    out = []
    for q, (x, y) in enumerate(places):
        name = labels.put("query" if len(places) == 1 else f"query {q + 1}", x, y, 16)
        mark = '<circle r="9"/><path d="M-14 0H14M0 -14V14"/>'
        out.append(f'<g class="query" transform="translate({x:.1f} {y:.1f})">{mark}</g>{name}')
    return "".join(out)


class _Labels:
    """Names next to their marks, each at the first of four places where it covers no other name or mark."""

    def __init__(self, marks: Sequence[tuple[float, float, float]]) -> None:
        self._taken = [(x - r, y - r, x + r, y + r) for x, y, r in marks]

    def put(self, name: str, x: float, y: float, away: float) -> str:
        """SVG of the name, or nothing when no place is free."""
        width = 7.2 * len(name)
        for anchor, dx, dy in (
            ("start", away, 4.0),
            ("end", -away, 4.0),
            ("middle", 0, -away),
            ("middle", 0, away + 10),
        ):
            left = x + dx - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
            box = (left, y + dy - 11, left + width, y + dy + 3)
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= WIDTH and box[3] <= HEIGHT
            if name and inside and not any(_overlap(box, other) for other in self._taken):
                self._taken.append(box)
                return (
                    f'<text class="label" x="{x + dx:.1f}" y="{y + dy:.1f}" text-anchor="{anchor}">{text(name)}</text>'
                )
        return ""


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def matrix(x: FloatArray, attractors: Attractors, first: BoolArray) -> dict[str, Any]:
    """The resonance of up to 200 rows in basin order, for JSON: one byte a pair, from `low` to `high`, row by row.

    The scale runs from the 2nd to the 99th percentile of the pairs shown, so that a few copies do not wash it out.
    """
    order = _drawn(x, attractors)
    rows = sampled(order, first, MOST_CELLS) if len(order) >= FEWEST else order[:0]
    r = x[rows] @ x[rows].T
    pairs = r[~np.eye(len(rows), dtype=bool)]
    low, high = (float(v) for v in np.percentile(pairs, (2, 99))) if len(pairs) else (0.0, 1.0)
    scaled = np.clip((r - low) / max(high - low, 1e-6), 0, 1)
    return {
        "groups": rows.tolist(),
        "basin": attractors.basin[rows].tolist(),
        "low": round(low, 4),
        "high": round(high, 4),
        "cells": base64.b64encode(np.round(scaled * 255).astype(np.uint8).tobytes()).decode(),
        "of": len(order),
    }
