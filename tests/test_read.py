"""Reading: every kind of file, every way it can be bad, and nothing lost without a word."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.errors import InputError
from fieldpack.text.html import html_text
from fieldpack.text.read import read
from fieldpack.text.records import stream_records
from fieldpack.text.segment import segment


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def put(name: str, content: str | bytes) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("a.txt", "plain"),
            ("a.MD", "markdown"),
            ("a.rst", "rst"),
            ("a.py", "python"),
            ("a.rs", "code"),
            ("Makefile", "code"),
        ],
    )
    def test_text_is_verbatim_and_named_by_its_path(self, name: str, kind: str) -> None:
        text = "# Title\r\n\r\nline\rmore é🙂\n"
        (document,) = read([put(name, text)])
        assert (document.id, document.text, document.title) == (name, text, "")
        assert document.metadata == {"path": name, "kind": kind}

    def test_a_name_that_says_nothing_has_no_kind(self) -> None:
        (document,) = read([put("notes", "x")])
        assert document.metadata == {"path": "notes"}

    def test_order_is_that_of_the_call_and_pathlib_paths_are_taken(self) -> None:
        put("b.txt", "b"), put("d/a.txt", "a")
        assert [d.id for d in read([Path("d/a.txt"), "b.txt"])] == ["d/a.txt", "b.txt"]

    def test_byte_order_marks_are_understood(self) -> None:
        put("a.txt", b"\xef\xbb\xbfx\xc3\xa9"), put("b.txt", "xé".encode("utf-16")), put("c.txt", b"\xfe\xff\0x\0\xe9")
        assert [d.text for d in read(["a.txt", "b.txt", "c.txt"])] == ["xé"] * 3

    def test_empty_files_are_documents(self) -> None:
        assert [d.text for d in read([put("a.txt", ""), put("b.md", " \n")])] == ["", " \n"]

    def test_a_path_given_twice_is_read_once_and_said(self) -> None:
        put("d/a.txt", "x")
        said: list[tuple[str, str]] = []
        assert len(read(["d", "d/a.txt", "./d/a.txt"], on_skip=lambda *a: said.append(a))) == 1
        assert said == [("d/a.txt", "already read"), ("d/a.txt", "already read")]


class TestBadInput:
    def test_no_paths(self) -> None:
        with pytest.raises(InputError, match="no files given"):
            read([])

    def test_a_missing_file(self) -> None:
        with pytest.raises(InputError, match=r"no such file or folder: absent\.txt"):
            read(["absent.txt"])

    def test_a_binary_file(self) -> None:
        with pytest.raises(InputError, match=r"a\.txt is a binary file \(NUL byte at offset 2\)"):
            read([put("a.txt", b"ab\0c")])

    def test_a_wrong_encoding_names_file_place_and_way_out(self) -> None:
        put("latin.md", "caf\xe9".encode("latin-1"))
        with pytest.raises(
            InputError, match=r"latin\.md is not UTF-8: byte 0xe9 at offset 3.*--encoding-errors replace"
        ):
            read(["latin.md"])
        assert read(["latin.md"], encoding_errors="replace")[0].text == "caf\ufffd"
        assert read(["latin.md"], encoding_errors="ignore")[0].text == "caf"

    def test_a_cut_utf_16_file(self) -> None:
        with pytest.raises(InputError, match="is not UTF-16"):
            read([put("a.txt", b"\xff\xfex\0\x00")])

    def test_encoding_errors_that_would_let_bad_text_in(self) -> None:
        with pytest.raises(InputError, match="allowed: strict, replace, ignore"):
            read([put("a.txt", "x")], encoding_errors="surrogateescape")

    def test_an_unreadable_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(self: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

        put("a.txt", "x")
        monkeypatch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(InputError, match=r"cannot read a\.txt: Permission denied"):
            read(["a.txt"])


class TestFolders:
    def test_recursive_sorted_and_what_is_left_out_is_said(self) -> None:
        for name in ("d/b.md", "d/a/z.txt", "d/a.py", "d/.hidden", "d/.git/x.txt", "d/node_modules/x.js"):
            put(name, "x")
        (
            put("d/photo.png", b"\x89PNG\0\0"),
            put("d/blob", b"\0\1"),
            put("d/env2/pyvenv.cfg", ""),
            put("d/env2/x.py", "x"),
        )
        put("d/odd", b"\xff\xfe\xfd"), put("d/config.json", "{}")
        said: dict[str, str] = {}
        documents = read(["d"], on_skip=said.__setitem__)
        assert [d.id for d in documents] == ["d/a.py", "d/b.md", "d/a/z.txt"]
        assert set(said) == {
            *("d/.hidden", "d/.git", "d/node_modules", "d/photo.png", "d/blob", "d/env2", "d/odd", "d/config.json")
        }
        assert "binary" in said["d/photo.png"] and "no text" in said["d/config.json"]

    def test_a_text_file_in_a_wrong_encoding_is_an_error_even_in_a_folder(self) -> None:
        put("d/a.md", "x"), put("d/latin.md", b"caf\xe9")
        with pytest.raises(InputError, match=r"d/latin\.md is not UTF-8"):
            read(["d"])

    def test_links_do_not_loop(self) -> None:
        put("d/a.txt", "x")
        os.symlink("..", "d/loop")
        os.symlink("nowhere", "d/broken.txt")
        said: dict[str, str] = {}
        assert [d.id for d in read(["d"], on_skip=said.__setitem__)] == ["d/a.txt"]
        assert said == {"d/broken.txt": "not a regular file", "d/loop": "link to a folder"}


class TestStandardInput:
    def test_bytes_and_text(self) -> None:
        binary = io.TextIOWrapper(io.BytesIO("# é".encode()), encoding="ascii")
        (document,) = read(["-"], stdin=binary)
        assert (document.id, document.text) == ("-", "# é")
        assert read(["-"], stdin=io.StringIO("x"))[0].text == "x"

    def test_what_is_no_text_is_refused(self) -> None:
        with pytest.raises(InputError, match="standard input is not UTF-8"):
            read(["-"], stdin=io.TextIOWrapper(io.BytesIO(b"caf\xe9")))


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

    def test_bad_json_says_where(self) -> None:
        with pytest.raises(InputError, match=r"r\.jsonl is not valid JSON: .* at line 2, column 9"):
            read([put("r.jsonl", '{"text": "x"}\n{"text" "y"}\n')])
        with pytest.raises(InputError, match=r"r\.json is not valid JSON: .* at line 3"):
            read([put("r.json", '[\n{"text": "x"},\n{]\n')])

    def test_a_record_without_text_says_which_and_what_it_has(self) -> None:
        with pytest.raises(InputError, match=r"r\.jsonl line 2: no text \(keys found: id, txt; allowed: text, content"):
            read([put("r.jsonl", '{"text": "x"}\n{"id": 1, "txt": "y"}')])
        with pytest.raises(InputError, match=r"r\.json record 1: found int"):
            read([put("r.json", "[3]")])

    def test_one_id_twice_names_both_places(self) -> None:
        put("r.jsonl", '{"id": "a", "text": "x"}\n\n{"id": "a", "text": "y"}')
        with pytest.raises(InputError, match=r"id 'a': r\.jsonl line 1 and r\.jsonl line 3"):
            read(["r.jsonl"])

    def test_json_that_would_exhaust_the_stack_or_the_clock(self) -> None:
        with pytest.raises(InputError, match="nested too deeply"):
            read([put("deep.json", "[" * 200_000)])
        with pytest.raises(InputError, match=r"big\.json is not usable JSON"):
            read([put("big.json", '{"text": "x", "n": ' + "9" * 10_000 + "}")])

    def test_a_record_knows_no_kind_so_its_text_is_looked_at(self) -> None:
        documents = read([put("r.json", json.dumps([{"text": "# H\n\ntext"}]))])
        assert len(segment(documents, "paragraph")) == 1


class TestNotebooks:
    def test_cells_become_markdown_without_outputs(self) -> None:
        cells = [
            {"cell_type": "markdown", "source": ["# Title\n", "text"]},
            {"cell_type": "code", "source": "x = 1\n\ny = '```'\n", "outputs": [{"data": {"image/png": "AAAA"}}]},
            {"cell_type": "code", "source": []},
            {"cell_type": "raw", "source": ["raw", 3]},
            "odd",
        ]
        (document,) = read([put("n.ipynb", json.dumps({"cells": cells, "metadata": {"language_info": {"name": "r"}}}))])
        assert document.text == "# Title\ntext\n\n````r\nx = 1\n\ny = '```'\n````\n\nraw"
        assert document.metadata == {"path": "n.ipynb", "kind": "markdown"}

    def test_old_notebooks_have_worksheets(self) -> None:
        sheet = {"cells": [{"cell_type": "heading", "level": 2, "source": "H"}, {"cell_type": "code", "input": ["x"]}]}
        assert read([put("n.ipynb", json.dumps({"worksheets": [sheet]}))])[0].text == "## H\n\n```python\nx\n```"

    @pytest.mark.parametrize("content", ["{}", "[]", '{"cells": 3}', "{"])
    def test_what_is_no_notebook_is_refused_by_name_and_skipped_in_a_folder(self, content: str) -> None:
        with pytest.raises(InputError, match=r"n\.ipynb is (no Jupyter notebook|not valid JSON)"):
            read([put("d/n.ipynb", content)])
        assert read(["d"]) == ()


class TestHtml:
    PAGE = """<!doctype html><html><head><title>A &amp; B</title><style>p{}</style><script>a<b "</p>"</script></head>
    <body><nav>Menu</nav><h1>Top <i>one</i></h1><p>First   line<br>second.</p><!-- <p>no</p> --><h2>Sub</h2>
    <ul><li>a</li><li><p>b</p><li>c</ul><pre>x = 1

