"""Tags and texts of a page, written down as Markdown block by block. No tree, so nesting costs nothing."""

from __future__ import annotations

import re

from fieldpack.files.html_lists import OpenList, open_list, whole_number
from fieldpack.files.html_regions import Layout
from fieldpack.files.html_scan import Token, attributes, collapsed, names
from fieldpack.files.html_table import Filling, Table
from fieldpack.files.html_tags import BLOCKS, HEADINGS, is_code

_TICKS = re.compile("`{3,}")
_CODE_BLOCKS = frozenset(("pre", "xmp", "listing", "plaintext"))
_TIGHT = frozenset(("li", "tr", "dt", "dd"))  # follow one another without a blank line
_APART = names("button select option optgroup label input textarea meter progress output")
_LISTS = frozenset(("ul", "ol", "menu", "dir"))
_TABLE_PARTS = names("table caption thead tbody tfoot tr td th")
_LANGUAGE = re.compile(r"(?:language|lang|highlight-source|highlight|brush:?)[- ]([A-Za-z][\w+#-]{0,20})")
_NO_LANGUAGE = frozenset(("text", "none", "default", "plaintext", "notranslate", "nohighlight"))
_LINK_MARKS = frozenset(("¶", "§", "#", "🔗", "[source]", "[docs]"))  # links from a heading to itself, or to its code
_RAISED = re.compile(r"[\w+−-]{1,8}")
_DEEPEST = 6  # of indented lists, quotes, and tables in tables: what is deeper stands at this level


