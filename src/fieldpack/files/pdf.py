"""PDF: one part for each page; lines, paragraphs and rows of tables found again from where their pieces stand.

PDFium runs in a process of its own for each file: it may be used by one thread at a time, a damaged file may end its
process, and a file of one kilobyte can ask for years of work (a form that draws a form ten times, ten levels deep: .9 s
at six levels, 10 s at seven). The process costs about .15 s.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fieldpack.errors import InputError
from fieldpack.files.parts import Content, Part
from fieldpack.files.pdf_layout import Piece, page_blocks

# After these the process is ended; 2,415 pages of 6.5 MB took 27 s on a busy core.
_SECONDS, _SECONDS_PER_MEGABYTE = 20.0, 10.0
_CHILD = "import sys; sys.path.insert(0, sys.argv[1]); from fieldpack.files.pdf import answer; answer()"
_MOST_PIECES = 20_000  # of a page: beyond, the page is taken as PDFium orders it
_EDGE = 2  # lines at the top and at the bottom of a page that may be a running header or footer
_NUMBER = re.compile(r"\d+|\b[ivxl]+\b")


def read_pdf(data: bytes) -> Content:
    """The pages of a PDF. Lines that most pages repeat at their top or bottom are left out, and said."""
    if b"%PDF-" not in data[:1024]:
        raise InputError("it does not begin as one")
    report = _in_a_process(data)
    if "error" in report:
        raise InputError(report["error"])
    content = Content(report["title"])
    pages, repeated = _without_running_lines(report["pages"])
    for number, blocks in enumerate(pages, 1):
        content.parts.append(Part("\n\n".join(blocks), f"page={number}", facts={"page": number}))
    empty = sum(1 for blocks in pages if not blocks)
    content.notes += [f"left out: page headers and footers ({repeated} lines)"] if repeated else []
    content.notes += [f"left out: pages without text ({empty}); pictures of text need OCR"] if empty else []
    return content


def _in_a_process(data: bytes) -> dict[str, Any]:
    """What `answer` says of a PDF."""
    limit = _SECONDS + _SECONDS_PER_MEGABYTE * len(data) / 1e6
    command = [sys.executable, "-c", _CHILD, str(Path(__file__).parents[2])]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=limit, check=False)
        report: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"error": f"it was not read after {limit:.0f} s"}
    except ValueError:
        return {"error": f"PDFium ended with status {done.returncode}"}
    return report


def answer() -> None:
    """The process: a PDF on standard input, {"title", "pages": [[block, ...], ...]} or {"error"} on standard output."""
    data = sys.stdin.buffer.read()
    try:
        report: dict[str, Any] = _document(data)
    except Exception as error:  # whatever it is, it is the file's error
        report = {"error": " ".join(str(error).split()) or type(error).__name__}
    sys.stdout.buffer.write(json.dumps(report).encode())


def _document(data: bytes) -> dict[str, Any]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise InputError("it is locked with a password; save a copy without one") from None
        raise
    title = " ".join(str(document.get_metadata_dict().get("Title", "")).split())
    return {"title": title, "pages": [_page(document, number) for number in range(len(document))]}


def _page(document: Any, number: int) -> list[str]:
    """The blocks of a page; none for a page that is damaged."""
    import pypdfium2

    try:
        page = document[number]
    except pypdfium2.PdfiumError:
        return []
    text = page.get_textpage()
    count = text.count_rects()
    blocks = [text.get_text_bounded()] if count > _MOST_PIECES else page_blocks(list(_pieces(text, count)))
    text.close()
    page.close()
    return blocks


def _pieces(text: Any, count: int) -> Iterator[Piece]:
    for index in range(count):
        left, bottom, right, top = text.get_rect(index)
        words = text.get_text_bounded(left, bottom, right, top).replace("\r\n", " ").replace("\n", " ")
        if words.strip():
            yield Piece(left, bottom, right, top, words)


def _without_running_lines(pages: Sequence[list[str]]) -> tuple[list[list[str]], int]:
    """The pages without the blocks of one line that at least half of them repeat at an edge, and how many those are."""
    counts = Counter(key for blocks in pages for key in {_running_key(b) for b in (*blocks[:_EDGE], *blocks[-_EDGE:])})
    repeated = {key for key, count in counts.items() if key and count >= max(3, len(pages) / 2)}
    kept, removed = [], 0
    for blocks in pages:
        last = len(blocks) - _EDGE
        page = [b for i, b in enumerate(blocks) if not ((i < _EDGE or i >= last) and _running_key(b) in repeated)]
        removed += len(blocks) - len(page)
        kept.append(page)
    return kept, removed


def _running_key(block: str) -> str:
    """A line without its numbers: headers differ in the page's number only. "" for more than one line."""
    return "" if "\n" in block or len(block) > 200 else _NUMBER.sub("#", block.strip().lower())
