"""HTML to its visible text, as Markdown has it: headings with #, list items with -, preformatted text in fences.

A scanner of its own, because the standard library's parser takes quadratic time on unclosed tags and comments (35 s
for 640 kB of "<?"). No tree is built, so nesting costs nothing, and every character is looked at a few times at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

_RAW = ("script", "style", "title", "textarea", "xmp")  # hold text, never tags
_HIDDEN_NAMES = "script style noscript template svg math head iframe object canvas"
_HIDDEN = frozenset(_HIDDEN_NAMES.split())
_BLOCK_NAMES = """address article aside blockquote body center dd details dialog div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol p pre section summary table tbody textarea tfoot
    thead tr ul xmp"""
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_TIGHT = frozenset({"li", "tr", "dt", "dd"})  # follow one another without a blank line
_SPACES = re.compile(r"[ \t\r\n\f]+")
_TICKS = re.compile("`{3,}")
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)(?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')?+)*+>")
_SIMPLE_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/<>]*+)[^<>]*+>")
_RAW_ENDS = {name: re.compile(f"</{name}", re.IGNORECASE) for name in _RAW}


def html_text(html: str) -> tuple[str, str]:
    """(title, text) of an HTML page: what a reader would see, blocks as paragraphs. Any string, in linear time."""
    page = _Page()
    for name, closing, data in _events(html):
        if not name:
            page.data(data)
        elif closing:
            page.end(name)
        else:
            page.start(name)
    page.end_block()
    return _SPACES.sub(" ", "".join(page.title)).strip(), "".join(page.out).strip()


def _events(html: str) -> Iterator[tuple[str, bool, str]]:
    """("", False, text) for text, (name, closing?, "") for tags; comments and declarations are left out."""
    at, tag = 0, _TAG
    while True:
        opening = html.find("<", at)
        if opening < 0:
            yield "", False, unescape(html[at:])
            return
        if opening > at:
            yield "", False, unescape(html[at:opening])
        following = html[opening + 1 : opening + 2]
        if following in ("!", "?"):
            mark = "-->" if html.startswith("<!--", opening) else ">"
            stop = html.find(mark, opening + 2)
            if stop < 0:
                return  # as browsers read it: an unclosed comment reaches to the end
            at = stop + len(mark)
            continue
        named = html[opening + 1 : opening + 3].removeprefix("/")[:1].isalpha()
        found = tag.match(html, opening) if named else None
        if found is None:
            if named and tag is _TAG:
                tag = _SIMPLE_TAG  # a tag that never ends: from here on a tag ends before the next "<", lest we rescan
                at = opening
                continue
            yield "", False, "<"
            at = opening + 1
            continue
        at = found.end()
        name = found[2].lower()
        yield name, bool(found[1]), ""
        if name in _RAW_ENDS and not found[1]:
            end = _RAW_ENDS[name].search(html, at)
            raw_end = end.start() if end else len(html)
            yield "", False, unescape(html[at:raw_end]) if name in ("title", "textarea") else html[at:raw_end]
            at = raw_end


class _Page:
    """Collects visible text block by block."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.title: list[str] = []
        self.line: list[str] = []  # of the open block
        self.prefix = ""
        self.gap = "\n\n"  # between the last block and the open one
        self.hidden = ""  # the outermost hidden element that is open, and how many of its name
        self.depth = 0
        self.in_title = self.titled = False
        self.pre = 0

    def start(self, tag: str) -> None:
        if tag == "title":
            self.in_title = not self.titled and self.hidden in ("", "head")
            self.titled = True
        elif self.hidden == "head" and tag in _BLOCKS:
            self.hidden = ""  # a head that nobody closed
        if self.hidden:
            self.depth += tag == self.hidden
        elif tag in _HIDDEN:
            self.hidden, self.depth = tag, 1
        elif tag == "br":
            self.line.append("\n")
        elif tag in ("td", "th"):
            self.line.append(" | " if any(map(str.strip, self.line[-3:])) else "")
        elif tag in _BLOCKS:
            self.end_block("\n" if tag in _TIGHT else "\n\n")
            self.prefix = _HEADINGS.get(tag, "- " if tag == "li" else self.prefix if tag == "p" else "")
            self.pre += tag in ("pre", "xmp")

    def end(self, tag: str) -> None:
        if tag == "title":
            self.in_title = False
        elif self.hidden:
            self.depth -= tag == self.hidden
            if not self.depth:
                self.hidden = ""
        elif tag in _BLOCKS:
            self.end_block("\n" if tag in _TIGHT else "\n\n")
            self.prefix = ""
            self.pre = max(0, self.pre - (tag in ("pre", "xmp")))

    def data(self, text: str) -> None:
        if self.in_title:
            self.title.append(text)
        elif not self.hidden:
            self.line.append(text if self.pre else _SPACES.sub(" ", text))

    def end_block(self, gap: str = "\n\n") -> None:
        """Writes the open block, if there is anything in it to see; `gap` goes before the next one."""
        raw = "".join(self.line)
        self.line.clear()
        if self.pre and raw.strip():
            fence = "`" * max((len(run) + 1 for run in _TICKS.findall(raw)), default=3)
            text = f"{fence}\n{raw.strip(chr(10))}\n{fence}"
        else:
            text = "\n".join(_SPACES.sub(" ", part).strip() for part in raw.split("\n")).strip()
        if text:
            self.out += [self.gap if self.out else "", self.prefix + text]
            self.prefix, self.gap = "", gap
        elif gap == "\n\n" and not self.prefix:  # "<li><p>" is still one item
            self.gap = gap
