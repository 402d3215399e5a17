"""Documents as people have them, end to end: what must be in a pack of a table, a log, records, code, talk, a page."""

from __future__ import annotations

import json
from email.message import EmailMessage

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.types import Document

PACKER = fp.ContextPacker()


def packed(query: str, text: str, budget: int, **metadata: str) -> str:
    result = PACKER.pack(query, [Document("d", text, metadata=metadata)], budget)
    assert result.tokens <= budget
    return result.text


def table(separator: str) -> list[str]:
    rng = np.random.default_rng(3)
    rows = [("crate", "owner", "dock", "stored", "state")]
    owners = [f"{a} {b}" for a in ("Maud", "Ines", "Tove", "Rolf") for b in ("Hale", "Brun", "Stark", "Voss")]
    for number in range(120):
        dock, day = rng.integers(1, 9), rng.integers(1, 28)
        state = "sealed" if number != 77 else "leaking"
        owner = owners[int(rng.integers(len(owners)))] if number % 11 else "Tove Brun"
        rows.append((f"CR-{4000 + 7 * number}", owner, f"dock {dock}", f"2025-03-{day:02d}", state))
    return [separator.join(row) for row in rows]


@pytest.mark.parametrize("separator", [",", "\t", ";", "   "])
def test_a_row_of_a_table_is_found_by_its_number_and_brings_the_header(separator):
    rows = table(separator)
    text = packed("Where is crate CR-4350 stored?", "\n".join(rows), 120)
    assert rows[0] in text and rows[51] in text


def test_two_conditions_must_hold_in_one_row_and_a_denied_value_keeps_rows_out():
    rows = table(",")
    assert "Tove Brun" in rows[78]
    text = packed("Which crate of Tove Brun is not sealed?", "\n".join(rows), 120)
    assert rows[78] in text


def test_a_no_under_the_column_that_the_query_denies_is_a_yes():
    rows = [f"| van {n} | {'yes' if n != 31 else 'no'} | {n % 5} |" for n in range(60)]
    text = "# Vans\n\n| Van | Insured | Bay |\n|---|---|---|\n" + "\n".join(rows)
    assert rows[31] in packed("Which van is not insured?", text, 60)


def test_a_row_of_a_markdown_table_comes_with_its_header_and_the_pack_is_a_table():
    rows = [f"| Bolt {n} | {3 * n} mm | {11 * n} EUR |" for n in range(300)]
    text = "# Bolts\n\n| Bolt | Length | Price |\n| --- | --- | --- |\n" + "\n".join(rows)
    lines = packed("What is the length and price of Bolt 217?", text, 120).split("\n\n")[-1].splitlines()
    assert rows[217] in lines and lines[0] == "| Bolt | Length | Price |"
    assert len({line.count("|") for line in lines}) == 1


def record(number: int) -> dict[str, object]:
    return {
        "id": f"bk_{9000 + 13 * number}",
        "guest": {"name": f"Guest{number}", "country": "PT" if number % 2 else "LT"},
        "nights": 1 + number % 17,
        "status": "arrived" if number != 40 else "late",
    }


@pytest.mark.parametrize("indent", [None, 2])
def test_a_member_of_a_json_array_is_found_by_another_member_of_its_record(indent):
    text = json.dumps({"bookings": [record(n) for n in range(80)]}, indent=indent)
    out = packed("How many nights does Guest52 stay?", text, 150)
    at = out.index("Guest52")
    assert f'"nights": {1 + 52 % 17}' in out[at : at + 200] and "bk_9676" in out[:at]


def test_a_json_line_is_whole_and_valid():
    lines = [json.dumps(record(n)) for n in range(150)]
    out = packed("status of booking bk_9520", "\n".join(lines), 150)
    assert lines[40] in out.splitlines()
    assert all(json.loads(line) in map(record, range(150)) for line in out.splitlines())


