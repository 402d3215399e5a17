"""What a pack gives back: the text, and everything needed to question it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fieldpack.field.state import FieldState, Reading
from fieldpack.look import Look
from fieldpack.packing.greedy import Packing
from fieldpack.prepared import Prepared
from fieldpack.reasons import Reasons
from fieldpack.relevance.read import Relevance
from fieldpack.render import Span
from fieldpack.types import Dropped, FloatArray, Kept, Segments


@dataclass(frozen=True, slots=True)
class Passed:
    """Documents of a stream that were read and let go, and their segments: too many to list, so they are counted."""

    documents: int = 0
    segments: int = 0

    @property
    def reason(self) -> str:
        return "no paragraph ranked high enough, by the query's words and by vectors, to be held until the end"

    def __str__(self) -> str:
        return f"{self.segments:,} segments of {self.documents:,} documents were streamed past: {self.reason}"


@dataclass(frozen=True, eq=False)
class Result:
    """text: the packed string; tokens: counted on it, <= budget. `kept` and `dropped` together are all segments, in
    reading order, each with its reason. packing.value / packing.bound is how near the pack is to the best conceivable.
    timings: milliseconds by stage. notes: what a user should know of this pack. spans: the verbatim pieces of `text`,
    by rows of `segments`. look: documents, queries and state, of which `reading` and `state` are made when first asked
    for; they are the same whenever that is."""

    text: str
    tokens: int
    budget: int
    queries: tuple[str, ...]
    prepared: Prepared
    spans: tuple[Span, ...]
    inside: np.ndarray[Any, np.dtype[np.bool_]]
    look: Look
    relevance: Relevance
    packing: Packing
    reasons: Reasons
    timings: Mapping[str, float]
    notes: tuple[str, ...] = ()
    cut: tuple[int, int] | None = None
    """(row, end): a row of which only the characters before `end` were packed (allow_cut)."""
    repack: Callable[[int], Result] | None = None
    """The same query and documents at another budget; relevance and field are not read again."""
    passed: Passed = Passed()
    """What a stream let go (`ContextPacker.pack_stream`): with it, `kept` and `dropped` are all segments."""

    def __repr__(self) -> str:
        kept = int(self.inside.sum())
        return f"Result({self.tokens} of {self.budget} tokens, {kept} kept, {len(self.inside) - kept} dropped)"

    @property
    def segments(self) -> Segments:
        """All n segments; row i of every array of the result is segment i."""
        return self.prepared.rows

    @property
    def reading(self) -> Reading:
        """What the field says of the segments; read at the first call (its time: `look.milliseconds`)."""
        return self.look.reading

    @property
    def asked(self) -> FloatArray:
        """(q, d) the queries as rows of the field."""
        return self.look.asked

    @cached_property
    def state(self) -> FieldState:
        """For the next turn."""
        return self.look.after(self.inside, self.relevance)

    @cached_property
    def kept(self) -> tuple[Kept, ...]:
        return tuple(Kept(*self._facts(i)) for i in np.flatnonzero(self.inside).tolist())

    @cached_property
    def dropped(self) -> tuple[Dropped, ...]:
        return tuple(Dropped(*self._facts(i)) for i in np.flatnonzero(~self.inside).tolist())

    def _facts(self, row: int) -> tuple[str, int, int, str, int, float, str]:
        s = self.segments[row]
        document = self.prepared.documents[s.doc]
        end = self.cut[1] if self.cut and self.cut[0] == row else s.end
        score = round(float(self.relevance.total[row]), 6)
        return document.id, s.start, end, document.text[s.start : end], s.tokens, score, self.reasons.of(row)

    def to_dict(self) -> dict[str, Any]:
        """The object that `fieldpack pack --json` prints."""

        def entry(item: Kept | Dropped) -> dict[str, Any]:
            return {k: v for k, v in item._asdict().items() if k != "text"}

        found = {
            "text": self.text,
            "tokens": self.tokens,
            "budget": self.budget,
            "query": self.queries[0] if len(self.queries) == 1 else list(self.queries),
            "kept": [entry(k) for k in self.kept],
            "dropped": [entry(d) for d in self.dropped],
            "field": {
                **self.reading.to_dict(),
                "value": round(self.packing.value, 6),
                "bound": round(self.packing.bound, 6),
            },
            "notes": list(self.notes),
            "timings_ms": {k: round(v, 3) for k, v in (*self.timings.items(), ("field", self.look.milliseconds))},
        }
        if self.passed.documents:
            found["passed"] = {
                "documents": self.passed.documents,
                "segments": self.passed.segments,
                "reason": self.passed.reason,
            }
        return found

    def to_html(self, packs: Sequence[Result] | None = None) -> str:
        """One self-contained HTML page: the documents lit and dimmed, the reasons, the field, a slider over budgets.

        packs: results of the same documents at other budgets, for the slider; None packs about twelve (`repack`).
        """
        from fieldpack.report import OtherPack, PackView, at_other_budgets, field_view, pack_page

        if packs is None:
            packs = at_other_budgets(self.segments.tokens, self.budget, self.repack)
        relevance, packing, reasons = self.relevance, self.packing, self.reasons
        return pack_page(
            PackView(
                field=field_view(self.prepared, self.reading),
                queries=self.queries,
                query_vectors=self.asked,
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
                word_matches=relevance.best,
                gain=packing.gain,
                link=packing.link,
                duplicate=packing.duplicate,
                pinned=reasons.problem.pinned,
                filled=reasons.filled,
                reasons=reasons,
                value=packing.value,
                bound=packing.bound,
                notes=self.notes,
                timings=self.timings,
                others=tuple(OtherPack(p.budget, p.tokens, p.inside) for p in packs if p.prepared is self.prepared),
            )
        )

    def _repr_html_(self) -> str:
        from fieldpack.report import pack_snippet

        return pack_snippet(
            self.queries, self.kept, self.dropped, tokens=self.tokens, budget=self.budget, notes=self.notes
        )


@dataclass(frozen=True, eq=False)
class Explored:
    """The field of documents without a query: their paragraphs and what the field reads in them."""

    prepared: Prepared
    reading: Reading

    def nearest(self, attractor: int, count: int = 3) -> list[int]:
        """The segments of an attractor's basin that lie nearest to it, the nearest first, at most `count`."""
        found = self.reading.attractors
        members = np.flatnonzero(found.basin == attractor)
        affinity = found.affinity(self.prepared.vectors)[members, attractor]
        return [int(i) for i in members[np.argsort(-affinity, kind="stable")[:count]]]

    def to_dict(self) -> dict[str, Any]:
        """The object that `fieldpack field --json` prints."""
        rows, out = self.prepared.rows, self.reading.to_dict()
        for k, entry in enumerate(out["attractors"]):
            entry["nearest"] = [
                {"doc_id": self.prepared.documents[rows[i].doc].id, "start": rows[i].start, "end": rows[i].end}
                for i in self.nearest(k)
            ]
        return {"documents": len(self.prepared.documents), "segments": len(rows), **out}
