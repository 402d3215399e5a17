"""The pipeline that most people have: chunks of about a thousand characters, BM25, the best ones until the budget is
full. What a pack is compared with where somebody names no other pipeline.

Own code, of forty lines: bm25s belongs to the benchmark's extra, and this must run wherever fieldpack is installed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldpack.types import Document
from fieldpack.words import split, stem_of

CHUNK = 1000
"""Characters of a chunk, at most; it ends at a blank line, else at a line, else at a word."""
_K1, _B = 1.2, 0.75
_ENDS = (re.compile(r"\n[ \t]*\n"), re.compile(r"\n"), re.compile(r"\s"))
_JOIN = "\n\n"


@dataclass(frozen=True)
class TopK:
    """What the pipeline sends: its text, the tokens of it, and (document id, start, end) of each chunk."""

    text: str
    tokens: int
    ranges: tuple[tuple[str, int, int], ...]


def top_k(
    query: str, documents: Sequence[Document], budget: int, *, count: Callable[[str], int], most: int | None = None
) -> TopK:
    """The best chunks in the order of their scores, until the next does not fit `budget` tokens or `most` are taken.
    Chunks that share no word with the query are never taken."""
    ranges = [(d.id, start, end) for d in documents for start, end in chunks_of(d.text)]
    bodies = {d.id: d.text for d in documents}
    texts = [bodies[name][start:end] for name, start, end in ranges]
    scores = bm25(query, texts)
    order = [k for k in np.argsort(-scores, kind="stable").tolist() if scores[k] > 0]
    text, taken = "", 0
    for k in order[:most]:
        longer = f"{text}{_JOIN}{texts[k]}" if text else texts[k]
        if count(longer) > budget:
            break
        text, taken = longer, taken + 1
    return TopK(text, count(text) if text else 0, tuple(ranges[k] for k in order[:taken]))


def chunks_of(text: str, size: int = CHUNK) -> Iterator[tuple[int, int]]:
    """(start, end) of each chunk of `size` characters at most, in order; together they hold all but white space."""
    start = 0
    while start < len(text):
        end = len(text) if len(text) - start <= size else _end(text, start, size)
        piece = text[start:end]
        if piece.strip():
            left = start + len(piece) - len(piece.lstrip())
            yield left, left + len(piece.strip())
        start = end


def _end(text: str, start: int, size: int) -> int:
    """The last good end in the second half of the window, else its end."""
    for pattern in _ENDS:
        ends = [m.end() for m in pattern.finditer(text, start + size // 2, start + size)]
        if ends:
            return ends[-1]
    return start + size


def bm25(query: str, texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """(n,) BM25 of stems, k1 1.2, b 0.75, with the idf of Lucene (Robertson and Zaragoza 2009)."""
    counts = [Counter(map(stem_of, split(text))) for text in texts]
    length = np.array([sum(c.values()) for c in counts], np.float64)
    mean, total = max(float(length.mean()) if len(length) else 0.0, 1.0), np.zeros(len(texts))
    for stem in dict.fromkeys(map(stem_of, split(query))):
        tf = np.array([c[stem] for c in counts], np.float64)
        df = int((tf > 0).sum())
        idf = np.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
        total += idf * tf * (_K1 + 1) / (tf + _K1 * (1 - _B + _B * length / mean))
    return total
