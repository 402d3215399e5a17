"""Rows that stand in a pack without what they name: keys, sections, headers, labels, names of sections; and scraps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldpack.arrays import mask_of
from fieldpack.packing.fillers import names_others, says_nothing_alone
from fieldpack.packing.problem import Problem, copies_of
from fieldpack.packing.select import Packing
from fieldpack.types import BoolArray, Document, IntArray, Segments

_SCRAP_TOKENS, _FAR, _UNLIKELY = 24, 2.0, -3.0
"""Tokens of a scrap at most; log odds that it is behind the best row that did not fit, at least; its own, at most."""


@dataclass(frozen=True, eq=False)
class Place:
    """The n rows of a problem among the segments of documents. rows (n,): which segments they are."""

    problem: Problem
    rows: IntArray
    documents: Sequence[Document]
    segments: Segments


def lone_headings(problem: Problem, inside: BoolArray) -> BoolArray:
    """(n,) headings of paragraphs of which nothing is `inside` (n,)."""
    if not problem.is_heading.any():
        return problem.is_heading
    begun = np.zeros(int(problem.paragraph.max(initial=-1)) + 1, np.bool_)
    begun[problem.paragraph[inside]] = True
    return np.asarray(problem.is_heading & ~begun[problem.paragraph], np.bool_)


def lone_keys(place: Place, inside: BoolArray) -> BoolArray:
    """(n,) rows of tables, records and settings that name the rows below them (a header, a section, an enclosing key),
    where none of those is among the rows `inside` (n,)."""
    problem = place.problem
    if problem.context is None:
        return np.zeros(len(problem), np.bool_)
    below = np.flatnonzero((problem.context >= 0) & (problem.context < np.arange(len(problem))))
    names = mask_of(problem.context[below], len(problem))
    wanted = mask_of(problem.context[below[inside[below]]], len(problem))
    rows = np.flatnonzero(names & ~wanted).tolist()
    keys = [row for row in rows if names_others(place.documents, place.segments, int(place.rows[row]))]
    return mask_of(np.array(keys, np.int64), len(problem))


def lone_labels(place: Place, unlikely: BoolArray, inside: BoolArray) -> BoolArray:
    """(n,) headings, labels and rules among the `unlikely` rows (n,), where the row below is not `inside` (n,)."""
    followed = np.append(inside[1:] & (np.diff(place.rows) == 1), False)
    rows = np.flatnonzero(unlikely & ~followed).tolist()
    lone = [row for row in rows if says_nothing_alone(place.documents, place.segments, int(place.rows[row]))]
    return mask_of(np.array(lone, np.int64), len(inside))


def scraps(place: Place, packing: Packing, inside: BoolArray) -> BoolArray:
    """(n,) short rows that fit where far better ones do not, unless a neighbour of theirs is among the rows `inside`
    (n,): they say next to nothing. None without a query."""
    problem, rows = place.problem, place.rows
    odds = problem.logit + packing.link - packing.duplicate
    outside = problem.eligible & ~inside & ~copies_of(problem, inside)
    if not len(problem.max_similarity) or not outside.any():
        return np.zeros(len(problem), np.bool_)
    near = (np.diff(rows) == 1) & (np.diff(problem.document) == 0)
    beside = np.append(inside[1:] & near, False) | np.append(False, inside[:-1] & near)
    small = (problem.cost <= _SCRAP_TOKENS) & ~problem.pinned
    return np.asarray(small & ~beside & (odds < min(float(odds[outside].max()) - _FAR, _UNLIKELY)), np.bool_)
