"""Why a segment was kept or dropped, in plain words with its numbers; written when somebody reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fieldpack.packing.fit import Fitted, Writer, header_tokens
from fieldpack.packing.problem import Problem
from fieldpack.packing.select import Packing
from fieldpack.relevance.same import text_key
from fieldpack.relevance.score import Relevance
from fieldpack.types import HIDDEN, IntArray
from fieldpack.words import shared_wording, unspaced

_MATCH = 0.6
"""A query word counts as met from this similarity of its best match."""
_DUPLICATE = 0.5


def two_digits(probability: float) -> str:
    """A probability with two significant digits, never rounded to 0 or 1: 0.46, 0.0031, <0.0001, >0.99."""
    if probability < 1e-4:
        return "<0.0001"
    if probability > 0.99:
        return ">0.99"
    return f"{probability:#.2g}"


def percent(share: float) -> str:
    """A share as whole per cent, never more than it is."""
    return f"{int(np.floor(share * 100 + 1e-6))} %"


@dataclass(frozen=True, eq=False)
class BasinReasons:
    """What a row does for the basins. basin (n,): of each row, -1 for none; words: of each basin; openers: the first
    row that was packed of each basin."""

    basin: IntArray
    words: Sequence[Sequence[str]]
    openers: frozenset[int]

    @staticmethod
    def from_pack(basin: IntArray, words: Sequence[Sequence[str]], chosen: IntArray) -> BasinReasons:
        """chosen: the packed rows in order of choice."""
        first: dict[int, int] = {}
        for row in chosen.tolist():
            first.setdefault(int(basin[row]), row)
        first.pop(-1, None)
        return BasinReasons(basin, words, frozenset(first.values()))

    def of(self, row: int, gain: float) -> str:
        """One clause. gain: what the row added."""
        k = int(self.basin[row])
        if k < 0:
            return ""
        if row in self.openers:
            return f"opens basin {k + 1}: {', '.join(self.words[k][:2])}"
        return f"says what basin {k + 1} says: {gain:+.2f}"


@dataclass(frozen=True, eq=False)
class Explanation:
    """The numbers of one pack, and sentences made of them. queries: as they were asked. problem, packing: of all n
    rows. threshold: the least relevance that the packer lets in. enough: the share of what fits at which a pack
    ends. basins: of a pack without a query, whose scores are salience."""

    queries: tuple[str, ...]
    relevance: Relevance
    problem: Problem
    packing: Packing
    fitted: Fitted
    writer: Writer
    budget: int
    threshold: float
    enough: float = 1.0
    basins: BasinReasons | None = None

    def of(self, row: int) -> str:
        """One line for segment `row`."""
        return self._kept(row) if self.fitted.inside[row] else self._dropped(row)

    def _kept(self, row: int) -> str:
        if self.problem.pinned[row]:
            return "pinned by the caller"
        if self.fitted.brought[row]:
            return f"{self._score(row)}; goes with packed text that needs it"
        parts = [self._score(row), self._words(row)]
        if self.packing.link[row] >= 0.5:
            parts.append(f"called for by packed text (+{self.packing.link[row]:.1f} log odds)")
        if self.fitted.filled[row]:
            parts.append("fills what the budget had left")
        return "; ".join(p for p in parts if p)

    def _dropped(self, row: int) -> str:
        p = float(self.relevance.total[row])
        if self.problem.logit[row] == -np.inf:
            return "kept out by the caller"
        if self.writer.segments.kind[row] == HIDDEN:
            return "navigation, a footer, a script or hidden on the page; enters with a pin"
        if p < self.threshold:
            return (
                f"{self._score(row)} is below the boundary's {two_digits(self.threshold)}; "
                f"enters with min_relevance <= {np.floor(p * 1e4) / 1e4:.4g}"
            )
        cost = int(self.problem.cost[row]) - 1
        if cost > self.budget:
            size = f"{cost} tokens alone, the budget is {self.budget}"
            return f"{self._score(row)}; {size}; enters with a larger budget or a pin"
        more = max(int(self._queue[row]) - (self.budget - self.fitted.text.tokens), 1)
        if (copy := self._packed.get(text_key(self.writer.documents, self.writer.segments, row))) is not None:
            return f"{self._score(row)}; is the same as {self._place_of(copy)}, which is packed"
        repeated = self.packing.duplicate[row]
        words = self._words(row)
        reason = "; ".join(filter(None, (self._score(row), words)))
        if repeated >= _DUPLICATE:
            reason += f"; repeats packed text (-{repeated:.1f} log odds)"
        if self.packing.ended:
            return f"{reason}; {self._share_held}: enters with enough=1"
        size = f"+{more} tokens" + (" and enough=1" if self._beyond[row] else "")
        return f"{reason}; place {int(self._place[row])} of those left out: enters with about {size}"

    @cached_property
    def _share_held(self) -> str:
        held = float(self.relevance.total[self.fitted.inside].sum(dtype=np.float64))
        share = min(held / self.packing.fits, 1.0) if self.packing.fits > 0 else 1.0
        return f"the pack already holds {percent(share)} of the relevance that fits"

    @cached_property
    def _beyond(self) -> dict[int, bool]:
        """Whether a pack that holds all that is before a row in the queue has enough, so that a larger budget alone
        does not let it in."""
        relevance = np.where(self.problem.eligible, self.relevance.total, 0).astype(np.float64)
        order = self._order
        held = float(relevance[self.fitted.inside].sum())
        before = held + np.concatenate(([0.0], np.cumsum(relevance[order])))[: len(order)]
        ends = (before >= self.enough * relevance.sum()) & (self.enough < 1)
        return dict(zip(order, ends.tolist(), strict=True))

    @cached_property
    def _rank(self) -> IntArray:
        """(n,) the place of each row by relevance, from 1."""
        out = np.empty(len(self.problem), np.int64)
        out[np.argsort(-np.asarray(self.relevance.total), kind="stable")] = np.arange(1, len(out) + 1)
        return out

    def _score(self, row: int) -> str:
        p = f"{two_digits(float(self.relevance.total[row]))} (rank {int(self._rank[row])} of {len(self._rank)})"
        if self.basins is None:
            return f"relevance {p}"
        parts = {name.replace("_", " "): float(values[row]) for name, values in self.relevance.parts.items()}
        best = sorted(parts, key=lambda name: -parts[name])[:2]
        return f"salience {p}: {', '.join(f'{name} {parts[name]:.2f}' for name in best)}"

    def _words(self, row: int) -> str:
        if self.basins is not None:
            return self.basins.of(row, float(self.packing.gain[row]))
        best = self.relevance.max_similarity[:, row]
        if not len(best):
            return ""
        exact = [w for w, b in zip(self.relevance.words, best, strict=True) if b > 0.999]
        similar = int(((best > _MATCH) & (best <= 0.999)).sum())
        wording = self._wording(row, exact)
        named = ", ".join(wording[:4]) + (", …" if len(wording) > 4 else "")
        count = f"{len(exact)} of {len(best)} query words" + (f" ({named})" if exact else "")
        return f"{count} and {similar} near in meaning" if similar else count

    def _wording(self, row: int, words: list[str]) -> list[str]:
        """The words as a reader knows them: of a script without blanks the wording of the query that stands in the
        segment, and no pairs of characters; of other scripts the words themselves."""
        if not any(unspaced(word) for word in words):
            return list(dict.fromkeys(words))
        passage = self.writer.segments.text(self.writer.documents, row)
        counted = set(words)
        shared = (w for query in self.queries for w in shared_wording(query, passage, counted))
        return list(dict.fromkeys(shared))

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
