"""What people see in a text of every kind: which lines belong together, and what has to travel with what."""

from __future__ import annotations

import json

import pytest
from test_structure import assert_sound

from fieldpack.text.structure.model import BLOCKS, ROLES
from fieldpack.text.structure.reader import read_structure


class Read:
    """A structure with its text, for tests: atoms are shown as their text."""

    def __init__(self, text: str, name: str = "") -> None:
        self.text = text
        self.s = read_structure(text, name=name)
        assert_sound(self.s, text)

    def show(self, atom: int) -> str:
        return self.text[self.s.start[atom] : self.s.end[atom]]

    @property
    def atoms(self) -> list[str]:
        return [self.show(i) for i in range(len(self.s))]

    def of(self, part: str) -> int:
        """The number of the only atom that holds the part."""
        hits = [i for i, atom in enumerate(self.atoms) if part in atom]
        assert len(hits) == 1, (part, [self.show(i) for i in hits])
        return hits[0]

    def chain(self, part: str) -> list[str]:
        """The atoms that go with the one that holds the part, nearest first."""
        return [self.show(i) for i in self.s.contexts(self.of(part))]

    def path(self, part: str) -> list[str]:
        return [self.show(i) for i in self.s.path(self.of(part))]

    def row(self, part: str) -> tuple[int, int]:
        at = self.of(part)
        return int(self.s.row[at]), int(self.s.rows[at])

    def block(self, part: str) -> str:
        return BLOCKS[self.s.blocks.kind[self.s.block[self.of(part)]]]

    def together(self, *parts: str) -> bool:
        """Whether the atoms are of one block that is not split when it fits."""
        groups = {int(self.s.atomic[self.of(part)]) for part in parts}
        return len(groups) == 1 and groups != {-1}


TABLES = {
    "mysql": """\
+----+-------+
| id | name  |
+----+-------+
|  1 | Anvil |
|  2 | Orsa  |
+----+-------+
2 rows in set (0.00 sec)
""",
    "psql": """\
 id | name
----+------
  1 | Anvil
  2 | Orsa
(2 rows)
""",
    "box": """\
┌────┬───────┐
│ id │ name  │
├────┼───────┤
│ 1  │ Anvil │
│ 2  │ Orsa  │
└────┴───────┘
""",
    "ruled": """\
Name    Size
------  ----
Anvil   12
Orsa    7
""",
    "ps": """\
USER    PID  %CPU  COMMAND
pg    17694   6.0  /usr/bin/a --port 1
root   6840   3.7  /usr/bin/b --port 2
app   31458   2.3  /usr/bin/c --port 3
""",
    "systemctl": """\
  UNIT           LOAD   ACTIVE DESCRIPTION
  a.service      loaded active Billing API
  ledger.service loaded failed Ledger writer
  c.service      loaded active Cron
""",
}
DRAWN = [
    ("mysql", "| id | name  |", "|  2 | Orsa  |"),
    ("psql", "id | name\n----+------", "2 | Orsa"),
    ("box", "│ id │ name  │", "│ 2  │ Orsa  │"),
    ("ruled", "Name    Size\n------  ----", "Orsa    7"),
    ("ps", "USER    PID  %CPU  COMMAND", "root   6840   3.7  /usr/bin/b --port 2"),
    ("systemctl", "UNIT           LOAD   ACTIVE DESCRIPTION", "ledger.service loaded failed Ledger writer"),
]


