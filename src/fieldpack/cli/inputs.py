"""From what the command line names to what the library takes: documents, a packer, pins, texts."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldpack.cli import show
from fieldpack.cli.options import FileOptions
from fieldpack.errors import InputError
from fieldpack.files.model import ReadOptions
from fieldpack.files.read import read_files
from fieldpack.files.records import stream_records
from fieldpack.pipeline import ContextPacker
from fieldpack.protocols import Progress
from fieldpack.request import Pin, check_score
from fieldpack.types import Document

if TYPE_CHECKING:
    from fieldpack.relevance.calibrate import Boundary

Query = str | tuple[str, float]


def documents_of(
    paths: Sequence[str], options: FileOptions, names: Sequence[str] | None = None
) -> tuple[Document, ...]:
    """The documents of files and folders; `names` replaces their ids. What was skipped is shown: in one line, or with
    `verbose` in a line each. Raises InputError where there are no documents."""
    how = ReadOptions(options.charset, options.encoding_errors, options.everything)
    outcome = read_files(paths, how, stdin=sys.stdin)
    show.files(outcome, options.verbose)
    documents = outcome.documents
    if names is not None:
        documents = tuple(replace(d, id=name) for d, name in zip(documents, names, strict=True))
    if not documents:
        raise InputError(f"no readable documents in {', '.join(paths)}; give text files, or folders that hold some")
    return documents


def streamed_documents(errors: str) -> Iterator[Document]:
    """The documents of JSON Lines on standard input, one by one; at the end, how many had no text is shown."""
    lines = io.TextIOWrapper(sys.stdin.buffer, "utf-8", errors, newline="\n")
    skipped: list[str] = []
    try:
        yield from stream_records(lines, "-", on_skip=lambda name, reason: skipped.append(reason))
        if skipped:
            show.line(f"skipped {len(skipped)} records without a text; the first: {skipped[0]}")
    except UnicodeDecodeError as error:
        raise InputError(
            f"standard input is not UTF-8 ({error.reason}); convert it, or say --encoding-errors replace"
        ) from error
    finally:
        lines.detach()


def packer_of(
    model: str, encoding: str, cache: Path | None, progress: Progress | None, **settings: Any
) -> ContextPacker:
    """A packer from the names of its model and encoding. settings: further fields of ContextPacker."""
    from fieldpack.embed.service import EmbeddingService

    service = EmbeddingService(model, cache=cache, progress=progress)
    return ContextPacker(embedder=service, tokenizer=encoding, **settings)


def pins_of(texts: Sequence[str], documents: Sequence[Document]) -> list[Pin]:
    """Pins from ID or ID:START:END; an id may itself hold colons."""
    ids = {d.id for d in documents}
    pins: list[Pin] = []
    for text in texts:
        name, _, end = text.rpartition(":")
        document, _, start = name.rpartition(":")
        if text not in ids and document in ids and start.isdigit() and end.isdigit():
            pins.append((document, int(start), int(end)))
        else:
            pins.append(text)
    return pins


def with_score(document: Document) -> Document:
    """The document with the `score` of its record, where that is there. Raises InputError for what is no number."""
    value = document.metadata.get("score")
    return document if value is None else replace(document, score=check_score(value, f"the score of {document.id!r}"))


def boundary_of(path: Path) -> Boundary:
    """What a file of `fieldpack calibrate --out` says. Raises InputError for what is none."""
    from fieldpack.relevance.calibrate import Boundary

    try:
        return Boundary.from_dict(json.loads(read_text(str(path))))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no boundary file; make one with fieldpack calibrate --out") from error


def with_boundary(path: Path, packer: ContextPacker, unit: str) -> ContextPacker:
    """The packer with the boundary and the weight of scores of such a file. Raises InputError where it was fitted with
    another model or unit: the relevance of one is not that of the other."""
    boundary = boundary_of(path)
    if wrong := boundary.differs(packer.embedder.name, unit):
        raise InputError(f"{path} was fitted with {wrong}; calibrate again, or pack as it was fitted")
    weight = packer.score_weight if boundary.score_weight is None else boundary.score_weight
    return replace(packer, min_relevance=boundary.min_relevance, score_weight=weight)


def read_text(name: str) -> str:
    """The text of a UTF-8 file, or of standard input for "-". Raises InputError."""
    if name == "-":
        return sys.stdin.read()
    try:
        return Path(name).read_text("utf-8")
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 at byte {error.start}; save it as UTF-8") from error


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file. Raises InputError."""
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
