"""Documents made ready for queries: segments, token counts, words, vectors. One index space from here to the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldpack.embed.static import StaticEmbedder
from fieldpack.errors import InputError
from fieldpack.packing.coupling import distinct_names
from fieldpack.relevance.corpus import Corpus, read_corpus
from fieldpack.room import Room
from fieldpack.text.segment import segment
from fieldpack.text.sequence import of_code, sequences
from fieldpack.text.tokens import check_text, meanwhile
from fieldpack.types import KINDS, Document, FloatArray, IntArray, Segments
from fieldpack.words import Words

if TYPE_CHECKING:
    from fieldpack.protocols import Tokenizer

_SEVERAL = 1.5
"""Sentences a paragraph, on average, from which a pack of sentences differs from one of paragraphs."""
Range = tuple[int, int, int]
"""(document number, start, end) in characters."""


@lru_cache(maxsize=1)
def shipped_static() -> StaticEmbedder:
    """The shipped static table, opened once per process: token resonance reads it whatever embeds the paragraphs."""
    return StaticEmbedder()


@dataclass(frozen=True, eq=False)
class Prepared:
    """rows: the n segments of the result, paragraphs or sentences. texts: of the atoms (sentences), which `corpus`
    reads; in a unit of sentences rows are the atoms. dense (g, d): a sentence embedder's rows, or None."""

    documents: tuple[Document, ...]
    rows: Segments
    texts: Sequence[str]
    corpus: Corpus
    dense: FloatArray | None
    static: StaticEmbedder
    sentences: bool
    room: Room = field(default_factory=Room)
    """Where the arrays grow: see `fieldpack.growth`."""

    def __repr__(self) -> str:
        return f"Prepared({len(self.documents)} documents, {len(self.rows)} segments)"

    @property
    def known(self) -> float:
        """Share in [0, 1] of the words that the static table holds whole: low in a language it does not know."""
        return self.known_words / max(len(self.corpus.words.ids), 1)

    @cached_property
    def known_words(self) -> int:
        """How many of the words, as often as they occur, the static table holds whole."""
        return known_words(self.static, self.corpus.words)

    @cached_property
    def code(self) -> bool:
        """Whether most of the text is source code."""
        size = self.rows.end - self.rows.start
        return bool(2 * size[self.rows.kind == KINDS.index("code")].sum() > size.sum())

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Document id -> its number."""
        return {d.id: k for k, d in enumerate(self.documents)}

    @cached_property
    def named(self) -> bool:
        """Whether documents are told apart by their titles."""
        corpus = self.corpus
        filled = corpus.document[np.diff(corpus.document, prepend=-1) != 0]  # documents without text count for nothing
        titles = {self.documents[d].title for d in filled.tolist()} - {""}
        return distinct_names(corpus.titles.lengths[filled], len(corpus.starts), len(titles))

    @property
    def vectors(self) -> FloatArray:
        """(g, d) the unit rows of the paragraphs that the field reads."""
        return self.corpus.groups if self.dense is None else self.dense

    @property
    def paragraph_tokens(self) -> IntArray:
        """(g,) tokens of each paragraph, those of its sentences added up."""
        tokens = self.rows.tokens
        return np.asarray(np.add.reduceat(tokens, self.corpus.starts) if self.sentences else tokens, np.int64)

    def row_texts(self) -> list[str]:
        """The verbatim text of every row."""
        return list(self.texts) if self.sentences else self.rows.texts(self.documents)


def prepare(
    documents: tuple[Document, ...],
    *,
    sentences: bool | None,
    tokenizer: Tokenizer,
    embed: Callable[[Sequence[str]], FloatArray] | None,
    static: StaticEmbedder,
    cuts: Sequence[Range] = (),
    budget: int | None = None,
    lap: Callable[[str], None] = lambda stage: None,
) -> Prepared:
    """Reads documents once. sentences: whether rows are sentences; None: where paragraphs hold several. embed: for the
    dense rows of paragraphs, None to do without. cuts: ranges at whose ends segments are parted, so that a pinned range
    is made of whole rows. budget: tokens of the pack, when known: code, tables and lists that alone would take most of
    it are cut at their items. lap: told when a stage is done: "segment", "words", "count", "embed"."""
    check_text(documents)
    atoms = part(segmented(documents, budget), documents, cuts)
    if not len(atoms):
        raise InputError(f"{len(documents)} documents and no text in them; give at least one that is not blank")
    texts = atoms.texts(documents)
    starts = np.flatnonzero(np.diff(atoms.parent, prepend=-1))
    if sentences is None:
        sentences = several(len(atoms), len(starts))
    paragraphs = merge(atoms, starts)
    rows = atoms if sentences else paragraphs
    row_texts = texts if sentences else rows.texts(documents)
    lap("segment")
    counts = meanwhile(tokenizer, row_texts)
    corpus = read_corpus(
        texts,
        [d.title for d in documents],
        atoms.parent,
        atoms.doc,
        sequences(documents, of_code(atoms, len(documents))),
        static.word_vectors,
    )
    lap("words")
    rows = replace(rows, tokens=np.asarray(counts(), np.int64))
    lap("count")
    dense = None
    if embed is not None:
        dense = embed(paragraphs.texts(documents) if sentences else row_texts)
        lap("embed")
    return Prepared(documents, rows, texts, corpus, dense, static, sentences)


def known_words(static: StaticEmbedder, words: Words) -> int:
    """How many words of texts the table holds whole."""
    return round(static.known(words) * len(words.ids))


def several(atoms: int, paragraphs: int) -> bool:
    """Whether paragraphs hold so many atoms (sentences) that these are the better unit."""
    return atoms >= _SEVERAL * paragraphs


def segmented(documents: Sequence[Document], budget: int | None) -> Segments:
    """The atoms of the documents; the budget changes nothing: grouping them is the packer's task."""
    return segment(documents, "sentence")