class TestTables:
    def test_a_row_of_csv_goes_with_the_header_and_counts(self) -> None:
        rows = "\n".join(f"{i},Person{i},City{i % 17},{13 * i}" for i in range(400))
        read = Read(f"id,name,city,due\n{rows}\n")
        assert read.s.format == "csv"
        assert read.chain("Person151,") == ["id,name,city,due"]
        assert read.row("Person151,") == (151, 400)

    def test_quoted_cells_hold_separators_and_line_ends(self) -> None:
        read = Read('id;note;sum\n1;"a; long\nnote";3,50\n2;"said ""yes""";4,00\n3;x;5,00\n')
        assert read.atoms[1:] == ['1;"a; long\nnote";3,50', '2;"said ""yes""";4,00', "3;x;5,00"]

    def test_tabs_and_a_table_without_names_of_columns(self) -> None:
        assert Read("id\tname\n1\tAnn\n2\tBo\n3\tCy\n").chain("Bo") == ["id\tname"]
        assert Read("1,2,3\n4,5,6\n7,8,9\n", name="x.csv").chain("4,5,6") == []

    def test_prose_with_commas_is_no_table(self) -> None:
        lines = [
            "First, we met, in short, and spoke.",
            "Then, we ate, in peace, and left.",
            "At last, we slept, at home, well.",
        ]
        assert Read("\n".join(lines)).s.format == "plain"

    def test_a_row_of_pipes_goes_with_header_and_delimiter(self) -> None:
        rows = "".join(f"| Part {i} | {3 * i} mm |\n" for i in range(300))
        read = Read(f"# Prices\n\n| Part | Limit |\n|---|---|\n{rows}")
        assert read.chain("| Part 251 |")[0] == "| Part | Limit |\n|---|---|"
        assert read.row("| Part 251 |") == (251, 300)
        assert read.path("| Part 251 |") == ["# Prices"]

    @pytest.mark.parametrize(("name", "header", "row"), DRAWN)
    def test_boxes_and_columns(self, name: str, header: str, row: str) -> None:
        read = Read(TABLES[name])
        assert read.chain(row) == [header]
        assert read.row(row)[0] == 1

    def test_a_row_of_mediawiki_goes_with_the_header(self) -> None:
        rows = "".join(f"|-\n| 19{n}0 || {n},200\n" for n in range(5))
        r = Read(
            'It lies on the Aa.\n{| class="wikitable"\n|+ Growth\n! Year !! People\n' + rows + "|}\nThe club plays.\n"
        )
        header = '{| class="wikitable"\n|+ Growth\n! Year !! People'
        assert r.chain("1930")[0] == header and r.show(r.of("1930")) == "|-\n| 1930 || 3,200"
        assert ROLES[r.s.role[r.of("Growth")]] == "header" and "The club plays." in r.atoms
        assert "{| class" in Read('{| class="wikitable"\n| never closed\nMore text here.\n').text

    def test_rst_tables(self) -> None:
        simple = "=====  =====\nA      B\n=====  =====\none    two\n       more\nthree  four\n=====  =====\n"
        read = Read(f"Title\n=====\n\n.. note:: x\n\n{simple}", name="a.rst")
        assert read.chain("more") == ["A      B\n=====  ====="] or read.chain("more") == ["A      B"]
        assert read.row("three") == (1, 2)
        grid = "+---+---+\n| A | B |\n+===+===+\n| 1 | 2 |\n|   | 3 |\n+---+---+\n| 4 | 5 |\n+---+---+\n"
        read = Read(grid, name="a.rst")
        assert read.show(read.of("| 1 |")) == "| 1 | 2 |\n|   | 3 |" and read.chain("| 4 |") == ["| A | B |"]

    def test_files_of_a_folder_without_a_header(self) -> None:
        lines = "".join(f"-rw-r--r-- 1 root adm {i} May 1 00:18 a-{i}.log\n" for i in range(9))
        read = Read(f"total 99\n{lines}")
        assert read.chain("a-7.log") == [] and read.show(read.of("a-7.log")).startswith("-rw")


class TestRecords:
    ARRAY = (
        '{"object": "list", "data": ['
        + ", ".join(
            f'{{"id": "inv_{i}", "number": "2026-{i:04}", "customer": {{"name": "N{i}", "country": "SE"}}, '
            f'"shipping": {{"carrier": "Brevex", "tracking": "TR{i:06}"}}, "total": "{i}.50", "note": '
            f'"{"word " * 20}"}}'
            for i in range(60)
        )
        + "]}"
    )

    def test_a_member_goes_with_the_first_field_of_its_record_and_the_keys_around(self) -> None:
        read = Read(self.ARRAY)
        assert read.s.format == "json"
        assert read.chain("TR000017") == ['{"id": "inv_17",', '"data": [']
        assert read.row("TR000017") == (17, 60)
        assert read.together("inv_17", "TR000017", '"17.50"') and not read.together("TR000017", "inv_18")

    def test_nested_objects_and_pretty_printing(self) -> None:
        fields = {"path": "/ready", "period_s": 5, "threshold": 9, "x": "y" * 99}
        value = {"services": {"ledger": {"probes": {"readiness": fields}}}}
        text = json.dumps(value, indent=2)
        read = Read(text)
        keys = [key.split('"')[1] for key in read.chain('"period_s": 5')]
        assert keys == ["readiness", "probes", "ledger", "services"]

    def test_brackets_of_any_depth_and_broken_json(self) -> None:
        for text in ("[" * 5000, '{"a":' * 5000, '[{"a": 1}, {"b": 2', '{"a": "' + "x" * 5000, "[1, 2, 3]" * 50):
            assert_sound(read_structure(text, kind="json"), text)

    def test_a_line_of_json_lines_is_a_record(self) -> None:
        lines = [f'{{"ts": {i}, "level": "info", "msg": "handled request {i}"}}' for i in range(300)]
        read = Read("\n".join([*lines, '{"ts": 301, "msg": "the printer is on fire"}']))
        assert read.s.format == "jsonl"
        assert read.row("printer") == (300, 301) and read.block("printer") == "record"

    def test_a_long_record_of_json_lines_is_cut_at_its_members(self) -> None:
        line = '{"id": 7, "text": "%s", "port": 2525}' % ("A sentence of it. " * 60)
        read = Read("\n".join([line, line.replace("7", "8")]), name="x.jsonl")
        assert len(read.s) > 6
        assert all(end - start <= 420 for start, end in zip(read.s.start, read.s.end, strict=True))


