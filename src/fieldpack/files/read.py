"""Files, folders and standard input to documents; one clear error for what cannot be read, nothing lost in silence."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from fieldpack.errors import InputError
from fieldpack.files import model
from fieldpack.files.convert import Converted, converted
from fieldpack.files.model import BinaryFile, ConverterMissing, FilesRead, Note, OnSkip, ReadOptions, Skipped
from fieldpack.files.source import existing_path, file_bytes, stdin_bytes
from fieldpack.files.walk import walk
from fieldpack.types import Document


def read(
    paths: str | Path | Sequence[str | Path],
    *,
    stdin: TextIO | None = None,
    encoding_errors: str = "strict",
    on_skip: OnSkip | None = None,
    charset: str | None = None,
    everything: bool = False,
) -> tuple[Document, ...]:
    """All documents of the files and folders, in the order given; "-" reads standard input.

    A file is one document whose id is its path as given, with metadata {"path"} and, where name or content tell it,
    "kind" ("markdown", "html", "python", "code", "config", "csv", "mail", ...). More than one document make:
    .json and .jsonl (one per record, ids from the records), mailboxes (one per message), PDF (one per page, metadata
    "page"), PPTX ("slide"), XLSX ("sheet") and EPUB ("chapter"). HTML becomes its main text, a notebook its cells and
    outputs as Markdown, mail its decoded text. Offsets of everything that follows refer to the text so made.

    Folders are read recursively in sorted order, without hidden and ignored (.gitignore) files and package folders;
    `everything` reads them all. What is skipped in a folder, a file that cannot be read too, is told to
    `on_skip(path, why)`. An id that is in two files is qualified by its file: "path#id".

    charset: the encoding of files without a byte order mark; without it a file's own declaration, UTF-8, or what a
    detector says (metadata "charset" then names it). encoding_errors: "strict" (detect), or "replace" or "ignore"
    what is not UTF-8.

    Raises InputError, naming the file, for: no paths, an empty one, a file named here that is missing, unreadable or
    binary, bytes that do not fit `charset`, bad JSON, a record without text, two records of one file with one id, a
    format that needs a package which is not installed. `read_files` gives the same with a record of what was skipped.
    """
    options = ReadOptions(charset, encoding_errors, everything)
    return read_files(paths, options, stdin=stdin, on_skip=on_skip).documents


def read_files(
    paths: str | Path | Sequence[str | Path],
    options: ReadOptions | None = None,
    *,
    stdin: TextIO | None = None,
    on_skip: OnSkip | None = None,
) -> FilesRead:
    """As `read`, with everything that was skipped, and notes on what was read (charsets, parts left out)."""
    options = options or ReadOptions()
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    if not paths:
        raise InputError("no files given; name files or folders, or - for standard input")
    run = _Run(options, on_skip or (lambda path, why: None))
    seen: set[str] = set()
    for path, named in _files(paths, options, run.skip):
        identity = path if path == "-" else os.path.realpath(path)
        if identity in seen:
            run.skip(path, model.ALREADY_READ, "already read")
            continue
        seen.add(identity)
        run.read(path, named, stdin)
    documents = _with_own_ids(run.documents, run.note)
    return FilesRead(documents, run.files, tuple(run.skipped), tuple(run.notes))


def read_bytes(path: str, data: bytes, options: ReadOptions | None = None) -> FilesRead:
    """The documents of a file whose bytes the caller has; its name is not opened. Raises InputError as `read`."""
    run = _Run(options or ReadOptions(), lambda path, why: None)
    run.take(path, converted(path, data, run.options))
    return FilesRead(_with_own_ids(run.documents, run.note), 1, tuple(run.skipped), tuple(run.notes))


@dataclass
class _Run:
    """One call: what was read so far."""

    options: ReadOptions
    on_skip: OnSkip
    documents: list[Document] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    files: int = 0

    def skip(self, path: str, sort: str, reason: str) -> None:
        self.skipped.append(Skipped(path, sort, reason))
        self.on_skip(path, reason)

    def note(self, path: str, sort: str, text: str) -> None:
        self.notes.append(Note(path, sort, text))

    def read(self, path: str, named: bool, stdin: TextIO | None) -> None:
        """One file. What a folder holds by chance is skipped where a file that was named is an error."""
        try:
            data = (
                stdin_bytes(stdin, self.options.max_bytes) if path == "-" else file_bytes(path, self.options.max_bytes)
            )
            made = converted(_shown(path), data, self.options)
        except InputError as error:
            if named:
                raise
            self.skip(path, _sort_of(error), str(error))
            return
        self.take(_shown(path), made)

    def take(self, path: str, made: Converted) -> None:
        self.files += 1
        self.documents += made.documents
        for reason in made.skipped:
            self.skip(path, model.EMPTY_RECORD, reason)
        for sort, text in made.notes:
            self.note(path, sort, text)


def _sort_of(error: InputError) -> str:
    if isinstance(error, ConverterMissing):
        return model.CONVERTER
    return model.BINARY if isinstance(error, BinaryFile) else model.UNREADABLE


def _files(
    paths: Sequence[str | Path], options: ReadOptions, skip: Callable[[str, str, str], None]
) -> Iterator[tuple[str, bool]]:
    """(posix path, whether the caller named it himself) of every file to read."""
    for given in paths:
        if not str(given):
            raise InputError("an empty path was given; name a file or folder, . for this folder, - for standard input")
        if str(given) == "-":
            yield "-", True
            continue
        if "\0" in str(given):
            raise InputError(f"cannot read {str(given)!r}: no path has a NUL in it")
        path = existing_path(given)
        if os.path.isdir(path):
            yield from ((name, False) for name in walk(path, options.everything, skip))
        else:
            yield Path(path).as_posix(), True


def _shown(path: str) -> str:
    """A path as an id: bytes of a file name that are no UTF-8 become U+FFFD."""
    return os.fsencode(path).decode("utf-8", "replace")


def _with_own_ids(documents: Sequence[Document], note: Callable[[str, str, str], None]) -> tuple[Document, ...]:
    """Ids are unique: one that several files have is qualified by its file, "path#id".

    Raises InputError for one id twice in one file. A file's own path stays its id.
    """
    counts = Counter(document.id for document in documents)
    if len(counts) == len(documents):
        return tuple(documents)
    unique = []
    for document in documents:
        path = str(document.metadata["path"])
        if counts[document.id] > 1 and document.id != path:
            unique.append(replace(document, id=f"{path}#{document.id}"))
        else:
            unique.append(document)
    shared = sorted(name for name, count in counts.items() if count > 1)
    word = "id is" if len(shared) == 1 else "ids are"
    note(
        shared[0],
        "with ids of another file",
        f"{len(shared)} {word} in two files and more; qualified by the file: path#id",
    )
    return _numbered(unique)


def _numbered(documents: Sequence[Document]) -> tuple[Document, ...]:
    """A number goes after an id that another one was made equal to."""
    seen: set[str] = set()
    unique = []
    for document in documents:
        name, number = document.id, 1
        while name in seen:
            number += 1
            name = f"{document.id}@{number}"
        seen.add(name)
        unique.append(document if name == document.id else replace(document, id=name))
    return tuple(unique)
