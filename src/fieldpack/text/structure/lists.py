"""Lists: bullets, numbers, clauses such as (a) and 2.1, options and terms with what is indented under them.

Every item goes with the list's lead-in ("... provided that:"), and what is nested goes with the item above it.
"""

from __future__ import annotations

import re

from fieldpack.text.structure import code, entries, headings
from fieldpack.text.structure.builder import SMALL_LIST
from fieldpack.text.structure.model import LIST, MARK, UNIT
from fieldpack.text.structure.walk import DocumentReader

_MARKER = re.compile(
    r"(?P<bullet>[-*+•‣◦·●▪○■]|[–—](?= ))(?=\s)"
    r"|(?P<number>\d{1,9})(?P<after>[.)])(?=\s)"
    r"|(?P<clause>\d{1,3}(?:\.\d{1,3}){1,4})\.?(?=[^\S\n]+\S)"
    r"|\((?P<inner>\d{1,3}|[a-zA-Z]{1,2}|[ivxlIVXL]{1,5})\)(?=\s)"
    r"|(?P<letter>[a-zA-Z]|[ivx]{2,4}|[IVX]{2,4})(?P<behind>[.)])(?=\s)"
    r"|(?P<option>-{1,2}[A-Za-z?#][\w.-]*)(?=[\s,=\[<]|$)"
    r"|(?P<field>:[^:\n]{1,60}:)(?=\s|$)",
    re.M,
)
_SIBLINGS = 30
"""Lines after a letter or a date-like number within which the next item must stand, else it is prose."""
_LONG_TERM = 120


def _marker(r: DocumentReader, i: int) -> tuple[str, str]:
    """The kind and the text of the marker that line i starts with; ("", "") without one."""
    if r.marked[0] != i:  # most lines are asked about twice in a row
        r.marked = (i, _read_marker(r, i))
    return r.marked[1]


def _read_marker(r: DocumentReader, i: int) -> tuple[str, str]:
    m = _MARKER.match(r.text, r.lines.ink[i], r.lines.end[i] + 1)
    if m is None or m.end() > r.lines.end[i]:
        return "", ""
    kind = m.lastgroup or ""
    if kind == "after":
        return "number" + m["after"], m["number"]
    if kind == "behind":
        return "letter" + m["behind"], m["letter"]
    if kind == "bullet":
        return "bullet" + m["bullet"], m["bullet"]
    if kind == "clause":
        return f"clause{m['clause'].count('.')}", m["clause"]
    if kind == "option" and r.dialect == "markdown":
        return "", ""
    if kind == "field":
        return ("field", m["field"]) if r.dialect == "rst" else ("", "")
    return kind, m[kind]


def read_list(r: DocumentReader, i: int, j: int) -> int:
    """A list whose first item is at line i."""
    kind, text = _marker(r, i)
    if not kind or not _is_item(r, i, j, kind, text):
        return i
    return _items(r, i, j, kind, ())


def bulleted(r: DocumentReader, i: int, j: int) -> int:
    """A list whose first item is a bullet before a word: no rule and no table begins like that."""
    ink = r.lines.ink[i]
    mark = r.text[ink : min(ink + 3, r.lines.end[i])]
    return read_list(r, i, j) if mark[1:2] == " " and mark[2].isalnum() else i


def interrupts(r: DocumentReader, k: int) -> bool:
    """Whether line k, right below a line of prose, is an item: a bullet, a clause, or a number 1."""
    kind, text = _marker(r, k)
    if not kind:
        return False
    if kind.startswith("bullet"):
        return not (text in "–—·" or r.text[r.lines.ink[k] + 1] == "\n")
    return kind == "inner" or (kind.startswith("number") and text == "1") or kind.startswith("letter)")


def _is_item(r: DocumentReader, i: int, j: int, kind: str, text: str) -> bool:
    """Whether what looks like a marker is one: letters and large numbers need a second item."""
    if kind.startswith("bullet") or kind in ("inner", "field") or (kind.startswith("number") and len(text) <= 3):
        return True
    if kind == "option":
        deeper = i + 1 < j and r.lines.indent[i + 1] > r.lines.indent[i]
        rest = r.text[r.lines.ink[i] + len(text) : r.lines.end[i]]
        return deeper or not rest or "  " in rest or _sibling(r, i, j, kind)
    return _sibling(r, i, j, kind)


