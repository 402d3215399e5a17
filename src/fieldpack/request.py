"""What callers ask for, checked before any work: queries, budget, documents, pins. Bad input is one clear
InputError."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fieldpack.corpus.cut import Range
from fieldpack.errors import InputError
from fieldpack.text.tokens import check_string
from fieldpack.types import Document

Pin = str | tuple[str, int, int]
"""A document's id, or (id, start, end) in characters."""

Queries = str | Sequence[str | tuple[str, float]]
"""One query or several, each alone or with a weight in (0, 1]."""


Documents = str | Document | Iterable[str | Document]
"""What a caller packs: one text or several, each a string or a Document."""


@dataclass(frozen=True)
class Request:
    """One question to a packer. queries, with weights in (0, 1], none for a pack without a query; budget: tokens, at
    least 1; pins: documents, or ranges of documents, that must be in."""

    queries: tuple[str, ...]
    weights: tuple[float, ...]
    budget: int
    pins: tuple[Pin, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether there is a query."""
        return bool(self.queries)

    @property
    def shown(self) -> str | list[str] | None:
        """The queries as JSON has them: one, several, or none."""
        return (self.queries[0] if len(self.queries) == 1 else list(self.queries)) if self.asks else None

    @staticmethod
    def checked(query: Queries | None, budget: int, pins: Sequence[Pin] = ()) -> Request:
        """query None: without one. Raises InputError for a blank query, a weight or a budget out of range. Pins are
        checked against documents: see `ranges`."""
        queries, weights = ((), ()) if query is None else checked_queries(query)
        listed = (pins,) if isinstance(pins, str) else tuple(pins)
        return Request(queries, weights, checked_budget(budget), listed)

    def with_budget(self, budget: int) -> Request:
        """The same at another budget. Raises InputError for one that is none."""
        return replace(self, budget=checked_budget(budget))

    def ranges(self, documents: tuple[Document, ...]) -> list[Range]:
        """The pins as ranges of documents. Raises InputError, see `pin_ranges`."""
        return pin_ranges(self.pins, documents) if self.pins else []


def checked_queries(query: Queries) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """One or several queries, none of them blank, and their weights in (0, 1]."""
    given: list[Any] = [query] if isinstance(query, str) else list(query) if isinstance(query, Iterable) else []
    pairs: list[Any] = [(q, 1.0) if isinstance(q, str) else q for q in given]
    if not pairs or not all(isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str) for p in pairs):
        raise InputError(f"query is {query!r}; give a string, or a list of strings or of (string, weight)")
    if not all(text.strip() for text, _ in pairs):
        raise InputError("the query is empty; say what the evidence is wanted for")
    if not all(isinstance(w, int | float) and 0 < w <= 1 for _, w in pairs):
        raise InputError(f"query weights are {[w for _, w in pairs]}; allowed: above 0 and up to 1")
    for text, _ in pairs:
        check_string("the query", text)
    return tuple(p[0] for p in pairs), tuple(float(p[1]) for p in pairs)


def checked_budget(budget: int) -> int:
    """A whole number of tokens, at least 1."""
    if isinstance(budget, bool) or not isinstance(budget, int | np.integer):
        raise InputError(f"budget is {budget!r}; give a whole number of tokens, 1 or more")
    if budget < 1:
        raise InputError(f"budget is {budget}; give a whole number of tokens, 1 or more")
    return int(budget)


def named_documents(documents: Documents, first: int) -> list[str | Document]:
    """The documents, strings under their names doc-N, N counting on from `first`."""
    listed = [documents] if isinstance(documents, str | Document) else list(documents)
    return [Document(f"doc-{first + i}", d) if isinstance(d, str) else d for i, d in enumerate(listed)]


def checked_documents(documents: Documents, blank: bool = False) -> tuple[Document, ...]:
    """Documents with unique ids; strings are named doc-0, doc-1, ... blank: whether all may be without text."""
    if isinstance(documents, Mapping | bytes) or not isinstance(documents, str | Document | Iterable):
        raise InputError(f"documents is a {type(documents).__name__}; give a list of strings or of fieldpack.Document")
    given = [documents] if isinstance(documents, str | Document) else list(documents)
    if not given:
        raise InputError("no documents were given; give at least one string or Document")
    out = []
    for i, d in enumerate(given):
        if not isinstance(d, str | Document):
            raise InputError(f"document {i} is a {type(d).__name__}; give strings or fieldpack.Document(id, text)")
        out.append(Document(f"doc-{i}", d) if isinstance(d, str) else d)
    seen: dict[str, int] = {}
    for i, d in enumerate(out):
        if not isinstance(d.id, str) or not isinstance(d.text, str) or not isinstance(d.title, str):
            raise InputError(f"document {i} has an id, text or title that is not a string")
        if not isinstance(d.metadata, Mapping):
            raise InputError(f"document {d.id!r} has metadata that is a {type(d.metadata).__name__}; give a dict")
        if d.id in seen:
            raise InputError(f"documents {seen[d.id]} and {i} have the same id {d.id!r}; ids must be unique in a call")
        seen[d.id] = i
    if not blank and not any(d.text.strip() for d in out):
        raise no_text(len(out))
    return tuple(out)


def no_text(documents: int) -> InputError:
    """The error for so many documents of which none has text."""
    return InputError(f"{documents} documents and no text in them; give at least one that is not blank")


def pin_ranges(pins: Sequence[Pin], documents: tuple[Document, ...]) -> list[Range]:
    """Pins as (document number, start, end). Raises InputError for an unknown id or a range outside the text."""
    number = {d.id: k for k, d in enumerate(documents)}
    out: list[Range] = []
    for pin in [pins] if isinstance(pins, str) else pins:
        if not isinstance(pin, str) and not (isinstance(pin, tuple | list) and len(pin) == 3):
            raise InputError(f"pin {pin!r} is neither a document id nor (id, start, end)")
        name, start, end = (pin, 0, None) if isinstance(pin, str) else pin
        if not isinstance(name, str) or name not in number:
            raise InputError(f"pin {name!r} is no document id of this call; ids: {', '.join(list(number)[:8])}")
        length = len(documents[number[name]].text)
        end = length if end is None else end
        whole = isinstance(pin, str)  # a document without text asks for nothing
        if not whole and not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= length):
            raise InputError(
                f"pin ({name!r}, {start}, {end}) is no range of that document, which has {length} characters"
            )
        out.append((number[name], start, end))
    return out
