"""The words of the shell notation: one pattern each, all linear (possessive), and how a leaf is read from and written
as text."""

from __future__ import annotations

import re
from bisect import bisect_right

from fieldpack.errors import InputError, ShellSyntaxError
from fieldpack.shell.nodes import NOWHERE, Boolean, Leaf, Null, Number, Placeholder, Span, String, Word

MAX_CHARS = 1 << 20
"""Longest text that is parsed; the notation's own shells have a few thousand characters."""
MAX_NODES = 100_000

TRIVIA = re.compile(r"(?:\s++|//[^\n]*+|\#[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/)*+")
COMMENT = re.compile(r"//[^\n]*+|\#[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/")
NAME = re.compile(r"/(\w++(?:[.\-]\w++)*+)")
KEY = re.compile(r"[\w@$*?!.][\w@$*?!.\-]*+")
ASSIGN = re.compile(r"=(?![=>])|:(?!//)")
ARROW = re.compile(r"-{1,2}>|=>|[→⇒⟶➜]")
QUOTED = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"""|"(?:[^"\\]++|\\.)*+"|\'(?:[^\'\\]++|\\.)*+\'|“[^”]*+”', re.DOTALL
)
# <what to fill in>: no comma, arrow or comment within, so that `<` alone cannot reach over what follows it
_NAMED = r"""<\w(?:[^<>\n"{}\[\],;→⇒⟶➜/\#]|/(?![/*]))*+(?<![-=])>"""
PHRASE = re.compile(
    rf"""(?:
        [^\n,;{{}}\[\]"“”=:/\-\#<>!→⇒⟶➜$]  # most characters, blanks too
      | {_NAMED}                          # a placeholder
      | \$(?:\{{[^{{}}\n"]*+\}})?           # a template's placeholder, or a dollar sign
      | [!<>=]=                           # a comparison
      | [!<>]
      | ://[^\s,;{{}}\[\]"“”]*+            # a URL, whatever is in it
      | :++(?=[^\s,;{{}}\[\]"'“”=:→⇒⟶➜/\-]|-(?!->|>)|/(?![/*]))  # 10:30
      | /(?![/*])
      | -(?!->|>)
      | (?<!\s)(?<!^)\#                   # C#
    )++""",
    re.VERBOSE,
)
NUMBER = re.compile(r"[+-]?(?:\d[\d_]*+(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?%?", re.ASCII)
PLACEHOLDER = re.compile(_NAMED + r"|\$\{[^{}\n\"]*+\}")
SHELL_IN_PROSE = re.compile(r"(?<!:)//[^\n]*+|(?<![\w/.:<\\\-])/\w++(?:[.\-]\w++)*+\s*+\{")
SURROGATE = re.compile(r"[\ud800-\udfff]")

_MAX_NUMBER_CHARS = 60  # a float has 17 digits; int("9" * 1_000_000) would take minutes or be refused by Python
_TRUE, _FALSE, _NULL = {"true", "True", "TRUE"}, {"false", "False", "FALSE"}, {"null", "Null", "NULL", "None"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\", "/": "/"}
_TO_ESCAPE = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029"\\]')
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


class Lines:
    """Offsets to lines and columns of one text, both from 1."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]

    def span(self, start: int, end: int) -> Span:
        line = bisect_right(self._starts, start)
        return Span(start, end, line, start - self._starts[line - 1] + 1)


def check_text(text: str) -> None:
    """Raises InputError for a value that is no text, ShellSyntaxError for one too long or with lone surrogates."""
    if not isinstance(text, str):
        raise InputError(f"a shell is text; found {type(text).__name__}")
    if len(text) > MAX_CHARS:
        raise ShellSyntaxError(f"the text has {len(text)} characters; at most {MAX_CHARS} are read", 1, 1)
    if surrogate := SURROGATE.search(text):
        span = Lines(text).span(surrogate.start(), surrogate.end())
        raise ShellSyntaxError(
            f"U+{ord(surrogate[0]):04X} is half of a surrogate pair, not text", span.line, span.column
        )


def unquote(raw: str) -> str:
    """The value of a quoted string. An unknown escape (`\\d`) stands for itself. ValueError on a lone surrogate
    escape."""
    if raw.startswith('"""') and len(raw) >= 6:
        return _ESCAPE.sub(_unescape, raw[3:-3])
    return raw[1:-1] if raw.startswith("“") else _ESCAPE.sub(_unescape, raw[1:-1])


def _unescape(match: re.Match[str]) -> str:
    high, low, letter = match.groups()
    if letter is not None:
        return _ESCAPES.get(letter, match[0])
    code = int(high, 16)
    if 0xD800 <= code < 0xDC00 and low:
        return chr(0x10000 + ((code - 0xD800) << 10) + int(low, 16) - 0xDC00)
    if low or 0xD800 <= code < 0xE000:
        raise ValueError(f"the escape {match[0]} is half of a surrogate pair")
    return chr(code)


def quote(value: str) -> str:
    """The canonical double-quoted form; `unquote(quote(v)) == v`."""
    return '"' + _TO_ESCAPE.sub(lambda m: _SHORT.get(m[0]) or f"\\u{ord(m[0]):04x}", value) + '"'


def bare(raw: str, span: Span = NOWHERE) -> Leaf:
    """The leaf of a bare text: number, true/false, null, placeholder or word. ValueError on a number that is not
    finite."""
    if NUMBER.fullmatch(raw):
        return _number(raw, span)
    if raw in _TRUE or raw in _FALSE:
        return Boolean(raw in _TRUE, raw, span)
    if raw in _NULL:
        return Null(raw, span)
    return Placeholder(raw, raw, span) if PLACEHOLDER.fullmatch(raw) else Word(raw, raw, span)


def _number(raw: str, span: Span) -> Number:
    if len(raw) > _MAX_NUMBER_CHARS:
        raise ValueError(f"a number of {len(raw)} characters; at most {_MAX_NUMBER_CHARS} are read")
    digits = raw.rstrip("%").replace("_", "")
    try:
        value: int | float = int(digits)
    except ValueError:
        value = float(digits)
    if abs(value) > 1e300:
        raise ValueError(f"the number {raw} is out of range (at most 1e300)")
    return Number(value, raw.endswith("%"), raw, span)


def is_fresh(leaf: Leaf) -> bool:
    """Whether the text that the leaf was read from still has its value."""
    return bool(leaf.raw) and _reads_as(leaf.raw, leaf)


def canonical_leaf(leaf: Leaf) -> str:
    """One spelling for each value. InputError where a hand-made bare leaf holds text that would read as something
    else."""
    match leaf:
        case String():
            return quote(leaf.value)
        case Number():
            text = f"{leaf.value!r}{'%' if leaf.percent else ''}"
        case Boolean():
            text = "true" if leaf.value else "false"
        case Null():
            text = "null"
        case Word() | Placeholder():
            text = leaf.value
    if not _reads_as(text, leaf):
        raise InputError(f"{leaf!r} cannot be written bare: it would read as something else; use String")
    return text


def _reads_as(text: str, leaf: Leaf) -> bool:
    try:
        if isinstance(leaf, String):
            return QUOTED.fullmatch(text) is not None and unquote(text) == leaf.value
        return is_phrase(text) and bare(text) == leaf
    except ValueError:
        return False


def key_at(text: str, pos: int) -> tuple[re.Match[str], re.Match[str]] | None:
    """The key and the assignment that begin there, if they do; `10:30` is a time of day, not a key."""
    key = KEY.match(text, pos) or QUOTED.match(text, pos)
    trivia = TRIVIA.match(text, key.end()) if key else None
    assign = ASSIGN.match(text, trivia.end()) if trivia else None
    if not key or not assign or (key[0].isdigit() and text[key.end() : key.end() + 2].lstrip(":").isdigit()):
        return None
    return key, assign


def is_phrase(text: str) -> bool:
    """Whether a bare text is read back as one value: no stop character, no quote or comment at its start, no shell
    name alone."""
    if not text or text != text.strip() or text[0] in "'" or not PHRASE.fullmatch(text):
        return False
    return not NAME.fullmatch(text)