@pytest.mark.parametrize(
    ("text", "query", "want", "key"),
    [
        ("[mail.{0}]\nport = {1}\nretries = {2}\n", "port of mail b", "port = 31", "[mail.b]"),
        ("mail_{0}:\n  port: {1}\n  retries: {2}\n", "Which port does mail_b use?", "port: 31", "mail_b:"),
    ],
)
def test_a_setting_comes_with_the_section_or_key_that_encloses_it(text, query, want, key):
    whole = "\n".join(text.format(chr(97 + n), 30 + n, 90 + n) for n in range(12))
    out = packed(query, whole, 40)
    assert want in out and key in out


def test_a_line_of_settings_is_found_among_two_hundred():
    lines = [f"option_{n}: value_{n}" for n in range(200)]
    lines[143] = "imap_port: 9931"
    assert "imap_port: 9931" in packed("Which port does imap use?", "\n".join(lines), 60)


def log_with_traces() -> str:
    lines = []
    for n in range(60):
        stamp = f"2025-06-02 03:{n:02d}:00"
        if n % 6:
            lines.append(f"{stamp} INFO  copy of shelf {n} done")
            continue
        lines += [
            f"{stamp} ERROR copy of shelf {n} failed",
            "org.shelf.CopyException: stopped",
            *[f"\tat org.shelf.Copy.step{k}(Copy.java:{k})" for k in range(6)],
            f"Caused by: java.io.IOException: drive d{n} is read-only",
            "\tat java.io.File.open(File.java:9)",
        ]
    return "\n".join(lines)


def test_the_cause_of_a_failure_comes_with_the_line_of_the_log_that_failed():
    out = packed("Why did the copy of shelf 36 fail?", log_with_traces(), 120)
    assert "Caused by: java.io.IOException: drive d36 is read-only" in out and "copy of shelf 36 failed" in out


def test_a_line_of_a_json_log_and_a_line_of_talk_are_packed_at_a_hundred_tokens():
    log = [json.dumps({"t": n, "level": "info", "msg": f"served page {n}"}) for n in range(200)]
    log.append(json.dumps({"t": 200, "level": "error", "msg": "the pump lost its pressure"}))
    assert log[-1] in packed("What happened to the pump?", "\n".join(log), 100)
    talk = [f"eva: note {n} about the garden" for n in range(200)]
    talk += ["eva: where is the ladder?", "jon: the ladder is behind the shed"]
    assert talk[-1] in packed("Where is the ladder?", "\n".join(talk), 100)


def test_a_change_comes_with_its_hunk_and_file():
    parts = []
    for n in range(30):
        name = f"srv/part{n}.py"
        parts += [f"diff --git a/{name} b/{name}", f"--- a/{name}", f"+++ b/{name}", "@@ -1,3 +1,3 @@ class Part:"]
        parts += [" alpha = 1", f"-wait = {n}", f"+wait = {n + 500}", " beta = 2"]
    out = packed("How did wait change in srv/part17.py?", "\n".join(parts), 100)
    assert "-wait = 17\n+wait = 517" in out and "+++ b/srv/part17.py" in out


def test_the_definition_of_a_name_is_told_from_its_calls():
    lines = [f"app/use{n}.py:{n + 3}:    total = sum_rows(cfg, {n})" for n in range(80)]
    lines.insert(47, "app/rows.py:12:def sum_rows(cfg, start):")
    assert lines[47] in packed("Where is sum_rows defined?", "\n".join(lines), 60)


def test_a_proviso_comes_with_the_clause_that_it_limits():
    text = (
        "1. USE\n\n1.1 The Tenant shall keep the yard clean.\n1.2 The Owner may enter once a week, provided that:\n"
        "    (a) notice is sent two days before;\n    (b) the visit lasts at most 20 minutes; and\n"
        "    (c) the Tenant may be present.\n\n2. RENT\n\n"
        + "\n".join(f"2.{n} Rent number {n} is due on day {n} of the month." for n in range(1, 20))
    )
    out = packed("How long may a visit of the owner last?", text, 120)
    assert "(b) the visit lasts at most 20 minutes" in out and "provided that:" in out


def test_a_version_is_found_as_a_whole_with_its_heading():
    blocks = [f"## Release v3.1.{n}\n* Add Ruby 3.2.{n} (#{700 + n})\n" for n in range(30, 0, -1)]
    out = packed("Which release added Ruby 3.2.4?", "\n".join(blocks), 200)
    assert "Add Ruby 3.2.4 (#704)" in out and "## Release v3.1.4\n" in out


