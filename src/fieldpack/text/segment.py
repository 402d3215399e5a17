"""Documents to segments: half-open character ranges, sorted, disjoint, covering all that is not white space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from fieldpack.errors import SettingsError
from fieldpack.text.row_numbers import RowNumbers
from fieldpack.text.structure.builder import MAX_CHARS
from fieldpack.text.structure.detect import format_of, names_a_document
from fieldpack.text.structure.model import BLOCK, BOILERPLATE, CODE, HEADING, LEAD, MARK, PARAGRAPH, SENTENCE, Structure
from fieldpack.text.structure.reader import READERS, Named, normalised, read_structure, read_structures
from fieldpack.types import HIDDEN, BoolArray, Document, IntArray, Segments

__all__ = ["MAX_CHARS", "READERS", "kind_of", "segment", "structure_of"]


_PATHS = ("path", "file_path", "source")


def kind_of(document: Document) -> str:
    """What metadata["kind"] says when it is one of READERS, else what the text looks like."""
    kind = document.metadata.get("kind")
    return kind if isinstance(kind, str) and kind in READERS else format_of(normalised(document.text), _name(document))


def _name(document: Document) -> str:
    """The name that may say what a document is: a path in its metadata, else its id. The path of a record is that of
    the file it stands in, which says nothing of its text."""
    is_record = "line" in document.metadata or "record" in document.metadata
    for key in () if is_record else _PATHS:
        path = document.metadata.get(key)
        if isinstance(path, str):
            return path
    return document.id if names_a_document(document.id) else ""


def structure_of(document: Document, max_chars: int = MAX_CHARS) -> Structure:
    """The structure of a document, by the kind and the path in its metadata and by its text."""
    text, name, kind = _named(document)
    return read_structure(text, name=name, kind=kind, max_chars=max_chars)


def segment(
    documents: Sequence[Document], unit: Literal["paragraph", "sentence"] = "paragraph", max_chars: int = MAX_CHARS
) -> Segments:
    """All segments of all documents, by paragraph or by sentence, with tokens = -1.

    `documents[s.doc].text[s.start:s.end]` starts and ends on a character that is not white space. `parent` numbers the
    paragraphs over all documents and is the same in both units: sentences refine paragraphs, nothing else changes.
    Prose is cut at `max_chars` (sentence ends first). Lists, tables, records, logs and settings are cut at their items
    and lines, code between its statements; a block of code of fewer than 40 lines is one segment. A small list or
    table is one paragraph, a longer one a paragraph per item or row. A heading is part of the paragraph that it heads.

    Raises SettingsError for an unknown unit or a limit below 1.
    """
    if unit not in ("paragraph", "sentence"):
        raise SettingsError(f"unknown unit {unit!r}; allowed: 'paragraph', 'sentence'")
    if max_chars < 1:
        raise SettingsError(f"max_chars={max_chars}: at least 1")
    structure = read_structures(map(_named, documents), max_chars)
    parent = _paragraphs(structure, max_chars)
    first = _first_atoms(structure, parent, unit)
    last = np.append(first, len(structure))[1:] - 1
    numbers = RowNumbers(structure.row, structure.rows).grouped(first)
    kind = _with_hidden(structure)
    return Segments(
        doc=structure.document[first],
        start=structure.start[first],
        end=structure.end[last],
        tokens=np.full(len(first), -1, np.int64),
        kind=_kinds(structure, kind, first, last) if unit == "paragraph" else kind[first],
        parent=parent[first],
        context=_rows_named(structure.context, first),
        heading=_rows_named(structure.section, first),
        row=numbers.row,
        rows=numbers.rows,
    )


def _named(document: Document) -> Named:
    kind = document.metadata.get("kind")
    return Named(document.text, _name(document), kind if isinstance(kind, str) else "")


def _first_atoms(structure: Structure, parent: IntArray, unit: str) -> IntArray:
    """The first atom of each segment. parent (n,): the paragraph of each atom."""
    begins = np.ones(len(structure), np.bool_)
    begins[1:] = parent[1:] != parent[:-1]
    if unit == "sentence":
        code = (structure.kind == CODE) & (structure.blocks.kind[structure.block] == BLOCK["code"])
        if code.any():
            whole = structure.atomic
            begins[1:] |= ~code[1:] | (whole[1:] < 0) | (whole[1:] != whole[:-1])
        else:
            begins[:] = True
    return np.flatnonzero(begins)


def _rows_named(atoms: IntArray, first: IntArray) -> IntArray:
    """(rows,) the row that holds the atom which each row's first atom names, -1 for none and for its own. atoms (n,):
    the atom named by each; first: the first atom of each row."""
    atom = atoms[first]
    row = np.where(atom >= 0, np.searchsorted(first, np.maximum(atom, 0), "right") - 1, -1)
    return np.where(row == np.arange(len(first)), -1, row).astype(np.int64)


def _with_hidden(structure: Structure) -> npt.NDArray[np.int8]:
    """(n,) the kind of each atom, HIDDEN for what a page hides; a page that hides all its words hides none."""
    blocks = structure.blocks
    element = ((blocks.flags & BOILERPLATE) != 0) & (blocks.kind == BLOCK["element"])
    if not element.any():
        return structure.kind
    hidden = element[structure.block]
    visible = np.bincount(structure.document, ~hidden & (structure.role != MARK), int(structure.document[-1]) + 1) > 0
    return np.where(hidden & visible[structure.document], HIDDEN, structure.kind).astype(np.int8)


def _kinds(structure: Structure, kinds: npt.NDArray[np.int8], first: IntArray, last: IntArray) -> npt.NDArray[np.int8]:
    """The kind of each paragraph: that of its first atom that is no heading. kinds (n,): of the atoms."""
    kind = kinds[first]
    for at in np.flatnonzero((kind == HEADING) & (last > first)).tolist():
        below = structure.kind[first[at] : last[at] + 1]
        below = below[below != HEADING]
        kind[at] = below[0] if len(below) else HEADING
    kind[kind == SENTENCE] = PARAGRAPH
    return kind


def _paragraphs(structure: Structure, max_chars: int) -> IntArray:
    """(n,) numbers of paragraphs: units; a heading goes with what it heads, a lead-in with its list, marks with the
    paragraph above."""
    unit = structure.unit
    first = np.flatnonzero(np.diff(unit, prepend=-1))
    last = np.append(first, len(unit))[1:] - 1
    role, kind = structure.role, structure.kind
    joined = np.zeros(len(first), np.bool_)
    marks = (role[first[1:]] == MARK) & (kind[first[1:]] == SENTENCE) & (kind[last[:-1]] == SENTENCE)
    document = structure.document[first]
    joined[1:] = _joins(structure, first, last, max_chars) | (marks & (document[1:] == document[:-1]))
    return (np.cumsum(~joined, dtype=np.int64) - 1)[unit]


def _joins(structure: Structure, first: IntArray, last: IntArray, max_chars: int) -> BoolArray:
    """(units - 1,) whether each unit after the first continues the one before it."""
    heading = structure.kind[first] == HEADING
    section = structure.section[first]
    deeper: npt.NDArray[np.bool_] = heading[:-1] & (section[1:] == first[:-1])
    led = (structure.role[last[:-1]] == LEAD) & (structure.context[first[1:]] == last[:-1])
    fits = structure.end[last[1:]] - structure.start[first[:-1]] <= max_chars
    return np.asarray((deeper & (structure.role[first[1:]] != MARK)) | (led & fits), np.bool_)
