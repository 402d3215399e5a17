"""The words of a text, one definition for every script.

A text is cut at white space into chunks; the words of a chunk are its own affair, so that each different chunk of a
corpus is read once. In a chunk a word is a maximal run of letters, digits and marks, folded (folding.py) and in lower
case. Besides: the parts of camelCase and of letters with a number; names with signs as a whole (symbols.py); and where
a script has no blanks between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese), each two neighbouring characters.
Punctuation is not a word.

Pairs of characters were measured beside kept segmenters, on questions for one line of some hundred translated messages
(mean reciprocal rank, about twenty questions a language): Chinese .80, jieba .68; Japanese .87, budoux .72; Thai .97,
budoux .97.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from typing import NamedTuple

import regex

from fieldpack.words.folding import fold, folds_alone
from fieldpack.words.symbols import FIRST, SIMPLE_WORD, UNSPACED, WORD, compound, wholes

_BREAKS = "\u200b"
"""A blank of no width: it parts words in Khmer and Thai, and no blank to `str.split`."""
_HYPHENATED = re.compile("(?<=\\w)\u2010\n[ \t]*(?=\\w)")
"""Where a manual page that was set in lines parts a word: by a hyphen of its own (U+2010), never typed in a name."""
_CHUNK = re.compile(rf"(?:{_HYPHENATED.pattern}|[^\s{_BREAKS}])+")
_SIMPLE_RUN, _SIMPLE_UNIT = re.compile(compound(SIMPLE_WORD, SIMPLE_WORD)), re.compile(f"{SIMPLE_WORD}+")
_UNSPACED_RUN = rf"(?P<unspaced>[[{UNSPACED}]--\p{{M}}][{UNSPACED}\p{{M}}]*)"
_RUN = regex.compile(f"{_UNSPACED_RUN}|{compound(FIRST, WORD)}", regex.V1)
_UNIT = regex.compile(f"{FIRST}{WORD}*", regex.V1)
_NOT_SIMPLE = regex.compile(rf"[{UNSPACED}\p{{M}}]")
_UNSPACED_CHARACTER = regex.compile(rf"[[{UNSPACED}]--\p{{M}}]", regex.V1)
_CLUSTER = regex.compile(r"\X")
_ALONE = regex.compile(r"\p{Han}|\p{Khmer}\p{M}")
"""What is a word though it has neighbours: a Chinese character, a Khmer syllable with its vowel."""
_PIECES = regex.compile(r"\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{Lo}+|\p{N}+")
_HUMP = regex.compile(r"\p{Ll}\p{Lu}|\p{Lu}{2}\p{Ll}{2}|\p{L}{3}\p{N}")
_ASCII_PIECES = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ASCII_HUMP = re.compile("[a-z][A-Z]|[A-Z]{2}[a-z]{2}|[A-Za-z]{3}[0-9]")
_SIGNED = re.compile("[!-/:-@\\[-`{-~€£¥₹‰]")
_PROSE = re.compile(r"[0-9]+(?:th|st|nd|rd|s)?|[A-Z]+|[A-Za-z]?[a-z]+(?:['-][A-Z]?[a-z]+)*")
_DECIMAL = re.compile(r"[0-9]+\.[0-9]+")
_HAN_AND_KANA = "\u3005\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff"
_EAST_ASIAN = re.compile(rf"[{_HAN_AND_KANA}、。「」『』【】《》〈〉！？，；：（）“”‘’—·\x21-\x7e]+")
_EAST_ASIAN_PARTS = re.compile(rf"[{_HAN_AND_KANA}]+|[\x21-\x7e]+")
"""Characters that fold to themselves whatever stands beside them; punctuation parts words."""
_JOINS_DIGITS = re.compile("[0-9A-Za-z][，：！？；（）]|[，：！？；（）][\x21-\x7e]")
_BETWEEN = re.compile("['-]")
_TIME = re.compile(r"(?<=\d-\d\d)T(?=\d\d)")
"""Between the date and the time of ISO 8601: a blank takes as many characters."""
_SECOND = 0.5


class Place(NamedTuple):
    """A word, the range [start, end) of the text that it was made of, and whether it is a second spelling of what other
    words spell: a name as a whole, a part of camelCase, a single Chinese character beside its pairs."""

    word: str
    start: int
    end: int
    second: bool = False


def split(text: str) -> list[str]:
    """The words of one text, in order; a name with signs stands behind its parts."""
    return [word for chunk in chunks(text) for word in words_of_chunk(chunk)]


def split_with_offsets(text: str) -> list[tuple[str, int, int]]:
    """`split`, each word with the range [start, end) of the characters of `text` that it was made of. The ranges of a
    name and its parts, and of neighbours in a script without blanks, overlap."""
    out: list[tuple[str, int, int]] = []
    for chunk in _CHUNK.finditer(text):
        whole, at = _joined(chunk[0])
        original = _original_offsets(whole)
        for place in _places(fold(whole)):
            first, last = original(place.start, place.end)
            out.append((place.word, chunk.start() + at(first), chunk.start() + at(last)))
    return out


def query_weights(text: str) -> dict[str, float]:
    """What each different word of a query counts, in order of first sight: 1, and 0.5 for one that only spells a second
    time what others spell, lest a name count several times as much as a word."""
    out: dict[str, float] = {}
    for chunk in chunks(text):
        for place in _places(fold(chunk)):
            out[place.word] = max(out.get(place.word, 0.0), _SECOND if place.second else 1.0)
    return out


def shared_wording(query: str, passage: str, words: Container[str] | None = None) -> list[str]:
    """What of the query stands in the passage too, as the query writes it, each once and in order: whole names rather
    than their parts, and in a script without blanks the longest stretches that stand there. words: those that count,
    all when None."""
    there = set(split(passage))
    folded = fold(passage).casefold()
    stretches: list[tuple[int, int]] = []
    for word, start, end in sorted(split_with_offsets(query), key=lambda place: (place[1], -place[2])):
        if word not in there or (words is not None and word not in words):
            continue
        if stretches and start < stretches[-1][1]:
            first, last = stretches[-1]
            if end <= last:
                continue
            if fold(query[first:end]).casefold() in folded:
                stretches[-1] = first, end
                continue
        stretches.append((start, end))
    return list(dict.fromkeys(query[start:end] for start, end in stretches))


def chunks(text: str) -> list[str]:
    """A text cut at white space."""
    if "\u2010\n" in text:
        text = _HYPHENATED.sub("", text)
    return (text.replace(_BREAKS, " ") if _BREAKS in text else text).split()


def words_of_chunk(chunk: str) -> tuple[str, ...]:
    """The words of a text without white space."""
    if chunk.isascii():
        return _words_of_ascii(chunk) or _words_of_signs(chunk)
    words: tuple[str, ...]
    if folds_alone(chunk):
        folded = fold(chunk)
        plain = folded.isalpha() and (folded.istitle() or folded == folded.lower())
        words = (folded.casefold(),) if plain else ()
    else:
        words = _words_of_unspaced(chunk)
    return words or tuple([place.word for place in _places(fold(chunk))])


def _words_of_ascii(chunk: str) -> tuple[str, ...]:
    """The words of most of English, and of decimal numbers; none where a chunk is something else."""
    if _PROSE.fullmatch(chunk):
        return (chunk.lower(),) if chunk.isalnum() else tuple(_BETWEEN.split(chunk.lower()))
    if _DECIMAL.fullmatch(chunk):
        return (*chunk.split("."), chunk)
    return ()


def _words_of_signs(chunk: str) -> tuple[str, ...]:
    """The words of any chunk of ASCII, as `_places` finds them, without their places."""
    words: list[str] = []
    for run in _SIMPLE_RUN.findall(_TIME.sub(" ", chunk) if "T" in chunk else chunk):
        for unit in _SIMPLE_UNIT.findall(run):
            if unit.isdigit() or (unit.isalpha() and unit.islower()):
                words.append(unit)
            else:
                words += _words_of_unit(unit)
        if not run.isalnum():
            words += [whole for whole, _, _ in wholes(run)]
    return tuple(words)


def _words_of_unit(unit: str) -> list[str]:
    """A run of ASCII letters and digits, and its parts, as `_unit` finds them."""
    word = unit.lower()
    if not _ASCII_HUMP.search(unit):
        return [word]
    parts = [part.lower() for part in _ASCII_PIECES.findall(unit) if len(part) > 1 or part.isdigit()]
    return [word, *parts] if len(parts) > 1 else [word]


def _words_of_unspaced(chunk: str) -> tuple[str, ...]:
    """The words of Chinese and Japanese with ASCII between; none where a chunk has other letters, or signs that could
    join the digits beside them."""
    if not _EAST_ASIAN.fullmatch(chunk) or _JOINS_DIGITS.search(chunk):
        return ()
    words: list[str] = []
    for part in _EAST_ASIAN_PARTS.findall(chunk):
        if part.isascii():
            words += words_of_chunk(part)
        else:
            before = ""
            for character in part:
                if before:
                    words.append(before + character)
                if not "\u3041" <= character <= "\u30ff" or len(part) == 1:
                    words.append(character)
                before = character
    return tuple(words)


def is_symbol(word: str) -> bool:
    """Whether a word is a name with signs as a whole, whose parts are words besides."""
    return _SIGNED.search(word) is not None


def unspaced(word: str) -> bool:
    """Whether a word is made of characters of a script without blanks."""
    return not word.isascii() and _UNSPACED_CHARACTER.search(word) is not None


def _places(folded: str) -> Iterator[Place]:
    """The words of a folded chunk, the places in it."""
    if "T" in folded:
        folded = _TIME.sub(" ", folded)
    simple = folded.isascii() or not _NOT_SIMPLE.search(folded)
    units = _SIMPLE_UNIT if simple else _UNIT
    for run in (_SIMPLE_RUN if simple else _RUN).finditer(folded):
        text, start = run[0], run.start()
        if not simple and run["unspaced"]:
            yield from _neighbours(text, start)
        elif text.isalnum():
            yield from _unit(text, start)
        else:
            for unit in units.finditer(text):
                yield from _unit(unit[0], start + unit.start())
            for whole, first, last in wholes(text):
                yield Place(whole, start + first, start + last, True)


def _unit(unit: str, start: int) -> Iterator[Place]:
    """A run of letters and digits, and its parts."""
    yield Place(unit.casefold(), start, start + len(unit))
    if unit.isdigit() or (unit.islower() and unit.isalpha()) or not _HUMP.search(unit):
        return
    parts = [m for m in _PIECES.finditer(unit) if m.end() - m.start() > 1 or m[0].isdigit()]
    if len(parts) > 1:
        for part in parts:
            yield Place(part[0].casefold(), start + part.start(), start + part.end(), True)


def _neighbours(run: str, start: int) -> Iterator[Place]:
    """Each two neighbouring characters (with their marks) of a script without blanks, and Chinese and Khmer ones alone
    too, which may be a word; of other scripts only one that has no neighbour."""
    before, at = "", start
    for cluster in _CLUSTER.finditer(run):
        character, here = cluster[0], start + cluster.start()
        if before:
            yield Place(before + character, at, here + len(character))
        if _ALONE.match(character) or len(character) == len(run):
            yield Place(character, here, here + len(character), len(character) < len(run))
        before, at = character, here


def _joined(chunk: str) -> tuple[str, Callable[[int], int]]:
    """A chunk with its words that a line parted in one, and from its offsets to those of the chunk."""
    breaks = list(_HYPHENATED.finditer(chunk))
    if not breaks:
        return chunk, lambda offset: offset

    def original(offset: int) -> int:
        for gap in breaks:
            if gap.start() >= offset:
                break
            offset += gap.end() - gap.start()
        return offset

    return _HYPHENATED.sub("", chunk), original


def _original_offsets(chunk: str) -> Callable[[int, int], tuple[int, int]]:
    """From a range of the folded chunk to the range of the chunk that it was made of."""
    folded = fold(chunk)
    if folded == chunk:
        return lambda start, end: (start, end)
    clusters = _CLUSTER.findall(chunk)
    made = [fold(cluster) for cluster in clusters]
    if "".join(made) != folded:  # what folds only in company: the chunk as a whole
        return lambda start, end: (0, len(chunk))
    first, last, at = [], [], 0
    for cluster, letters in zip(clusters, made, strict=True):
        first += [at] * len(letters)
        at += len(cluster)
        last += [at] * len(letters)
    return lambda start, end: (first[start], last[end - 1])