def test_copies_of_a_text_stand_once_and_say_of_which_they_are_copies():
    documents = [Document(f"c{n}", "Parcels may be sent back within 30 days.") for n in range(5)]
    result = PACKER.pack("returns", [*documents, Document("z", "Letters leave from Turin.")], 80)
    assert result.text.count("Parcels may be sent back") == 1
    copies = [d for d in result.dropped if d.doc_id.startswith("c")]
    assert len(copies) == 4 and all("is the same as" in d.reason for d in copies)


def test_statements_that_differ_in_a_denial_or_a_date_are_no_copies():
    texts = ["Bicycles are allowed in the hall.", "Bicycles are not allowed in the hall.", "Rice needs water."]
    assert len([t for t in PACKER.pack("Are bicycles allowed in the hall?", texts, 30).kept if "hall" in t.text]) == 2
    days = [f"On 2025-0{m}-0{d} the fair sold 10 lamps." for d, m in ((4, 3), (3, 4))]
    assert "2025-04-03" in PACKER.pack("What was sold on 2025-04-03?", days, 20).text


def test_labels_rules_and_lines_of_contents_are_no_filling():
    lines = ["- **Rooms.**", "- [Rooms](#rooms)", "Rooms ........ 4", "Notes:", "::: hotel.Rooms"]
    text = "\n\n".join(
        ["Tea is served at four in the green room.", *lines, "-----", "Cakes are baked by Ann each day."]
    )
    out = packed("When is tea served?", text, 60)
    assert "Tea is served at four" in out and not any(line in out for line in [*lines, "-----"])


def test_a_mail_and_a_page_are_read_before_they_are_packed(tmp_path):
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Ann <ann@example.org>", "Gates"
    mail.set_content("The gates arrive on the third of May.\n", cte="base64")
    (tmp_path / "a.eml").write_bytes(mail.as_bytes())
    assert "third of May" in PACKER.pack("when do the gates arrive", fp.read(str(tmp_path / "a.eml")), 60).text
    rows = "".join(f"<tr><td>--opt{n}</td><td><p>Does {n}; v. 1.{n}</p></td><td>2.{n}</td></tr>" for n in range(30))
    page = f"<html><body><h1>Options</h1><table><tr><th>Option</th><th>Use</th><th>Since</th></tr>{rows}</table></body>"
    (tmp_path / "a.html").write_text(page)
    out = PACKER.pack("since which version is --opt17 there", fp.read(str(tmp_path / "a.html")), 60).text
    assert "| --opt17 | Does 17; v. 1.17 | 2.17 |" in out


@pytest.mark.parametrize(
    ("query", "right", "wrong"),
    [
        ("C#", "C# has properties.", "C++ has templates."),
        ("PIN 4321", "Der Code lautet ４３２１.", "Der Code lautet 4322."),
        ("किताब", "किताब मेज़ पर है।", "काबुल बड़ा शहर है।"),
        ("仓库在哪里", "仓库在城北。", "食堂在一楼。"),
    ],
)
def test_a_word_of_any_script_is_found_as_a_whole(query, right, wrong):
    result = PACKER.pack(query, [Document("wrong", wrong), Document("right", right)], 16)
    assert "right" in {k.doc_id for k in result.kept}


cells = st.sampled_from(["amber", "17", "birch", "4.5", "north-2", "cedar", "x_9", "dune", "2025-01-02", "ember"])


@given(st.lists(st.tuples(cells, cells, cells), min_size=3, max_size=30), st.integers(30, 200))
def test_a_pack_of_json_lines_is_lines_of_the_file(rows, budget):
    lines = [json.dumps({"n": k, "a": a, "b": b, "c": c}) for k, (a, b, c) in enumerate(rows)]
    out = packed(rows[0][0], "\n".join(lines), budget)
    assert [line for line in out.splitlines() if line not in lines] == []


