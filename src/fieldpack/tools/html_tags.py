"""HTML after a cut: what encloses kept text is opened before it and closed after it, so that tables stay tables.

Own code: parsers give trees whose text is not the text that came in; here every kept character is the one that was read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_TAG = re.compile(r"<(/?)([a-zA-Z][\w:-]*)[^<>]*?(/?)>")
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_IMPLIED = {"li": ("li",), "tr": ("tr", "td", "th"), "td": ("td", "th"), "th": ("td", "th"), "p": ("p",)}
"""Tags that end an open one of the named kinds."""
GAP = "\n"


def closed(text: str, kept: Sequence[tuple[int, int]]) -> str:
    """The kept ranges (ascending, disjoint) of an HTML text with the tags that enclose them."""
    out: list[str] = []
    open_tags: list[tuple[str, int, int]] = []  # name and range of each element that is open at this place
    written = 0  # how many of them stand in `out` as opened
    at = 0
    tags = [m for m in _TAG.finditer(text)]
    k = 0
    for a, b in kept:
        while k < len(tags) and tags[k].start() < a:
            written = _step(open_tags, written, tags[k], out, False)
            k += 1
        if out and text[at:a].strip():
            out.append(GAP)
        for name, start, end in open_tags[written:]:
            if end <= a:
                out.append(text[start:end] + GAP)
        written = len(open_tags)
        out.append(text[a:b])
        while k < len(tags) and tags[k].start() < b:
            written = _step(open_tags, written, tags[k], out, True)
            k += 1
        at = b
    out += [f"</{name}>" for name, _, _ in reversed(open_tags[:written])]
    return "".join(out)


def _step(
    open_tags: list[tuple[str, int, int]], written: int, tag: re.Match[str], out: list[str], inside: bool
) -> int:
    """One tag further. inside: whether it is kept itself. Returns how many open elements are written."""
    name = tag.group(2).lower()
    if name in _VOID or tag.group(3):
        return written
    if not tag.group(1):
        while open_tags and open_tags[-1][0] in _IMPLIED.get(name, ()):
            written = _close(open_tags, written, out, False)
        open_tags.append((name, tag.start(), tag.end()))
        return len(open_tags) if inside else written
    if name in [n for n, _, _ in open_tags[-32:]]:
        while open_tags[-1][0] != name:
            written = _close(open_tags, written, out, False)
        written = _close(open_tags, written, out, not inside)
    return written


def _close(open_tags: list[tuple[str, int, int]], written: int, out: list[str], write: bool) -> int:
    """Takes the innermost element off; `write`: its end tag is written when its begin was."""
    name = open_tags.pop()[0]
    if written > len(open_tags):
        if write:
            out.append(f"</{name}>")
        return len(open_tags)
    return written
