"""What a container (PDF, DOCX, PPTX, XLSX, EPUB, RTF) is read into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Part:
    """A page, slide, sheet, chapter, or the whole. name: what its id adds to the file's path ("page=3")."""

    text: str
    name: str = ""
    title: str = ""
    kind: str = "markdown"
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Content:
    """What a container holds. notes: what was left out."""

    title: str = ""
    parts: list[Part] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def table_lines(rows: list[list[str]]) -> str:
    """Rows of cells as a Markdown table whose first row is the header."""
    width = max(map(len, rows))
    lines = ["| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "| " + " | ".join(["---"] * width) + " |", *lines[1:]])
