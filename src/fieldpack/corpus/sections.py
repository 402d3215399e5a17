"""The sections of documents, before any query: which heading each paragraph stands under, pieces of some hundred
characters, and what both are about, as vectors and as inverted indexes.

A section is what stands under one heading, without its subsections. A piece is a run of paragraphs of one section, of
at most PIECE_CHARS characters: long enough to say what it is about, short enough to be about one thing. The path of a
section is the name of its file, the title of its document and the headings above it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fieldpack.arrays import concat_ranges, offsets_of, run_starts, sorted_unique, unit
from fieldpack.corpus.news import is_news
from fieldpack.types import BoolArray, Document, FloatArray, FrozenArrays, IntArray, Segments
from fieldpack.words import split

Ids = npt.NDArray[np.integer[Any]]
"""Word numbers, of any integer type."""
PIECE_CHARS = 900
"""As long as the pieces that BM25 finds documentation by best (benchmarks/README.md)."""
FEWEST_SECTIONS, FEWEST_PARAGRAPHS = 40, 200
"""From how many on sections tell more than their paragraphs do."""
_PATH_COUNTS = 2
"""How often the words of the path count in the section and in its pieces."""
_DEEPEST = 8
_MOST_COMMON = 32_768
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_K1, _B = 1.2, 0.75


class Similar(NamedTuple):
    """A word of the query as stems of the corpus: its own first, where it `occurs`, then those of words like it, each
    with its likeness in (0, 1]; share: what the word counts."""

    stems: tuple[int, ...]
    likeness: tuple[float, ...]
    share: float
    occurs: bool


@dataclass(frozen=True, eq=False)
class StemIndex(FrozenArrays):
    """Stem i stands in the texts units[ends[i]:ends[i + 1]], ascending, with the worth in [0, 1) that BM25 gives it
    there; idf (s,): what each stem is worth."""

    ends: IntArray
    units: IntArray
    worth: FloatArray
    idf: FloatArray
    size: int

    @staticmethod
    def of(stems: IntArray, unit_numbers: IntArray, stem_count: int, size: int) -> StemIndex:
        """stems (m,), unit_numbers (m,): each occurrence; `size` texts in all."""
        keys, counts = np.unique(stems * max(size, 1) + unit_numbers, return_counts=True)
        stem, owner = keys // max(size, 1), keys % max(size, 1)
        length = np.bincount(unit_numbers, minlength=size).astype(np.float32)
        norm = _K1 * (1 - _B + _B * length / max(float(length.mean()) if size else 1.0, 1.0))
        ends = np.searchsorted(stem, np.arange(stem_count + 1))
        frequency = np.diff(ends)
        idf = np.log1p((size - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)
        worth = (counts / (counts + norm[owner])).astype(np.float32)
        return StemIndex(ends.astype(np.int64), owner.astype(np.int64), worth, idf, size)

    def bm25(self, words: Sequence[Similar]) -> FloatArray:
        """(size,) BM25 of every text (Robertson & Zaragoza 2009), where a word that is like one of the query counts as
        much of it as `Similar.likeness` says: the best of those that a text holds."""
        out = np.zeros(self.size, np.float32)
        for word in words:
            idf = float(self.idf[word.stems[0]]) if word.occurs else self.unseen_idf
            best = np.zeros(self.size, np.float32)
            for stem, likeness in zip(word.stems, word.likeness, strict=True):
                at = slice(int(self.ends[stem]), int(self.ends[stem + 1]))
                units = self.units[at]
                best[units] = np.maximum(best[units], likeness * self.worth[at])
            out += word.share * idf * best
        return out

    @property
    def unseen_idf(self) -> float:
        """That of a stem that stands in no text."""
        return float(np.log1p((self.size + 0.5) / 0.5))


@dataclass(frozen=True, eq=False)
class Sections(FrozenArrays):
    """The s sections and p pieces of a corpus of g paragraphs.

    section, piece (g,): of each paragraph. piece_section (p,): the section of each piece; piece_starts (p,): its first
    paragraph. path_words, path_offsets (s + 1,): the words of each path, as numbers in the vocabulary. vectors (p, d):
    unit rows of the pieces. news (g,): whether a paragraph stands in release notes or a changelog. common (k,):
    words of several paragraphs, with their unit vectors, among which those like a query's word are looked up.
    by_section, by_piece, by_document: the texts by their stems.
    """

    section: IntArray
    piece: IntArray
    piece_section: IntArray
    piece_starts: IntArray
    path_words: IntArray
    path_offsets: IntArray
    vectors: FloatArray
    news: BoolArray
    common: IntArray
    common_directions: FloatArray
    by_section: StemIndex
    by_piece: StemIndex
    by_document: StemIndex

    def paragraphs_of(self, pieces: IntArray) -> IntArray:
        """The paragraphs of some pieces, ascending."""
        ends = np.append(self.piece_starts[1:], len(self.piece))
        ordered = sorted_unique(pieces)
        return concat_ranges(self.piece_starts[ordered], ends[ordered])


@dataclass(frozen=True, eq=False)
class Texts:
    """What sections are read from. sentences, paragraphs: the rows of both levels. words (m,), offsets (n + 1,): the
    words of the sentences. stem (u,): the stem of each word of the vocabulary; direction (u, d): their vectors;
    frequency (u,): in how many paragraphs each stands, 0 for names with signs. number: the number of a word, -1 where
    it does not occur. title: the words of a document's title, by its number. vectors (g, d): of the paragraphs."""

    documents: Sequence[Document]
    sentences: Segments
    paragraphs: Segments
    words: Ids
    offsets: IntArray
    stem: IntArray
    stem_count: int
    direction: FloatArray
    frequency: IntArray
    number: Callable[[str], int]
    title: Callable[[int], Ids]
    vectors: FloatArray


