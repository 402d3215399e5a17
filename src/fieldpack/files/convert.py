"""The bytes of one file to documents, by its kind."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from fieldpack.errors import FieldpackError, InputError
from fieldpack.files.charsets import Decoded, decode
from fieldpack.files.html import html_page
from fieldpack.files.kinds import CONTAINERS, kind_of_content, kind_of_name, kind_of_text
from fieldpack.files.mail import mail_text, mailbox_messages
from fieldpack.files.model import BinaryFile, ReadOptions
from fieldpack.files.notebook import notebook_text
from fieldpack.files.records import record_documents
from fieldpack.types import Document

_LONE = re.compile("[\ud800-\udfff]")


@dataclass
class Converted:
    """The documents of one file. skipped: records without a text. notes: (sort, text) of what a reader should know."""

    documents: list[Document] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


def converted(path: str, data: bytes | str, options: ReadOptions) -> Converted:
    """The documents of a file. What it is, its first bytes say before its name does; `str` is text already.

    Raises InputError, naming the file, for whatever cannot be read.
    """
    try:
        made = _converted(path, data, options)
    except FieldpackError:
        raise
    except Exception as error:  # a reader met what it was not made for
        place = "standard input" if path == "-" else path
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise InputError(f"{place} cannot be read ({why}); save it anew, or convert it to plain text") from error
    documents = [_as_unicode(document) for document in made.documents]
    changed = sum(new is not old for new, old in zip(documents, made.documents, strict=True))
    if changed:
        made.notes.append(
            ("with lone surrogates", f"half characters (lone surrogates) in {changed} texts became U+FFFD")
        )
    made.documents = documents
    return made


def _as_unicode(document: Document) -> Document:
    """The document itself, or a copy without lone surrogates, which JSON can hold and no encoding can write."""
    if document.text.isascii() and document.id.isascii() and document.title.isascii():
        return document
    values = {"id": document.id, "text": document.text, "title": document.title}
    mended = {k: v if v.isascii() else _LONE.sub("\ufffd", v) for k, v in values.items()}
    return (
        document if mended == values else replace(document, id=mended["id"], text=mended["text"], title=mended["title"])
    )


def _converted(path: str, data: bytes | str, options: ReadOptions) -> Converted:
    kind = kind_of_name(path)
    if isinstance(data, str):
        return _checked(_of_text(path, kind, Decoded(data, "utf-8")))
    place = "standard input" if path == "-" else path
    content = kind_of_content(data)
    if content is not None and " " in content:
        raise BinaryFile(f"{place} is {content}; give text: .txt .md .html .json or source code")
    kind = content or kind or kind_of_text(data)
    if kind in CONTAINERS:
        return _of_container(path, place, kind, data)
    if kind in ("mail", "mailbox"):
        return _of_mail(path, place, kind, data)
    return _checked(_of_text(path, kind, decode(place, data, kind, options)))


def _of_text(path: str, kind: str | None, decoded: Decoded) -> Converted:
    made = Converted()
    if decoded.note:
        made.notes.append(("in another charset than UTF-8", decoded.note))
    facts: dict[str, Any] = {"charset": decoded.charset} if decoded.charset != "utf-8" else {}
    title, text = "", decoded.text
    if kind == "records":
        records = record_documents(path, text)
        made.skipped += records.empty
        made.documents += records.documents
        return made
    if kind == "notebook":
        notebook = notebook_text(path, text)
        text, kind = notebook.text(), "markdown"
        _tell_left_out(made, facts, notebook.left_out)
    elif kind == "html":
        page = html_page(text)
        title, text = page.title, page.text
        _tell_left_out(made, facts, page.left_out)
    made.documents.append(_document(path, text, title, kind, facts))
    return made


def _of_mail(path: str, place: str, kind: str, data: bytes) -> Converted:
    made = Converted()
    messages = mailbox_messages(data) if kind == "mailbox" else [data]
    if kind == "mailbox" and not messages:
        raise InputError(f"{place} is no mailbox: no line begins with 'From '")
    for number, message in enumerate(messages, 1):
        mail = mail_text(place, message)
        facts: dict[str, Any] = {"message": number} if kind == "mailbox" else {}
        name = f"{path}#{number}" if kind == "mailbox" else path
        _tell_left_out(made, facts, Counter("attachment" for _ in mail.left_out))
        made.documents.append(Document(name, mail.text, mail.title, {"path": path, "kind": "mail", **facts}))
    return made


def _of_container(path: str, place: str, kind: str, data: bytes) -> Converted:
    """PDF, Office and books: their converters are loaded when one is met."""
    from fieldpack.files.containers import parts_of

    made = Converted()
    content = parts_of(kind, place, data)
    for part in content.parts:
        name = f"{path}#{part.name}" if part.name else path
        facts = {"format": kind, **part.facts}
        made.documents.append(_document(path, part.text, part.title or content.title, part.kind, facts, name=name))
    made.notes += [("with parts left out", note) for note in content.notes]
    return made


def _document(
    path: str, text: str, title: str, kind: str | None, facts: dict[str, Any], name: str | None = None
) -> Document:
    known = {"path": path, "kind": kind} if kind else {"path": path}
    return Document(path if name is None else name, text, title, {**known, **facts})


def _tell_left_out(made: Converted, facts: dict[str, Any], counts: Any) -> None:
    """Puts what was left out into the metadata, and into a note."""
    if counts:
        facts["left_out"] = dict(counts)
        parts = ", ".join(f"{sort} ({count})" for sort, count in counts.items())
        made.notes.append(("with parts left out", f"left out: {parts}"))


def _checked(made: Converted) -> Converted:
    """Raises InputError when two records of a file have one id."""
    seen: dict[str, Document] = {}
    for document in made.documents:
        first = seen.setdefault(document.id, document)
        if first is not document:
            raise InputError(
                f"two documents have the id {document.id!r}: {_place(first)} and {_place(document)}; "
                "ids must be unique in a file"
            )
    return made


def _place(document: Document) -> str:
    facts = document.metadata
    number = next((f" {word} {facts[word]}" for word in ("line", "record") if word in facts), "")
    return f"{facts['path']}{number}"
