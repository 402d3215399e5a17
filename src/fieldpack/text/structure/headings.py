"""Headings: `# x`, `== x`, underlined, `==== x ====`, numbered, and capitals on a line of their own."""

from __future__ import annotations

import re

from fieldpack.text.structure import entries
from fieldpack.text.structure.lines import Lines
from fieldpack.text.structure.walk import DocumentReader

LONGEST = 400
"""Characters of a heading at most; a longer line is prose."""
_ATX = re.compile(r"(#{1,6}|={2,6})(?=[^\S\n]|$)", re.M)
_RULE = re.compile(r"([-*_=+~#^\"'`:.<>])(?:[^\S\n]*+\1){2,}+$", re.M)
_TITLED = re.compile(r"([=_\-*#~+])\1{2,}+[ \[]++(?P<title>[^\n]*?[^\W_][^\n]*?)[ \]]++\1{3,}+$", re.M)
_TITLED_LEVELS = {"=": 1, "#": 1, "*": 1, "_": 2, "+": 2, "~": 3, "-": 4}
_UNDER = re.compile(r"([!-/:-@\[-`{-~])\1++$", re.M)
_NUMBERED = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,4}|[IVX]{1,5})[.)]?[^\S\n]++(?=[^\W\d_])")
_NAMED = re.compile(
    r"(?:article|section|chapter|part|appendix|annex|schedule|kapitel|artikel|abschnitt|chapitre|capítulo|título|§)"
    r"[^\S\n]+[\dIVXA-Z]{1,6}\b[.:]?(?=\s|$)",
    re.I | re.M,
)
_SMALL = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "by",
        "de",
        "del",
        "der",
        "des",
        "die",
        "du",
        "for",
        "from",
        "in",
        "la",
        "le",
        "of",
        "on",
        "or",
        "the",
        "to",
        "und",
        "with",
        "y",
        "&",
        "/",
        "-",
        "–",
    ]
)


def atx(r: DocumentReader, i: int, j: int) -> int:
    """`# Heading` or AsciiDoc's `== Heading`."""
    mark = _ATX.match(r.text, r.lines.ink[i])
    if mark is None or not r.outer or (r.dialect == "man") or r.lines.indent[i] > r.base + 3:
        return i
    if r.lines.end[i] - r.lines.ink[i] > LONGEST or (mark[1][0] == "=" and r.lines.end[i] == mark.end()):
        return i
    r.builder.section(r.lines.ink[i], r.lines.end[i], len(mark[1]))
    return i + 1


def rule_title(r: DocumentReader, i: int, j: int) -> int:
    """`==== title ====` as test runners print it; or a rule alone, which parts what stands above from the rest."""
    start, end = r.lines.ink[i], r.lines.end[i]
    if _RULE.match(r.text, start, end):
        k = underlined(r, i, j)  # an overline
        if k > i:
            return k
        if end - start < 3 or (i + 1 < j and not r.lines.gap[i + 1] and not r.lines.gap[i]):
            return i
        if r.text[start] in "+.`" and r.dialect == "asciidoc":
            return i
        r.builder.mark(start, end)
        return i + 1
    title = _TITLED.match(r.text, start, end) if end - start <= LONGEST else None
    if title is None or not r.outer:
        return i
    r.builder.section(start, end, 10 + _TITLED_LEVELS[title[1]])
    if title[1] == "_" and entries.is_failure(r, i + 1):
        return entries.failure(r, i + 1, j)
    return i + 1


def part_at_titles(text: str, lines: Lines) -> None:
    """Puts a gap before and after every `==== title ====`, so that no block reaches across one."""
    for k, ink in enumerate(lines.ink):
        if text[ink] in _TITLED_LEVELS and _TITLED.match(text, ink, min(lines.end[k], ink + LONGEST)):
            lines.part(k)
            lines.part(k + 1)


