"""Documents from an iterator, in one pass and bounded memory: what can no longer win is forgotten.

A block of documents at a time is read as a corpus. Each query screens every paragraph by the rule that `pack` uses
where there are many (`fieldpack.relevance.shortlist`): the idf of its words that the paragraph holds, and the cosine of
its vector, both in standard deviations over all paragraphs so far. The sums that this takes are kept, so that the rule
is always that of the whole stream. Held are the documents with the best paragraphs, those beside the very best, those
whose title the very best speak of, and what is pinned. At the end they are read as any documents are, with the document
frequencies of the whole stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fieldpack.arrays import unit
from fieldpack.corpus.build import CorpusReader
from fieldpack.corpus.corpus import Corpus, unit_for
from fieldpack.corpus.vocabulary import Frequencies, Vocabulary, idf
from fieldpack.document_forms import document_of, is_document
from fieldpack.embed.static import StaticEmbedder
from fieldpack.errors import InputError
from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.request import Documents, Request, checked_documents
from fieldpack.types import BoolArray, Document, FloatArray, IntArray
from fieldpack.words import split, words_of

HOLD = 4096
"""Documents of a block, and held between blocks: more where these are less than _BUDGETS budgets of text."""
_BLOCK_CHARS = 4_000_000
"""Characters at which a block ends before it has all its documents."""
_BUDGETS, _CHARS_A_TOKEN = 8, 4
_NEIGHBOURS = 8
"""One of so many held documents has its neighbours held too; as many more are held for their titles."""
_SPEAKERS, _NAMED = 32, 0.5
"""The first documents, in which titles are looked for; the share of a title, by idf, from which it is named."""
_MOST_WORDS = 2_000_000
"""Words whose document frequencies are remembered; of more, the rarest are forgotten (lossy counting)."""


@dataclass(frozen=True)
class Hold:
    """documents: how many are held between blocks; block: how many are read at once. Raises InputError below 1."""

    documents: int = HOLD
    block: int = HOLD

    def __post_init__(self) -> None:
        if min(self.documents, self.block) < 1:
            raise InputError(f"hold is {self.documents} and block {self.block}; allowed: 1 or more documents")


@dataclass(frozen=True, eq=False)
class Held:
    """corpus: what is packed; documents, segments: how many were let go."""

    corpus: Corpus
    documents: int = 0
    segments: int = 0


def hold_documents(documents: Documents, request: Request, reader: CorpusReader, hold: Hold) -> Held:
    """The documents of an iterator that can win. Raises InputError for bad documents, and for pins of documents that
    never came."""
    screen: _Screen | None = None
    stream: Any = [documents] if is_document(documents) else documents
    for block, is_last in _blocks(stream, hold.block):
        if screen is None:
            if is_last:  # a short stream is read like any documents
                listed = checked_documents(block)
                return Held(reader.read(listed, request.ranges(listed)))
            if not request.asks:
                raise InputError("a long stream is screened by its query; give a query, or pack the documents")
            screen = _Screen(reader, request, hold.documents)
        screen.read(block)
        del block  # before the next block is made
    if screen is None:
        return Held(reader.read(()))
    return screen.result()


def _blocks(documents: Iterable[object], most: int) -> Iterator[tuple[list[Document], bool]]:
    """Documents by blocks, strings under their names doc-0, doc-1, ..., and whether a block is the last."""
    block: list[Document] = []
    chars = 0
    for document in (document_of(item, i) for i, item in enumerate(documents)):
        if block and (len(block) >= most or chars >= _BLOCK_CHARS):
            yield block, False
            block, chars = [], 0
        block.append(document)
        chars += len(block[-1].text) if isinstance(block[-1].text, str) else 0
    if block:
        yield block, True


@dataclass(slots=True, eq=False)
class _Document:
    """A document that is held and, for each query, what its best paragraph shows: the words it holds (q,) and its
    cosine. place: its number in the stream."""

    document: Document
    place: int
    words: tuple[BoolArray, ...]
    cosine: tuple[float, ...]


@dataclass(eq=False)
class _QueryScreen:
    """One query's content words, its vector, and the sums over all paragraphs so far: both (q, q) counts paragraphs
    that hold two of the words, cosine and squares add up the cosines."""

    words: list[str]
    vector: FloatArray
    both: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    cosine: float = 0.0
    squares: float = 0.0

    def add(self, holds: BoolArray, cosine: FloatArray) -> None:
        """Further paragraphs: the words they hold (k, q) and their cosines (k,)."""
        as_numbers = holds.astype(np.float64)
        self.both += as_numbers.T @ as_numbers
        self.cosine += float(cosine.sum(dtype=np.float64))
        self.squares += float((cosine.astype(np.float64) ** 2).sum())

    def score(self, holds: BoolArray, cosine: FloatArray, weight: FloatArray, count: int) -> FloatArray:
        """(k,) the rule of the shortlist for paragraphs that hold words (k, q), whose idf is weight (q,); the mean
        and deviation are those of all `count` paragraphs."""
        idf = weight.astype(np.float64)
        mean = float(np.diag(self.both) @ idf) / count
        deviation = np.sqrt(max(float(idf @ self.both @ idf) / count - mean * mean, 0.0))
        out = (holds @ idf - mean) / deviation if deviation > 1e-9 else np.zeros(len(holds))
        mean = self.cosine / count
        deviation = np.sqrt(max(self.squares / count - mean * mean, 0.0))
        return np.asarray(out + ((cosine - mean) / deviation if deviation > 1e-9 else 0.0), np.float32)


@dataclass(eq=False)
class _Counts:
    """Document frequencies over all paragraphs so far."""

    paragraphs: int = 0
    words: dict[str, int] = field(default_factory=dict)
    stems: dict[str, int] = field(default_factory=dict)

    def add(self, corpus: Corpus) -> None:
        """Those of a block."""
        self.paragraphs += len(corpus.paragraphs)
        _add(self.words, corpus.vocabulary.words, corpus.frequencies.words)
        _add(self.stems, list(corpus.vocabulary.stems), corpus.frequencies.stems)

    def idf(self, words: Sequence[str]) -> FloatArray:
        """(k,) of some words."""
        return idf(np.array([self.words.get(w, 0) for w in words], np.int64), self.paragraphs)

    def over(self, vocabulary: Vocabulary) -> Frequencies:
        """As the frequencies of a vocabulary."""
        words = np.array([self.words.get(w, 0) for w in vocabulary.words], np.int64)
        stems = np.array([self.stems.get(s, 0) for s in vocabulary.stems], np.int64)
        return Frequencies(words, stems, self.paragraphs)


class _Screen:
    """The pass over a stream: statistics of all paragraphs, and the documents that can still win."""

    def __init__(self, reader: CorpusReader, request: Request, hold: int) -> None:
        self._reader, self._request, self._hold = reader, request, hold
        self._words_only = replace(reader, tokenizer=None)
        self._queries = [_query_screen(text, reader.static) for text in request.queries]
        self._pinned = {name for p in request.pins if isinstance(name := p if isinstance(p, str) else p[0], str)}
        self._held: list[_Document] = []
        self._blank: list[Document] = []
        self._counts = _Counts()
        self._documents = self._sentences = 0

    def read(self, block: list[Document]) -> None:
        """One block: its statistics, then what of it and of what is held can still win."""
        documents, first = checked_documents(block), self._documents
        self._documents += len(documents)
        self._require_unique(documents)
        self._blank += [d for d in documents if d.id in self._pinned and not d.text.strip()]
        corpus = self._words_only.read(documents)
        if not len(corpus.rows):
            return
        self._sentences += len(corpus.sentences)
        self._counts.add(corpus)
        held = [_holding(corpus, q.words) for q in self._queries]
        cosine = [corpus.paragraphs.vectors @ q.vector for q in self._queries]
        for query, words, similarity in zip(self._queries, held, cosine, strict=True):
            query.add(words, similarity)
        owner = corpus.paragraphs.spans.doc
        for at in _best_of_each(owner, self._scores(held, cosine)).tolist():
            shown = tuple(h[at] for h in held), tuple(float(c[at]) for c in cosine)
            self._held.append(_Document(documents[owner[at]], first + int(owner[at]), *shown))
        self._prune()

    def result(self) -> Held:
        """What is left at the end of the stream, with the frequencies of the whole stream. Documents between which some
        are missing are no neighbours."""
        documents = (*(h.document for h in self._held), *self._blank)
        chosen = unit_for(self._reader.unit, self._sentences, self._counts.paragraphs, documents)
        corpus = replace(self._reader, unit=chosen).read(documents, self._request.ranges(documents))
        places = [h.place for h in self._held] + [-2 * k for k in range(2, len(self._blank) + 2)]
        gap = (np.diff(places, prepend=-1) != 1).cumsum()
        corpus = replace(corpus, frequencies=self._counts.over(corpus.vocabulary), gaps=gap)
        total = self._sentences if chosen == "sentence" else self._counts.paragraphs
        return Held(corpus, self._documents - len(self._held), total - len(corpus.rows))

    def _require_unique(self, documents: Sequence[Document]) -> None:
        known = {h.document.id for h in self._held}
        if again := [d.id for d in documents if d.id in known]:
            raise InputError(f"two documents of the stream have the id {again[0]!r}; ids must be unique")

    def _scores(self, holds: Sequence[BoolArray], cosine: Sequence[FloatArray]) -> FloatArray:
        """(k,) the best score that any of the queries gives."""
        each = [
            q.score(words, similarity, self._counts.idf(q.words), self._counts.paragraphs)
            for q, words, similarity in zip(self._queries, holds, cosine, strict=True)
        ]
        return np.asarray(np.max(each, 0), np.float32)

    def _prune(self) -> None:
        """Holds the first documents of all held, what stands beside the very first and what these name."""
        if len(self._held) <= self._hold:
            return
        columns = range(len(self._queries))
        held = [np.stack([h.words[k] for h in self._held]) for k in columns]
        cosine = [np.array([h.cosine[k] for h in self._held], np.float32) for k in columns]
        order = np.argsort(-self._scores(held, cosine), kind="stable")
        chars = np.cumsum([len(self._held[i].document.text) for i in order.tolist()])
        enough = int(np.searchsorted(chars, _BUDGETS * _CHARS_A_TOKEN * self._request.budget)) + 1
        keep = set(order[: max(self._hold, enough)].tolist())
        at = {h.place: i for i, h in enumerate(self._held)}
        for i in order[: self._hold // _NEIGHBOURS].tolist():
            keep |= {at[p] for p in (self._held[i].place - 1, self._held[i].place + 1) if p in at}
        keep |= set(self._named(order[:_SPEAKERS])[: self._hold // _NEIGHBOURS].tolist())
        keep |= {i for i, h in enumerate(self._held) if h.document.id in self._pinned}
        keep |= set(self._best_scored()[: self._hold // _NEIGHBOURS])
        self._held = [self._held[i] for i in sorted(keep)]

    def _best_scored(self) -> list[int]:
        """Documents held that have a score from outside, the highest first."""
        given = self._request.scores
        known = given if isinstance(given, Mapping) else {h.document.id: h.document.score for h in self._held}
        ranked = [(-s, i) for i, h in enumerate(self._held) if (s := known.get(h.document.id)) is not None]
        return [i for _, i in sorted(ranked)]

    def _named(self, speakers: IntArray) -> IntArray:
        """Rows of what is held whose titles the first documents mention and the query does not, what is mentioned most
        first: links of a chain of evidence come in whatever order."""
        mentioned = {w for i in speakers.tolist() for w in split(self._held[i].document.text)}
        mentioned -= {w for q in self._queries for w in q.words}
        titles = words_of(h.document.title for h in self._held)
        weight = self._counts.idf(titles.vocabulary)
        spoken = weight * np.fromiter((w in mentioned for w in titles.vocabulary), np.bool_, len(titles.vocabulary))
        title = np.repeat(np.arange(len(titles)), titles.lengths)
        total = np.bincount(title, weight[titles.ids], len(titles))
        mass = np.bincount(title, spoken[titles.ids], len(titles))
        mass[speakers] = 0
        order = np.argsort(-mass, kind="stable")
        return np.asarray(order[(mass[order] > 0) & (mass[order] >= _NAMED * total[order])], np.int64)


def _query_screen(text: str, static: StaticEmbedder) -> _QueryScreen:
    words = list(dict.fromkeys(split(text)))
    content = [w for w in words if w not in STOPWORDS] or words
    vector = unit(static.word_vectors(words).sum(0, keepdims=True))[0]
    return _QueryScreen(content, vector, np.zeros((len(content), len(content))))


def _holding(corpus: Corpus, words: Sequence[str]) -> BoolArray:
    """(g, q) which paragraphs hold which words."""
    out = np.zeros((len(corpus.paragraphs), len(words)), np.bool_)
    paragraph = np.repeat(np.arange(len(corpus.paragraphs)), corpus.paragraphs.lengths)
    for k, word in enumerate(words):
        number = corpus.vocabulary.index.get(word)
        if number is not None:
            out[paragraph[corpus.words == number], k] = True
    return out


def _add(known: dict[str, int], words: Sequence[str], counts: IntArray) -> None:
    for word, count in zip(words, counts.tolist(), strict=True):
        if count:
            known[word] = known.get(word, 0) + count
    least = 1
    while len(known) > _MOST_WORDS:
        for word in [w for w, count in known.items() if count <= least]:
            del known[word]
        least *= 2


def _best_of_each(document: IntArray, score: FloatArray) -> IntArray:
    """The best paragraph of each document, the first of equals; documents ascending."""
    order = np.lexsort((-score, document))
    return np.asarray(order[np.diff(document[order], prepend=-1) != 0], np.int64)
