"""Which dialect of prose a text is written in, by its first characters."""

from __future__ import annotations

import re

MARKDOWN = re.compile(
    r"^(?:\#{1,6}[ ]+\S[^\n]*$|[^\S\n]*+```|[ ]{0,3}~~~|[|:\- ]*-\|[|:\- ]*$"
    r"|[-*+][ ]\S[^\n]*\n(?:[^\S\n]*\n)?[-*+][ ]\S"
    r"|\S[^\n]*\n={3,}[ ]*$)|\A\s*---\n\w[^\n]*:",
    re.MULTILINE,
)
_RST = re.compile(
    r"^\.\. (?:[\w.+:-]+::|_[^\n]+:)|:(?:ref|doc|class|func|meth|py:\w+|mod|attr|term):`"
    r"|\w::\n[^\S\n]*\n[ \t]+\S|``\w[^`\n]*``",
    re.M,
)
_RST_SURE = re.compile(r"^\.\. [\w.+:-]+::|^\.\. _[^\n]+:\s*$|:(?:ref|doc|class|func|meth):`", re.M)
_RST_TITLE = re.compile(r"^(?P<t>\S[^\n]{2,80})\n(?P<u>[=\-~^\"'`*+#])(?P=u){2,}[ ]*$", re.M)
_ASCIIDOC = re.compile(
    r"^(?:={2,5} \S[^\n]*|\S[^\n]*::\s*$|\[(?:verse|NOTE|source|listing|[\w-]+=)[^\n]*\]$|(?:ifdef|ifndef|include)::)",
    re.M,
)
_ASCIIDOC_SURE = re.compile(
    r"^(?:include|ifdef|ifndef|endif)::[^\n]*\[|linkgit:|link:[\w./-]+\[|^\[verse\]$|^== \S", re.M
)
_LISTING = re.compile(
    r"\n(?:\n|\+\n)(?P<mark>-{4,}|\.{4,})\n(?:[$> \t#][^\n]*\n|[^\n]+\n[^\n]*\n)(?:[^\n]*\n){0,60}?(?P=mark)(?:\n|\Z)"
)
_MAN_HEAD = re.compile(r"\s*[A-Z][\w.:+-]*\(\d\w*\)[^\n]*\S[^\n]*\(\d\w*\)\s*$", re.M)
_MAN_SECTION = re.compile(r"^(?:NAME|SYNOPSIS|DESCRIPTION|OPTIONS)$\n[ \t]+\S", re.M)


# Each test first looks for characters without which its patterns cannot match: that is a hundred times as fast.


def is_markdown(head: str) -> bool:
    may_be = "#" in head or "```" in head or "~~~" in head or "-|" in head or "---\n" in head or "\n===" in head
    may_be = may_be or "\n- " in head or "\n* " in head or "\n+ " in head
    return may_be and MARKDOWN.search(head) is not None


def is_rst(head: str) -> bool:
    if not ("::" in head or "`" in head or ".. _" in head):
        return False
    sure = len(_RST_SURE.findall(head)) if ".. " in head or ":`" in head else 0
    if sure >= 2 or "\n" not in head:
        return sure >= 2
    return (
        sure >= 1 or (len(_RST.findall(head)) >= 3 and "](" not in head and "```" not in head)
    ) and _RST_TITLE.search(head) is not None


def is_asciidoc(head: str) -> bool:
    may_be = "::" in head or "link:" in head or "linkgit:" in head or "[verse]" in head or "== " in head
    if not (may_be or "----" in head or "...." in head):
        return False
    listings = len(_LISTING.findall(head))
    sure = len(_ASCIIDOC_SURE.findall(head)) + listings
    return sure >= 1 and len(_ASCIIDOC.findall(head)) + 2 * listings + sure >= 3


def is_man(head: str) -> bool:
    if _MAN_HEAD.match(head):
        return True
    may_be = "NAME\n" in head or "SYNOPSIS\n" in head or "DESCRIPTION\n" in head or "OPTIONS\n" in head
    return may_be and len(_MAN_SECTION.findall(head)) >= 2


def dialect_of(head: str) -> str:
    """One of `document.DIALECTS`."""
    for name, test in (("man", is_man), ("asciidoc", is_asciidoc), ("rst", is_rst), ("markdown", is_markdown)):
        if test(head):
            return name
    return "plain"
