"""What Markdown, reStructuredText and mail add to prose: front matter, directives, admonitions, quoted text."""

from __future__ import annotations

import re

from fieldpack.text.cuts import trim
from fieldpack.text.structure import code, tables
from fieldpack.text.structure.model import BOILERPLATE, CODE, KEY, LIST, SENTENCE, UNIT
from fieldpack.text.structure.walk import DocumentReader

_DIRECTIVE = re.compile(
    r"\.\.(?:[ ]+(?P<name>[\w.+:-]*\w)?::(?=\s|$)(?P<argument>[^\n]*)|[ ]+_[^\n]*:|[ ]+\[[^\n]*|[ \n]|$)"
)
_CODE = frozenset(
    [
        "code-block",
        "code",
        "sourcecode",
        "parsed-literal",
        "testcode",
        "testoutput",
        "doctest",
        "math",
        "raw",
        "highlight",
    ]
)
_NOTES = frozenset(
    [
        "note",
        "warning",
        "tip",
        "important",
        "hint",
        "caution",
        "danger",
        "attention",
        "seealso",
        "admonition",
        "error",
        "deprecated",
        "versionadded",
        "versionchanged",
        "versionremoved",
        "topic",
        "sidebar",
        "rubric",
        "epigraph",
    ]
)
_NAVIGATION = frozenset(
    [
        "toctree",
        "contents",
        "index",
        "currentmodule",
        "module",
        "sectionauthor",
        "meta",
        "highlightlang",
        "default-role",
    ]
)
_TABLES = frozenset(["table", "csv-table", "list-table"])
_NAMING = re.compile(r":(?:version|released|name|title|date):")
_ADMONITION = re.compile(r"(?:!!!|\?\?\?\+?|===)[ ]+[\w\"']")
_OPENS = re.compile(r"#{1,6}[ \t]|={2,6}[ \t]\S|([=_#])\1{2,}|>>>[ ]|\$[ ]\S|\.\.[ ]|!!![ ]")


def opens(r: DocumentReader, k: int) -> bool:
    """Whether line k opens a block of markup though no blank line stands above it."""
    if r.text[r.lines.ink[k]] == ">" and r.dialect == "markdown":
        return True
    return _OPENS.match(r.text, r.lines.ink[k]) is not None


def front_matter(r: DocumentReader, front: re.Match[str]) -> None:
    """The lines between the rules at the head of a page."""
    start, end = trim(r.text, front.start(), front.end())
    r.builder.open("front", UNIT)
    r.builder.line(start, end, CODE, -1)
    r.builder.close()


def attributes(r: DocumentReader, i: int, j: int) -> int:
    """AsciiDoc's `[[anchor]]` or `[verse]` on a line of its own."""
    if r.dialect != "asciidoc" or r.text[r.lines.end[i] - 1] != "]":
        return i
    r.builder.mark(r.lines.ink[i], r.lines.end[i])
    return i + 1


def quote(r: DocumentReader, i: int, j: int) -> int:
    """Lines that begin with ">", paragraph by paragraph."""
    k = r.end_of_chunk(i, j)
    lines = r.lines
    r.builder.open("quote", UNIT)
    start = i
    for n in range(i, k):
        blank = not r.line(n).strip("> ")
        if n + 1 == k or (blank and n > start):
            r.builder.sentences(lines.ink[start], lines.end[n])
            start = n + 1
    r.builder.close()
    return k


def directive(r: DocumentReader, i: int, j: int) -> int:
    """`.. name:: argument` with its options and what is indented under it."""
    match = _DIRECTIVE.match(r.text, r.lines.ink[i], r.lines.end[i] + 1)
    if match is None or r.dialect in ("markdown", "man"):
        return i
    k = r.end_of_indented(i + 1, j, r.lines.indent[i])
    name = (match["name"] or "").rpartition(":")[2]
    argument = (match["argument"] or "").strip()
    if name in _CODE:
        code.emit(r.builder, r.lines, i, k, (i, k), python=code.names_python(argument))
        return k
    if name in _NOTES:
        return _note(r, i, k)
    head = i + 1
    while head < k and not r.lines.gap[head] and r.text[r.lines.ink[head]] == ":":
        head += 1
    plain = not name and not r.line(i).endswith(":")
    navigation = name in _NAVIGATION or (not name and not plain)
    r.builder.open("navigation" if navigation else "section", BOILERPLATE if navigation else 0)
    names = bool(argument) or _NAMING.search(r.text, r.lines.ink[i], r.lines.end[head - 1])
    first = r.builder.line(r.lines.ink[i], r.lines.end[head - 1], LIST, r.builder.owner)
    if names:
        r.builder.set_role(first, KEY)
    if name in _TABLES and name != "table":
        k = tables.table_directive(r, head, k, first, name)
    elif navigation and head < k:
        for n in range(head, k):
            r.builder.line(r.lines.ink[n], r.lines.end[n], LIST, first)
    else:
        r.inner(head, k, first if names else r.builder.owner)
    r.builder.close()
    return k


def _note(r: DocumentReader, i: int, k: int) -> int:
    """A note: its first paragraph begins on the directive's own line."""
    p = i + 1
    while p < k and not r.lines.gap[p] and not r.opens(p, k):
        p += 1
    r.builder.open("paragraph", UNIT)
    r.builder.sentences(r.lines.ink[i], r.lines.end[p - 1], SENTENCE)
    r.builder.close()
    r.inner(p, k, r.builder.owner, r.lines.indent[i + 1] if p > i + 1 else None)
    return k


def admonition(r: DocumentReader, i: int, j: int) -> int:
    """`!!! tip "Title"` and `=== "Tab"` with what is indented under them."""
    if _ADMONITION.match(r.text, r.lines.ink[i]) is None or r.dialect == "rst":
        return i
    k = r.end_of_indented(i + 1, j, r.lines.indent[i])
    if k == i + 1:
        return i
    head = r.builder.atom(r.lines.ink[i], r.lines.end[i], LIST, KEY)
    r.inner(i + 1, k, head)
    return k
