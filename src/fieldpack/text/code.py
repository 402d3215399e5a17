"""Source code as blocks: one per top-level definition, with the comments and decorators above it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fieldpack.text.blocks import CODE, Block, Limits, limited
from fieldpack.text.cuts import trim

# Strings are skipped whole, so that a line inside one is never taken for a statement. Possessive, and
# an unclosed one is taken as far as it goes: no character is read twice, linear on any text.
_PYTHON = re.compile(
    r'''(?P<string>"""[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+(?:""")?+|\'\'\'[^\'\\]*+(?:(?:\\.|\'(?!\'\'))[^\'\\]*+)*+(?:\'\'\')?+)
    |(?P<short>"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?+|\'[^\'\\\n]*+(?:\\.[^\'\\\n]*+)*+\'?+)
    |(?P<definition>^(?:@|(?:async[ ]+)?def\b|class\b))
    |(?P<note>\#[^\n]*)
    |(?P<statement>^[^\s)\]}"\'\#@])''',
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_INNER_DEFINITION = re.compile(r"(?<=\S)[^\S\n]*+\n(?:[^\S\n]*+\n)++(?=[ \t]{1,4}(?:@|async[ ]+def\b|def\b|class\b))")
_BLANK = re.compile(r"\n[^\S\n]*\n\s*")


def _python_starts(text: str, start: int, end: int) -> Iterator[tuple[int, bool]]:
    """Where top-level statements begin, and whether each is a definition (its decorators are part of it)."""
    decorated = False
    for m in _PYTHON.finditer(text, start, end):
        kind, at = m.lastgroup, m.start()
        if kind == "definition":
            if not decorated:
                yield at, True
            decorated = text[at] == "@"
        elif decorated:
            continue  # a decorator's arguments may stand at the margin
        elif kind == "statement" or (kind in ("string", "short") and (at == start or text[at - 1] == "\n")):
            yield at, False


def _with_comments(text: str, low: int, at: int) -> int:
    """The start of the comment lines that stand directly above `at`."""
    while at > low:
        above = text.rfind("\n", low, at - 1) + 1 or low
        if text[above : above + 1] != "#":
            break
        at = above
    return at


def python_blocks(text: str, start: int, end: int, limits: Limits) -> list[Block]:
    """Top-level functions and classes of Python, and between them the statements by blank lines."""
    cuts: list[int] = []
    was_definition = True
    for at, definition in _python_starts(text, start, end):
        apart = (
            definition
            or was_definition
            or text[at - 2 : at] == "\n\n"
            or not text[max(at - 80, 0) : at - 1].rpartition("\n")[2].strip()
        )
        if apart:
            cuts.append(_with_comments(text, cuts[-1] if cuts else start, at))
        was_definition = definition
    return _between_cuts(text, start, end, cuts, limits, (_INNER_DEFINITION,))


def code_blocks(text: str, start: int, end: int, limits: Limits) -> list[Block]:
    """Other languages: a block ends at a blank line when the next line stands at the left margin and closes nothing."""
    cuts = [m.end() for m in _BLANK.finditer(text, start, end) if m.end() < end and _opens(text, m.end())]
    return _between_cuts(text, start, end, cuts, limits, ())


def _opens(text: str, at: int) -> bool:
    return text[at - 1] == "\n" and text[at] not in ")]}"


def _between_cuts(
    text: str, start: int, end: int, cuts: list[int], limits: Limits, gaps: tuple[re.Pattern[str], ...]
) -> list[Block]:
    blocks: list[Block] = []
    for low, high in zip([start, *cuts], [*cuts, end], strict=True):
        low, high = trim(text, low, high)
        if high > low:
            blocks += limited(text, Block(low, high, CODE, False), limits, gaps)
    return blocks