@given(st.lists(st.tuples(cells, cells, cells), min_size=3, max_size=30), st.integers(40, 200))
def test_a_pack_of_a_markdown_table_is_a_table_of_its_rows(rows, budget):
    lines = [
        "| key | left | right |",
        "| --- | --- | --- |",
        *[f"| k{n} {a} | {b} | {c} |" for n, (a, b, c) in enumerate(rows)],
    ]
    out = packed(rows[-1][1], "\n".join(lines), budget, kind="markdown").splitlines()
    assert out[:2] == lines[:2] and all(line in lines for line in out)


def test_a_query_without_a_word_of_the_table_still_fills_the_budget():
    assert packed("?", "\n".join(table(",")), 100) and packed("zzzz", "\n".join(table("\t")), 100)


def test_where_a_row_fits_only_without_its_header_the_note_says_what_is_enough():
    row = "| --copies | How often the copy is tried again, five times. | 1.7 |"
    table = f"| Option | Meaning | Since |\n| --- | --- | --- |\n{row}\n"
    result = PACKER.pack("how often is --copies tried", [fp.Document("t.md", table)], 22)
    assert not result.text and "with what must go with it" in result.notes[0]
    needed = int(result.notes[0].partition("about ")[2].split()[0])
    assert "--copies" in result.repack(needed + 2).text


WOODS = (
    "ash",
    "beech",
    "cork",
    "ebony",
    "fir",
    "hazel",
    "iroko",
    "juniper",
    "laurel",
    "mango",
    "oak",
    "poplar",
    "teak",
)
NUMBERED = list(enumerate(WOODS, 1))


def each(template: str, between: str = "") -> str:
    """The template for every wood: w its name, n its number."""
    return between.join(template.format(w=w, n=n, W=w.upper(), T=w.title()) for n, w in NUMBERED)


