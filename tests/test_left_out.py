"""A pack of tables and records says which rows it holds, stays a table, and is valid JSON where that is asked for."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.errors import SettingsError
from fieldpack.packing.left_out import left_out
from fieldpack.packing.render import render
from fieldpack.text.segment import segment

ROWS = [[f"badge {i * 13}", f"Person{i}", str(3000 + 7 * i)] for i in range(60)]


def table() -> fp.Document:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([["badge", "owner", "salary"], *ROWS])
    return fp.Document("pay.csv", out.getvalue(), metadata={"path": "pay.csv"})


def array(indent: int | None = None) -> fp.Document:
    value = {"total": 60, "staff": [dict(zip(("badge", "owner", "salary"), row, strict=True)) for row in ROWS]}
    return fp.Document("pay.json", json.dumps(value, indent=indent), metadata={"path": "pay.json"})


def test_the_rows_of_a_table_are_counted_and_the_text_stays_a_table() -> None:
    result = fp.ContextPacker(enough=1.0).pack("What is the salary of Person17?", [table()], 60)
    rows = list(csv.reader(io.StringIO(result.text)))
    assert rows[0] == ["badge", "owner", "salary"] and ROWS[17] in rows and all(row in ROWS for row in rows[1:])
    (said,) = result.left_out
    assert said.startswith("pay.csv: rows ") and said.endswith(" of 60")
    assert "17-20" in said  # Person17 stands in row 18, counted from 1 below the header
    assert result.to_dict()["left_out"] == [said]


def test_the_header_of_a_source_says_which_rows_it_holds_inside_the_budget() -> None:
    result = fp.ContextPacker(cite="lines").pack("What is the salary of Person17?", [table()], 60)
    assert result.text.startswith("[1] pay.csv:1,") and " of 60)\n" in result.text
    assert result.tokens <= 60


@given(st.sets(st.integers(0, 29), min_size=1), st.booleans(), st.sampled_from(["", "Log"]))
def test_a_header_with_lines_never_names_lines_that_are_left_out(kept: set[int], titles: bool, title: str) -> None:
    document = fp.Document("log.md", "\n\n".join(f"Paragraph {k} stands here." for k in range(30)), title)
    rows = np.array(sorted(kept))
    text = render([document], segment([document]), rows, cite="lines", titles=titles).text
    name = r"\[1\] Log \(log\.md:([^)]*)\)" if titles and title else r"\[1\] log\.md:(.*)"
    said = re.fullmatch(name, text.partition("\n")[0])[1]
    if said.endswith(" in parts"):
        ends = said.removesuffix(" in parts").split("-")
        assert ends == [str(2 * rows[0] + 1), str(2 * rows[-1] + 1)] and len(kept) > 4
        return
    named = {n for part in said.split(",") for n in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)}
    assert {2 * k + 1 for k in kept} == {n for n in named if n % 2}, "even lines are empty"


def test_a_whole_table_leaves_nothing_out() -> None:
    assert fp.ContextPacker(enough=1.0).pack("salary badge owner", [table()], 5000).left_out == ()


@pytest.mark.parametrize("indent", [None, 2])
def test_a_pack_of_json_is_valid_json_with_counts_where_that_is_asked_for(indent: int | None) -> None:
    document = array(indent)
    result = fp.ContextPacker(render="json").pack("What is the salary of Person17?", [document], 120)
    value = json.loads(result.text)
    assert {"badge": "badge 221", "owner": "Person17", "salary": "3119"} in value["staff"]
    assert value["staff"][-1]["…"].endswith(" of 60 elements") and value["…"] == "1 of 2 members"
    assert result.tokens <= 120 and result.spans == () and result.citations == ()


def test_json_lines_and_other_texts_stand_as_they_are_in_a_rendering_as_json() -> None:
    lines = "".join(json.dumps({"owner": row[1], "salary": row[2]}) + "\n" for row in ROWS)
    documents = [fp.Document("pay.jsonl", lines), fp.Document("note.txt", "The salary of Person17 is paid in May.")]
    result = fp.ContextPacker(render="json").pack("salary of Person17", documents, 90)
    assert '{"owner": "Person17", "salary": "3119"}' in result.text and "is paid in May." in result.text


def test_another_rendering_is_refused() -> None:
    with pytest.raises(SettingsError, match="render"):
        fp.ContextPacker(render="yaml")  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(st.integers(8, 30), min_size=1, max_size=3), st.data())
def test_the_numbers_are_those_of_the_rows_that_are_inside(sizes: list[int], data: st.DataObject) -> None:
    tables = [
        "| part | price |\n|---|---|\n"
        + "".join(f"| flange {t}-{i} with a long name | {i} euro and tax |\n" for i in range(n))
        for t, n in enumerate(sizes)
    ]
    document = fp.Document("parts.md", "\n\nA note.\n\n".join(tables))
    rows = segment([document], "sentence")
    body = [i for i in range(len(rows)) if "flange" in document.text[rows[i].start : rows[i].end]]
    inside = np.array(sorted(data.draw(st.sets(st.sampled_from(body), min_size=1, max_size=4))))
    said = "".join(left_out([document], rows, inside))
    for t, n in enumerate(sizes):
        wanted = [i for i in inside if f"flange {t}-" in document.text[rows[i].start : rows[i].end]]
        assert (f" of {n}" in said) >= bool(wanted)
    assert (said == "") == (len(inside) == 0)


INI = (
    "[main]\nname=plant\ntimeout = 30\n\n[mail]\nhost = mx.example.org\nport = 2525\n\n"
    "[backup]\nhost = bk.example\nport = 8730\n"
)


@pytest.mark.parametrize("budget", [14, 17, 20, 24])
def test_no_section_or_key_stands_alone(budget: int) -> None:
    result = fp.ContextPacker(enough=1.0).pack("port of the backup", [fp.Document("a.ini", INI)], budget)
    lines = [line for line in result.text.split("\n") if line.strip() not in ("", "…")]
    assert "port = 8730" in lines
    assert not any(a.startswith("[") and b.startswith("[") for a, b in zip(lines, [*lines[1:], "["], strict=True))


def test_no_record_is_begun_as_filling() -> None:
    result = fp.ContextPacker(enough=1.0).pack("salary of Person17", [array(indent=2)], 75)
    assert "Person17" in result.text
    assert not result.text.rstrip().endswith('",') or result.text.count("{") == result.text.count('"owner"')


LEASE = (
    "7. Termination\n\n7.1 The landlord may end the lease on three months' notice, unless:\n\n"
    "(a) the tenant has paid all rent due by the first day of the month; or\n"
    "(b) the tenant has asked for arbitration within ten days of the notice.\n\n"
    "7.2 The deposit of 900 euro is repaid within 30 days.\n\n8. Pets\n\nPets are allowed except for snakes.\n"
)


@pytest.mark.parametrize("budget", [55, 58, 62])
def test_the_number_and_name_of_a_section_are_no_filling(budget: int) -> None:
    query = "does asking for arbitration stop the end of the lease"
    result = fp.ContextPacker(enough=1.0).pack(query, [fp.Document("lease.txt", LEASE)], budget)
    assert "(b) the tenant has asked for arbitration" in result.text and "unless:" in result.text
    assert not result.text.rstrip().endswith("8. Pets")
