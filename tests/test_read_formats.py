"""Records, notebooks, mail, and the formats of the extra `files`."""

from __future__ import annotations

import base64
import importlib.util
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import archive, docx, epub, pdf, pdf_of_forms, pptx, put, xlsx

from fieldpack.errors import InputError, MissingExtraError
from fieldpack.files import containers
from fieldpack.files.mail import mail_text, mailbox_messages
from fieldpack.files.notebook import fenced
from fieldpack.files.read import read, read_bytes, read_files
from fieldpack.files.records import stream_records
from fieldpack.text.segment import segment


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class TestRecords:
    def test_json_lines(self) -> None:
        lines = [{"id": "a", "text": "x", "title": "T", "url": "u"}, {"body": "y"}, "z", {"_id": 7, "page_content": ""}]
        put("r.jsonl", "\n".join(map(json.dumps, lines)) + "\n\n")
        a, b, c, d = read(["r.jsonl"])
        assert (a.id, a.text, a.title) == ("a", "x", "T")
        assert a.metadata == {"url": "u", "path": "r.jsonl", "line": 1}
        assert [(x.id, x.text) for x in (b, c, d)] == [("r.jsonl#2", "y"), ("r.jsonl#3", "z"), ("7", "")]

    @pytest.mark.parametrize("wrap", [lambda r: r, lambda r: {"documents": r}, lambda r: {"data": r, "n": 1}])
    def test_json_lists(self, wrap) -> None:
        put("r.json", json.dumps(wrap([{"text": "x"}, {"content": "y"}])))
        assert [(d.id, d.text) for d in read(["r.json"])] == [("r.json#1", "x"), ("r.json#2", "y")]

    def test_one_record(self) -> None:
        assert read([put("r.json", '{"id": "only", "text": "x", "data": [1]}')])[0].id == "only"

    @pytest.mark.parametrize("name", ["r.jsonl", "r.ndjson", "r.json"])
    def test_a_record_whose_text_is_null_is_skipped_and_said(self, name: str) -> None:
        records = ['{"id":1,"text":"seven"}', '{"id":2,"text":null}', '{"id":3,"text":"nine"}']
        put(name, "\n".join(records) if name != "r.json" else f"[{','.join(records)}]")
        outcome = read_files(name)
        assert [(d.id, d.text) for d in outcome.documents] == [("1", "seven"), ("3", "nine")]
        place = "record" if name == "r.json" else "line"
        assert [(s.path, s.reason) for s in outcome.skipped] == [(name, f"{place} 2 has no text ('text' is null)")]
        assert outcome.summary() == "read 1 file; skipped 1: 1 without a text"

    @pytest.mark.parametrize("value", ["{}", "[3, 4]", '{"port": 2525}', '[{"name": "a", "price": 3}]', "null", "17"])
    def test_json_without_texts_is_one_document_as_it_stands(self, value: str) -> None:
        (document,) = read([put("settings.json", f" {value}\n")])
        assert (document.id, document.text) == ("settings.json", f" {value}\n")
        assert document.metadata == {"path": "settings.json", "kind": "json"}

    def test_so_are_json_lines_without_texts(self) -> None:
        (document,) = read([put("log.jsonl", '{"level": "info"}\n{"level": "error"}\n')])
        assert document.text.count("\n") == 2 and document.metadata["kind"] == "jsonl"

    def test_half_characters_are_replaced_and_said(self) -> None:
        outcome = read_files(put("r.jsonl", '{"id": "\\ud800", "text": "x\\udfffy \\ud83d\\ude42"}'))
        assert [(d.id, d.text) for d in outcome.documents] == [("\ufffd", "x\ufffdy 🙂")]
        assert outcome.notes[0].text == "half characters (lone surrogates) in 1 texts became U+FFFD"

    def test_bad_json_says_where(self) -> None:
        with pytest.raises(InputError, match=r"r\.jsonl is not valid JSON: .* at line 2, column 9"):
            read([put("r.jsonl", '{"text": "x"}\n{"text" "y"}\n')])
        with pytest.raises(InputError, match=r"r\.json is not valid JSON: .* at line 3"):
            read([put("r.json", '[\n{"text": "x"},\n{]\n')])

    def test_a_record_without_text_among_others_says_which_and_what_it_has(self) -> None:
        with pytest.raises(InputError, match=r"r\.jsonl line 2: no text \(keys found: id, txt; allowed: text, content"):
            read([put("r.jsonl", '{"text": "x"}\n{"id": 1, "txt": "y"}')])
        with pytest.raises(InputError, match=r"r\.json record 2: found int"):
            read([put("r.json", '["x", 3]')])

    def test_json_that_would_exhaust_the_stack_or_the_clock(self) -> None:
        with pytest.raises(InputError, match="nested too deeply"):
            read([put("deep.json", "[" * 200_000)])
        with pytest.raises(InputError, match=r"big\.json is not usable JSON"):
            read([put("big.json", '{"text": "x", "n": ' + "9" * 10_000 + "}")])

    def test_a_record_knows_no_kind_so_its_text_is_looked_at(self) -> None:
        documents = read([put("r.json", json.dumps([{"text": "# H\n\ntext"}]))])
        assert len(segment(documents, "paragraph")) == 1