class Writer:
    """Collects the visible text of a page whose layout is known."""

    def __init__(self, layout: Layout, size: int, first_row_heads: bool = False) -> None:
        self._layout = layout
        self._first_row_heads = first_row_heads
        self._main = self._skip = 0  # the next main part, and the next part to leave out
        self._edge, self._shown = 0, False  # up to which place of the source the answer of _visible holds
        self._size = size
        self._filling = Filling(size + 1000)
        self._root: list[str] = []
        self._line: list[str] = []  # pieces of the open block
        self._prefix = ""
        self._gap = "\n\n"  # between the last block and the open one
        self._lists: list[OpenList] = []
        self._quotes = 0
        self._tables: list[Table] = []
        self._tables_deeper = 0  # tables beyond the deepest level: laid out as blocks
        self._code_name, self._code_depth = "", 0  # the element that holds code, and how many of its name are open
        self._after_code_line = False
        self._language = ""
        self._marks: list[tuple[str, int]] = []  # (a or sup, where it starts in the open block)
        self._after_link = False

    def text(self) -> str:
        """The text so far; unclosed tables are written."""
        self._end_block()
        while self._tables:
            self._end_table()
        return "".join(self._root).strip()

    def token(self, token: Token) -> None:
        """Takes the next tag or text, if it lies in the main part and not in a part to leave out."""
        if not (self._shown if self._edge > token.start else self._visible(token.start)):
            return
        if not token.name:
            self._text(token.body)
        elif token.closing:
            self._end(token.name)
        else:
            self._start(token)

    def _visible(self, at: int) -> bool:
        left_out, main = self._layout.left_out, self._layout.main
        while self._skip < len(left_out) and left_out[self._skip].end <= at:
            self._skip += 1
        while self._main < len(main) and main[self._main].end <= at:
            self._main += 1
            self._end_block()
        skip = left_out[self._skip] if self._skip < len(left_out) else None
        part = main[self._main] if self._main < len(main) else None
        self._shown = (not main or (part is not None and part.start <= at)) and (skip is None or skip.start > at)
        edges = [edge for region in (skip, part) if region is not None for edge in (region.start, region.end)]
        self._edge = min((edge for edge in edges if edge > at), default=self._size + 1)
        return self._shown

    # ---- text

    def _text(self, body: str) -> None:
        if self._code_name:
            piece = body.replace("\r\n", "\n").replace("\r", "\n")
            piece = piece.removeprefix("\n") if self._after_code_line else piece
            self._after_code_line = False
            if piece:
                self._line.append(piece)
            return
        piece = collapsed(body)
        if piece and piece != " ":
            self._after_link = False
        self._line.append(piece)

    def _start(self, token: Token) -> None:
        name = token.name
        if name == "br":
            self._line.append("\n")
        elif name == "a":
            if self._after_link:
                self._line.append(" ")  # links in a row are set apart by the page's style
            self._marks = [("a", len(self._line))]  # links do not nest
        elif name in ("sup", "rt"):
            if len(self._marks) < _DEEPEST:
                self._marks.append((name, len(self._line)))
        elif name in _APART:
            self._line.append(" ")
        elif name == "q":
            self._line.append("“")
        elif name == "code":
            self._note_language(token.body)
        elif name in BLOCKS:
            self._start_block(token)

    def _end(self, name: str) -> None:
        if name in ("a", "sup", "rt"):
            self._end_mark(name)
        elif name in _APART:
            self._line.append(" ")
        elif name == "q":
            self._line.append("”")
        elif name in BLOCKS:
            self._end_of_block(name)

    def _end_mark(self, name: str) -> None:
        """A link that only marks its place is dropped; what is raised is told from what it follows: 10^6."""
        if not self._marks or self._marks[-1][0] != name:
            return
        start = min(self._marks.pop()[1], len(self._line))
        inside = "".join(self._line[start:]).strip()
        if name == "a":
            if inside in _LINK_MARKS:
                del self._line[start:]
            self._after_link = True
        elif name == "rt" and inside:
            self._line[start:] = [f"({inside})"]
        elif name == "sup" and _RAISED.fullmatch(inside) and start and self._line[start - 1][-1:].isalnum():
            self._line.insert(start, "^")

    # ---- blocks

    def _start_block(self, token: Token) -> None:
        name = token.name
        if self._code_name:
            self._code_depth += name == self._code_name
            self._new_code_line()
            return
        if name in _TABLE_PARTS:
            self._start_table_part(token)
            return
        self._end_block("\n" if name in _TIGHT or self._lists else "\n\n")
        self._note_language(token.body)
        if name in HEADINGS:
            self._prefix = HEADINGS[name]
            self._mark_cell()
        elif name in _LISTS:
            self._lists.append(open_list(token))
        elif name == "li":
            value = attributes(token.body).get("value", "") if "value" in token.body else ""
            self._prefix = self._lists[-1].next_marker(value) if self._lists else "- "
        elif name == "blockquote":
            self._quotes += 1
        elif name in _CODE_BLOCKS or is_code(token.body):
            self._code_name, self._code_depth = name, 1

    def _end_of_block(self, name: str) -> None:
        if self._code_name:
            self._code_depth -= name == self._code_name
            if self._code_depth:
                self._line.append("\n")
                self._after_code_line = True
                return
        elif name in _TABLE_PARTS:
            self._end_table_part(name)
            return
        self._end_block("\n" if name in _TIGHT or (self._lists and name not in _LISTS) else "\n\n")
        self._code_name = ""
        if name == "li" or name in HEADINGS:
            self._prefix = ""
        elif name in _LISTS and self._lists:
            self._lists.pop()
            self._gap = "\n" if self._lists else "\n\n"
        elif name == "blockquote":
            self._quotes = max(0, self._quotes - 1)

    def _new_code_line(self) -> None:
        if self._line and not self._line[-1].endswith("\n"):
            self._line.append("\n")

    def _note_language(self, body: str) -> None:
        match = _LANGUAGE.search(body) if "class" in body else None
        if match and match[1].lower() not in _NO_LANGUAGE:
            self._language = match[1].lower()

    def _end_block(self, gap: str = "\n\n") -> None:
        """Writes the open block, if there is anything in it to see; `gap` goes before the next one."""
        raw = "".join(self._line)
        self._line.clear()
        self._marks.clear()
        self._after_link = self._after_code_line = False
        if self._code_name and raw.strip():
            lines = self._fenced(raw)
        else:
            lines = [] if raw.isspace() else [line for part in raw.split("\n") if (line := collapsed(part).strip())]
            lines = [" ".join(lines)] if self._prefix.startswith("#") else lines
        if lines:
            self._write(lines)
            self._prefix, self._gap = "", gap
        elif gap == "\n\n" and not self._prefix:  # "<li><p>" is still one item
            self._gap = gap

    def _fenced(self, raw: str) -> list[str]:
        if "\n" in raw.strip():
            self._mark_cell()
        fence = "`" * max((len(run) + 1 for run in _TICKS.findall(raw)), default=3)
        language, self._language = self._language, ""
        return [fence + language, *raw.strip("\n").split("\n"), fence]

    def _write(self, lines: list[str]) -> None:
        """A block goes to the open cell or caption, else to the page; indented below the item that it belongs to."""
        marked = bool(self._prefix) and not self._prefix.startswith("#")
        outer = self._lists[: min(max(0, len(self._lists) - marked), _DEEPEST)]
        quote = "> " * min(self._quotes, _DEEPEST)
        indent = " " * sum(len(entry.marker) for entry in outer)
        rest = quote + indent + " " * (len(self._prefix) if marked else 0)
        text = quote + indent + self._prefix + f"\n{rest}".join(lines)
        if not self._tables:
            self._root += [self._gap if self._root else "", text]
            return
        table = self._tables[-1]
        cell = table.cell()
        if cell is None or table.in_caption:
            table.caption.append(text)
        else:
            cell.blocks.append(text)

    # ---- tables

    def _mark_cell(self) -> None:
        cell = self._tables[-1].cell() if self._tables else None
        if cell is not None:
            cell.whole = True

    def _start_table_part(self, token: Token) -> None:
        name = token.name
        if name == "table" and len(self._tables) < _DEEPEST:
            self._end_block()
            self._mark_cell()
            self._tables.append(Table(lists=len(self._lists), quotes=self._quotes))
            return
        self._tables_deeper += name == "table"
        if not self._tables or self._tables_deeper:
            self._end_block("\n" if name in ("td", "th") else "\n\n")
            return
        table = self._tables[-1]
        self._end_cell(table)
        if name == "tr":
            table.start_row()
        elif name in ("td", "th"):
            values = attributes(token.body) if "span" in token.body.lower() else {}
            columns, rows = (whole_number(values.get(key, ""), 1) for key in ("colspan", "rowspan"))
            table.start_cell(name == "th", columns, rows)
        elif name == "caption":
            table.in_caption = True
        else:
            table.in_head = name == "thead"

    def _end_table_part(self, name: str) -> None:
        if not self._tables or self._tables_deeper:
            self._end_block()
            self._tables_deeper -= bool(self._tables_deeper) and name == "table"
            return
        table = self._tables[-1]
        self._end_cell(table)
        if name == "table":
            self._end_table()
        elif name == "thead":
            table.in_head = False
        elif name == "caption":
            table.in_caption = False

    def _end_cell(self, table: Table) -> None:
        """Lists and quotes that a cell opened end with it."""
        self._end_block()
        del self._lists[table.lists :]
        self._quotes = min(self._quotes, table.quotes)

    def _end_table(self) -> None:
        table = self._tables.pop()
        self._gap = "\n\n" if not self._lists else "\n"
        for block in table.blocks(self._filling, self._first_row_heads):
            self._write(block.split("\n"))
            self._prefix, self._gap = "", "\n\n"
