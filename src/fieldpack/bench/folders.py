"""Peers over a folder of files: BM25 over pieces of it, alone or as the first stage of fieldpack's packer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fieldpack.bench.context import Context, Packed, descending
from fieldpack.bench.dataset import FOLDER, Query, Span
from fieldpack.bench.pieces import Cut, Cutting, WordIndex
from fieldpack.bench.system import System
from fieldpack.types import Document

CHUNK, SECTION = 900, 3600
"""Characters of a chunk, and of the longest section that stays whole."""
DEPTH = 400
"""Pieces that are tried."""
_MARKDOWN = re.compile(r"#{1,6} \S")
_RULE = re.compile(r"([=\-~^\"'*+#`.:_])\1{2,}\s*$")
_CAPITALS = re.compile(r"[A-Z][A-Z0-9 ,/()-]+$")


def chunks(text: str, size: int = CHUNK) -> list[tuple[int, int]]:
    """Consecutive pieces of at most `size` characters, ending at a line's end where one is in the last half."""
    out, start = list[tuple[int, int]](), 0
    while start < len(text):
        end = min(len(text), start + size)
        if end < len(text) and (line := text.rfind("\n", start + size // 2, end)) > 0:
            end = line + 1
        out.append((start, end))
        start = end
    return [(a, b) for a, b in out if text[a:b].strip()]


def paragraphs(text: str) -> list[tuple[int, int]]:
    """Runs of lines without an empty line between them."""
    out, start = list[tuple[int, int]](), 0
    for gap in re.finditer(r"(?:\r?\n[ \t]*){2,}", text):
        out.append((start, gap.start()))
        start = gap.end()
    out.append((start, len(text)))
    return [(a, b) for a, b in out if text[a:b].strip()]


def sections(text: str) -> list[tuple[int, int]]:
    """From a heading to the next (Markdown's #, a line with a rule under it, capitals at the margin as man pages have
    them); a section longer than SECTION characters is cut into pieces of that size."""
    starts = sorted({0, *_headings(text), len(text)})
    parts = [(a, b) for a, b in pairwise(starts) if text[a:b].strip()]
    return [(a + x, a + y) for a, b in parts for x, y in chunks(text[a:b], SECTION)]


def _headings(text: str) -> list[int]:
    """Where the lines begin that are headings."""
    lines = text.splitlines(keepends=True)
    out, at = list[int](), 0
    for i, line in enumerate(lines):
        bare, below = line.rstrip(), lines[i + 1].rstrip() if i + 1 < len(lines) else ""
        ruled = bool(bare) and not bare[0].isspace() and not _RULE.match(bare)
        ruled = ruled and bool(_RULE.match(below)) and len(below) >= 0.7 * len(bare)
        if ruled or _MARKDOWN.match(bare) or _CAPITALS.match(bare):
            out.append(at)
        at += len(line)
    return out


@dataclass(frozen=True)
class FolderPieces:
    """BM25 over pieces of the files. skip: goes on after a piece that does not fit; else the first that does not ends
    the pack, as a loop that anybody writes would. twice: the first line of a piece counts twice for its rank."""

    name: str
    cut: Cut
    skip: bool = False
    twice: bool = False
    family: str = "bm25s"
    most: float = math.inf
    kinds: frozenset[str] = frozenset([FOLDER])

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        """The best pieces, best first, a line's end between them."""
        found = context.replay(self.name, case.id, lambda: best(self.name, self.cut, case, context, self.twice))
        kept, left = list[tuple[Span, str]](), budget
        for span, text in found:
            cost = context.count(text + "\n")
            if cost <= left:
                kept.append((span, text))
                left -= cost
            elif not self.skip:
                break
        while kept and context.tokenizer.count("\n".join(t for _, t in kept)) > budget:
            kept.pop()
        text = "\n".join(t for _, t in kept)
        return Packed(text, tuple(s for s, _ in kept), text)


def best(name: str, cut: Cut, case: Query, context: Context, twice: bool = False) -> list[tuple[Span, str]]:
    """The DEPTH pieces with the highest BM25 above 0, and where they stand."""

    def build() -> tuple[Cutting, WordIndex]:
        cutting = Cutting.of(case, cut)
        return cutting, WordIndex([f"{t.split(chr(10), 1)[0]}\n{t}" for t in cutting.texts] if twice else cutting.texts)

    cutting, index = context.prepared(f"{name} pieces", case, build)
    scores = index.scores(case.query)
    return [(cutting.spans[i], cutting.texts[i]) for i in descending(scores)[:DEPTH] if scores[i] > 0]


@dataclass(frozen=True)
class TwoStages:
    """BM25's best chunks, each a document of its own, to fieldpack's packer as it comes."""

    name: str
    chunks: int
    family: str = "bm25s, then fieldpack"
    most: float = math.inf
    kinds: frozenset[str] = frozenset([FOLDER])

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        """The pack of the best chunks, its spans in the files' own characters."""
        found = best("bm25_chunks", chunks, case, context)[: self.chunks]
        packer = context.keep(f"{self.name} {context.scorer}", lambda: _packer(context))
        documents = [Document(str(i), text) for i, (_, text) in enumerate(found)]
        if not documents:
            return Packed("", (), "")
        result = packer.pack(case.query, documents, budget)
        at: Sequence[Span] = [span for span, _ in found]
        kept = [(at[int(k.doc_id)], k.start, k.end) for k in result.kept]
        spans = tuple(Span(piece.doc_id, piece.start + start, piece.start + end) for piece, start, end in kept)
        return Packed(result.text, spans, result.text)


def _packer(context: Context) -> Any:
    from fieldpack.pipeline import ContextPacker

    return ContextPacker(tokenizer=context.tokenizer, scorer=context.scorer)


def systems() -> tuple[System, ...]:
    """What anybody would write first over a folder."""
    return (
        FolderPieces("bm25_chunks", chunks),
        FolderPieces("bm25_chunks_skip", chunks, skip=True),
        FolderPieces("bm25_paragraphs", paragraphs, skip=True),
        FolderPieces("bm25_sections", sections, skip=True, twice=True),
        TwoStages("bm25_30_fieldpack", 30),
        TwoStages("bm25_200_fieldpack", 200),
    )