DATA = {
    "pairs of cells": (
        "town;code\n" + each("{T};{n}0\n"),
        "code of Hazel",
        30,
        ["town;code", "Hazel;60"],
    ),
    "a quoted cell over two lines": (
        "id,remark,weight\n" + each('P{n},"first of {w}\nsecond; of {w}",{n} kg\n'),
        "What is the weight of P7?",
        60,
        ["id,remark,weight", "second; of iroko", "7 kg"],
    ),
    "a map of many members beside another": (
        json.dumps({"tools": {w: f"^{n}.0.1" for n, w in NUMBERED}, "toolsDev": {f"{w}-dev": "~0.1" for w in WOODS}}),
        "Which version of laurel is among the tools?",
        60,
        ['"tools": {', '"laurel": "^9.0.1"'],
    ),
    "a long value of a JSON line": (
        "\n".join(
            json.dumps({"id": n, "title": f"Case {n}", "body": "It was a wet day. " * 40 + f"Judged: {w}."})
            for n, w in NUMBERED
        ),
        "What was judged in Case 8?",
        120,
        ['"title": "Case 8"', "Judged: juniper."],
    ),
    "records parted by blank lines": (
        each("Name: {T} House\nRooms: {n}\nGarden: yes\nRent: {n}00 EUR\n", "\n"),
        "What is the rent of Hazel House?",
        40,
        ["Name: Hazel House\n", "Rent: 600 EUR"],
    ),
    "contacts": (
        each("BEGIN:VCARD\nVERSION:3.0\nFN:{T} Stone\nTEL;TYPE=home:+49 30 10{n}\nEND:VCARD\n"),
        "phone number of Oak Stone",
        60,
        ["FN:Oak Stone", "+49 30 1011"],
    ),
    "records of many lines": (
        each("title: The {w} book\nauthor: A. {T}\nprinted at: Press of the {w} tree, in the town of {T}burg\n"
             "pages: {n}50\nprice: {n} EUR\nowner of the only copy: The {w} library of the old town\n", "\n"),
        "How many pages has the teak book?",
        40,
        ["title: The teak book", "pages: 1350"],
    ),
    "records in Chinese": (
        each("姓名：{w}\n部门：第{n}部\n电话：555-10{n}\n", "\n"),
        "mango的电话是多少",
        40,
        ["姓名：mango", "电话：555-1010"],
    ),
    "lists of tables in TOML": (
        each('[[package]]\nname = "{w}"\nversion = "0.{n}.3"\ndependencies = [\n "d{n}",\n]\n', "\n"),
        "Which version of juniper is locked?",
        60,
        ['name = "juniper"', 'version = "0.8.3"'],
    ),
    "text blocks in YAML": (
        each("{w}:\n  script: |\n    set -e\n    make {w}\n    ./deploy {w} --to zone{n}\n  when: nightly\n"),
        "To which zone is oak deployed?",
        50,
        ["oak:", "./deploy oak --to zone11"],
    ),
    "blocks of keys and values without a sign": (
        each("Host {w}\n    HostName {w}.example.org\n    Port 22{n:02d}\n    User u{n}\n", "\n"),
        "Which port does host fir use?",
        40,
        ["Host fir", "Port 2205"],
    ),
    "lines of as many words under a comment": (
        "# m h dom mon dow command\n" + each("{n} {n} * * * /opt/jobs/{w}.sh\n"),
        "When does mango.sh run?",
        50,
        ["# m h dom mon dow command", "10 10 * * * /opt/jobs/mango.sh"],
    ),
    "columns that do not align": (
        "CONTAINER ID   IMAGE   COMMAND   STATUS   PORTS   NAMES\n"
        + each('{n:012x}   {w}:1.{n}   "run {w}"   Up {n} hours   0.0.0.0:80{n:02d}->80/tcp   {w}_c\n'),
        "Which port does laurel_c publish?",
        90,
        ["CONTAINER ID", "0.0.0.0:8009->80/tcp"],
    ),
    "calls of a trace": (
        each('openat(AT_FDCWD, "/etc/{w}.conf", O_RDONLY) = {n}\n') + 'openat(AT_FDCWD, "/etc/pine.conf", O_RDONLY) '
        "= -1 ENOENT (No such file)\n",
        "Which file could not be opened (ENOENT)?",
        60,
        ["/etc/pine.conf"],
    ),
    "statements of SQL": (
        "-- dump\nCREATE TABLE t (\n  id int,\n  name text\n);\n\n" + each("INSERT INTO t VALUES ({n}, '{w}');\n"),
        "id of poplar in t",
        40,
        ["INSERT INTO t VALUES (12, 'poplar');"],
    ),
    "commits": (
        each("commit {n:040x}\nAuthor: {T} Lee <{w}@example.org>\nDate:   Tue Mar {n} 10:00:00 2025 +0100\n\n"
             "    Paint the {w} door\n\n"),
        "Who painted the poplar door?",
        120,
        ["Author: Poplar Lee", "Paint the poplar door"],
    ),
    "XML": (
        "<shop>\n" + each('  <item id="i{n}">\n    <title>{T} board of the best quality from the north</title>\n'
                           "    <made>by the oldest workshop of the whole country</made>\n    <price>{n}.50</price>\n"
                           "  </item>\n") + "</shop>\n",
        "What is the price of the Hazel board?",
        60,
        ['<item id="i6">', "Hazel board", "<price>6.50</price>"],
    ),
    "words with marks in XML": (
        "<book>\n" + each("<chapter><title>{T}</title><para>A table takes time. One of <b>{w}</b> needs {n} bolts, "
                           "which hold for years. Then it is waxed.</para></chapter>\n") + "</book>\n",
        "How many bolts does a table of ebony need?",
        60,
        ["One of <b>ebony</b> needs 4 bolts, which hold for years."],
    ),
}  # fmt: skip
PROSE = {
    "questions and answers": (
        each("Q: How do I open the {w} box?\nA: Press here and there. Turn it {n} times.\n", "\n"),
        "How do I open the beech box?",
        50,
        ["Q: How do I open the beech box?", "Turn it 2 times."],
    ),
    "an answer that says nothing of its question": (
        each("HOST: What of the {w} trade?\n\nDR. VALE: Slow, and dear.\n", "\n")
        + "\nHOST: When did the dam break?\n\nDR. VALE: In spring of 1931, after rain.\n",
        "When did the dam break?",
        50,
        ["When did the dam break?", "In spring of 1931"],
    ),
    "terms with what is indented under them": (
        each("tool.{w}::\n\tThe way to set what is done with {w} wherever it may\n\tbe. Defaults to {n}0.\n", "\n"),
        "default of tool.mango",
        60,
        ["tool.mango::", "Defaults to 100."],
    ),
    "numbers as terms": (
        "EXIT STATUS\n" + each("    {n}\n        The {w} was broken.\n"),
        "Which exit status means that the fir was broken?",
        50,
        ["5\n", "The fir was broken."],
    ),
    "methods of a class in braces": (
        "package a;\n\npublic class Bank {\n" + each(
            "    public int pay{T}(int n) {{\n        if (n > {n}7) {{\n            throw new Error();\n        }}\n"
            "        return n;\n    }}\n", "\n") + "}\n",
        "When does payIroko throw?",
        80,
        ["payIroko(int n) {", "if (n > 77) {"],
    ),
    "ligatures": (each("The ofﬁce of the {w} ﬂoor is room {n}.", " "), "office of the teak floor", 24, ["room 13."]),
    "soft hyphens": (
        each("The ware\u00adhouse of {w} has {n} con\u00adtai\u00adners.", " "),
        "containers in the warehouse of fir",
        30,
        ["ware\u00adhouse of fir has 5 con\u00adtai\u00adners."],
    ),
    "Thai without a stop": (
        " ".join(
            f"ห้อง{w}อยู่ชั้น {n} เปิดเวลา {n + 6} นาฬิกา"
            for n, w in enumerate(["สมุด", "ครัว", "ประชุม", "ดนตรี", "กีฬา"], 2)
        ),
        "ห้องดนตรีเปิดกี่โมง",
        90,
        ["ห้องดนตรีอยู่ชั้น 5 เปิดเวลา 11 นาฬิกา"],
    ),
    "Arabic": (
        " ".join(f"يقع متجر {w} في شارع رقم {n}." for n, w in enumerate(["الكتب", "الزهور", "الخبز", "الألعاب"], 1)),
        "أين يقع متجر ألعاب؟",
        40,
        ["متجر الألعاب في شارع رقم 4."],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [*DATA, *PROSE])
def test_what_answers_comes_with_what_names_it(name):
    text, query, budget, wanted = (DATA | PROSE)[name]
    out = packed(query, text, budget)
    assert [part for part in wanted if part not in out] == [], out


def test_what_a_notebook_printed_is_found_with_its_cell(tmp_path):
    cells = [
        {"cell_type": "code", "metadata": {}, "execution_count": n, "source": f"mean_yield('{w}')",
         "outputs": [{"output_type": "stream", "name": "stdout", "text": f"yield of {w}: {n}8.5 %\n"}]}
        for n, w in NUMBERED
    ]  # fmt: skip
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    assert "68.5 %" in PACKER.pack("mean yield of hazel", fp.read(str(path)), 40).text


def test_a_file_of_xml_is_read_as_records(tmp_path):
    text = "<shop>" + each("<item><title>{T} board of the best sort</title><made>by hand, in the old mill of the town "
                           "by the river</made><price>{n}.50</price></item>") + "</shop>"  # fmt: skip
    (tmp_path / "a.xml").write_text(text)
    result = PACKER.pack("price of the Oak board", fp.read(str(tmp_path / "a.xml")), 60)
    assert "Oak board" in result.text and "<price>11.50</price>" in result.text
    assert "row" in result.left_out[0] and "11" in result.left_out[0] and result.left_out[0].endswith("of 13")


def test_terms_of_a_page_go_with_what_is_said_of_them():
    items = each("<dl><dt>--{w}</dt><dd><p>Sets it. The default is {n}.</p></dd></dl>")
    out = packed("default of --teak", f"<html><body><h1>Options</h1>{items}</body></html>", 50)
    assert "<dt>--teak</dt><dd><p>Sets it. The default is 13.</p>" in out


def test_the_best_row_leaves_a_text_that_is_too_long_last():
    text = "EXIT STATUS\n" + each("    {n}\n        The {w} was broken.\n")
    for budget in range(20, 60):
        result = PACKER.pack("Which exit status means that the fir was broken?", [Document("d", text)], budget)
        assert result.tokens <= budget and "The fir was broken." in result.text
