"""Where a text may be cut: at sentence ends first, then white space, then between two visible characters."""

from __future__ import annotations

import re
import unicodedata

from fieldpack.text.sentences import sentence_spans

_WHITE = re.compile(r"\s")
_INK = re.compile(r"\S")
_LINE = re.compile(r"\S[^\n]*")
_PARAGRAPH_GAP = re.compile(r"\n[^\S\n]*\n\s*")
_ITEM = re.compile(r"\n[^\S\n]*+(?=(?:[-*+\u2022]|\d{1,3}+[.)])[^\S\n])")
_JOINERS = "\u200d\u200c"  # what stands after a joiner belongs to what stands before it
_WINDOW = 100_000
_LONGEST_FLAGS = 4096
_LOOK_BACK = 64  # a longer run of marks on one letter is cut all the same

Span = tuple[int, int]


def trim(text: str, start: int, end: int) -> Span:
    """The range without white space at its ends; empty (start, start) when it is blank."""
    found = _INK.search(text, start, end)
    if found is None:
        return start, start
    while text[end - 1].isspace():
        end -= 1
    return found.start(), end


def extends(char: str) -> bool:
    """True for a character that continues the one before it: marks, variation selectors, skin tones, joiners."""
    if char < "\u0300":
        return False
    return (
        char in _JOINERS
        or unicodedata.category(char) in ("Mn", "Me", "Mc")
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\u1160" <= char <= "\u11ff"
        or "\U000e0020" <= char <= "\U000e007f"
    )


def _splits_cluster(text: str, start: int, at: int) -> bool:
    before, after = text[at - 1], text[at]
    if extends(after) or before in _JOINERS or (before == "\r" and after == "\n"):
        return True
    if "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff":
        return True
    if not ("\U0001f1e6" <= before <= "\U0001f1ff" and "\U0001f1e6" <= after <= "\U0001f1ff"):
        return False
    run = 0  # flags are pairs of regional indicators, counted from where their run or the range starts
    while run < _LONGEST_FLAGS and at - 1 - run >= start and "\U0001f1e6" <= text[at - 1 - run] <= "\U0001f1ff":
        run += 1
    return run % 2 == 1


def whole_cluster(text: str, start: int, at: int) -> int:
    """The last place at or before `at`, after `start`, that splits no grapheme cluster; `at` when there is none near.

    Clusters are approximated: marks, joiner sequences, flags, CR LF and surrogate pairs stay whole, 64 characters back.
    """
    if at <= start or at >= len(text):
        return at
    for place in range(at, max(start, at - _LOOK_BACK), -1):
        if not _splits_cluster(text, start, place):
            return place
    return at


def _hard(text: str, start: int, end: int, limit: int) -> list[Span]:
    """Pieces of at most `limit` characters of a range without sentence ends: at white space, else anywhere."""
    spans: list[Span] = []
    while end - start > limit:
        cut = start + limit
        half = start + limit // 2  # a break further back would make the pieces too small
        at = text.rfind("\n", half, cut + 1)
        if at <= start:
            at = text.rfind(" ", half, cut + 1)
        if at <= start:
            found = [m.start() for m in _WHITE.finditer(text, half, cut + 1)]
            at = found[-1] if found else whole_cluster(text, start, cut)
        spans.append(trim(text, start, at))
        start, _ = trim(text, at, end)
    return [*spans, (start, end)]


def pack_spans(spans: list[Span], limit: int) -> list[Span]:
    """Neighbouring spans joined greedily while the joined range stays within `limit` characters."""
    packed: list[Span] = []
    start, end = spans[0]
    for low, high in spans[1:]:
        if high - start > limit:
            packed.append((start, end))
            start = low
        end = high
    packed.append((start, end))
    return packed


def cut_prose(text: str, start: int, end: int, limit: int) -> list[Span]:
    """A trimmed range as ranges of at most `limit` characters, cut at sentence ends, white space, or anywhere."""
    if end - start <= limit:
        return [(start, end)]
    pieces: list[Span] = []
    for a, b in _windows(text, start, end, limit):
        for low, high in sentence_spans(text, a, b):
            pieces += [(low, high)] if high - low <= limit else _hard(text, low, high, limit)
    return pack_spans(pieces, limit)


def _lines(text: str, start: int, end: int) -> list[Span]:
    return [trim(text, m.start(), m.end()) for m in _LINE.finditer(text, start, end)]


def _between(text: str, start: int, end: int, gaps: re.Pattern[str]) -> list[Span]:
    spans: list[Span] = []
    for gap in gaps.finditer(text, start, end):
        if gap.start() > start:
            spans.append(trim(text, start, gap.start()))
        start = gap.end()
    spans.append(trim(text, start, end))
    return [span for span in spans if span[0] < span[1]]


def cut_list(text: str, start: int, end: int, limit: int) -> list[Span]:
    """A trimmed list as ranges of at most `limit` characters: whole items, and of longer items whole sentences."""
    if end - start <= limit:
        return [(start, end)]
    pieces: list[Span] = []
    for low, high in _windows(text, start, end, limit):
        for first, last in _between(text, low, high, _ITEM):
            pieces += cut_prose(text, first, last, limit)
    return pack_spans(pieces, limit)


def cut_block(text: str, start: int, end: int, limit: int, gaps: tuple[re.Pattern[str], ...] = ()) -> list[Span]:
    """A trimmed code or table range as ranges of at most `limit` characters.

    Cut at the first of `gaps` (patterns of what lies between parts), then at blank lines, lines, and last as prose is.
    """
    if end - start <= limit:
        return [(start, end)]
    pieces: list[Span] = []
    for low, high in _windows(text, start, end, limit):
        pieces += _parts(text, low, high, limit, (*gaps, _PARAGRAPH_GAP))
    return pack_spans(pieces, limit)


def _parts(text: str, start: int, end: int, limit: int, gaps: tuple[re.Pattern[str], ...]) -> list[Span]:
    """The range between gaps of the first kind; what is still too long between those of the next, last by lines."""
    if end - start <= limit:
        return [(start, end)]
    if not gaps:
        lines = _lines(text, start, end)
        return pack_spans([p for low, high in lines for p in cut_prose(text, low, high, limit)], limit)
    spans = _between(text, start, end, gaps[0])
    return [p for low, high in spans for p in _parts(text, low, high, limit, gaps[1:])]


def _windows(text: str, start: int, end: int, limit: int) -> list[Span]:
    """A wall of megabytes in parts read one by one, so that memory stays with the result, not with its lines."""
    return _hard(text, start, end, max(_WINDOW, limit))
