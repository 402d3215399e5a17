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
from dataclasses import dataclass
from functools import cache

from fieldpack.errors import InputError
from fieldpack.files.model import BinaryFile, ReadOptions

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Python's codec: the labels of https://encoding.spec.whatwg.org/#names-and-labels, without those of UTF-16, which no
# page can declare in ASCII.
_LABELS = """
utf-8: unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8
cp866: 866 cp866 csibm866 ibm866
iso8859-2: csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2
iso8859-3: csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3
iso8859-4: csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4
iso8859-5: csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988
iso8859-6: arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i
iso8859-6: iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987
iso8859-7: csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7
iso8859-7: iso_8859-7:1987 sun_eu_greek
iso8859-8: csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8
iso8859-8: iso_8859-8:1988 visual csiso88598i iso-8859-8-i logical
iso8859-10: csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6
iso8859-13: iso-8859-13 iso8859-13 iso885913
iso8859-14: iso-8859-14 iso8859-14 iso885914
iso8859-15: csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9
iso8859-16: iso-8859-16
koi8-r: cskoi8r koi koi8 koi8-r koi8_r
koi8-u: koi8-ru koi8-u
mac-roman: csmacintosh mac macintosh x-mac-roman
cp874: dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874
cp1250: cp1250 windows-1250 x-cp1250
cp1251: cp1251 windows-1251 x-cp1251
cp1252: ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1
cp1252: iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252
cp1253: cp1253 windows-1253 x-cp1253
cp1254: cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5
cp1254: windows-1254 x-cp1254
cp1255: cp1255 windows-1255 x-cp1255
cp1256: cp1256 windows-1256 x-cp1256
cp1257: cp1257 windows-1257 x-cp1257
cp1258: cp1258 windows-1258 x-cp1258
mac-cyrillic: x-mac-cyrillic x-mac-ukrainian
gb18030: chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk gb18030
big5hkscs: big5 big5-hkscs cn-big5 csbig5 x-x-big5
euc_jp: cseucpkdfmtjapanese euc-jp x-euc-jp
iso2022_jp: csiso2022jp iso-2022-jp
cp932: csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis cp932
cp949: cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949 cp949
"""
_NO_CHARSETS = frozenset(("undefined", "unicode_escape", "raw_unicode_escape", "idna", "punycode", "mbcs", "oem"))
_NOT_LATIN = re.compile(r"cp(?:866|874|125[1356]|9\d\d)|iso8859-[5-8]|koi8|mac-cyr|gb|big5|euc|iso2022")
_ON_PAGES = re.compile(rb"<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_IN_XML = re.compile(rb"\s{0,9}<\?xml[^>]{1,200}?encoding\s{0,9}=\s{0,9}[\"']([A-Za-z0-9_.:-]{1,40})")
_IN_PYTHON = re.compile(rb"(?:[^\n]{0,200}\n)?[ \t\f]{0,99}#[^\n]{0,200}?coding[:=][ \t]{0,9}([-\w.]{1,40})")
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x08\x1b"))
_TEXT_HINT = "give text: .txt .md .html .json or source code"
_SAMPLE = 65_536  # bytes
_LEAST_ZEROS = 4
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


def checked_charset(name: str) -> str:
    """Python's name of a charset that a caller names. Raises InputError for what is no charset of text."""
    try:
        info = codecs.lookup(_labels().get(name.strip().lower(), name))
    except (LookupError, ValueError, UnicodeError):
        info = None
    if info is None or not getattr(info, "_is_text_encoding", True) or info.name.replace("-", "_") in _NO_CHARSETS:
        raise InputError(f"charset {name[:60]!r} is not known; give one such as utf-8, windows-1252 or shift_jis")
    return info.name


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
    return _labels().get(match[1].decode("ascii", "replace").lower().replace("latin-1", "latin1")) if match else None


@cache
def _labels() -> dict[str, str]:
    rows = (line.partition(": ") for line in _LABELS.strip().split("\n"))
    return {label: codec for codec, _, labels in rows for label in labels.split()}


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
    """UTF-16 without a byte order mark: in texts of most scripts nearly every second byte of ASCII blanks is NUL."""
    for charset, start in (("utf-16-le", 1), ("utf-16-be", 0)):
        head = data[:4096]
        zeros = head[start::2].count(0)
        if zeros > max(_LEAST_ZEROS, 0.3 * len(head) / 2) and not head[1 - start :: 2].count(0):
            text = _attempt(data, charset)
            if text is not None and "\0" not in text:
                return Decoded(text, charset, f"read as {_shown(charset)} (no byte order mark; detected)")
    raise BinaryFile(f"{place} is a binary file (NUL byte at offset {data.index(0)}); {_TEXT_HINT}")


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
    guess = chardet.detect(sample, encoding_era=chardet.EncodingEra.MODERN_WEB)
    charset = _labels().get(str(guess["encoding"]).lower())
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
