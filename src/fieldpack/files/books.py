"""DOCX, EPUB and RTF: running text, by way of HTML where the format allows."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree
from zipfile import ZipFile

from fieldpack.errors import InputError
from fieldpack.files.charsets import decode
from fieldpack.files.html import html_page
from fieldpack.files.model import ReadOptions
from fieldpack.files.parts import Content, Part

_MOST_XML = 16 << 20  # bytes of an XML file that is only read for its facts


def read_docx(data: bytes) -> Content:
    """A Word document as one part: mammoth makes HTML of it."""
    import mammoth

    pictures = [0]

    def picture(image: Any) -> dict[str, str]:
        pictures[0] += 1
        return {"src": ""}

    html = mammoth.convert_to_html(BytesIO(data), convert_image=mammoth.images.img_element(picture)).value
    content = Content(_core_title(data))
    content.parts.append(Part(html_page(html, whole=True, first_row_heads=True).text))
    if pictures[0]:
        content.notes.append(f"left out: pictures ({pictures[0]})")
    return content


def _core_title(data: bytes) -> str:
    with ZipFile(BytesIO(data)) as archive:
        if "docProps/core.xml" not in archive.namelist():
            return ""
        root = _xml(archive, "docProps/core.xml")
    return next((" ".join((e.text or "").split()) for e in root.iter() if _name(e) == "title"), "")


def read_epub(data: bytes) -> Content:
    """A book as one part for each file of its reading order (chapter)."""
    content = Content()
    with ZipFile(BytesIO(data)) as archive:
        names = set(archive.namelist())
        if "META-INF/rights.xml" in names or "META-INF/sinf.xml" in names:
            raise InputError("the book is locked (digital rights management)")
        package = _package_path(archive)
        root = _xml(archive, package)
        content.title = next((" ".join((e.text or "").split()) for e in root.iter() if _name(e) == "title"), "")
        missing = 0
        for number, name in enumerate(_reading_order(root, posixpath.dirname(package)), 1):
            if name not in names:
                missing += 1
                continue
            page = html_page(decode(name, archive.read(name), "html", ReadOptions()).text, whole=True)
            facts = {"chapter": number, "file": name}
            content.parts.append(Part(page.text, f"chapter={number}", content.title or page.title, "html", facts))
    if missing:
        content.notes.append(f"left out: chapters that the book names but does not hold ({missing})")
    return content


def _package_path(archive: ZipFile) -> str:
    container = _xml(archive, "META-INF/container.xml")
    path = next((e.get("full-path") for e in container.iter() if _name(e) == "rootfile"), None)
    if not path:
        raise InputError("the book's container names no package file")
    return path


def _reading_order(package: ElementTree.Element, folder: str) -> Iterator[str]:
    """Paths in the archive, in the order of the spine; the table of contents is left out."""
    items = {e.get("id"): e for e in package.iter() if _name(e) == "item"}
    for reference in (e for e in package.iter() if _name(e) == "itemref"):
        item = items.get(reference.get("idref"))
        href = item.get("href") if item is not None else None
        if item is not None and href and "nav" not in (item.get("properties") or "").split():
            yield posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0])))


def read_rtf(data: bytes) -> Content:
    """Rich text as one part of plain text."""
    from striprtf.striprtf import rtf_to_text

    text = str(rtf_to_text(data.decode("latin-1"), errors="replace"))  # type: ignore[no-untyped-call]
    return Content(parts=[Part(re.sub(r"[^\S\n]+\n", "\n", text).strip("\n"), kind="")])


def _xml(archive: ZipFile, name: str) -> ElementTree.Element:
    """The root of a small XML file; entities of its own are refused, for they can grow without bound."""
    if archive.getinfo(name).file_size > _MOST_XML:
        raise InputError(f"{name} in the archive is larger than {_MOST_XML:,} bytes")
    text = archive.read(name)
    if b"<!ENTITY" in text:
        raise InputError(f"{name} in the archive defines entities")
    return ElementTree.fromstring(text)


def _name(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]