class TestStreams:
    LINES = ('{"id": 1, "text": "One."}\n', "\n", '{"text": "Two.", "title": "T", "page": 3}\n', '"Three."')

    def test_a_stream_of_lines_has_the_documents_of_the_file(self) -> None:
        put("notes.jsonl", "".join(self.LINES))
        with Path("notes.jsonl").open(encoding="utf-8") as lines:
            streamed = list(stream_records(lines, "notes.jsonl"))
        assert [(d.id, d.text, d.title) for d in streamed] == [(d.id, d.text, d.title) for d in read(["notes.jsonl"])]

    def test_a_null_text_is_skipped_and_said_there_too(self) -> None:
        said: list[tuple[str, str]] = []
        stream = stream_records(['{"text": null}\n', '{"text": "x"}\n'], "n", on_skip=lambda *a: said.append(a))
        assert [d.id for d in stream] == ["n#2"] and said == [("n", "line 1 has no text ('text' is null)")]

    def test_a_line_is_read_when_it_is_asked_for_and_bad_ones_are_named(self) -> None:
        asked = []

        def lines():
            for line in (*self.LINES, "\n", "{oops\n"):
                asked.append(line)
                yield line

        stream = stream_records(lines())
        assert next(stream).text == "One." and len(asked) == 1
        with pytest.raises(InputError, match=r"line 6"):
            list(stream)


def notebook(*cells: object, **metadata: object) -> str:
    return put("n.ipynb", json.dumps({"cells": cells, "metadata": metadata}))


def code(source: str, *outputs: object) -> dict[str, object]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


