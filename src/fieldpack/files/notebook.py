"""Jupyter notebooks to Markdown: text cells as they are, code cells in fences, each with what it printed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from fieldpack.errors import InputError
from fieldpack.files.html import html_page
from fieldpack.files.records import parse

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|\][^\x07\x1b]*+(?:\x07|\x1b\\)?|[@-Z\\^_])")
_OVERWRITTEN = re.compile(r"^[^\n]*\r(?!\n)", re.MULTILINE)
_RUNS = {"`": re.compile("`{3,}"), "~": re.compile("~{3,}")}
_TABLE = re.compile(r"<table[\s>]", re.IGNORECASE)


@dataclass
class NotebookText:
    """left_out: how many outputs of each sort ("image/png") are not in the text."""

    parts: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def text(self) -> str:
        return "\n\n".join(self.parts)

    def leave_out(self, sort: str) -> None:
        self.left_out[sort] = self.left_out.get(sort, 0) + 1


def notebook_text(path: str, text: str) -> NotebookText:
    """The cells of a notebook (format 4, or 3 with worksheets) as one Markdown text; InputError names a bad file.

    Of an output in several forms the first of these is taken: Markdown, an HTML table, plain text. Errors are their
    last line. Pictures and other forms are counted.
    """
    notebook = parse(path, text, 0)
    cells = _cells(notebook)
    if cells is None:
        raise InputError(f"{path} is no Jupyter notebook: it has no list of cells")
    language = _language(notebook)
    result = NotebookText()
    for cell in cells:
        if isinstance(cell, dict):
            _add_cell(result, cell, language)
    return result


def _cells(notebook: Any) -> list[Any] | None:
    if not isinstance(notebook, dict):
        return None
    sheets = notebook.get("worksheets")
    if isinstance(sheets, list):
        lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        if any(cells is not None and not isinstance(cells, list) for cells in lists):
            return None
        return [cell for cells in lists for cell in cells or []]
    cells = notebook.get("cells")
    return cells if isinstance(cells, list) else None


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata")
    info = metadata.get("language_info") if isinstance(metadata, dict) else None
    name = info.get("name") if isinstance(info, dict) else None
    return name if isinstance(name, str) and name.isidentifier() and len(name) < 40 else "python"


def _add_cell(result: NotebookText, cell: dict[str, Any], language: str) -> None:
    body = _joined(cell.get("source", cell.get("input", "")))
    kind = cell.get("cell_type")
    if kind == "heading":
        level = cell.get("level")
        body = f"{'#' * (level if isinstance(level, int) and 1 <= level <= 6 else 1)} {body}" if body.strip() else ""
    elif kind == "code" and body.strip():
        body = fenced(body, language)
    if body.strip():
        result.parts.append(body.strip("\n"))
    outputs = cell.get("outputs") if kind == "code" else None
    texts = [text for output in outputs if (text := _output(result, output))] if isinstance(outputs, list) else []
    if texts:
        result.parts += ["Output:", *texts]


def _output(result: NotebookText, output: Any) -> str:
    """One output as Markdown, "" for none that is text."""
    if not isinstance(output, dict):
        return ""
    kind = output.get("output_type")
    if kind in ("error", "pyerr"):
        name, value = output.get("ename"), output.get("evalue")
        return fenced(": ".join(_clean(part) for part in (name, value) if isinstance(part, str) and part))
    if kind == "stream":
        return fenced(_clean(_joined(output.get("text"))))
    forms = output.get("data")
    if not isinstance(forms, dict):  # format 3 has the forms beside the type: "text", "html", "png"
        forms = {
            f"text/{key}" if key != "text" else "text/plain": output.get(key) for key in ("text", "html", "markdown")
        }
        forms |= {f"image/{key}": output[key] for key in ("png", "jpeg", "svg") if key in output}
    return _form(result, {key: value for key, value in forms.items() if value})


def _form(result: NotebookText, forms: dict[str, Any]) -> str:
    markdown, html, plain = (_joined(forms.get(f"text/{name}")) for name in ("markdown", "html", "plain"))
    for image in (name for name in forms if name.startswith(("image/", "application/", "video/", "audio/"))):
        result.leave_out(image[:60])
    if markdown.strip():
        return markdown.strip("\n")
    if _TABLE.search(html):
        table = html_page(html, whole=True).text
        if table:
            return table
    if plain.strip():
        # A picture's plain form only names its Python object: "<Figure size 640x480 with 1 Axes>".
        return "" if plain.startswith("<") and any(n.startswith("image/") for n in forms) else fenced(_clean(plain))
    return html_page(html, whole=True).text if html else ""


def _joined(source: Any) -> str:
    """A cell's source or an output's text: a string, or a list of lines."""
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _clean(text: str) -> str:
    """Without a terminal's colours, and without what a progress bar wrote over."""
    return _OVERWRITTEN.sub("", _ESCAPES.sub("", text)) if "\x1b" in text or "\r" in text else text


def fenced(body: str, language: str = "") -> str:
    """Code in a fence that is longer than every run of its character in the code, "" for no code. Linear in time."""
    body = body.strip("\n")
    if not body.strip():
        return ""
    longest = {mark: max(map(len, runs.findall(body)), default=2) for mark, runs in _RUNS.items()}
    mark = min(longest, key=lambda m: longest[m])
    fence = mark * (longest[mark] + 1)
    return f"{fence}{language}\n{body}\n{fence}"
