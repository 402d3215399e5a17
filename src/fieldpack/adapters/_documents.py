"""A framework's documents as fieldpack reads them, and what is kept of each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from fieldpack.packing.render import BETWEEN_DOCUMENTS, Order
from fieldpack.result import Result
from fieldpack.types import Document

KEY = "fieldpack"
"""The metadata key under which a document says what was kept of it."""


@dataclass(frozen=True, eq=False)
class Source:
    """A framework's document. vector: what the store has for it, by the embedder of the call; score: the
    retriever's, the higher the better. None when it has none."""

    text: str
    id: str | None = None
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    vector: Any = None
    score: float | None = None


@dataclass(frozen=True)
class Piece:
    """What is kept of source `number`: `text` as fieldpack renders it, its `spans` (start, end, score, reason) in
    characters of the source, in reading order, its tokens, and the score in [0, 1] and reason of its best span."""

    number: int
    text: str
    tokens: int
    score: float
    reason: str
    spans: tuple[Mapping[str, Any], ...]

    @property
    def start(self) -> int:
        return int(self.spans[0]["start"])

    @property
    def end(self) -> int:
        return int(self.spans[-1]["end"])

    def facts(self) -> dict[str, Any]:
        """What goes into the document's metadata; plain values that JSON can hold."""
        return {
            "score": self.score,
            "reason": self.reason,
            "tokens": self.tokens,
            "start": self.start,
            "end": self.end,
            "spans": [dict(s) for s in self.spans],
        }


def score_of(value: Any) -> float | None:
    """A retriever's score as a number; None for what is none (NaN, infinite, no number): frameworks hand out such."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return float(value) if number and np.isfinite(value) and abs(value) < 1e300 else None


def named(sources: Sequence[Source]) -> tuple[Document, ...]:
    """Documents with ids of their own: frameworks allow none, and the same twice."""
    taken: set[str] = {s.id for s in sources if s.id}
    seen: set[str] = set()
    out = []
    for k, s in enumerate(sources):
        name = s.id or f"doc-{k}"
        again = 1
        while name in seen or (name in taken and name != s.id):
            again += 1
            name = f"{s.id or f'doc-{k}'} ({again})"
        seen.add(name)
        out.append(Document(name, s.text, s.title, s.metadata, score_of(s.score)))
    return tuple(out)


def pieces(result: Result, count: Callable[[str], int]) -> list[Piece]:
    """The rendered text parted where documents meet; a document's header (cite, titles) stands before its text."""
    rows, total = result.segments, result.relevance.total
    spans: dict[int, list[Mapping[str, Any]]] = {}
    ends: dict[int, int] = {}
    for span in result.spans:
        number = int(rows.doc[span.first])
        best = span.first + int(np.argmax(total[span.first : span.last + 1]))
        end = result.cut[1] if result.cut and result.cut[0] == span.last else int(rows.end[span.last])
        said = {
            "start": int(rows.start[span.first]),
            "end": end,
            "score": round(float(total[best]), 6),
            "reason": result.reasons.of(best),
        }
        spans.setdefault(number, []).append(said)
        ends[number] = span.end
    out, at = [], 0
    for number, found in spans.items():
        text = result.text[at : ends[number]]
        at = ends[number] + len(BETWEEN_DOCUMENTS)
        top = max(found, key=lambda s: float(s["score"]))
        score, reason = float(top["score"]), str(top["reason"])
        out.append(Piece(number, text, count(text), score=score, reason=reason, spans=tuple(found)))
    return out


def arranged(pieces: list[Piece], order: Order) -> list[Piece]:
    """Documents as given, the best first, or the best first and last and the weakest in the middle."""
    if order == "source":
        return pieces
    ranked = sorted(pieces, key=lambda p: (-p.score, p.number))
    return ranked if order == "relevance" else ranked[::2] + ranked[1::2][::-1]