class TestNotebooks:
    def test_cells_become_markdown(self) -> None:
        cells = [
            {"cell_type": "markdown", "source": ["# Title\n", "text"]},
            code("x = 1\n\ny = '```'\n"),
            {"cell_type": "code", "source": []},
            {"cell_type": "raw", "source": ["raw", 3]},
            "odd",
        ]
        (document,) = read([notebook(*cells, language_info={"name": "r"})])
        assert document.text == "# Title\ntext\n\n~~~r\nx = 1\n\ny = '```'\n~~~\n\nraw"
        assert document.metadata == {"path": "n.ipynb", "kind": "markdown"}

    def test_outputs_follow_their_cells(self) -> None:
        stream = {"output_type": "stream", "name": "stdout", "text": ["mean yield oven B: ", "68.0 %\n"]}
        error = {
            "output_type": "error",
            "ename": "ZeroDivisionError",
            "evalue": "division by zero",
            "traceback": ["\x1b"],
        }
        (document,) = read([notebook(code("print(mean(a))", stream), code("1/0", error))])
        assert document.text == (
            "```python\nprint(mean(a))\n```\n\nOutput:\n\n```\nmean yield oven B: 68.0 %\n```\n\n"
            "```python\n1/0\n```\n\nOutput:\n\n```\nZeroDivisionError: division by zero\n```"
        )

    def test_a_table_keeps_its_rows_and_a_picture_is_counted(self) -> None:
        rows = "<thead><tr><th></th><th>oven</th></tr></thead><tr><th>0</th><td>B</td></tr>"
        html = f"<style>x</style><table border=1 class=dataframe>{rows}</table>"
        table = {"output_type": "execute_result", "data": {"text/html": [html], "text/plain": "  oven\n0 B"}}
        picture = {"output_type": "display_data", "data": {"image/png": "AAAA", "text/plain": "<Figure size 640x480>"}}
        outcome = read_files(notebook(code("df", table, picture)))
        assert outcome.documents[0].text.endswith("Output:\n\n|  | oven |\n| --- | --- |\n| 0 | B |")
        assert outcome.documents[0].metadata["left_out"] == {"image/png": 1}
        assert outcome.notes[0].text == "left out: image/png (1)"

    @pytest.mark.parametrize(
        ("data", "shown"),
        [
            ({"text/markdown": "**68 %**", "text/plain": "x"}, "**68 %**"),
            ({"text/plain": "\x1b[31m68\x1b[0m %"}, "```\n68 %\n```"),
            ({"text/html": "<b>68 %</b>"}, "68 %"),
            ({"text/plain": ["a", 3, "b"]}, "```\nab\n```"),
        ],
    )
    def test_of_several_forms_one_is_taken(self, data: dict[str, object], shown: str) -> None:
        (document,) = read([notebook(code("x", {"output_type": "display_data", "data": data}))])
        assert document.text == f"```python\nx\n```\n\nOutput:\n\n{shown}"

    def test_a_progress_bar_leaves_its_last_state(self) -> None:
        bar = {"output_type": "stream", "text": " 10%\r 50%\r100%\ndone\r\n"}
        assert "```\n100%\ndone\r\n```" in read([notebook(code("x", bar))])[0].text

    def test_old_notebooks_have_worksheets(self) -> None:
        old = {
            "cell_type": "code",
            "input": ["x"],
            "outputs": [{"output_type": "pyout", "text": ["68 %"], "png": "AA"}],
        }
        sheet = {"cells": [{"cell_type": "heading", "level": 2, "source": "H"}, old]}
        outcome = read_files(put("n.ipynb", json.dumps({"worksheets": [sheet]})))
        assert outcome.documents[0].text == "## H\n\n```python\nx\n```\n\nOutput:\n\n```\n68 %\n```"
        assert outcome.notes[0].text == "left out: image/png (1)"

    @pytest.mark.parametrize(
        "content", ["{}", "[]", '{"cells": 3}', "{", '{"worksheets":[{"cells":5}]}', '{"worksheets":[{"cells":"ab"}]}']
    )
    def test_what_is_no_notebook_is_refused_by_name_and_skipped_in_a_folder(self, content: str) -> None:
        with pytest.raises(InputError, match=r"n\.ipynb is (no Jupyter notebook|not valid JSON)"):
            read([put("d/n.ipynb", content)])
        assert read(["d"]) == ()

    @given(st.text("`~ab\n"))
    def test_a_fence_is_longer_than_any_in_the_code(self, body: str) -> None:
        lines = fenced(body).split("\n")
        assert (not body.strip("\n").strip()) == (lines == [""])
        assert len(lines) < 3 or not any(line.strip().startswith(lines[-1]) for line in lines[1:-1])

    json_values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "cells",
                        "worksheets",
                        "source",
                        "input",
                        "outputs",
                        "data",
                        "text",
                        "cell_type",
                        "output_type",
                        "text/html",
                        "level",
                        "ename",
                    ]
                ),
                inner | st.sampled_from(["code", "stream", "error", "heading", "pyout"]),
                max_size=5,
            )
        ),
        max_leaves=12,
    )

    @given(json_values)
    def test_a_notebook_of_any_shape_is_text_or_the_clear_error(self, value: object) -> None:
        try:
            read_bytes("n.ipynb", json.dumps({"cells": value} if not isinstance(value, dict) else value).encode())
        except InputError as error:
            assert "n.ipynb is no Jupyter notebook" in str(error)


