"""Reading: files, folders and standard input; charsets; ids; nothing lost without a word."""

from __future__ import annotations

import io
import json
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import put

import fieldpack
from fieldpack.errors import InputError
from fieldpack.files.charset_names import checked_charset
from fieldpack.files.charsets import decode
from fieldpack.files.model import FilesRead, ReadOptions
from fieldpack.files.read import read, read_bytes, read_files
from fieldpack.files.source import existing_path


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def skips(outcome: FilesRead) -> dict[str, str]:
    return {skipped.path: skipped.sort for skipped in outcome.skipped}


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("a.MD", "markdown"),
            ("a.csv", "csv"),
            ("a.toml", "config"),
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

    def test_one_function_under_all_its_names(self) -> None:
        assert read is fieldpack.read

    @pytest.mark.parametrize("name", ["notes", "a.txt", "a.log", "README"])
    def test_a_name_that_does_not_say_how_a_text_is_written_gives_no_kind(self, name: str) -> None:
        (document,) = read([put(name, "x")])
        assert document.metadata == {"path": name}

    def test_order_is_that_of_the_call_and_pathlib_paths_are_taken(self) -> None:
        put("b.txt", "b"), put("d/a.txt", "a")
        assert [d.id for d in read([Path("d/a.txt"), "b.txt"])] == ["d/a.txt", "b.txt"]

    @pytest.mark.parametrize("path", ["a.txt", Path("a.txt")])
    def test_one_path_need_not_be_a_list(self, path: str | Path) -> None:
        put("a.txt", "x")
        assert [d.id for d in read(path)] == ["a.txt"]

    def test_empty_files_are_documents(self) -> None:
        assert [d.text for d in read([put("a.txt", ""), put("b.md", " \n")])] == ["", " \n"]

    def test_a_path_given_twice_is_read_once_and_said(self) -> None:
        put("d/a.txt", "x")
        said: list[tuple[str, str]] = []
        assert len(read(["d", "d/a.txt", "./d/a.txt"], on_skip=lambda *a: said.append(a))) == 1
        assert said == [("d/a.txt", "already read"), ("d/a.txt", "already read")]

    def test_bytes_that_the_caller_has_are_read_by_their_name_and_nothing_is_opened(self) -> None:
        outcome = read_bytes("absent/page.html", b"<title>T</title><nav>N</nav><p>x")
        assert [(d.id, d.title, d.text) for d in outcome.documents] == [("absent/page.html", "T", "x")]
        assert outcome.notes[0].text == "left out: navigation (1)"

    @pytest.mark.parametrize("spelling", ["NFC", "NFD"])
    @pytest.mark.parametrize("asked", ["NFC", "NFD"])
    def test_names_are_found_in_either_spelling_of_their_letters(self, spelling: str, asked: str) -> None:
        name = "Übung/Ärger é.md"
        stored = put(unicodedata.normalize(spelling, name), "x")
        (document,) = read([unicodedata.normalize(asked, name)])
        assert document.text == "x" and document.id == stored

    @given(st.text(max_size=30))
    def test_looking_for_a_spelling_never_fails(self, path: str) -> None:
        assert unicodedata.normalize("NFC", existing_path(path)) == unicodedata.normalize("NFC", path)


