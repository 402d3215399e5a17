"""Which documents may be pieces of one text, given in its order: chunks of a file, turns of a talk.

What stands before and after a piece says something of it, but only where the order is the text's own. Here is what ids
and metadata say; whether it is so, the field must show (`fieldpack.relevance.corpus.confirmed`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from fieldpack.types import KINDS, BoolArray, Document, IntArray, Segments

SOURCE_KEYS = ("source", "doc", "doc_id", "document_id", "file_path", "parent_id")
POSITION_KEYS = ("start_index", "pos", "position", "chunk", "chunk_index", "index", "split_id", "page")
_LAST_NUMBER = re.compile(r"\d{1,18}$")


def of_code(atoms: Segments, documents: int) -> BoolArray:
    """(t,) whether most segments of a document are code; atoms: segments of those t documents."""
    size = np.bincount(atoms.doc, minlength=documents)
    code = np.bincount(atoms.doc, atoms.kind == KINDS.index("code"), minlength=documents)
    return np.asarray(code > 0.5 * size, np.bool_)


def sequences(documents: Sequence[Document], code: BoolArray) -> tuple[IntArray, BoolArray]:
    """(t,) numbers: consecutive documents with the same number may be consecutive pieces of one text; and (t,) whether
    that is sure: they name one source in their metadata (SOURCE_KEYS) with a position (POSITION_KEYS) that rises.
    Otherwise pieces of one text have ids that are alike but for a number at the end. Documents of `code` (t,) stand
    alone unless they are surely pieces of one file: functions that happen to lie side by side say little of each other.
    """
    out, sure = np.zeros(len(documents), np.int64), np.zeros(len(documents), np.bool_)
    previous: tuple[str, str] | None = None
    positions: list[int | None] = []
    first = 0
    for i, document in enumerate([*documents, None]):
        source = _source(document) if document is not None else None
        if source != previous or document is None:
            rising = all(a is not None and b is not None and a < b for a, b in pairwise(positions))
            sure[first:i] = previous is not None and previous[0] != "id" and rising
            first, previous, positions = i, source, []
        if document is not None:
            out[i] = first
            positions.append(next((p for k in POSITION_KEYS if isinstance(p := document.metadata.get(k), int)), None))
    alone = np.flatnonzero(code & ~sure)
    out[alone] = len(documents) + alone
    return out, sure


def _source(document: Document) -> tuple[str, str]:
    for key in SOURCE_KEYS:
        source = document.metadata.get(key)
        if isinstance(source, str | int):
            return key, str(source)
    return "id", _LAST_NUMBER.sub("", document.id)
