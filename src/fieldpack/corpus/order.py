"""Which documents may be pieces of one text, given in its order: chunks of a file, turns of a talk.

What stands before and after a piece says something of it, but only where the order is the text's own. Ids and metadata
give candidates; where they are not sure, the vectors must confirm the order (`confirmed`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from fieldpack.arrays import unit
from fieldpack.types import KINDS, BoolArray, Document, FloatArray, FrozenArrays, IntArray, Segments

SOURCE_KEYS = ("source", "doc", "doc_id", "document_id", "file_path", "parent_id")
POSITION_KEYS = ("start_index", "pos", "position", "chunk", "chunk_index", "index", "split_id", "page")
_LAST_NUMBER = re.compile(r"\d{1,18}$")
_NO_POSITION = np.iinfo(np.int64).min
_MIN_WORDS, _MIN_PAIRS, _MIN_Z = 6, 12, 2.5
"""Words of a paragraph whose vector says something; neighbouring pairs, and standard errors above chance, that show an
order."""
_STEPS = (1, 2, 3)
_BLOCK = 16_384
"""Rows whose vectors are compared at once."""
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Order(FrozenArrays):
    """What each of t documents says of its place. source (t,): a hash of the source that it names, or of its id without
    a number at the end; named (t,): whether its metadata names the source; position (t,): the place it gives, or
    the least integer when it gives none."""

    source: IntArray
    named: BoolArray
    position: IntArray

    @staticmethod
    def of_documents(documents: Sequence[Document]) -> Order:
        """Read from SOURCE_KEYS and POSITION_KEYS of the metadata, else from the ids."""
        keys = [_source(d) for d in documents]
        hashes = {key: _hash("\0".join(key)) for key in dict.fromkeys(keys)}
        return Order(
            np.array([hashes[key] for key in keys], np.int64),
            np.array([name != "id" for name, _ in keys], np.bool_),
            np.array([_position(d) for d in documents], np.int64),
        )

    def runs(self, code: BoolArray) -> Runs:
        """Consecutive documents of one source. Documents of `code` (t,) stand alone unless they are surely pieces of
        one file: functions that happen to lie side by side say little of each other."""
        count = len(self.source)
        if not count:
            return Runs(np.zeros(0, np.int64), np.zeros(0, np.bool_))
        first = np.flatnonzero(np.append(True, self.source[1:] != self.source[:-1]))
        run = np.repeat(np.arange(len(first)), np.diff(np.append(first, count)))
        rises = np.ones(count, np.bool_)
        rises[1:] = (self.position[:-1] > _NO_POSITION) & (self.position[1:] > self.position[:-1])
        rises[first] = True
        sure = np.logical_and.reduceat(rises & self.named, first)[run]
        label = 2 * first[run]
        alone = code & ~sure
        label[alone] = 2 * np.flatnonzero(alone) + 1
        return Runs(label, sure)


@dataclass(frozen=True, eq=False)
class Runs:
    """label (t,) >= 0: consecutive documents with one label may be consecutive pieces of one text; sure (t,): whether
    their metadata says so, by a named source and rising positions."""

    label: IntArray
    sure: BoolArray


def code_documents(spans: Segments, documents: int) -> BoolArray:
    """(t,) whether most segments of a document are code. spans: segments of those t documents."""
    size = np.bincount(spans.doc, minlength=documents)
    code = np.bincount(spans.doc, spans.kind == KINDS.index("code"), minlength=documents)
    return np.asarray(code > 0.5 * size, np.bool_)


def confirmed(runs: Runs, document: IntArray, words: IntArray, vectors: FloatArray) -> IntArray:
    """(g,) labels of g paragraphs: consecutive ones with one label stand one after another in a text.

    document (g,): whose a paragraph is; words (g,): how many it has; vectors (g, d): unit rows. Runs that are not sure
    fall apart into single documents unless the vectors show an order: pieces 1 to 3 places apart are more alike than
    any two, by more than _MIN_Z standard errors of the mean. (On labelled sets texts in order are 2.5 to 20 standard
    errors above, shuffled ones -2 to 2.)
    """
    label, sure = runs.label[document], runs.sure[document]
    apart = np.where(sure, label, 2 * document)
    at = np.flatnonzero(~sure & (words >= _MIN_WORDS))
    # Without neighbours of one label there is nothing to confirm, and no vector is read.
    firsts = [_together(label[at], document[at], k) for k in _STEPS]
    if not any(map(len, firsts)):
        return apart
    pairs, total = _in_order(vectors, at, firsts)
    chance = (float(total @ total) - len(at)) / max(len(at) * (len(at) - 1), 1)
    if len(pairs) < _MIN_PAIRS or pairs.mean() - chance < _MIN_Z * pairs.std() / np.sqrt(len(pairs)):
        return apart
    return label


def _in_order(vectors: FloatArray, at: IntArray, firsts: list[IntArray]) -> tuple[Float64, Float64]:
    """Of the rows `at` of the vectors, less their mean and scaled to length 1: the similarities of pairs 1 to 3 places
    apart, whose first ones (k,) are given for each distance, and the sum (d,) of all. A block at a time: of a million
    rows, one table is a gigabyte."""
    blocks = range(0, len(at), _BLOCK)
    mean = sum(vectors[at[k : k + _BLOCK]].sum(0, dtype=np.float64) for k in blocks) / len(at)
    pairs, total = [], np.zeros(vectors.shape[1])
    for start in blocks:
        rows = unit(vectors[at[start : start + _BLOCK + max(_STEPS)]] - mean.astype(np.float32))
        total += rows[:_BLOCK].sum(0, dtype=np.float64)
        for k, of_step in zip(_STEPS, firsts, strict=True):
            a, b = of_step.searchsorted([start, start + _BLOCK])
            first = of_step[a:b] - start
            pairs.append(np.einsum("nd,nd->n", rows[first], rows[first + k]))
    return np.concatenate(pairs).astype(np.float64), total


def _together(label: IntArray, document: IntArray, k: int) -> IntArray:
    """Rows that are of one label with the row k places behind, and of another document."""
    return np.flatnonzero((label[k:] == label[:-k]) & (document[k:] != document[:-k]))


def of_rows(label: IntArray, rows: IntArray) -> IntArray:
    """Labels (g,) of some `rows` (k,), ascending: rows that are taken without what stood between them are no neighbours
    any more."""
    gap = (np.diff(rows, prepend=rows[:1]) != 1).cumsum()
    return np.asarray(label[rows] * (len(rows) + 1) + gap, np.int64)


def _source(document: Document) -> tuple[str, str]:
    for key in SOURCE_KEYS if document.metadata else ():
        source = document.metadata.get(key)
        if isinstance(source, str | int):
            return key, str(source)
    return "id", _LAST_NUMBER.sub("", document.id)


def _position(document: Document) -> int:
    if not document.metadata:
        return _NO_POSITION
    place = next((p for k in POSITION_KEYS if isinstance(p := document.metadata.get(k), int)), None)
    return _NO_POSITION if place is None else max(min(int(place), 2**63 - 1), _NO_POSITION + 1)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)
