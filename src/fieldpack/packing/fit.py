"""From the selection's estimate to the string that is handed out: count it, take back what is too much, fill what is
left.

Token counts do not add up over joins, so the selection's sum is an estimate; the budget is kept on the rendered string.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from fieldpack.arrays import mask_of, sorted_unique
from fieldpack.errors import BudgetError
from fieldpack.packing.fences import closing_fences
from fieldpack.packing.fillers import says_nothing_alone
from fieldpack.packing.json_form import Form, with_json
from fieldpack.packing.lone import Place, lone_headings, lone_keys, lone_labels, scraps
from fieldpack.packing.order import best_first, first_of_best
from fieldpack.packing.problem import Problem, copies_of, missing_contexts, with_contexts
from fieldpack.packing.render import Cite, Order, Rendered, render
from fieldpack.packing.select import Packing, worth
from fieldpack.protocols import Tokenizer
from fieldpack.text.truncate import longest_prefix
from fieldpack.types import BoolArray, Document, FloatArray, FrozenArrays, IntArray, Segments

_ROUNDS, _UNLIKELY = 4, -2.0
"""Rounds of filling; log odds below which a key alone, without a row below it, is not worth its tokens."""
_SCRAP = 0.01
"""Share of the budget that is not worth filling: only scraps ("Example:") fit there."""


@dataclass(frozen=True)
class Layout:
    """How a pack is written. order: "source", "edges" or "relevance"; cite, titles: what heads a document's pieces.
    fill: whether what the budget has left is filled, the best first. allow_cut: whether the best row is cut when not
    even that fits. form: of documents that are JSON."""

    order: Order = "source"
    cite: Cite = False
    titles: bool = False
    fill: bool = True
    allow_cut: bool = False
    form: Form = "text"


@dataclass(frozen=True, eq=False)
class Text:
    """A written pack and its tokens, counted on it."""

    rendered: Rendered
    tokens: int


@dataclass(frozen=True, eq=False)
class Writer:
    """Rows of `segments` to text. value (n,): what the orders "edges" and "relevance" sort by."""

    documents: tuple[Document, ...]
    segments: Segments
    tokenizer: Tokenizer
    layout: Layout
    value: FloatArray | None = None

    def write(self, rows: IntArray) -> Text:
        """The text of some rows."""
        rendered = self.render(rows)
        return Text(rendered, self.tokenizer.count(rendered.text))

    def render(self, rows: IntArray) -> Rendered:
        """The same without its count."""
        layout = self.layout
        rendered = render(
            self.documents,
            self.segments,
            rows,
            order=layout.order,
            value=self.value,
            cite=layout.cite,
            titles=layout.titles,
        )
        return with_json(rendered, self.documents, self.segments) if layout.form == "json" else rendered

    def as_text(self) -> Writer:
        """The same with every piece as it stands, JSON too."""
        return replace(self, layout=replace(self.layout, form="text"))

    def in_source_order(self) -> Writer:
        """The same in the order of the documents."""
        return replace(self, layout=replace(self.layout, order="source"))


class Cut(NamedTuple):
    """Of `row` only the characters before `end` were packed (allow_cut)."""

    row: int
    end: int


@dataclass(frozen=True, eq=False)
class Fitted(FrozenArrays):
    """inside (n,): rows of the text; filled (n,): those added to fill what was left. brought (n,): those that others
    need. cut: the one row that was cut, if any. reordered: whether the order asked for did not fit."""

    inside: BoolArray
    filled: BoolArray
    text: Text
    brought: BoolArray
    cut: Cut | None = None
    reordered: bool = False


def header_tokens(writer: Writer, rows: IntArray) -> IntArray:
    """(k,) tokens of the header that the first row of its document costs, for some rows; an estimate, since numbers
    differ in length."""
    layout = writer.layout
    if not (layout.cite or layout.titles) or not len(rows):
        return np.zeros(len(rows), np.int64)
    owners = sorted_unique(writer.segments.doc[rows])
    documents = [writer.documents[d] for d in owners.tolist()]
    with_lines = "[99] {d.title} ({d.id}:100-110,120)\n" if layout.titles else "[99] {d.id}:100-110,120\n"
    names = {True: "[99] {d.title} ({d.id})\n", "lines": with_lines, False: "{d.title}\n"}
    heads = [names[layout.cite].format(d=d) for d in documents]
    counts = np.asarray(writer.tokenizer.count_many(heads), np.int64)
    return counts[np.searchsorted(owners, writer.segments.doc[rows])]


def fit(problem: Problem, packing: Packing, rows: IntArray, writer: Writer, budget: int) -> Fitted:
    """The text of a packing, inside the budget: drops the least gain until it fits, then adds what still fits, the best
    first. Pinned rows stay. `problem` and `packing` are those of some `rows` of the writer; the result is of all.

    Raises BudgetError when not even the empty text fits.
    """
    fitting = _Fitting(problem, rows, writer, budget, packing.brought.copy())
    inside = mask_of(packing.chosen, len(problem))
    removable = packing.chosen[~problem.pinned[packing.chosen]]
    text = fitting.drop_until_fits(inside, removable[best_first(worth(problem, packing)[removable])].tolist())
    reordered = text.tokens > budget and writer.layout.order != "source"
    if reordered:
        fitting = replace(fitting, writer=writer.in_source_order())
        text = fitting.drop_until_fits(inside, [])
    text = fitting.drop_lone_keys(packing, inside, text)
    filled = np.zeros(len(problem), np.bool_)
    if writer.layout.fill and not packing.ended:
        text = fitting.fill(packing, inside, filled, text)
    n = len(writer.segments)
    fitted = Fitted(
        inside=mask_of(rows[inside], n),
        filled=mask_of(rows[filled & ~fitting.brought], n),
        text=text,
        brought=mask_of(rows[inside & fitting.brought], n),
        reordered=reordered,
    )
    fitted = _with_closed_fences(fitted, fitting.writer, budget)
    if not inside.any() and writer.layout.allow_cut and problem.eligible.any():
        fitted = _cut_to_fit(fitted, problem, rows, writer, budget)
    if fitted.text.tokens > budget:
        tokens = fitted.text.tokens
        raise BudgetError(f"the least text takes {tokens} tokens and the budget is {budget}", tokens, budget)
    return fitted


def _with_closed_fences(fitted: Fitted, writer: Writer, budget: int) -> Fitted:
    """With the lines that close packed code, where they fit."""
    if writer.layout.order != "source":
        return fitted
    more = closing_fences(writer.documents, writer.segments, fitted.inside)
    if not len(more):
        return fitted
    closing = mask_of(more, len(fitted.inside))
    inside = fitted.inside | closing
    text = writer.write(np.flatnonzero(inside))
    if text.tokens > budget:
        return fitted
    return replace(fitted, inside=inside, text=text, brought=fitted.brought | closing)


@dataclass(eq=False)
class _Fitting:
    """The problem of some `rows` of the writer, and the budget that its text must keep. brought (n,): rows that came
    along because others need them; it grows while the text is filled."""

    problem: Problem
    rows: IntArray
    writer: Writer
    budget: int
    brought: BoolArray

    @property
    def _place(self) -> Place:
        return Place(self.problem, self.rows, self.writer.documents, self.writer.segments)

    def drop_until_fits(self, inside: BoolArray, removable: list[int]) -> Text:
        """Takes rows of `removable` out of `inside`, the last first, until the text fits; both change in place."""
        while True:
            text = self.writer.write(self.rows[inside])
            if text.tokens <= self.budget or not removable:
                return text
            excess = text.tokens - self.budget
            while removable and excess > 0:
                row = removable.pop()
                inside[row] = False
                excess -= int(self.problem.cost[row])
            self._drop_needless(inside)

    def drop_lone_keys(self, packing: Packing, inside: BoolArray, text: Text) -> Text:
        """Takes out keys, sections, headers without what they name; lone headings and scraps, unless they are all."""
        unlikely = inside & (self.problem.logit < _UNLIKELY) & ~self.problem.pinned
        keys = unlikely & lone_keys(self._place, inside)
        lone = keys | unlikely & lone_labels(self._place, unlikely & ~self.brought, inside)
        lone |= inside & ~self.brought & scraps(self._place, packing, inside)
        if not lone.any():
            return text
        inside &= ~lone if (inside & ~lone).any() else ~keys
        self._drop_needless(inside)
        return self.writer.write(self.rows[inside])

    def _drop_needless(self, inside: BoolArray) -> None:
        """Takes out rows that miss what they need, and rows that came along and that nothing needs any more."""
        context = self.problem.context
        if context is None:
            return
        before = -1
        while before != (before := int(inside.sum())):
            needs = np.flatnonzero(inside & (context >= 0) & ~self.problem.pinned)
            inside[needs[~inside[context[needs]]]] = False
            wanted = mask_of(context[inside & (context >= 0)], len(inside))
            inside &= wanted | ~self.brought | self.problem.pinned

    def fill(self, packing: Packing, inside: BoolArray, filled: BoolArray, text: Text) -> Text:
        """Adds what still fits, the best first; `inside` and `filled` change in place."""
        problem = self.problem
        refused = np.zeros(len(problem), np.bool_)
        for _ in range(_ROUNDS):
            if self.budget - text.tokens <= _SCRAP * self.budget:
                break
            closed = inside | refused | ~problem.eligible | copies_of(problem, inside) | lone_headings(problem, inside)
            closed |= lone_keys(self._place, inside) | scraps(self._place, packing, inside)
            more = self._candidates(packing, closed, inside, self.budget - text.tokens)
            if not len(more):
                break
            trial = inside.copy()
            trial[more] = True
            if problem.context is not None:
                along = with_contexts(more, problem.context)
                self.brought[along[~trial[along]]] = True
                trial[along] = True
            tried = self.drop_until_fits(trial, more.tolist())
            refused[more] = ~trial[more]
            if trial[more].any():
                filled |= trial & ~inside
                inside[:] = trial
                text = tried
        return text

    def _candidates(self, packing: Packing, closed: BoolArray, inside: BoolArray, left: int) -> IntArray:
        """Rows that fit into `left` tokens by their estimates, the best first."""
        problem = self.problem
        costs = problem.cost - 1 + problem.header_tokens
        if problem.context is not None:
            costs = costs + missing_contexts(problem, inside)
        free = np.flatnonzero(~closed & (costs <= left))
        out: list[int] = []
        texts = set[int]()
        # Of copies the first, whatever the last bits of their gains say.
        first = {} if problem.same is None else {int(problem.same[row]): row for row in free[::-1].tolist()}
        for ranked in free[best_first(packing.gain[free])].tolist():
            row = ranked if problem.same is None else first[int(problem.same[ranked])]
            if int(costs[row]) > left or (problem.same is not None and int(problem.same[row]) in texts):
                continue
            if not says_nothing_alone(self.writer.documents, self.writer.segments, int(self.rows[row])):
                out.append(row)
                if problem.same is not None:
                    texts.add(int(problem.same[row]))
                left -= int(costs[row]) + 1
        return np.array(out, np.int64)


def _cut_to_fit(fitted: Fitted, problem: Problem, rows: IntArray, writer: Writer, budget: int) -> Fitted:
    """The beginning of the best row, where none fits whole."""
    row = int(rows[first_of_best(np.where(problem.eligible, problem.logit, -np.inf))])
    whole = writer.as_text().render(np.array([row]))  # JSON that is cut is not valid anyway
    span = whole.spans[0]
    text = whole.text[: longest_prefix(writer.tokenizer, whole.text, budget)]
    # White space at the end says nothing, unless the tokenizer counts more without it.
    text = text.rstrip() if writer.tokenizer.count(text.rstrip()) <= budget else text
    if len(text) <= span.start or text[span.start :].isspace():
        return fitted
    cut = Text(Rendered(text, (span._replace(end=len(text)),)), writer.tokenizer.count(text))
    end = int(writer.segments.start[row]) + len(text) - span.start
    return replace(fitted, inside=mask_of(np.array([row]), len(writer.segments)), text=cut, cut=Cut(row, end))