class TestBadInput:
    @pytest.mark.parametrize("paths", [[], ()])
    def test_no_paths(self, paths) -> None:
        with pytest.raises(InputError, match="no files given"):
            read(paths)

    @pytest.mark.parametrize("paths", ["", [""], ["a.txt", ""]])
    def test_an_empty_path_is_not_the_current_folder(self, paths) -> None:
        put("a.txt", "x")
        with pytest.raises(InputError, match=r"an empty path was given; name a file or folder, \. for this folder"):
            read(paths)

    @pytest.mark.parametrize("path", ["absent.txt", "a\0b.txt", "x" * 5000, "a.txt/b.txt"])
    def test_a_missing_or_impossible_file_is_one_clear_error(self, path: str) -> None:
        put("a.txt", "x")
        with pytest.raises(InputError, match=r"no such file or folder: absent\.txt|cannot read "):
            read([path])

    @pytest.mark.parametrize("data", [b"ab\0c", b"\xffa\x01\x02\x03\x04\x05\x06\x07" * 9, b"\x89PNG\r\n\x1a\n1234"])
    def test_a_binary_file(self, data: bytes) -> None:
        with pytest.raises(InputError, match=r"a\.txt is (a binary file|a PNG image).*; give text"):
            read([put("a.txt", data)])

    @pytest.mark.parametrize(
        ("data", "what"), [(b"\x1f\x8b\x08\0", "a gzip archive; unpack it"), (b"PAR1\0", "Parquet")]
    )
    def test_a_known_format_that_is_not_read_is_called_by_its_name(self, data: bytes, what: str) -> None:
        with pytest.raises(InputError, match=what):
            read([put("notes", data)])

    def test_a_cut_utf_16_file(self) -> None:
        with pytest.raises(InputError, match="is not UTF-16"):
            read([put("a.txt", b"\xff\xfex\0\x00")])

    def test_encoding_errors_that_would_let_bad_text_in(self) -> None:
        with pytest.raises(InputError, match="allowed: strict, replace, ignore"):
            read([put("a.txt", "x")], encoding_errors="surrogateescape")

    def test_an_unreadable_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*arguments: object) -> int:
            raise PermissionError(13, "Permission denied")

        put("a.txt", "x")
        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(InputError, match=r"cannot read a\.txt: Permission denied"):
            read(["a.txt"])

    @pytest.mark.parametrize("path", ["/dev/zero", "/dev/tty", "pipe"])
    def test_devices_and_pipes_are_refused_without_waiting_for_them(self, path: str) -> None:
        os.mkfifo("pipe")
        with pytest.raises(InputError, match=r"is no regular file|cannot read /dev/tty"):
            read([path])

    def test_the_pipe_of_a_shell_is_read(self) -> None:
        out, into = os.pipe()
        os.write(into, b"from a command")
        os.close(into)
        assert read([f"/dev/fd/{out}"])[0].text == "from a command"
        os.close(out)

    def test_a_file_is_not_read_beyond_the_limit(self) -> None:
        put("a.txt", "x" * 11)
        with pytest.raises(InputError, match=r"a\.txt has more than 10 bytes; split it"):
            read_files("a.txt", ReadOptions(max_bytes=10))
        assert read_files("a.txt", ReadOptions(max_bytes=11)).documents[0].text == "x" * 11

    def test_endless_standard_input_ends_at_the_limit(self) -> None:
        class Endless(io.RawIOBase):
            def readable(self) -> bool:
                return True

            def readinto(self, buffer: bytearray) -> int:
                buffer[:] = b"x" * len(buffer)
                return len(buffer)

        with pytest.raises(InputError, match="standard input has more than 9,999 bytes"):
            read_files("-", ReadOptions(max_bytes=9_999), stdin=io.TextIOWrapper(io.BufferedReader(Endless())))


class TestFolders:
    def test_recursive_sorted_and_what_is_left_out_is_said(self) -> None:
        for name in ("d/b.md", "d/a/z.txt", "d/a.py", "d/.hidden", "d/.git/x.txt", "d/node_modules/x.js"):
            put(name, "x")
        put("d/photo.png", b"\x89PNG\0\0"), put("d/blob", b"\0\1"), put("d/odd", b"\xff\xfe\xfd")
        put("d/env2/pyvenv.cfg", ""), put("d/env2/x.py", "x")
        outcome = read_files("d")
        assert [d.id for d in outcome.documents] == ["d/a.py", "d/b.md", "d/a/z.txt"]
        assert skips(outcome) == {
            "d/.hidden": "hidden",
            "d/.git": "hidden",
            "d/node_modules": "package or cache folders",
            "d/env2": "package or cache folders",
            "d/photo.png": "binary",
            "d/blob": "binary",
            "d/odd": "unreadable",
        }
        assert outcome.summary() == (
            "read 3 files; skipped 7: 2 hidden, 2 package or cache folders, 2 binary, 1 unreadable"
        )
        assert len(outcome.lines()) == 7 and "skipped d/blob: d/blob is a binary file" in outcome.lines()[4]

    def test_one_bad_file_of_any_sort_never_stops_a_folder(self) -> None:
        bad = {
            "cut.json": b'{"text": ',
            "cut.jsonl": b'{"text": "x"}\n{',
            "n.ipynb": b'{"worksheets":[{"cells":5}]}',
            "a.pdf": b"%PDF-1.4 broken",
            "b.docx": b"PK\x03\x04 broken",
            "twice.jsonl": b'{"id": 1, "text": "x"}\n{"id": 1, "text": "y"}',
            "utf16.txt": b"\xff\xfex",
        }
        for name, data in bad.items():
            put(f"d/{name}", data)
        put("d/good.txt", "good"), put("d/latin.md", b"caf\xe9")
        outcome = read_files("d")
        assert {d.id: d.text for d in outcome.documents} == {"d/good.txt": "good", "d/latin.md": "café"}
        assert set(skips(outcome)) == {f"d/{name}" for name in bad}
        assert all(skipped.reason.startswith((skipped.path, "two documents")) for skipped in outcome.skipped)

    def test_a_folder_that_may_not_be_listed_is_skipped_inside_and_an_error_outside(self, monkeypatch) -> None:
        put("d/a.txt", "x"), put("d/closed/b.txt", "x")
        listing = os.scandir

        def scandir(path: str = "."):
            if str(path).endswith("closed"):
                raise PermissionError(13, "Permission denied", str(path))
            return listing(path)

        monkeypatch.setattr(os, "scandir", scandir)
        outcome = read_files("d")
        assert [d.id for d in outcome.documents] == ["d/a.txt"] and skips(outcome) == {"d/closed": "unreadable"}
        with pytest.raises(InputError, match="cannot read folder d/closed: Permission denied"):
            read("d/closed")

    def test_links_do_not_loop(self) -> None:
        put("d/a.txt", "x")
        os.symlink("..", "d/loop")
        os.symlink("nowhere", "d/broken.txt")
        os.mkfifo("d/pipe.txt")
        outcome = read_files("d")
        assert [d.id for d in outcome.documents] == ["d/a.txt"]
        assert skips(outcome) == {
            "d/broken.txt": "not regular",
            "d/pipe.txt": "not regular",
            "d/loop": "linked",
        }

    def test_nothing_to_tell_is_no_summary(self) -> None:
        put("d/a.txt", "x")
        assert read_files("d").summary() == ""


