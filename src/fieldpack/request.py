"""What callers ask for, checked before any work: queries, budget, documents, pins. Bad input is one clear
InputError."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np

from fieldpack.checks import MOST_TOKENS, shown
from fieldpack.corpus.cut import Range
from fieldpack.document_forms import DocumentForm, document_of, is_document
from fieldpack.errors import InputError
from fieldpack.relevance.outside import ScoreRange
from fieldpack.text.tokens import check_string
from fieldpack.types import Document

Pin = str | tuple[str, int, int]
"""A document's id, or (id, start, end) in characters."""

Queries = str | Sequence[str | tuple[str, float]]
"""One query or several, each alone or with a weight in (0, 1]."""

Scores = Mapping[Pin, float] | Sequence[float | None]
"""Numbers of any scale, the higher the better: by document id or (id, start, end), or one for each document in order
(None for one without)."""

Documents = DocumentForm | Iterable[DocumentForm]
"""What a caller packs: one document or several, see `fieldpack.document_forms`."""
_MOST_SCORE = 1e300


class RequestOptions(TypedDict, total=False):
    """What may be said of one pack beside query, documents and budget.

    pins: document ids, or (id, start, end) in characters; they are in whatever their relevance. scores: of a retriever
    or reranker, see Scores; in place of the documents' own (`Document.score`). enough: in place of the packer's.
    """

    pins: Sequence[Pin]
    scores: Scores | None
    enough: float | None


@dataclass(frozen=True)
class Request:
    """One question to a packer. queries, with weights in (0, 1], none for a pack without a query; budget: tokens, at
    least 1; pins: documents, or ranges of documents, that must be in. scores: from outside, None for none. enough: in
    (0, 1], None for the packer's."""

    queries: tuple[str, ...]
    weights: tuple[float, ...]
    budget: int
    pins: tuple[Pin, ...] = ()
    scores: Scores | None = None
    enough: float | None = None

    @property
    def asks(self) -> bool:
        """Whether there is a query."""
        return bool(self.queries)

    @property
    def shown(self) -> str | list[str] | None:
        """The queries as JSON has them: one, several, or none."""
        return (self.queries[0] if len(self.queries) == 1 else list(self.queries)) if self.asks else None

    @staticmethod
    def checked(
        query: Queries | None,
        budget: int,
        pins: Sequence[Pin] = (),
        scores: Scores | None = None,
        enough: float | None = None,
    ) -> Request:
        """query None: without one. Raises InputError for a blank query, a weight, a budget, a score or `enough` out of
        range. Pins and scores are checked against documents: see `ranges` and `score_ranges`."""
        queries, weights = ((), ()) if query is None else checked_queries(query)
        listed = (pins,) if isinstance(pins, str) else tuple(pins)
        if enough is not None:
            checked_enough(enough)
        known = checked_scores(scores)
        return Request(queries, weights, checked_budget(budget), pins=listed, scores=known, enough=enough)

    def with_budget(self, budget: int) -> Request:
        """The same at another budget. Raises InputError for one that is none."""
        return replace(self, budget=checked_budget(budget))

    def ranges(self, documents: tuple[Document, ...]) -> list[Range]:
        """The pins as ranges of documents. Raises InputError, see `pin_ranges`."""
        return pin_ranges(self.pins, documents) if self.pins else []

    def with_scores_of(self, documents: Iterable[Document]) -> Request:
        """The same with the documents' own scores, where the caller gave none."""
        own: dict[Pin, float] = {d.id: d.score for d in documents if d.score is not None}
        return self if self.scores is not None or not own else replace(self, scores=own)

    def with_scores_among(self, documents: Sequence[Document]) -> Request:
        """The same with the scores of these documents alone, of a stream of more. Raises InputError for scores by
        position: documents of a stream have none."""
        if self.scores is None:
            return self.with_scores_of(documents)
        if not isinstance(self.scores, Mapping):
            raise InputError("scores of a stream go by id: give a mapping {id: score}, or Document(..., score=...)")
        ids = {d.id for d in documents}
        known = {key: s for key, s in self.scores.items() if (key if isinstance(key, str) else key[0]) in ids}
        return replace(self, scores=known)

    def score_ranges(self, documents: tuple[Document, ...]) -> list[ScoreRange]:
        """The scores as ranges of documents. Raises InputError for another number of scores than of documents, an
        unknown id, and a range outside its text."""
        if self.scores is None:
            return []
        if isinstance(self.scores, Mapping):
            ranges = _ranges("score", list(self.scores), documents)
            values: list[float] = list(self.scores.values())
            pairs = zip(ranges, values, strict=True)
            return [ScoreRange(doc, start, end, float(v)) for (doc, start, end), v in pairs]
        if len(self.scores) != len(documents):
            raise InputError(
                f"{len(self.scores)} scores for {len(documents)} documents; give one for each document in order (None "
                "for one without), or a mapping {id: score}"
            )
        each = zip(documents, self.scores, strict=True)
        return [ScoreRange(k, 0, len(d.text), float(s)) for k, (d, s) in enumerate(each) if s is not None]


