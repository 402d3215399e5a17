"""Lines that are no running text: messages, settings, columns, hits of a search, lines that each say their own."""

from __future__ import annotations

import re

from fieldpack.text.structure import code, columns, config, delimited, entries, lists, records
from fieldpack.text.structure.builder import SMALL_LIST
from fieldpack.text.structure.model import KEY, LIST, MARK, UNIT
from fieldpack.text.structure.statements import alike
from fieldpack.text.structure.walk import DocumentReader

SAMPLE = 40
_SMALL_JSON = 120
_LINE_OF_PROSE = 120
"""Characters a line, on average, from which lines are taken for paragraphs of prose."""
_JSON = re.compile(r"\{\s*\"[^\"\n]*+\"\s*:|\[\s*(?:\{\s*\"|\[|\"[^\"\n]*+\"\s*,|-?\d[\d.]*+\s*,)")
_PATH = re.compile(r"(?:[\w@.~+-]+[/\\])+[\w@.+-]+:?$|[\w@+-]+\.[a-z]{1,5}:?$")
_HIT = re.compile(r"\d+[:-]")
_FLAT_HIT = re.compile(r"(?:[A-Za-z]:)?[\w./\\@+-]{1,200}[:-]\d+[:-]")
_LINK = re.compile(r"(?:[-*] |\d+[.)] )?\*{0,2}\[[^\]]+\]\([^()\s]+\)\*{0,2}$")
_SETTING = re.compile(
    r"[\w\"'@$*/][^\n:=]{0,40}?[ \t]*+(?::[ \t]|=(?!=)|:$)[ \t]*+|[-*][ \t]+[\w.-]+:[ \t]|#[ \t]|\[[\w.\"-]+\]$"
)
_WORD, _PUNCTUATION = re.compile(r"\w+"), re.compile(r"(\W)\1+")
_LONG_SENTENCE = 6
_STOPS = ".!?。！？"


def read_chunk(r: DocumentReader, i: int, j: int) -> int:
    """The lines between two blank ones when they are of one of these kinds; tried once per chunk."""
    k = r.end_of_chunk(i, j)
    if r.tested == k and not r.after_heading():
        return i
    read = data_chunk(r, i, j)
    if read > i or k - i < 3 or r.dialect not in ("plain", "asciidoc") or _is_wrapped(r, i, k):
        return read
    if r.text.find("\n{|", r.lines.ink[i], r.lines.end[k - 1]) >= 0:  # a table of MediaWiki below a sentence
        return i
    return _of_lines(r, i, k)


def data_chunk(r: DocumentReader, i: int, j: int) -> int:
    """The lines between two blank ones when they are messages, columns or hits; tried once per chunk."""
    k = r.end_of_chunk(i, j)
    if r.tested == k and not r.after_heading():
        return i
    r.tested = k
    if r.dialect != "rst" and entries.messages_start(r, i, k):
        return entries.read_entries(r, i, k, j)
    if k - i < 2:
        return i
    if _is_result(r, i):
        return _result(r, i, k)
    if r.dialect != "man" and _has_columns(r, i, k) and columns.column_table(r, i, k) > i:
        return k
    if r.dialect in ("plain", "markdown") and _are_hits(r, i, k):
        return rows(r, i, k)
    if r.dialect in ("plain", "markdown") and _PATH.match(r.line(i)) and _HIT.match(r.line(i + 1)):
        return _hits(r, i, k)
    if r.dialect in ("plain", "markdown") and columns.spaced_table(r, i, k) > i:
        return k
    if r.dialect == "markdown" and columns.has_as_many_words(r, i, k):
        return rows(r, i, k)
    return i