y = "<b>"</pre><table><tr><th>h</th><td>1 &lt; 2</td></tr><tr><td>3<td>4</table>
    <svg><text>no</text></svg><noscript>no</noscript>tail<p hidden='a>b'>last</body></html>"""

    def test_visible_text_with_headings_and_blocks(self) -> None:
        (document,) = read([put("p.html", self.PAGE)])
        assert document.title == "A & B" and document.metadata["kind"] == "html"
        assert document.text == (
            'Menu\n\n# Top one\n\nFirst line\nsecond.\n\n## Sub\n\n- a\n- b\n\n- c\n\n```\nx = 1\n\ny = ""\n```\n\n'
            "h | 1 < 2\n3 | 4\n\ntail\n\nlast"
        )
        kinds = [s.kind for s in segment([document], "sentence")]
        assert kinds.count("heading") == 2 and "code" in kinds and "list" in kinds

    def test_the_encoding_that_a_page_declares(self) -> None:
        page = '<html><meta http-equiv="x" content="text/html; charset=ISO-8859-1"><p>caf\xe9'.encode("latin-1")
        assert read([put("p.html", page)])[0].text == "café"
        for charset in (b"nonsense", b"base64", b"utf-8", b"utf-16"):
            with pytest.raises(InputError, match="not UTF-8"):
                read([put("p.html", page.replace(b"ISO-8859-1", charset))])

    @given(st.text(alphabet=st.sampled_from("<>/!-?&;'\"= abp\n`é")) | st.text())
    def test_any_string_gives_text(self, html: str) -> None:
        title, text = html_text(html)
        assert text == text.strip()
        assert not title or "<title" in html.lower()

    @given(st.lists(st.text(alphabet="abc é漢.,", min_size=1).filter(str.strip), min_size=1, max_size=5))
    def test_words_survive(self, paragraphs: list[str]) -> None:
        html = "".join(f"<div><p class='x'>{p}</p></div>" for p in paragraphs)
        assert html_text(html)[1].split() == " ".join(paragraphs).split()

    HOSTILE = (
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
        "<td>",
        "<pre>`",
    )

    @pytest.mark.parametrize("piece", HOSTILE)
    def test_hostile_repetition(self, piece: str) -> None:
        """A second for all of these when every step is linear; hours when one is quadratic."""
        html_text((piece * 300_000)[:300_000])

    def test_what_follows_a_tag_that_never_ends_is_kept(self) -> None:
        assert html_text("<p>a <b class='x>kept <i kept")[1] == "a kept <i kept"


class TestStreams:
    LINES = ('{"id": 1, "text": "One."}\n', "\n", '{"text": "Two.", "title": "T", "page": 3}\n', '"Three."')

    def test_a_stream_of_lines_has_the_documents_of_the_file(self) -> None:
        put("notes.jsonl", "".join(self.LINES))
        with Path("notes.jsonl").open(encoding="utf-8") as lines:
            streamed = list(stream_records(lines, "notes.jsonl"))
        assert [(d.id, d.text, d.title) for d in streamed] == [(d.id, d.text, d.title) for d in read(["notes.jsonl"])]

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
