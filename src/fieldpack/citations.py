"""Where each piece of a packed text comes from: document, characters and lines, and where it stands in the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fieldpack.packing.render import Rendered, line_range
from fieldpack.types import Document, Segments


class Citation(NamedTuple):
    """`pack_text[text_start:text_end]` is what stands at `start` to `end` of document `doc_id`, in characters.

    number: of the document in the pack, from 1, as `cite` writes it. first_line, last_line: of the document, from 1.
    Very long white space inside a piece is shortened in the packed text.
    """

    number: int
    doc_id: str
    title: str
    start: int
    end: int
    first_line: int
    last_line: int
    text_start: int
    text_end: int


def citations_of(
    documents: Sequence[Document], segments: Segments, rendered: Rendered, cut_end: int | None = None
) -> tuple[Citation, ...]:
    """One for each verbatim piece, in the order of the packed text. cut_end: where the last piece ends in its document
    when it was cut."""
    numbers: dict[int, int] = {}
    out = []
    for span in rendered.spans:
        doc = int(segments.doc[span.first])
        number = numbers.setdefault(doc, len(numbers) + 1)
        start = int(segments.start[span.first])
        end = int(segments.end[span.last]) if cut_end is None else cut_end
        first_line, last_line = line_range(documents[doc].text, start, end)
        out.append(
            Citation(
                number=number,
                doc_id=documents[doc].id,
                title=documents[doc].title,
                start=start,
                end=end,
                first_line=first_line,
                last_line=last_line,
                text_start=span.start,
                text_end=span.end,
            )
        )
    return tuple(out)
