"""What compression must not touch: code, numbers, identifiers, URLs, quoted strings, as character ranges of a text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable

Span = tuple[int, int]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
# Backticks may stand deep in a list; tildes that far in are what reStructuredText underlines with.
_FENCE = re.compile(r"(?:[ \t]*(?=`)| {0,3})(`{3,}|~{3,})([^`\r\n]*)")
_OPEN_FENCE = re.compile(r"^(?:```|~~~)", re.MULTILINE)
_INDENT = re.compile(r" {4}|\t")
# Thai, Lao, kana, Han and their punctuation: no spaces between words, so a run ends at every character.
UNSPACED = "\u0e00-\u0eff\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uff65\U00020000-\U0002fa1f"
_RUN = re.compile(rf"[^\s{UNSPACED}]+")
# A run with one of these is a number, an identifier, a path, a URL, an address, markup or an operator.
_TECHNICAL = re.compile(r"[\d_@\\/=<>{}#$%^~|`]|[a-z][A-Z]|\w[.:]\w|::|->")
_LETTER = re.compile(r"[^\W_]")
_ENCLOSED = re.compile(
    r"(?<!`)(?P<ticks>`+)(?!`)[^\r\n]{1,300}?(?<!`)(?P=ticks)(?!`)"
    r"|<[/!]?[A-Za-z][^<>\r\n]{0,300}>"
    r'|"[^"\r\n]{1,300}"|“[^“”\r\n]{1,300}”|„[^„“”\r\n]{1,300}[“”]|«[^«»\r\n]{1,300}»|「[^「」\r\n]{1,300}」'
    r"|(?<!\w)'[^'\r\n]{1,120}'(?!\w)"
)


def is_code(text: str) -> bool:
    """Whether the whole text is source code, not prose with code in it."""
    from fieldpack.text.segment import kind_of
    from fieldpack.types import Document

    return kind_of(Document("text", text)) in ("python", "code") and not _OPEN_FENCE.search(text)


def code_blocks(text: str) -> list[Span]:
    """Whole lines of fenced blocks (to the end of the text when unclosed) and of blocks indented after a blank line.

    A text that is source code is one block.
    """
    if is_code(text):
        return [(0, len(text))]
    blocks: list[Span] = []
    fence, start, end = "", -1, 0  # `fence` is the open mark; `start` the open block of either kind
    blank_before = True
    for line in _LINE.finditer(text):
        body = line[0].rstrip("\r\n")
        mark = _FENCE.match(body)
        if fence:
            end = line.end()
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                blocks.append((start, line.start() + len(body)))
                fence, start = "", -1
        elif mark:
            blocks += [(start, end)] if start >= 0 else []
            fence, start = mark[1], line.start()
        elif body.strip() and _INDENT.match(body) and (start >= 0 or blank_before):
            start = line.start() if start < 0 else start
            end = line.start() + len(body)
        elif body.strip() and start >= 0:
            blocks.append((start, end))
            start = -1
        blank_before = not body.strip()
    if start >= 0:
        blocks.append((start, len(text) if fence else end))
    return blocks


def protected(text: str) -> list[Span]:
    """Code blocks, inline code, tags, quoted strings and technical words: sorted, disjoint."""
    spans = code_blocks(text)
    spans += [m.span() for m in _ENCLOSED.finditer(text)]
    spans += [m.span() for m in _RUN.finditer(text) if _TECHNICAL.search(m[0]) and _LETTER.search(m[0])]
    return merged(spans)


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same characters as sorted ranges that do not overlap."""
    rows: list[Span] = []
    for start, end in sorted(spans):
        if rows and start < rows[-1][1]:
            rows[-1] = (rows[-1][0], max(end, rows[-1][1]))
        else:
            rows.append((start, end))
    return rows


def guarded_sub(pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str], text: str) -> str:
    """`pattern.sub`, except where a match would touch a protected range of the text."""
    spans = protected(text)
    starts = [a for a, _ in spans]

    def replace(match: re.Match[str]) -> str:
        at = bisect_right(starts, match.start()) - 1
        inside = at >= 0 and spans[at][1] > match.start()
        touches = at + 1 < len(spans) and spans[at + 1][0] < match.end()
        return match[0] if inside or touches else replacement(match)

    return pattern.sub(replace, text)
