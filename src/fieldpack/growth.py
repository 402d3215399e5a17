"""Prepared documents that grow: what is new is read, what was read stays read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fieldpack.prepared import Prepared, merge
from fieldpack.protocols import Tokenizer
from fieldpack.relevance.corpus import Corpus, confirmed, stem_of, unit
from fieldpack.text.segment import segment
from fieldpack.text.sequence import of_code, sequences
from fieldpack.text.tokens import check_text
from fieldpack.types import BoolArray, Document, FloatArray, IntArray, Segments
from fieldpack.words import Words, distinct, sums, words_of

Embed = Callable[[Sequence[str]], FloatArray]


def extended(old: Prepared, new: tuple[Document, ...], *, tokenizer: Tokenizer, embed: Embed | None) -> Prepared:
    """`old` with further documents behind it, as `prepare` would have read them all at once (words are numbered in
    another order, and ids that count up are judged in the new documents alone).

    Only the new texts are segmented, counted and embedded; the inverse document frequencies are those of all. The old
    arrays are copied, not read. Rows stay sentences or paragraphs. The caller sees to it that ids stay unique.
    """
    check_text(new)
    atoms = segment(new, "sentence")
    documents = (*old.documents, *new)
    if not len(atoms):
        return replace(old, documents=documents, corpus=_titled(old.corpus, [d.title for d in new], old))
    texts = atoms.texts(new)
    starts = np.flatnonzero(np.diff(atoms.parent, prepend=-1))
    paragraphs = merge(atoms, starts)
    rows = atoms if old.sentences else paragraphs
    row_texts = texts if old.sentences else rows.texts(new)
    rows = replace(rows, tokens=np.asarray(tokenizer.count_many(row_texts), np.int64))
    dense = old.dense
    if dense is not None and embed is not None:
        dense = np.concatenate([dense, embed(paragraphs.texts(new))])
    corpus = _read(old, texts, new, atoms)
    return replace(
        old,
        documents=documents,
        rows=_behind(old.rows, rows, len(old.documents)),
        texts=[*old.texts, *texts],
        corpus=corpus,
        dense=dense,
    )


def _behind(old: Segments, new: Segments, documents: int) -> Segments:
    parents = int(old.parent[-1]) + 1 if len(old) else 0
    return Segments(
        np.concatenate([old.doc, new.doc + documents]),
        np.concatenate([old.start, new.start]),
        np.concatenate([old.end, new.end]),
        np.concatenate([old.tokens, new.tokens]),
        np.concatenate([old.kind, new.kind]),
        np.concatenate([old.parent, new.parent + parents]),
    )


def _titled(old: Corpus, titles: Sequence[str], prepared: Prepared) -> Corpus:
    """With the titles of documents that hold no text."""
    named = words_of(titles, old.words.vocabulary)
    return _grown(old, named.vocabulary, _more(old.words, named, True), _more(old.titles, named), prepared)


def _more(old: Words, new: Words, none: bool = False) -> Words:
    if none:
        return Words(new.vocabulary, old.ids, old.offsets)
    ids = np.concatenate([old.ids, new.ids])
    return Words(new.vocabulary, ids, np.concatenate([old.offsets, new.offsets[1:] + old.offsets[-1]]))


def _grown(old: Corpus, vocabulary: list[str], words: Words, titles: Words, prepared: Prepared) -> Corpus:
    """`old` over a longer vocabulary: vectors, stems and index of the new words."""
    fresh = vocabulary[len(old.idf) :]
    vectors = prepared.static.word_vectors(fresh) if fresh else np.zeros((0, old.direction.shape[1]), np.float32)
    weight = np.sqrt(np.einsum("ud,ud->u", vectors, vectors)).astype(np.float32)
    stems = dict(old.stems)
    stem = np.array([stems.setdefault(stem_of(w), len(stems)) for w in fresh], np.int64)
    index = dict(old.index)
    index.update((w, len(old.idf) + k) for k, w in enumerate(fresh))
    unseen = np.float32(old.unseen_idf)
    return replace(
        old,
        words=Words(vocabulary, words.ids, words.offsets),
        titles=Words(vocabulary, titles.ids, titles.offsets),
        direction=np.concatenate([old.direction, vectors / np.maximum(weight, 1e-9)[:, None]]),
        weight=np.concatenate([old.weight, weight]),
        stem=np.concatenate([old.stem, stem]),
        stems=stems,
        index=index,
        idf=np.concatenate([old.idf, np.full(len(fresh), unseen)]),
        stem_idf=np.concatenate([old.stem_idf, np.full(len(stems) - len(old.stem_idf), unseen)]),
    )


def _read(old: Prepared, texts: list[str], new: tuple[Document, ...], atoms: Segments) -> Corpus:
    """The corpus with the new atoms behind the old ones."""
    corpus = old.corpus
    read = words_of(texts, corpus.words.vocabulary)
    named = words_of([d.title for d in new], read.vocabulary)
    fresh = Words(named.vocabulary, read.ids, read.offsets)
    titles = _more(Words(named.vocabulary, corpus.titles.ids, corpus.titles.offsets), named)
    grown = _grown(corpus, named.vocabulary, _more(corpus.words, fresh), titles, old)
    before, groups = len(corpus), len(corpus.starts)
    starts = np.flatnonzero(np.diff(atoms.parent, prepend=-1))
    seen = np.repeat(atoms.parent, read.lengths)
    total = groups + len(starts)
    raw = sums(grown.direction * grown.weight[:, None], fresh)
    out = replace(
        grown,
        starts=np.concatenate([corpus.starts, starts + before]),
        group=np.concatenate([corpus.group, atoms.parent + groups]),
        document=np.concatenate([corpus.document, atoms.doc[starts] + len(old.documents)]),
        idf=_idf(grown.idf, groups, read.ids.astype(np.int64), seen, total),
        stem_idf=_idf(grown.stem_idf, groups, grown.stem[read.ids], seen, total),
        raw=np.concatenate([corpus.raw, raw]),
        unseen_idf=float(np.log1p((total + 0.5) / 0.5)),
        taken=np.arange(before + len(atoms)),
    )
    vars(out)["groups"] = np.concatenate([corpus.groups, unit(np.add.reduceat(raw, starts))])
    numbers, sure = _sequence(old, new, atoms, out)
    return replace_keeping(out, confirmed(numbers, sure, out))


def replace_keeping(corpus: Corpus, sequence: IntArray) -> Corpus:
    """`corpus` with another sequence, its unit rows kept."""
    out = replace(corpus, sequence=sequence)
    vars(out)["groups"] = corpus.groups
    return out


def _idf(old: FloatArray, groups: int, ids: IntArray, seen: IntArray, total: int) -> FloatArray:
    """BM25's idf after more groups. The old frequencies follow from it: idf = log((g + 1) / (df + .5))."""
    df = np.rint((groups + 1) / np.exp(old.astype(np.float64)) - 0.5)
    pairs = distinct(seen * len(old) + ids)
    df += np.bincount(pairs % len(old), minlength=len(old))
    return np.log1p((total - df + 0.5) / (df + 0.5)).astype(np.float32)


def _sequence(old: Prepared, new: tuple[Document, ...], atoms: Segments, corpus: Corpus) -> tuple[IntArray, BoolArray]:
    """(g,) numbers of all groups, and which are sure: the last old document may go on in the new ones."""
    count, before = len(old.documents), old.corpus.sequence
    code = np.append(of_code(old.rows, count)[-1:], of_code(atoms, len(new)))
    found, certain = sequences((old.documents[-1], *new), code)
    last = int(before[-1]) if len(before) and int(old.corpus.document[-1]) == count - 1 else count - 1
    number = np.where(found == 0, last, found + count - 1)
    place = corpus.document[len(before) :] - (count - 1)
    sure = np.concatenate([np.ones(len(before), np.bool_), certain[place]])
    return np.concatenate([before, number[place]]), sure
