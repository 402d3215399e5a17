"""Light and medium compression: formatting without a word lost, then set phrases and repetitions.

Every rule works around the protected ranges (code, numbers, identifiers, URLs, quoted strings) of protect.py.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from importlib.resources import files

from fieldpack.compress.protect import guarded_sub
from fieldpack.compress.units import Unit, read_units

_BREAK = re.compile(r"\r\n?")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad]")
_WIDE_SPACE = re.compile("[\u00a0\u2000-\u200a\u202f\u205f]+")
_TRAILING = re.compile(r"(?<![ \t])[ \t]+$", re.MULTILINE)  # one start a run: linear
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_DECORATION = re.compile(r"([=\-_*~.#+─━═•·])\1{3,}")
_BULLET = re.compile(r"^([ \t]*)[•◦▪‣●○∙·][ \t]+", re.MULTILINE)
_BOLD = re.compile(r"(?<![\w*])\*\*(?=[^\s*])([^*\n]+?)(?<=\S)\*\*(?![\w*])")
_SPACES = re.compile(r"(?<=\S) {2,}(?=\S)")
# Determiners never stand twice in a row on purpose; "had had", "that that", "is is", "very very" may.
_DOUBLED = re.compile(r"\b(the|an|my|our|your|their)(?:[ \t]+|[ \t]*\n[ \t]*)\1\b")
_NEEDS_OF = r"(?! (?:the|these|those|this|that|them|us|you|it|its|my|our|your|his|her|their|which|whom)\b)"
_SENTENCE_WORD = """
    the a an this that these those there here it he she we you they in on at by for with from to of if when while all
    some many most each every both no not only one our your their its his her my as after before since because although
"""
_WHITE = re.compile(r"\s*")
_MIN_REPEATED_WORDS = 5


def compress_format(text: str) -> str:
    """The same words with less formatting: invisible characters, runs of spaces, blank lines, rules, bold marks.

    Line breaks stay, columns stay apart, indentation stays. Code blocks are byte-identical.
    """
    text = guarded_sub(_BREAK, lambda m: "\n", text)
    text = guarded_sub(_INVISIBLE, lambda m: "", text)
    text = guarded_sub(_WIDE_SPACE, lambda m: " ", text)
    text = guarded_sub(_TRAILING, lambda m: "", text)
    text = guarded_sub(_DECORATION, lambda m: m[1] * 3, text)
    text = guarded_sub(_BULLET, lambda m: f"{m[1]}- ", text)
    text = guarded_sub(_BOLD, lambda m: m[1], text)
    text = _close_gaps(text)
    return _trimmed(guarded_sub(_BLANK_LINES, lambda m: "\n\n", text))


def restructure(text: str) -> str:
    """compress_format, then concise set phrases, no doubled determiners, no repeated sentences (the first is kept)."""
    text = compress_format(text)
    for pattern, concise in _phrase_rules():
        text = guarded_sub(pattern, lambda m, table=concise: _like(m[0], table[m[0].lower()]), text)  # type: ignore[misc]
    text = guarded_sub(_openers(), lambda m: m[1].capitalize() if m[0][0].isupper() else m[1], text)
    text = guarded_sub(_DOUBLED, lambda m: m[1], text)
    return _without_repeats(text)


def _close_gaps(text: str) -> str:
    """Runs of spaces inside a line become one, or two where they keep columns apart.

    A run belongs to a column when what follows it starts at the same place in the line before or after.
    """
    lines = text.split("\n")
    stops = [{m.end() for m in _SPACES.finditer(line)} if "  " in line else set[int]() for line in lines]
    offset = 0
    columns: set[int] = set()
    for at, line in enumerate(lines):
        around = (stops[at - 1] if at else set[int]()) | (stops[at + 1] if at + 1 < len(lines) else set[int]())
        columns |= {offset + stop for stop in stops[at] & around} if "|" not in line else set[int]()
        offset += len(line) + 1
    return guarded_sub(_SPACES, lambda m: "  " if m.end() in columns else " ", text)


def _trimmed(text: str) -> str:
    """Without blank lines at the start and white space at the end; the first line keeps its indentation."""
    return re.sub(r"\A(?:[ \t]*\n)+", "", text.rstrip())


def _like(original: str, concise: str) -> str:
    """`concise` with a capital where `original` has one and `concise` is an ordinary word."""
    return concise[0].upper() + concise[1:] if original[0].isupper() and concise.islower() else concise


def _without_repeats(text: str) -> str:
    """Without sentences and list items that stood before, word for word (5 words or more)."""
    units = read_units(text)
    seen: set[str] = set()
    drop: list[Unit] = []
    for unit in units:
        if unit.kind not in ("sentence", "list"):
            continue
        words = text[unit.start : unit.end].split()
        key = " ".join(words)
        if len(words) >= _MIN_REPEATED_WORDS and key in seen:
            drop.append(unit)
        seen.add(key)
    return _cut_out(text, drop)


def _cut_out(text: str, drop: Sequence[Unit]) -> str:
    """`text` without these units; of the white space around each, the side with more line breaks stays."""
    parts: list[str] = []  # text, gap, text, gap ...
    at = 0
    for unit in drop:
        chunk = text[at : unit.start]
        body = chunk.rstrip()
        after = _gap(_WHITE.match(text, unit.end)[0])  # type: ignore[index]  # matches the empty gap too
        gaps = [_gap(chunk[len(body) :]), after, parts.pop() if parts and not body else ""]
        parts += [body, max(gaps, key=lambda gap: (gap.count("\n"), len(gap)))]
        at = unit.end + len(after)
    return ("".join(parts) + text[at:]).rstrip() if drop else text


def _gap(white: str) -> str:
    """White space up to its last line break: what follows on the line is the next line's indentation."""
    return white[: white.rindex("\n") + 1] if "\n" in white else white


@functools.cache
def _phrases() -> dict[str, dict[str, str]]:
    raw = json.loads(files("fieldpack").joinpath("data", "phrases.json").read_text("utf-8"))
    return {key: {k.lower(): v for k, v in raw[key].items()} for key in ("phrases", "quantifiers")} | {
        "openers": dict.fromkeys(raw["openers"], "")
    }


@functools.cache
def _phrase_rules() -> tuple[tuple[re.Pattern[str], dict[str, str]], ...]:
    def alternatives(table: dict[str, str]) -> str:
        return "|".join(re.escape(p) for p in sorted(table, key=len, reverse=True))

    phrases, quantifiers = _phrases()["phrases"], _phrases()["quantifiers"]
    return (
        (re.compile(rf"(?<![\w-])(?:{alternatives(phrases)})(?![\w-])", re.IGNORECASE), phrases),
        (re.compile(rf"(?<![\w-])(?:{alternatives(quantifiers)})(?![\w-]){_NEEDS_OF}", re.IGNORECASE), quantifiers),
    )


@functools.cache
def _openers() -> re.Pattern[str]:
    """An opener at the start of a sentence, before a word that may take a capital without looking like a name."""
    openers = "|".join(re.escape(p) for p in _phrases()["openers"])
    follows = "|".join(_SENTENCE_WORD.split())
    return re.compile(rf"(?:\A|(?<=[.!?] )|(?<=\n))(?i:{openers}),? ({follows})\b")
