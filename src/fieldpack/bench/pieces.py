"""Peers that pack pieces: passages cut into sentences or characters, ranked with the title, which is not paid.

It is what a careful user writes with pysbd or LangChain's text splitter around any ranking, and the strongest opponent
known. A piece is ranked as its passage's title, a new line, and its text; only the text is packed. The next piece that
fits is taken until the budget is full, and what is taken is printed in reading order.
"""
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from fieldpack.bench.context import SEPARATOR, Context, Packed, descending
from fieldpack.bench.dataset import PASSAGES, TALK, Query, Span
from fieldpack.bench.system import EVERY, System, require
from fieldpack.types import FloatArray

Cut = Callable[[str], Sequence[tuple[int, int]]]
"""A text to the character ranges of its pieces, in reading order."""
DEPTH = 2000
"""Pieces that are tried: more than any budget here holds."""
MMR_DIVERSITY = 0.3
"""pyversity's weight of diversity: 0.3 keeps more of whole passages than its default 0.5 (pyversity_mmr_0.3)."""
_ARABIC = ("؀", "ۿ")


def whole(text: str) -> list[tuple[int, int]]:
    """The passage as it is."""
    return [(0, len(text))] if text.strip() else []


def pysbd(text: str) -> list[tuple[int, int]]:
    """pysbd's sentences; its rules of English, or of Arabic where the text is in its script."""
    arabic = sum(_ARABIC[0] <= c <= _ARABIC[1] for c in text) > len(text) / 3
    return _located(_pysbd("ar" if arabic else "en").segment(text), text)


@cache
def _pysbd(language: str) -> Any:
    return require("pysbd").Segmenter(language=language, clean=False)


def splitter(size: int) -> Cut:
    """LangChain's RecursiveCharacterTextSplitter at `size` characters, without overlap."""

    def cut(text: str) -> list[tuple[int, int]]:
        made = require("langchain_text_splitters").RecursiveCharacterTextSplitter
        return _located(made(chunk_size=size, chunk_overlap=0).split_text(text), text)

    return cut


def _located(parts: Iterable[str], text: str) -> list[tuple[int, int]]:
    """Where the parts stand, one after another; outer white space is no part of them."""
    out, at = [], 0
    for part in (p.strip() for p in parts):
        start = text.find(part, at) if part else -1
        if start >= 0:
            at = start + len(part)
            out.append((start, at))
    return out


@dataclass(frozen=True, eq=False)
class Cutting:
    """The pieces of a query's candidates: where they stand, their texts, and their texts with the title."""

    spans: tuple[Span, ...]
    texts: tuple[str, ...]
    titled: tuple[str, ...]

    @staticmethod
    def of(case: Query, cut: Cut) -> Cutting:
        spans, texts, titled = list[Span](), list[str](), list[str]()
        for p in case.passages:
            for start, end in cut(p.text):
                spans.append(Span(p.id, start, end))
                texts.append(p.text[start:end])
                titled.append(f"{p.title}\n{texts[-1]}" if p.title else texts[-1])
        return Cutting(tuple(spans), tuple(texts), tuple(titled))


class WordIndex:
    """bm25s over texts, with its own tokenizer and English stop words."""

    def __init__(self, texts: Sequence[str]) -> None:
        bm25s = require("bm25s")
        corpus = bm25s.tokenize(list(texts), stopwords="en", show_progress=False)
        self._size, self._vocabulary = len(texts), corpus.vocab
        self._index = bm25s.BM25() if corpus.vocab else None
        if self._index is not None:
            self._index.index(corpus, show_progress=False)

    def scores(self, query: str) -> FloatArray:
        """(n,) the BM25 of each text; 0 where the query has none of its words."""
        tokens = require("bm25s").tokenize([query], stopwords="en", show_progress=False, return_ids=False)[0]
        known = [word for word in tokens if word in self._vocabulary]
        if self._index is None or not known:
            return np.zeros(self._size, np.float32)
        return np.asarray(self._index.get_scores(known), np.float32)