class TestSettings:
    def test_yaml_goes_with_the_keys_around_and_comments_with_what_they_explain(self) -> None:
        read = Read(
            "billing:\n  # retries; default 5\n  max_retries: 9\nledger:\n  # pool; default 7\n  pool: 8\n"
            "  list:\n  - name: api\n    image: x\n"
        )
        assert read.s.format == "config"
        assert read.chain("max_retries: 9") == ["billing:"]
        assert read.chain("default 7") == ["pool: 8", "ledger:"]
        assert read.chain("image: x") == ["- name: api", "list:", "ledger:"]

    def test_sections_of_ini_and_toml(self) -> None:
        read = Read('[service.a]\ntimeout = "3s"\n\n[service.b]\n# how long; default 4\ntimeout = "5s"\n')
        assert read.chain('"5s"') == ["[service.b]"] and read.chain("default 4") == ['timeout = "5s"', "[service.b]"]

    def test_a_small_block_in_braces_is_one_row_under_what_encloses_it(self) -> None:
        servers = "".join(f"  server {{\n    listen 80{n};\n    root /srv/{n};\n  }}\n" for n in range(3))
        long = "  upstream pool {\n" + "".join(f"    server 10.0.0.{n}:3000;\n" for n in range(20)) + "  }\n"
        r = Read("user www;\nhttp {\n  sendfile on;\n" + servers + long + "}\n", "nginx.conf")
        assert r.chain("listen 801") == ["http {"]
        assert r.atoms[r.of("listen 801")] == "server {\n    listen 801;\n    root /srv/1;\n  }"
        assert r.chain("10.0.0.7:") == ["upstream pool {", "http {"]
        books = "".join(f"@book{{b{n},\n  title = {{T {n}}},\n  year = {{19{n}}}\n}}\n\n" for n in range(10, 14))
        assert Read(books).atoms[2] == "@book{b12,\n  title = {T 12},\n  year = {1912}\n}"

    def test_an_instruction_of_a_dockerfile_is_one_row_under_its_stage(self) -> None:
        r = Read(
            "# syntax=docker/dockerfile:1\nARG V=3\nFROM python:$V AS build\n# tools\nRUN apt-get update && \\\n"
            "    # the compiler\n    apt-get install -y gcc\nRUN <<EOF\nmake\nFROM x\nEOF\n"
            "FROM alpine\nCOPY --from=build /a /b\nHEALTHCHECK --interval=30s CMD true\n"
        )
        assert r.s.format == "config"
        assert r.chain("gcc") == ["FROM python:$V AS build"]
        assert r.show(r.of("gcc")).startswith("# tools\nRUN apt-get update")
        assert r.show(r.of("make")) == "RUN <<EOF\nmake\nFROM x\nEOF"
        assert r.chain("HEALTHCHECK") == ["FROM alpine"]

    def test_many_flat_settings_are_a_row_each(self) -> None:
        read = Read("".join(f"key{i}: value{i}\n" for i in range(120)).replace("key77: value77", "smtp_port: 2525"))
        assert read.show(read.of("2525")) == "smtp_port: 2525" and read.row("2525") == (77, 120)


class TestLogs:
    LOG = (
        "".join(f"2026-05-01 10:{m:02}:00 INFO  job {m} done\n" for m in range(20))
        + "2026-05-01 10:20:00 ERROR export of report 88 failed\n"
        "java.lang.IllegalStateException: no route to printer\n"
        + "".join(f"\tat com.acme.Print.send{i}(Print.java:4{i})\n" for i in range(9))
        + "Caused by: java.net.ConnectException: host lp7 refused port 9100\n"
        "\tat java.net.Socket.connect(Socket.java:601)\n\t... 12 more\n2026-05-01 10:21:00 INFO  job 21 done\n"
    )

    def test_causes_and_frames_go_with_the_line_that_starts_the_entry(self) -> None:
        read = Read(self.LOG)
        assert read.s.format == "log"
        first = "2026-05-01 10:20:00 ERROR export of report 88 failed"
        cause = "Caused by: java.net.ConnectException: host lp7 refused port 9100"
        assert read.chain("Caused by") == [first]
        assert read.chain("Socket.java:601") == [cause, first]
        assert read.together("report 88", "Caused by", "12 more") and not read.together("Caused by", "job 21")
        assert read.row("Caused by") == (20, 22)

    def test_a_traceback_of_python_with_blank_lines(self) -> None:
        read = Read(
            "10:00:05,316 INFO start\n10:00:08,631 ERROR import of tenant Orsa failed\n"
            "Traceback (most recent call last):\n"
            '  File "/app/run.py", line 12, in run\n    step(a, b, c, d, e, f, g)\n'
            "ValueError: bad row 7\n\nDuring handling of "
            "the above exception, another exception occurred:\n\nTraceback (most recent call last):\n"
            '  File "/app/run.py", '
            "line 15, in run\n    close()\nRuntimeError: lease lost\n10:00:11,370 INFO next\n10:00:12,370 INFO next\n"
        )
        assert read.chain("RuntimeError") == ["10:00:08,631 ERROR import of tenant Orsa failed"]

    def test_a_panic_of_go_is_one_entry(self) -> None:
        read = Read(
            "2024/06/01 10:00:01 listening on :8080\n2024/06/01 10:00:05 GET /health 200\n"
            "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 18 [running]:\n"
            "main.pick(0xc0000140a0, 0x3, 0x3, 0x5)\n\t/src/main.go:27 +0x1d\nmain.(*Server).serve(...)\n"
            "\t/src/main.go:44\ncreated by main.main\n\t/src/main.go:60 +0x85\nexit status 2\n"
            "2024/06/01 10:00:09 restarted\n"
        )
        assert read.s.format == "log"
        assert read.together("index out of range", "goroutine 18", "main.go:27", "exit status 2")
        assert not read.together("exit status 2", "restarted") and not read.together("index out of range", "/health")

    @pytest.mark.parametrize(
        "line",
        [
            "Mar  5 10:00:07 node-a sshd[901]: Failed password for admin",
            '10.0.0.8 - bo [10/Oct/2026:13:55:37 +0000] "POST /b HTTP/1.1" 500 17',
            "[ERROR] the door is open",
            "E0305 10:00:00.12 main.go:12] the door is open",
            "1772700000.123 the door is open",
            "level=error msg=\"the door is open\"",
            "[12:00:01] the door is open",
        ],
    )  # fmt: skip
    def test_lines_of_many_kinds_start_entries(self, line: str) -> None:
        read = Read("\n".join([line + f" {i}" for i in range(9)]))
        assert read.s.format == "log" and read.atoms == [f"{line} {i}" for i in range(9)]