def _sibling(r: DocumentReader, i: int, j: int, kind: str) -> bool:
    indent = r.lines.indent[i]
    return any(
        r.lines.indent[k] == indent and _marker(r, k)[0] == kind for k in range(i + 1, min(j, i + 1 + _SIBLINGS))
    )


def _items(r: DocumentReader, i: int, j: int, kind: str, outer: tuple[str, ...]) -> int:
    """Reads items of one kind at the indentation of line i. `outer`: kinds of the lists at this indentation that this
    one is nested in ("(a)" under "2.3" at the same margin)."""
    builder, lines = r.builder, r.lines
    lead = builder.lead(lines.ink[i])
    builder.open("list")
    start, margin, count, first = lines.ink[i], lines.indent[i], 0, -1
    k = i
    while k < j and abs(lines.indent[k] - margin) <= 1 and not (k > i and headings.numbered_depth(r, k, j)):
        own, text = _marker(r, k)
        if own == kind:
            last = _end_of_item(r, k, j, margin)
            first = _item(r, k, last, lead, count)
            count, k = count + 1, last
        elif own and own not in outer and first >= 0 and not own.startswith("bullet") and _is_item(r, k, j, own, text):
            owned, builder.owner = builder.owner, first
            k = _items(r, k, j, own, (*outer, kind))
            builder.owner = owned
        else:
            break
    length = lines.end[k - 1] - start
    builder.close(UNIT if length <= SMALL_LIST else 0, rows=count)
    return k


def _end_of_item(r: DocumentReader, k: int, j: int, margin: int) -> int:
    """The line after an item: deeper lines belong to it, and those right below that open nothing."""
    lines = r.lines
    m = k + 1
    while m < j:
        if lines.indent[m] > margin:
            m += 1
        elif r.dialect == "asciidoc" and r.line(m) == "+":
            m = _continued(r, m + 1, j)
        elif not lines.gap[m] and not _marker(r, m)[0] and lines.indent[m] == margin and not r.opens(m, j):
            m += 1
        else:
            break
    return m


def _continued(r: DocumentReader, m: int, j: int) -> int:
    """The line after what AsciiDoc's "+" joins to an item: a listing, or lines up to a blank one."""
    if m < j:
        k = code.end_of_listing(r, m, j)
        if k > m:
            return k
    while m < j and not r.lines.gap[m]:
        if m + 1 < j and code.delimiter(r, m):
            return max(code.end_of_listing(r, m, j), m + 1)
        m += 1
    return m


def continuation(r: DocumentReader, i: int, j: int) -> int:
    """AsciiDoc's "+" alone on its line."""
    if r.dialect != "asciidoc" or r.line(i) != "+":
        return i
    r.builder.mark(r.lines.ink[i], r.lines.end[i], LIST)
    return i + 1


def _item(r: DocumentReader, k: int, last: int, lead: int, number: int) -> int:
    """One item of lines [k, last). Returns its first atom."""
    builder, lines = r.builder, r.lines
    outer, builder.number = builder.number, number
    builder.open("item", UNIT)
    p = k + 1
    while p < last and not lines.gap[p] and not _marker(r, p)[0] and not r.opens(p, last):
        p += 1
    first = builder.sentences(lines.ink[k], lines.end[p - 1], LIST, lead)
    if is_term(r, first):
        for atom in range(first + 1, builder.count):
            builder.set_context(atom, first)
    if p < last:
        r.inner(p, last, first, _content(r, k))
    builder.close()
    builder.number = outer
    return first


def _content(r: DocumentReader, k: int) -> int:
    """The column at which the text of the item at line k stands."""
    marker = _MARKER.match(r.text, r.lines.ink[k], r.lines.end[k] + 1)
    text = r.text[r.lines.ink[k] : r.lines.end[k]]
    width = marker.end() - r.lines.ink[k] if marker else 1
    return r.lines.indent[k] + width + max(len(text[width:]) - len(text[width:].lstrip()), 1)


def is_term(r: DocumentReader, atom: int) -> bool:
    """Whether an atom names what follows it: short, and no sentence."""
    low, high = r.builder.span(atom)
    return high - low <= _LONG_TERM and r.text[high - 1] not in ".!?…。！？;"


