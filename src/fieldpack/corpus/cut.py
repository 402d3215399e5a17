"""Segments parted at the ends of given ranges, so that a pinned range is made of whole rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fieldpack.corpus.corpus import Corpus, Level, Titles
from fieldpack.corpus.order import Order
from fieldpack.corpus.vocabulary import Frequencies
from fieldpack.types import Document, IntArray, Segments

Range = tuple[int, int, int]
"""(document number, start, end) in characters."""


def cut_at(sentences: Segments, documents: Sequence[Document], ranges: Sequence[Range]) -> Segments:
    """Sentences parted where a range begins or ends inside them; white space at a cut belongs to neither side. Every
    cut begins a new paragraph, so that a whole paragraph never reaches across it."""
    for doc, start, end in ranges:
        for at in (start, end):
            sentences = _parted(sentences, documents[doc].text, doc, at)
    return sentences


def _parted(sentences: Segments, text: str, doc: int, at: int) -> Segments:
    first, last = np.searchsorted(sentences.doc, [doc, doc + 1])
    row = int(first) + int(np.searchsorted(sentences.start[first:last], at))
    if row > first and sentences.start[row - 1] < at < sentences.end[row - 1]:
        sentences = _split_row(sentences, row - 1, text, at)
    parent = sentences.parent
    if 0 < row < len(parent) and parent[row] == parent[row - 1]:
        moved = parent.copy()
        moved[row:] += 1
        sentences = replace(sentences, parent=moved)
    return sentences


def _split_row(sentences: Segments, row: int, text: str, at: int) -> Segments:
    """Row `row` as two rows, before and from the character `at`."""
    start, end = int(sentences.start[row]), int(sentences.end[row])
    left = start + len(text[start:at].rstrip())
    right = end - len(text[at:end].lstrip())
    columns = {
        name: np.insert(getattr(sentences, name), row, getattr(sentences, name)[row])
        for name in ("doc", "start", "end", "tokens", "kind", "parent", "row", "rows")
    }
    columns["end"][row] = left
    columns["start"][row + 1] = right
    columns["tokens"][row : row + 2] = -1
    for name in ("context", "heading"):
        named = np.insert(getattr(sentences, name), row, getattr(sentences, name)[row])
        columns[name] = np.where(named > row, named + 1, named)
    return Segments(**columns)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Where paragraphs begin (g,) and end (g,), by document (g,)."""

    document: IntArray
    start: IntArray
    end: IntArray

    def holds(self, range_: Range) -> bool:
        """Whether no paragraph reaches across an end of the range."""
        doc, start, end = range_
        first, last = np.searchsorted(self.document, [doc, doc + 1])
        starts, ends = self.start[first:last], self.end[first:last]
        return not any(((starts < at) & (at < ends)).any() for at in (start, end))


def paragraph_bounds(corpus: Corpus) -> Bounds:
    """Those of a corpus."""
    spans = corpus.paragraphs.spans
    return Bounds(spans.doc, spans.start, spans.end)


def part_of(corpus: Corpus, first: int, last: int) -> Corpus:
    """The documents first..last - 1 of a corpus, over its whole vocabulary and without frequencies of its own: to be
    joined with others and counted then."""
    titles = corpus.titles.offsets[first : last + 1]
    vocabulary = corpus.vocabulary
    words, stems = np.zeros(len(vocabulary.words), np.int64), np.zeros(len(vocabulary.stems), np.int64)
    paragraphs = _level_part(corpus.paragraphs, first, last)
    sentences = _level_part(corpus.sentences, first, last)
    order = corpus.order
    low, high = np.searchsorted(corpus.sentences.spans.doc, [first, last])
    return Corpus(
        documents=corpus.documents[first:last],
        vocabulary=vocabulary,
        words=corpus.words[corpus.sentences.offsets[low] : corpus.sentences.offsets[high]],
        sentences=sentences,
        paragraphs=paragraphs,
        titles=Titles(corpus.titles.ids[titles[0] : titles[-1]], titles - titles[0]),
        frequencies=Frequencies(words, stems, len(paragraphs)),
        order=Order(order.source[first:last], order.named[first:last], order.position[first:last]),
        unit=corpus.unit,
        known_words=0,
    )


def _level_part(level: Level, first: int, last: int) -> Level:
    low, high = np.searchsorted(level.spans.doc, [first, last])
    columns = {name: getattr(level.spans, name)[low:high] for name in ("start", "end", "tokens", "kind", "row", "rows")}
    doc, parent = level.spans.doc[low:high] - first, level.spans.parent[low:high]
    parent = parent - parent[0] if len(parent) else parent
    offsets = level.offsets[low : high + 1]
    for name in ("context", "heading"):
        named = getattr(level.spans, name)[low:high]
        columns[name] = np.where(named >= 0, named - low, -1)
    return Level(Segments(doc=doc, parent=parent, **columns), offsets - offsets[0], level.vectors[low:high])