@dataclass(frozen=True)
class Pieces:
    """One way to cut and one to rank: dense (cosine), bm25, rrf (both fused by rank) or mmr (pyversity)."""

    name: str
    cutter: str
    cut: Cut
    ranking: str
    family: str = "pieces"
    most: float = math.inf
    kinds: frozenset[str] = EVERY

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        """The pieces in their order, until the budget is full."""
        cutting = context.prepared(self.cutter, case, lambda: Cutting.of(case, self.cut))
        if not cutting.texts:
            return Packed("", (), "")
        order = context.replay(self.name, case.id, lambda: self._order(cutting, case, context))
        return fill(order, cutting, case, budget, context)

    def _order(self, cutting: Cutting, case: Query, context: Context) -> list[int]:
        def words() -> FloatArray:
            index = context.prepared(f"{self.cutter} bm25", case, lambda: WordIndex(cutting.titled))
            return index.scores(case.query)

        if self.ranking == "bm25":
            return descending(words())[:DEPTH]
        rows, query = context.embed(cutting.titled), context.embed([case.query])[0]
        cosines = rows @ query
        if self.ranking == "rrf":
            return descending(fused(cosines, words()))[:DEPTH]
        if self.ranking == "mmr":
            found = require("pyversity").diversify(
                embeddings=rows, scores=cosines, k=min(200, len(rows)), strategy="mmr", diversity=MMR_DIVERSITY
            )
            return [int(i) for i in found.indices]
        return descending(cosines)[:DEPTH]


def fused(*scores: FloatArray) -> FloatArray:
    """(n,) reciprocal rank fusion: sum of 1 / (60 + rank) (Cormack et al. 2009)."""
    total = np.zeros(len(scores[0]))
    for one in scores:
        total[descending(one)] += 1 / (60 + np.arange(len(one)))
    return total.astype(np.float32)


def fill(order: Sequence[int], cutting: Cutting, case: Query, budget: int, context: Context) -> Packed:
    """The next piece that fits; reading order; the final string is counted, and the last pieces go while it is over."""
    kept, left = list[int](), budget
    for i in order:
        cost = context.count(cutting.texts[i] + "\n")
        if cost <= left:
            kept.append(i)
            left -= cost
        if left < 2:
            break
    bodies = {p.id: p.text for p in case.passages}
    text = _printed(kept, cutting, bodies)
    while kept and context.tokenizer.count(text) > budget:
        kept.pop()
        text = _printed(kept, cutting, bodies)
    return Packed(text, tuple(cutting.spans[i] for i in sorted(kept)), text)


def _printed(kept: Iterable[int], cutting: Cutting, bodies: dict[str, str]) -> str:
    """Reading order: the text's own white space between neighbours, a new line where something is left out, a blank
    line between passages."""
    parts = list[str]()
    last: Span | None = None
    for i in sorted(kept):
        span = cutting.spans[i]
        if last is not None:
            between = bodies[span.doc_id][last.end : span.start] if last.doc_id == span.doc_id else None
            parts.append(SEPARATOR if between is None else "\n" if between.strip() else between)
        parts.append(cutting.texts[i])
        last = span
    return "".join(parts)


def systems() -> tuple[System, ...]:
    """Every way to cut with every ranking; folders and whole passages of one output have only what suits them."""
    cutters: dict[str, Cut] = {"passages": whole, "pysbd": pysbd}
    cutters |= {f"pieces_{size}": splitter(size) for size in (200, 400, 900)}
    out = list[System]()
    for cutter, cut in cutters.items():
        for ranking in ("dense", "bm25", "rrf", "mmr"):
            # vectors for every piece of a folder take a quarter of an hour, and pysbd minutes
            kinds = EVERY if ranking == "bm25" and cutter != "pysbd" else EVERY - {"folder"}
            kinds = frozenset([PASSAGES, TALK]) if cutter == "passages" else kinds
            out.append(Pieces(f"{cutter}_{ranking}", cutter, cut, ranking, kinds=kinds))
    return tuple(out)
