"""The input of a system besides the query (one embedder, one token counter), and its output."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fieldpack.bench.dataset import FOLDER, Query, Span
from fieldpack.protocols import Embedder, Tokenizer
from fieldpack.types import Document, FloatArray

T = TypeVar("T")
SEPARATOR = "\n\n"
Render = Callable[[Sequence[Document]], str]
"""Passages in packing order to the string that a library's own prompt step makes of them."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What a system packed. `text` is the final string and `spans` the characters of the passages that it holds.

    `rendered` is the string that the library's users would send: taken while the sum of the passages' own counts fits,
    then joined by the library's usual step. It differs from `text`, which is cut by the count of the final string.
    """

    text: str
    spans: tuple[Span, ...]
    rendered: str


@dataclass(frozen=True, eq=False)
class Similarities:
    """cosines (n,): of each passage with the query; rows (n, d) and query (d,): their unit vectors."""

    cosines: FloatArray
    rows: FloatArray
    query: FloatArray


@dataclass(frozen=True)
class Replayed:
    """What was made for a key, the seconds that it took without embedding, and the characters that it embedded."""

    key: object
    value: Any
    seconds: float
    chars: int


@dataclass
class Context:
    """Shared by all systems of a run; keeps token counts, and measures what is embedded.

    Work that does not depend on the budget is done once per query: `replayed_seconds` adds up what the repeats would
    have taken, so that times per query stay true.
    """

    embedder: Embedder
    tokenizer: Tokenizer
    scorer: Path | None = None
    """fieldpack's weights for the set at hand: trained without it. None: the shipped ones."""
    embed_seconds: float = 0.0
    embedded_chars: int = 0
    replayed_seconds: float = 0.0
    _counts: dict[str, int] = field(default_factory=dict, repr=False)
    _built: dict[str, Any] = field(default_factory=dict, repr=False)
    _rows: dict[str, FloatArray] = field(default_factory=dict, repr=False)
    _made: dict[str, Replayed] = field(default_factory=dict, repr=False)

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, d) unit rows, each text embedded once a run; its time and characters are added up."""
        start = time.perf_counter()
        new = list(dict.fromkeys(t for t in texts if t not in self._rows))
        if new:
            self._rows.update(zip(new, self.embedder.embed(new), strict=True))
        rows = np.array([self._rows[t] for t in texts], np.float32)
        self.embed_seconds += time.perf_counter() - start
        self.embedded_chars += sum(map(len, texts))
        return rows

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        """What a system builds once a run (a packer with its model)."""
        if name not in self._built:
            self._built[name] = make()
        return self._built[name]

    def count(self, text: str) -> int:
        """Tokens of a passage, kept for the next system."""
        if text not in self._counts:
            self._counts[text] = self.tokenizer.count(text)
        return self._counts[text]

    def replay(self, system: str, key: object, make: Callable[[], T]) -> T:
        """The value of `make`, called again when `key` is another than the last time; else its cost is added again."""
        last = self._made.get(system)
        if last is None or last.key != key:
            start, embedding, chars = time.perf_counter(), self.embed_seconds, self.embedded_chars
            value = make()
            seconds = time.perf_counter() - start - (self.embed_seconds - embedding)
            self._made[system] = Replayed(key, value, seconds, self.embedded_chars - chars)
            return value
        self.replayed_seconds += last.seconds
        self.embedded_chars += last.chars
        value_again: T = last.value
        return value_again

    def prepared(self, system: str, case: Query, make: Callable[[], T]) -> T:
        """What a system makes of the candidates whatever the query: made once for queries that share them. Its cost is
        added again for each query, but not for folders: there it is the index, which nobody builds for one query."""
        if case.kind != FOLDER:
            return self.replay(f"{system} prepared", case.passages, make)
        last = self._made.get(system)
        if last is None or last.key is not case.passages:
            last = self._made[system] = Replayed(case.passages, make(), 0.0, 0)
        value: T = last.value
        return value

    def similarities(self, case: Query) -> Similarities:
        """The query and its passages as vectors, and how alike they are."""
        rows, query = self.embed([p.text for p in case.passages]), self.embed([case.query])[0]
        return Similarities(rows @ query, rows, query)


def blank_line(passages: Sequence[Document]) -> str:
    """Texts joined by a blank line, as LangChain's stuff chain does."""
    return SEPARATOR.join(p.text for p in passages)


def cut(order: Iterable[int], case: Query, budget: int, context: Context, render: Render = blank_line) -> Packed:
    """Take passages in the order given, skipping what does not fit: most peers know no budget, so one is lent to them.

    The text is the passages joined by a blank line, at most `budget` tokens counted on the final string.
    """
    ranked = list(dict.fromkeys(int(i) for i in order))
    kept = _fit(ranked, [p.text for p in case.passages], budget, context)
    naive, left = [], budget
    for i in ranked:
        cost = context.count(case.passages[i].text)
        if cost <= left:
            naive.append(case.passages[i])
            left -= cost
    whole = tuple(Span(case.passages[i].id, 0, len(case.passages[i].text)) for i in kept)
    return Packed(SEPARATOR.join(case.passages[i].text for i in kept), whole, render(naive))


def _fit(order: Sequence[int], texts: Sequence[str], budget: int, context: Context) -> list[int]:
    """Indices whose joined text fits. A passage with its separator costs count(text + separator): exact but for rare
    merges across the join, so the final string is counted, and the last passages go while it is over."""
    kept: list[int] = []
    used = 0
    for i in order:
        if used + context.count(texts[i]) <= budget:
            kept.append(i)
            used += context.count(texts[i] + SEPARATOR)
    while kept and context.tokenizer.count(SEPARATOR.join(texts[i] for i in kept)) > budget:
        kept.pop()
    return kept


def descending(scores: npt.NDArray[np.floating[Any]]) -> list[int]:
    """Indices by falling score; ties in reading order."""
    return [int(i) for i in np.argsort(-scores, kind="stable")]
