"""The frozen records that cross the stages. One index space: segment i is row i of every array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Document:
    """A text with a name. `id` is unique in a call; `title` is shown in citations, and says what the text is about.
    `score`: of a retriever for the query of this call, any scale, the higher the better (an index does not keep it)."""

    id: str
    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    score: float | None = None

    def __post_init__(self) -> None:
        # Neither pickle nor copy.deepcopy, and so no dataclasses.asdict, takes a mapping proxy.
        if isinstance(self.metadata, MappingProxyType):
            object.__setattr__(self, "metadata", dict(self.metadata))


class Segment(NamedTuple):
    """A half-open character range of a document: `documents[s.doc].text[s.start:s.end]` is its text, always.

    `tokens` is what the text costs alone (-1: not counted yet). `kind` is one of KINDS. `parent` numbers the paragraph
    (0, 1, ... over all documents) that the segment is a part of: sentences of one paragraph share it.
    """

    doc: int
    start: int
    end: int
    tokens: int
    kind: str
    parent: int


KINDS = ("paragraph", "sentence", "heading", "code", "table", "list", "hidden")
"""hidden: of HTML that is given as a string, what a reader of the page does not see or read (navigation, footers,
sidebars, scripts); only a pin packs it."""
HIDDEN = KINDS.index("hidden")


def _rebuilt(kind: Callable[..., Any], values: dict[str, Any]) -> Any:
    return kind(**values)


class FrozenArrays:
    """A record whose arrays nobody can write to: they are made read-only when it is made, those in a dict too. Whoever
    makes the record gives its arrays away; an array of a caller's goes in as a view. A copy, and what comes out of a
    pickle, is made from the fields, and so is read-only too."""

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        record: Any = self
        return _rebuilt, (type(self), {f.name: getattr(self, f.name) for f in fields(record) if f.init})

    def __post_init__(self) -> None:
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            elif isinstance(value, dict):
                for part in value.values():
                    if not isinstance(part, np.ndarray):
                        break  # a table of words
                    part.setflags(write=False)


@dataclass(frozen=True, eq=False)
class Segments(FrozenArrays, Sequence[Segment]):
    """n segments as columns: int64 arrays (n,) sorted by (doc, start), disjoint. Indexing gives a `Segment`.

    `kind` holds indices into KINDS (int8). `context` is the segment of the same document that must be packed with each:
    its table's header row, enclosing key, log entry's first line or lead-in sentence; -1 for none. `heading` is the
    segment of the heading that each stands under (of a heading, of the one above it); -1 for none. `row` counts the
    rows of a table, the records of an array and the like from 0 (-1: elsewhere), `rows` says how many there are (0:
    elsewhere).
    """

    doc: IntArray
    start: IntArray
    end: IntArray
    tokens: IntArray
    kind: npt.NDArray[np.int8]
    parent: IntArray
    context: IntArray = None  # type: ignore[assignment]
    heading: IntArray = None  # type: ignore[assignment]
    row: IntArray = None  # type: ignore[assignment]
    rows: IntArray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        for name, nothing in (("context", -1), ("heading", -1), ("row", -1), ("rows", 0)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.full(len(self.doc), nothing, np.int64))
        super().__post_init__()

    def __len__(self) -> int:
        return len(self.doc)

    @overload
    def __getitem__(self, i: int) -> Segment: ...
    @overload
    def __getitem__(self, i: slice) -> tuple[Segment, ...]: ...
    def __getitem__(self, i: int | slice) -> Segment | tuple[Segment, ...]:
        if isinstance(i, slice):
            return tuple(self[j] for j in range(*i.indices(len(self))))
        kind = KINDS[self.kind[i]]
        return Segment._make(
            (int(self.doc[i]), int(self.start[i]), int(self.end[i]), int(self.tokens[i]), kind, int(self.parent[i]))
        )

    def __iter__(self) -> Iterator[Segment]:
        columns = (self.doc, self.start, self.end, self.tokens, self.kind, self.parent)
        for row in zip(*(c.tolist() for c in columns), strict=True):
            yield Segment._make(row)._replace(kind=KINDS[row[4]])

    def texts(self, documents: Sequence[Document]) -> list[str]:
        """The verbatim text of every segment, in row order."""
        rows = zip(self.doc.tolist(), self.start.tolist(), self.end.tolist(), strict=True)
        bodies = [d.text for d in documents]
        return [bodies[d][a:b] for d, a, b in rows]

    def text(self, documents: Sequence[Document], row: int) -> str:
        """The verbatim text of one segment."""
        return documents[int(self.doc[row])].text[int(self.start[row]) : int(self.end[row])]


class Kept(NamedTuple):
    """One segment that was packed; `score` is its calibrated relevance in [0, 1], `tokens` what it costs alone."""

    doc_id: str
    start: int
    end: int
    text: str
    tokens: int
    score: float
    reason: str


class Dropped(NamedTuple):
    """One segment that was not packed, and what would have let it in."""

    doc_id: str
    start: int
    end: int
    text: str
    tokens: int
    score: float
    reason: str
