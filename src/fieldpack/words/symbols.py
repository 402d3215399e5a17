"""Names that people write to machines, as a whole: snake_case, a.b.c, C++, --flag, paths, versions, addresses, codes.

The grammar of one compound: units of letters and digits, joined by signs without a blank. Its parts are words of their
own; this file says which wholes are words besides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import regex

LONGEST = 64
"""Characters of a whole that is a word: longer ones (encoded data, addresses with their queries) are not typed."""

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}ー〆\p{Line_Break=Complex_Context}"
"""Scripts written without blanks: Chinese and Japanese; Thai, Lao, Khmer, Burmese and their neighbours."""
WORD = rf"[[\p{{L}}\p{{N}}\p{{M}}]--[{UNSPACED}]]"
FIRST = rf"[[\p{{L}}\p{{N}}]--[{UNSPACED}]]"
"""The characters that go on with a word and those that begin one."""
SIMPLE_WORD = r"[^\W_]"
"""Both in a text without marks and without such scripts, for `re`, which is some times as fast as `regex`."""
_SIGN = "[$€£¥₹₩₽¢]"


def compound(first: str, word: str) -> str:
    """The pattern of one compound over the characters that begin and go on with a word: units that signs join, with
    the signs before and after that belong to them."""
    unit = rf"{first}{word}*(?:\+\+(?!{word})|\#(?!{word}))?"
    join = r"(?:_{1,3}|[@&]|\.(?![._])|[/\\]\.{0,2}|-(?!-)|::|->|:(?=\d)|:[/\\]{1,2}|(?<=\d),(?=\d{3}(?!\d)))"
    flag, path, hidden = r"(?<!-)--?", r"(?:\.{1,2}|~)?/", r"\.(?=[^\W\d_])"
    start = rf"(?<!{word})(?:{flag}|{path}|{hidden}|[#@]|\$(?=[^\W\d])|{_SIGN}(?=\d))"
    return rf"(?:{start})?_{{0,3}}{unit}(?:{join}{unit})*(?:_{{1,3}}|(?<=\d)(?:[%‰]|{_SIGN}))?"


_UNITS = regex.compile(r"[\p{L}\p{N}\p{M}]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_NAMING = re.compile(r"[_.\\@&,:>+#%$€£¥₹₩₽¢‰\d]|^-|[/].*[/]|^~?/")
"""What makes a compound a name: a hyphen between words does not, nor one stroke as in "and/or"."""
_STRONG = re.compile(r"[/\\@]\.{0,2}|::|->|:[/\\]{0,2}")
_ROOT = re.compile(r"[.~]*[/\\@]")
_BEFORE = re.compile(r"[A-Za-z]+://|[.~]*/(?=.*[/.])|[vV](?=\d+\.\d)")
_RELEASE = re.compile(r"[vV]?(\d+\.\d+)\.\d+(?!\.?\d)")


def wholes(compound: str) -> Iterator[tuple[str, int, int]]:
    """The wholes that are words of one compound (case kept), each with the range that it takes of it; none for a plain
    word, for words with a hyphen, and for "and/or". The long ones first: of `a/b_c.py` also `b_c.py` and `b_c`."""
    if _NUMBER.fullmatch(compound):
        yield compound, 0, len(compound)
        return
    seen: set[str] = set()
    alone = "." not in compound and _STRONG.search(compound) is None
    for start, end in [(0, len(compound))] if alone else _ranges(compound):
        whole = compound[start:end]
        if len(whole) <= LONGEST and _is_name(whole):
            spelled = spelling(whole)
            if spelled not in seen:
                seen.add(spelled)
                yield spelled, start, end
    release = _RELEASE.match(compound)
    if release:
        yield release[1], release.start(1), release.end(1)


def spelling(whole: str) -> str:
    """How a whole is written as a word: lower case, without a scheme, the way to a path's root, the v of a version, and
    the underlines around a name that holds others."""
    before = _BEFORE.match(whole)
    whole = whole[before.end() :] if before else whole
    inner = whole.strip("_")
    return (inner if inner == whole or len(_UNITS.findall(inner)) > 1 else whole).casefold()


def _ranges(compound: str) -> Iterator[tuple[int, int]]:
    """The compound, its pieces between strong joins (/ @ ::), and the pieces of these between full stops."""
    yield 0, len(compound)
    root = _ROOT.match(compound)
    start = root.end() if root else 0
    pieces = []
    for join in _STRONG.finditer(compound, start):
        pieces.append((start, join.start()))
        start = join.end()
    if pieces:
        pieces.append((start, len(compound)))
        yield from pieces
    for first, last in pieces or [(0, len(compound))]:
        piece = compound[first:last]
        if "." in piece and ("_" in piece or "-" in piece):
            at = first
            for part in piece.split("."):
                yield at, at + len(part)
                at += len(part) + 1


def _is_name(whole: str) -> bool:
    if whole.isascii():
        return not whole.isalnum() and _NAMING.search(whole) is not None
    units = _UNITS.findall(whole)
    return bool(units) and units[0] != whole and _NAMING.search(whole) is not None
