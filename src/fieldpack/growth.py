"""Prepared documents that grow: what is new is read, what was read stays read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fieldpack.prepared import Prepared, known_words, merge
from fieldpack.protocols import Tokenizer
from fieldpack.relevance.corpus import Corpus, confirmed, stem_of, unit
from fieldpack.room import Room
from fieldpack.text.segment import segment
from fieldpack.text.sequence import of_code, sequences
from fieldpack.text.tokens import check_text
from fieldpack.types import BoolArray, Document, FloatArray, IntArray, Segments
from fieldpack.words import Words, distinct, sums, words_of

Embed = Callable[[Sequence[str]], FloatArray]


def extended(old: Prepared, new: tuple[Document, ...], *, tokenizer: Tokenizer, embed: Embed | None) -> Prepared:
    """`old` with further documents behind it, as `prepare` would have read them all at once (words are numbered in
    another order, and ids that count up are judged in the new documents alone).

    Only the new texts are segmented, counted and embedded, and their rows put behind the old ones, where there is room
    for them (fieldpack.room); what is recomputed for all is the inverse document frequency of each word. Lists of
    texts and of words are copied. Rows stay sentences or paragraphs. The caller sees to it that ids stay unique.
    """
    check_text(new)
    atoms = segment(new, "sentence")
    documents = (*old.documents, *new)
    room = old.room.claimed(len(old.documents), len(documents))
    if not len(atoms):
        return replace(old, documents=documents, corpus=_titled(old, [d.title for d in new], room), room=room)
    texts = atoms.texts(new)
    starts = np.flatnonzero(np.diff(atoms.parent, prepend=-1))
    paragraphs = merge(atoms, starts)
    rows = atoms if old.sentences else paragraphs
    row_texts = texts if old.sentences else rows.texts(new)
    rows = replace(rows, tokens=np.asarray(tokenizer.count_many(row_texts), np.int64))
    dense = old.dense
    if dense is not None and embed is not None:
        dense = room.added("dense", dense, embed(paragraphs.texts(new)))
    out = replace(
        old,
        documents=documents,
        rows=_behind(old.rows, rows, len(old.documents), room),
        texts=[*old.texts, *texts],
        corpus=_read(old, texts, new, atoms, room),
        dense=dense,
        room=room,
    )
    # What was found of all rows is not looked for again.
    if "known_words" in vars(old):
        before = old.corpus.words.offsets[-1]
        vars(out)["known_words"] = old.known_words + known_words(old.static, _behind_of(out.corpus.words, before))
    if "numbers" in vars(old):
        vars(out)["numbers"] = old.numbers | {d.id: len(old.documents) + k for k, d in enumerate(new)}
    return out


def _behind(old: Segments, new: Segments, documents: int, room: Room) -> Segments:
    parents = int(old.parent[-1]) + 1 if len(old) else 0
    new = replace(new, doc=new.doc + documents, parent=new.parent + parents)
    names = ("doc", "start", "end", "tokens", "kind", "parent")
    return Segments(*(room.added(f"rows.{n}", getattr(old, n), getattr(new, n)) for n in names))


def _titled(old: Prepared, titles: Sequence[str], room: Room) -> Corpus:
    """With the titles of documents that hold no text."""
    corpus = old.corpus
    named = words_of(titles, known=corpus.index)
    return _grown(old, named.vocabulary, corpus.words, _more(corpus.titles, named, "titles", room), room)


def _more(old: Words, new: Words, name: str, room: Room) -> Words:
    ends = new.offsets[1:] + old.offsets[-1]
    ids, offsets = f"{name}.ids", f"{name}.offsets"
    return Words(new.vocabulary, room.added(ids, old.ids, new.ids), room.added(offsets, old.offsets, ends))


def _grown(prepared: Prepared, vocabulary: list[str], words: Words, titles: Words, room: Room) -> Corpus:
    """The old corpus over a longer vocabulary: vectors, stems and index of the new words."""
    old = prepared.corpus
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
        direction=room.added("direction", old.direction, vectors / np.maximum(weight, 1e-9)[:, None]),
        weight=room.added("weight", old.weight, weight),
        stem=room.added("stem", old.stem, stem),
        stems=stems,
        index=index,
        idf=np.concatenate([old.idf, np.full(len(fresh), unseen)]),
        stem_idf=np.concatenate([old.stem_idf, np.full(len(stems) - len(old.stem_idf), unseen)]),
    )


def _read(old: Prepared, texts: list[str], new: tuple[Document, ...], atoms: Segments, room: Room) -> Corpus:
    """The corpus with the new atoms behind the old ones."""
    corpus = old.corpus
    both = words_of([*texts, *(d.title for d in new)], known=corpus.index)
    fresh, named = _first(both, len(texts)), _after(both, len(texts))
    words, titles = _more(corpus.words, fresh, "words", room), _more(corpus.titles, named, "titles", room)
    grown = _grown(old, both.vocabulary, words, titles, room)
    before, groups = len(corpus), len(corpus.starts)
    starts = np.flatnonzero(np.diff(atoms.parent, prepend=-1))
    seen = np.repeat(atoms.parent, fresh.lengths)
    total = groups + len(starts)
    raw = _sums(grown, fresh)
    out = replace(
        grown,
        starts=room.added("starts", corpus.starts, starts + before),
        group=room.added("group", corpus.group, atoms.parent + groups),
        document=room.added("document", corpus.document, atoms.doc[starts] + len(old.documents)),
        idf=_idf(grown.idf, groups, fresh.ids.astype(np.int64), seen, total),
        stem_idf=_idf(grown.stem_idf, groups, grown.stem[fresh.ids], seen, total),
        raw=room.added("raw", corpus.raw, raw),
        unseen_idf=float(np.log1p((total + 0.5) / 0.5)),
        taken=room.added("taken", corpus.taken, np.arange(before, before + len(atoms))),
    )
    vars(out)["groups"] = room.added("groups", corpus.groups, unit(np.add.reduceat(raw, starts)))
    if "postings" in vars(corpus):
        vars(out)["postings"] = _posted(corpus, fresh.ids.astype(np.int64), seen + groups, total, len(grown.idf))
    numbers, sure = _sequence(old, new, atoms, out)
    return replace_keeping(out, confirmed(numbers, sure, out))


def _first(words: Words, count: int) -> Words:
    return Words(words.vocabulary, words.ids[: words.offsets[count]], words.offsets[: count + 1])


def _after(words: Words, count: int) -> Words:
    start = words.offsets[count]
    return Words(words.vocabulary, words.ids[start:], words.offsets[count:] - start)


def _sums(corpus: Corpus, words: Words) -> FloatArray:
    """Sums of word vectors, of which only those at hand are made."""
    here = distinct(words.ids)
    return sums(corpus.direction[here] * corpus.weight[here, None], _compact(words, here))


def _compact(words: Words, here: IntArray) -> Words:
    """The same texts over the words `here` alone."""
    ids = np.searchsorted(here, words.ids).astype(np.int32)
    return Words([words.vocabulary[i] for i in here.tolist()], ids, words.offsets)


def _behind_of(words: Words, first: int) -> Words:
    """The words from the `first` on as one text, over themselves alone."""
    part = Words(words.vocabulary, words.ids[first:], np.array([0, len(words.ids) - first]))
    return _compact(part, distinct(part.ids))


def _posted(corpus: Corpus, ids: IntArray, group: IntArray, total: int, size: int) -> tuple[IntArray, IntArray]:
    """The postings with those of new groups, which come last in the list of each word."""
    ptr, groups = corpus.postings
    pairs = distinct(ids * total + group)
    word = pairs // total
    ends = np.append(ptr[1:], np.full(size + 1 - len(ptr), ptr[-1]))
    grown = np.append(0, ends + np.cumsum(np.bincount(word, minlength=size)))
    return grown, np.insert(groups, ends[word], pairs % total)


def replace_keeping(corpus: Corpus, sequence: IntArray) -> Corpus:
    """`corpus` with another sequence, its unit rows and postings kept."""
    out = replace(corpus, sequence=sequence)
    vars(out).update({name: vars(corpus)[name] for name in ("groups", "postings") if name in vars(corpus)})
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
    code = np.append(of_code(_last(old.rows, count), 1), of_code(atoms, len(new)))
    found, certain = sequences((old.documents[-1], *new), code)
    last = int(before[-1]) if len(before) and int(old.corpus.document[-1]) == count - 1 else count - 1
    number = np.where(found == 0, last, found + count - 1)
    place = corpus.document[len(before) :] - (count - 1)
    sure = np.concatenate([np.ones(len(before), np.bool_), certain[place]])
    return np.concatenate([before, number[place]]), sure


def _last(rows: Segments, documents: int) -> Segments:
    """The segments of the last document, numbered 0."""
    part = slice(int(np.searchsorted(rows.doc, documents - 1)), len(rows))
    columns = (rows.start, rows.end, rows.tokens, rows.kind, rows.parent)
    return Segments(rows.doc[part] * 0, *(c[part] for c in columns))  # type: ignore[arg-type]
