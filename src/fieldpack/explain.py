"""Why a segment was kept or dropped, in plain words with its numbers; written when somebody reads it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fieldpack.packing.fit import Fitted, Writer, header_tokens
from fieldpack.packing.problem import Problem
from fieldpack.packing.select import Packing
from fieldpack.relevance.same import text_key
from fieldpack.relevance.score import Relevance

_MATCH = 0.6
"""A query word counts as met from this similarity of its best match."""
_DUPLICATE = 0.5


@dataclass(frozen=True, eq=False)
class Explanation:
    """The numbers of one pack, and sentences made of them. problem, packing: of all n rows. threshold: the least
    relevance that the packer lets in."""

    relevance: Relevance
    problem: Problem
    packing: Packing
    fitted: Fitted
    writer: Writer
    budget: int
    threshold: float

    def of(self, row: int) -> str:
        """One line for segment `row`."""
        return self._kept(row) if self.fitted.inside[row] else self._dropped(row)

    def _kept(self, row: int) -> str:
        if self.problem.pinned[row]:
            return "pinned by the caller"
        if self.fitted.brought[row]:
            return f"relevance {self.relevance.total[row]:.2f}; goes with packed text that needs it"
        parts = [f"relevance {self.relevance.total[row]:.2f}", self._words(row)]
        if self.packing.link[row] >= 0.5:
            parts.append(f"called for by packed text (+{self.packing.link[row]:.1f} log odds)")
        if self.fitted.filled[row]:
            parts.append("fills what the budget had left")
        return "; ".join(p for p in parts if p)

    def _dropped(self, row: int) -> str:
        p = float(self.relevance.total[row])
        if self.problem.logit[row] == -np.inf:
            return "kept out by the caller"
        if p < self.threshold:
            return (
                f"relevance {p:.2f} is below the boundary's {self.threshold:.2f}; "
                f"enters with min_relevance <= {np.floor(p * 1e4) / 1e4:.4g}"
            )
        cost = int(self.problem.cost[row]) - 1
        if cost > self.budget:
            size = f"{cost} tokens alone, the budget is {self.budget}"
            return f"relevance {p:.2f}; {size}; enters with a larger budget or a pin"
        more = max(int(self._queue[row]) - (self.budget - self.fitted.text.tokens), 1)
        if (copy := self._packed.get(text_key(self.writer.documents, self.writer.segments, row))) is not None:
            return f"relevance {p:.2f}; is the same as {self._place_of(copy)}, which is packed"
        repeated = self.packing.duplicate[row]
        words = self._words(row)
        reason = f"relevance {p:.2f}; {words}" if words else f"relevance {p:.2f}"
        if repeated >= _DUPLICATE:
            reason += f"; repeats packed text (-{repeated:.1f} log odds)"
        return f"{reason}; place {int(self._place[row])} of those left out: enters with about +{more} tokens"

    def _words(self, row: int) -> str:
        best = self.relevance.max_similarity[:, row]
        if not len(best):
            return ""
        exact = [w for w, b in zip(self.relevance.words, best, strict=True) if b > 0.999]
        similar = int(((best > _MATCH) & (best <= 0.999)).sum())
        named = ", ".join(dict.fromkeys(exact[:4])) + (", …" if len(exact) > 4 else "")
        count = f"{len(exact)} of {len(best)} query words" + (f" ({named})" if exact else "")
        return f"{count} and {similar} near in meaning" if similar else count

    @cached_property
    def _packed(self) -> dict[str, int]:
        """The packed rows by their texts."""
        rows = np.flatnonzero(self.fitted.inside).tolist()
        keys = [text_key(self.writer.documents, self.writer.segments, row) for row in rows]
        return {key: row for key, row in zip(keys, rows, strict=True) if key}

    def _place_of(self, row: int) -> str:
        segments = self.writer.segments
        document = self.writer.documents[int(segments.doc[row])]
        return f"characters {segments.start[row]} to {segments.end[row]} of {document.id}"

    @cached_property
    def _order(self) -> list[int]:
        """Rows left out that could enter, the best first."""
        out = np.flatnonzero(~self.fitted.inside & self.problem.eligible)
        gain = self.packing.gain
        return sorted(out.tolist(), key=lambda i: (-gain[i], i))

    @cached_property
    def _place(self) -> dict[int, int]:
        return {row: k for k, row in enumerate(self._order, 1)}

    @cached_property
    def _queue(self) -> dict[int, int]:
        """Tokens that all rows up to this one in the queue take. An estimate: what enters before may call for
        others."""
        header = header_tokens(self.writer, np.arange(len(self.problem)))
        taken, out = 0, {}
        for row in self._order:
            taken += int(self.problem.cost[row] + header[row])
            out[row] = taken
        return out
