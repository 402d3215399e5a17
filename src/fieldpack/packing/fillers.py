"""What never enters a pack as filling: headings alone, rules, lines of a table of contents, labels."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fieldpack.types import KINDS, Document, Segments

_LONGEST = 160
"""Characters of what may be a label or a line of contents."""
_MARK = r"(?:[-*+•–]|\(?\w{1,3}[.)])[ \t]+"
_LABEL = re.compile(rf"(?:{_MARK})?(?:(?P<stars>\*\*|__|\*|_|`)[^\n]{{0,60}}?(?P=stars)[.:]?|[^\n|=]{{1,60}}:)")
_CONTENTS = re.compile(
    rf"(?:{_MARK})?(?:\[[^\]\n]*\]\(#[^)\n]*\)|[^\n]{{1,120}}?(?:[ \t]*\.){{4,}}[ \t]*\d*|:(?:doc|ref):`[^`\n]*`"
    r"|\.\. contents::[^\n]*|::: ?\S+)"
)
_NUMBERED = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){0,3}\.?|[IVX]{1,5}\.|§[ ]?\d{1,4})[ \t]+[^\W\d_][^\n.!?;:,]{0,60}")
_BLANK_BELOW = re.compile(r"[ \t\r]*\n[ \t\r]*\n\s*+(?!\d{1,3}[.)][ \t])")
_WORD, _INK = re.compile(r"\w"), re.compile(r"\S")
_PAGE = re.compile(r"\d{1,4}")
_PROSE = (KINDS.index("paragraph"), KINDS.index("sentence"))
_HEADING, _CODE, _TABLE, _LIST = (KINDS.index(kind) for kind in ("heading", "code", "table", "list"))


def says_nothing_alone(documents: Sequence[Document], segments: Segments, row: int) -> bool:
    """Whether a row says nothing without what stands around it. A row that is all of its document says it."""
    start, end, kind = int(segments.start[row]), int(segments.end[row]), int(segments.kind[row])
    document = documents[int(segments.doc[row])].text
    if end - start > _LONGEST or (kind in (_CODE, _TABLE) and _WORD.search(document, start, end)):
        return False
    if _INK.search(document, 0, start) is None and _INK.search(document, end) is None:
        return False
    text = document[start:end]
    if kind == _HEADING or _WORD.search(text) is None:
        return True
    if text[0].isdigit() or text[0] in "IVX§":
        if kind in _PROSE and _PAGE.fullmatch(text):  # what is left of a line of contents
            return True
        if _NUMBERED.fullmatch(text) and _BLANK_BELOW.match(document, end):  # "8. Pets", with the section below it
            return True
    return _is_label(text) or _is_contents(text)


def _is_label(text: str) -> bool:
    may_be = text[-1] in ":*_`" or (text[-1] == "." and text[-2:-1] in "*_`")  # few are, and patterns take long
    return may_be and _LABEL.fullmatch(text) is not None


def _is_contents(text: str) -> bool:
    may_be = "](#" in text or "::" in text or ":`" in text or text.count(".") >= 4
    return may_be and _CONTENTS.fullmatch(text) is not None


def names_others(documents: Sequence[Document], segments: Segments, row: int) -> bool:
    """Whether a row that others go with only names them: a header, the first field of a record, a section, a key."""
    if segments.kind[row] == _TABLE:
        return True
    start, end = int(segments.start[row]), int(segments.end[row])
    if segments.kind[row] != _LIST or end - start > _LONGEST:
        return False
    text = documents[int(segments.doc[row])].text[start:end]
    return text.endswith((":", "{", "[", "(")) or (text.startswith("[") and text.endswith("]"))
