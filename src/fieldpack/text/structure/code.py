"""Code in a text: fenced, indented, after `::`, prompts with their output; each goes with the sentence above it."""

from __future__ import annotations

import re

from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.lines import Lines
from fieldpack.text.structure.model import ATOMIC, BODY, CODE, KEY, MARK, SIGNATURE, UNIT
from fieldpack.text.structure.statements import WHOLE_LINES, pieces
from fieldpack.text.structure.walk import DocumentReader

_FENCE = re.compile(r"(`{3,}+|~{3,}+)[^`\n]*+$", re.M)
_DELIMITER = re.compile(r"(-{4,}+|\.{4,}+)$", re.M)
_PROMPT = re.compile(r">>> ?|\.\.\. ?|\$ \S|(?:In|Out) ?\[\d*\]: ?|[\w.-]+@[\w.-]+[:\w/~. -]*[$#] ")
_PYTHON = re.compile(r"(?:py|python|pycon|ipython|python3)\b", re.I)
_SIGN = re.compile(
    r"[;{}\\]$|^[)\]}]+[;,]?$|^(?:\$|>>>|//|/\*|#!|#include|@\w+|<\w+|</)|^(?:import|from|def|class|return|raise|try|except"
    r"|with|async|await|const|let|var|function|func|fn|pub|public|private|static|void|int|export|package|using|namespace"
    r"|SELECT|INSERT|UPDATE|CREATE|DELETE|ALTER|FROM|WHERE|sudo|pip|npm|curl|docker|kubectl|git|make|cd|echo|mkdir)\b(?!,)"
    r"|^[\w.\[\]\"']+ ?(?:=|\+=|:=|->|=>) ?\S|[\w\])]\([^()]*\)[;:,]?$|\w\($|^[\w.]+\(|=>$"
    r"|^[\w-]+: [\w\"'\[{/.-]+$|^\[[\w.-]+\]$",
)


def fence(r: DocumentReader, i: int, j: int) -> int:
    """Code between fences; an unclosed fence reaches to the end."""
    mark = _FENCE.match(r.text, r.lines.ink[i], r.lines.end[i])
    if mark is None or (mark[1][0] == "~" and r.dialect in ("rst", "man", "asciidoc")):
        return i
    k = i + 1
    while k < j and not _closes(r, k, mark[1]):
        k += 1
    stop = min(k + 1, j)
    printed = _end_of_output(r, stop, j)
    if printed > stop and printed - i <= WHOLE_LINES:  # a small cell of a notebook and what it printed are one block
        emit(r.builder, r.lines, i, printed, (i + 1, printed - 1), python=False)
        return printed
    if k - i > WHOLE_LINES and r.nested is not None and _is_data(r, i, k, stop):
        return stop
    emit(r.builder, r.lines, i, stop, (i + 1, k), python=names_python(r.text[mark.end(1) : r.lines.end[i]]))
    return stop


def _end_of_output(r: DocumentReader, i: int, j: int) -> int:
    """The line after the fence under a line "Output:" at line i, as notebooks are read; i where there is none."""
    if i + 1 >= j or not r.text.startswith("Output:", r.lines.ink[i]) or r.line(i) != "Output:":
        return i
    if not opens_fence(r, i + 1):
        return i
    mark = _FENCE.match(r.text, r.lines.ink[i + 1], r.lines.end[i + 1])
    k = i + 2
    while k < j and mark is not None and not _closes(r, k, mark[1]):
        k += 1
    return k + 1 if k < j else i


def _is_data(r: DocumentReader, i: int, k: int, stop: int) -> bool:
    """Reads a long fence of JSON, CSV, a log, a diff or settings as what it is; False when it is none of them."""
    builder, lines = r.builder, r.lines
    low, high = lines.begin[i + 1], lines.end[k - 1]
    reader = r.nested(builder.text[low:high]) if r.nested is not None else None
    if reader is None:
        return False
    owner, builder.owner = builder.owner, builder.lead(lines.ink[i], always=True)
    builder.open("code")
    builder.mark(lines.ink[i], lines.end[i], CODE)
    reader(builder, low, high)
    if stop > k:
        builder.mark(lines.ink[k], lines.end[k], CODE)
    builder.close()
    builder.owner = owner
    return True


def _closes(r: DocumentReader, k: int, mark: str) -> bool:
    if not r.text.startswith(mark, r.lines.ink[k]):
        return False
    return not r.line(k).strip(mark[0])


def names_python(language: str) -> bool:
    """Whether the name of a language is Python's."""
    return _PYTHON.match(language.strip(" {.")) is not None


def opens_fence(r: DocumentReader, k: int) -> bool:
    """Whether line k opens a fence."""
    if r.text[r.lines.ink[k]] == "~" and r.dialect in ("rst", "man", "asciidoc"):
        return False
    return _FENCE.match(r.text, r.lines.ink[k], r.lines.end[k]) is not None


