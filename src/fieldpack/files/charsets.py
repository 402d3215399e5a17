"""Bytes to text: byte order marks, what a file declares, UTF-8, and a detector for the rest.

Only charsets of the WHATWG Encoding Standard, which browsers honour, may be declared or detected; so a file cannot ask
for one of Python's codecs that are no charsets ("undefined", "unicode_escape") or that hide text ("utf-7").

The detector is chardet 7 (0BSD, no dependencies), kept to the encodings of the web. On 32 short texts of one to three
sentences in 19 languages, each in an encoding of its time, it named one that gives the right text for 28;
charset-normalizer 3.5 did for 16, faust-cchardet 3.2 for 25, and chardetng-py 0.3.5 for 29, which few people use. With
the rule for texts of mostly Latin letters (`_fits`) it is 29.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass

from fieldpack.errors import InputError
from fieldpack.files.charset_names import charset_labels, checked_charset
from fieldpack.files.model import BinaryFile, ReadOptions

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_LATIN = re.compile(r"cp(?:866|874|125[1356]|9\d\d)|iso8859-[5-8]|koi8|mac-cyr|gb|big5|euc|iso2022")
_ON_PAGES = re.compile(rb"<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_IN_XML = re.compile(rb"\s{0,9}<\?xml[^>]{1,200}?encoding\s{0,9}=\s{0,9}[\"']([A-Za-z0-9_.:-]{1,40})")
_IN_PYTHON = re.compile(rb"(?:[^\n]{0,200}\n)?[ \t\f]{0,99}#[^\n]{0,200}?coding[:=][ \t]{0,9}([-\w.]{1,40})")
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x08\x1b"))
_TEXT_HINT = "give text: .txt .md .html .json or source code"
_SAMPLE = 65_536  # bytes
_FEW_BLOCKS = 4
_SHORTEST = 8  # characters of a text that is recognised as UTF-16
_LEAST_SURE = 0.03  # below this the detector's answer is no better than the most common one
_MOST_COMMON = "cp1252"


@dataclass(frozen=True)
class Decoded:
    """A text, the charset that it was in (Python's name), and a note where that was detected."""

    text: str
    charset: str
    note: str = ""


def decode(place: str, data: bytes, kind: str | None, options: ReadOptions) -> Decoded:
    """The text of a file. `place` names it in errors; `kind` says where it may declare its charset.

    Raises BinaryFile for what is no text, InputError for bytes that do not fit a charset that the caller or a byte
    order mark names.
    """
    errors = options.encoding_errors
    chosen = _chosen(data, options)
    if chosen is not None and (b"\0" not in data or chosen[:5] in ("utf-1", "utf-3")):
        return Decoded(_strictly(place, data, chosen, errors), chosen.removesuffix("-sig"))
    if b"\0" in data:
        return _without_mark(place, data)
    declared = declared_charset(data, kind)
    if declared not in (None, "utf-8") or b"\x1b$" in data:
        text = _attempt(data, declared or "iso2022_jp")
        if text is not None:
            return Decoded(text, declared or "iso2022_jp")
    try:
        return Decoded(data.decode("utf-8", errors), "utf-8")
    except UnicodeDecodeError as error:
        if len(data.translate(None, _CONTROLS)) < 0.98 * len(data):
            raise BinaryFile(f"{place} is a binary file (control characters); {_TEXT_HINT}") from None
        detected = _detected(data, error.start)
        note = f"is not UTF-8; read as {_shown(detected.charset)} (detected; --charset NAME if that is wrong)"
        return Decoded(detected.text, detected.charset, note)


def _chosen(data: bytes, options: ReadOptions) -> str | None:
    """The charset of the byte order mark, else the caller's."""
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    return marked or (checked_charset(options.charset) if options.charset is not None else None)


def declared_charset(data: bytes, kind: str | None) -> str | None:
    """The charset that a page, an XML file or Python source declares near its start, if browsers honour it."""
    head = data[:2048]
    match = None
    if kind == "html":
        match = _IN_XML.match(head) or _ON_PAGES.search(head)
    elif kind in ("code", "xml"):
        match = _IN_XML.match(head)
    elif kind == "python":
        match = _IN_PYTHON.match(head)
    return (
        charset_labels().get(match[1].decode("ascii", "replace").lower().replace("latin-1", "latin1"))
        if match
        else None
    )


def _strictly(place: str, data: bytes, charset: str, errors: str) -> str:
    try:
        return data.decode(charset, errors)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{place} is not {_shown(charset.removesuffix('-sig'))}: byte 0x{data[error.start]:02x} at offset "
            f"{error.start}; name another with --charset (charset=...), or read on with --encoding-errors replace"
        ) from None
    except (UnicodeError, ValueError, LookupError) as error:
        raise InputError(f"{place} cannot be read as {_shown(charset)}: {error}") from None