PLAIN = "From: Ann <ann@example.org>\nTo: Bob <bob@example.org>\nSubject: {}\nX-Spam: no\n{}\n\n{}"


class TestMail:
    def test_headers_are_lines_and_the_body_is_decoded(self) -> None:
        body = base64.b64encode("The doors come on the 14th – thanks.\n".encode()).decode()
        kind = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64"
        put("a.eml", PLAIN.format("=?utf-8?B?TGllZmVydGVybWluIGbDvHIgZGllIFTDvHJlbg==?=", kind, body))
        (document,) = read("a.eml")
        assert document.title == "Liefertermin für die Türen"
        assert document.text == (
            "From: Ann <ann@example.org>\nTo: Bob <bob@example.org>\nSubject: Liefertermin für die Türen\n\n"
            "The doors come on the 14th – thanks."
        )

    def test_of_alternatives_the_plain_one_and_html_without_one(self) -> None:
        encoded = "Content-Transfer-Encoding: quoted-printable\n\n<p>In the y=\nard =E2=80=93 soon.</p>\n"
        html = f"Content-Type: text/html; charset=utf-8\n{encoded}"
        plain = "Content-Type: text/plain\n\nIn the yard.\n"
        for parts, body in (
            ((plain, html), "In the yard."),
            ((html,), "In the yard – soon."),
            (("Content-Type: text/plain\n\n \n", html), "In the yard – soon."),
        ):
            joined = "".join(f"--b\n{part}" for part in parts) + "--b--\n"
            mail = mail_text(
                "a", PLAIN.format("S", 'Content-Type: multipart/alternative; boundary="b"', joined).encode()
            )
            assert mail.text.endswith(f"\n\n{body}")

    def test_attachments_are_named_and_forwarded_mail_is_read(self) -> None:
        parts = (
            "Content-Type: text/plain\n\nSee below.\n",
            "Content-Type: message/rfc822\n\nFrom: Cid\nSubject: Keys\n\nUnder the mat.\n",
            "Content-Type: application/pdf\nContent-Disposition: attachment; filename=plan.pdf\n\nabc\n",
        )
        joined = "".join(f"--b\n{part}" for part in parts) + "--b--\n"
        put("a.eml", PLAIN.format("S", 'Content-Type: multipart/mixed; boundary="b"', joined))
        outcome = read_files("a.eml")
        assert outcome.documents[0].text.endswith(
            "See below.\n\nFrom: Cid\nSubject: Keys\n\nUnder the mat.\n\n"
            "Attachment: plan.pdf (application/pdf, 3 bytes)"
        )
        assert outcome.notes[0].text == "left out: attachment (1)"

    @pytest.mark.parametrize("charset", ["no-such", "undefined", "rot13", "utf-8", "cp037", "hz", "utf-7", "idna"])
    def test_a_wrong_charset_is_no_reason_to_lose_a_body(self, charset: str) -> None:
        data = PLAIN.format("S", f"Content-Type: text/plain; charset={charset}", "caf\xe9").encode("latin-1")
        assert mail_text("a", data).text.endswith("café")

    @pytest.mark.parametrize(("charset", "codec"), [("utf-16", "utf-16"), ("shift_jis", "cp932"), ("latin1", "cp1252")])
    def test_the_charsets_of_the_web_are_honoured(self, charset: str, codec: str) -> None:
        text = "日本" if codec == "cp932" else "café “x”"
        head = f"Subject: S\nContent-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: base64\n\n"
        data = head.encode() + base64.b64encode(text.encode(codec))
        assert mail_text("a", data).text.endswith(text)

    def test_a_mailbox_is_a_document_for_each_message(self) -> None:
        box = "".join(
            f"From a@b Mon Jan  1 10:00:00 2026\nSubject: S{i}\n\nBody {i}\n>From here on.\nFrom me\n\n"
            for i in range(3)
        )
        documents = read(put("all.mbox", box))
        assert [(d.id, d.title, d.metadata["message"]) for d in documents] == [
            (f"all.mbox#{i}", f"S{i - 1}", i) for i in (1, 2, 3)
        ]
        assert documents[1].text == "Subject: S1\n\nBody 1\nFrom here on.\nFrom me"
        assert len(read(put("no-suffix", box))) == 3

    def test_a_mailbox_that_is_none_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"a\.mbox is no mailbox"):
            read(put("a.mbox", "hello"))

    @given(st.text("From: \n>ab"))
    def test_a_mailbox_is_cut_and_never_shortened_but_for_its_marks(self, text: str) -> None:
        data = b"From a\n" + text.encode()
        messages = mailbox_messages(data)
        marks = sum(len(line) for line in data.split(b"\n") if line.startswith(b"From ")) + data.count(b">")
        assert 0 <= len(data) - sum(map(len, messages)) <= marks + len(messages) + data.count(b"\n")

    @given(
        st.lists(
            st.sampled_from(
                [
                    "Content-Type: ",
                    "multipart/mixed; ",
                    "boundary=b",
                    "\n",
                    "\n\n",
                    "--b",
                    "--b--",
                    "text/html",
                    "=?utf-8?B?",
                    "?=",
                    "x",
                    "; charset=",
                    "message/rfc822",
                    "Content-Transfer-Encoding: base64",
                    "\xff",
                    '"',
                    "Subject: ",
                ]
            ),
            max_size=30,
        )
    )
    def test_any_mail_is_text_or_the_clear_error(self, pieces: list[str]) -> None:
        try:
            read_bytes("a.eml", "".join(pieces).encode("latin-1"))
        except InputError as error:
            assert str(error).startswith("a.eml is mail") or "no mail" in str(error)


