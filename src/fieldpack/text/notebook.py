"""Jupyter notebooks to Markdown: text cells as they are, code cells in fences; outputs are left out."""

from __future__ import annotations

from typing import Any

from fieldpack.errors import InputError
from fieldpack.text.records import parse


def notebook_text(path: str, text: str) -> str:
    """The cells of a notebook (format 4, or 3 with worksheets) as one Markdown text; InputError names a bad file."""
    notebook = parse(path, text, 0)
    cells = _cells(notebook)
    if cells is None:
        raise InputError(f"{path} is no Jupyter notebook: it has no list of cells")
    language = _language(notebook)
    return "\n\n".join(part for cell in cells if isinstance(cell, dict) and (part := _cell(cell, language)))


def _cells(notebook: Any) -> list[Any] | None:
    if not isinstance(notebook, dict):
        return None
    sheets = notebook.get("worksheets")
    if isinstance(sheets, list):
        return [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells") or []]
    cells = notebook.get("cells")
    return cells if isinstance(cells, list) else None


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata")
    info = metadata.get("language_info") if isinstance(metadata, dict) else None
    name = info.get("name") if isinstance(info, dict) else None
    return name if isinstance(name, str) and name.isidentifier() else "python"


def _cell(cell: dict[str, Any], language: str) -> str:
    """One cell: its source is a string or a list of lines."""
    source = cell.get("source", cell.get("input", ""))
    body = "".join(filter(lambda line: isinstance(line, str), source)) if isinstance(source, list) else source
    if not isinstance(body, str) or not body.strip():
        return ""
    if cell.get("cell_type") == "heading":
        level = cell.get("level")
        return f"{'#' * (level if isinstance(level, int) and 1 <= level <= 6 else 1)} {body}"
    if cell.get("cell_type") != "code":
        return body.strip("\n")
    fence = "```"
    while fence in body:
        fence += "`"
    return f"{fence}{language}\n{body.strip(chr(10))}\n{fence}"