class TestCues:
    @pytest.mark.parametrize("name", ["", "film.srt"])
    def test_a_cue_keeps_its_number_and_its_time(self, name: str) -> None:
        r = Read(
            "".join(f"{n}\n00:00:{n:02d},000 --> 00:00:{n:02d},900\nLine {n}.\n<i>More.</i>\n\n" for n in range(1, 9)),
            name,
        )
        assert len(r.s) == 8
        assert r.show(r.of("Line 5")) == "5\n00:00:05,000 --> 00:00:05,900\nLine 5.\n<i>More.</i>"
        assert r.s.row[r.of("Line 5")] == 4

    def test_the_head_of_webvtt_stands_before_the_cues(self) -> None:
        r = Read(
            "WEBVTT - Talk\n\nNOTE by me\n\n00:01.000 --> 00:02.000 align:start\nHello.\n\nc2\n"
            "01:00:03.000 --> 01:00:04.000\nBye.\n"
        )
        assert r.atoms == [
            "WEBVTT - Talk",
            "NOTE by me",
            "00:01.000 --> 00:02.000 align:start\nHello.",
            "c2\n01:00:03.000 --> 01:00:04.000\nBye.",
        ]

    def test_arrows_in_other_texts_are_no_cues(self) -> None:
        assert Read("The graph a --> b --> c is drawn.\nSo is 10:00 --> 11:00 here.\nAnd more.\n").s.format == "plain"


class TestPropertyLists:
    def test_a_key_stands_with_its_value_and_beside_the_others(self) -> None:
        pairs = "".join(f"  <key>Key{n}</key>\n  <string>v{n}</string>\n" for n in range(20))
        more = (
            "  <key>On</key>\n  <true/>\n  <key>Inner</key>\n  <dict>\n" + pairs.replace("Key", "Sub") + "  </dict>\n"
        )
        r = Read(f'<?xml version="1.0"?>\n<plist version="1.0">\n<dict>\n{pairs}{more}</dict>\n</plist>\n')
        assert r.s.format == "xml"
        assert r.show(r.of("Key7<")) == "<key>Key7</key>\n  <string>v7</string>"
        assert r.chain("Key7<") == ["<dict>", '<plist version="1.0">']
        assert r.show(r.of("<key>On<")) == "<key>On</key>\n  <true/>"