def merge(atoms: Segments, starts: IntArray) -> Segments:
    """Atoms of one paragraph as one segment; its kind is that of the first that is no heading."""
    last = np.append(starts[1:], len(atoms)) - 1
    kind = atoms.kind[starts].copy()
    heading = 2
    for g in np.flatnonzero((kind == heading) & (last > starts)):
        kind[g] = atoms.kind[starts[g] + 1]
    kind[kind == 1] = 0
    minus = np.full(len(starts), -1)
    return Segments(atoms.doc[starts], atoms.start[starts], atoms.end[last], minus, kind, np.arange(len(starts)))


def part(atoms: Segments, documents: Sequence[Document], cuts: Sequence[Range]) -> Segments:
    """Atoms parted where a range begins or ends inside them; white space at a cut belongs to neither side. Every cut
    begins a new paragraph, so that a whole paragraph never reaches across it."""
    for doc, start, end in cuts:
        for at in (start, end):
            atoms = _part_at(atoms, documents[doc].text, doc, at)
    return atoms


def _part_at(atoms: Segments, text: str, doc: int, at: int) -> Segments:
    inside = np.flatnonzero((atoms.doc == doc) & (atoms.start < at) & (at < atoms.end))
    parent = atoms.parent
    here = int(np.searchsorted(atoms.doc * (1 << 40) + atoms.start, doc * (1 << 40) + at))
    if len(inside):
        i = int(inside[0])
        left = len(text[int(atoms.start[i]) : at].rstrip()) + int(atoms.start[i])
        right = int(atoms.end[i]) - len(text[at : int(atoms.end[i])].lstrip())

        def twice(column: Any, first: int, second: int) -> Any:
            return np.concatenate([column[:i], [first, second], column[i + 1 :]]).astype(column.dtype)

        start, end = int(atoms.start[i]), int(atoms.end[i])
        atoms = Segments(
            twice(atoms.doc, doc, doc),
            twice(atoms.start, start, right),
            twice(atoms.end, left, end),
            twice(atoms.tokens, -1, -1),
            twice(atoms.kind, int(atoms.kind[i]), int(atoms.kind[i])),
            twice(parent, int(parent[i]), int(parent[i])),
        )
        here = i + 1
    parent = atoms.parent.copy()
    if 0 < here < len(atoms) and parent[here] == parent[here - 1]:
        parent[here:] += 1
    return replace(atoms, parent=parent)
