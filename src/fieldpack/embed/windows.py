"""Texts longer than a model reads at once: cut into windows, with no text left out."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fieldpack.embed.validate import pool
from fieldpack.types import FloatArray


def utf8_bytes(text: str) -> int:
    """Bytes of the text in UTF-8: no byte-level or sub-word tokenizer makes more tokens than that (markers aside)."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def windows(text: str, count: Callable[[str], int], limit: int) -> list[str]:
    """Pieces of about equal size, each with `count(piece) <= limit`, that join to the text.

    Cuts fall after white space where the last quarter of a piece has any, else between any two characters. A single
    character is never cut, even if it counts more than `limit`.
    """
    done: list[str] = []
    todo = [text]
    while todo:
        piece = todo.pop()
        size = count(piece)
        if size <= limit or len(piece) <= 1:
            done.append(piece)
            continue
        # A tenth more room than the average needs, so that uneven pieces are not cut once more.
        todo.extend(reversed(cut(piece, max(2, -(-size * 10 // (9 * max(1, limit)))))))
    return done


def cut(text: str, parts: int) -> list[str]:
    """The text in at most `parts` pieces of about equal length, none of them empty."""
    step = max(1, len(text) // parts)
    cuts = [0]
    for k in range(1, parts):
        target = min(max(k * step, cuts[-1] + 1), len(text) - 1)
        cut = _after_space(text, max(cuts[-1] + 1, target - step // 4), target)
        if cut > cuts[-1]:
            cuts.append(cut)
    cuts.append(len(text))
    return [text[a:b] for a, b in itertools.pairwise(cuts) if b > a]


def _after_space(text: str, low: int, high: int) -> int:
    """The last position in [low, high] after white space, or `high`."""
    for at in range(high, low - 1, -1):
        if text[at - 1].isspace():
            return at
    return high


@dataclass(frozen=True)
class Plan:
    """The pieces to embed; pieces[spans[i]] are those of text i."""

    pieces: list[str]
    spans: list[slice]

    def text_of(self, piece: int) -> int:
        """The index of the text that a piece is part of."""
        return bisect.bisect_right(self.spans, piece, key=lambda span: int(span.start)) - 1

    def pooled(self, rows: FloatArray) -> FloatArray:
        """(n, dims) unit rows of the texts from the (m, dims) unit rows of the pieces, weighted by characters."""
        if len(self.pieces) == len(self.spans):
            return rows
        whole = np.empty((len(self.spans), rows.shape[1]), np.float32)
        for i, span in enumerate(self.spans):
            part = rows[span]
            whole[i] = part[0] if len(part) == 1 else pool(part, [len(piece) for piece in self.pieces[span]])
        return whole


def plan(texts: Sequence[str], count: Callable[[str], int], limit: int | None) -> Plan:
    """Every text in as many windows as `count` and `limit` ask for (None: one each); blank windows are left out."""
    pieces: list[str] = []
    spans: list[slice] = []
    for text in texts:
        # Counting is slow, and an ASCII token is a character or more (other text may grow when a model normalises it).
        short = limit is None or (text.isascii() and len(text) < limit)
        cut = [text] if short or limit is None else windows(text, count, limit)
        kept = [piece for piece in cut if not piece.isspace()] or cut[:1]
        spans.append(slice(len(pieces), len(pieces) + len(kept)))
        pieces.extend(kept)
    return Plan(pieces, spans)
