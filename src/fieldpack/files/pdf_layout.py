"""Pieces of text with their places on a page to lines, paragraphs and tables.

PDFium gives pieces in the order in which the page draws them, which is the reading order of columns; a table comes cell
by cell. A piece that stands to the right of the one before and higher belongs to the same row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

_CELL_GAP = 1.2  # of the letters' height: more is the gutter between two cells
_WORD_GAP = 0.15
_PARAGRAPH_GAP = 0.75  # between two lines; within a paragraph most fonts have .1 to .5
_HEADING = 1.6  # times the height of the line before or after
_MARKER = re.compile(r"[•◦▪▸·*–—-]|\(?(?:\d{1,3}|[A-Za-z]|[ivxl]{1,5})[.)]|\d{1,3}(?:\.\d{1,3}){1,4}\.?|\d{1,3}")
_LEADERS = re.compile(r"(?:\.[ ]?){5,}")
_LEADER = re.compile(r"\s*(?:\.\s?){3}")
_HYPHEN = re.compile(r"[\x02\ufffe\xad]\s*$")
_MARKS = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")


class Piece(NamedTuple):
    """A run of letters of one font, in points from the lower left corner of the page."""

    left: float
    bottom: float
    right: float
    top: float
    text: str

    @property
    def height(self) -> float:
        return max(self.top - self.bottom, 1.0)


@dataclass
class Cell:
    """Text in one column of a row, line by line."""

    pieces: list[Piece]

    @property
    def left(self) -> float:
        return min(p.left for p in self.pieces[:8])

    @property
    def right(self) -> float:
        return max(p.right for p in self.pieces[-8:])

    def text(self) -> str:
        out = ""
        for before, piece in zip([None, *self.pieces], self.pieces, strict=False):
            out = _appended(out, before, piece)
        return " ".join(_LEADERS.sub(" ... ", _MARKS.sub("", out)).split())


@dataclass
class Row:
    """Cells side by side; a line of prose is a row of one cell. bottom, top: of the line that was added to last;
    height: of the highest line. Boxes are drawn tight around letters, so that a dash alone is a point high."""

    cells: list[Cell]
    bottom: float
    top: float
    first_top: float
    height: float

    @classmethod
    def from_piece(cls, piece: Piece) -> Row:
        return cls([Cell([piece])], piece.bottom, piece.top, piece.top, piece.height)

    @property
    def last(self) -> Piece:
        return self.cells[-1].pieces[-1]

    def beside(self, piece: Piece) -> bool:
        """Is a piece on the line that was added to last?"""
        shared = min(self.top, piece.top) - max(self.bottom, piece.bottom)
        reach = 0.25 * self.height  # a comma hangs below the line
        middle = (piece.top + piece.bottom) / 2
        return shared > 0.5 * min(self.top - self.bottom, piece.height) or (
            self.bottom - reach < middle < self.top + reach and piece.height < self.height
        )

    def add(self, piece: Piece, new_cell: bool, same_line: bool) -> None:
        if new_cell:
            self.cells.append(Cell([piece]))
        else:
            self.cells[-1].pieces.append(piece)
        if same_line:
            self.bottom, self.top = min(self.bottom, piece.bottom), max(self.top, piece.top)
        else:
            self.bottom, self.top = piece.bottom, piece.top
        self.first_top = max(self.first_top, piece.top)
        self.height = max(self.height, self.top - self.bottom)


def page_blocks(pieces: Sequence[Piece]) -> list[str]:
    """Paragraphs (lines joined by line breaks) and tables (Markdown) of a page, in reading order."""
    rows = _rows(pieces)
    blocks: list[str] = []
    at = 0
    while at < len(rows):
        end = _table_end(rows, at)
        if end - at >= 2:
            blocks.append(_table(rows[at:end]))
            at = end
            continue
        end = at + 1
        while end < len(rows) and _table_end(rows, end) - end < 2 and _continues(rows[end - 1], rows[end]):
            end += 1
        blocks.append(_paragraph(rows[at:end]))
        at = end
    return [block for block in blocks if block]


def _rows(pieces: Sequence[Piece]) -> list[Row]:
    rows: list[Row] = []
    for piece in pieces:
        if not (rows and _joins(rows[-1], piece)):
            rows.append(Row.from_piece(piece))
    return rows


def _joins(row: Row, piece: Piece) -> bool:
    """Adds a piece to the row that it belongs to; whether it does."""
    last = row.last
    height = max(row.height, piece.height)
    if row.beside(piece) and piece.left >= last.right - 0.3 * height:
        apart = piece.left - last.right > _CELL_GAP * height
        led = _LEADER.match(piece.text) or _LEADER.match(last.text[-12:])
        row.add(piece, apart and not led and not _is_marker(row), same_line=True)
        return True
    rise = piece.bottom - row.bottom
    if 0.4 * height < rise < 8 * height and piece.left > row.cells[-1].right:
        row.add(piece, new_cell=True, same_line=False)
        return True
    below = -2.2 * height < rise <= -0.4 * height
    if len(row.cells) > 1 and below and row.cells[-1].left - height <= piece.left < row.cells[-1].right:
        row.add(piece, new_cell=False, same_line=False)  # a further line of the row's last cell
        return True
    return False


def _is_marker(row: Row) -> bool:
    """Does the row so far hold no more than a bullet or the number of an item or heading?"""
    return (
        len(row.cells) == 1 and len(row.cells[0].pieces) == 1 and _MARKER.fullmatch(row.last.text.strip()) is not None
    )


def _table_end(rows: Sequence[Row], at: int) -> int:
    """Where the run of rows with several cells that begins at `at` ends."""
    end = at
    while end < len(rows) and len(rows[end].cells) > 1 and (end == at or rows[end].first_top < rows[end - 1].first_top):
        end += 1
    return end


def _table(rows: Sequence[Row]) -> str:
    """A Markdown table; the row with the most cells says where the columns are. From three rows on the first heads."""
    widest = max(rows, key=lambda row: len(row.cells))
    columns = [(cell.left, cell.right) for cell in widest.cells]
    lines = []
    for row in rows:
        line = [""] * len(columns)
        for cell in row.cells:
            column = max(range(len(columns)), key=lambda c: _overlap(columns[c], cell))
            line[column] = f"{line[column]} {cell.text()}".strip().replace("|", "\\|")
        lines.append("| " + " | ".join(line) + " |")
    if len(lines) > 2:
        lines.insert(1, "| " + " | ".join(["---"] * len(columns)) + " |")
    return "\n".join(lines)


def _overlap(column: tuple[float, float], cell: Cell) -> float:
    """Points that a cell shares with a column; below 0 the distance between them."""
    return min(column[1], cell.right) - max(column[0], cell.left)


def _continues(before: Row, row: Row) -> bool:
    """Is a line of the paragraph of the line before?"""
    height = min(before.height, row.height)
    gap = before.bottom - row.first_top
    return -0.5 * height < gap < _PARAGRAPH_GAP * height and max(before.height, row.height) < _HEADING * height


def _paragraph(rows: Sequence[Row]) -> str:
    """Lines as they stand, but a word that is cut by a hyphen at the line's end is put together."""
    out = ""
    for row in rows:
        line = "   ".join(cell.text() for cell in row.cells)
        cut = _HYPHEN.search(row.last.text)
        out += line + ("" if cut else "\n")
    return out.strip()


def _appended(out: str, before: Piece | None, piece: Piece) -> str:
    if before is None or not out:
        return piece.text
    if _HYPHEN.search(before.text):
        return _HYPHEN.sub("", out) + piece.text.lstrip()
    same_line = piece.top > before.bottom and piece.bottom < before.top
    joint = same_line and piece.left - before.right < _WORD_GAP * min(piece.height, before.height)
    return out + piece.text if joint else f"{out} {piece.text}"
