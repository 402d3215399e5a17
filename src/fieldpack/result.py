"""What a pack gives back: the text, and everything needed to question it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fieldpack.citations import Citation, citations_of
from fieldpack.corpus.corpus import Corpus
from fieldpack.corpus.reading import next_state
from fieldpack.explain import BasinReasons, Explanation
from fieldpack.field.state import FieldState, Reading
from fieldpack.old_result_names import OldResultNames
from fieldpack.packing.enough import Rows, Sufficiency, sufficiency
from fieldpack.packing.fit import Cut, Fitted, Writer
from fieldpack.packing.left_out import left_out
from fieldpack.packing.render import Span
from fieldpack.packing.select import Packing
from fieldpack.relevance.score import Relevance
from fieldpack.relevance.topics import basin_words
from fieldpack.request import Request
from fieldpack.scored import Scored, Skipped
from fieldpack.types import BoolArray, Dropped, FloatArray, Kept, Segments

if TYPE_CHECKING:
    from fieldpack.report import Comparison, PackView


class Repacker(Protocol):
    """What a result asks for a pack of another size: the packer that made it."""

    def choose(self, request: Request, scored: Scored) -> Result:
        """The pack of scored rows in the budget of the request."""
        ...


@dataclass(frozen=True, eq=False)
class Result(OldResultNames):
    """A pack. `kept` and `dropped` together are all segments, in reading order, each with its reason.

    request: what was asked for; scored: the rows with their relevance; packing: the choice among them (packing.value /
    packing.bound is how near it is to the best conceivable); fitted: the text. timings: milliseconds by stage. notes:
    what a user should know of this pack. stop: the share of the relevance that was enough.
    """

    request: Request
    scored: Scored
    packing: Packing
    fitted: Fitted
    writer: Writer
    packer: Repacker
    timings: Mapping[str, float]
    notes: tuple[str, ...] = ()
    min_relevance: float = 0.0
    stop: float = 1.0

    def __repr__(self) -> str:
        kept, n = int(self.inside.sum()), len(self.inside)
        return f"Result({self.tokens} of {self.budget} tokens, {kept} kept, {n - kept} dropped)"

    @property
    def text(self) -> str:
        """The packed string."""
        return self.fitted.text.rendered.text

    @property
    def tokens(self) -> int:
        """Tokens of `text`, counted on it; at most `budget`."""
        return self.fitted.text.tokens

    @property
    def budget(self) -> int:
        """Tokens that were allowed."""
        return self.request.budget

    @property
    def queries(self) -> tuple[str, ...]:
        """What the evidence was wanted for."""
        return self.request.queries

    @property
    def corpus(self) -> Corpus:
        """The documents as numbers."""
        return self.scored.corpus

    @property
    def relevance(self) -> Relevance:
        """How probable it is that each row holds evidence, and the parts of that."""
        return self.scored.relevance

    @property
    def spans(self) -> tuple[Span, ...]:
        """The verbatim pieces of `text`, by rows of `segments`."""
        return self.fitted.text.rendered.spans

    @property
    def inside(self) -> BoolArray:
        """(n,) rows that were packed."""
        return self.fitted.inside

    @property
    def cut(self) -> Cut | None:
        """The one row of which only the beginning was packed (allow_cut)."""
        return self.fitted.cut

    @property
    def skipped(self) -> Skipped:
        """What a stream let go (`ContextPacker.pack_stream`): with it, `kept` and `dropped` are all segments."""
        return self.scored.skipped

    @property
    def segments(self) -> Segments:
        """All n segments; row i of every array of the result is segment i."""
        return self.corpus.rows

    @property
    def reading(self) -> Reading:
        """What the field says of the segments."""
        return self.scored.reading

    @property
    def query_vectors(self) -> FloatArray:
        """(q, d) the queries as rows of the field."""
        return self.scored.query_vectors

    @cached_property
    def reasons(self) -> Explanation:
        """Why each row was kept or dropped."""
        return Explanation(
            queries=self.queries,
            relevance=self.relevance,
            problem=self.scored.problem,
            packing=self.packing,
            fitted=self.fitted,
            writer=self.writer,
            budget=self.budget,
            threshold=self.min_relevance,
            enough=self.stop,
            basins=None if self.request.asks else self._basins(),
        )

    def _basins(self) -> BasinReasons:
        """What packed rows do for the basins, where there is no query."""
        attractors = self.reading.attractors
        chosen = self.packing.chosen
        words = basin_words(self.corpus, attractors.basin, len(attractors))
        return BasinReasons.from_pack(attractors.basin, words, chosen[self.inside[chosen]])

    @cached_property
    def enough(self) -> Sufficiency:
        """How much of the expected evidence the pack holds, and what a larger budget would add."""
        problem = self.scored.problem
        rows = Rows(self.relevance.total, problem.cost, problem.eligible, self.inside)
        return sufficiency(self.stop, self.packing.ended, rows, self.packing.fits, self.budget)

    @cached_property
    def state(self) -> FieldState:
        """For the next turn."""
        return next_state(self.reading.state, self.corpus, self.inside, self.relevance.total)

    @cached_property
    def kept(self) -> tuple[Kept, ...]:
        """The segments that were packed."""
        return tuple(Kept(**self._entry(i)) for i in np.flatnonzero(self.inside).tolist())

    @cached_property
    def dropped(self) -> tuple[Dropped, ...]:
        """The segments that were not packed."""
        return tuple(self._most_relevant_dropped(None))

    @cached_property
    def citations(self) -> tuple[Citation, ...]:
        """Where each verbatim piece of `text` comes from, in the order of the text."""
        end = None if self.cut is None else self.cut.end
        return citations_of(self.corpus.documents, self.segments, self.fitted.text.rendered, end)

    @cached_property
    def left_out(self) -> tuple[str, ...]:
        """ "ID: rows 3, 118 of 400", counted from 1 below the header, where only some rows of a table or array were
        packed. The text has no such mark, so that it stays a table; with cite="lines" the source's header says it."""
        return left_out(self.corpus.documents, self.segments, np.flatnonzero(self.inside))

    def repack(self, budget: int) -> Result:
        """The same query and documents at another budget; relevance and field are not read again. Raises InputError for
        a budget that is none, BudgetError when the pins do not fit."""
        return self.packer.choose(self.request.with_budget(budget), self.scored)

    def _entry(self, row: int) -> dict[str, Any]:
        s, cut = self.segments[row], self.cut
        document, end = self.corpus.documents[s.doc], cut.end if cut is not None and cut.row == row else s.end
        return {
            "doc_id": document.id,
            "start": s.start,
            "end": end,
            "text": document.text[s.start : end],
            "tokens": s.tokens,
            "score": round(float(self.relevance.total[row]), 6),
            "reason": self.reasons.of(row),
        }

    def to_dict(self, *, dropped: int | None = None) -> dict[str, Any]:
        """The object that `fieldpack pack --json` prints. dropped: how many of the dropped segments it names, the most
        relevant first chosen, in their order; None: all. `dropped_total` is their number."""

        def entry(item: Kept | Dropped) -> dict[str, Any]:
            return {k: v for k, v in item._asdict().items() if k != "text"}

        out = {
            "text": self.text,
            "tokens": self.tokens,
            "budget": self.budget,
            "query": self.request.shown,
            "kept": [entry(k) for k in self.kept],
            "dropped": [entry(d) for d in self._most_relevant_dropped(dropped)],
            "dropped_total": int((~self.inside).sum()),
            "field": {
                **self.reading.to_dict(),
                "value": round(self.packing.value, 6),
                "bound": round(self.packing.bound, 6),
            },
            "enough": self.enough.to_dict(),
            "left_out": list(self.left_out),
            "notes": list(self.notes),
            "timings_ms": {k: round(v, 3) for k, v in (*self.timings.items(), ("field", self.scored.milliseconds))},
        }
        if self.skipped.documents:
            out["passed"] = self.skipped.to_dict()
        return out

    def _most_relevant_dropped(self, count: int | None) -> list[Dropped]:
        rows = np.flatnonzero(~self.inside)
        if count is not None and count < len(rows):
            rows = np.sort(rows[np.argsort(-self.relevance.total[rows], kind="stable")[:count]])
        return [Dropped(**self._entry(row)) for row in rows.tolist()]

    def to_html(self, packs: Sequence[Result] | None = None, *, compare: Result | Comparison | None = None) -> str:
        """One self-contained HTML page: the documents lit and dimmed, the reasons, the field, a slider over budgets.

        packs: results of the same documents at other budgets, for the slider; None packs about twelve (`repack`), or
        none beside `compare`: another pack of the same documents, or `fieldpack.report.comparison_of` what another
        retriever keeps, shown side by side."""
        from fieldpack.report import at_other_budgets, pack_page

        if packs is None:
            packs = at_other_budgets(self.segments.tokens, self.budget, self.repack if compare is None else None)
        return pack_page(self.view(packs, compare))

    def comparison(self, other: Result, name: str = "") -> Comparison:
        """What another pack keeps, as segments of this one, for `to_html(compare=...)`. name: its title."""
        from fieldpack.report import comparison_of

        query = "; ".join(other.queries) if other.request.asks else "without a query"
        name = name or (f"{other.budget:,} tokens" if other.queries == self.queries else query)
        kept = [(c.doc_id, c.start, c.end) for c in other.citations]
        return comparison_of(self.corpus.documents, self.segments, name=name, tokens=other.tokens, ranges=kept)

    def view(self, packs: Sequence[Result] = (), compare: Result | Comparison | None = None) -> PackView:
        """The numbers that a page draws."""
        from fieldpack.report import OtherPack, PackView, field_view

        relevance, packing = self.relevance, self.packing
        return PackView(
            field=field_view(self.corpus, self.reading),
            queries=self.queries,
            query_vectors=self.query_vectors,
            text=self.text,
            tokens=self.tokens,
            budget=self.budget,
            inside=self.inside,
            cut=self.cut,
            relevance=relevance.total,
            log_odds=relevance.logit,
            parts=relevance.parts,
            words=relevance.words,
            word_weights=relevance.word_weight,
            word_matches=relevance.max_similarity,
            gain=packing.gain,
            link=packing.link,
            duplicate=packing.duplicate,
            pinned=self.scored.problem.pinned,
            filled=self.fitted.filled,
            reasons=self.reasons,
            value=packing.value,
            bound=packing.bound,
            notes=self.notes,
            timings=self.timings,
            compared=self.comparison(compare) if isinstance(compare, Result) else compare,
            others=tuple(OtherPack(p.budget, p.tokens, p.inside) for p in packs if p.corpus is self.corpus),
        )

    def _repr_html_(self) -> str:
        from fieldpack.report import pack_snippet

        return pack_snippet(
            self.queries, self.kept, self.dropped, tokens=self.tokens, budget=self.budget, notes=self.notes
        )
