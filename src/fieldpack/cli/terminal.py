"""What every verb prints with: tables, bars, and text that a terminal cannot obey."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int = 10) -> str:
    """A bar of `width` cells in eighths."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def one_line(text: str) -> str:
    """The text with every run of white space as one blank."""
    return " ".join(text.split())


def beginning(text: str, width: int) -> str:
    """At most `width` characters of the beginning, with a mark where something follows."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def shortened(text: str, width: int) -> str:
    """At most `width` characters: what is too long loses its middle, because a path is known by its ends."""
    if len(text) <= width:
        return text
    tail = (width - 1) * 2 // 3
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"


def table(columns: Sequence[str]) -> Table:
    """An empty table with these columns; numbers stand at the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    rows = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for name in columns:
        numbers = name in ("relevance", "tokens", "strength", "segments", "cohesion", "dims", "size")
        rows.add_column(name, justify="right" if numbers else "left", no_wrap=numbers or name == "")
    return rows


def console(stderr: bool = False) -> Console:
    """A console of standard output, or of standard error."""
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=False)


def escaped(text: str) -> str:
    """A document's text shown as it is: no markup in it, no terminal control characters."""
    from rich.markup import escape

    return escape(strip_control_characters(text))


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\r(?!\n)")


def strip_control_characters(text: str) -> str:
    """The text without what a terminal would obey: escape sequences, bells, overwriting, reversed reading order."""
    return _CONTROL.sub("�", text)
