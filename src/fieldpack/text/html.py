"""HTML to its visible text, as Markdown has it: headings with #, list items with -, preformatted text in fences."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_HIDDEN = frozenset(
    {"script", "style", "noscript", "template", "svg", "math", "head", "iframe", "object", "canvas", "select"}
)
_BLOCKS = frozenset(
    """address article aside blockquote body center dd details dialog div dl dt fieldset figcaption figure footer form h1 h2 h3 h4
    h5 h6 header hgroup hr html li main menu nav ol p pre section summary table tbody tfoot thead tr ul""".split()
)
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_VOID = frozenset(
    {"br", "hr", "img", "input", "meta", "link", "wbr", "source", "area", "base", "col", "embed", "param", "track"}
)
_SPACES = re.compile(r"[ \t\r\n\f]+")
_TIGHT = frozenset({"li", "tr", "dt", "dd"})  # follow one another without a blank line


def html_text(html: str) -> tuple[str, str]:
    """(title, text) of an HTML page: what a reader would see, blocks as paragraphs. Never raises; any nesting depth."""
    page = _Page()
    page.feed(html)
    page.close()
    page.end_block()
    return _SPACES.sub(" ", "".join(page.title)).strip(), "".join(page.out).strip()


class _Page(HTMLParser):
    """Collects text; keeps counters, no tree, so that depth costs nothing."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.title: list[str] = []
        self.line: list[str] = []  # of the open block
        self.prefix = ""
        self.before = "\n\n"  # between the last block and the open one
        self.hidden: list[str] = []  # the open hidden element and those of its name inside it
        self.in_title = False
        self.pre = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and not self.title and self.hidden in ([], ["head"]):
            self.in_title = True
        elif self.hidden:
            if tag == self.hidden[0]:
                self.hidden.append(tag)
            elif tag == "body" and self.hidden[0] == "head":
                self.hidden.clear()  # a head that was never closed
        elif tag in _HIDDEN:
            self.hidden.append(tag)
        elif tag == "br":
            self.line.append("\n")
        elif tag in ("td", "th"):
            self.line.append(" | " if "".join(self.line[-3:]).strip() else "")
        elif tag in _BLOCKS:
            self._open(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID or tag in _BLOCKS:
            self.handle_starttag(tag, attrs)

    def _open(self, tag: str) -> None:
        self.end_block("\n" if tag in _TIGHT else "\n\n")
        self.prefix = _HEADINGS.get(tag, "- " if tag == "li" else self.prefix if tag == "p" else "")
        if tag == "pre":
            self.pre += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self.in_title = False
        elif self.hidden:
            if tag == self.hidden[0]:
                self.hidden.pop()
        elif tag in _BLOCKS:
            self.end_block("\n" if tag in _TIGHT else "\n\n")
            self.prefix = ""
            if tag == "pre":
                self.pre = max(0, self.pre - 1)

    def handle_data(self, data: str) -> None:
        if self.in_title:
            self.title.append(data)
        elif not self.hidden:
            self.line.append(data if self.pre else _SPACES.sub(" ", data))

    def end_block(self, gap: str = "\n\n") -> None:
        """Writes the open block, if there is anything in it to see."""
        raw = "".join(self.line)
        self.line.clear()
        if self.pre and raw.strip():
            fence = "`" * max(3, max((len(m) + 1 for m in re.findall("`{3,}", raw)), default=3))
            text = f"{fence}\n{raw.strip(chr(10))}\n{fence}"
        else:
            text = "\n".join(" ".join(part.split(" ")).strip() for part in re.sub(" +", " ", raw).split("\n")).strip()
        if not text:
            self.before = "\n\n" if gap == "\n\n" else self.before
            return
        self.out += [self.before if self.out else "", self.prefix + text]
        self.prefix = ""
        self.before = gap