def underlined(r: DocumentReader, i: int, j: int) -> int:
    """A line (or two) with a rule under it, and perhaps one above."""
    if not r.outer or r.dialect == "man":
        return i
    top = _UNDER.match(r.text, r.lines.ink[i], r.lines.end[i])
    title = i + 1 if top else i
    over = top is not None and r.lines.end[i] - r.lines.ink[i] > 2
    if title + 1 >= j or r.lines.gap[title + 1] or (over and r.lines.gap[title]):
        return i
    rule = _UNDER.match(r.text, r.lines.ink[title + 1], r.lines.end[title + 1])
    if rule is None or (over and top is not None and top[1] != rule[1]) or (top and not over):
        return i
    width, length = rule.end() - rule.start(), r.lines.end[title] - r.lines.ink[title]
    markdown = rule[1] in "=-" and r.dialect in ("markdown", "plain") and width >= (2 if r.dialect == "markdown" else 3)
    if r.dialect in ("plain", "asciidoc") and not (0.5 * length <= width <= 1.6 * length + 2):
        markdown = False
    if not (markdown or (width >= min(length, 4) and width >= 3 and r.dialect != "markdown" and width >= length - 2)):
        return i
    if length > LONGEST or r.text[r.lines.ink[title]] in "|+" or r.lines.indent[title + 1] > r.base + 3:
        return i
    if r.dialect == "plain" and rule[1] not in "=-~^*#\"'`+":
        return i
    r.builder.section(r.lines.ink[i], r.lines.end[title + 1], _level(r, rule[1], over))
    return title + 2


def _level(r: DocumentReader, char: str, over: bool) -> int:
    if r.dialect == "markdown":
        return 1 if char == "=" else 2
    style = (char, over)
    if style not in r.styles:
        r.styles.append(style)
    return r.styles.index(style) + 1


def numbered(r: DocumentReader, i: int, j: int) -> int:
    """`2. FEES AND PAYMENT`, `3.1 Scope` on a line of its own."""
    depth = numbered_depth(r, i, j)
    if depth:
        r.builder.section(r.lines.ink[i], r.lines.end[i], 20 + depth)
        return i + 1
    return i


def numbered_depth(r: DocumentReader, i: int, j: int) -> int:
    """How many numbers the numbered heading at line i has; 0 when it is none."""
    if r.dialect not in ("plain", "man") or not _stands_alone(r, i, j):
        return 0
    number = _NUMBERED.match(r.text, r.lines.ink[i])
    if number is None:
        return 0
    words = r.text[number.end() : r.lines.end[i]]
    depth = number[1].count(".") + 1
    heads = words.isupper() or (depth <= 3 and _capitalised(words))
    return depth if heads and len(words) <= 80 and words[-1:] not in ".;:,?!" else 0


def alone(r: DocumentReader, i: int, j: int) -> int:
    """A line in capitals, or `Article 5`, on a line of its own; in man pages the lines at the margin."""
    if not r.outer or r.dialect in ("markdown", "rst"):
        return i
    start, end = r.lines.ink[i], r.lines.end[i]
    if end - start > 80:
        return i
    line = r.text[start:end]
    if r.dialect == "man":
        if r.lines.indent[i] or i + 1 >= j or (r.lines.indent[i + 1] == 0 and not r.lines.gap[i + 1]):
            return i
        r.builder.section(start, end, 1)
        return i + 1
    if not _stands_alone(r, i, j) or not (line.isupper() or _NAMED.match(line)):
        return i
    if line[-1] in ".;,!?" or not any(c.isalpha() for c in line) or len(line) < 3:
        return i
    r.builder.section(start, end, 20)
    return i + 1


def sub_heading(r: DocumentReader, i: int, j: int) -> int:
    """A man page's sub-heading: three columns in, with deeper text below."""
    return i + 1 if r.outer and indented(r, i, j) else i


def indented(r: DocumentReader, i: int, j: int) -> bool:
    """Whether line i is a man page's sub-heading, which is then added."""
    if (
        r.dialect != "man"
        or not 2 <= r.lines.indent[i] <= 4
        or i + 1 >= j
        or r.lines.indent[i + 1] <= r.lines.indent[i]
    ):
        return False
    if r.lines.end[i] - r.lines.ink[i] > 80:
        return False
    r.builder.section(r.lines.ink[i], r.lines.end[i], 2)
    return True


def _stands_alone(r: DocumentReader, i: int, j: int) -> bool:
    """Between blank lines, with something below that is no heading of this kind."""
    if not r.outer or not r.lines.gap[i] or i + 1 >= j or not r.lines.gap[i + 1]:
        return False
    return r.lines.indent[i] <= r.base + 3


def _capitalised(words: str) -> bool:
    parts = words.split()
    return len(parts) <= 8 and all(w[0].isupper() or w.lower() in _SMALL or not w[0].isalpha() for w in parts)