def checked_queries(query: Queries) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """One or several queries, none of them blank, and their weights in (0, 1]."""
    given: list[Any] = [query] if isinstance(query, str) else list(query) if isinstance(query, Iterable) else []
    pairs: list[Any] = [(q, 1.0) if isinstance(q, str) else q for q in given]
    if not pairs or not all(isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str) for p in pairs):
        raise InputError(f"query is {shown(query)}; give a string, or a list of strings or of (string, weight)")
    if not all(text.strip() for text, _ in pairs):
        raise InputError("the query is empty; say what the evidence is wanted for")
    if not all(isinstance(w, int | float) and 0 < w <= 1 for _, w in pairs):
        raise InputError(f"query weights are {shown([w for _, w in pairs])}; allowed: above 0 and up to 1")
    for text, _ in pairs:
        check_string("the query", text)
    return tuple(p[0] for p in pairs), tuple(float(p[1]) for p in pairs)


def checked_budget(budget: int) -> int:
    """A whole number of tokens, at least 1."""
    if isinstance(budget, bool) or not isinstance(budget, int | np.integer):
        raise InputError(f"budget is {shown(budget)}; give a whole number of tokens, 1 or more")
    most = f"{MOST_TOKENS:,}"
    if not 1 <= budget <= MOST_TOKENS:
        raise InputError(f"budget is {shown(budget)}; give a whole number of tokens, 1 or more, at most {most}")
    return int(budget)


def checked_enough(enough: float) -> float:
    """A number above 0 and up to 1."""
    if isinstance(enough, bool) or not isinstance(enough, int | float) or not 0 < enough <= 1:
        raise InputError(f"enough is {enough!r}; give a number above 0 and up to 1 (1 fills the budget)")
    return float(enough)


def checked_scores(scores: Scores | None) -> Scores | None:
    """A copy of the scores, all of them finite numbers."""
    if scores is None:
        return None
    if isinstance(scores, np.ndarray):
        scores = scores.tolist()
    if isinstance(scores, str | bytes) or not isinstance(scores, Mapping | Sequence):
        raise InputError(
            f"scores is a {type(scores).__name__}; give a list with one number for each document, or a mapping "
            "{id: number} or {(id, start, end): number}"
        )
    if isinstance(scores, Mapping):
        return {key: check_score(value, f"the score of {key!r}") for key, value in scores.items()}
    return tuple(None if s is None else check_score(s, f"score {k}") for k, s in enumerate(scores))


def check_score(value: Any, name: str) -> float:
    """A finite number. Raises InputError."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or abs(value) > _MOST_SCORE:
        raise InputError(
            f"{name} is {value!r}; give a finite number (any scale, the higher the better), or leave it out"
        )
    return float(value)


def named_documents(documents: Documents, first: int) -> list[Document]:
    """The documents, those without an id under the names doc-N, N counting on from `first`. Raises InputError for what
    is no document."""
    if isinstance(documents, bytes) or not (is_document(documents) or isinstance(documents, Iterable)):
        raise InputError(f"documents is a {type(documents).__name__}; give a list of strings or of fieldpack.Document")
    listed: list[Any] = [documents] if is_document(documents) else list(documents)  # type: ignore[arg-type]
    return [document_of(d, first + i) for i, d in enumerate(listed)]


def checked_documents(documents: Documents) -> tuple[Document, ...]:
    """Documents with unique ids; those without one are named doc-0, doc-1, ... None of them, or none with text, is no
    error: a search that finds nothing gives an empty pack."""
    out = named_documents(documents, 0)
    seen: dict[str, int] = {}
    for i, d in enumerate(out):
        if not isinstance(d.id, str) or not isinstance(d.text, str) or not isinstance(d.title, str):
            raise InputError(f"document {i} has an id, text or title that is not a string")
        if not isinstance(d.metadata, Mapping):
            raise InputError(f"document {d.id!r} has metadata that is a {type(d.metadata).__name__}; give a dict")
        if d.score is not None:
            check_score(d.score, f"the score of document {d.id!r}")
        if d.id in seen:
            raise InputError(f"documents {seen[d.id]} and {i} have the same id {d.id!r}; ids must be unique in a call")
        seen[d.id] = i
    return tuple(out)


def pin_ranges(pins: Sequence[Pin], documents: tuple[Document, ...]) -> list[Range]:
    """Pins as (document number, start, end). Raises InputError for an unknown id or a range outside the text."""
    return _ranges("pin", [pins] if isinstance(pins, str) else pins, documents)


def _ranges(what: str, pins: Sequence[Pin], documents: tuple[Document, ...]) -> list[Range]:
    """Ids and ranges as (document number, start, end). what: names them in errors."""
    number = {d.id: k for k, d in enumerate(documents)}
    out: list[Range] = []
    for pin in pins:
        if not isinstance(pin, str) and not (isinstance(pin, tuple | list) and len(pin) == 3):
            raise InputError(f"{what} {shown(pin)} is neither a document id nor (id, start, end)")
        name, start, end = (pin, 0, None) if isinstance(pin, str) else pin
        if not isinstance(name, str) or name not in number:
            raise InputError(f"{what} {name!r} is no document id of this call; ids: {', '.join(list(number)[:8])}")
        length = len(documents[number[name]].text)
        end = length if end is None else end
        whole = isinstance(pin, str)  # a document without text asks for nothing
        if not whole and not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= length):
            raise InputError(
                f"{what} {shown((name, start, end))} is no range of that document, which has {length} characters"
            )
        out.append((number[name], start, end))
    return out
