"""Hostile files: whatever the bytes and the name, the outcome is documents or fieldpack's own error, in linear time.

No times are asserted. A step that takes quadratic time makes a case here take minutes to hours instead of a second.
"""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import docx, epub, pdf, pptx, xlsx

from fieldpack.errors import FieldpackError, InputError
from fieldpack.files import convert
from fieldpack.files.kinds import KIND_OF_ENDING
from fieldpack.files.read import read_bytes

SUFFIXES = sorted(KIND_OF_ENDING)
SEEDS = {
    "a.pdf": pdf([(50, 700, "Hello")], [(50, 700, "More"), (90, 700, "text")]),
    "a.docx": docx(),
    "a.xlsx": xlsx(),
    "a.pptx": pptx(),
    "a.epub": epub({"a.xhtml": "<h1>x</h1><p>y"}),
    "a.rtf": rb"{\rtf1\ansi{\fonttbl\f0 Helvetica;}\f0\pard The \b depot\b0 \'e9.\par\trowd\cell\row}",
    "a.eml": b"From: a\nSubject: =?utf-8?q?x?=\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n",
    "a.mbox": b"From a\nSubject: b\n\nc\n\nFrom d\n\ne",
    "a.ipynb": b'{"cells": [{"cell_type": "code", "input": "x", "outputs": [{"output_type": "stream", "text": "y"}]}]}',
    "a.html": b"<!doctype html><meta charset=latin1><table><tr><td rowspan=2>a<td>b<tr><td>c</table><ol start=3><li>d",
    "a.jsonl": b'{"id": 1, "text": "x"}\n{"text": null}\n"y"',
    "a.py": b"# coding: latin-1\nx = '\xe9'",
}


def outcome(name: str, data: bytes) -> str:
    """Reads, and says what came of it; any other exception than fieldpack's own fails the test."""
    try:
        documents = read_bytes(name, data).documents
    except FieldpackError as error:
        assert str(error).strip()
        return "error"
    assert all(d.metadata["path"] == name for d in documents)
    assert all(value.encode() is not None for d in documents for value in (d.id, d.text, d.title))
    return "read"


@settings(deadline=None)
@given(st.sampled_from(SUFFIXES), st.binary(max_size=400))
def test_any_bytes_under_any_suffix(suffix: str, data: bytes) -> None:
    outcome(f"a{suffix}", data)


@settings(deadline=None)
@given(st.sampled_from(SUFFIXES), st.text(max_size=200))
def test_any_text_under_any_suffix(suffix: str, text: str) -> None:
    outcome(f"a{suffix}", text.encode("utf-8", "surrogatepass"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(sorted(SEEDS)), st.data())
def test_damaged_files_of_every_format(name: str, data: st.DataObject) -> None:
    damaged = bytearray(SEEDS[name])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged)))
        match data.draw(st.sampled_from(["change", "cut", "insert", "double"])):
            case "change":
                damaged[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del damaged[at : at + data.draw(st.integers(1, 40))]
            case "insert":
                damaged[at:at] = data.draw(st.binary(max_size=10))
            case _:
                damaged[at:at] = damaged[max(0, at - 60) : at]
    outcome(name, bytes(damaged))


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_the_undamaged_ones_are_read(name: str) -> None:
    assert outcome(name, SEEDS[name]) == "read"


N = 300_000
HTML = (
    "<",
    "<a ",
    "</a ",
    "<!--",
    "<?",
    "<a href='",
    "<a b=",
    '<a =">" ',
    "<p>",
    "<svg>",
    "&#",
    "&#9",
    "<td>",
    "<pre>`",
    "<div>",
    "<div class=nav>x",
    "<b><p>x",
    "<table><tr><td>x",
    "<ul><li>x",
    "<a>x",
    "x</a>",
    "x</div>",
    "<sup>1",
    "<main>x",
    "<article>x",
    "<p hidden>x",
    "<li hidden>",
    "<ol start=9999999><li>x",
    "<blockquote>x",
    "&#99999999999;",
    "<title>x",
    "<pre><div>x",
    "<td rowspan=9999 colspan=999>abc</td>",
    "<tr><td rowspan=9999 colspan=999>abc",
    "<thead><tr><th>x",
    "<div style='white-space:pre'>x\n",
    "<script>x</script",
    "<a x=1 ",
    "<select><option>",
)


@pytest.mark.parametrize("piece", HTML)
def test_pages_of_one_repeated_piece(piece: str) -> None:
    assert outcome("a.html", (piece * N)[:N].encode()) == "read"


def test_a_tag_of_a_hundred_thousand_attributes_and_a_reference_of_many_digits() -> None:
    assert outcome("a.html", ("<a " + " ".join(f"a{i}=1" for i in range(100_000)) + ">x").encode()) == "read"
    assert outcome("a.html", b"&#" + b"9" * N) == "read"


@pytest.mark.parametrize("name", ["a.html", "a.ipynb", "a.eml", "a.jsonl", "a.py", "a"])
def test_whatever_a_reader_raises_is_the_error_of_that_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **options: object) -> None:
        raise LookupError("what it was not made for")

    monkeypatch.setattr(convert, "_of_text", broken)
    monkeypatch.setattr(convert, "_of_mail", broken)
    with pytest.raises(InputError, match=rf"^{name} cannot be read \(LookupError: what it was not made for\); save"):
        read_bytes(name, b"x")