class TestContainers:
    def test_pdf_has_a_document_for_each_page(self) -> None:
        first = [
            (50, 700, "The depot opens at seven."),
            (50, 688, "It closes at nine."),
            (50, 640, "Another paragraph."),
        ]
        table = [
            (50, 700, "Option"),
            (200, 700, "Since"),
            (50, 680, "--depth"),
            (200, 680, "1.3"),
            (50, 660, "--jobs"),
            (200, 660, "1.1"),
        ]
        put("a.pdf", pdf(first, table))
        one, two = read("a.pdf")
        assert (one.id, one.metadata["page"], one.metadata["format"]) == ("a.pdf#page=1", 1, "pdf")
        assert one.text == "The depot opens at seven.\nIt closes at nine.\n\nAnother paragraph."
        assert two.text == "| Option | Since |\n| --- | --- |\n| --depth | 1.3 |\n| --jobs | 1.1 |"

    def test_a_row_of_a_pdf_is_one_line_where_a_cell_has_several(self) -> None:
        pieces = []
        for row in range(3):
            y = 700 - 40 * row
            pieces += [
                (50, y, f"--opt{row}"),
                (150, y, "What it does"),
                (150, y - 12, "when set twice"),
                (300, y, f"1.{row}"),
            ]
        (document,) = read_bytes("a.pdf", pdf(pieces)).documents
        assert document.text.split("\n")[2:] == [f"| --opt{i} | What it does when set twice | 1.{i} |" for i in (1, 2)]

    def test_columns_of_a_pdf_are_read_one_after_the_other(self) -> None:
        left = [(50, 700 - 12 * i, f"left line {i}") for i in range(20)]
        right = [(320, 700 - 12 * i, f"right line {i}") for i in range(20)]
        (document,) = read_bytes("a.pdf", pdf(left + right)).documents
        assert "|" not in document.text and document.text.index("left line 19") < document.text.index("right line 0")

    def test_running_headers_of_a_pdf_are_left_out_and_said(self) -> None:
        pages = [[(50, 780, f"Handbook page {i}"), (50, 700, f"Text {'abcdef'[i]} of it.")] for i in range(6)]
        outcome = read_bytes("a.pdf", pdf(*pages))
        assert [d.text for d in outcome.documents] == [f"Text {letter} of it." for letter in "abcdef"]
        assert outcome.notes[0].text == "left out: page headers and footers (6 lines)"

    def test_a_pdf_that_asks_for_endless_work_is_given_up(self, monkeypatch) -> None:
        monkeypatch.setattr("fieldpack.files.pdf._SECONDS", 2.0)
        with pytest.raises(InputError, match=r"a\.pdf is a PDF file that cannot be read \(it was not read after 2 s\)"):
            read_bytes("a.pdf", pdf_of_forms(depth=12, width=10))

    def test_a_pdf_that_ends_its_reader_is_an_error_like_others(self, monkeypatch) -> None:
        monkeypatch.setattr("fieldpack.files.pdf._CHILD", "import os; os.abort()")
        with pytest.raises(InputError, match=r"cannot be read \(PDFium ended with status -6\)"):
            read_bytes("a.pdf", pdf([(50, 700, "x")]))

    def test_docx_keeps_headings_numbers_and_tables(self) -> None:
        (document,) = read(put("a.docx", docx()))
        assert document.title == "Depot handbook"
        assert document.text == (
            "# Opening hours\n\nThe depot opens at seven.\n\n"
            "1. Open the lid\n   1. Turn left\n2. Fill in oil\n\n- red\n\n"
            "| Option | Meaning | Since |\n| --- | --- | --- |\n| --depth | a \\| b. Levels | 1.3 |\n| both |  | 2.0 |"
        )

    def test_xlsx_has_a_document_for_each_visible_sheet(self) -> None:
        outcome = read_files(put("a.xlsx", xlsx()))
        prices, second = outcome.documents
        assert (prices.id, prices.metadata["sheet"]) == ("a.xlsx#sheet=Prices", "Prices")
        assert prices.text.split("\n")[:4] == [
            "| Part | Price | Since | Share |",
            "| --- | --- | --- | --- |",
            "| P0 | 0 | 2026-01-01 | 0.0% |",
            "| P1 | 1.5 | 2026-01-02 | 12.5% |",
        ]
        assert (
            second.text
            == "Stock of | May\n\n| Part | Count | Sum |\n| --- | --- | --- |\n| P1 | TRUE |  |\n\nfar below"
        )
        assert [n.text.split(";")[0] for n in outcome.notes] == [
            "left out: hidden sheets (1)",
            "left out: formulas without a stored value (1)",
        ]

    def test_pptx_has_a_document_for_each_visible_slide(self) -> None:
        outcome = read_files(put("a.pptx", pptx()))
        assert [(d.id, d.text) for d in outcome.documents] == [
            ("a.pptx#slide=1", "# Plan\n\n- First point\n- Second point\n\nNotes: Say it slowly."),
            (
                "a.pptx#slide=2",
                "# Figures\n\n| r0\\|c0 | r0\\|c1 |\n| --- | --- |\n| r1\\|c0 | r1\\|c1 |\n| r2\\|c0 | r2\\|c1 |",
            ),
        ]
        assert outcome.notes[0].text == "left out: hidden slides (1)"

    def test_epub_has_a_document_for_each_chapter_in_reading_order(self) -> None:
        chapters = {"b two.xhtml": "<h1>Two</h1><p>Later.", "a.xhtml": "<h1>One</h1><p>First."}
        outcome = read_files(put("a.epub", epub(chapters, ["a.xhtml", "b%20two.xhtml", "gone.xhtml"])))
        assert [(d.id, d.title, d.text) for d in outcome.documents] == [
            ("a.epub#chapter=1", "Book", "# One\n\nFirst."),
            ("a.epub#chapter=2", "Book", "# Two\n\nLater."),
        ]
        assert outcome.notes[0].text == "left out: chapters that the book names but does not hold (1)"

    def test_rtf_is_plain_text(self) -> None:
        put("a.rtf", r"{\rtf1\ansi{\fonttbl\f0 Helvetica;}\f0\pard The depot opens at \b seven\b0 .\par caf\'e9\par}")
        assert read("a.rtf")[0].text == "The depot opens at seven.\ncafé"

    @pytest.mark.parametrize("name", ["letter", "letter.txt", "letter.md", "letter.html", "letter.json"])
    @pytest.mark.parametrize("form", ["pdf", "rtf", "docx", "xlsx", "pptx", "epub"])
    def test_what_a_file_is_its_content_says_whatever_its_name(self, form: str, name: str) -> None:
        made = {
            "pdf": lambda: pdf([(50, 700, "x")]),
            "rtf": lambda: rb"{\rtf1 x}",
            "docx": docx,
            "xlsx": xlsx,
            "pptx": pptx,
            "epub": lambda: epub({"a": "<p>x"}),
        }
        assert read(put(name, made[form]()))[0].metadata["format"] == form

    @pytest.mark.parametrize(
        ("name", "data", "form"),
        [
            (
                "ascii.pdf",
                b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\nstream\nBT (Hello) Tj ET\nendstream\n",
                "PDF",
            ),
            ("a.docx", archive({"word/document.xml": "<broken"}), "DOCX"),
            ("a.xlsx", archive({"xl/workbook.xml": "<broken"}), "XLSX"),
            ("a.pptx", archive({"ppt/presentation.xml": "<broken"}), "PPTX"),
            ("a.epub", archive({"META-INF/container.xml": "<broken"}), "EPUB"),
            (
                "a.epub",
                archive({"META-INF/container.xml": "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"}),
                "EPUB|entities",
            ),
            ("a.epub", epub({"a": "<p>x"}, **{"META-INF/rights.xml": ""}), "locked"),
            ("empty.pdf", pdf([]), "PDF file without text; if it shows pictures of text, run OCR"),
            ("a.pdf", b"no pdf at all", "PDF"),
            ("a.docx", b"no archive", "zip-based file that cannot be read"),
        ],
    )
    def test_a_damaged_one_is_a_clear_error_with_a_way_out(self, name: str, data: bytes, form: str) -> None:
        with pytest.raises(InputError, match=form):
            read(put(name, data))

    @pytest.mark.parametrize(
        ("name", "form", "package"),
        [
            ("a.pdf", "PDF", "pypdfium2"),
            ("a.docx", "DOCX", "mammoth"),
            ("a.xlsx", "XLSX", "openpyxl"),
            ("a.pptx", "PPTX", "python-pptx"),
            ("a.rtf", "RTF", "striprtf"),
        ],
    )
    def test_without_the_extra_the_error_names_format_and_command(
        self, name: str, form: str, package: str, monkeypatch
    ) -> None:
        monkeypatch.setattr(containers, "find_spec", lambda module: None)
        put(f"d/{name}", b"x"), put("d/b.txt", "b")
        with pytest.raises(
            InputError, match=rf"a\..* is an? {form} file; that needs {package}: pip install 'fieldpack\[files\]'"
        ) as caught:
            read(f"d/{name}")
        assert isinstance(caught.value, MissingExtraError)
        outcome = read_files("d")
        assert [d.id for d in outcome.documents] == ["d/b.txt"]
        assert outcome.summary() == "read 1 file; skipped 1: 1 in need of fieldpack[files]"

    def test_epub_needs_no_extra(self, monkeypatch) -> None:
        monkeypatch.setattr(containers, "find_spec", lambda module: None)
        assert read_bytes("a.epub", epub({"a": "<p>x"})).documents[0].text == "x"

    def test_every_converter_is_a_package_that_is_there(self) -> None:
        assert all(importlib.util.find_spec(module) for module, _ in containers.PACKAGES.values())

    @pytest.mark.parametrize("kind", ["docx", "xlsx", "pptx", "epub"])
    def test_an_archive_that_unpacks_to_much_is_refused_before_it_is_unpacked(self, kind: str) -> None:
        inside = {
            "docx": "word/document.xml",
            "xlsx": "xl/workbook.xml",
            "pptx": "ppt/presentation.xml",
            "epub": "META-INF/container.xml",
        }
        bomb = archive({inside[kind]: " " * (20 << 20)})
        with pytest.raises(InputError, match=r"unpacks to 20,971,520 bytes in 1 entries; that is no document to read"):
            read_bytes(f"a.{kind}", bomb)