class TestMessages:
    def test_a_failed_test_goes_with_its_location_and_its_name(self) -> None:
        read = Read(
            "==== test session starts ====\ncollected 2 items\n\ntests/a.py::test_b FAILED\n\n==== FAILURES ====\n"
            "____ a.test_b ____\n\n    def test_b(shop):\n        shop.add(1)\n\n>       shop.check()\n"
            "E       assert 569 == 421\n\ntests/a.py:175: AssertionError\n---- Captured stdout call ----\n[shop] ok\n"
            "____ a.test_c ____\n\n    def test_c():\n>       x\nE       NameError: x\n\ntests/a.py:190: NameError\n"
        )
        assert read.chain("569") == ["tests/a.py:175: AssertionError", "____ a.test_b ____"]
        assert read.chain("E       NameError") == ["tests/a.py:190: NameError", "____ a.test_c ____"]

    def test_compilers(self) -> None:
        read = Read(
            "gcc -c src/pool.c\nsrc/pool.c: In function 'take':\nsrc/pool.c:97:5: error: no member 'owner'\n"
            "   97 |     slot->owner = id;\n      |         ^~\nsrc/io.c: In function 'open':\n"
            "src/io.c:12:9: error: 'x'\n"
        )
        assert read.chain("no member") == ["src/pool.c: In function 'take':"]
        assert read.show(read.of("no member")).endswith("^~")
        read = Read(
            "   Compiling a v1\nerror[E0308]: mismatched types\n  --> src/billing.rs:44:18\n   |\n"
            "44 |  let n: u32 = total();\n"
            "   |     ^ expected\n\nerror: aborting\n"
        )
        assert read.show(read.of("E0308")).startswith("error[E0308]: mismatched types\n  --> src/billing.rs:44:18")
        read = Read("src/a.ts(12,5): error TS2322: bad.\nsrc/b.ts(1,1): error TS2304: worse.\n  Did you mean 'c'?\n")
        assert [read.block(p) for p in ("TS2322", "Did you mean")] == ["entry", "entry"]

    def test_hits_of_a_search_go_with_their_file(self) -> None:
        read = Read(
            "src/a/core.py\n75:from x import y\n98:    return y()\n\nsrc/b/core.py\n154:def y(limit=35):\n160:y()\n"
        )
        assert read.chain("limit=35") == ["src/b/core.py"]
        flat = Read("src/a.py:75:from x import y\nsrc/a.py:98:    return y()\nsrc/b.py:154:def y(limit=35):\n")
        assert flat.show(flat.of("limit=35")) == "src/b.py:154:def y(limit=35):"

    @pytest.mark.parametrize(
        "head", ["7. Orsa Mini sheet\n   https://d.example.com/o\n   ", "[Orsa Mini sheet](https://d.example.com/o)\n"]
    )
    def test_what_a_search_result_says_goes_with_its_title(self, head: str) -> None:
        body = "The warranty of the Orsa Mini is 2 months, whoever bought it. Readers rated it 4 of 5."
        other = head.replace("7.", "8.").replace("Mini", "Air") + "No figure is given. We look at ten devices."
        read = Read(f"{head}{body}\n\n{other}\n")
        assert read.chain("2 months")[0] == head.split("\n")[0]


class TestDiffs:
    DIFF = (
        "commit 1a2b\nAuthor: I <i@x.y>\n\n    Raise it.\n\ndiff --git a/x.py b/x.py\nindex 1..2 100644\n"
        "--- a/x.py\n+++ b/x.py\n"
        "@@ -1,3 +1,3 @@ class Pool:\n import os\n-limit = 3\n+limit = 5\n print(limit)\n@@ -9,2 +9,2 @@\n a\n-b\n+c\n"
        "diff --git a/old.py b/old.py\ndeleted file mode 100644\n--- a/old.py\n+++ /dev/null\n"
        "@@ -1 +0,0 @@\n-gone = 1\n"
    )

    def test_a_change_goes_with_its_hunk_and_its_file(self) -> None:
        read = Read(self.DIFF)
        assert read.s.format == "diff"
        assert read.show(read.of("+limit = 5")) == "-limit = 3\n+limit = 5"
        assert read.chain("+limit = 5") == ["@@ -1,3 +1,3 @@ class Pool:", "+++ b/x.py"]
        assert read.chain("-gone = 1") == ["@@ -1 +0,0 @@", "--- a/old.py"]
        assert read.row("+c") == (1, 2)


class TestTalk:
    def test_a_turn_is_one_atom_and_a_long_one_goes_with_its_first_sentence(self) -> None:
        lines = "".join(f"ann: message {i} about the weather\n" for i in range(60))
        read = Read(f"{lines}bo: the spare key is under the mat\n")
        assert read.s.format == "transcript" and read.row("spare key") == (60, 61)
        long = (
            "Ann: I was there. "
            + "It rained all day and we stayed at home with the others. " * 9
            + "Then we ate soup.\n"
        )
        read = Read(long + "Bo: Fine.\nAnn: Yes.\nBo: No.\nAnn: Well.\n")
        assert read.chain("ate soup") == ["Ann: I was there."]

    @pytest.mark.parametrize(
        "pattern",
        ["[2026-02-03 08:48] {}: {}", "12/03/2024, 10:01 - {}: {}", "<{}> {}", "**{}:** {}", "{} (host): {}", "{}: {}"],
    )
    def test_many_ways_to_name_who_speaks(self, pattern: str) -> None:
        turns = [
            pattern.format(name, f"This is message {i}.")
            for i, name in enumerate(["Ilva Pell", "Siv", "Ilva Pell"] * 3)
        ]
        read = Read("\n".join(turns))
        assert read.atoms == turns and read.block("message 4") in ("turn", "entry")

    def test_what_a_mail_says_goes_with_its_head(self) -> None:
        read = Read(
            "From: Ilva <i@x.y>\nDate: Tue, 3 Feb 2026\nSubject: Doors\n\nHello all,\n\nthe doors come on 12 March.\n\n"
            "From: Siv <s@x.y>\nDate: Wed, 4 Feb 2026\nSubject: Re: Doors\n\n> the doors come\n\nI cannot be there.\n"
        )
        assert read.s.format == "mail"
        assert read.chain("12 March")[0].startswith("From: Ilva") and read.chain("cannot")[0].startswith("From: Siv")
        assert read.block("> the doors") == "quote"


