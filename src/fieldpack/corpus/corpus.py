"""The candidates as numbers, before any query: sentences and paragraphs as two records of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from fieldpack.arrays import GrowableArrays, offsets_of, read_only, run_starts, sorted_unique
from fieldpack.corpus import kinds
from fieldpack.corpus.order import Order, code_documents, confirmed
from fieldpack.corpus.sections import Sections, Texts, has_sections, sections_of
from fieldpack.corpus.vocabulary import Frequencies, Vocabulary
from fieldpack.text.row_numbers import RowNumbers
from fieldpack.types import KINDS, BoolArray, Document, FloatArray, FrozenArrays, IntArray, Segments

Unit = Literal["paragraph", "sentence"]
_SENTENCES_PER_PARAGRAPH = 1.5
"""Mean from which a pack of sentences differs from one of paragraphs."""
SHORTLIST = 2048
"""Paragraphs that a query reads closely; of more, an inverted index helps to find them."""


@dataclass(frozen=True, eq=False)
class Level(FrozenArrays):
    """n rows of one kind. spans: their places in the documents, `tokens` -1 where nobody counted them; offsets (n +
    1,): row i has the words [offsets[i], offsets[i + 1]) of the corpus; vectors (n, d): unit rows, the sum of the word
    vectors. `spans.parent` is the paragraph of a row; of paragraphs it is 0, 1, ..."""

    spans: Segments
    offsets: IntArray
    vectors: FloatArray

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def lengths(self) -> IntArray:
        """(n,) words of each row."""
        return np.diff(self.offsets)

    @property
    def counted(self) -> bool:
        """Whether the tokens of all rows are known."""
        return not len(self.spans) or int(self.spans.tokens.min()) >= 0

    def with_tokens(self, tokens: IntArray) -> Level:
        """With these tokens (n,)."""
        return replace(self, spans=replace(self.spans, tokens=np.asarray(tokens, np.int64)))


@dataclass(frozen=True, eq=False)
class Titles(FrozenArrays):
    """The words of t titles: ids[offsets[i]:offsets[i + 1]]."""

    ids: npt.NDArray[np.int32]
    offsets: IntArray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> IntArray:
        """(t,) words of each title."""
        return np.diff(self.offsets)


@dataclass(frozen=True, eq=False)
class Postings(FrozenArrays):
    """An inverted index: word i occurs in the paragraphs[ends[i]:ends[i + 1]], ascending, each once."""

    ends: IntArray
    paragraphs: npt.NDArray[np.int32]

    @staticmethod
    def of_words(ids: IntArray, paragraph: IntArray, words: int, paragraphs: int) -> Postings:
        """ids (m,): words; paragraph (m,): where each stands."""
        pairs = sorted_unique(ids * max(paragraphs, 1) + paragraph)
        ends = np.searchsorted(pairs // max(paragraphs, 1), np.arange(words + 1))
        return Postings(ends, (pairs % max(paragraphs, 1)).astype(np.int32))

    def extended(self, other: Postings, numbers: IntArray, words: int, paragraphs: int) -> Postings:
        """With the postings of `other`, whose words have these numbers here and whose paragraphs come after the
        `paragraphs` of this one; `words` in all."""
        word = np.repeat(numbers, np.diff(other.ends))
        order = np.argsort(word, kind="stable")
        ends = np.append(self.ends[1:], np.full(words + 1 - len(self.ends), self.ends[-1]))
        grown = np.append(0, ends + np.cumsum(np.bincount(word, minlength=words)))
        return Postings(grown, np.insert(self.paragraphs, ends[word[order]], other.paragraphs[order] + paragraphs))


@dataclass(frozen=True, eq=False)
class Corpus(FrozenArrays):
    """t documents as n sentences in g paragraphs over one vocabulary of u words.

    words (m,): the words of all sentences, as numbers in `vocabulary`; titles: those of the t titles. unit: what is
    packed, and so the rows of every result (`rows`). dense (g, d): rows of a sentence embedder, or None. known_words:
    how many of the m words the static table holds whole. postings: only of a corpus of more than SHORTLIST paragraphs.
    """

    documents: tuple[Document, ...]
    vocabulary: Vocabulary
    words: npt.NDArray[np.int32]
    sentences: Level
    paragraphs: Level
    titles: Titles
    frequencies: Frequencies
    order: Order
    unit: Unit
    known_words: int
    postings: Postings | None = None
    dense: FloatArray | None = None
    gaps: IntArray | None = None
    """(t,) how many gaps there are before each document, where a stream let documents go: no neighbours over a gap."""
    buffers: GrowableArrays = field(default_factory=GrowableArrays, repr=False)
    """Where the arrays grow when documents are added."""

    def __repr__(self) -> str:
        return f"Corpus({len(self.documents)} documents, {len(self.level)} {self.unit}s)"

    @property
    def level(self) -> Level:
        """The rows that are packed."""
        return self.sentences if self.unit == "sentence" else self.paragraphs

    @property
    def rows(self) -> Segments:
        """The n segments of every result; row i of every array is segment i."""
        return self.level.spans

    @property
    def paragraph(self) -> IntArray:
        """(n,) the paragraph of each row."""
        return self.rows.parent

    @cached_property
    def starts(self) -> IntArray:
        """(g,) the first sentence of each paragraph."""
        return read_only(run_starts(self.sentences.spans.parent))

    @property
    def vectors(self) -> FloatArray:
        """(g, d) the unit rows of the paragraphs that the field reads: the sentence embedder's where there is one."""
        return self.paragraphs.vectors if self.dense is None else self.dense

    @property
    def paragraph_tokens(self) -> IntArray:
        """(g,) tokens of each paragraph; those of its rows added up."""
        if not len(self.rows):
            return np.zeros(0, np.int64)
        return np.asarray(np.add.reduceat(self.rows.tokens, run_starts(self.paragraph)), np.int64)

    @property
    def known(self) -> float:
        """Share in [0, 1] of the words that the static table holds whole: low in a language it does not know."""
        return self.known_words / max(len(self.words), 1)

    def holds(self, word: int) -> bool:
        """Whether a word of the vocabulary stands in a text or a title: one that a cut has parted does not any more."""
        if self.frequencies.words[word] > 0:
            return True
        return bool((self.words == word).any() or (self.titles.ids == word).any())

    @cached_property
    def is_code(self) -> bool:
        """Whether most of the text is source code."""
        size = self.rows.end - self.rows.start
        return bool(2 * size[self.rows.kind == KINDS.index("code")].sum() > size.sum())

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Document id -> its number."""
        return {d.id: k for k, d in enumerate(self.documents)}

    @cached_property
    def sequence(self) -> IntArray:
        """(g,) labels: consecutive paragraphs with one label stand one after another in a text (`corpus.order`)."""
        runs = self.order.runs(code_documents(self.sentences.spans, len(self.documents)))
        document = self.paragraphs.spans.doc
        label = confirmed(runs, document, self.paragraphs.lengths, self.paragraphs.vectors)
        return read_only(label if self.gaps is None else label * (len(self.documents) + 1) + self.gaps[document])

    @cached_property
    def sections(self) -> Sections | None:
        """The sections of the documents, read at the first call; None where there are too few to tell anything."""
        if not has_sections(self.sentences.spans, len(self.paragraphs)):
            return None
        titles = self.titles
        texts = Texts(
            documents=self.documents,
            sentences=self.sentences.spans,
            paragraphs=self.paragraphs.spans,
            words=self.words,
            offsets=self.sentences.offsets,
            stem=self.vocabulary.stem,
            stem_count=len(self.vocabulary.stems),
            direction=self.vocabulary.direction,
            frequency=self.frequencies.words * ~self.vocabulary.symbols,
            number=lambda word: self.vocabulary.index.get(word, -1),
            title=lambda document: titles.ids[titles.offsets[document] : titles.offsets[document + 1]],
            vectors=self.paragraphs.vectors,
        )
        return sections_of(texts)

    @cached_property
    def line_rows(self) -> BoolArray:
        """(n,) sentences that are rows of a file of lines, see `corpus.kinds.line_rows`."""
        return read_only(kinds.line_rows(self.documents, self.sentences.spans, self.sections is not None))

    @cached_property
    def goes_with_others(self) -> BoolArray:
        """(n,) rows that go with the rest of their paragraph, see `corpus.kinds.without_own_words`."""
        wordless = kinds.without_own_words(self.rows, self.level.lengths)
        return read_only(wordless & (self.unit == "sentence"))

    @cached_property
    def passage_runs(self) -> IntArray | None:
        """(t,) which documents are passages of one text, where they are the short passages of several; else None."""
        if self.gaps is not None or not kinds.are_short_passages(self.documents):
            return None
        return read_only(kinds.title_runs(self.documents))

    @cached_property
    def has_titles(self) -> bool:
        """Whether documents are told apart by their titles: most have one, and not all the same."""
        document = self.paragraphs.spans.doc
        filled = document[run_starts(document)]  # documents without text count for nothing
        titles = {self.documents[d].title for d in filled.tolist()} - {""}
        named = self.titles.lengths[filled] > 0
        return bool(len(filled) and named.mean() > 0.5 and len(titles) > max(2, 0.3 * len(self.paragraphs)))

    def texts(self, rows: Sequence[int] | IntArray | None = None) -> list[str]:
        """The verbatim text of every row, or of some rows."""
        return texts_of(self.rows, self.documents, rows)


def texts_of(spans: Segments, documents: Sequence[Document], rows: Sequence[int] | IntArray | None = None) -> list[str]:
    """The verbatim texts of spans, or of some of them."""
    if rows is None:
        return spans.texts(documents)
    at = np.asarray(rows, np.int64)
    places = zip(spans.doc[at].tolist(), spans.start[at].tolist(), spans.end[at].tolist(), strict=True)
    return [documents[d].text[a:b] for d, a, b in places]


def unit_for(unit: str, sentences: int, paragraphs: int, documents: Sequence[Document]) -> Unit:
    """What to pack: `unit` itself, or for "auto" sentences where paragraphs hold several. The turns of a talk and
    the short passages of a few texts stay whole: a sentence of one seldom says what it is about. On locomo whole turns
    keep 7 to 12 points more, on questions of support whole passages 2 to 3."""
    if unit != "auto":
        return "sentence" if unit == "sentence" else "paragraph"
    few = sentences < _SENTENCES_PER_PARAGRAPH * paragraphs
    whole = few or kinds.is_talk(documents) or kinds.are_short_passages(documents)
    return "paragraph" if whole else "sentence"


def paragraphs_of(sentences: Segments) -> Segments:
    """The sentences of each paragraph as one segment; its kind is that of the first that is no heading."""
    starts = run_starts(sentences.parent)
    last = np.append(starts, len(sentences))[1:] - 1
    kind = sentences.kind[starts].copy()
    for g in np.flatnonzero((kind == KINDS.index("heading")) & (last > starts)):
        kind[g] = sentences.kind[starts[g] + 1]
    kind[kind == KINDS.index("sentence")] = KINDS.index("paragraph")
    numbers = RowNumbers(sentences.row, sentences.rows).grouped(starts)
    return Segments(
        doc=sentences.doc[starts],
        start=sentences.start[starts],
        end=sentences.end[last],
        tokens=np.full(len(starts), -1, np.int64),
        kind=kind,
        parent=np.arange(len(starts)),
        context=_paragraph_contexts(sentences, starts),
        row=numbers.row,
        rows=numbers.rows,
    )


def _paragraph_contexts(sentences: Segments, starts: IntArray) -> IntArray:
    """(g,) the paragraph that must go with each: that of its first sentence's context, where it is another."""
    context = sentences.context[starts]
    paragraph = np.where(context >= 0, sentences.parent[context], -1)
    return np.where(paragraph == np.arange(len(starts)), -1, paragraph).astype(np.int64)


def in_rows(mask_ranges: Sequence[tuple[int, int, int]], rows: Segments) -> BoolArray:
    """(n,) rows that share a character with one of the ranges (document number, start, end)."""
    out = np.zeros(len(rows), np.bool_)
    for doc, start, end in mask_ranges:
        out |= (rows.doc == doc) & (rows.start < end) & (rows.end > start)
    return out


def paragraph_offsets(offsets: IntArray, starts: IntArray) -> IntArray:
    """(g + 1,) word offsets of paragraphs from those of their sentences."""
    return np.append(offsets[starts], offsets[-1]).astype(np.int64) if len(starts) else offsets_of(starts)