def delimiter(r: DocumentReader, i: int) -> str:
    """The line of dashes or dots at line i that opens or closes one of AsciiDoc's listings; "" when it is none."""
    mark = _DELIMITER.match(r.text, r.lines.ink[i], r.lines.end[i])
    if mark is None or (i and not r.lines.gap[i] and not r.line(i - 1).startswith(("+", "[", ".", "-"))):
        return ""  # under a line of text it is what makes a heading
    return mark[1]


def end_of_listing(r: DocumentReader, i: int, j: int) -> int:
    """The line after the listing that opens at line i; i when none does."""
    mark = delimiter(r, i)
    if not mark:
        return i
    k = i + 1
    while k < j and r.line(k) != mark:
        k += 1
    return k + 1 if k < j else i


def delimited(r: DocumentReader, i: int, j: int) -> int:
    """AsciiDoc's listing between two equal lines of dashes or dots."""
    k = end_of_listing(r, i, j) if r.dialect == "asciidoc" else i
    if k > i:
        emit(r.builder, r.lines, i, k, (i + 1, k - 1), python=False)
    return k


def prompt(r: DocumentReader, i: int, j: int) -> int:
    """Lines after a prompt, and the output below them, up to a blank line that no prompt follows."""
    if _PROMPT.match(r.text, r.lines.ink[i]) is None:
        return i
    k = r.end_of_chunk(i, j)
    while k < j and r.lines.indent[k] >= r.base and _PROMPT.match(r.text, r.lines.ink[k]):
        k = r.end_of_chunk(k, j)
    if k - i > WHOLE_LINES and r.text[r.lines.ink[i]] not in ">.IO":  # a command with much output: each line for itself
        head = r.builder.atom(r.lines.ink[i], r.lines.end[i], CODE, KEY)
        r.lines.part(i + 1)
        r.inner(i + 1, k, head)
        return k
    emit(r.builder, r.lines, i, k, (i, k), python=False)
    return k


def is_code_block(r: DocumentReader, i: int, k: int) -> bool:
    """Whether lines [i, k), deeper than the text around them, are code and not a quotation or a list."""
    builder = r.builder
    last = builder.count - 1
    ended = r.text[max(builder.span(last)[1] - 2, 0) : builder.span(last)[1]] if last >= 0 else ""
    prose = last >= 0 and builder.kind(last) not in (CODE,)
    if not r.lines.gap[i]:
        return False
    if ended == "::" and r.dialect in ("rst", "plain") and prose:
        return True
    if r.dialect == "markdown" and r.lines.indent[i] >= r.base + 4:
        return True
    if r.dialect in ("plain", "man", "asciidoc") and r.lines.indent[i] >= r.base + 2:
        return looks_like_code(r, i, k)
    return False


def looks_like_code(r: DocumentReader, i: int, k: int) -> bool:
    """Whether most of the first lines of [i, k) have signs of code."""
    return share_of_code(r, i, k) >= 0.5


def share_of_code(r: DocumentReader, i: int, k: int) -> float:
    """Share of the first lines of [i, k) that have signs of code."""
    sample = range(i, min(k, i + 20))
    signs = sum(_SIGN.search(r.line(n)) is not None for n in sample if r.lines.end[n] - r.lines.ink[n] < 300)
    return signs / max(len(sample), 1)


def indented(r: DocumentReader, i: int, j: int) -> int:
    """An indented block as code: all lines that are deeper than the text around it."""
    k = r.end_of_indented(i, j, r.base)
    emit(r.builder, r.lines, i, k, (i, k), python=False)
    return k


def emit(builder: Builder, lines: Lines, i: int, j: int, body: tuple[int, int], *, python: bool) -> None:
    """Adds lines [i, j) as a block of code whose statements are the lines of `body`; marks around it go with them.
    Of fewer than 40 lines it is one block that is not split when it fits."""
    lead = builder.lead(lines.ink[i], always=True)
    whole = j - i <= WHOLE_LINES
    builder.open("code", (ATOMIC | UNIT) if whole else 0)
    first, last = body
    parts = pieces(builder.text, lines, first, last, python or _has_python(builder.text, lines, first, last))
    if not parts:
        builder.atom(lines.ink[i], lines.end[j - 1], CODE, MARK, lead)
    else:
        atoms: list[int] = []
        for n, piece in enumerate(parts):
            start = lines.ink[i] if n == 0 else piece.start
            end = lines.end[j - 1] if n + 1 == len(parts) else piece.end
            context = atoms[piece.signature] if piece.signature >= 0 else lead
            atoms.append(builder.atom(start, end, CODE, SIGNATURE if piece.is_head else BODY, context))
    builder.close()


def _has_python(text: str, lines: Lines, i: int, j: int) -> bool:
    """Whether the lines look like Python: brackets of all kinds then keep their lines together."""
    return any(
        text.startswith(("def ", "class ", "import ", "from ", "async def ", ">>> ", "@"), lines.ink[k])
        for k in range(i, min(j, i + 30))
    )
