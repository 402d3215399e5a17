"""What the readers of plain text, Markdown and code all return: blocks, in reading order."""

from __future__ import annotations

import re
from typing import NamedTuple

from fieldpack.text.cuts import cut_block, cut_list, cut_prose, trim

PARAGRAPH, SENTENCE, HEADING, CODE, TABLE, LIST = range(6)  # indices into types.KINDS

# One line break or more with at most white space between. The text is normalised: "\n" is the only line break in it.
_BLANK = re.compile(r"\n[^\S\n]*\n\s*|\u2029\s*")


class Block(NamedTuple):
    """A trimmed range of one kind; `joined` puts it into the paragraph of the block before it."""

    start: int
    end: int
    kind: int
    joined: bool


class Limits(NamedTuple):
    """Most characters of a block: `prose` for running text, `whole` for code, tables and lists."""

    prose: int
    whole: int


def normalised(text: str) -> str:
    """The text with "\\n" as its only line break, every character at its old place (CR LF becomes space and LF)."""
    return text.replace("\r\n", " \n").replace("\r", "\n") if "\r" in text else text


def limited(text: str, block: Block, limits: Limits, gaps: tuple[re.Pattern[str], ...] = ()) -> list[Block]:
    """The block itself, or its pieces where it is longer than its kind may be; only the first keeps `joined`."""
    start, end, kind, joined = block
    if end - start <= (limits.prose if kind in (PARAGRAPH, HEADING) else limits.whole):
        return [block]
    if kind in (PARAGRAPH, HEADING):
        spans = cut_prose(text, start, end, limits.prose)
    elif kind == LIST:
        spans = cut_list(text, start, end, limits.whole)
    else:
        spans = cut_block(text, start, end, limits.whole, gaps)
    kind = PARAGRAPH if kind == HEADING else kind
    return [Block(a, b, kind, joined and i == 0) for i, (a, b) in enumerate(spans)]


def plain_blocks(text: str, start: int, end: int, limits: Limits) -> list[Block]:
    """Paragraphs between blank lines; a wall of text is cut at sentence ends."""
    blocks: list[Block] = []
    low, _ = trim(text, start, end)
    limit = limits.prose
    for gap in _BLANK.finditer(text, low, end):
        high = gap.start()
        if text[high - 1].isspace():
            _, high = trim(text, low, high)
        if high > low:
            if high - low <= limit:
                blocks.append(Block(low, high, PARAGRAPH, False))
            else:
                blocks += limited(text, Block(low, high, PARAGRAPH, False), limits)
        low = gap.end()
    low, high = trim(text, low, end)
    if high > low:
        blocks += limited(text, Block(low, high, PARAGRAPH, False), limits)
    return blocks
