"""Why a segment was kept or dropped, in plain words with its numbers; written when somebody reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fieldpack.packing.fit import Fitted, Writer, header_tokens
from fieldpack.packing.problem import Problem
from fieldpack.packing.select import Packing
from fieldpack.relevance.score import Relevance
from fieldpack.types import IntArray

_MATCH = 0.6
"""A query word counts as met from this similarity of its best match."""
_DUPLICATE = 0.5


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
    """The numbers of one pack, and sentences made of them. problem, packing: of all n rows. threshold: the least
    relevance that the packer lets in. basins: of a pack without a query, whose scores are salience."""

    relevance: Relevance
    problem: Problem
    packing: Packing
    fitted: Fitted
    writer: Writer
    budget: int
    threshold: float
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
        if p < self.threshold:
            return (
                f"{self._score(row)} is below the boundary's {self.threshold:.2f}; "
                f"enters with min_relevance <= {np.floor(p * 1e4) / 1e4:.4g}"
            )
        cost = int(self.problem.cost[row]) - 1
        if cost > self.budget:
            size = f"{cost} tokens alone, the budget is {self.budget}"
            return f"{self._score(row)}; {size}; enters with a larger budget or a pin"
        more = max(int(self._queue[row]) - (self.budget - self.fitted.text.tokens), 1)
        repeated = self.packing.duplicate[row]
        words = self._words(row)
        reason = f"{self._score(row)}; {words}" if words else self._score(row)
        if repeated >= _DUPLICATE:
            reason += f"; repeats packed text (-{repeated:.1f} log odds)"
        return f"{reason}; place {int(self._place[row])} of those left out: enters with about +{more} tokens"

    def _score(self, row: int) -> str:
        p = f"{self.relevance.total[row]:.2f}"
        if self.basins is None:
            return f"relevance {p}"
        parts = {name.replace("_", " "): float(values[row]) for name, values in self.relevance.parts.items()}
        best = sorted(parts, key=lambda name: -parts[name])[:2]
        return f"salience {p} ({', '.join(f'{name} {parts[name]:.2f}' for name in best)})"

    def _words(self, row: int) -> str:
        if self.basins is not None:
            return self.basins.of(row, float(self.packing.gain[row]))
        best = self.relevance.max_similarity[:, row]
        if not len(best):
            return ""
        exact = [w for w, b in zip(self.relevance.words, best, strict=True) if b > 0.999]
        similar = int(((best > _MATCH) & (best <= 0.999)).sum())
        named = ", ".join(dict.fromkeys(exact[:4])) + (", …" if len(exact) > 4 else "")
        count = f"{len(exact)} of {len(best)} query words" + (f" ({named})" if exact else "")
        return f"{count} and {similar} near in meaning" if similar else count

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
