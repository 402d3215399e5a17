"""How much labelled evidence a context holds, and what it costs: one measure for every pipeline, on its final text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Sent:
    """What a pipeline sends for one question: found of `quotes` quotes, and its tokens."""

    found: int
    quotes: int
    tokens: int

    @property
    def share(self) -> float:
        """Of the quotes, in [0, 1]."""
        return self.found / self.quotes if self.quotes else 0.0


@dataclass(frozen=True)
class Evaluated:
    """A pipeline over all questions. evidence in [0, 1]: mean share of a question's quotes; complete in [0, 1]:
    questions with all of them; tokens: mean of a question; money: of 1,000 questions, None without a price."""

    name: str
    questions: int
    evidence: float
    complete: float
    tokens: float
    money: float | None

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "name": self.name,
            "questions": self.questions,
            "evidence": round(self.evidence, 4),
            "complete": round(self.complete, 4),
            "tokens": round(self.tokens, 1),
            "money_per_1000": None if self.money is None else round(self.money, 4),
        }


def sent(quotes: Sequence[str], context: str, tokens: int) -> Sent:
    """quotes: the evidence of a question; one counts where the context holds it whole, whatever its white space."""
    held = _words(context)
    once = dict.fromkeys(map(_words, quotes))
    return Sent(sum(quote in held for quote in once), len(once), tokens)


def evaluated(name: str, answers: Sequence[Sent], price: float | None) -> Evaluated:
    """price: of a million tokens, in whatever currency."""
    tokens = float(np.mean([a.tokens for a in answers])) if answers else 0.0
    return Evaluated(
        name=name,
        questions=len(answers),
        evidence=float(np.mean([a.share for a in answers])) if answers else 0.0,
        complete=float(np.mean([a.found == a.quotes for a in answers])) if answers else 0.0,
        tokens=tokens,
        money=None if price is None else tokens * 1000 * price / 1e6,
    )


def _words(text: str) -> str:
    return " ".join(text.split())
