"""A pack of JSON as valid JSON: the pieces of a document that is an array or object, with their keys and counts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Literal

from fieldpack.errors import InputError
from fieldpack.packing.render import Rendered, Span
from fieldpack.text.structure.pruned import pruned_json
from fieldpack.types import Document, Segments

Form = Literal["text", "json"]
FORMS: tuple[Form, ...] = ("text", "json")
"""How documents that are JSON are written: the pieces as they stand, or valid JSON with counts of what is left out."""


def with_json(rendered: Rendered, documents: Sequence[Document], segments: Segments) -> Rendered:
    """The rendering with neighbouring pieces of one document that is a JSON array or object as valid JSON, with the
    keys around them and "kept of total" counts (`pruned_json`). They are not verbatim any more, and so have no span.
    JSON Lines, and what only begins like JSON, stand as they are."""
    out, spans = list[str](), list[Span]()
    at = length = 0

    def put(piece: str) -> None:
        nonlocal length
        out.append(piece)
        length += len(piece)

    for number, group in groupby(rendered.spans, lambda span: int(segments.doc[span.first])):
        pieces = list(group)
        value = _value(documents[number].text, pieces, segments)
        if value is None:
            spans += [s._replace(start=s.start + length - at, end=s.end + length - at) for s in pieces]
            continue
        put(rendered.text[at : pieces[0].start])
        put(value)
        at = pieces[-1].end
    put(rendered.text[at:])
    return Rendered("".join(out), tuple(spans))


def _value(text: str, pieces: Sequence[Span], segments: Segments) -> str | None:
    """The JSON of these pieces of a text, None where the text is no single JSON value."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return pruned_json(text, [(int(segments.start[p.first]), int(segments.end[p.last])) for p in sorted(pieces)])
    except InputError:
        return None
