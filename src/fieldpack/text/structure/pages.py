"""HTML as it stands, tags and all: rows, items, headings, paragraphs and code are atoms; what a reader does not see is
boilerplate. For HTML that arrives as a string; files are read by `fieldpack.files.html`, which drops the tags."""

from __future__ import annotations

import re

from fieldpack.text.cuts import trim
from fieldpack.text.sentences import has_word
from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.model import (
    ATOMIC,
    BODY,
    BOILERPLATE,
    CODE,
    HEADER,
    HEADING,
    LIST,
    MARK,
    SENTENCE,
    TABLE,
    TITLE,
    UNIT,
)

_TAG = re.compile(
    r"<!--(?:[^-]++|-(?!->))*+(?:-->)?+|<(?P<raw>script|style|svg|noscript|template)\b[^>]*+>(?:[^<]++|<(?!/(?P=raw)))*+"
    r"|<(?P<slash>/?)(?P<name>[a-zA-Z][\w-]*+)(?P<rest>[^>]*+)>?+",
    re.I,
)
_BLOCKS = frozenset(
    (
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "button",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "header",
        "hr",
        "html",
        "iframe",
        "li",
        "main",
        "nav",
        "ol",
        "option",
        "p",
        "pre",
        "section",
        "select",
        "summary",
        "table",
        "tbody",
        "template",
        "tfoot",
        "thead",
        "title",
        "tr",
        "ul",
        "script",
        "style",
        "link",
        "meta",
        "label",
    )
)
_HIDING = frozenset(
    ("nav", "footer", "aside", "script", "style", "select", "noscript", "template", "svg", "form", "button")
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|\shidden(?:[\s=>/]|$)|aria-hidden\s*=\s*[\"']?true"
    r"|role\s*=\s*[\"']?(?:navigation|banner|contentinfo|search)|(?:class|id)\s*=\s*[\"'][^\"']*\b(?:sidebar|sphinxsidebar|navbar|nav|"
    r"breadcrumbs?|footer|cookie|toc|related|menu|skip-link|pagination|social|advert)",
    re.I,
)
_VOID = frozenset(("br", "hr", "img", "input", "link", "meta", "col", "area", "base", "wbr", "source", "embed"))
_TEXT = re.compile(r"<[^>]*>|&[#\w]+;")
_DEEPEST, _OPENING = 200, 200


class _Page:
    """Where the reader stands in a page."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.hidden: list[str] = []  # open elements that a reader does not see, outermost first
        self.hidden_from = 0  # the first block of what is hidden
        self.kind, self.level = SENTENCE, 0
        self.depth = 0  # of <tr> or <pre>, whose inner tags part nothing
        self.run = (-2, False)  # the last atom without visible words, and whether it is hidden
        self.header, self.row, self.table, self.lead = -1, 0, False, -1
        self.outer = builder.owner
        self.term = -1  # the last <dt>, which the <dd> under it goes with
        self.item = ""  # the open <li>, <dt> or <dd>


def read_page(builder: Builder, low: int, high: int) -> None:
    """Reads [low, high) as HTML."""
    page, text, start = _Page(builder), builder.text, low
    for tag in _TAG.finditer(text, low, high):
        name = (tag["name"] or "").lower()
        if tag["raw"] or not name:
            _flush(page, start, tag.start())
            _emit(page, tag.start(), tag.end(), hidden=True)
            start = tag.end()
            continue
        if name not in _BLOCKS and name not in _HIDING:
            continue
        if page.depth and name not in ("tr", "pre", "table"):
            continue
        if tag["slash"]:
            end = tag.end() if name in ("tr", "li", "pre", "p", "title", "dt", "dd") or name[0] == "h" else tag.start()
            if end == tag.end() and not text[start : tag.start()].strip():
                end = tag.start()
            _flush(page, start, end)
            start = end
            _closed(page, name)
        else:
            if not _only_opens(page, text, start, tag.start()):
                _flush(page, start, tag.start())
                start = tag.start()
            _opened(page, name, tag["rest"])
    _flush(page, start, high)
    if page.hidden:  # an element that is never closed hides nothing: better a menu too much than a text too little
        builder.clear(page.hidden_from, BOILERPLATE)
    if page.table:
        builder.close(rows=page.row)
    builder.end_sections()


def _only_opens(page: _Page, text: str, start: int, end: int) -> bool:
    """Whether the range is the tags that open an item: they go with its words."""
    return page.item in ("li", "dd") and end - start <= _OPENING and not _TEXT.sub("", text[start:end]).strip()


def _opened(page: _Page, name: str, rest: str) -> None:
    if page.hidden:
        page.hidden += [name] if name == page.hidden[0] and len(page.hidden) < _DEEPEST else []
    elif name not in _VOID and (name in _HIDING or _HIDDEN.search(" " + rest)):
        page.hidden, page.hidden_from = [name], page.builder.blocks
    if name == "table" and not page.table:
        page.lead = _lead(page.builder)
        page.builder.open("table")
        page.table, page.header, page.row = True, -1, 0
    elif name in ("tr", "pre"):
        page.depth, page.kind = 1, TABLE if name == "tr" else CODE
    elif len(name) == 2 and name[0] == "h" and name[1].isdigit():
        page.kind, page.level = HEADING, int(name[1])
    elif name == "title":
        page.kind, page.level = HEADING, 1
    elif name in ("li", "dt", "dd", "option"):
        page.kind, page.item = LIST, name
        page.builder.owner = page.term if name == "dd" and page.term >= 0 else page.outer
    elif name in ("p", "div", "section", "article", "body", "blockquote"):
        page.kind = LIST if page.item == "dd" else SENTENCE


def _lead(builder: Builder) -> int:
    """The heading, or the sentence with a colon, that stands above a table."""
    for last in range(builder.count - 1, max(builder.count - 4, -1), -1):
        if builder.role(last) == TITLE:
            return last
        if builder.role(last) != MARK:
            low, high = builder.span(last)
            announces = _TEXT.sub("", builder.text[max(low, high - 200) : high]).rstrip().endswith(":")
            return last if announces else builder.owner
    return builder.owner


def _closed(page: _Page, name: str) -> None:
    if page.hidden and name == page.hidden[-1]:
        page.hidden.pop()
    if name in ("tr", "pre"):
        page.depth = 0
    if name in ("li", "dt", "dd", "dl"):
        page.item, page.builder.owner = "", page.outer
    if name == "table" and page.table:
        page.builder.close(rows=page.row)
        page.table = False
    page.kind = TABLE if page.table else SENTENCE


def _flush(page: _Page, start: int, end: int) -> None:
    _emit(page, start, end, hidden=bool(page.hidden))


def _emit(page: _Page, start: int, end: int, hidden: bool) -> None:
    """Adds the range as atoms, by what it holds."""
    builder, text = page.builder, page.builder.text
    start, end = trim(text, start, end)
    if end <= start:
        return
    words = _TEXT.sub(" ", text[start : min(end, start + 4000)]).strip()
    if hidden or not words or not has_word(words, 0, len(words)):
        _marks(page, start, end, hidden, BODY if words and has_word(words, 0, len(words)) else MARK)
    elif page.kind == HEADING and end - start <= builder.max_chars and not page.table:
        builder.section(start, end, page.level)
    elif page.depth and page.kind == TABLE:
        _row(page, start, end)
    else:
        builder.open("element", UNIT | (ATOMIC if page.kind == CODE and end - start <= builder.max_chars else 0))
        if page.item == "dt":
            page.term = builder.count
        if page.kind == CODE or (end - start <= builder.line_chars and page.kind == LIST):
            builder.line(start, end, page.kind, builder.owner)
        else:
            builder.sentences(start, end, page.kind)
        builder.close()


def _row(page: _Page, start: int, end: int) -> None:
    text = page.builder.text
    if page.header < 0 and not page.row and re.search(r"<th\b", text[start:end], re.I):
        page.header = page.builder.line(start, end, TABLE, page.lead)
        page.builder.set_role(page.header, HEADER)
        return
    page.builder.row(start, end, TABLE, page.header if page.header >= 0 else page.lead, page.row)
    page.row += 1


def _marks(page: _Page, start: int, end: int, hidden: bool, role: int) -> None:
    """A range without visible words: tags, scripts, navigation; taken together with the one before it."""
    builder, last = page.builder, page.builder.count - 1
    if page.run == (last, hidden) and end - builder.span(last)[0] <= builder.max_chars:
        builder.set_end(last, end)
        if role == BODY:
            builder.set_role(last, BODY)
        return
    builder.open("element", BOILERPLATE if hidden else 0)
    while end - start > builder.max_chars:
        cut = builder.text.rfind("<", start + builder.max_chars // 2, start + builder.max_chars)
        cut = cut if cut > start else start + builder.max_chars
        low, high = trim(builder.text, start, cut)
        if high > low:
            builder.atom(low, high, SENTENCE, role)
        start, end = trim(builder.text, cut, end)
    if end > start:
        builder.atom(start, end, SENTENCE, role)
    builder.close()
    page.run = (builder.count - 1, hidden)
