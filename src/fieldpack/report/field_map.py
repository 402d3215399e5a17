"""The field on a plane as SVG, and the resonance matrix in basin order as bytes for a canvas."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.field.attractors import Attractors
from fieldpack.field.plane import Plane, basin_order, plane
from fieldpack.report.safe import text
from fieldpack.types import BoolArray, FloatArray, IntArray

MOST_POINTS, MOST_CELLS = 1500, 200
WIDTH, HEIGHT, _EDGE = 640, 480, 28
COLOURS = 12
"""Basins have colours b0 ... b11 in the style sheet; of more than 12 they repeat."""


def sampled(order: IntArray, first: BoolArray, most: int) -> IntArray:
    """At most `most` rows, in the given order: those that come `first`, and of the rest every so many-th."""
    if len(order) <= most:
        return order
    lead, rest = order[first[order]][: most // 2], order[~first[order]]
    room = most - len(lead)
    some = rest[np.arange(room) * len(rest) // room] if len(rest) > room else rest
    chosen = np.zeros(len(order), np.bool_)
    chosen[lead] = chosen[some] = True
    return order[chosen[order]]


def svg(
    x: FloatArray,
    found: Attractors,
    *,
    queries: FloatArray | None = None,
    first: BoolArray,
    kept: BoolArray,
    mass: IntArray,
    names: Sequence[str],
) -> tuple[str, float]:
    """SVG of the rows x (g, d), and the share of their spread that it shows.

    first (g,): points that are drawn whatever their number; kept (g,): lit; mass (g,): tokens; names: of attractors.
    """
    flat = plane(x, found, queries)
    rows = sampled(_drawn(x, found), first, MOST_POINTS)
    rows = rows[np.argsort(kept[rows], kind="stable")]  # what is lit is drawn on top
    place = _Frame(np.concatenate([flat.rows[rows], flat.centers, flat.queries]))
    radius = np.clip(1.6 + 0.32 * np.sqrt(mass), 2.2, 7.5)
    points = "".join(
        f'<circle class="p {_basin(found, g)}{" k" if kept[g] else ""}" data-g="{g}" {place.at(flat.rows[g])} '
        f'r="{radius[g]:.1f}"/>'
        for g in rows.tolist()
    )
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="map-about">',
        f"<g>{_clouds(flat, found, place, rows)}</g><g>{points}</g>",
        f"<g>{_centers(flat, found, place, names)}</g><g>{_queries(flat, place)}</g></svg>",
    ]
    return "".join(parts), flat.explained


def _drawn(x: FloatArray, found: Attractors) -> IntArray:
    """Rows in basin order without those of zeros, which are texts without known words."""
    order = basin_order(x, found)
    return np.asarray(order[(x[order] ** 2).sum(1) > 0], np.int64)


def _basin(found: Attractors, g: int) -> str:
    own = int(found.basin[g])
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

    def length(self, value: float) -> float:
        return value * self._scale


def _clouds(flat: Plane, found: Attractors, place: _Frame, drawn: IntArray) -> str:
    """An ellipse for each basin: two standard deviations of the three quarters of its rows that lie in its middle."""
    out = []
    for k in range(len(found)):
        members = flat.rows[drawn[found.basin[drawn] == k]]
        if len(members) < 4:
            continue
        far = ((members - np.median(members, 0)) ** 2).sum(1)
        members = members[far <= np.percentile(far, 75)]
        spread, axes = np.linalg.eigh(np.cov(members.T.astype(np.float64)))
        rx, ry = (place.length(2 * float(np.sqrt(max(v, 0.0)))) for v in spread[::-1])
        x, y = place.xy(members.mean(0))
        turn = -np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
        out.append(
            f'<ellipse class="cloud b{k % COLOURS}" rx="{rx:.1f}" ry="{ry:.1f}" '
            f'transform="translate({x:.1f} {y:.1f}) rotate({turn:.1f})"/>'
        )
    return "".join(out)


def _centers(flat: Plane, found: Attractors, place: _Frame, names: Sequence[str]) -> str:
    out = []
    most = max([float(s) for s in found.strength], default=1.0)
    for k in range(len(found)):
        x, y = place.xy(flat.centers[k])
        r = 9 + 5 * float(found.strength[k]) / max(most, 1e-9)
        side = "end" if x > WIDTH * 0.62 else "start"
        dx = -r - 4 if side == "end" else r + 4
        label = (
            f'<text class="label" x="{dx:.1f}" y="4" text-anchor="{side}">{text(names[k])}</text>' if names[k] else ""
        )
        out.append(
            f'<g class="center b{k % COLOURS}" transform="translate({x:.1f} {y:.1f})">'
            f'<path d="M0 {-r:.1f}L{r:.1f} 0L0 {r:.1f}L{-r:.1f} 0Z"/>'
            f'<text class="number" y="3.8" text-anchor="middle">{k + 1}</text>{label}</g>'
        )
    return "".join(out)


def _queries(flat: Plane, place: _Frame) -> str:
    out = []
    for q, point in enumerate(flat.queries):
        x, y = place.xy(point)
        name = "query" if len(flat.queries) == 1 else f"query {q + 1}"
        out.append(
            f'<g class="query" transform="translate({x:.1f} {y:.1f})"><circle r="9"/><path d="M-14 0H14M0 -14V14"/>'
            f'<text class="label" x="{-16 if x > WIDTH * 0.8 else 16}" y="-8" '
            f'text-anchor="{"end" if x > WIDTH * 0.8 else "start"}">{name}</text></g>'
        )
    return "".join(out)


def matrix(x: FloatArray, found: Attractors, first: BoolArray) -> dict[str, Any]:
    """The resonance of up to 200 rows in basin order, for JSON: one byte a pair, from `low` to `high`, row by row.

    The scale runs from the 2nd to the 99th percentile of the pairs shown, so that a few copies do not wash it out.
    """
    order = _drawn(x, found)
    rows = sampled(order, first, MOST_CELLS)
    r = x[rows] @ x[rows].T
    pairs = r[~np.eye(len(rows), dtype=bool)]
    low, high = (float(v) for v in np.percentile(pairs, (2, 99))) if len(pairs) else (0.0, 1.0)
    scaled = np.clip((r - low) / max(high - low, 1e-6), 0, 1)
    return {
        "groups": rows.tolist(),
        "basin": found.basin[rows].tolist(),
        "low": round(low, 4),
        "high": round(high, 4),
        "cells": base64.b64encode(np.round(scaled * 255).astype(np.uint8).tobytes()).decode(),
        "of": len(order),
    }
