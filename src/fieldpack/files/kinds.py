"""What a file is: by its content where that is sure, else by its name."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO

# "" is a text file whose name does not say how it is written: what reads its structure looks at the text.
_KINDS = {
    "": ".txt .text .log .tex .org .srt .vtt",
    "markdown": ".md .markdown .mdx .mkd .qmd .rmd",
    "rst": ".rst",
    "asciidoc": ".adoc .asciidoc",
    "html": ".html .htm .xhtml",
    "python": ".py .pyi .pyx",
    "code": """.c .h .cc .cpp .cxx .hpp .hh .cs .java .kt .kts .scala .go .rs .swift .js .mjs .cjs .jsx .ts .tsx .vue
        .svelte .php .rb .pl .pm .lua .r .jl .sh .bash .zsh .fish .ps1 .sql .hs .ml .mli .ex .exs .erl .clj .dart .m .mm
        .zig .nim .v .sv .proto .graphql .css .scss .less .tf .gradle .cmake""",
    "xml": ".xml .xsd .rss .atom .plist",
    "config": ".yaml .yml .toml .ini .cfg .conf .properties",
    "csv": ".csv .tsv",
    "diff": ".diff .patch",
    "notebook": ".ipynb",
    "records": ".json .jsonl .ndjson",
    "mail": ".eml",
    "mailbox": ".mbox .mbx",
    "pdf": ".pdf",
    "docx": ".docx .docm .dotx",
    "pptx": ".pptx .pptm .ppsx",
    "xlsx": ".xlsx .xlsm .xltx",
    "epub": ".epub",
    "rtf": ".rtf",
}
KIND_OF_ENDING = {ending: kind for kind, endings in _KINDS.items() for ending in endings.split()}
_KIND_OF_NAME = {"makefile": "code", "dockerfile": "code", "readme": "", "license": "", "changelog": ""}
# Formats whose text is in a container: how they are named in messages.
CONTAINERS = {
    "pdf": "a PDF file",
    "docx": "a DOCX file",
    "pptx": "a PPTX file",
    "xlsx": "an XLSX file",
    "epub": "an EPUB file",
    "rtf": "an RTF file",
}
_SIGNATURES = (
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file; save it as .docx, .xlsx or .pptx"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"RIFF", "a RIFF file (image, sound or film)"),
    (b"\x1f\x8b", "a gzip archive; unpack it"),
    (b"BZh", "a bzip2 archive; unpack it"),
    (b"\xfd7zXZ\0", "an xz archive; unpack it"),
    (b"7z\xbc\xaf'\x1c", "a 7z archive; unpack it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive; unpack it"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
)
_IN_ZIP = {"word/document.xml": "docx", "ppt/presentation.xml": "pptx", "xl/workbook.xml": "xlsx"}
_HTML = re.compile(rb"\s{0,99}(?:<!--[^>]{0,999}-->\s{0,99})?<(?:!doctype\s{1,9}html|html)[\s>]", re.IGNORECASE)
_MAILBOX = re.compile(rb"From \S{1,200} [^\r\n]{1,80}\r?\n[A-Za-z-]{2,40}: ")


def kind_of_name(path: str) -> str | None:
    """The kind that a file's name says, "" for a text of any kind, None when it says nothing."""
    name = path.rpartition("/")[2].lower()
    stem, dot, ending = name.rpartition(".")
    return KIND_OF_ENDING.get(f".{ending}") if dot and stem else _KIND_OF_NAME.get(name)


def kind_of_content(data: bytes) -> str | None:
    """The kind that the first bytes say whatever the name is, None when they say nothing. A kind with a blank in it is
    a format that is not read, for a message: "a PNG image"."""
    if data.startswith(b"PK\x03\x04"):
        return _kind_of_zip(data)
    found = next((kind for signature, kind in _SIGNATURES if data.startswith(signature)), None)
    if found in ("pdf", "rtf") or (found and not _is_text(data[:512])):
        return found
    if data.lstrip()[:5] == b"%PDF-":
        return "pdf"
    return None


def kind_of_text(data: bytes) -> str | None:
    """The kind of a text file whose name says nothing."""
    if _HTML.match(data[:2048].removeprefix(b"\xef\xbb\xbf")):
        return "html"
    return "mailbox" if _MAILBOX.match(data[:512]) else None


def _is_text(head: bytes) -> bool:
    """A note may begin with "GIF8" or "RIFF"; then it is ASCII."""
    return head.isascii() and b"\0" not in head


def _kind_of_zip(data: bytes) -> str:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = set(archive.namelist())
            kind = next((kind for name, kind in _IN_ZIP.items() if name in names), None)
            if kind is None and "META-INF/container.xml" in names:
                kind = "epub"
            if kind is None and "content.xml" in names and "mimetype" in names:
                return "an OpenDocument file; save it as .docx, .xlsx or .pptx"
    except Exception:  # zipfile raises a dozen sorts of errors on damaged archives
        return "a damaged zip archive"
    return kind or "a zip archive; unpack it"
