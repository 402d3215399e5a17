"""Peers over the output of a tool: what agent frameworks do (cut by characters or lines), and BM25 over its lines."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldpack.bench.context import Context, Packed, descending
from fieldpack.bench.dataset import TOOL, Query, Span
from fieldpack.bench.pieces import WordIndex
from fieldpack.bench.system import System
from fieldpack.types import Document

LONG_LINE, PIECE = 2000, 200
"""A text with a longer line is minified: its lines are cut at commas into pieces of about PIECE characters."""
_LETTER = re.compile(r"[A-Za-z]")
_WORD = re.compile(r"[A-Za-z]+|\d+|\S")

Lines = Sequence[tuple[int, int]]
Order = Callable[[Query, Lines, Context], Sequence[int]]
"""Lines of an output, the next to be taken first; a line may come twice."""


def lines_of(text: str) -> list[tuple[int, int]]:
    """The lines that are not empty; of a minified text, pieces that end at commas."""
    out, at = list[tuple[int, int]](), 0
    for line in text.split("\n"):
        if line.strip():
            out.append((at, at + len(line)))
        at += len(line) + 1
    if max((b - a for a, b in out), default=0) <= LONG_LINE:
        return out
    cut = list[tuple[int, int]]()
    for a, b in out:
        while b - a > 1.5 * PIECE:
            end = text.rfind(",", a + PIECE // 2, a + PIECE) + 1 or a + PIECE
            cut.append((a, end))
            a = end
        cut.append((a, b))
    return cut


def scores(case: Query, lines: Lines) -> Any:
    """(n,) BM25 of each line; a word is a run of letters, a run of digits or a single sign, so that ids count."""
    (document,) = case.passages
    spaced = [" ".join(f"w{w}" for w in _WORD.findall(document.text[a:b])) for a, b in lines]
    return WordIndex(spaced).scores(" ".join(f"w{w}" for w in _WORD.findall(case.query)))


def head(case: Query, lines: Lines, context: Context) -> Sequence[int]:
    return range(len(lines))


def tail(case: Query, lines: Lines, context: Context) -> Sequence[int]:
    return range(len(lines) - 1, -1, -1)


def head_tail(case: Query, lines: Lines, context: Context) -> Sequence[int]:
    """The first, the last, the second, the last but one, and so on."""
    n = len(lines)
    return [i // 2 if i % 2 == 0 else n - 1 - i // 2 for i in range(n)]


def bm25_lines(case: Query, lines: Lines, context: Context) -> Sequence[int]:
    return descending(scores(case, lines))


def bm25_header(case: Query, lines: Lines, context: Context) -> Sequence[int]:
    """The same with the first line that may be a header always in."""
    return [_header(case, lines), *bm25_lines(case, lines, context)]


def bm25_around(case: Query, lines: Lines, context: Context) -> Sequence[int]:
    """Each line with its enclosing lines of smaller indent, the line after it, and the header: a careful user's way."""
    text = case.passages[0].text
    indent = [len(text[a:b]) - len(text[a:b].lstrip()) for a, b in lines]
    out = [_header(case, lines)]
    for i in bm25_lines(case, lines, context)[:200]:
        out.append(i)
        depth = indent[i]
        for j in range(i - 1, -1, -1):
            if depth == 0:
                break
            if indent[j] < depth:
                out.append(j)
                depth = indent[j]
        out += [i + 1] if i + 1 < len(lines) else []
    return out


def _header(case: Query, lines: Lines) -> int:
    text = case.passages[0].text
    rows = (i for i, (a, b) in enumerate(lines) if _LETTER.search(text[a:b]) and text[a] != "#")
    return next(rows, 0)


@dataclass(frozen=True)
class OutputLines:
    """Lines in an order; `stop`: the first that does not fit ends the pack, as a cut does."""

    name: str
    order: Order
    stop: bool = False
    family: str = "lines"
    most: float = math.inf
    kinds: frozenset[str] = frozenset([TOOL])

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        """The lines that fit, in reading order."""
        (document,) = case.passages
        lines = context.prepared("lines", case, lambda: lines_of(document.text))
        if not lines:
            return Packed("", (), "")
        order = context.replay(self.name, case.id, lambda: list(self.order(case, lines, context)))
        kept, left = list[int](), budget
        for i in dict.fromkeys(order):
            cost = context.count(document.text[slice(*lines[i])] + "\n")
            if cost <= left:
                kept.append(i)
                left -= cost
            elif self.stop:
                break
        return _packed(document, kept, lines, budget, context)


def _packed(document: Document, kept: list[int], lines: Lines, budget: int, context: Context) -> Packed:
    def printed() -> str:
        return "\n".join(document.text[slice(*lines[i])] for i in sorted(kept))

    text = printed()
    while kept and context.tokenizer.count(text) > budget:
        kept.pop()
        text = printed()
    return Packed(text, tuple(Span(document.id, *lines[i]) for i in sorted(kept)), text)


@dataclass(frozen=True)
class LineDocuments:
    """fieldpack with each line as a document, as a program does that knows of no other way."""

    name: str = "fieldpack_lines"
    family: str = "fieldpack"
    most: float = math.inf
    kinds: frozenset[str] = frozenset([TOOL])

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        """Its spans in the output's own characters."""
        from fieldpack.pipeline import ContextPacker

        at = {f"{p.id}:{a}": (p, a, b) for p in case.passages for a, b in lines_of(p.text)}
        packer = context.keep(self.name, lambda: ContextPacker(tokenizer=context.tokenizer))
        documents = [Document(name, p.text[a:b]) for name, (p, a, b) in at.items()]
        if not documents:
            return Packed("", (), "")
        result = packer.pack(case.query, documents, budget)
        kept = [(*at[k.doc_id][:2], k.start, k.end) for k in result.kept]
        spans = tuple(Span(p.id, line + start, line + end) for p, line, start, end in kept)
        return Packed(result.text, spans, result.text)


def labels(case: Query, lines: Lines, context: Context) -> Sequence[int]:
    """The oracle: lines with evidence, then lines that it needs; most of either per line first."""

    def share(line: tuple[int, int], spans: Sequence[Span]) -> int:
        return sum(max(0, min(line[1], s.end) - max(line[0], s.start)) for s in spans)

    gold = np.array([share(line, case.gold_spans) for line in lines])
    needs = np.array([share(line, case.needs) for line in lines])
    return [i for i in descending(np.where(gold > 0, 1e6, 0) + needs) if gold[i] + needs[i] > 0]


def systems() -> tuple[System, ...]:
    """fieldpack by line, the cuts, BM25's lines, and the ceiling of whole lines."""
    return (
        LineDocuments(),
        OutputLines("head", head, stop=True),
        OutputLines("tail", tail, stop=True),
        OutputLines("head_tail", head_tail, stop=True),
        OutputLines("bm25_lines", bm25_lines),
        OutputLines("bm25_header", bm25_header),
        OutputLines("bm25_around", bm25_around),
        OutputLines("oracle_lines", labels, family="oracle"),
    )
