"""HTML as a stream of tags and texts, with their places in the source.

No library: HTML 5 asks a parser to repair broken nesting in ways that take quadratic time. Measured on files of 0.5 to
0.9 MB: selectolax 1.0 (lexbor) 29 s for 100,000 nested <div>, 34 s with as many stray end tags, 27 s for one tag with
100,000 attributes; lxml 6.1 (libxml2) 24 s and more than 168 s for the last two, and text is lost below its 256th
level; the standard library's parser 35 s for 640 kB of "<?". This scanner builds no tree; every character is looked at
a few times at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

_RAW = ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes")  # hold text, never tags
_WITH_REFERENCES = ("title", "textarea")
_OPENING = re.compile(r"<(?=/?[a-zA-Z]|[!?])")  # any other "<" is text
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)((?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')?+)*+)>")
_SIMPLE_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/<>]*+)([^<>]*+)>")
_RAW_ENDS = {name: re.compile(f"</{name}", re.IGNORECASE) for name in _RAW}
_ATTRIBUTE = re.compile(r"([^\s=/\"'<>]++)(?:\s*+=\s*+(\"[^\"]*+\"|'[^']*+'|[^\s\"'>]++))?+")
_SPACES = re.compile(r"[ \t\r\n\f]+")
_LONG_NUMBER = re.compile(r"&#(?:[0-9]{8,}+|[xX][0-9a-fA-F]{8,}+);?+")


def names(text: str) -> frozenset[str]:
    """The set of the names in a list of them."""
    return frozenset(text.split())


class Token(NamedTuple):
    """A tag, or a text (then `name` is empty).

    name: of the tag, lower case. closing: is it an end tag. body: the text with its references resolved, or the
    attributes as they stand in the source. start, end: offsets in the source.
    """

    name: str
    closing: bool
    body: str
    start: int
    end: int


_token = tuple.__new__  # half the time of calling the class, on hundreds of thousands


def tokens(html: str) -> Iterator[Token]:
    """Tags and texts in order; comments and declarations are left out. Any string, in linear time."""
    at, tag = 0, _TAG
    while True:
        mark = _OPENING.search(html, at)
        opening = mark.start() if mark else -1
        stop = opening if opening >= 0 else len(html)
        if stop > at:
            yield _token(Token, ("", False, resolved(html[at:stop]), at, stop))
        if opening < 0:
            return
        following = html[opening + 1 : opening + 2]
        if following in ("!", "?"):
            closing_mark = "-->" if html.startswith("<!--", opening) else ">"
            stop = html.find(closing_mark, opening + 2)
            if stop < 0:
                return  # as browsers read it: an unclosed comment reaches to the end
            at = stop + len(closing_mark)
            continue
        match = tag.match(html, opening)
        if match is None:
            if tag is _TAG:
                tag = _SIMPLE_TAG  # a tag that never ends: from here on a tag ends before the next "<", lest we rescan
                at = opening
                continue
            yield Token("", False, "<", opening, opening + 1)
            at = opening + 1
            continue
        at = match.end()
        closes, name, body = match.groups()
        name = name.lower()
        yield _token(Token, (name, closes != "", body, opening, at))
        if name in _RAW_ENDS and not closes:
            closing = _RAW_ENDS[name].search(html, at)
            stop = closing.start() if closing else len(html)
            raw = html[at:stop]
            yield Token("", False, resolved(raw) if name in _WITH_REFERENCES else raw, at, stop)
            at = stop


def resolved(text: str) -> str:
    """The text with character references replaced. Numbers of more than seven digits name no character."""
    if "&" not in text:
        return text
    return unescape(_LONG_NUMBER.sub("\ufffd", text) if "&#" in text else text)


def collapsed(text: str) -> str:
    """The text with one blank for each run of white space; most texts have no other."""
    runs = "  " in text or "\n" in text or "\t" in text or "\r" in text or "\f" in text
    return _SPACES.sub(" ", text) if runs else text


def attributes(body: str) -> dict[str, str]:
    """{name in lower case: value} of a start tag's attributes; of two with one name the first counts."""
    values: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(body):
        values.setdefault(name.lower(), resolved(value.strip("\"'") if value[:1] in "\"'" else value))
    return values
