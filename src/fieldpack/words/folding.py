"""What a reader takes for the same letters is made the same: one folding for all scripts, case kept for later.

Unicode's compatibility form NFKC (full-width and half-width forms, ligatures, kana with their marks) and, on top of
it, what readers of a script leave out themselves: accents of Latin and Greek letters, stress marks of Cyrillic ones,
vowel points of Arabic and Hebrew. Vowel signs of Indic and South-East Asian scripts are letters to their readers and
stay. A kept library for this is `unidecode`; it romanises every script, which loses what is asked for.
"""

from __future__ import annotations

import re
import unicodedata

import regex

_LETTERS = str.maketrans(
    {
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
        "đ": "d", "Đ": "D", "ħ": "h", "Ħ": "H", "ŧ": "t", "Ŧ": "T", "ı": "i", "ё": "е", "Ё": "Е",
        "\u2010": "-", "\u2212": "-", "\ufe63": "-", "\u2044": "/",
    }
)  # fmt: skip
"""Letters that Unicode does not decompose but keyboards and readers replace, and signs like hyphen and stroke."""

_DROPPED = regex.compile(r"[\p{Cf}\p{Variation_Selector}\u0640]+")
"""Soft hyphens, joiners, direction marks, the Arabic lengthening sign: they change how a word is drawn, not which it
is."""
_RAISED = r"\u00b2\u00b3\u00b9\u2070-\u2079"
_APART = regex.compile(rf"[\u2025\u2026\u2120\u2122]|(?<![{_RAISED}])(?=[{_RAISED}])")
"""Ellipses and trade marks, and the place before raised digits (a footnote, a power): no part of the words beside
them."""
_ACCENTED = regex.compile(r"[\p{Latin}\p{Greek}--\p{ASCII}]|[\p{Latin}\p{Greek}]\p{Mn}", regex.V1)
_ACCENTS = regex.compile(r"(?<=[\p{Latin}\p{Greek}])\p{Mn}+")
_STRESS = r"(?<=\p{Cyrillic})[\u0300\u0301]"
_VOWEL_POINTS = r"[\u064b-\u0652\u0670\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]"
_POINTS = regex.compile(f"{_STRESS}|{_VOWEL_POINTS}")
_DIGITS = regex.compile(r"[\p{Nd}--0-9]", regex.V1)


_ALONE = re.compile(
    "[A-Za-z0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0386\u0388-\u03ff\u0400-\u0481\u048a-\u04ff\u05d0-\u05ea"
    "\u0621-\u063a\u0641-\u064a\u1e00-\u1eff\uac00-\ud7a3]+"
)
"""Letters that fold one by one: none of them is joined with another, without a mark between, into a third."""


def fold(text: str) -> str:
    """The text in the form in which its words are compared, capitals kept; ASCII stays as it is."""
    if text.isascii():
        return text
    return text.translate(_FOLDED) if _ALONE.fullmatch(text) else _fold(text)


def folds_alone(text: str) -> bool:
    """Whether a text is made of letters and digits that fold one by one, without marks and scripts without blanks."""
    return _ALONE.fullmatch(text) is not None


class _Folded(dict[int, str]):
    """Letter -> what it is folded to, for `str.translate`; worked out once for each letter."""

    def __missing__(self, letter: int) -> str:
        self[letter] = folded = _fold(chr(letter))
        return folded


_FOLDED = _Folded()


def _fold(text: str) -> str:
    text = unicodedata.normalize("NFKC", _APART.sub(" ", _DROPPED.sub("", text)))
    if text.isascii():
        return text
    if _ACCENTED.search(text):
        text = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", text)))
    text = _POINTS.sub("", text).translate(_LETTERS)
    folded: str = _DIGITS.sub(lambda digit: str(unicodedata.decimal(digit[0], digit[0])), text)
    return folded
