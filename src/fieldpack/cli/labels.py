"""Labels for `fieldpack calibrate`: the sets of `fieldpack bench`, or lines of question, file and quote."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fieldpack.bench.corpora import load
from fieldpack.bench.dataset import records
from fieldpack.cli.inputs import documents_of
from fieldpack.cli.options import CalibrateOptions
from fieldpack.errors import InputError
from fieldpack.relevance.calibrate import Example
from fieldpack.request import check_score
from fieldpack.types import Document


def examples_of(options: CalibrateOptions) -> list[Example]:
    """The labelled queries of a file. Raises InputError, which names the line of a label that is none, of a file that
    is not there and of a quote that its file does not hold."""
    path = options.examples
    lines = list(records(path)) if path.suffix in (".jsonl", ".gz") and path.is_file() else []
    if any("quote" in row or "quotes" in row for row in lines):
        return list(_quoted(path, lines, options))
    if options.documents:
        raise InputError(f"--documents goes with labels of question, file and quote; {path} has its own passages")
    return [Example(case.query, case.passages, case.evidence()) for case in load(path) if case.gold]


def _quoted(path: Path, lines: Sequence[Mapping[str, Any]], options: CalibrateOptions) -> Iterator[Example]:
    """{"question", "file", "quote"}: each question is asked of all documents (`--documents`, else all files that the
    labels name)."""
    named = dict.fromkeys(str(_place(path, row, k)) for k, row in enumerate(lines, 1))
    documents = documents_of(options.documents or list(named), options)
    for number, row in enumerate(lines, 1):
        question = row.get("question", row.get("query"))
        if not isinstance(question, str) or not question.strip():
            raise InputError(f"{path.name}, line {number}: no question; give {{'question', 'file', 'quote'}}")
        place = _place(path, row, number)
        inside = [d for d in documents if _is_of(d, place)]
        if not inside:
            raise InputError(f"{path.name}, line {number}: no document of {row['file']!r} among those that were read")
        quotes = row.get("quotes", row.get("quote"))
        evidence = [
            span for quote in ([quotes] if isinstance(quotes, str) else quotes) for span in _spans_of(quote, inside)
        ]
        if not evidence:
            raise InputError(
                f"{path.name}, line {number}: {row['file']} does not hold the quote {str(quotes)[:80]!r} as it is "
                "written (blanks and line breaks may differ)"
            )
        yield Example(question, _scored(documents, row.get("scores"), path), evidence)


def _place(path: Path, row: Mapping[str, Any], number: int) -> Path:
    """The file of a label, relative to the file of labels."""
    name = row.get("file")
    if not isinstance(name, str):
        raise InputError(f"{path.name}, line {number}: no file; give {{'question', 'file', 'quote'}}")
    place = path.parent / name
    if not place.is_file():
        raise InputError(f"{path.name}, line {number}: the file {name!r} is not there; it is sought beside the labels")
    return place.resolve()


def _is_of(document: Document, place: Path) -> bool:
    """Whether a document is of a file: the file itself, or a record of it."""
    source = document.metadata.get("path")
    return isinstance(source, str) and Path(source).resolve() == place


def _spans_of(quote: Any, documents: Sequence[Document]) -> Iterator[tuple[str, int, int]]:
    """Where a quote stands, whatever its white space."""
    words = str(quote).split()
    pattern = re.compile(r"\s+".join(map(re.escape, words))) if words else None
    for document in documents if pattern else ():
        for match in pattern.finditer(document.text) if pattern else ():
            yield document.id, match.start(), match.end()


def _scored(documents: Sequence[Document], scores: Any, path: Path) -> tuple[Document, ...]:
    """The documents with the scores that a label gives some of them, by id or path."""
    if scores is None:
        return tuple(documents)
    if not isinstance(scores, Mapping):
        raise InputError(f"{path.name}: scores is a {type(scores).__name__}; give an object {{id: number}}")
    known = {name: check_score(value, f"the score of {name!r}") for name, value in scores.items()}
    return tuple(replace(d, score=known.get(d.id)) for d in documents)