class TestRecordsOfLines:
    def test_the_lines_of_a_long_record_go_with_the_one_that_names_it(self) -> None:
        read = Read(
            "".join(
                f"id: {n}\nname: House {n}\nbuilt of: bricks and beams from the old mill by the river\n"
                f"owners: the families of the upper and the lower village\nrent: {n}00 EUR a month, heating apart\n\n"
                for n in range(1, 5)
            )
        )
        assert read.s.format == "config"
        assert read.chain("300 EUR") == ["name: House 3"] and read.row("300 EUR") == (2, 4)

    def test_talk_is_no_record_though_speakers_take_turns(self) -> None:
        read = Read("".join(f"{n}: We met again at the gate.\n" for n in ("Ann", "Bo", "Cy") * 5))
        assert read.s.format == "transcript"

    def test_elements_go_with_the_tags_around_them_and_rows_are_counted(self) -> None:
        book = "<book id='{0}'><title>Book {0} of the long row on the shelf</title><by>A. Writer of some name</by>"
        text = "<list>" + "".join(book.format(n) + f"<cost>{n}.50</cost></book>" for n in range(40)) + "</list>"
        read = Read(text)
        assert read.s.format == "xml"
        title = "<title>Book 31 of the long row on the shelf</title>"
        assert read.chain("31.50") == [title, "<book id='31'>", "<list>"] and read.row("31.50") == (31, 40)

    @pytest.mark.parametrize("broken", ["<a><b>one</b><b>two</b><c", "<a><b>one</b></c></a></a>", "<a><b>" * 90])
    def test_broken_xml_is_covered(self, broken: str) -> None:
        read = read_structure(broken, kind="xml")
        atoms = [broken[a:b] for a, b in zip(read.start.tolist(), read.end.tolist(), strict=True)]
        assert "".join(atoms) == broken


class TestProse:
    def test_terms_under_a_colon_of_markdown(self) -> None:
        read = Read("Ash\n: A wood. It costs 3 EUR.\n\nBeech\n: A red wood.\n: Also a tree.\n")
        assert read.chain("3 EUR") == ["Ash"] and read.chain("Also") == ["Beech"]

    CONTRACT = (
        "SERVICE AGREEMENT\n\nThis is made on 3 March 2026.\n\n2. FEES AND PAYMENT\n\n2.1 The Customer shall pay.\n"
        "2.3 The Supplier may raise the fees once a year, provided that:\n    (a) it gives notice;\n"
        "    (b) the increase does not exceed 4 %; and\n    (c) the Customer may leave.\n\n3. SERVICE LEVELS\n\n"
        "3.1 The Supplier shall answer, unless\n(a) it is Sunday, or\n(b) the line is down.\n3.2 More.\n"
    )

    def test_an_item_goes_with_the_clause_that_it_limits(self) -> None:
        read = Read(self.CONTRACT)
        assert read.chain("exceed 4 %")[0] == "2.3 The Supplier may raise the fees once a year, provided that:"
        assert read.chain("line is down")[0] == "3.1 The Supplier shall answer, unless"
        assert read.path("line is down")[-1] == "3. SERVICE LEVELS"
        assert read.path("exceed 4 %")[-1] == "2. FEES AND PAYMENT"

    def test_items_under_a_heading_go_with_it_and_others_with_their_lead(self) -> None:
        read = Read(
            "# History\n\n## v2.5.6\n* Add 3.11.4\n* Docs\n\n## v2.5.5\n\nIt has:\n\n- one\n  - deep\n"
            "- two\n\nNo lead.\n\n- alone\n"
        )
        assert read.chain("3.11.4") == ["## v2.5.6"] and read.path("3.11.4") == ["# History", "## v2.5.6"]
        assert read.chain("two") == ["It has:"] and read.chain("deep") == ["- one", "It has:"]
        assert read.chain("alone") == []
        assert read.s.announces[read.of("It has:")] == read.of("- one")

    def test_options_of_a_man_page_go_with_what_describes_them(self) -> None:
        read = Read(
            "LS(1)                User Commands                LS(1)\n\nNAME\n       ls - list files\n\nOPTIONS\n"
            "       -a, --all\n              do not ignore entries starting with a dot. It is slow.\n\n"
            "       -l     use a long format\n\n   Exit status\n       0 if OK\n"
        )
        assert read.s.format == "man"
        assert read.chain("It is slow") == ["-a, --all", "OPTIONS"]
        assert read.path("0 if OK") == ["OPTIONS", "Exit status"]

    def test_text_files_that_are_rst_markdown_or_man_pages(self) -> None:
        rst = "Title\n=====\n\nSee :ref:`x` and :class:`y`.\n\n.. note:: Mind.\n\nAs follows::\n\n    code(1)\n"
        assert Read(rst, name="a.txt").s.format == "rst" and Read(rst, name="a.txt").block("code(1)") == "code"
        assert Read("# A\n\ntext\n", name="a.txt").s.format == "markdown"
        assert Read("NAME\n       a - b\n\nSYNOPSIS\n       a [x]\n", name="a.txt").s.format == "man"

    def test_versions_of_a_changelog_in_rst(self) -> None:
        read = Read(
            ".. changelog::\n    :version: 0.4.7\n    :released: Thu\n\n    .. change::\n        :tags: orm\n\n"
            "      The thing was added.  Workaround::\n\n        f(1)\n\n        g(2)\n\n"
            "    .. change::\n        :tags: x\n\n"
            "      Other.\n",
            name="c.rst",
        )
        assert read.chain("The thing was added")[-1].startswith(".. changelog::\n    :version: 0.4.7")
        assert read.chain("f(1)")[0] == "Workaround::"

    def test_front_matter_navigation_and_licences(self) -> None:
        read = Read("---\ntitle: x\n---\n\ntext\n")
        assert read.block("title: x") == "front"
        read = Read(
            "Title\n=====\n\n.. toctree::\n   :maxdepth: 2\n\n   install\n   usage\n\nText of :ref:`it`.\n",
            name="i.rst",
        )
        assert read.s.boilerplate[read.of("usage")] and not read.s.boilerplate[read.of("Text of")]
        read = Read(
            "# Copyright 2026 X. All rights reserved.\n# Licensed under Y.\n\nimport a\n\n\ndef f():\n    pass\n",
            name="a.py",
        )
        assert read.s.boilerplate[read.of("Copyright")] and not read.s.boilerplate[read.of("import a")]


