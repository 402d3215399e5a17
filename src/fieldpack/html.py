"""Fragments of HTML for notebooks and the report: escaped text, bars and tables with inline styles."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

# C0 and C1 controls but tab and newline (NUL cannot stand in HTML, the others show as nothing), U+2028 and U+2029.
_CONTROLS = {c: 0xFFFD for c in (*range(9), 11, 12, *range(14, 32), *range(127, 160), 0x2028, 0x2029)}
_RETURNS = re.compile("\r\n?")
_SURROGATES = re.compile("[\ud800-\udfff]")
_BAR = '<span style="display:inline-block;height:.7em;width:{:.0f}px;background:{};border-radius:2px"></span>'


def escape(value: object) -> str:
    """For element content and quoted attributes: markup escaped, control characters and lone surrogates replaced."""
    return html.escape(readable(value), quote=True)


def readable(value: object) -> str:
    """Text as a page shows it: line ends are newlines, control characters and lone surrogates are U+FFFD."""
    return _SURROGATES.sub("\ufffd", _RETURNS.sub("\n", str(value)).translate(_CONTROLS))


def bar(share: float, width: float = 60.0, colour: str = "#0072b2") -> str:
    """A bar of `share` of `width` pixels; a share below 0 draws nothing."""
    return _BAR.format(width * max(share, 0.0), colour)


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "", text_columns: Sequence[int] = ()
) -> str:
    """A table; `text_columns` are aligned left. Cells are HTML already: escape what comes from outside."""
    body = "".join(f"<tr>{''.join(_cell(c, i in text_columns) for i, c in enumerate(row))}</tr>" for row in rows)
    title = f"<caption>{caption}</caption>" if caption else ""
    names = "".join(f"<th>{name}</th>" for name in head)
    return f"<table>{title}<thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def more(count: int, name: str) -> str:
    """A line that says how many rows a shortened table leaves out; "" when it leaves out none."""
    return f"<div>and {count:,} more {name}</div>" if count > 0 else ""


def _cell(content: str, text: bool) -> str:
    return f"<td style='text-align:left'>{content}</td>" if text else f"<td>{content}</td>"
