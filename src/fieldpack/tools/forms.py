"""What form a tool's output has, and how it is read and written for that."""

from __future__ import annotations

import re

from fieldpack.text.structure.detect import format_of
from fieldpack.text.structure.reader import normalised
from fieldpack.tools.json_tree import is_json
from fieldpack.tools.xml_tags import is_xml

LINE_FORMS = ("csv", "jsonl")
"""Forms whose kept lines follow one another without a mark."""
PRINTED = ("terminal", "xml")
"""Forms that are read as what commands print."""
OWN_WHITE = ("json", "html", "xml")
"""Forms in which the white space before a line says nothing."""
_HEAD = re.compile(r"[A-Za-z_]\w{0,30}[,;\t][A-Za-z_]\w{0,30}")
_FENCED = re.compile(r"^ {0,3}(?P<mark>`{3,}|~{3,})(?P<language>[\w-]*)[^\n]*\n.*?(?:^ {0,3}(?P=mark)|\Z)", re.M | re.S)
_NO_PROGRAMS = frozenset(
    ("", "yaml", "yml", "text", "txt", "console", "log", "output", "shell", "sh", "bash", "plaintext")
)


def form_of(text: str) -> str:
    """The format of a text, one of `detect.FORMATS` or "xml"; "json" and "xml" only where they are valid."""
    form = format_of(normalised(text))
    if form == "json" and not is_json(text):
        return "terminal"
    if form != "jsonl" and is_json(text):
        return "json"
    if form in ("plain", "html", "config") and is_xml(text):
        return "xml"
    if form == "plain":
        return "csv" if _is_narrow_table(text) else "terminal"
    return "terminal" if form == "markdown" and _is_fenced_output(text) else form


def _is_fenced_output(text: str) -> bool:
    """Whether most of a text stands between fences that name no language of programs: what a browser, a shell or a
    reader of files gives back."""
    fenced = [m for m in _FENCED.finditer(text) if m["language"].lower() in _NO_PROGRAMS]
    return 2 * sum(m.end() - m.start() for m in fenced) > len(text)


def _is_narrow_table(text: str) -> bool:
    """Whether a text is a table of two columns with a head of names, which the packer reads as lines."""
    lines = [line.strip("\ufeff\r") for line in text[:20_000].split("\n")[:40]]
    if len(lines) < 8 or not _HEAD.fullmatch(lines[0]):
        return False
    mark = next(m for m in ",;\t" if m in lines[0])
    return all(line.count(mark) == 1 and not line.endswith(mark) for line in lines if line)
