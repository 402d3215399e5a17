"""PDF: one part for each page; lines, paragraphs and rows of tables found again from where their pieces stand."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from fieldpack.errors import InputError
from fieldpack.files.containers import Content, Part
from fieldpack.files.pdf_layout import Piece, page_blocks

_LOCK = threading.Lock()  # PDFium may be called by one thread at a time, whatever the document
_MOST_PIECES = 20_000  # of a page: beyond, the page is taken as PDFium orders it
_EDGE = 2  # lines at the top and at the bottom of a page that may be a running header or footer
_NUMBER = re.compile(r"\d+|\b[ivxl]+\b")


def read_pdf(data: bytes) -> Content:
    """The pages of a PDF. Lines that most pages repeat at their top or bottom are left out, and said."""
    import pypdfium2

    content = Content()
    with _LOCK:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise InputError("the file is locked with a password; save a copy without one") from None
            raise
        try:
            content.title = " ".join(str(document.get_metadata_dict().get("Title", "")).split())
            pages = [_page(document, number) for number in range(len(document))]
        finally:
            document.close()
    pages, repeated = _without_running_lines(pages)
    for number, blocks in enumerate(pages, 1):
        content.parts.append(Part("\n\n".join(blocks), f"page={number}", facts={"page": number}))
    empty = sum(1 for blocks in pages if not blocks)
    content.notes += [f"left out: page headers and footers ({repeated} lines)"] if repeated else []
    content.notes += [f"left out: pages without text ({empty}); pictures of text need OCR"] if empty else []
    return content


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