class TestIgnored:
    def test_gitignore_files_count_from_where_they_lie_and_deeper_ones_go_before(self) -> None:
        put(".git/info/exclude", "secret.txt\n")
        put(".gitignore", "build/\n*.log\n!keep.log\n/top.md\n")
        put("docs/.gitignore", "!loud.log\ndraft*\n")
        names = (
            "build/a.txt docs/build/b.txt x.log keep.log top.md docs/top.md docs/loud.log docs/draft-1.md secret.txt"
        )
        for name in names.split():
            put(name, "x")
        assert [d.id for d in read("docs")] == ["docs/loud.log", "docs/top.md"]
        assert [d.id for d in read(".")] == ["keep.log", "docs/loud.log", "docs/top.md"]
        assert skips(read_files("."))["build"] == "ignored by .gitignore"

    def test_everything_reads_ignored_hidden_and_package_files_but_no_version_control(self) -> None:
        put(".gitignore", "*.log"), put("a.log", "x"), put(".env", "x"), put("venv/b.txt", "x"), put(".git/c", "x")
        assert [d.id for d in read(".", everything=True)] == [".env", ".gitignore", "a.log", "venv/b.txt"]

    def test_a_file_that_is_named_is_read_although_it_is_ignored(self) -> None:
        put(".gitignore", "*.log"), put("a.log", "x")
        assert [d.id for d in read("a.log")] == ["a.log"]

    def test_a_folder_that_is_named_is_read_although_it_is_ignored_above(self) -> None:
        put(".git/HEAD", ""), put(".gitignore", "out/"), put("out/a.txt", "x")
        assert [d.id for d in read("out")] == ["out/a.txt"] and read(".") == ()

    @pytest.mark.parametrize("rules", [b"\xff\xfe\0", b"[a\n!\n/\n\\\n", b"*a" * 20 + b"\n", b"x" * 5000])
    def test_odd_rules_are_passed_over(self, rules: bytes) -> None:
        put(".gitignore", rules + b"\nskip.txt\n"), put("skip.txt", "x"), put("a" * 200 + ".txt", "x")
        assert [d.id for d in read(".")] == ["a" * 200 + ".txt"]


