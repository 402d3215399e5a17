"""Files whose text is in a container (PDF, DOCX, PPTX, XLSX, EPUB, RTF) as parts of text.

Each format has the converter that kept most on files made for the purpose (a LaTeX manual, tables with and without
lines, numbered lists, merged cells, notes, percentages, file names with blanks), all under MIT, BSD or Apache licences
and released within the last two years but for openpyxl (2024), which nothing else replaces:

- PDF: pypdfium2 (8 MB; 57 pages in .1 s). Of the word triples of a LaTeX manual beside its plain text edition it finds
  .94; pypdf 7 (1.1 s) .38, and pdfplumber 0.11 (4.3 s), which markitdown builds on, .23, for both glue words together.
- DOCX: mammoth, whose HTML keeps headings, numbered lists and merged cells.
- PPTX: python-pptx. XLSX: openpyxl, for the number formats. RTF: striprtf.
- EPUB: the standard library's zipfile, and the HTML reader of this package; EbookLib is under the AGPL.

Not taken: docling (needs models that are fetched from a hub at the first file); kreuzberg 4.10 (one package of 76 MB
for all formats, .94 of the triples; but list numbers of DOCX, speaker notes, and an EPUB chapter with a blank in its
name were lost); markitdown 0.1.9 (250 MB with its classifier and pandas; a "|" in a cell breaks its tables, RTF is
passed through as it is). PyMuPDF is under the AGPL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from zipfile import ZipFile

from fieldpack.errors import FieldpackError, InputError
from fieldpack.files.kinds import CONTAINERS
from fieldpack.files.model import ConverterMissing
from fieldpack.files.parts import Content

PACKAGES = {
    "pdf": ("pypdfium2", "pypdfium2"),
    "docx": ("mammoth", "mammoth"),
    "pptx": ("pptx", "python-pptx"),
    "xlsx": ("openpyxl", "openpyxl"),
    "rtf": ("striprtf", "striprtf"),
}  # kind: (module, package)
_MOST_UNPACKED = 1 << 30  # bytes in all
_MOST_ENTRIES = 100_000
_MOST_RATIO = 250  # of an entry of more than _SMALL bytes: text rarely packs by more than 30
_SMALL = 10 << 20


def parts_of(kind: str, place: str, data: bytes) -> Content:
    """The parts of a file of one of the kinds of `CONTAINERS`, in order, those without text left out.

    Raises ConverterMissing without the package that reads the format, InputError for a file that it cannot read.
    """
    form = CONTAINERS[kind]
    if kind in PACKAGES and find_spec(PACKAGES[kind][0]) is None:
        raise ConverterMissing(place, form, PACKAGES[kind][1])
    if kind in ("docx", "pptx", "xlsx", "epub"):
        check_archive(place, data)
    with readable(place, form):
        content = _reader(kind)(data)
    content.parts = [part for part in content.parts if part.text.strip()]
    if not content.parts:
        raise InputError(f"{place} is {form} without text; if it shows pictures of text, run OCR on it first")
    return content


def _reader(kind: str) -> Callable[[bytes], Content]:
    """The function that reads a format; its module is loaded with it."""
    if kind == "pdf":
        from fieldpack.files.pdf import read_pdf as reader
    elif kind == "epub":
        from fieldpack.files.books import read_epub as reader
    elif kind == "rtf":
        from fieldpack.files.books import read_rtf as reader
    elif kind == "xlsx":
        from fieldpack.files.sheets import read_xlsx as reader
    elif kind == "pptx":
        from fieldpack.files.slides import read_pptx as reader
    else:
        from fieldpack.files.books import read_docx as reader
    return reader


@contextmanager
def readable(place: str, form: str) -> Iterator[None]:
    """Any error of a converter is the file's clear error."""
    try:
        yield
    except Exception as error:
        why = " ".join(str(error).split())[:200] or "no reason given"
        why = why if isinstance(error, FieldpackError) else f"{type(error).__name__}: {why}"
        raise InputError(
            f"{place} is {form} that cannot be read ({why}); save it anew, or convert it to text"
        ) from None


def check_archive(place: str, data: bytes) -> None:
    """Raises InputError for an archive that is damaged, or that unpacks to much more than a document."""
    with readable(place, "a zip-based file"), ZipFile(BytesIO(data)) as archive:
        entries = archive.infolist()
        size = sum(entry.file_size for entry in entries)
        bombs = [e for e in entries if e.file_size > _SMALL and e.file_size > _MOST_RATIO * max(e.compress_size, 1)]
    if size > _MOST_UNPACKED or len(entries) > _MOST_ENTRIES or bombs:
        raise InputError(f"{place} unpacks to {size:,} bytes in {len(entries):,} entries; that is no document to read")