class TestCode:
    LONG = "class A:\n" + "".join(
        f"    def m{i}(self, x):\n        '''Doc.\n\n        More.\n        '''\n        y = f(\n"
        f"            1,\n\n            2)\n\n        return y\n\n"
        for i in range(6)
    )  # fmt: skip

    @pytest.mark.parametrize("mark", ["```python\n{}```\n", "Do so::\n\n{}\n"])
    def test_a_short_block_is_one_and_goes_with_its_sentence(self, mark: str) -> None:
        body = "def f(x):\n    return 1\n\n\ny = f(\n    2,\n\n    3)\n"
        body = body if "```" in mark else "".join(f"    {line}\n" for line in body.split("\n"))
        read = Read(
            f"Title\n=====\n\nIt is called as follows:\n\n{mark.format(body)}\nThen rest.\n",
            name="" if "`" in mark else "a.rst",
        )
        code = [i for i in range(len(read.s)) if BLOCKS[read.s.blocks.kind[read.s.block[i]]] == "code"]
        assert len({int(read.s.atomic[i]) for i in code}) == 1 and read.s.atomic[code[0]] >= 0
        assert read.chain("def f(x)")[0] in ("It is called as follows:", "Do so::")

    @pytest.mark.parametrize(
        ("name", "head", "method", "tail"),
        [
            (
                "",
                "class A {",
                "  // M{n}\n  get{n}(key) {\n    if (!key) {\n      return {n};\n    }\n    return x;\n  }",
                "}",
            ),
            ("a.rb", "class A", "  # M{n}\n  def get{n}(key)\n    if key\n      go {n}\n    end\n    x\n  end", "end"),
            (
                "a.py",
                "class A:",
                "    # M{n}\n    def get{n}(key):\n        if key:\n            go({n})\n        return x",
                "",
            ),
            (
                "a.cs",
                "namespace a\n{",
                "  /* M{n} */\n  int get{n}(int key)\n  {\n    if (key) {\n      go();\n    }\n    return x;\n  }",
                "}",
            ),
        ],
    )
    def test_code_without_blank_lines_is_cut_at_its_definitions(
        self, name: str, head: str, method: str, tail: str
    ) -> None:
        r = Read(
            "\n".join([head, *(method.replace("{n}", str(n)) for n in range(12)), tail]),
            name,
        )
        for n in (3, 7):
            own = r.show(r.of(f"M{n}"))
            assert own == method.replace("{n}", str(n)).strip(), own
            assert r.chain(f"M{n}") == [head]

    def test_definitions_are_cut_at_every_depth(self) -> None:
        method = "        int m{n}() {{\n          a();\n          b();\n        }}\n"
        methods = "".join(method.format(n=n) for n in range(12))
        r = Read(
            "package p {\n  class A {\n    class B {\n      class C {\n" + methods + "      }\n    }\n  }\n}\n",
            "a.scala",
        )
        assert r.show(r.of("m7()")) == method.format(n=7).strip()
        assert r.chain("m7()") == ["class C {", "class B {", "class A {", "package p {"]

    def test_code_without_a_name_is_told_by_its_blocks(self) -> None:
        types = "".join(f"type T{n} {{\n  id: ID!\n  name: String\n}}\n" for n in range(12))
        r = Read(types)
        logged = "".join(f'worker-{n % 3} | {{"level": "info", "n": {n}, "of": {{"a": 1}}}}\n' for n in range(30))
        assert Read(logged).s.format != "code"
        assert r.s.format == "code" and r.show(r.of("T7 ")) == "type T7 {\n  id: ID!\n  name: String\n}"

    def test_statements_of_several_lines_and_runs_of_one_line_each(self) -> None:
        rows = "".join(f"INSERT INTO users VALUES ({n}, 'u');\n" for n in range(60))
        r = Read(
            "CREATE TABLE users (id int);\nCREATE TABLE orders (\n  id int,\n  total int\n);\n"
            f"{rows}CREATE INDEX i ON users(id);\n"
        )
        assert r.show(r.of("orders")) == "CREATE TABLE orders (\n  id int,\n  total int\n);"
        assert r.show(r.of("VALUES (31,")) == "INSERT INTO users VALUES (31, 'u');"

    def test_long_code_is_cut_between_statements_and_keeps_its_signature(self) -> None:
        read = Read(self.LONG, name="a.py")
        assert read.chain("def m3(self, x)") == ["class A:"]
        for atom in read.atoms:
            assert atom.count("'''") % 2 == 0 and atom.count("(") == atom.count(")")
        body = "".join(f"    x{i} = g({i},\n\n        {i})\n\n    '''s\n\n    '''\n" for i in range(20))
        read = Read(f"@deco\ndef long(a,\n         b):\n{body}", name="a.py")
        head = "@deco\ndef long(a,\n         b):"
        assert read.chain("x7 = g") == [head] and ROLES[read.s.role[read.of("@deco")]] == "signature"
        assert all(atom.count("(") == atom.count(")") and atom.count("'''") % 2 == 0 for atom in read.atoms)

    def test_other_languages(self) -> None:
        body = "".join(f"  a{i} = `t\n\n{i}`;\n\n" for i in range(30))
        read = Read(
            f"// c\nfunction f() {{\n{body}}}\n\nconst x = 1;\n\n/* a\n\nb */\nfunction g() {{\n}}\n", name="a.js"
        )
        assert read.chain("a7 = ") == ["// c\nfunction f() {"] and read.atoms[-1] == "/* a\n\nb */\nfunction g() {\n}"

    @pytest.mark.parametrize("opening", ["cat <<EOF > conf", "cat <<-'EOF'", 'sed -f - <<"EOF"'])
    def test_a_here_document_is_not_cut(self, opening: str) -> None:
        body = f"{opening}\nline one\n\nline two\nEOF\n"
        read = Read("#!/bin/sh\nset -e\n\n" + body + "\nmake all\n", "run.sh")
        assert read.of("line one") == read.of("line two") != read.of("make all")
        steps = "".join(f"  step {i}\n\n" for i in range(60))
        long = Read("#!/bin/sh\n\nbackup() {\n  to=$1\n\n  " + body + "\n" + steps + "}\n", "run.sh")
        assert long.of("line one") == long.of("line two")
        assert long.chain("step 50") == ["backup() {"]

    def test_a_here_document_that_is_never_closed_holds_nothing_together(self) -> None:
        read = Read("a=1\n\ncat <<EOF\nline one\n\nb=2\n\nc=3\n", "run.sh")
        assert read.of("a=1") != read.of("b=2") != read.of("c=3")

    def test_prompts_and_their_output(self) -> None:
        read = Read("Try it:\n\n$ ls -l\na.txt\nb.txt\n\nDone here.\n")
        assert read.show(read.of("b.txt")) == "$ ls -l\na.txt\nb.txt" and read.chain("b.txt") == ["Try it:"]


