"""The one door of the structural reader: a text in, its atoms and blocks out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from fieldpack.text.cuts import cut_list, trim
from fieldpack.text.structure import (
    config,
    cues,
    delimited,
    detect,
    diffs,
    dockerfile,
    fields,
    logs,
    pages,
    records,
    samples,
    source,
    terminal,
    transcripts,
    xml,
)
from fieldpack.text.structure.builder import MAX_CHARS, Builder
from fieldpack.text.structure.document import read_document
from fieldpack.text.structure.joining import joined
from fieldpack.text.structure.lines import crumb_windows, read_lines
from fieldpack.text.structure.model import LIST, UNIT, Structure

_CRUMB_CHARS = 240

_DATA = ("json", "jsonl", "csv", "config", "log", "diff", "transcript", "html", "xml")

Reader = Callable[[Builder, int, int], None]
"""Reads the range [low, high) of the builder's text; low stands at the start of a line."""


def _document(builder: Builder, low: int, high: int, dialect: str) -> None:
    read_document(builder, low, high, dialect, nested=_data_reader)


def _data_reader(text: str) -> Reader | None:
    form = detect.format_of(text)
    return READERS[form] if form in _DATA else None


def _config(builder: Builder, low: int, high: int) -> None:
    lines = read_lines(builder.text, low, high)
    head = builder.text[low : min(high, low + samples.SAMPLE_CHARS)]
    if fields.are_records(head):
        fields.read_records(builder, lines)
    elif dockerfile.is_dockerfile(head):
        dockerfile.read_instructions(builder, lines)
    else:
        config.outline(builder, lines, 0, len(lines), builder.owner)


def _transcript(builder: Builder, low: int, high: int) -> None:
    cued = cues.are_cues(builder.text[low : min(high, low + samples.SAMPLE_CHARS)])
    (cues.read_cues if cued else transcripts.read_transcript)(builder, low, high)


READERS: dict[str, Reader] = {
    "plain": partial(_document, dialect="plain"),
    "markdown": partial(_document, dialect="markdown"),
    "rst": partial(_document, dialect="rst"),
    "asciidoc": partial(_document, dialect="asciidoc"),
    "man": partial(_document, dialect="man"),
    "html": pages.read_page,
    "xml": xml.read_xml,
    "json": records.read_json,
    "jsonl": records.read_json_lines,
    "csv": delimited.read_delimited,
    "config": _config,
    "log": logs.read_log,
    "diff": diffs.read_diff,
    "transcript": _transcript,
    "mail": transcripts.read_mail,
    "terminal": terminal.read_terminal,
    "python": partial(source.read_source, python=True),
    "code": partial(source.read_source, python=False),
}


class Named(NamedTuple):
    """A text, with the name that may say what it is, and its format where that is known ("" where not)."""

    text: str
    name: str
    kind: str


def read_structure(text: str, *, name: str = "", kind: str = "", max_chars: int = MAX_CHARS) -> Structure:
    """The structure of a text: atoms that cover all of it but white space, and the blocks that hold them.

    name: a file's name or path, whose ending may say what the text is. kind: one of `detect.FORMATS` when it is known.
    max_chars: of an atom of prose. Reads in time that is linear in the text, whatever the text is.
    """
    form, builder = _read(text, name, kind, max_chars)
    return joined([builder], form)


def read_structures(texts: Iterable[Named], max_chars: int = MAX_CHARS) -> Structure:
    """The structures of several texts as one, text after text, see `joining.joined`; its `format` is "". Of short texts
    that takes a third of the time of reading one by one."""
    return joined(_read(text, name, kind, max_chars)[1] for text, name, kind in texts)


def _read(text: str, name: str, kind: str, max_chars: int) -> tuple[str, Builder]:
    """The format of a text, and its builder with everything read."""
    text = normalised(text)
    form = kind if kind in READERS else detect.format_of(text, name)
    if form == "html" and not samples.TESTS["html"](text):
        form = "markdown"  # what `fieldpack.files.html` makes of a page has Markdown's headings, tables and fences
    builder = Builder(text, max_chars)
    if text.isspace():
        return form, builder
    for low, high, crumbs in crumb_windows(text):
        if crumbs:
            _crumbs(builder, low, high)
        else:
            READERS[form](builder, low, high)
    return form, builder


def normalised(text: str) -> str:
    """The text with "\\n" as its only line break, every character at its old place (CR LF becomes space and LF)."""
    return text.replace("\r\n", " \n").replace("\r", "\n") if "\r" in text else text


def _crumbs(builder: Builder, low: int, high: int) -> None:
    """Thousands of lines of a few characters: pieces of 240 characters, cut at lines."""
    low, high = trim(builder.text, low, high)
    if high > low:
        for start, end in cut_list(builder.text, low, high, min(_CRUMB_CHARS, builder.max_chars)):
            builder.open("lines", UNIT)
            builder.atom(start, end, LIST)
            builder.close()
