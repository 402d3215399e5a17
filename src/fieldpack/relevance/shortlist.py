"""The paragraphs that a query reads closely: all, or of many those that cheap signals rank first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fieldpack.arrays import concat_ranges, offsets_of, sorted_unique, zscore
from fieldpack.corpus.corpus import SHORTLIST, Corpus, Titles, Unit, paragraph_offsets, texts_of
from fieldpack.corpus.order import of_rows
from fieldpack.relevance.query import Query
from fieldpack.types import FloatArray, IntArray, Segments


@dataclass(frozen=True, eq=False)
class Candidates:
    """g paragraphs of a corpus with their n sentences, over the vocabulary and the frequencies of the whole corpus.

    paragraphs (g,), sentences (n,): their rows there. words (m,), offsets (n + 1,): the words of each sentence. starts
    (g,): the first sentence of each paragraph; group (n,): the paragraph of each sentence; document (g,): its number
    among the titles; sequence (g,): see `corpus.order`; vectors (g, d): unit rows of the static table.
    """

    corpus: Corpus
    paragraphs: IntArray
    sentences: IntArray
    words: npt.NDArray[np.int32]
    offsets: IntArray
    starts: IntArray
    group: IntArray
    document: IntArray
    titles: Titles
    sequence: IntArray
    vectors: FloatArray

    def context(self, unit: Unit) -> IntArray:
        """(n,) or (g,): the candidate that must be packed with each, -1 where there is none, or none among them."""
        rows, spans = self.rows(unit), self.spans(unit)
        context = spans.context[rows]
        if self.all:
            return context
        place = np.minimum(np.searchsorted(rows, np.maximum(context, 0)), max(len(rows) - 1, 0))
        return np.where((context >= 0) & (rows[place] == context), place, -1).astype(np.int64)

    @property
    def all(self) -> bool:
        """Whether they are the whole corpus."""
        return len(self.paragraphs) == len(self.corpus.paragraphs)

    def rows(self, unit: Unit) -> IntArray:
        """Their rows in a unit of the corpus."""
        return self.sentences if unit == "sentence" else self.paragraphs

    def kinds(self, unit: Unit) -> IntArray:
        """(n,) or (g,): the kind of each, as a place in KINDS."""
        return np.asarray(self.spans(unit).kind[self.rows(unit)])

    def spans(self, unit: Unit) -> Segments:
        """All rows of the corpus in a unit."""
        return self.corpus.sentences.spans if unit == "sentence" else self.corpus.paragraphs.spans

    @cached_property
    def lengths(self) -> FloatArray:
        """(n,) words of each sentence; a name with signs counts as its parts."""
        return self._counts(self.offsets)

    @cached_property
    def paragraph_lengths(self) -> FloatArray:
        """(g,) words of each paragraph, likewise."""
        return self._counts(paragraph_offsets(self.offsets, self.starts))

    def _counts(self, offsets: IntArray) -> FloatArray:
        plain = offsets - self._names[offsets]
        return (plain[1:] - plain[:-1]).astype(np.float32)

    @cached_property
    def _names(self) -> IntArray:
        """(m + 1,) names with signs as a whole before each word."""
        return np.concatenate(([0], np.cumsum(self.corpus.vocabulary.symbols[self.words])))

    def texts(self, positions: IntArray | None = None, unit: Unit = "sentence") -> list[str]:
        """The verbatim text of each row of a unit, or of those at some positions."""
        rows = self.rows(unit)
        return texts_of(self.spans(unit), self.corpus.documents, rows if positions is None else rows[positions])


def all_candidates(corpus: Corpus) -> Candidates:
    """Every paragraph of the corpus."""
    return Candidates(
        corpus=corpus,
        paragraphs=np.arange(len(corpus.paragraphs)),
        sentences=np.arange(len(corpus.sentences)),
        words=corpus.words,
        offsets=corpus.sentences.offsets,
        starts=corpus.starts,
        group=corpus.sentences.spans.parent,
        document=corpus.paragraphs.spans.doc,
        titles=corpus.titles,
        sequence=corpus.sequence,
        vectors=corpus.paragraphs.vectors,
    )


def some_candidates(corpus: Corpus, paragraphs: IntArray) -> Candidates:
    """Some paragraphs of the corpus, ascending."""
    if len(paragraphs) == len(corpus.paragraphs):
        return all_candidates(corpus)
    offsets, opening = corpus.sentences.offsets, corpus.starts[paragraphs]
    end = corpus.sentences.spans.parent.searchsorted(paragraphs, "right")
    sizes, sentences = end - opening, concat_ranges(opening, end)
    document = corpus.paragraphs.spans.doc[paragraphs]
    owners = sorted_unique(document)
    first, last = corpus.titles.offsets[owners], corpus.titles.offsets[owners + 1]
    return Candidates(
        corpus=corpus,
        paragraphs=paragraphs,
        sentences=sentences,
        words=corpus.words[concat_ranges(offsets[sentences], offsets[sentences + 1])],
        offsets=offsets_of(offsets[sentences + 1] - offsets[sentences]),
        starts=np.cumsum(sizes) - sizes,
        group=np.repeat(np.arange(len(paragraphs)), sizes),
        document=np.searchsorted(owners, document),
        titles=Titles(corpus.titles.ids[concat_ranges(first, last)], offsets_of(last - first)),
        sequence=of_rows(corpus.sequence, paragraphs),
        vectors=corpus.paragraphs.vectors[paragraphs],
    )


def shortlist(query: Query, corpus: Corpus, dense: FloatArray | None) -> Candidates:
    """Paragraphs worth reading closely: all when there are at most SHORTLIST, else the first by exact words and by
    vectors (dense (g,): cosines of a sentence embedder), and the neighbours in the text of the very best."""
    count = len(corpus.paragraphs)
    if corpus.postings is None:
        return all_candidates(corpus)
    score = zscore(exact_words(corpus, query.ids[query.content & (query.ids >= 0)]))
    score = score + zscore(corpus.paragraphs.vectors @ query.vector if dense is None else dense)
    first = np.argpartition(-score, SHORTLIST)[:SHORTLIST]
    top = first[np.argsort(-score[first], kind="stable")[: SHORTLIST // 8]]
    neighbours = [np.minimum(top + 1, count - 1), np.maximum(top - 1, 0)]
    return some_candidates(corpus, sorted_unique(np.concatenate([first, *neighbours])))


def exact_words(corpus: Corpus, ids: IntArray) -> FloatArray:
    """(g,) sum of the idf of the given words that each paragraph holds. The corpus must have postings."""
    assert corpus.postings is not None
    ends, paragraphs = corpus.postings.ends, corpus.postings.paragraphs
    out = np.zeros(len(corpus.paragraphs), np.float32)
    for i in sorted_unique(ids).tolist():
        out[paragraphs[ends[i] : ends[i + 1]]] += corpus.frequencies.idf[i]
    return out