class TestCharsets:
    def test_byte_order_marks_are_understood(self) -> None:
        texts = {charset: "xé漢\n" for charset in ("utf-8-sig", "utf-16", "utf-32")}
        files = [put(f"{charset}.txt", text.encode(charset)) for charset, text in texts.items()]
        files.append(put("be.txt", b"\xfe\xff\0x\0\xe9")), files.append(put("be32.txt", b"\0\0\xfe\xff\0\0\0x"))
        assert [d.text for d in read(files)] == ["xé漢\n"] * 3 + ["xé", "x"]

    @pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be"])
    def test_utf_16_without_a_mark_is_seen_by_its_zeros(self, charset: str) -> None:
        outcome = read_files(put("a.txt", "The depot opens at 7 – café.".encode(charset)))
        assert outcome.documents[0].text == "The depot opens at 7 – café."
        assert "no byte order mark" in outcome.notes[0].text

    @pytest.mark.parametrize(
        ("text", "charset"),
        [
            ("Name;Straße\nMüller;Hauptstr. 5\n", "cp1252"),
            ("café", "cp1252"),
            ("Preis: 5 € – „gut“", "cp1252"),
            ("Le dépôt ouvre à sept heures; c’est fermé à Noël.", "cp1252"),
            ("Хранилище открывается в семь часов утра. Магазин закрыт.", "cp1251"),
            ("Хранилище открывается в семь часов утра. Магазин закрыт.", "koi8-r"),
            ("Magazyn otwiera się o siódmej. Sklep jest zamknięty w niedzielę, żółć.", "cp1250"),
            ("Η αποθήκη ανοίγει στις επτά. Το κατάστημα κλείνει.", "cp1253"),
            ("倉庫は七時に開きます。店は日曜日に閉まっています。", "cp932"),
            ("仓库七点开门。商店星期天关闭。请联系经理。", "gbk"),
            ("창고는 일곱 시에 문을 엽니다. 가게는 일요일에 닫습니다.", "cp949"),
        ],
    )
    def test_what_is_no_utf_8_is_read_in_its_charset_and_said(self, text: str, charset: str) -> None:
        outcome = read_files(put("a.csv", text.encode(charset)))
        assert outcome.documents[0].text == text
        assert outcome.documents[0].metadata["charset"] != "utf-8"
        assert outcome.notes[0].text.startswith("is not UTF-8; read as ")
        assert outcome.summary() == "read 1 file; noted: 1 in another charset than UTF-8"

    def test_one_odd_byte_late_in_a_large_file_is_no_reason_to_lose_it(self) -> None:
        text = "The depot opens at seven.\n" * 20_000 + "M\xfcller\n"
        assert read([put("a.txt", text.encode("latin-1"))])[0].text == text

    def test_the_caller_may_name_the_charset(self) -> None:
        put("a.txt", "Größe".encode("cp850")), put("b.txt", "Größe".encode("utf-16"))
        assert [d.text for d in read(["a.txt", "b.txt"], charset="cp850")] == ["Größe"] * 2
        with pytest.raises(
            InputError, match=r"a\.txt is not UTF-8: byte 0x94 at offset 2; name another with --charset"
        ):
            read("a.txt", charset="utf-8")

    def test_a_charset_does_not_make_a_picture_a_text(self) -> None:
        with pytest.raises(InputError, match="binary file"):
            read(put("a.txt", b"x\0y"), charset="latin-1")

    @pytest.mark.parametrize("name", ["undefined", "base64", "rot13", "unicode_escape", "idna", "", "no such", "utf\0"])
    def test_what_is_no_charset_is_refused(self, name: str) -> None:
        with pytest.raises(InputError, match=r"charset .* is not known"):
            ReadOptions(charset=name)

    def test_replace_and_ignore_read_on_as_utf_8(self) -> None:
        put("latin.md", b"caf\xe9")
        assert read(["latin.md"], encoding_errors="replace")[0].text == "caf\ufffd"
        assert read(["latin.md"], encoding_errors="ignore")[0].text == "caf"

    @pytest.mark.parametrize(
        ("name", "data", "text"),
        [
            ("a.py", b"# -*- coding: latin-1 -*-\nx = '\xe9'", "# -*- coding: latin-1 -*-\nx = 'é'"),
            (
                "a.xml",
                b"<?xml version='1.0' encoding='koi8-r'?><a>\xc1</a>",
                "<?xml version='1.0' encoding='koi8-r'?><a>а</a>",
            ),
            ("a.html", b"<?xml version='1.0' encoding='cp1251'?><p>\xe0", "а"),
            ("a.html", b"<meta charset=iso-8859-9><p>\xfd\x80", "ı€"),  # as browsers have it, Latin 5 is windows-1254
            ("a.html", b'<meta http-equiv=x content="text/html; charset=Shift_JIS"><p>\x93\xfa', "日"),
        ],
    )
    def test_a_file_may_declare_its_charset(self, name: str, data: bytes, text: str) -> None:
        assert read([put(name, data)])[0].text == text

    @pytest.mark.parametrize(
        "charset", [b"undefined", b"base64", b"utf-7", b"unicode_escape", b"utf-16", b"hz-gb-2312", b"x"]
    )
    @pytest.mark.parametrize("name", ["a.html", "a.py"])
    def test_only_charsets_that_browsers_honour_may_be_declared(self, name: str, charset: bytes) -> None:
        data = (
            b"<meta charset=%s><p>+ADw- \xc3\xa9" % charset if name == "a.html" else b"# coding: %s\n\xc3\xa9" % charset
        )
        assert read([put(name, data)])[0].text.endswith("é")

    @given(st.binary(max_size=300), st.sampled_from([None, "html", "python", "code"]))
    def test_any_bytes_are_a_text_or_the_clear_error(self, data: bytes, kind: str | None) -> None:
        try:
            decoded = decode("a.txt", data, kind, ReadOptions())
        except InputError as error:
            assert str(error).startswith("a.txt")
        else:
            assert checked_charset(decoded.charset) and isinstance(decoded.text, str)

    @given(st.text(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
    def test_unicode_survives(self, text: str, charset: str) -> None:
        if text.startswith("\ufeff") or "\0" in text:
            return
        decoded = decode("a.txt", text.encode(charset, "ignore"), None, ReadOptions())
        if "\x1b$" not in text:
            assert decoded.text == text.encode("utf-8", "ignore").decode()


class TestIds:
    def test_an_id_that_two_files_have_is_qualified_by_its_file(self) -> None:
        put("d/a.jsonl", '{"id": 1, "text": "x"}\n{"id": 2, "text": "y"}')
        put("d/b.jsonl", '{"id": 1, "text": "z"}')
        outcome = read_files("d")
        assert [(d.id, d.text) for d in outcome.documents] == [("d/a.jsonl#1", "x"), ("2", "y"), ("d/b.jsonl#1", "z")]
        assert outcome.notes[0].text == "1 id is in two files and more; qualified by the file: path#id"

    def test_a_record_that_is_named_like_a_file_does_not_take_its_id(self) -> None:
        put("a.txt", "file"), put("r.jsonl", '{"id": "a.txt", "text": "record"}')
        assert {d.id: d.text for d in read(["r.jsonl", "a.txt"])} == {"r.jsonl#a.txt": "record", "a.txt": "file"}

    def test_one_id_twice_in_a_file_names_both_places(self) -> None:
        put("r.jsonl", '{"id": "a", "text": "x"}\n\n{"id": "a", "text": "y"}')
        with pytest.raises(InputError, match=r"id 'a': r\.jsonl line 1 and r\.jsonl line 3"):
            read(["r.jsonl"])

    @given(
        st.lists(st.lists(st.sampled_from(["1", "2", "a.jsonl#1", "b.jsonl#1", "b.jsonl"]), unique=True), max_size=3)
    )
    def test_ids_are_unique_and_no_record_is_lost(self, files: list[list[str]]) -> None:
        names = [f"{letter}.jsonl" for letter in "abc"[: len(files)]]
        for name, ids in zip(names, files, strict=True):
            put(name, "\n".join(json.dumps({"id": i, "text": f"{name} {i}"}) for i in ids))
        if names:
            documents = read(names)
            assert len({d.id for d in documents}) == len(documents) == sum(map(len, files))
            assert [d.text for d in documents] == [f"{n} {i}" for n, ids in zip(names, files, strict=True) for i in ids]


class TestStandardInput:
    def test_bytes_and_text(self) -> None:
        binary = io.TextIOWrapper(io.BytesIO("# é".encode()), encoding="ascii")
        (document,) = read(["-"], stdin=binary)
        assert (document.id, document.text) == ("-", "# é")
        assert read(["-"], stdin=io.StringIO("x"))[0].text == "x"

    def test_another_charset_is_detected_there_too(self) -> None:
        assert read(["-"], stdin=io.TextIOWrapper(io.BytesIO(b"caf\xe9")))[0].text == "café"

    def test_what_is_no_text_is_refused(self) -> None:
        with pytest.raises(InputError, match="standard input is a binary file"):
            read(["-"], stdin=io.TextIOWrapper(io.BytesIO(b"caf\0")))


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    [
        "Запасной ключ висит за котлом.\nПосетители входят через ворота.\n",
        "备用钥匙挂在锅炉后面。\n访客在门口签到。\n",
        "المفتاح الاحتياطي خلف المرجل.\nيوقع الزوار عند البوابة.\n",
        "day,count\n1,20\n2,31\n3,7\n",
    ],
)
def test_utf_16_without_a_mark_is_read_in_every_script(tmp_path: Path, text: str, charset: str) -> None:
    (tmp_path / "note.txt").write_bytes(text.encode(charset))
    (document,) = read(tmp_path / "note.txt")
    assert document.text == text and document.metadata["charset"] == charset