def _of_lines(r: DocumentReader, i: int, k: int) -> int:
    """Three lines and more that are not wrapped text."""
    if r.dialect == "plain" and _are_settings(r, i, k):
        config.outline(r.builder, r.lines, i, k, r.builder.lead(r.lines.ink[i]))
        return k
    first = i if delimited.is_delimited(r.text[r.lines.begin[i] : r.lines.end[k - 1]][:4000]) else i + 1
    if k - first >= 3 and (
        first == i or delimited.is_delimited(r.text[r.lines.begin[first] : r.lines.end[k - 1]][:4000])
    ):
        return _delimited(r, i, first, k)
    if k - i >= 5 and r.dialect == "plain" and alike(r.text, r.lines, i, k):
        return rows(r, i, k)
    if _is_code(r, i, k):
        code.emit(r.builder, r.lines, i, k, (i, k), python=False)
        return k
    if r.dialect == "plain" and lists.hangs(r, i, k):
        if not _are_short(r, i, k):
            return i  # terms with what is said of them
        config.outline(r.builder, r.lines, i, k, r.builder.lead(r.lines.ink[i]))
        return k
    if k - i >= 4 and r.dialect == "plain" and _are_lines(r, i, k):
        return rows(r, i, k)
    return i


def _delimited(r: DocumentReader, i: int, first: int, k: int) -> int:
    """Lines with a separator, and the line above them that says what they are."""
    if first > i:
        r.builder.paragraph(r.lines.ink[i], r.lines.end[i])
    owner, r.builder.owner = r.builder.owner, r.builder.lead(r.lines.ink[first])
    delimited.read_delimited(r.builder, r.lines.begin[first], r.lines.end[k - 1])
    r.builder.owner = owner
    return k


def json_block(r: DocumentReader, i: int, j: int) -> int:
    """JSON in a text: on one line, or down to the closing bracket at the margin of the opening one."""
    lines = r.lines
    k = i
    if r.text[lines.end[i] - 1] not in "}]":
        k = i + 1
        while k < j and lines.indent[k] > lines.indent[i]:
            k += 1
        if k == j or r.text[lines.ink[k]] not in "}]":
            return i
    if lines.end[k] - lines.ink[i] < _SMALL_JSON or _JSON.match(r.text, lines.ink[i], lines.end[k]) is None:
        return i
    owner, r.builder.owner = r.builder.owner, r.builder.lead(lines.ink[i])
    records.read_json(r.builder, lines.ink[i], lines.end[k])
    r.builder.owner = owner
    return k + 1


def _is_result(r: DocumentReader, i: int) -> bool:
    """Whether line i is a search result's title: a link alone, or a short line with an address under it."""
    if r.lines.end[i] - r.lines.ink[i] > 300:
        return False
    below = r.lines.ink[i + 1]
    return _LINK.match(r.line(i)) is not None or (
        r.text.startswith(("http://", "https://"), below) and " " not in r.line(i + 1) and len(r.line(i)) <= 150
    )


def _result(r: DocumentReader, i: int, k: int) -> int:
    """A search result: what is under its title goes with it."""
    builder, lines = r.builder, r.lines
    builder.open("entry", UNIT)
    head = builder.line(lines.ink[i], lines.end[i], LIST, builder.owner)
    builder.set_role(head, KEY)
    builder.sentences(lines.ink[i + 1], lines.end[k - 1], LIST, head)
    builder.close()
    return k


def _are_hits(r: DocumentReader, i: int, k: int) -> bool:
    """Whether the lines are `path:number:text`, as a search in files prints them."""
    sample = range(i, min(k, i + SAMPLE))
    return sum(_FLAT_HIT.match(r.text, r.lines.ink[n]) is not None for n in sample) >= 0.7 * len(sample)


def trace(r: DocumentReader, i: int, j: int) -> int:
    """A stack trace that stands alone."""
    if not r.text.startswith("Traceback (most recent call last)", r.lines.ink[i]):
        return i
    k = r.end_of_chunk(i, j)
    entries.entry(r.builder, r.lines, i, k, owner=r.builder.owner, number=-1)
    return k


def rows(r: DocumentReader, i: int, k: int) -> int:
    """Lines that each say their own: one row each, going with the sentence above that announces them."""
    lead = r.builder.lead(r.lines.ink[i])
    r.builder.open("lines")
    for number, n in enumerate(range(i, k)):
        r.builder.row(r.lines.ink[n], r.lines.end[n], LIST, lead, number)
    small = r.lines.end[k - 1] - r.lines.ink[i] <= SMALL_LIST
    r.builder.close(UNIT if small else 0, rows=k - i)
    return k


