"""A pack ordered for a prompt cache: what was shown before stays first, unchanged, and what is new comes after it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldpack.corpus.keys import key
from fieldpack.packing.render import header, joined
from fieldpack.parts import PackerParts
from fieldpack.result import Result
from fieldpack.types import Document

BETWEEN = "\n\n"


@dataclass(frozen=True)
class Piece:
    """Verbatim text of a pack as it was shown: the rows (keys) it is made of, its document's id and title."""

    doc_id: str
    title: str
    keys: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Prompt:
    """A pack ordered for a prompt cache. text: what was shown before first, unchanged, then what is new; tokens <=
    budget, counted on it. prefix: characters that are the beginning of the prompt before, prefix_tokens: their count.
    pieces: what it is made of."""

    text: str = ""
    tokens: int = 0
    prefix: int = 0
    prefix_tokens: int = 0
    pieces: tuple[Piece, ...] = ()

    def following(self, result: Result, packer: PackerParts) -> Prompt:
        """The prompt of the next pack: pieces that were shown before and are wholly packed again, in their old order,
        then the new ones; inside the budget of the result."""
        rows = {name for piece in pieces(result) for name in piece.keys}
        old: list[Piece] = []
        for piece in self.pieces:
            if not (set(piece.keys) <= rows and _unchanged(piece, result)):
                break  # a cache ends at the first change
            old.append(piece)
        new = pieces(result, {name for piece in old for name in piece.keys})
        shown = _within_budget(old, new, result, packer)
        text = _text(shown, bool(packer.cite), packer.titles)
        same = common_prefix(self.text, text)
        count = packer.tokenizer.count
        return Prompt(text, count(text), same, count(text[:same]), tuple(shown))

    def prices(self) -> dict[str, float]:
        """{row: share in (0, 1] of the prompt that a cache would lose with it}: the row itself and all that follows."""
        sizes = np.array([len(piece.text) for piece in self.pieces], np.float64)
        lost = sizes[::-1].cumsum()[::-1] / max(float(sizes.sum()), 1.0)
        return {name: float(p) for piece, p in zip(self.pieces, lost, strict=True) for name in piece.keys}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        shown = [[p.doc_id, p.title, list(p.keys), p.text] for p in self.pieces]
        counts = {name: getattr(self, name) for name in ("text", "tokens", "prefix", "prefix_tokens")}
        return {**counts, "pieces": shown}

    @staticmethod
    def from_dict(parsed: Mapping[str, Any]) -> Prompt:
        """What `to_dict` gave. Raises KeyError, TypeError or ValueError for anything else."""
        shown = tuple(
            Piece(str(doc), str(title), tuple(map(str, keys)), str(text)) for doc, title, keys, text in parsed["pieces"]
        )
        counts = {name: int(parsed[name]) for name in ("tokens", "prefix", "prefix_tokens")}
        return Prompt(text=str(parsed["text"]), pieces=shown, **counts)


def pieces(result: Result, shown: Collection[str] = ()) -> list[Piece]:
    """The runs of neighbouring packed rows, in the order of the text, without the rows `shown`."""
    corpus, rows = result.corpus, result.segments
    out: list[Piece] = []
    for span in result.spans:
        fresh = [i for i in range(span.first, span.last + 1) if key(corpus, i) not in shown]
        for group in _consecutive(fresh):
            document = corpus.documents[int(rows.doc[group[0]])]
            text = joined(document.text, rows, group[0], group[-1])
            if result.cut is not None and result.cut[0] == group[-1]:
                text = text[: result.cut[1] - int(rows.end[group[-1]]) or None]
            out.append(Piece(document.id, document.title, tuple(key(corpus, i) for i in group), text))
    return out


def _unchanged(piece: Piece, result: Result) -> bool:
    """Whether the document still says there what was shown."""
    number = result.corpus.numbers.get(piece.doc_id)
    if number is None:
        return False
    document, rows = result.corpus.documents[number], result.segments
    start = int(piece.keys[0].rpartition(":")[2].partition("-")[0])
    first = int(np.searchsorted(rows.doc, number))
    first += int(np.searchsorted(rows.start[first : int(np.searchsorted(rows.doc, number + 1))], start))
    return document.title == piece.title and piece.text == joined(
        document.text, rows, first, first + len(piece.keys) - 1
    )


def _consecutive(rows: list[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    for row in rows:
        if groups and row == groups[-1][-1] + 1:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _within_budget(old: list[Piece], new: list[Piece], result: Result, packer: PackerParts) -> list[Piece]:
    """The pieces, of which the least relevant new ones go while the text is over the budget, then the last old ones."""
    inside = np.flatnonzero(result.inside).tolist()
    score = {key(result.corpus, i): float(result.relevance.total[i]) for i in inside}
    old, new = list(old), list(new)
    while old or new:
        if packer.tokenizer.count(_text([*old, *new], bool(packer.cite), packer.titles)) <= result.budget:
            break
        if new:
            new.remove(min(new, key=lambda p: max(score[k] for k in p.keys)))
        else:
            old.pop()
    return [*old, *new]


def _text(shown: Sequence[Piece], cite: bool, titles: bool) -> str:
    """Blank lines between; a document is headed where its pieces begin, numbered in order of first sight."""
    numbers = {name: k for k, name in enumerate(dict.fromkeys(p.doc_id for p in shown), 1)}
    out, last = [], ""
    for piece in shown:
        document = Document(piece.doc_id, piece.text, piece.title)
        head = header(document, numbers[piece.doc_id], cite, titles) if piece.doc_id != last else ""
        out.append(head + piece.text)
        last = piece.doc_id
    return BETWEEN.join(out)


def common_prefix(a: str, b: str) -> int:
    """Characters that both begin with."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[:middle] == b[:middle] else (low, middle - 1)
    return low
