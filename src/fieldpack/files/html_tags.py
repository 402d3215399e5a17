"""What a single HTML tag tells of its part of the page: hidden, scripted, the main text, or the page's frame."""

from __future__ import annotations

import re
from typing import NamedTuple

from fieldpack.files.html_scan import attributes, names

HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
BLOCKS = names("""address article aside blockquote body caption center col colgroup dd details dialog dir div dl dt
    fieldset figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol p
    pre search section summary table tbody td tfoot th thead tr ul xmp""")
VOID = names("area base br col embed hr img input link meta param source track wbr")

_SCRIPTED = names("""script noscript template svg iframe object canvas applet audio video noembed noframes
    datalist map rp""")
_TAG_REASONS = {"nav": "navigation", "footer": "footer", "header": "header", "aside": "sidebar", "search": "navigation"}
_ROLE_REASONS = {
    "navigation": "navigation",
    "menu": "navigation",
    "menubar": "navigation",
    "tablist": "navigation",
    "toolbar": "navigation",
    "tree": "navigation",
    "search": "navigation",
    "doc-toc": "navigation",
    "doc-pagelist": "navigation",
    "banner": "header",
    "contentinfo": "footer",
    "complementary": "sidebar",
    "dialog": "hidden",
    "alertdialog": "hidden",
}
# The last word of a class or id: "md-sidebar", "bs-sidenav", "sphinxsidebar"; "has-sidebar" speaks of a page with one.
_NAMED_PARTS = (
    ("sidebar", r"(?<!has-)(?<!with-)(?<!no-)(?:side-?(?:bar|nav|menu|panel)|table-of-contents|page-?toc|localtoc)"),
    (
        "navigation",
        r"(?:\A|[-_])(?:toc(?:-mobile)?|nav-?bar|nav|nav(?:igation)?-?(?:tree|path|menu|links?)?|breadcrumbs?|main-?menu|menu"
        r"|pagination|pager|prev-?next|skip-?(?:link|nav|to-content)|newsletter|share-?(?:bar|buttons)|social-?links"
        r"|cookie-?(?:banner|consent|notice)|advert(?:isement)?s?)",
    ),
    ("footer", r"(?:\A|[-_])(?:(?:site|page|global)-?)?footer"),
)
_CLASS_REASONS = tuple((re.compile(f"(?:{pattern})\\Z"), reason) for reason, pattern in _NAMED_PARTS)
_HIDDEN_CLASS = re.compile(
    r"sr-only|visually-?hidden|screen-?reader(?:-text)?|d-none|is-hidden|hidden|md-overlay|linenos?|line-?numbers?"
    r"|gutter|copy-?btn|clipboard"
)
_SHOWN_CLASS = re.compile(r":(?:block|flex|grid|inline|table)|\bd-(?:sm|md|lg|xl)-")  # hidden on small screens only
_PARTS = names("div section ul ol dl aside header form table td details")
TELLING = frozenset((*_SCRIPTED, *_TAG_REASONS, "main", "article", "dialog", "title", "style"))
_STYLE = re.compile(r"display\s*+:\s*+none|visibility\s*+:\s*+hidden", re.IGNORECASE)
_MAIN_NAMES = frozenset(("content", "main", "main-content", "maincontent", "page-content", "article", "post-content"))
_WORTH_A_LOOK = re.compile(r"hidden|style|class|\bid\b|role", re.IGNORECASE)


class TagSort(NamedTuple):
    """What a start tag tells. hidden: why its part is never seen. main: which sort of main text it holds. chrome: which
    part of the page's frame it is; remark: the same inside the main text; soft: as in `Region`."""

    hidden: str = ""
    main: str = ""
    chrome: str = ""
    remark: str = ""
    soft: bool = False


ORDINARY = TagSort()


def _main_kind(name: str, values: dict[str, str]) -> str:
    if name == "main" or values.get("role") == "main":
        return "main"
    if name == "article":
        return "article"
    words = {values.get("id", ""), *values.get("class", "").split()}
    return "content" if name in ("div", "section", "td") and words & _MAIN_NAMES else ""


def _hidden_reason(name: str, values: dict[str, str]) -> str:
    if name in _SCRIPTED:
        return "script"
    if name in ("title", "style"):
        return "head"
    closed = name == "dialog" and "open" not in values
    return "hidden" if closed or _is_hidden(values) or _hidden_by_class(values) else ""


def tag_sort(name: str, body: str) -> TagSort:
    """The sort of a start tag. body: its attributes as they stand in the source."""
    values = attributes(body) if name == "dialog" or _WORTH_A_LOOK.search(body) else {}
    hidden = _hidden_reason(name, values)
    if hidden:
        return TagSort(hidden)
    main = _main_kind(name, values)
    role = values.get("role", "").strip().lower()
    if name in _TAG_REASONS:  # in the main text an aside is a remark, and a header holds the title
        reason = _TAG_REASONS[name]
        return TagSort("", main, reason, "" if name in ("aside", "header") else reason, name not in ("nav", "search"))
    if role in _ROLE_REASONS:
        reason = _ROLE_REASONS[role]
        return TagSort("", main, reason, "" if role == "complementary" else reason, True)
    reason = _class_reason(name, values) if name in _PARTS else ""
    return TagSort("", main, reason, reason, True)


def _is_hidden(values: dict[str, str]) -> bool:
    if "hidden" in values or values.get("aria-hidden", "").strip().lower() == "true":
        return True
    return bool(_STYLE.search(values.get("style", "")))


def _hidden_by_class(values: dict[str, str]) -> bool:
    classes = values.get("class", "").lower()
    return any(map(_HIDDEN_CLASS.fullmatch, classes.split()[:12])) and not _SHOWN_CLASS.search(classes)


def _class_reason(name: str, values: dict[str, str]) -> str:
    """The id of a section is made from its heading ("footer"), and says nothing."""
    words = values.get("class", "").lower().split()[:12]
    if name != "section" and "section" not in words:
        words += values.get("id", "").lower().split()[:1]
    for word in words:
        for pattern, reason in _CLASS_REASONS:
            if pattern.search(word[-40:]):
                return reason
    return ""


def is_code(body: str) -> bool:
    """Code that is no <pre>: Doxygen's lines, and what its style keeps as it is."""
    if "fragment" in body and "fragment" in attributes(body).get("class", "").split():
        return True
    return "white-space" in body and re.search(r"white-space\s*+:\s*+(?:pre\b|break-spaces)", body) is not None
