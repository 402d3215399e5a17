"""Progressive reduction (design text, 3.1.1): parts of a prompt removed one by one under the user's own test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from fieldpack.compress.counting import Counting, tokenizer_of
from fieldpack.compress.units import assemble, read_units
from fieldpack.errors import InputError


@dataclass(frozen=True, slots=True)
class Step:
    """One prompt on the way: its tokens, its score, and the part that was removed to get there ("" for the start)."""

    text: str
    tokens: int
    score: float
    removed: str


@dataclass(frozen=True)
class Reduction:
    """`steps`: the path of removals from the whole prompt on. `frontier`: the steps that no other beats in both tokens
    and score, longest first. `evaluations`: how often the user's function ran.
    """

    steps: tuple[Step, ...]
    frontier: tuple[Step, ...]
    evaluations: int

    def best(self, min_score: float) -> Step | None:
        """The shortest step that scores at least `min_score`."""
        good = [s for s in self.frontier if s.score >= min_score]
        return min(good, key=lambda s: s.tokens) if good else None

    def to_dict(self) -> dict[str, Any]:
        frontier = [asdict(s) for s in self.frontier]
        return {"steps": [asdict(s) for s in self.steps], "frontier": frontier, "evaluations": self.evaluations}

    def table(self) -> str:
        """The frontier as text: tokens, score, what was removed last."""
        rows = [f"{s.tokens:>8,}  {s.score:>8.4g}  {' '.join(s.removed.split())[:60]}" for s in self.frontier]
        return "\n".join([f"{'tokens':>8}  {'score':>8}  removed last", *rows])


def progressive_reduction(
    prompt: str,
    evaluate: Callable[[str], float],
    tokenizer: Counting = None,
    *,
    min_score: float = -math.inf,
    max_evaluations: int = 1000,
    progress: Callable[[str, int, int], None] | None = None,
) -> Reduction:
    """Backward elimination: remove the part (sentence, list item, code block) whose removal scores best, and again.

    evaluate: prompt -> score, higher is better; texts already tried are not evaluated again. Ties go to the removal
    that saves more tokens, then to the later part. Stops when one part is left, when the best removal scores below
    `min_score`, or before a round that would pass `max_evaluations` (n parts take up to n (n + 1) / 2).

    Raises InputError for a prompt without parts or a score that is no number.
    """
    counter = tokenizer_of(tokenizer)
    units = read_units(prompt)
    if not units:
        raise InputError("the prompt has no text to reduce")
    scores = _Scores(evaluate, progress, max_evaluations)
    kept = list(range(len(units)))
    steps = [Step(prompt, counter.count(prompt), scores.of(prompt), "")]
    while len(kept) > 1 and len(scores) + len(kept) <= max_evaluations:
        tried = []
        for i in kept:
            text = assemble(prompt, units, [j for j in kept if j != i])
            tried.append((scores.of(text), -counter.count(text), i, text))
        best, tokens, removed, text = max(tried)
        if best < min_score:
            break
        kept.remove(removed)
        steps.append(Step(text, -tokens, best, prompt[units[removed].start : units[removed].end]))
    return Reduction(tuple(steps), _frontier(steps), len(scores))


class _Scores:
    """Scores of texts; each text is evaluated once."""

    def __init__(
        self, evaluate: Callable[[str], float], progress: Callable[[str, int, int], None] | None, most: int
    ) -> None:
        self._evaluate, self._progress, self._most = evaluate, progress, most
        self._known: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, text: str) -> float:
        if text not in self._known:
            value = float(self._evaluate(text))
            if math.isnan(value):
                raise InputError("evaluate gave NaN; it must give a number, higher for a better prompt")
            self._known[text] = value
            if self._progress:
                self._progress("reduction", len(self._known), self._most)
        return self._known[text]


def _frontier(steps: list[Step]) -> tuple[Step, ...]:
    """Steps ordered by falling tokens such that each shorter one scores less than every longer one kept."""
    front: list[Step] = []
    best = -math.inf
    for step in sorted(steps, key=lambda s: (s.tokens, -s.score)):
        if step.score > best:
            front.append(step)
            best = step.score
    return tuple(reversed(front))