def has_sections(sentences: Segments, paragraphs: int) -> bool:
    """Whether documents have headings enough for their sections to say more than their paragraphs."""
    if paragraphs < FEWEST_PARAGRAPHS:
        return False
    named = sentences.heading[sentences.heading >= 0]
    return len(sorted_unique(named)) >= FEWEST_SECTIONS


def sections_of(texts: Texts) -> Sections:
    """The sections of a corpus. The same for the same documents, however they were read."""
    own = _heads(texts.sentences)[run_starts(texts.sentences.parent)]
    # Of paragraphs without a heading those of one document are one section.
    different, section = np.unique(np.where(own >= 0, own, -1 - texts.paragraphs.doc), return_inverse=True)
    piece = _pieces(texts.paragraphs, section)
    starts = run_starts(piece)
    path, common = _paths(texts, different), _common(texts.frequency)
    every = np.repeat(np.arange(len(different)), _PATH_COUNTS)
    stems = _Stems(texts, np.repeat(texts.sentences.parent, np.diff(texts.offsets)))
    return Sections(
        section=section.astype(np.int64),
        piece=piece,
        piece_section=section[starts].astype(np.int64),
        piece_starts=starts,
        path_words=path.words,
        path_offsets=path.offsets,
        vectors=_sums(texts, starts),
        news=np.array([is_news(d) for d in texts.documents], np.bool_)[texts.paragraphs.doc],
        common=common,
        common_directions=texts.direction[common],
        by_section=stems.index(section, len(different), _Named(path, every, every)),
        by_piece=stems.index(piece, len(starts), _Named(path, section[starts], np.arange(len(starts)))),
        by_document=stems.index(texts.paragraphs.doc, len(texts.documents)),
    )


@dataclass(frozen=True, eq=False)
class _Paths:
    """words[offsets[i]:offsets[i + 1]]: of path i."""

    words: IntArray
    offsets: IntArray


