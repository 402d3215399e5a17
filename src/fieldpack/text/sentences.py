"""Sentences of a paragraph as character ranges, by one linear pass over the places where one could end.

A stop (. ! ? … and those of other scripts), with the quotes and brackets that close after it, ends a sentence when white space
follows and what follows does not go on in lower case; a full stop must besides not belong to an abbreviation, an initial or a
list number. The stops of scripts without spaces (。！？।) end one wherever they stand. A line break ends a sentence when
the next word would have fitted on the line: text that was wrapped goes on, verse and log lines do not.
"""

from __future__ import annotations

import re

Span = tuple[int, int]

_SPACED = ".!?…‽⁇⁈⁉؟۔։።"  # end a sentence before white space
_ANYWHERE = "。！？｡．।॥။"  # end one before anything
_CLOSERS = "\"'”’»›)\\]}」』）》〉】〕*_`"
_REFERENCE = r"(?:\[[^\[\]\s]{1,8}\]){0,8}"  # "word.[12] Next"

# Always anchored at the start of a run of stops and possessive, so that no text makes it look twice at a character.
_END = re.compile(rf"(?<![{_SPACED}])[{_SPACED}]++[{_CLOSERS}]*+{_REFERENCE}(\s++)")
_END_ANY = re.compile(
    rf"(?<![{_SPACED}{_ANYWHERE}])(?:[{_SPACED}]++[{_CLOSERS}]*+{_REFERENCE}(\s++)"
    rf"|[{_SPACED}]*+[{_ANYWHERE}][{_SPACED}{_ANYWHERE}]*+[{_CLOSERS}]*+(\s*+))"
)
_HAS_ANYWHERE = re.compile(f"[{_ANYWHERE}]")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Never the end of a sentence, whatever follows.
_TITLES = _words(
    """mr mrs ms mx dr prof st rev hon gen col lt capt cmdr sgt maj gov sen rep pres mt ft messrs mme mlle fr sr sra
    srta dña e.g i.e cf vs viz z.b d.h u.a z.t bzw ca sog resp approx al hr hrn frau p.ex ud uds dres ing dipl univ"""
)
# Not the end before a number ("No. 5"), nor before a capital for the longer ones that only name a numbered thing.
_NUMBERED = _words(
    """no nos nr nro art fig figs eq eqs sec sect ch chap vol vols p pp par para ref refs tab ex op lin ll bd abs kap
    núm n° jan feb mar apr jun jul aug sep sept oct nov dec ver v"""
)
# The end only before a word that often starts a sentence.
_MAYBE = _words(
    """inc ltd co corp jr bros etc dept univ assn ave blvd rd est tel ext min max a.m p.m am pm u.s u.k u.n e.u ph.d
    m.d b.a m.a b.c a.d usw etc.. d.c l.a n.y"""
)
_STARTERS = _words(
    """the a an this that these those he she it we they you i his her its our their my your there here in on at as by
    for from to of with and but or nor yet so if when while where why how what who which after before since until
    although though because however moreover therefore thus then also another other some many most all both each
    every no not one two several such under over between during through despite according today yesterday later now"""
)
_OPENERS = "([{\"'“‘«‹„¿¡「『（《*_"
_NUMBER = re.compile(r"\d+|[ivxlc]{1,5}")
_LISTED = re.compile(r"(?:[-*+•‣◦·–—]|\(?\d{1,3}[.)]|\[?\d{1,4}[-/:.]\d)\S*\s")


def _last_word(text: str, low: int, stop: int) -> str:
    """The word that the full stop at `stop` closes, without opening brackets and quotes."""
    head = text[max(low, stop - 24) : stop]
    return head.rsplit(None, 1)[-1].lstrip(_OPENERS) if head and not head[-1].isspace() else ""


def _first_word(text: str, start: int, end: int) -> str:
    head = text[start : min(end, start + 20)].split(None, 1)
    return head[0].strip(_OPENERS + ",;:.'’") if head else ""


def _abbreviated(text: str, low: int, stop: int, after: int, high: int) -> bool:
    """True when the full stop at `stop` belongs to a shortened word and the sentence goes on at `after`."""
    word = _last_word(text, low, stop)
    if not word or len(word) > 12:
        return False
    small = word.lower()
    if small in _TITLES:
        return True
    following = text[after]
    if small in _NUMBERED:
        return following.isdigit() or bool(_NUMBER.fullmatch(_first_word(text, after, high).lower()))
    if word.isdigit() or (len(small) <= 4 and _NUMBER.fullmatch(small) and small != "i"):
        return len(word) <= 3 and not text[max(low, stop - 12) : stop - len(word)].strip(_OPENERS + " \n")  # "1. First"
    if len(word) == 1 and word.isalpha():
        return word.isupper() and not (word == "I" and text[max(low, stop - 3) : stop].strip() != "I")
    if small in _MAYBE or (len(word) >= 3 and word[1::2].strip(".") == "" and word[::2].isalpha()):
        return _first_word(text, after, high).lower() not in _STARTERS
    return False


def _ends(text: str, low: int, stop: re.Match[str], high: int) -> bool:
    """Does a sentence that began at `low` end at this stop? What follows starts at stop.end()."""
    after = stop.end()
    first = text[stop.start()]
    following = text[after]
    if stop.lastindex == 2:  # a stop of a script without spaces; quoted speech goes on ("「…。」と")
        return not (following == "と" and text[after - 1] in "」』")
    if following.islower():
        return False
    if following in "([{" and first == "." and text[after + 1 : after + 2].islower():
        return False
    if first == "." and stop.end() - stop.start() > 1 and text[stop.start() + 1] != ".":
        return not _abbreviated(text, low, stop.start(), after, high)
    return True


def _wrapped_or_not(text: str, start: int, end: int) -> list[int]:
    """Starts of the lines of a paragraph that begin something new: the lines above them had room for their first word."""
    lines: list[Span] = []
    at = start
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        lines.append((at, stop))
        at = stop + 1
    width = max(b - a for a, b in lines)
    breaks: list[int] = []
    for (a, b), (c, d) in zip(lines, lines[1:], strict=False):
        body = text[c : min(d, c + 80)]
        words = body.split(None, 1)
        if not words:
            continue
        used = len(text[a:b].rstrip())
        fits = used + 1 + len(words[0]) <= width
        listed = _LISTED.match(body.lstrip()) is not None
        if listed or (fits and (not words[0][0].islower() or used < width * 0.6)):
            breaks.append(c + len(body) - len(body.lstrip()))
    return breaks


def sentence_spans(text: str, start: int, end: int) -> list[Span]:
    """Sentences of the trimmed range [start, end): trimmed, non-empty, in order, covering all that is not white space."""
    starts: list[int] = []
    low = start
    unspaced = not text.isascii() and _HAS_ANYWHERE.search(text, start, end) is not None
    pattern = _END_ANY if unspaced else _END
    lines = _wrapped_or_not(text, start, end) if text.find("\n", start, end) >= 0 else []
    for stop in pattern.finditer(text, start, end):
        if stop.end() < end and _ends(text, low, stop, end):
            low = stop.end()
            starts.append(low)
    if lines:
        starts = sorted({*starts, *lines})
    spans: list[Span] = []
    low = start
    for nxt in starts:
        high = nxt
        while text[high - 1].isspace():
            high -= 1
        spans.append((low, high))
        low = nxt
    spans.append((low, end))
    return spans