class TestPages:
    PAGE = (
        "<!DOCTYPE html><html><head><title>Options</title><style>p{}</style></head><body>"
        "<nav><a href='/'>Home</a></nav><div class='sphinxsidebar'><ul><li>Page 1</li></ul></div><h1>Options</h1>"
        "<p>All of them. Some more.</p><table><thead><tr><th>Option</th><th>Since</th></tr></thead><tbody>"
        "<tr><td><p>--quiet</p></td><td><p>1.0</p></td></tr><tr><td><p>--retry</p></td><td>1.2. So.</td>"
        "</tr></tbody></table>"
        "<footer>Imprint</footer><script>var a = 1;</script></body></html>"
    )

    def test_rows_go_with_the_header_and_navigation_is_boilerplate(self) -> None:
        read = Read(self.PAGE)
        assert read.s.format == "html"
        assert read.show(read.of("--retry")).startswith("<tr>") and read.show(read.of("--retry")).endswith("</tr>")
        assert read.chain("--retry")[0].startswith("<tr><th>Option") and read.row("--retry") == (1, 2)
        for part in ("Home", "Page 1", "Imprint", "var a"):
            assert read.s.boilerplate[read.of(part)]
        assert not read.s.boilerplate[read.of("All of them")] and read.path("All of them")[-1] == "<h1>Options</h1>"

    def test_an_element_that_is_never_closed_hides_nothing(self) -> None:
        read = Read("<html><body><p>a</p><nav><p>The text of the page.</p><p>b c</p></body></html>")
        assert not read.s.boilerplate.any()


def test_a_name_that_the_text_does_not_bear_out_does_not_count() -> None:
    assert read_structure("just words\nand more", name="a.json").format == "plain"
    assert read_structure('{"a": 1}\n{"a": 2}', name="a.json").format == "jsonl"
    assert read_structure("x,y\n1,2\n", name="a.csv").format == "csv"
