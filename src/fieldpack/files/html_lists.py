"""The lists of an HTML page: which number or bullet stands before an item."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fieldpack.files.html_scan import Token, attributes

_ROMAN = ((100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


@dataclass
class OpenList:
    """An open list: the number of its next item (None for bullets), what it counts by, and how ("1", "a", "I", ...)."""

    number: int | None
    step: int = 1
    style: str = "1"
    marker: str = "- "

    def next_marker(self, value: str) -> str:
        if self.number is None:
            return self.marker
        self.number = whole_number(value, self.number)
        self.marker = f"{_numeral(self.number, self.style)}. "
        self.number += self.step
        return self.marker


def open_list(token: Token) -> OpenList:
    """A list as its start tag says. A list counted down from a number that is not written has bullets."""
    if token.name != "ol":
        return OpenList(None)
    values = attributes(token.body)
    down = "reversed" in values
    if down and "start" not in values:
        return OpenList(None)
    style = values.get("type", "1")
    style = style if style in ("a", "A", "i", "I") else "1"
    return OpenList(whole_number(values.get("start", ""), 1), -1 if down else 1, style)


def whole_number(text: str, default: int) -> int:
    """The number that an attribute begins with."""
    match = re.match(r"\s*(-?[0-9]{1,7})", text)
    return int(match[1]) if match else default


def _numeral(number: int, style: str) -> str:
    if style in ("a", "A") and number > 0:
        text = ""
        while number:
            number, rest = divmod(number - 1, 26)
            text = chr(ord("a") + rest) + text
    elif style in ("i", "I") and 0 < number < 400:
        text = ""
        for value, letters in _ROMAN:
            text += letters * (number // value)
            number %= value
    else:
        return str(number)
    return text.upper() if style.isupper() else text
