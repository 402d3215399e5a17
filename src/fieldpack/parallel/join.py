"""Parts of a corpus to one `Prepared`, the same as if all documents had been read at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack.errors import InputError
from fieldpack.pipeline import ContextPacker
from fieldpack.prepared import Prepared, merge, several
from fieldpack.relevance.corpus import corpus_of
from fieldpack.text.segment import segment
from fieldpack.text.sequence import of_code, sequences
from fieldpack.types import Document, FloatArray, IntArray, Segments
from fieldpack.words import Words, words_of

_COLUMNS = ("doc", "start", "end", "kind", "parent")


@dataclass(frozen=True, eq=False)
class Part:
    """Some documents read. doc, start, end, kind, parent (n,): their atoms, numbered from 0 in the part. sentences (n,)
    and paragraphs (g,): tokens, of length 0 where they are not wanted. ids (m,), offsets (n + 1,): the atoms' words in
    `vocabulary`; title_ids, title_offsets: those of titles, in `title_vocabulary`. dense (g, d): vectors of paragraphs,
    (0, 0) where there are none."""

    doc: IntArray
    start: IntArray
    end: IntArray
    kind: npt.NDArray[np.int8]
    parent: IntArray
    sentences: IntArray
    paragraphs: IntArray
    ids: npt.NDArray[np.int32]
    offsets: IntArray
    vocabulary: list[str]
    title_ids: npt.NDArray[np.int32]
    title_offsets: IntArray
    title_vocabulary: list[str]
    dense: FloatArray


def part_of(documents: tuple[Document, ...], packer: ContextPacker) -> Part:
    """What takes time, of some documents alone. In unit "auto" both units are counted: which it is, all decide."""
    atoms = segment(documents, "sentence")
    texts = atoms.texts(documents)
    paragraphs = merge(atoms, _starts(atoms)).texts(documents)
    words, named = words_of(texts), words_of([d.title for d in documents])
    dense = np.zeros((0, 0), np.float32)
    if packer.embedder.kind not in ("static", "cascade"):
        dense = packer.embedder.embed(paragraphs)

    def counts(unit: str, wanted: Sequence[str]) -> IntArray:
        counted = packer.tokenizer.count_many(wanted) if packer.unit in ("auto", unit) and wanted else []
        return np.asarray(counted, np.int64)

    return Part(
        **{name: getattr(atoms, name) for name in _COLUMNS},
        sentences=counts("sentence", texts),
        paragraphs=counts("paragraph", paragraphs),
        ids=words.ids,
        offsets=words.offsets,
        vocabulary=words.vocabulary,
        title_ids=named.ids,
        title_offsets=named.offsets,
        title_vocabulary=named.vocabulary,
        dense=dense,
    )


def joined(documents: tuple[Document, ...], parts: Sequence[Part], packer: ContextPacker) -> Prepared:
    """Parts in the order of their documents. Words are numbered as they would be had all texts been read in a row."""
    atoms = _atoms(documents, parts)
    if not len(atoms):
        raise InputError(f"{len(documents)} documents and no text in them; give at least one that is not blank")
    vocabulary: dict[str, int] = {}
    words = _words(vocabulary, [(p.vocabulary, p.ids, p.offsets) for p in parts])
    titles = _words(vocabulary, [(p.title_vocabulary, p.title_ids, p.title_offsets) for p in parts])
    static = packer.static
    order = sequences(documents, of_code(atoms, len(documents)))
    corpus = corpus_of(words, titles, atoms.parent, atoms.doc, order, static.word_vectors)
    sentences = several(len(atoms), len(corpus.starts)) if packer.unit == "auto" else packer.unit == "sentence"
    rows = atoms if sentences else merge(atoms, corpus.starts)
    rows = replace(rows, tokens=np.concatenate([p.sentences if sentences else p.paragraphs for p in parts]))
    full = [p.dense for p in parts if len(p.dense)]
    dense = np.concatenate(full) if full else None
    return Prepared(documents, rows, atoms.texts(documents), corpus, dense, static, sentences)


def _starts(atoms: Segments) -> IntArray:
    return np.flatnonzero(np.diff(atoms.parent, prepend=-1))


def _atoms(documents: Sequence[Document], parts: Sequence[Part]) -> Segments:
    """The atoms of all parts, with documents and paragraphs numbered through."""
    held = [len(p.title_offsets) - 1 for p in parts]
    if sum(held) != len(documents):
        raise InputError(f"the parts hold {sum(held)} documents of {len(documents)}; delete the folder and begin anew")
    first = np.cumsum([0, *held])
    groups = np.cumsum([0, *(int(p.parent[-1]) + 1 if len(p.parent) else 0 for p in parts)])

    def column(name: str, more: Sequence[int] | IntArray) -> Any:
        return np.concatenate([getattr(p, name) + at for p, at in zip(parts, more, strict=False)])

    still = [0] * len(parts)
    doc, start, end = column("doc", first), column("start", still), column("end", still)
    kind = np.concatenate([p.kind for p in parts])
    return Segments(doc, start, end, np.full(len(doc), -1, np.int64), kind, column("parent", groups))


def _words(vocabulary: dict[str, int], parts: Sequence[tuple[list[str], Any, IntArray]]) -> Words:
    """The words of all parts over one vocabulary, which grows: in order of first sight, as `words_of` numbers them."""
    ids, lengths = [], []
    for words, part, offsets in parts:
        numbers = [vocabulary.setdefault(word, len(vocabulary)) for word in words]
        ids.append(np.array(numbers, np.int32)[part] if len(part) else np.zeros(0, np.int32))
        lengths.append(np.diff(offsets))
    ends = np.append(0, np.cumsum(np.concatenate(lengths)))
    return Words(list(vocabulary), np.concatenate(ids), np.asarray(ends, np.int64))
