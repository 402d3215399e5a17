"""The field on a plane, as places that `map.js` draws; and the resonance matrix in basin order, as bytes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.field.attractors import Attractors
from fieldpack.field.plane import basin_order, plane
from fieldpack.report.view import FieldView
from fieldpack.types import BoolArray, FloatArray, IntArray

MOST_POINTS, MOST_CELLS = 1500, 200
_FEW_POINTS = 60
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


def picture(
    field: FieldView, queries: FloatArray | None, *, first: BoolArray, kept: BoolArray, names: Sequence[str]
) -> dict[str, Any] | None:
    """What `map.js` draws, for JSON; None for fewer than FEWEST paragraphs with known words.

    queries (q, d); first (g,): paragraphs that are drawn whatever their number; kept (g,): lit; names: of attractors.
    points: [paragraph, x, y, radius, basin, lit]; centers: [x, y, radius]; queries: [x, y]; labels: [text, x, y,
    anchor]; about: what is to be known of the map.
    """
    x, attractors = field.vectors, field.attractors
    drawn = _drawn(x, attractors)
    if len(drawn) < FEWEST:
        return None
    flat = plane(x, attractors, queries)
    rows = sampled(drawn, first, MOST_POINTS)
    rows = rows[np.argsort(kept[rows], kind="stable")]  # what is lit is drawn on top
    place = _Frame(np.concatenate([flat.rows[rows], flat.centers, flat.queries]))
    radius = _radius(field.mass, len(rows))
    centers = [[*place.xy(c), r] for c, r in zip(flat.centers, _sizes(attractors), strict=True)]
    queries_at = [place.xy(q) for q in flat.queries]
    labels = _Labels([*centers, *([x, y, 13.0] for x, y in queries_at)])
    placed = [labels.put(names[k], x, y, r + 4) for k, (x, y, r) in enumerate(centers)]
    one = len(queries_at) == 1
    placed += [labels.put("query" if one else f"query {q + 1}", x, y, 16) for q, (x, y) in enumerate(queries_at)]
    about = (
        f"{len(x):,} paragraphs by their vectors, on two axes that show {flat.explained:.0%} of their spread: near on "
        "the map means near in meaning, but what is near in meaning can lie apart."
    )
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "points": [
            [g, *place.xy(flat.rows[g]), float(radius[g]), int(attractors.basin[g]), bool(kept[g])]
            for g in rows.tolist()
        ],
        "centers": centers,
        "queries": queries_at,
        "labels": [label for label in placed if label],
        "about": about,
    }


def _radius(mass: IntArray, points: int) -> FloatArray:
    """(g,) by the tokens; a few points would be lost on the plane, and are larger."""
    scale = 1.8 if points <= _FEW_POINTS else 1.0
    return np.asarray(np.round(scale * np.clip(1.6 + 0.32 * np.sqrt(mass), 2.2, 7.5), 1), np.float64)


def _drawn(x: FloatArray, attractors: Attractors) -> IntArray:
    """Rows in basin order without those of zeros, which are texts without known words."""
    order = basin_order(x, attractors)
    return np.asarray(order[(x[order] ** 2).sum(1) > 0], np.int64)


class _Frame:
    """From places on the plane to those of the picture; both axes have one scale."""

    def __init__(self, points: npt.NDArray[np.float32]) -> None:
        low, high = (points.min(0), points.max(0)) if len(points) else (np.zeros(2), np.ones(2))
        size = np.maximum(high - low, 1e-6)
        self._scale = float(min((WIDTH - 2 * _EDGE) / size[0], (HEIGHT - 2 * _EDGE) / size[1]))
        if not np.isfinite(self._scale) or float(size.max()) <= 1e-6:
            self._scale = 1.0
        self._middle = (low + high) / 2

    def xy(self, point: npt.NDArray[Any]) -> list[float]:
        dx, dy = (point - self._middle) * self._scale
        return [round(WIDTH / 2 + float(dx), 1), round(HEIGHT / 2 - float(dy), 1)]


def _sizes(attractors: Attractors) -> list[float]:
    most = max([float(s) for s in attractors.strength], default=1.0)
    return [round(9 + 5 * float(s) / max(most, 1e-9), 1) for s in attractors.strength]


class _Labels:
    """Names next to their marks, each at the first of four places where it covers no other name or mark."""

    def __init__(self, marks: Sequence[Sequence[float]]) -> None:
        self._taken = [(x - r, y - r, x + r, y + r) for x, y, r in marks]

    def put(self, name: str, x: float, y: float, away: float) -> list[Any]:
        """[text, x, y, anchor] of the name; [] when no place is free."""
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
                return [name, round(x + dx, 1), round(y + dy, 1), anchor]
        return []


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