def _hits(r: DocumentReader, i: int, k: int) -> int:
    """A file's name and the numbered lines that a search has found in it."""
    r.builder.open("lines")
    head = r.builder.atom(r.lines.ink[i], r.lines.end[i], LIST, KEY)
    count = 0
    for n in range(i + 1, k):
        if r.line(n) == "--":
            r.builder.atom(r.lines.ink[n], r.lines.end[n], LIST, MARK)
        else:
            r.builder.row(r.lines.ink[n], r.lines.end[n], LIST, head, count)
            count += 1
    r.builder.close(UNIT if r.lines.end[k - 1] - r.lines.ink[i] <= 400 else 0, rows=count)
    return k


def _has_columns(r: DocumentReader, i: int, k: int) -> bool:
    """Whether the first three lines have blanks between their words, or are those of `ls -l`."""
    if k - i < 3:
        return False
    blanks = sum("  " in r.line(n) or "\t" in r.line(n) for n in range(i, i + 3)) >= 2
    return blanks or (r.text[r.lines.ink[i + 1]] in "-dl" and " 1 " in r.line(i + 1))


def _is_wrapped(r: DocumentReader, i: int, k: int) -> bool:
    """Whether the lines are prose broken at a margin: no first word of a line had fitted on the line above."""
    lines = r.lines
    last = min(k, i + SAMPLE)
    width = max(lines.end[n] - lines.begin[n] for n in range(i, last))
    if width < 40 or _same_shape(r, i, last):
        return False
    fitting = 0
    for n in range(i + 1, last):
        word = r.text[lines.ink[n] : lines.ink[n] + 30].split(None, 1)[0]
        fitting += lines.end[n - 1] - lines.begin[n - 1] + 1 + len(word) <= width
    return fitting <= 0.3 * (last - i - 1)


def _same_shape(r: DocumentReader, i: int, last: int) -> bool:
    """Whether most lines begin with a word of one shape that is no ordinary word: a path, a number, a code."""
    if _first_word(r, i).isalpha() and _first_word(r, i + 1).isalpha():
        return False
    shapes = [_shape(_first_word(r, n)) for n in range(i, last)]
    usual = max(shapes, key=shapes.count)
    return len(usual) > 2 and shapes.count(usual) >= 0.7 * len(shapes)


def _first_word(r: DocumentReader, n: int) -> str:
    return r.text[r.lines.ink[n] : r.lines.ink[n] + 80].split(None, 1)[0]


def _shape(word: str) -> str:
    """What parts the letters and digits of a word: "tests/a_b.py::c" is "a/a.a:a"."""
    return _PUNCTUATION.sub(r"\1", _WORD.sub("a", word))


def _are_settings(r: DocumentReader, i: int, k: int) -> bool:
    """Whether nearly all lines are `key: value` or `key = value`."""
    sample = [r.line(n)[:300] for n in range(i, min(k, i + SAMPLE))]
    settings = [m for line in sample if (m := _SETTING.match(line)) and len(m[0].split()) <= 5]
    return len(settings) >= 0.8 * len(sample)


def _is_code(r: DocumentReader, i: int, k: int) -> bool:
    """Whether lines at the margin are code: nearly all have its signs, and none is a sentence."""
    return code.looks_like_code(r, i, k) and code.share_of_code(r, i, k) >= 0.8


def _are_short(r: DocumentReader, i: int, k: int) -> bool:
    """Whether the lines are a few words each and no sentences: `Host a`, and deeper `Port 22`."""
    sample = [r.line(n) for n in range(i, min(k, i + SAMPLE))]
    return all(len(line.split()) <= _LONG_SENTENCE and line[-1] not in _STOPS + ",;" for line in sample)


def _are_lines(r: DocumentReader, i: int, k: int) -> bool:
    """Whether each line says its own: breaks where the next word had fitted, and not one long sentence a line."""
    sample = [r.line(n) for n in range(i, min(k, i + SAMPLE))]
    if sum(map(len, sample)) > _LINE_OF_PROSE * len(sample):
        return False
    stops = sum(line[-1] in _STOPS and len(line.split()) > _LONG_SENTENCE for line in sample)
    return stops <= 0.6 * len(sample)
