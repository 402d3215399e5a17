"""Documents to a `Corpus`, and corpora to one: `join(read(a), read(b))` equals `read(a + b)`, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from fieldpack.arrays import GrowableArrays, offsets_of, read_only, run_starts, unit
from fieldpack.corpus.corpus import (
    SHORTLIST,
    Corpus,
    Level,
    Postings,
    Titles,
    Unit,
    paragraph_offsets,
    paragraphs_of,
    texts_of,
    unit_for,
)
from fieldpack.corpus.cut import Range, cut_at, paragraph_bounds, part_of
from fieldpack.corpus.order import Order
from fieldpack.corpus.vocabulary import Frequencies, Vocabulary
from fieldpack.embed.static import StaticEmbedder
from fieldpack.protocols import Tokenizer
from fieldpack.text.segment import segment
from fieldpack.text.tokens import check_text, count_in_background
from fieldpack.types import Document, FloatArray, IntArray, Segments
from fieldpack.words import Words, sums, words_of

Embed = Callable[[Sequence[str]], FloatArray]
_COLUMNS = ("doc", "start", "end", "tokens", "kind", "parent", "context", "heading", "row", "rows")


@lru_cache(maxsize=1)
def shipped_static() -> StaticEmbedder:
    """The shipped static table, opened once per process: token resonance reads it whatever embeds the paragraphs."""
    return StaticEmbedder()


@dataclass(frozen=True, eq=False)
class CorpusReader:
    """How documents are read. tokenizer: counts the rows, None to leave them uncounted. unit: "auto", "paragraph" or
    "sentence". both: count sentences and paragraphs, for a part whose unit the whole decides."""

    static: StaticEmbedder
    tokenizer: Tokenizer | None = None
    unit: str = "auto"
    both: bool = False

    def read(
        self,
        documents: Sequence[Document],
        cuts: Sequence[Range] = (),
        on_stage: Callable[[str], None] = lambda stage: None,
    ) -> Corpus:
        """The corpus of documents, without a sentence embedder's rows. No documents give the corpus that joins to any
        other without a change.

        cuts: ranges at whose ends segments are parted, so that each range is made of whole rows. on_stage: called with
        "segment", "words" and "count" when that is done. Raises InputError for text that is no valid Unicode.
        """
        documents = tuple(documents)
        check_text(documents)
        whole = segment(documents, "sentence")
        # Before the cuts: a pin does not change what is packed.
        chosen = unit_for(self.unit, len(whole), int(whole.parent[-1]) + 1 if len(whole) else 0, documents)
        sentences = cut_at(whole, documents, cuts)
        paragraphs = paragraphs_of(sentences)
        texts = sentences.texts(documents)
        on_stage("segment")
        rows = texts if chosen == "sentence" else paragraphs.texts(documents)
        counts = count_in_background(self.tokenizer, rows) if self.tokenizer is not None else None
        corpus = self._numbers(documents, sentences, paragraphs, texts, chosen)
        on_stage("words")
        if counts is not None:
            corpus = _with_tokens(corpus, chosen, counts())
            corpus = self._counted(corpus)
        on_stage("count")
        return corpus

    def join(self, first: Corpus, *others: Corpus) -> Corpus:
        """The corpus of all documents of the parts, in their order: `read` of them all would give the same arrays. Ids
        must be unique over all parts. The arrays of the first grow, so that adding few documents to many costs little
        more than those few."""
        parts = [first, *others]
        # In pairs: each word of many small parts is then met a few times, not once for every part.
        while len(parts) > 1:
            pairs = [parts[i : i + 2] for i in range(0, len(parts), 2)]
            parts = [self._joined(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
        return parts[0]

    def embedded(self, corpus: Corpus, embed: Embed, known: Corpus | None = None) -> Corpus:
        """With the rows of a sentence embedder for its paragraphs; a corpus that has them stays as it is. known: a
        corpus of the same documents with rows, which are taken over where paragraphs are the same."""
        if corpus.dense is not None:
            return corpus
        spans = corpus.paragraphs.spans
        if known is None or known.dense is None:
            return replace(corpus, dense=read_only(embed(spans.texts(corpus.documents))))
        place = {at: i for i, at in enumerate(_places(known.paragraphs.spans))}
        source = np.array([place.get(at, -1) for at in _places(spans)], np.int64)
        dense = np.asarray(known.dense[source], np.float32)
        new = np.flatnonzero(source < 0)
        dense[new] = embed(texts_of(spans, corpus.documents, new))
        return replace(corpus, dense=dense)

    def cut(self, corpus: Corpus, ranges: Sequence[Range]) -> Corpus:
        """The corpus with its segments parted at the ends of ranges, as if it had been read so: documents in which a
        range ends inside a paragraph are read again, and their paragraphs embedded again by `embedded`."""
        bounds = paragraph_bounds(corpus)
        affected = sorted({r[0] for r in ranges if not bounds.holds(r)})
        if not affected:
            return corpus
        same_unit = replace(self, unit=corpus.unit)
        parts, start, known = [], 0, corpus.known_words
        for doc in affected:
            inner = [(0, first, last) for d, first, last in ranges if d == doc]
            parts += [part_of(corpus, start, doc), same_unit.read(corpus.documents[doc : doc + 1], inner)]
            known += parts[-1].known_words - self._known_words(part_of(corpus, doc, doc + 1))
            start = doc + 1
        out = same_unit.join(*parts, part_of(corpus, start, len(corpus.documents)))
        paragraph = np.repeat(np.arange(len(out.paragraphs)), out.paragraphs.lengths)
        frequencies = Frequencies.count(out.words.astype(np.int64), paragraph, out.vocabulary, len(out.paragraphs))
        return replace(out, frequencies=frequencies, known_words=known)

    def _known_words(self, corpus: Corpus) -> int:
        """How many words of a corpus the static table holds whole, counted anew."""
        different, ids = np.unique(corpus.words, return_inverse=True)
        spelled = [corpus.vocabulary.words[i] for i in different.tolist()]
        return self._known(Words(spelled, ids.astype(np.int32), offsets_of(np.array([len(ids)]))))

    def _known(self, words: Words) -> int:
        return round(self.static.known(words) * len(words.ids))

    def _numbers(
        self, documents: tuple[Document, ...], sentences: Segments, paragraphs: Segments, texts: list[str], packed: Unit
    ) -> Corpus:
        """Words, vectors and frequencies. texts: of the sentences; packed: the unit of the rows."""
        owners = np.searchsorted(sentences.doc, np.arange(len(documents) + 1))
        read = words_of(_by_document(texts, [d.title for d in documents], owners))
        text_words, titles = _parted(read, owners)
        vectors = self.static.word_vectors(read.vocabulary)
        sentence_sums = sums(vectors, text_words)
        starts = run_starts(sentences.parent)
        # Where every sentence is a paragraph (records, lines), both levels have one table.
        together = len(starts) == len(sentence_sums)
        paragraph_sums = sentence_sums if together else np.add.reduceat(sentence_sums, starts)
        sentence_rows = unit(sentence_sums, sentence_sums)
        paragraph_rows = sentence_rows if together else unit(paragraph_sums, paragraph_sums)
        vocabulary = Vocabulary.from_words(read.vocabulary, vectors)
        paragraph = np.repeat(sentences.parent, text_words.lengths)
        ids = text_words.ids.astype(np.int64)
        corpus = Corpus(
            documents=documents,
            vocabulary=vocabulary,
            words=text_words.ids,
            sentences=Level(sentences, text_words.offsets, sentence_rows),
            paragraphs=Level(paragraphs, paragraph_offsets(text_words.offsets, starts), paragraph_rows),
            titles=titles,
            frequencies=Frequencies.count(ids, paragraph, vocabulary, len(starts)),
            order=Order.of_documents(documents),
            unit=packed,
            known_words=self._known(text_words),
        )
        if len(starts) <= SHORTLIST:
            return corpus
        return replace(corpus, postings=Postings.of_words(ids, paragraph, len(vocabulary), len(starts)))

    def _counted(self, corpus: Corpus) -> Corpus:
        """With the tokens of the rows of its unit, of both units where `both` asks for it; those of the other unit are
        dropped where they are not all there."""
        out = corpus
        for name in ("sentence", "paragraph"):
            level = out.sentences if name == "sentence" else out.paragraphs
            wanted = self.tokenizer is not None and (self.both or name == out.unit)
            if wanted and not level.counted:
                out = _with_tokens(out, name, self._tokens(level.spans, out.documents))
            elif not wanted and not self.both and int(level.spans.tokens.max(initial=-1)) >= 0:
                out = _with_tokens(out, name, np.full(len(level), -1, np.int64))
        return out

    def _tokens(self, spans: Segments, documents: tuple[Document, ...]) -> IntArray:
        """(n,) token counts, of which only those that are missing are made."""
        assert self.tokenizer is not None
        out = spans.tokens.copy()
        missing = np.flatnonzero(out < 0)
        out[missing] = self.tokenizer.count_many(texts_of(spans, documents, missing))
        return out

    def _joined(self, a: Corpus, b: Corpus) -> Corpus:
        if not a.documents or not b.documents:
            return b if not a.documents else a
        buffers = a.buffers.fork(len(a.documents), len(a.documents) + len(b.documents))
        vocabulary = a.vocabulary.extended(b.vocabulary, buffers)
        numbers = vocabulary.numbers_of(b.vocabulary)
        stems = np.fromiter(map(vocabulary.stems.__getitem__, b.vocabulary.stems), np.int64, len(b.vocabulary.stems))
        paragraphs = len(a.paragraphs) + len(b.paragraphs)
        joined = Corpus(
            documents=(*a.documents, *b.documents),
            vocabulary=vocabulary,
            words=buffers.append("words", a.words, numbers[b.words]),
            sentences=_levels_joined("sentences", a, b, buffers),
            paragraphs=_levels_joined("paragraphs", a, b, buffers),
            titles=Titles(
                buffers.append("titles", a.titles.ids, numbers[b.titles.ids]),
                buffers.append("title_offsets", a.titles.offsets, b.titles.offsets[1:] + a.titles.offsets[-1]),
            ),
            frequencies=a.frequencies.joined(b.frequencies, numbers, stems, vocabulary),
            order=Order(
                *(
                    buffers.append(f"order.{name}", getattr(a.order, name), getattr(b.order, name))
                    for name in ("source", "named", "position")
                )
            ),
            unit=unit_for(self.unit, len(a.sentences) + len(b.sentences), paragraphs, (*a.documents, *b.documents)),
            known_words=a.known_words + b.known_words,
            postings=_postings_joined(a, b, numbers, len(vocabulary)),
            dense=_dense_joined(a, b, buffers),
            buffers=buffers,
        )
        return self._counted(joined)


def _places(spans: Segments) -> list[tuple[int, int, int]]:
    return list(zip(spans.doc.tolist(), spans.start.tolist(), spans.end.tolist(), strict=True))


def _with_tokens(corpus: Corpus, unit: str, tokens: IntArray) -> Corpus:
    if unit == "sentence":
        return replace(corpus, sentences=corpus.sentences.with_tokens(tokens))
    return replace(corpus, paragraphs=corpus.paragraphs.with_tokens(tokens))


def _by_document(texts: Sequence[str], titles: Sequence[str], owners: IntArray) -> list[str]:
    """Of each document its sentences, then its title: so that words are numbered document by document, and the words of
    two corpora read one after another are numbered as if they had been one."""
    out: list[str] = []
    bounds = owners.tolist()
    for title, first, last in zip(titles, bounds, bounds[1:], strict=False):
        out += texts[first:last]
        out.append(title)
    return out


def _parted(read: Words, owners: IntArray) -> tuple[Words, Titles]:
    """The words of the sentences, and those of the titles, of texts in the order of `_by_document`."""
    counts = np.diff(owners)
    is_title = np.zeros(len(read), np.bool_)
    is_title[np.cumsum(counts + 1) - 1] = True
    of_title = np.repeat(is_title, read.lengths)
    texts = Words(read.vocabulary, read.ids[~of_title], offsets_of(read.lengths[~is_title]))
    return texts, Titles(read.ids[of_title], offsets_of(read.lengths[is_title]))


def _levels_joined(name: str, a: Corpus, b: Corpus, buffers: GrowableArrays) -> Level:
    first, second = getattr(a, name), getattr(b, name)
    moved = replace(
        second.spans,
        doc=second.spans.doc + len(a.documents),
        parent=second.spans.parent + len(a.paragraphs),
        context=np.where(second.spans.context >= 0, second.spans.context + len(first), -1),
        heading=np.where(second.spans.heading >= 0, second.spans.heading + len(first), -1),
    )
    columns = {
        column: buffers.append(f"{name}.{column}", getattr(first.spans, column), getattr(moved, column))
        for column in _COLUMNS
    }
    offsets = buffers.append(f"{name}.offsets", first.offsets, second.offsets[1:] + first.offsets[-1])
    return Level(Segments(**columns), offsets, buffers.append(f"{name}.vectors", first.vectors, second.vectors))


def _postings_joined(a: Corpus, b: Corpus, numbers: IntArray, words: int) -> Postings | None:
    if len(a.paragraphs) + len(b.paragraphs) <= SHORTLIST:
        return None
    first, second = (c.postings or _postings(c) for c in (a, b))
    return first.extended(second, numbers, words, len(a.paragraphs))


def _postings(corpus: Corpus) -> Postings:
    paragraph = np.repeat(np.arange(len(corpus.paragraphs)), corpus.paragraphs.lengths)
    ids = corpus.words.astype(np.int64)
    return Postings.of_words(ids, paragraph, len(corpus.vocabulary), len(corpus.paragraphs))


def _dense_joined(a: Corpus, b: Corpus, buffers: GrowableArrays) -> FloatArray | None:
    """The sentence embedder's rows of both; None where one of them has none yet."""
    return None if a.dense is None or b.dense is None else buffers.append("dense", a.dense, b.dense)
