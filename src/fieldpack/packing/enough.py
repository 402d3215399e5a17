"""When a pack has enough: it ends when it holds a share of the relevance that its budget could hold.

A budget that holds nearly all candidates would else be filled with rows of relevance 0.01. Where the budget is what
binds (it holds less than GUARD of all relevance), it is filled. Both numbers are measured: benchmarks/enough.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fieldpack.types import BoolArray, FloatArray, IntArray

ENOUGH = 0.98
"""The default share, in (0, 1]; 1 fills the budget. On 15 sets it keeps 99.1 % of the evidence of a filled budget with
82 % of its tokens; a smaller budget of as many tokens keeps 96.6 % (0.95: 97.6 with 77, and 95.7; 0.99: 99.6 with 87,
and 97.8)."""
GUARD = 0.9
"""Share of all relevance that the budget must hold before a pack may end early; it is also the least that is kept, so
that a larger budget never holds less than a smaller one, which was filled. A share below it is its own guard: then
`enough` is the permeability of the boundary, the share of all expected evidence at which the pack ends."""

WORDS = 0.98
"""Share of the query's words, by weight and as well as the full pack meets them, that a pack must meet before it ends.
Of "what are the rate limit and the timeout?" a row that says all of the first is no answer to the second. It takes no
token more on 11 sets of passages, and 1 % more on outputs of tools; at 1 the packs of short outputs are 20 % longer."""


@dataclass(frozen=True, eq=False)
class Stop:
    """share in (0, 1]: of the relevance that fits, what is enough; below GUARD, of all relevance. relevance (n,) in
    [0, 1]: of the problem's rows. total: the relevance of all rows that may be packed, those that the problem leaves
    out included."""

    share: float
    relevance: FloatArray
    total: float

    def after(self, chosen: IntArray, brought: BoolArray) -> int:
        """How many of the chosen rows, in order of choice, are enough. brought (n,): rows that came along with the row
        after them; a pack does not end between the two."""
        reached = np.cumsum(self.relevance[chosen], dtype=np.float64)
        least = min(GUARD, self.share) * self.total
        if self.share >= 1 or not len(chosen) or self.total <= 0 or reached[-1] < least:
            return len(chosen)
        target = max(self.share * float(reached[-1]), least)
        count = min(int(np.searchsorted(reached, target * (1 - 1e-6))) + 1, len(chosen))
        while count < len(chosen) and brought[chosen[count - 1]]:
            count += 1
        return count


def rows_that_answer(similarity: FloatArray, weight: FloatArray) -> int:
    """How many of the chosen rows, in order of choice, meet WORDS of what all of them meet of the query's words.
    similarity (q, k): how well each chosen row meets each word; weight (q,) of the words."""
    if not similarity.size:
        return 0
    met = weight @ np.maximum.accumulate(similarity, axis=1)
    return int(np.searchsorted(met, WORDS * float(met[-1]))) + 1


@dataclass(frozen=True)
class Sufficiency:
    """What a pack holds of the expected evidence (the sum of the relevance of rows), all numbers in [0, 1].

    enough: what was asked for. share: of the relevance that the budget could hold. permeability: of the relevance of
    all rows that may be packed. doubled: what a budget of twice the tokens could hold of that, an estimate. ended:
    whether the pack ended before its budget because it had enough.
    """

    enough: float
    share: float
    permeability: float
    doubled: float
    ended: bool

    def to_dict(self) -> dict[str, float | bool]:
        """As `fieldpack pack --json` has it."""
        numbers = {name: round(getattr(self, name), 4) for name in ("enough", "share", "permeability", "doubled")}
        return {**numbers, "ended": self.ended}


def sufficiency(enough: float, ended: bool, rows: Rows, fits: float, budget: int) -> Sufficiency:
    """What the rows inside a pack hold. fits: relevance that the budget could hold."""
    relevance = np.where(rows.eligible, rows.relevance, 0).astype(np.float64)
    total, held = float(relevance.sum()), float(relevance[rows.inside].sum())
    order = np.argsort(-relevance, kind="stable")
    doubled = float(relevance[order][np.cumsum(rows.cost[order]) <= 2 * budget].sum())
    return Sufficiency(
        enough=enough,
        share=min(held / fits, 1.0) if fits > 0 else 1.0,
        permeability=held / total if total > 0 else 1.0,
        doubled=max(doubled, held) / total if total > 0 else 1.0,
        ended=ended,
    )


@dataclass(frozen=True, eq=False)
class Rows:
    """All n rows of a pack: relevance (n,) in [0, 1], cost (n,) in tokens, whether they may be in and are."""

    relevance: FloatArray
    cost: IntArray
    eligible: BoolArray
    inside: BoolArray