def test_a_cell_that_is_one_run_of_backticks() -> None:
    for source in ("`" * N, "`~" * (N // 2), "~" * N + "`" * N):
        cell = {"cell_type": "code", "source": source, "outputs": [{"output_type": "stream", "text": source}]}
        assert outcome("a.ipynb", json.dumps({"cells": [cell]}).encode()) == "read"


@pytest.mark.parametrize("text", ["\r" * N, "a\r" * (N // 2), "\x1b[" * (N // 2), "\x1b]" * (N // 2), "\x1b" * N])
def test_an_output_of_control_characters(text: str) -> None:
    cell = {"cell_type": "code", "source": "x", "outputs": [{"output_type": "stream", "text": text}]}
    assert outcome("a.ipynb", json.dumps({"cells": [cell]}).encode()) == "read"


MAIL = {
    "lines": b"\n" * N,
    "one header": b"Subject: " + b"=?utf-8?q?x?= " * (N // 14),
    "parameters": b"Content-Type: text/plain; " + b'a="b;' * (N // 5),
    "folded": b"Subject: x\n" + b" y\n" * (N // 3),
    "boundaries": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n" * (N // 40),
    "nested": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(20_000)),
    "base64": b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + base64.b64encode(b"x" * N),
    "quoted": b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=\n" * (N // 2),
    "forwarded": b"Content-Type: message/rfc822\n\n" * 5000,
    "headers": b"".join(b"X-%d: y\n" % i for i in range(N // 10)),
}


@pytest.mark.parametrize("sort", sorted(MAIL))
def test_mail_of_one_repeated_piece(sort: str) -> None:
    outcome("a.eml", MAIL[sort])
    outcome("a.mbox", b"From a\n" + MAIL[sort])


def test_a_mailbox_of_many_marks() -> None:
    for piece in (b"From a\n", b"From a\n\n", b">From a\n", b"From ", b"\nFrom a\nA: b\n\n"):
        outcome("a.mbox", b"From a\n" + piece * (100_000 // len(piece)))


@pytest.mark.parametrize(
    "piece", ["{", "}", "{\\", "\\par ", "\\'e9", "\\u8364?", "\\bin9999999 ", "{\\*\\x ", "\\cell", "x"]
)
def test_rich_text_of_one_repeated_piece(piece: str) -> None:
    outcome("a.rtf", b"{\\rtf1 " + piece.encode() * (100_000 // len(piece)))


@pytest.mark.parametrize(
    "piece", [b"%PDF-1.4\n", b"1 0 obj\n<<\n", b"[", b"<<", b"(", b"xref\n0 1\n", b"stream\n", b"/A" * 50]
)
def test_pdf_of_one_repeated_piece(piece: bytes) -> None:
    outcome("a.pdf", b"%PDF-1.4\n" + piece * (N // len(piece)))


@pytest.mark.parametrize(
    "data", [b"\xe9" * N, b"\xff\xfe" * N, b"a\xe9\n" * N, b"\x1b$" * N, b"\x81" * N, b"\xc3" * N, b"\x00a" * N]
)
def test_many_bytes_in_no_charset(data: bytes) -> None:
    outcome("a.txt", data), outcome("a", data)


@pytest.mark.parametrize(
    "data", [b'{"text":' * 100_000, b"[" * N, b"1" * N, b'"' * N, b'{"text":"x"}\n' * 50_000, b"\n" * N]
)
def test_records_of_one_repeated_piece(data: bytes) -> None:
    outcome("a.json", data), outcome("a.jsonl", data)
