"""Documents from an iterator, in one pass and bounded memory: what can no longer win is forgotten.

A block of documents at a time is read as words and static vectors. Each query screens every paragraph by the rule that
`pack` uses where there are many (`relevance.read`): the idf of its words that the paragraph holds, and the cosine of
its vector, both in standard deviations over all paragraphs so far. The sums that this takes (how often each two of the
query's words meet in a paragraph) are kept, so that the rule is that of the whole stream whenever it is applied. Held
are the documents with the best paragraphs, those beside the very best, those whose title the very best speak of, and
what is pinned. At the end they are packed as any documents are, with the document frequencies of the whole stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from fieldpack.errors import InputError
from fieldpack.inputs import Pin, checked_budget, checked_documents, checked_queries, pin_ranges
from fieldpack.pins import packed_or_needed
from fieldpack.pipeline import Clock
from fieldpack.prepared import Prepared, merge, segmented, several
from fieldpack.relevance.corpus import stem_of, unit
from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.result import Passed, Result
from fieldpack.types import BoolArray, Document, FloatArray, IntArray
from fieldpack.words import Words, distinct, split, sums, words_of

if TYPE_CHECKING:
    from fieldpack.field.state import FieldState
    from fieldpack.pipeline import ContextPacker

HOLD = 4096
"""Documents held between blocks, and more where these are less than _BUDGETS budgets of text."""
BLOCK, BLOCK_CHARS = 4096, 4_000_000
"""A block ends at the first of these."""
_BUDGETS, _CHARS_A_TOKEN = 8, 4
_BESIDE = 8
"""One of so many held documents has its neighbours held too; as many more are held for their titles."""
_SPEAKERS, _NAMED = 32, 0.5
"""The first documents, in which titles are looked for; the share of a title, by idf, from which it is named."""
_MOST_WORDS = 2_000_000
"""Words whose document frequencies are remembered; of more, the rarest are forgotten (lossy counting)."""


def pack_stream(
    packer: ContextPacker,
    query: str | Sequence[str | tuple[str, float]],
    documents: Iterable[str | Document],
    budget: int,
    *,
    pins: Sequence[Pin] = (),
    state: FieldState | None = None,
    hold: int = HOLD,
    block: int = BLOCK,
) -> Result:
    """What `ContextPacker.pack_stream` gives; see there."""
    if min(hold, block) < 1:
        raise InputError(f"hold is {hold} and block {block}; allowed: 1 or more documents")
    queries, weights = checked_queries(query)
    limit = checked_budget(budget)
    if isinstance(documents, str | Document):
        documents = [documents]
    reader: _Reader | None = None
    clock = Clock()
    for part, last in _blocks(documents, block):
        if reader is None:
            if last:  # a short stream is a pack like any other
                return packer.pack(query, part, limit, pins=pins, state=state)
            reader = _Reader(packer, queries, limit, hold, _pinned(pins))
        reader.read(part)
        del part  # before the next block is made
    if reader is None:
        checked_documents(())
    assert reader is not None
    clock.lap("stream")
    docs = tuple(c.document for c in reader.held)
    # A pin of a document without text asks for nothing, here as in `pack`.
    ranges = [r for r in pin_ranges(pins, (*docs, *reader.blank)) if r[0] < len(docs)]
    plan = reader.plan()
    over_all = reader.over_all

    def packed(most: int) -> Result:
        prepared = over_all(plan.prepare(docs, ranges, clock, most))
        return plan.pack_prepared(queries, prepared, most, ranges, state, clock, weights)

    result = packed_or_needed(packed, limit)
    return _with_passed(result, reader.passed(len(result.segments), plan.unit == "sentence"))


def _pinned(pins: Sequence[Pin]) -> set[str]:
    """The documents that pins name; what is wrong with a pin is said when all documents were seen."""
    listed = [pins] if isinstance(pins, str) else pins
    names = (p[0] if isinstance(p, tuple | list) and p else p for p in listed)
    return {name for name in names if isinstance(name, str)}


def _with_passed(result: Result, passed: Passed) -> Result:
    again = result.repack

    def repack(budget: int) -> Result:
        assert again is not None
        return _with_passed(again(budget), passed)

    notes = (*result.notes, str(passed)) if passed.documents else result.notes
    return replace(result, passed=passed, notes=notes, repack=repack)


def _blocks(documents: Iterable[str | Document], most: int) -> Iterator[tuple[list[Document], bool]]:
    """Documents by blocks, strings under their names doc-0, doc-1, ..., and whether a block is the last."""
    part: list[Document] = []
    chars = 0
    for i, given in enumerate(documents):
        if not isinstance(given, str | Document):
            raise InputError(f"document {i} is a {type(given).__name__}; give strings or fieldpack.Document(id, text)")
        if part and (len(part) >= most or chars >= BLOCK_CHARS):
            yield part, False
            part, chars = [], 0
        part.append(Document(f"doc-{i}", given) if isinstance(given, str) else given)
        chars += len(part[-1].text) if isinstance(part[-1].text, str) else 0
    if part:
        yield part, True


@dataclass(slots=True, eq=False)
class _Held:
    """A document and, for each query, what its best paragraph shows: the words it holds (q,) and its cosine."""

    document: Document
    place: int
    words: tuple[BoolArray, ...]
    cosine: tuple[float, ...]


@dataclass(eq=False)
class _Sight:
    """One query's content words, its vector, and the sums over all paragraphs so far: both (q, q) counts paragraphs
    that hold two of the words, cosine and squares add up the cosines."""

    words: list[str]
    vector: FloatArray
    both: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    cosine: float = 0.0
    squares: float = 0.0

    def score(self, held: BoolArray, cosine: FloatArray, idf: FloatArray, count: int) -> FloatArray:
        """(k,) the rule of `relevance.read` for paragraphs with the words held (k, q), the mean and deviation those of
        all `count` paragraphs."""
        weight = idf.astype(np.float64)
        mean = float(np.diag(self.both) @ weight) / count
        spread = np.sqrt(max(float(weight @ self.both @ weight) / count - mean * mean, 0.0))
        out = (held @ weight - mean) / spread if spread > 1e-9 else np.zeros(len(held))
        middle = self.cosine / count
        wide = np.sqrt(max(self.squares / count - middle * middle, 0.0))
        return np.asarray(out + ((cosine - middle) / wide if wide > 1e-9 else 0.0), np.float32)


@dataclass(eq=False)
class _Reader:
    """The pass over a stream: statistics of all paragraphs, and the documents that can still win."""

    packer: ContextPacker
    queries: tuple[str, ...]
    budget: int
    hold: int
    pinned: set[str]
    held: list[_Held] = field(default_factory=list)
    blank: list[Document] = field(default_factory=list)
    """Documents without text that are pinned."""
    documents: int = 0
    atoms: int = 0
    groups: int = 0
    words: dict[str, int] = field(default_factory=dict)
    stems: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sights = [_sight(text, self.packer) for text in self.queries]

    def read(self, part: list[Document]) -> None:
        """One block: its statistics, then what of it and of what is held can still win."""
        documents, first = checked_documents(part, blank=True), self.documents
        self.documents += len(documents)
        self._unique(documents)
        self.blank += [d for d in documents if d.id in self.pinned and not d.text.strip()]
        atoms = segmented(documents, self.budget)
        if not len(atoms):
            return
        paragraphs = merge(atoms, np.flatnonzero(np.diff(atoms.parent, prepend=-1)))
        words = words_of(paragraphs.texts(documents))
        rows = unit(sums(self.packer.static.word_vectors(words.vocabulary), words))
        self.atoms += len(atoms)
        self.groups += len(paragraphs)
        self._count(words)
        index = {w: i for i, w in enumerate(words.vocabulary)}
        held = [_holding([index.get(w, -1) for w in s.words], words) for s in self.sights]
        cosine = [rows @ s.vector for s in self.sights]
        for sight, some, near in zip(self.sights, held, cosine, strict=True):
            as_numbers = some.astype(np.float64)
            sight.both += as_numbers.T @ as_numbers
            sight.cosine += float(near.sum(dtype=np.float64))
            sight.squares += float((near.astype(np.float64) ** 2).sum())
        score = self._scores(held, cosine)
        best = _best_of_each(paragraphs.doc, score)
        for at in best.tolist():
            document = int(paragraphs.doc[at])
            shown = tuple(h[at] for h in held), tuple(float(c[at]) for c in cosine)
            self.held.append(_Held(documents[document], first + document, *shown))
        self._forget()

    def _unique(self, documents: Sequence[Document]) -> None:
        known = {h.document.id for h in self.held}
        if again := [d.id for d in documents if d.id in known]:
            raise InputError(f"two documents of the stream have the id {again[0]!r}; ids must be unique")

    def _count(self, words: Words) -> None:
        """Adds the paragraphs of a block to the document frequencies of words and stems."""
        size = len(words.vocabulary)
        group = np.repeat(np.arange(len(words)), words.lengths)
        _add(self.words, words.vocabulary, _frequencies(group, words.ids.astype(np.int64), size))
        index: dict[str, int] = {}
        stem = np.array([index.setdefault(stem_of(w), len(index)) for w in words.vocabulary], np.int64)
        _add(self.stems, list(index), _frequencies(group, stem[words.ids], len(index)))

    def idf(self, words: Sequence[str], known: Mapping[str, int]) -> FloatArray:
        """BM25's idf over all paragraphs so far."""
        df = np.array([known.get(w, 0) for w in words], np.float64)
        return np.log1p((self.groups - df + 0.5) / (df + 0.5)).astype(np.float32)

    def _scores(self, held: Sequence[BoolArray], cosine: Sequence[FloatArray]) -> FloatArray:
        """(k,) the best score that any of the queries gives."""
        each = [
            s.score(h, c, self.idf(s.words, self.words), self.groups)
            for s, h, c in zip(self.sights, held, cosine, strict=True)
        ]
        return np.asarray(np.max(each, 0), np.float32)

    def _forget(self) -> None:
        """Holds the first documents of all held, what stands beside the very first and what these name."""
        if len(self.held) <= self.hold:
            return
        columns = range(len(self.sights))
        held = [np.stack([h.words[k] for h in self.held]) for k in columns]
        cosine = [np.array([h.cosine[k] for h in self.held], np.float32) for k in columns]
        score = self._scores(held, cosine)
        order = np.argsort(-score, kind="stable")
        chars = np.cumsum([len(self.held[i].document.text) for i in order.tolist()])
        enough = int(np.searchsorted(chars, _BUDGETS * _CHARS_A_TOKEN * self.budget)) + 1
        keep = set(order[: max(self.hold, enough)].tolist())
        at = {h.place: i for i, h in enumerate(self.held)}
        for i in order[: self.hold // _BESIDE].tolist():
            keep |= {at[p] for p in (self.held[i].place - 1, self.held[i].place + 1) if p in at}
        keep |= set(self._named(order[:_SPEAKERS])[: self.hold // _BESIDE].tolist())
        keep |= {i for i, h in enumerate(self.held) if h.document.id in self.pinned}
        self.held = [self.held[i] for i in sorted(keep)]

    def _named(self, speakers: IntArray) -> IntArray:
        """Rows of `held` whose titles the first documents say and the query does not, what is said most of first: links
        of a chain of evidence come in whatever order."""
        said = {w for i in speakers.tolist() for w in split(self.held[i].document.text)}
        said -= {w for s in self.sights for w in s.words}
        titles = words_of(h.document.title for h in self.held)
        weight = self.idf(titles.vocabulary, self.words)
        spoken = weight * np.fromiter((w in said for w in titles.vocabulary), np.bool_, len(titles.vocabulary))
        title = np.repeat(np.arange(len(titles)), titles.lengths)
        total = np.bincount(title, weight[titles.ids], len(titles))
        mass = np.bincount(title, spoken[titles.ids], len(titles))
        mass[speakers] = 0
        order = np.argsort(-mass, kind="stable")
        return np.asarray(order[(mass[order] > 0) & (mass[order] >= _NAMED * total[order])], np.int64)

    def plan(self) -> ContextPacker:
        """The packer, its unit settled by the whole stream."""
        if self.packer.unit != "auto":
            return self.packer
        return replace(self.packer, unit="sentence" if several(self.atoms, self.groups) else "paragraph")

    def over_all(self, prepared: Prepared) -> Prepared:
        """What is held, with the frequencies of the whole stream; documents between which some are missing are no
        neighbours."""
        corpus = prepared.corpus
        stems = sorted(corpus.stems, key=corpus.stems.__getitem__)
        gap = (np.diff([h.place for h in self.held], prepend=-1) != 1).cumsum()
        sequence = corpus.sequence * (len(self.held) + 1) + gap[corpus.document]
        whole = replace(
            corpus,
            sequence=np.asarray(sequence, np.int64),
            idf=self.idf(corpus.words.vocabulary, self.words),
            stem_idf=self.idf(stems, self.stems),
            unseen_idf=float(np.log1p((self.groups + 0.5) / 0.5)),
        )
        vars(whole)["groups"] = corpus.groups
        return replace(prepared, corpus=whole)

    def passed(self, segments: int, sentences: bool) -> Passed:
        return Passed(self.documents - len(self.held), (self.atoms if sentences else self.groups) - segments)


def _sight(text: str, packer: ContextPacker) -> _Sight:
    words = list(dict.fromkeys(split(text)))
    vectors = packer.static.word_vectors(words)
    content = [w for w in words if w not in STOPWORDS] or words
    vector = unit(vectors.sum(0, keepdims=True))[0]
    return _Sight(content, vector, np.zeros((len(content), len(content))))


def _holding(ids: Sequence[int], words: Words) -> BoolArray:
    """(n, q) which texts hold which words."""
    out = np.zeros((len(words), len(ids)), np.bool_)
    text = np.repeat(np.arange(len(words)), words.lengths)
    for k, i in enumerate(ids):
        if i >= 0:
            out[text[words.ids == i], k] = True
    return out


def _frequencies(group: IntArray, ids: IntArray, size: int) -> IntArray:
    """(size,) in how many groups each id occurs."""
    return np.bincount(distinct(group * max(size, 1) + ids) % max(size, 1), minlength=size)


def _add(known: dict[str, int], words: Sequence[str], counts: IntArray) -> None:
    for word, count in zip(words, counts.tolist(), strict=True):
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
