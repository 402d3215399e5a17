"""Which parts of an HTML page a reader of its main text does not see: hidden and scripted parts, navigation, sidebars,
page headers and footers. A first pass over the tags; nothing is rendered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fieldpack.files.html_scan import Token
from fieldpack.files.html_tags import BLOCKS, ORDINARY, TELLING, VOID, TagSort, tag_sort

_IMPLIED = {  # end tags that may be left out: the start tags of siblings that end the element
    "li": ("li",),
    "dt": ("dt", "dd"),
    "dd": ("dt", "dd"),
    "option": ("option", "optgroup"),
    "td": ("td", "th", "tr", "tbody", "tfoot"),
    "th": ("td", "th", "tr", "tbody", "tfoot"),
    "tr": ("tr", "tbody", "tfoot"),
}
_CONTAINERS = frozenset(("ul", "ol", "menu", "dl", "table", "select"))
_MOST_SORTS = 10_000
_MOST_MAINS = 4  # open at once
_UNSEEN = ("head", "hidden", "script")
_SOFT_SHARE = 0.5  # of the visible text: what holds more is no sidebar, whatever its class says
_MAIN_SHARE = {"main": 0.2, "article": 0.5, "content": 0.5}  # what holds less is not the page's main part


@dataclass
class Region:
    """A part of the page. start, end: offsets in the source. text: visible characters in it."""

    start: int
    end: int
    reason: str
    text: int = 0
    soft: bool = False  # known by its class alone, or by a tag that may also be part of the main text


@dataclass(frozen=True)
class Layout:
    """main: parts that hold the main text, in order, empty for the whole page. left_out: disjoint, in order."""

    main: tuple[Region, ...]
    left_out: tuple[Region, ...]

    def counts(self) -> dict[str, int]:
        """How many parts were left out, by reason."""
        counts: dict[str, int] = {}
        for region in self.left_out:
            counts[region.reason] = counts.get(region.reason, 0) + 1
        return counts


@dataclass
class _Open:
    """An element whose end is awaited: how many of its name, and of list or table containers in it, are open."""

    name: str
    region: Region
    depth: int = 1
    containers: int = 0


@dataclass
class _Survey:
    """The state of the pass. hidden and chrome: the open part of each sort; they may overlap. `whole` looks for hidden
    and scripted parts only."""

    whole: bool = False
    hidden: _Open | None = None
    chrome: _Open | None = None
    mains: list[_Open] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    complete_mains: list[Region] = field(default_factory=list)
    sorts: dict[tuple[str, str], TagSort] = field(default_factory=dict)
    text: int = 0

    def token(self, token: Token) -> None:
        if not token.name:
            self._text(token)
            return
        if self.mains:
            self._follow_mains(token)
        if self.chrome is not None and self.chrome.region.soft and _holds_main(token):
            self.chrome = None  # a part that holds the main text or the page's heading is not left out
        used = False
        if self.hidden is not None:
            self.hidden, used = self._follow(self.hidden, token)
        if self.chrome is not None:
            self.chrome, _ = self._follow(self.chrome, token)
        if not (used or token.closing or token.name in VOID):
            self._start(token)

    def _text(self, token: Token) -> None:
        if self.hidden is not None:
            return
        size = len(token.body.strip())
        self.text += size
        if self.chrome is not None:
            self.chrome.region.text += size
        for main in self.mains:
            main.region.text += size

    def _start(self, token: Token) -> None:
        name = token.name
        sort = self._sort(token)
        if sort.hidden:
            self.hidden = _Open(name, Region(token.start, token.end, sort.hidden))
            return
        main = "" if self.whole else sort.main
        if main and len(self.mains) < _MOST_MAINS:
            self.mains.append(_Open(name, Region(token.start, token.end, main)))
        if self.chrome is None and main != "main" and not self.whole:
            reason = sort.remark if self.mains else sort.chrome
            if reason:
                self.chrome = _Open(name, Region(token.start, token.end, reason, soft=sort.soft))

    def _sort(self, token: Token) -> TagSort:
        """What the tag is. Pages repeat a few tags thousands of times, so the answers are kept."""
        if not token.body and token.name not in TELLING:
            return ORDINARY
        key = (token.name, token.body)
        sort = self.sorts.get(key)
        if sort is None:
            sort = tag_sort(*key)
            if len(self.sorts) < _MOST_SORTS and len(token.body) < 200:
                self.sorts[key] = sort
        return sort

    def _follow(self, part: _Open, token: Token) -> tuple[_Open | None, bool]:
        """The part if it is still open after this tag, and whether the tag belongs to it."""
        name, closing = token.name, token.closing
        if _ended_by_sibling(part, token):
            self._close(part, token.start)
            return None, closing
        if name == part.name:
            part.depth += -1 if closing else 1
            if part.depth == 0:
                self._close(part, token.end)
                return None, True
        elif name in _CONTAINERS:
            part.containers += -1 if closing else 1
        return part, True

    def _close(self, part: _Open, end: int) -> None:
        part.region.end = end
        self.regions.append(part.region)

    def _follow_mains(self, token: Token) -> None:
        for main in [m for m in self.mains if m.name == token.name]:
            main.depth += -1 if token.closing else 1
            if main.depth == 0:
                main.region.end = token.start
                self.complete_mains.append(main.region)
                self.mains.remove(main)

    def layout(self, size: int) -> Layout:
        for part in (self.hidden, self.chrome):
            if part is not None:
                self._close(part, size)
        for main in self.mains:
            main.region.end = size
            self.complete_mains.append(main.region)
        framing = sum(r.text for r in _outermost(r for r in self.regions if r.reason not in _UNSEEN))
        chosen = _chosen_mains(self.complete_mains, self.text - framing)
        text = sum(r.text for r in chosen) if chosen else self.text
        regions = [r for r in self.regions if not r.soft or r.text <= _SOFT_SHARE * text or _outside(r, chosen)]
        return Layout(chosen, tuple(_outermost(regions)))


def survey(tokens: Iterable[Token], size: int, whole: bool = False) -> Layout:
    """The layout of a page of `size` characters. An element that is not closed reaches to the end, as in a browser.

    whole: only hidden and scripted parts are left out.
    """
    state = _Survey(whole)
    for token in tokens:
        state.token(token)
    return state.layout(size)


def _outermost(regions: Iterable[Region]) -> list[Region]:
    chosen: list[Region] = []
    for region in sorted(regions, key=lambda r: (r.start, -r.end)):
        if not chosen or region.start >= chosen[-1].end:
            chosen.append(region)
    return chosen


def _outside(region: Region, main: Sequence[Region]) -> bool:
    return bool(main) and not any(m.start <= region.start < m.end for m in main)


def _holds_main(token: Token) -> bool:
    if token.closing:
        return False
    return token.name in ("main", "h1") or 'role="main"' in token.body


def _ended_by_sibling(part: _Open, token: Token) -> bool:
    """Does this tag end the open element although its end tag was left out?"""
    name, closing = token.name, token.closing
    if part.name == "p":
        return name in BLOCKS and not (closing and name == "p")
    siblings = _IMPLIED.get(part.name)
    if siblings is None or part.containers > 0:
        return False
    if not closing:
        return name in siblings
    return name in _CONTAINERS or (name in ("tr", "tbody") and name != part.name)


def _chosen_mains(candidates: list[Region], text: int) -> tuple[Region, ...]:
    """The parts of the surest kind that together hold enough of the text."""
    for kind, share in _MAIN_SHARE.items():
        chosen = _outermost(r for r in candidates if r.reason == kind)
        if chosen and sum(r.text for r in chosen) >= share * text:
            return tuple(chosen)
    return ()