class _Named(NamedTuple):
    """The paths of some `sections` (k,) that count in some `texts` (k,)."""

    path: _Paths
    sections: IntArray
    texts: IntArray


@dataclass(frozen=True, eq=False)
class _Stems:
    """paragraph (m,): where each of the m words stands."""

    texts: Texts
    paragraph: IntArray

    def index(self, owner: IntArray, size: int, named: _Named | None = None) -> StemIndex:
        """An index of the `size` texts that the paragraphs make. owner (g,): the text of each. named: whose paths count
        too."""
        stems, owners = self.texts.stem[self.texts.words].astype(np.int64), owner[self.paragraph]
        if named is not None:
            first, last = named.path.offsets[named.sections], named.path.offsets[named.sections + 1]
            words = named.path.words[concat_ranges(first, last)]
            stems = np.concatenate([stems, self.texts.stem[words]])
            owners = np.concatenate([owners, np.repeat(named.texts, last - first)])
        return StemIndex.of(stems, owners, self.texts.stem_count, size)


def _common(frequency: IntArray) -> IntArray:
    """The words of two paragraphs and more, of very many the most frequent, ascending."""
    several = np.flatnonzero(frequency >= 2)
    if len(several) <= _MOST_COMMON:
        return several
    return np.sort(several[np.argsort(-frequency[several], kind="stable")[:_MOST_COMMON]])


def _heads(sentences: Segments) -> IntArray:
    """(n,) the heading that each sentence stands under; a heading that heads others stands under itself."""
    heads = sentences.heading.copy()
    named = sorted_unique(heads[heads >= 0])
    heads[named] = named
    return heads


def _pieces(paragraphs: Segments, section: IntArray) -> IntArray:
    """(g,) numbers of runs of paragraphs of one section of at most PIECE_CHARS characters together."""
    out, number, taken, before = [], -1, 0, -1
    sizes = (paragraphs.end - paragraphs.start).tolist()
    for size, own in zip(sizes, section.tolist(), strict=True):
        if own != before or taken + size > PIECE_CHARS:
            number, taken = number + 1, 0
        out.append(number)
        taken, before = taken + size, own
    return np.array(out, np.int64)


def _paths(texts: Texts, keys: IntArray) -> _Paths:
    """The words of the path of each section. keys (s,): the row of its heading, or -1 - document."""
    of_document: dict[int, IntArray] = {}
    parts = []
    for key in keys.tolist():
        document = int(texts.sentences.doc[key]) if key >= 0 else -1 - key
        if document not in of_document:
            of_document[document] = _names(texts, document)
        path = [of_document[document]]
        row, depth = key, 0
        while row >= 0 and depth < _DEEPEST:
            path.append(texts.words[texts.offsets[row] : texts.offsets[row + 1]].astype(np.int64))
            row, depth = int(texts.sentences.heading[row]), depth + 1
        parts.append(np.concatenate(path))
    lengths = np.array([len(p) for p in parts], np.int64)
    return _Paths(np.concatenate(parts) if parts else np.zeros(0, np.int64), offsets_of(lengths))


def _names(texts: Texts, document: int) -> IntArray:
    """The words of a document's name and title that occur in the corpus."""
    name = _ENDING.sub("", texts.documents[document].id)
    numbers = [n for word in dict.fromkeys(split(name)) if (n := texts.number(word)) >= 0]
    return np.concatenate([np.array(numbers, np.int64), texts.title(document).astype(np.int64)])


def _sums(texts: Texts, piece_starts: IntArray) -> FloatArray:
    """(p, d) unit rows: the paragraphs of each piece added up, a longer one counting by the root of its words."""
    if not len(piece_starts):
        return texts.vectors
    starts = run_starts(texts.sentences.parent)
    lengths = np.diff(np.append(texts.offsets[starts], texts.offsets[-1])).astype(np.float32)
    return unit(np.add.reduceat(texts.vectors * np.sqrt(lengths)[:, None], piece_starts))