def _without_mark(place: str, data: bytes) -> Decoded:
    """UTF-16 without a byte order mark: blanks, line breaks and digits of any script have a NUL, at one side only, and
    the other bytes are letters."""
    for charset, start in (("utf-16-le", 1), ("utf-16-be", 0)):
        head = data[:4096]
        if not len(data) % 2 and head[start::2].count(0) and not head[1 - start :: 2].count(0):
            text = _attempt(data, charset)
            if text is not None and "\0" not in text and _reads_as_text(text[:2048]):
                return Decoded(text, charset, f"read as {_shown(charset)} (no byte order mark; detected)")
    raise BinaryFile(f"{place} is a binary file (NUL byte at offset {data.index(0)}); {_TEXT_HINT}")


def _reads_as_text(text: str) -> bool:
    """Whether characters are those of a text: no controls, none unassigned, mostly letters and ASCII, of few scripts.
    Bytes that are no UTF-16 fall all over its 256 blocks of 256 characters."""
    categories = [unicodedata.category(char) for char in text]
    listed = list(zip(text, categories, strict=True))
    if len(text) < _SHORTEST or any(kind in ("Cc", "Cn", "Co") and char not in "\t\n\v\f\r" for char, kind in listed):
        return False
    blocks = [ord(char) >> 8 for char, kind in listed if kind[0] in "LM"]
    ideographs = sum(0x30 <= block < 0xD8 or block > 0xF8 for block in blocks)
    few = len({block for block in blocks if block < 0x30}) <= _FEW_BLOCKS
    likely = sum(char.isascii() or kind[0] in "LM" for char, kind in listed)
    return 2 * likely >= len(text) and (few or 2 * ideographs > len(blocks))


def _attempt(data: bytes, charset: str) -> str | None:
    """The text, None when the bytes do not fit. Single bytes that Windows left undefined are control characters."""
    try:
        return data.decode(charset)
    except (UnicodeError, ValueError):
        if not charset.startswith("cp125"):
            return None
    table = [bytes((byte,)).decode(charset, "ignore") or chr(byte) for byte in range(256)]
    return data.decode("latin-1").translate(dict(enumerate(table)))


def _detected(data: bytes, first: int) -> Decoded:
    """The likeliest charset of bytes that are no UTF-8 from offset `first` on."""
    import chardet

    start = max(0, data.rfind(b"\n", max(0, first - 4096), first) + 1, first - 4096)
    sample = data[start : start + _SAMPLE]
    try:
        guess = chardet.detect(sample, encoding_era=chardet.EncodingEra.MODERN_WEB)
    except Exception:  # 7.0 raises RuntimeError on some bytes
        return Decoded(_attempt(data, _MOST_COMMON) or "", _MOST_COMMON)
    charset = charset_labels().get(str(guess["encoding"]).lower())
    common = _attempt(data, _MOST_COMMON) or ""
    if charset and charset != "utf-8" and (guess["confidence"] or 0) >= _LEAST_SURE and _fits(charset, sample):
        text = _attempt(data, charset)
        if text is not None and text != common:
            return Decoded(text, charset)
    return Decoded(common, _MOST_COMMON)


def _fits(charset: str, sample: bytes) -> bool:
    """Text in another script than Latin has more letters of that script than ASCII letters where it is not ASCII."""
    if not _NOT_LATIN.match(charset):
        return True
    words = re.findall(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*", sample)
    joined = b"".join(words)
    return 2 * len(joined.translate(None, bytes(range(0x80)))) >= len(joined)


def _shown(charset: str) -> str:
    return charset.replace("cp125", "windows-125").replace("iso8859", "ISO-8859").replace("utf", "UTF")
