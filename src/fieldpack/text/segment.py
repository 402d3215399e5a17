"""Documents to segments: half-open character ranges, sorted, disjoint, covering all that is not white space."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Literal

import numpy as np

from fieldpack.errors import SettingsError
from fieldpack.text.blocks import HEADING, LIST, PARAGRAPH, SENTENCE, Block, Limits, limited, normalised, plain_blocks
from fieldpack.text.code import code_blocks, python_blocks
from fieldpack.text.cuts import pack_spans
from fieldpack.text.markdown import markdown_blocks
from fieldpack.text.rst import rst_blocks
from fieldpack.text.sentences import has_word, sentence_spans
from fieldpack.types import Document, Segments

MAX_CHARS = 1600
MAX_BLOCK_CHARS = 4000

Reader = Callable[[str, int, int, Limits], list[Block]]
READERS: dict[str, Reader] = {
    "plain": plain_blocks,
    "markdown": markdown_blocks,
    "html": markdown_blocks,  # what read() makes of HTML has Markdown's headings
    "rst": rst_blocks,
    "python": python_blocks,
    "code": code_blocks,
}
_MARKDOWN = re.compile(
    r"^(?:\#{1,6}[ ]+\S[^\n]*$|(?P<fence>[^\S\n]*+(?:```|~~~))|[|:\- ]*-\|[|:\- ]*$"
    r"|[-*+][ ]\S[^\n]*\n(?:[^\S\n]*\n)?[-*+][ ]\S"
    r"|\S[^\n]*\n={3,}[ ]*$)|\A\s*---\n\w[^\n]*:",
    re.MULTILINE,
)
_CODE = re.compile(
    r"^(?:#!/|#include\b|(?:def|class) ++\w[^\n]*:[^\S\n]*+$|from ++[\w.]++ ++import |import ++[\w.]++[^\S\n]*+;?$"
    r"|(?:public|private|static|export|function|func|fn|package|using|namespace)\b[^\n]*[;{][^\S\n]*+$)",
    re.MULTILINE,
)
# One function, as code search gives it: prose does not begin so.
_FUNCTION = re.compile(
    r"\s*+(?:@\w[^\n]*+\s++)*+(?:(?P<python>(?:async ++)?def ++\w++ *+\(|class ++\w++[^\n]*:[^\S\n]*+$)"
    r"|(?:public|private|protected|static|export|function|func|fn|pub)\b[^\n]*\{[^\S\n]*+$)",
    re.MULTILINE,
)
_PYTHON = re.compile(r"^(?:(?:async ++)?def|class) ++\w[^\n]*:[^\S\n]*+$", re.MULTILINE)
_SNIFFED = 20_000  # characters
_MANY, _RUN, _CRUMB = 50_000, 256, 16


def sniff(text: str) -> str:
    """The kind of a text that came without one, from its first characters: code by two sure signs or where it opens
    with a function, Markdown by one."""
    head = normalised(text[:_SNIFFED])
    function = _FUNCTION.match(head)
    if function:
        return "python" if function["python"] else "code"
    markdown = _MARKDOWN.search(head)
    if markdown and markdown["fence"]:
        return "markdown"
    if len(_CODE.findall(head)) >= 2:
        return "python" if _PYTHON.search(head) else "code"
    return "markdown" if markdown else "plain"


def kind_of(document: Document) -> str:
    """What metadata["kind"] says when it is one of READERS, else what the text looks like."""
    kind = document.metadata.get("kind")
    return kind if isinstance(kind, str) and kind in READERS else sniff(document.text)


def segment(
    documents: Sequence[Document],
    unit: Literal["paragraph", "sentence"] = "paragraph",
    max_chars: int = MAX_CHARS,
    max_block_chars: int = MAX_BLOCK_CHARS,
    piece_chars: int | None = None,
) -> Segments:
    """All segments of all documents, by paragraph or by sentence, with tokens = -1.

    `documents[s.doc].text[s.start:s.end]` starts and ends on a character that is not white space. `parent` numbers the
    paragraphs over all documents and is the same in both units: sentences refine paragraphs, nothing else changes.
    Prose is cut at `max_chars` (sentence ends first); code, tables and lists stay whole up to `max_block_chars`. In the
    sentence unit a heading is a segment of its own, and a code, table or list block longer than `piece_chars` (default
    `max_chars`) is cut at its items and lines. In a text of more than 50,000 blocks, or 800,000 characters, neighbours
    that average fewer than 16 characters are taken together.

    Raises SettingsError for an unknown unit or a limit below 1.
    """
    if unit not in ("paragraph", "sentence"):
        raise SettingsError(f"unknown unit {unit!r}; allowed: 'paragraph', 'sentence'")
    piece_chars = max_chars if piece_chars is None else piece_chars
    if min(max_chars, max_block_chars, piece_chars) < 1:
        raise SettingsError(
            f"max_chars={max_chars}, max_block_chars={max_block_chars}, {piece_chars=}: at least 1 each"
        )
    limits = Limits(max_chars, max(max_chars, max_block_chars))
    counts: list[int] = []
    rows: list[Block] = []
    for document in documents:
        text = normalised(document.text)
        blocks = crumbs_joined(READERS[kind_of(document)](text, 0, len(text), limits), limits)
        blocks = _wordless_joined(text, blocks, limits)
        before = len(rows)
        rows += _sentences(text, blocks, piece_chars) if unit == "sentence" else _paragraphs(blocks)
        counts.append(len(rows) - before)
    return _columns(rows, counts)


def _wordless_joined(text: str, blocks: list[Block], limits: Limits) -> list[Block]:
    """A paragraph without a word ("* * *") goes to the one before, where there is room: alone it says nothing."""
    out: list[Block] = []
    start = 0
    for block in blocks:
        if not block.joined:
            wordless = block.kind == PARAGRAPH and not has_word(text, block.start, block.end)
            if wordless and out and out[-1].kind == PARAGRAPH and block.end - start <= limits.prose:
                block = block._replace(joined=True)
            else:
                start = block.start
        out.append(block)
    return out


def crumbs_joined(blocks: list[Block], limits: Limits) -> list[Block]:
    """Of a document of more than _MANY blocks, runs of _RUN that average fewer than _CRUMB characters as a few lists:
    millions of one-letter paragraphs would cost a kilobyte and more each, and say nothing one by one."""
    if len(blocks) <= _MANY:
        return blocks
    most = min(15 * _CRUMB, limits.prose)
    out: list[Block] = []
    for first in range(0, len(blocks), _RUN):
        run = blocks[first : first + _RUN]
        if run[-1].end - run[0].start < _CRUMB * len(run):
            run = [Block(a, b, LIST, False) for a, b in pack_spans([(a, b) for a, b, *_ in run], most)]
        out += run
    return out


def _paragraphs(blocks: list[Block]) -> list[Block]:
    """Blocks that go together as one; its kind is that of the first block that is no heading."""
    if not any(b.joined for b in blocks):
        return blocks
    merged: list[Block] = []
    for block in blocks:
        if block.joined and merged:
            last = merged[-1]
            kind = block.kind if last.kind == HEADING else last.kind
            merged[-1] = Block(last.start, block.end, kind, False)
        else:
            merged.append(block)
    return merged


def _sentences(text: str, blocks: list[Block], most: int) -> list[Block]:
    """Every block cut further; `joined` now says "of the same paragraph as the segment before"."""
    finer: list[Block] = []
    for block in blocks:
        start, end, kind, joined = block
        if kind == PARAGRAPH:
            spans = sentence_spans(text, start, end)
            if len(text) > _CRUMB * _MANY and len(spans) > _CRUMB and end - start < _CRUMB * len(spans):
                spans = pack_spans(spans, _CRUMB * 4)
            finer.append(Block(*spans[0], SENTENCE, joined))
            finer += [Block(a, b, SENTENCE, True) for a, b in spans[1:]]
        else:
            parts = limited(text, block, Limits(most, most))
            finer.append(parts[0])
            finer += [p._replace(joined=True) for p in parts[1:]]
    return finer


def _columns(rows: list[Block], counts: list[int]) -> Segments:
    n = len(rows)
    table = np.array(rows, dtype=np.int64).reshape(n, 4)
    doc = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    fresh = table[:, 3] == 0
    firsts = [at for at, size in zip(accumulate(counts, initial=0), counts, strict=False) if size]
    fresh[firsts] = True  # a paragraph never reaches over two documents
    return Segments(
        doc=doc,
        start=table[:, 0].copy(),
        end=table[:, 1].copy(),
        tokens=np.full(n, -1, dtype=np.int64),
        kind=table[:, 2].astype(np.int8),
        parent=np.cumsum(fresh, dtype=np.int64) - 1,
    )
