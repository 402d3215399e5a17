"""The forms that answers take in logs, code and talk: a cause, a definition, a place; and cells under a column's name.

English, and the languages of programs. A row without a form loses nothing.
"""

from __future__ import annotations

import re

from fieldpack.words import split, stem_of

CAUSE = re.compile(
    r"^\s*(?:Caused by|E {2,}|[\w.$]+(?:Error|Exception|Fault|Interrupt)\b|(?:error|fatal|panic|FAILED)\b"
    r"|npm (?:ERR!|error))|: (?:fatal )?error\b|\b[A-Z]\w*(?:Error|Exception)\b"
    r"|\b(?:because|due to|reason|root cause|caused by)\b"
    r"|undefined reference|cannot find|not found|refused|denied|timed out",
    re.MULTILINE,
)
"""The line of a stack trace, of a test's report or of a message that says why."""
DEFINITION = re.compile(
    r"^\s*(?:[\w./\\-]+:)?(?:\d+[:-])?\s*(?:(?:export|public|private|protected|static|async|default|pub|abstract|final"
    r"|inline|extern|virtual|override|unsafe|const)\s+)*(?:def|class|function|fn|func|struct|interface|type|enum|trait"
    r"|impl|module|namespace|macro|const|let|var|val|sub|proc|#define|CREATE (?:TABLE|VIEW|FUNCTION))\b",
    re.MULTILINE,
)
"""A line that defines a name, as a search in files shows it too."""
PLACE = re.compile(
    r"\b(?:in|on|at|under|behind|inside|beside|above|below|near|by|next to|to|from)\s+"
    r"(?:the|a|an|my|our|your|his|her|their|room|shelf|floor|building|drawer|desk|[A-Z0-9])"
)
_CELL = re.compile(r"[ \t]*[|│┃][ \t]*|\t|[,;]|[ ]{2,}|</t[dh]>")


class Columns:
    """Cells under the names of their columns. What was read of a line is kept: one is made for a pack."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}
        self._cells: dict[str, frozenset[str]] = {}

    def hold(self, header: str, row: str, name: str, cell: str) -> bool:
        """Whether a row holds the word `cell` in a column that a line of the header calls by the word `name`. False
        where the two have not the same number of cells."""
        cells, value = self._parted(row), stem_of(cell)
        at = [k for k, text in enumerate(cells) if self._holds(text, value)]
        if not at:
            return False
        wanted = stem_of(name)
        for line in header.splitlines():
            heads = self._parted(line)
            if len(heads) == len(cells) > 1 and any(self._holds(heads[k], wanted) for k in at):
                return True
        return False

    def _parted(self, line: str) -> list[str]:
        """The cells of a line."""
        known = self._lines.get(line)
        if known is None:
            known = self._lines[line] = _CELL.split(line.strip().strip("|│┃"))
        return known

    def _holds(self, cell: str, stem: str) -> bool:
        """Whether a word of a cell has the stem."""
        if cell.isascii() and stem not in cell.lower():  # the stem of a word of ASCII is a part of it
            return False
        known = self._cells.get(cell)
        if known is None:
            known = self._cells[cell] = frozenset(map(stem_of, split(cell)))
        return stem in known
