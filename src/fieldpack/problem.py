"""From relevance and field to the packer's problem: of all rows cheaply, of those that can win with all their links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fieldpack.field.state import FieldState, Reading
from fieldpack.packing.coupling import Coupling
from fieldpack.packing.greedy import Packing, Problem
from fieldpack.prepared import Prepared
from fieldpack.relevance.corpus import unit
from fieldpack.relevance.read import Relevance
from fieldpack.types import KINDS, BoolArray, FloatArray, IntArray
from fieldpack.words import distinct, ranges

CLOSELY = 2048
"""Rows that the packer looks at where there are more than twice as many: those that are most probable."""


def plain(prepared: Prepared, relevance: Relevance, logit: FloatArray, pinned: BoolArray, floor: float) -> Problem:
    """The problem of all n rows without what they have to do with each other. Rows at log odds -inf are closed."""
    corpus, rows = prepared.corpus, prepared.rows
    return Problem(
        np.asarray(logit, np.float32),
        # A gap mark costs one token, a row that joins its neighbour none. The true count comes when it is rendered.
        np.asarray(rows.tokens + 1, np.int64),
        None,
        relevance.best,
        relevance.word_weight,
        np.zeros((0, len(rows)), np.float32),
        np.zeros(0, np.float32),
        corpus.group if prepared.sentences else np.arange(len(rows)),
        rows.doc,
        np.zeros(len(rows), np.int64),
        pinned,
        ((relevance.total >= floor) & (logit > -np.inf)) | pinned,
        _leads(prepared),
    )


def _leads(prepared: Prepared) -> BoolArray:
    """(n,) headings and wordless pieces (a closing fence) of paragraphs that hold more: they go with the rest."""
    rows = prepared.rows
    heading = rows.kind == KINDS.index("heading")
    if prepared.sentences:
        heading |= prepared.corpus.lengths == 0
    if not prepared.sentences or not heading.any():
        return np.zeros(len(rows), np.bool_)
    more = np.bincount(rows.parent[~heading], minlength=int(rows.parent[-1]) + 1) > 0
    return np.asarray(heading & more[rows.parent], np.bool_)


def closest(problem: Problem, budget: int) -> IntArray:
    """The rows that can win, ascending: all, or of many those that come first until they hold several budgets."""
    n = len(problem)
    if n <= 2 * CLOSELY:
        return np.arange(n)
    value = np.where(problem.open, problem.logit, -np.inf)
    first = np.argpartition(-value, CLOSELY)[:CLOSELY]
    if int(problem.cost[first].sum()) < 4 * budget:
        order = np.argsort(-value, kind="stable")
        count = int(np.searchsorted(np.cumsum(problem.cost[order]), 4 * budget)) + 1
        first = order[: max(count, CLOSELY)]
    return distinct(np.concatenate([first, np.flatnonzero(problem.pinned)]))


def linked(
    prepared: Prepared, relevance: Relevance, reading: Reading | None, problem: Problem, some: IntArray
) -> Problem:
    """The problem of `some` rows with their coupling and, with a reading, their attraction to the field."""
    part = problem if len(some) == len(problem) else problem.take(some)
    coupling = _coupling(prepared, relevance.asked, some)
    if reading is None or not len(reading.attractors):
        return replace(part, coupling=coupling)
    near = reading.attractors.affinity(prepared.vectors[prepared.corpus.group[some] if prepared.sentences else some])
    share = reading.demand / max(float(reading.demand.sum()), 1e-9)
    return replace(
        part,
        coupling=coupling,
        attraction=np.asarray(np.maximum(near, 0).T, np.float32),
        attraction_weight=np.asarray(share, np.float32),
    )


def spread(part: Packing, problem: Problem, some: IntArray) -> Packing:
    """A packing of `some` rows as one of all; what was not looked at has its relevance as its gain."""
    if len(some) == len(problem):
        return part

    def over(values: FloatArray, rest: FloatArray) -> FloatArray:
        rest[some] = values
        return rest

    zero = np.zeros(len(problem), np.float32)
    return replace(
        part,
        chosen=some[part.chosen],
        gain=over(part.gain, np.exp(np.minimum(problem.logit, 0))),
        link=over(part.link, zero.copy()),
        duplicate=over(part.duplicate, zero),
    )


def flags(part: BoolArray, n: int, some: IntArray) -> BoolArray:
    """(n,) marks of `some` rows as marks of all."""
    out = np.zeros(n, np.bool_)
    out[some] = part
    return out


def key(prepared: Prepared, row: int) -> str:
    """The name under which a row is carried from turn to turn."""
    s = prepared.rows
    return f"{prepared.documents[int(s.doc[row])].id}:{int(s.start[row])}-{int(s.end[row])}"


def row_of(prepared: Prepared, name: str) -> int:
    """The row that `key` gave this name, -1 when there is none."""
    rows = prepared.rows
    document, _, span = name.rpartition(":")
    doc = prepared.numbers.get(document, -1)
    start, _, end = span.partition("-")
    if doc < 0 or not (start.isdigit() and end.isdigit()):
        return -1
    first, last = np.searchsorted(rows.doc, [doc, doc + 1])
    at = int(first) + int(np.searchsorted(rows.start[first:last], int(start)))
    return at if at < last and int(rows.start[at]) == int(start) and int(rows.end[at]) == int(end) else -1


def carried_strength(prepared: Prepared, state: FieldState | None) -> FloatArray:
    """(n,) strength of the fragment that a row is, 0 for rows that are none."""
    out = np.zeros(len(prepared.rows), np.float32)
    for fragment in state.residue.fragments if state is not None else ():
        at = row_of(prepared, fragment.key)
        if at >= 0:
            out[at] = fragment.strength
    return out


def marked(prepared: Prepared, values: Mapping[str, float]) -> FloatArray:
    """(n,) the value of the rows that are named, 0 for others."""
    out = np.zeros(len(prepared.rows), np.float32)
    for name, value in values.items():
        at = row_of(prepared, name)
        if at >= 0:
            out[at] = value
    return out


def _coupling(prepared: Prepared, asked: IntArray, some: IntArray) -> Coupling:
    """Links and duplicates among the rows."""
    corpus, titles = prepared.corpus, prepared.corpus.titles
    offsets, words, doc = corpus.words.offsets, corpus.words.ids, prepared.rows.doc
    names, name_offsets = titles.ids, titles.offsets
    if not prepared.sentences:
        offsets = np.append(offsets[corpus.starts], offsets[-1])
    if len(some) < len(prepared.rows):
        first, last = offsets[some], offsets[some + 1]
        words, doc = words[ranges(first, last)], doc[some]
        offsets = np.append(0, np.cumsum(last - first))
        vectors = unit(corpus.raw[some]) if prepared.sentences else corpus.groups[some]
        owners = distinct(doc)
        first, last = name_offsets[owners], name_offsets[owners + 1]
        names, name_offsets = names[ranges(first, last)], np.append(0, np.cumsum(last - first))
        doc = np.searchsorted(owners, doc)
    else:
        vectors = corpus.atoms if prepared.sentences else corpus.groups
    return Coupling.of(words, offsets, doc, names, name_offsets, corpus.idf, asked, vectors, prepared.named)
