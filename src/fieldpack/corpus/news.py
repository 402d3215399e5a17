"""Release notes, changelogs, histories, known by the name of the file or by its first line. They say what changed, in
the words of the page that explains it, and crowd it out."""

from __future__ import annotations

import re

from fieldpack.types import Document

_NAME = re.compile(
    r"(?:^|[/\\_.-])(?:changelogs?|changes|history|news|rel(?:ease)?[_-]?notes?|releases?|what[_-]?s[_-]?new)"
    r"(?:[/\\_.-]|\d|$)",
    re.IGNORECASE,
)
_MIGRATION = re.compile(r"(?:^|[/\\_.-])(?:migration|upgrading|whatsnew)[_-]?v?\d", re.IGNORECASE)
_TITLE = re.compile(
    r"\A\W*(?:change\s?log|release notes|what'?s new(?: in)?|release history|version history|news for|"
    r"[\w. ]{1,40}release notes)\b",
    re.IGNORECASE,
)
_HEAD = 300
_ASKS = re.compile(
    r"\b(?:versions?|releases?|changelog|since when|introduced|deprecated|removed|renamed|first appear(?:ed)?|new in|"
    r"upgrad\w+|migrat\w+|legacy|old style|no longer|what changed|v\d+\.\d+|\d+\.\d+\.\d+|\d+\.x|"
    r"(?:since|from|after|before|until|than|changed in) v?\d+\.\d+)\b",
    re.IGNORECASE,
)


def is_news(document: Document) -> bool:
    """Whether a document tells what changed from version to version."""
    name = document.metadata.get("path")
    name = name if isinstance(name, str) else document.id
    return bool(_NAME.search(name) or _MIGRATION.search(name) or _TITLE.search(document.text[:_HEAD]))


def asks_for_news(query: str) -> bool:
    """Whether a query asks for versions or changes."""
    return bool(_ASKS.search(query))
