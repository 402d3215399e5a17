"""The field-aware context manager of the project's design text (its section 8.4), as written there, faults included.

It is the reference that fieldpack's field replaces: thresholds are absolute cosines, admission is a throw of dice,
joins are not charged, and what is over the budget is cut by characters.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.bench.context import Context, Packed, cut
from fieldpack.bench.dataset import Query
from fieldpack.bench.system import LISTS, System
from fieldpack.types import FloatArray


def cosine_similarity(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


class FieldAwareContextManager:
    """`embed` gives a vector for a text, `count` its tokens; the dice have a seed so that a run can be repeated."""

    def __init__(self, embed: Callable[[str], FloatArray], count: Callable[[str], int], seed: int = 0) -> None:
        self.embed_text, self.count, self.dice = embed, count, random.Random(seed)
        self.attractors: list[dict[str, Any]] = []
        self.permeability, self.gradient, self.resonance = 0.7, 0.2, 0.0

    def detect_attractors(self, text: str, threshold: float = 0.8) -> list[dict[str, Any]]:
        sections = text.split("\n\n")
        rows = [self.embed_text(section) for section in sections]
        attractors = []
        for i, (section, row) in enumerate(zip(sections, rows, strict=True)):
            similarities = [cosine_similarity(row, other) for j, other in enumerate(rows) if i != j]
            average = np.mean(similarities) if similarities else 0
            if average > threshold:
                attractors.append({"text": section, "embedding": row, "strength": average})
        return attractors

    def calculate_resonance(self, text: str) -> float:
        sections = text.split("\n\n")
        if len(sections) <= 1:
            return 0.0
        rows = [self.embed_text(section) for section in sections]
        pairs = [cosine_similarity(rows[i], rows[j]) for i in range(len(rows)) for j in range(i + 1, len(rows))]
        return float(np.mean(pairs))

    def update_field_state(self, text: str) -> None:
        self.attractors.extend(self.detect_attractors(text))
        resonance = self.calculate_resonance(text)
        self.resonance = self.resonance * 0.7 + resonance * 0.3
        self.permeability += self.gradient if resonance > self.resonance else -self.gradient
        self.permeability = max(0.1, min(0.9, self.permeability))

    def filter_by_attractor_relevance(self, text: str, top: int = 3, threshold: float = 0.6) -> str:
        if not self.attractors:
            return text
        strongest = sorted(self.attractors, key=lambda a: a["strength"], reverse=True)[:top]
        kept = []
        for paragraph in text.split("\n\n"):
            if not paragraph.strip():
                continue
            row = self.embed_text(paragraph)
            nearest = max(cosine_similarity(row, a["embedding"]) for a in strongest)
            if nearest > threshold or self.dice.random() < self.permeability:
                kept.append(paragraph)
        return "\n\n".join(kept)

    def optimize_context_for_budget(self, context: str, target: int) -> str:
        current = self.count(context)
        if current <= target:
            return context
        if self.attractors:
            context = self.filter_by_attractor_relevance(context)
            current = self.count(context)
            if current <= target:
                return context
        paragraphs = context.split("\n\n")
        residue = [p for p in paragraphs if any(a["text"] in p for a in self.attractors)]
        preserved = "\n\n".join(residue)
        if self.count(preserved) > target:
            return context[: int(len(context) * (target / current))]
        rest = [p for p in paragraphs if p not in residue]
        if not rest:
            return preserved
        return preserved + "\n\n" + "\n\n".join(self._most_relevant(rest, target - self.count(preserved)))

    def _most_relevant(self, paragraphs: Sequence[str], left: int) -> list[str]:
        scored = []
        for paragraph in paragraphs:
            row = self.embed_text(paragraph)
            similarities = [cosine_similarity(row, a["embedding"]) for a in self.attractors]
            scored.append((paragraph, np.mean(similarities) if similarities else 0))
        scored.sort(key=lambda pair: pair[1], reverse=True)
        added = []
        for paragraph, _ in scored:
            if self.count(paragraph) <= left:
                added.append(paragraph)
                left -= self.count(paragraph)
            if left <= 0:
                break
        return added


class _Manager:
    name, family, most, kinds = "design_text", "design text", 200.0, LISTS

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        # a passage with a blank line inside would be two paragraphs to the manager: its white space is flattened
        flat = [re.sub(r"\s+", " ", p.text).strip() or "-" for p in case.passages]
        rows = dict(zip(flat, context.embed(flat), strict=True))

        def embed(text: str) -> FloatArray:
            row: FloatArray = rows[text] if text in rows else context.embed([text])[0]
            return row

        manager = FieldAwareContextManager(embed, context.count)
        manager.update_field_state("\n\n".join(flat))
        out = manager.optimize_context_for_budget("\n\n".join(flat), budget)
        waiting: dict[str, list[int]] = {}
        for i, text in enumerate(flat):
            waiting.setdefault(text, []).append(i)
        order = [waiting[p].pop(0) for p in out.split("\n\n") if waiting.get(p)]
        packed = cut(order, case, budget, context)
        return Packed(packed.text, packed.spans, out)


def system() -> System:
    """One row of every table: what the design text's own code does."""
    return _Manager()
