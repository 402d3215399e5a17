"""Files, folders and standard input to documents; one clear error for what cannot be read, nothing lost in silence."""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from fieldpack.errors import InputError
from fieldpack.text.html import html_text
from fieldpack.text.notebook import notebook_text
from fieldpack.text.records import record_documents
from fieldpack.types import Document

OnSkip = Callable[[str, str], None]

_KINDS = {
    "plain": ".txt .text .log .csv .tsv .tex .org .adoc .srt .vtt .eml",
    "markdown": ".md .markdown .mdx .mkd .qmd .rmd",
    "rst": ".rst",
    "html": ".html .htm .xhtml",
    "python": ".py .pyi .pyx",
    "code": """.c .h .cc .cpp .cxx .hpp .hh .cs .java .kt .kts .scala .go .rs .swift .js .mjs .cjs .jsx .ts .tsx .vue
        .svelte .php .rb .pl .pm .lua .r .jl .sh .bash .zsh .fish .ps1 .sql .hs .ml .mli .ex .exs .erl .clj .dart .m .mm
        .zig .nim .v .sv .proto .graphql .css .scss .less .tf .gradle .cmake .yaml .yml .toml .ini .cfg .conf .xml
        .xsd .properties""",
    "notebook": ".ipynb",
    "records": ".json .jsonl .ndjson",
}
KIND_OF_ENDING = {ending: kind for kind, endings in _KINDS.items() for ending in endings.split()}
_KIND_OF_NAME = {"makefile": "code", "dockerfile": "code", "readme": "plain", "license": "plain", "changelog": "plain"}
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "venv", "env", "virtualenv", "site-packages", "CVS"})
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset=[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read(
    paths: Sequence[str | Path],
    *,
    stdin: TextIO | None = None,
    encoding_errors: str = "strict",
    on_skip: OnSkip | None = None,
) -> tuple[Document, ...]:
    """All documents of the files and folders, in the order given; "-" reads standard input.

    A file is one document whose id is its path as given, with metadata {"path", "kind"}; .json and .jsonl files give
    one document per record (ids from the records). HTML becomes its visible text, a notebook its cells as Markdown.
    Folders are read recursively in sorted order, without hidden files, version-control and package folders; what is
    skipped in a folder is told to `on_skip(path, why)`. Text is UTF-8, or UTF-16 with a byte order mark;
    `encoding_errors` is "strict", "replace" or "ignore".

    Raises InputError, naming the file, for: no paths, a missing, unreadable or binary file, wrong encoding, bad JSON, a
    record without text, two documents with one id.
    """
    if not paths:
        raise InputError("no files given; name files or folders, or - for standard input")
    if encoding_errors not in ("strict", "replace", "ignore"):
        raise InputError(f"encoding_errors={encoding_errors!r}; allowed: strict, replace, ignore")
    skip = on_skip or (lambda path, why: None)
    documents: list[Document] = []
    seen: set[str] = set()
    for path, given in _files(paths, skip):
        identity = path if path == "-" else os.path.realpath(path)
        if identity in seen:
            skip(path, "already read")
            continue
        seen.add(identity)
        documents += _read_one(path, given, stdin, encoding_errors, skip)
    _check_ids(documents)
    return tuple(documents)


def _files(paths: Sequence[str | Path], skip: OnSkip) -> Iterator[tuple[str, bool]]:
    """(posix path, whether the caller named it himself) of every file to read."""
    for path in paths:
        if str(path) == "-":
            yield "-", True
        elif Path(path).is_dir():
            yield from ((name, False) for name in _walk(Path(path), skip))
        else:
            yield Path(path).as_posix(), True


def _walk(folder: Path, skip: OnSkip) -> Iterator[str]:
    """Files below a folder in sorted order; symbolic links to folders are not followed."""

    def failed(error: OSError) -> None:
        raise InputError(f"cannot read folder {error.filename}: {error.strerror}")

    for root, folders, files in os.walk(folder, onerror=failed):
        left_out = [f for f in folders if f.startswith(".") or f in _SKIPPED_FOLDERS or _is_environment(Path(root, f))]
        for name in sorted(folders):
            if name in left_out:
                skip(Path(root, name).as_posix(), "hidden, version-control or package folder")
            elif Path(root, name).is_symlink():
                skip(Path(root, name).as_posix(), "link to a folder")
        folders[:] = sorted(set(folders) - set(left_out))
        for name in sorted(files):
            if name.startswith("."):
                skip(Path(root, name).as_posix(), "hidden file")
            elif not Path(root, name).is_file():
                skip(Path(root, name).as_posix(), "not a regular file")
            else:
                yield Path(root, name).as_posix()


def _is_environment(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").is_file()


def _kind(path: str) -> str | None:
    """The kind that a file's name says, None when it says nothing."""
    name = path.rpartition("/")[2].lower()
    stem, dot, ending = name.rpartition(".")
    return KIND_OF_ENDING.get(f".{ending}") if dot and stem else _KIND_OF_NAME.get(name)


def _read_one(path: str, given: bool, stdin: TextIO | None, errors: str, skip: OnSkip) -> list[Document]:
    """The documents of one file. A file that a folder holds by chance is skipped where a named one is an error."""
    kind = _kind(path)
    data = _bytes(path, stdin)
    if isinstance(data, bytes):
        try:
            text = _decode(path, data, errors, _declared(data) if kind == "html" else None)
        except InputError as error:
            # A known text file in a wrong encoding is an error wherever it lies; a binary in a folder is not.
            if given or (kind is not None and b"\0" not in data[:8192]):
                raise
            skip(path, str(error))
            return []
    else:
        text = data
    try:
        return _documents(_named(path), kind, text)
    except InputError as error:
        if given:
            raise
        skip(path, str(error))
        return []


def _named(path: str) -> str:
    """A path as an id: bytes of a file name that are no UTF-8 become U+FFFD."""
    return os.fsencode(path).decode("utf-8", "replace")


def _documents(path: str, kind: str | None, text: str) -> list[Document]:
    """The documents in the text of one file."""
    title = ""
    if kind == "records":
        return record_documents(path, text)
    if kind == "notebook":
        text, kind = notebook_text(path, text), "markdown"
    elif kind == "html":
        title, text = html_text(text)
    return [Document(path, text, title, {"path": path, "kind": kind} if kind else {"path": path})]


def _bytes(path: str, stdin: TextIO | None) -> bytes | str:
    if path == "-":
        stream = stdin or sys.stdin
        buffer = getattr(stream, "buffer", None)
        return bytes(buffer.read()) if buffer is not None else stream.read()
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"no such file or folder: {path}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _declared(page: bytes) -> str | None:
    """The encoding that an HTML page names near its start, if Python knows it as one of text."""
    found = _CHARSET.search(page[:2048])
    try:
        info = codecs.lookup(found[1].decode()) if found else None
    except LookupError:
        return None
    # A page whose ASCII bytes say "utf-16" is not UTF-16.
    usable = info is not None and info.name[:5] not in ("utf-1", "utf-3") and getattr(info, "_is_text_encoding", True)
    return info.name if info and usable else None


def _decode(path: str, data: bytes, errors: str, declared: str | None = None) -> str:
    path = "standard input" if path == "-" else path
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), declared or "utf-8")
    if encoding != "utf-16" and b"\0" in data:
        raise InputError(
            f"{path} is a binary file (NUL byte at offset {data.index(0)}); "
            "give text: .txt .md .html .json or source code"
        )
    try:
        return data.decode(encoding, errors)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not {encoding.removesuffix('-sig').upper()}: byte 0x{data[error.start]:02x} at offset "
            f"{error.start}; convert it, or read on with --encoding-errors replace (encoding_errors='replace')"
        ) from None


def _check_ids(documents: Sequence[Document]) -> None:
    where: dict[str, str] = {}
    for document in documents:
        place = str(document.metadata["path"])
        if "line" in document.metadata:
            place += f" line {document.metadata['line']}"
        elif "record" in document.metadata:
            place += f" record {document.metadata['record']}"
        if document.id in where:
            raise InputError(
                f"two documents have the id {document.id!r}: {where[document.id]} and {place}; ids must be unique"
            )
        where[document.id] = place