def hanging(r: DocumentReader, i: int, j: int) -> int:
    """Terms (or options) with what is indented under them: a definition list, or paragraphs with a hanging indent."""
    if r.dialect == "markdown" or not hangs(r, i, j):
        return i
    builder, lines = r.builder, r.lines
    lead = builder.lead(lines.ink[i])
    builder.open("list")
    count, k, start, margin = 0, i, lines.ink[i], lines.indent[i]
    while k < j and lines.indent[k] == margin and hangs(r, k, j) and (k == i or not entries.starts_entry(r.line(k))):
        k = _definition(r, k, j, lead, count)
        count += 1
    builder.close(UNIT if lines.end[k - 1] - start <= SMALL_LIST else 0, rows=count)
    return k


def defined(r: DocumentReader, i: int, j: int) -> int:
    """Markdown's terms, each with lines below it that begin with a colon."""
    if r.dialect not in ("markdown", "plain") or not _is_defined(r, i, j):
        return i
    builder, lines = r.builder, r.lines
    lead = builder.lead(lines.ink[i])
    builder.open("list")
    outer, count, k = builder.number, 0, i
    while k < j and _is_defined(r, k, j):
        last = k + 2
        while last < j and not _is_defined(r, last, j) and (not lines.gap[last] or r.line(last).startswith(": ")):
            last += 1
        builder.open("item", UNIT)
        builder.number = count
        first = builder.line(lines.ink[k], lines.end[k], LIST, lead)
        r.inner(k + 1, last, first)
        builder.close()
        count, k = count + 1, last
    builder.number = outer
    builder.close(UNIT if lines.end[k - 1] - lines.ink[i] <= SMALL_LIST else 0, rows=count)
    return k


def _is_defined(r: DocumentReader, k: int, j: int) -> bool:
    """Whether a line that begins with a colon stands below the short line k."""
    short = r.lines.end[k] - r.lines.ink[k] <= _LONG_TERM and r.text[r.lines.ink[k]] != ":"
    return short and k + 1 < j and r.text.startswith(": ", r.lines.ink[k + 1])


def hangs(r: DocumentReader, i: int, j: int) -> bool:
    """Whether deeper lines stand right under line i, or under the short lines that follow it at its margin."""
    lines = r.lines
    if r.dialect == "asciidoc" and i + 1 < j and r.line(i + 1) == "+":
        return r.line(i).endswith((":", ";"))
    for k in range(i + 1, min(j, i + 7)):
        if lines.gap[k]:
            return False
        if lines.indent[k] >= lines.indent[i] + 2:
            return True
        if lines.indent[k] != lines.indent[i] or lines.end[k] - lines.ink[k] > 60 or lines.end[i] - lines.ink[i] > 60:
            return False
    return False


def _definition(r: DocumentReader, i: int, j: int, lead: int, number: int) -> int:
    builder, lines = r.builder, r.lines
    k = i + 1
    while lines.indent[k] == lines.indent[i] and r.line(k) != "+":
        k += 1
    last = r.end_of_indented(k, j, lines.indent[i])
    if r.dialect == "asciidoc":
        last = max(k, _end_of_item(r, i, j, lines.indent[i]))
    outer, builder.number = builder.number, number
    builder.open("item", UNIT)
    if _would_fit(r, k - 1, k, last):
        first = builder.sentences(lines.ink[i], lines.end[k - 1], LIST, lead)
        r.inner(k, last, first)
    else:  # a paragraph whose first line stands further out
        p = k
        while p < last and not lines.gap[p] and not r.opens(p, last):
            p += 1
        first = builder.sentences(lines.ink[i], lines.end[p - 1], LIST, lead)
        r.inner(p, last, first)
    builder.close()
    builder.number = outer
    return last


def _would_fit(r: DocumentReader, i: int, k: int, last: int) -> bool:
    """Whether the first word of line k had fitted on line i: then the break between them is meant."""
    lines = r.lines
    if k >= last or r.line(k) == "+":
        return True
    width = max(lines.end[n] - lines.begin[n] for n in range(k, min(last, k + 20)))
    word = r.line(k).split(None, 1)[0]
    return lines.end[i] - lines.begin[i] + 1 + len(word) < width or lines.end[i] - lines.ink[i] <= 40


__all__ = ["MARK", "defined", "hanging", "hangs", "interrupts", "is_term", "read_list"]
