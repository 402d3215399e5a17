"""A table of an HTML page as Markdown: one line a row, spans filled in, headers in one row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

_MOST_COLUMNS = 256
_MOST_HEADERS = 5
_REPEATED = 200  # characters: a longer cell that spans rows stands in the first of them only


@dataclass
class Filling:
    """How many characters the cells that spans fill in may still add: about as many as the page has."""

    left: int

    def take(self, text: str) -> bool:
        self.left -= len(text) + 3
        return self.left >= 0


@dataclass
class Cell:
    """blocks: its content, rendered. `whole` says that the content is more than text: code, a heading, a table."""

    header: bool = False
    columns: int = 1
    rows: int = 1
    blocks: list[str] = field(default_factory=list)
    whole: bool = False

    def text(self) -> str:
        return " ".join(" ".join(self.blocks).split())


@dataclass
class Row:
    """in_head: it stands in <thead>."""

    cells: list[Cell] = field(default_factory=list)
    in_head: bool = False


@dataclass
class Table:
    """A table while it is read. `caption` holds rendered blocks. lists, quotes: how many are open around it."""

    lists: int = 0
    quotes: int = 0
    caption: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    in_head: bool = False
    in_caption: bool = False

    def start_row(self) -> None:
        self.in_caption = False
        if not self.rows or self.rows[-1].cells or self.rows[-1].in_head != self.in_head:
            self.rows.append(Row(in_head=self.in_head))

    def start_cell(self, header: bool, columns: int, rows: int) -> None:
        self.in_caption = False
        if not self.rows:
            self.start_row()
        self.rows[-1].cells.append(Cell(header, columns, rows))

    def cell(self) -> Cell | None:
        return self.rows[-1].cells[-1] if self.rows and self.rows[-1].cells else None

    def blocks(self, filling: Filling, first_row_heads: bool = False) -> list[str]:
        """The table as blocks of text: its caption and one block of rows; the blocks of its cells where it only lays
        out a page (one row, one column, or cells with code, headings or tables in them)."""
        rows = [row for row in self.rows if row.cells]
        grid, repeated = _grid(rows, filling)
        data = len(grid) > 1 and max(map(len, grid)) > 1
        if not data or any(cell.whole for row in rows for cell in row.cells):
            return [*self.caption, *(block for row in rows for cell in row.cells for block in cell.blocks)]
        lines = list(_lines(grid, _header_rows(rows) or int(first_row_heads), repeated))
        return [*self.caption, "\n".join(lines)] if lines else self.caption


def _header_rows(rows: list[Row]) -> int:
    """How many rows at the top are headers: those of <thead>, else those of <th> alone."""
    count = 0
    for row in rows[:-1]:
        if not (row.in_head or all(cell.header or not cell.blocks for cell in row.cells)):
            break
        count += 1
    count = count if count <= _MOST_HEADERS else 1
    return count if any(cell.blocks for row in rows[:count] for cell in row.cells) else 0


def _grid(rows: list[Row], filling: Filling) -> tuple[list[list[str]], set[tuple[int, int]]]:
    """Text of every place, and the places that repeat the text of the cell on their left."""
    grid: list[list[str]] = []
    repeated: set[tuple[int, int]] = set()
    below: dict[int, tuple[int, str]] = {}  # column -> (rows to come, text) of cells that span rows
    for number, row in enumerate(rows):
        line: list[str] = []
        for cell in row.cells:
            _fill_from_above(line, below, filling)
            text = cell.text().replace("|", "\\|")
            if len(line) >= _MOST_COLUMNS:  # the text of columns beyond the limit stays with the last one
                line[-1] += f" {text}"
                continue
            for column in range(min(max(cell.columns, 1), _MOST_COLUMNS - len(line))):
                if column and not filling.take(""):
                    break
                if cell.rows > 1:
                    below[len(line)] = (cell.rows - 1, text if len(text) <= _REPEATED and not column else "")
                if column:
                    repeated.add((number, len(line)))
                line.append("" if column else text)
        _fill_from_above(line, below, filling)
        grid.append(line)
    return grid, repeated


def _fill_from_above(line: list[str], below: dict[int, tuple[int, str]], filling: Filling) -> None:
    """Adds the cells of earlier rows that reach into this one."""
    while len(line) in below:
        left, text = below.pop(len(line))
        if not filling.take(text):
            below.clear()
            return
        if left > 1:
            below[len(line)] = (left - 1, text)
        line.append(text)


def _lines(grid: list[list[str]], headers: int, repeated: set[tuple[int, int]]) -> Iterator[str]:
    """Markdown rows. Header rows become one: of each column the texts above it, from top to bottom."""
    if headers:
        width = max(map(len, grid))
        names: list[list[str]] = [[] for _ in range(width)]
        for number, row in enumerate(grid[:headers]):
            text = ""
            for column in range(width):
                own = row[column] if column < len(row) else ""
                text = text if (number, column) in repeated and len(text) <= _REPEATED else own
                if text and text not in names[column]:
                    names[column].append(text)
        yield _line([" ".join(parts) for parts in names])
        yield _line(["---"] * width)
    yield from (_line(row) for row in grid[headers:] if any(row))


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
