"""XLSX: one part for each sheet, its rows as Markdown tables with the values that the program last computed."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any
from zipfile import ZipFile

from fieldpack.files.parts import Content, Part, table_lines

_MOST_CELLS = 5_000_000  # of a workbook, empty ones between others counted
_PERCENT = re.compile(r"0(?:\.(0{1,9}))?%")
_UNCOMPUTED = re.compile(rb"</f>\s*+(?:<v>\s*+</v>|<v\s*+/>|</c>)")


def read_xlsx(data: bytes) -> Content:
    """The visible sheets of a workbook. Blocks of rows that blank rows set apart are tables of their own."""
    import openpyxl

    book = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=True)
    content = Content(" ".join((book.properties.title or "").split()))
    left = _MOST_CELLS
    hidden = 0
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            hidden += 1
            continue
        sheet.reset_dimensions()  # what a file says of its size may be wrong by a million rows
        rows: list[list[str]] = []
        for cells in sheet.iter_rows():
            left -= len(cells) + 1
            if left < 0:
                content.notes.append(f"left out: cells after the first {_MOST_CELLS:,} of the workbook")
                break
            rows.append([_shown(cell) for cell in cells])
        facts = {"sheet": sheet.title}
        content.parts.append(Part("\n\n".join(_blocks(rows)), f"sheet={sheet.title}", sheet.title, facts=facts))
        if left < 0:
            break
    book.close()
    if hidden:
        content.notes.append(f"left out: hidden sheets ({hidden})")
    uncomputed = _uncomputed(data)
    if uncomputed:
        content.notes.append(f"left out: formulas without a stored value ({uncomputed}); open and save the workbook")
    return content


def _uncomputed(data: bytes) -> int:
    """How many formulas have no value: the file was written by a program that does not compute."""
    with ZipFile(BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if name.startswith("xl/worksheets/") and name.endswith(".xml")]
        return sum(len(_UNCOMPUTED.findall(archive.read(name))) for name in names)


def _shown(cell: Any) -> str:
    """A cell's value as its reader sees it, as far as that can be told without the program."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        return str(value.date()) if value.time() == datetime.time() else value.isoformat(" ", "seconds")
    if isinstance(value, int | float):
        percent = _PERCENT.search(str(cell.number_format))
        if percent:
            return f"{value * 100:.{len(percent[1] or '')}f}%"
        return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)
    return " ".join(str(value).split())


def _blocks(rows: Iterable[list[str]]) -> Iterator[str]:
    """Text for each run of rows that are not blank: a table, or lines where only one cell of each row is filled."""
    run: list[list[str]] = []
    for row in [*rows, []]:
        if any(row):
            run.append(row)
        elif run:
            yield _block(run)
            run = []


def _block(run: list[list[str]]) -> str:
    if all(sum(map(bool, row)) == 1 for row in run):
        return "\n".join(cell for row in run for cell in row if cell)
    titles = 0
    while titles < len(run) - 2 and sum(map(bool, run[titles])) == 1:
        titles += 1  # a line above the header: the table's title
    above = ["".join(row) for row in run[:titles]]
    filled = [column for row in run[titles:] for column, cell in enumerate(row) if cell]
    first, last = min(filled), max(filled) + 1
    table = table_lines([row[first:last] + [""] * (last - max(len(row), first)) for row in run[titles:]])
    return "\n\n".join([*above, table])
