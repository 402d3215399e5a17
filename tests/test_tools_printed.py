"""What commands print: each kind is read by its lines, and its answer survives with what it stands under."""

import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack import ContextPacker
from fieldpack.text.structure.reader import read_structure
from fieldpack.tools import ToolCall, ToolTrimmer, trim
from fieldpack.tools.failures import pins_of
from fieldpack.tools.forms import form_of
from fieldpack.tools.xml_tags import Elements, is_xml

COUNT = ContextPacker().tokenizer.count
HASHES = [f"{i * 2654435761 % 2**64:016x}{i:024x}" for i in range(60)]


def shown(text, question, budget=150, **more):
    t = trim(text, question=question, budget=budget, threshold=0, **more)
    assert t.cut and COUNT(t.output) <= budget
    return t.output


def commits():
    out = []
    for i, name in enumerate(HASHES):
        out += [f"commit {name}", f"Author: Person {i} <p{i}@example.org>", "Date:   Mon May 4 10:00:00 2026", ""]
        out += [f"    Fix the limit of part {i} (#{1000 + i})", "", "    It was slow.", ""]
    return "\n".join(out)


def test_a_commit_is_one_entry_and_a_short_hash_finds_it():
    out = shown(commits(), "Who made the commit for #1033?")
    assert "Author: Person 33 " in out and "    Fix the limit of part 33 (#1033)" in out
    out = shown(commits(), f"What did commit {HASHES[21][:10]} change?", budget=400)
    assert HASHES[21] in out and "part 21 (#1021)" in out


def test_short_lines_of_one_width_are_no_paragraph():
    lines = [f"{i * 7919:07x} {['Fix', 'Add', 'Drop'][i % 3]} limit {i % 13} in part {i % 17}" for i in range(180)]
    assert lines[77] in shown("\n".join(lines), f"Which commit is about: {lines[77][8:]}?")


def test_an_indented_line_brings_the_line_that_it_stands_under():
    text = "\n".join(
        f"service-{i}:\n    Limits:\n      cpu:     {i}00m\n      memory:  {i}0Mi\n    Image:  reg/s{i}"
        for i in range(1, 40)
    )
    out = shown("Name: pod\nStatus (all of them)\n" + text, "What is the memory limit of service-23?")
    assert "service-23:\n    Limits:\n" in out and "      memory:  230Mi" in out


def test_the_lines_of_a_file_with_numbers_are_indented_behind_them():
    body = ["def part(self):", *(f"    x_{i} = {i}" for i in range(90)), "    GRACE_SECONDS = 41", "    return x_1"]
    text = "\n".join(f"{n:>6}\t{line}" for n, line in enumerate(body, 1))
    assert f"{92:>6}\t    GRACE_SECONDS = 41" in shown(text, "What is GRACE_SECONDS?")


def test_kept_lines_keep_their_indentation():
    rows = [f" {i:>4} | name {i % 7} | {i * 3:>6}" for i in range(150)]
    text = "\n".join(["   id | customer |  amount", "------+----------+---------", *rows, "(150 rows)"])
    kept = [line for line in shown(text, "amount of id 64").split("\n")[1:] if line != "…"]
    assert set(kept) <= set(text.split("\n")) and rows[64] in kept


def test_a_count_is_answered_by_the_last_line():
    text = "\n".join([f"src/part_{i}.py | {i} +++---" for i in range(120)] + [" 120 files changed, 4312 insertions(+)"])
    assert text.split("\n")[-1] in shown(text, "How many files changed in total?")


@pytest.mark.parametrize(
    ("last", "error"),
    [
        ("=== 2 failed, 90 passed in 3.1s ===", "E       AssertionError: expected 3 rows, got 5"),
        ("[ERROR] BUILD FAILURE", "[ERROR] Store.java:[7,2] incompatible types: int cannot be converted to Text"),
        ("npm ERR! A complete log is in /root/x.log", "npm ERR! peer left@2 from right@3"),
        ("Found 1 error in 1 file (checked 90 files)", "part.py:7: error: Name 'left' is not defined"),
    ],
)
def test_a_run_that_looks_failed_keeps_what_it_failed_by(last, error):
    lines = [f"step {i} of the parts, done in {i} ms" for i in range(200)]
    lines[90] = error
    out = shown("\n".join([*lines, last]), "What happened in this run?")
    assert error in out and last in out


@pytest.mark.parametrize(
    ("line", "failing"),
    [
        ("exit code: 2", True),
        ("Exit code 1", True),
        ("##[error]Process completed with exit code 1.", True),
        ("<returncode>1</returncode>", True),
        ("CalledProcessError: 'x' returned non-zero exit status 3.", True),
        ("exit: 1", True),
        ("exit code: 0", False),
        ("    sys.exit(1)", False),
        ("The exit code 2 means that the file is missing.", False),
        ("a1b2  registry/x:1  Exited (137) 8 hours ago", False),
        ("    exitCode: 137", False),
    ],
)
def test_an_exit_code_is_what_a_command_says_of_itself(line, failing):
    text = "\n".join([*(f"line {i}" for i in range(60)), line])
    assert pins_of(text, None).failed is failing


def test_a_log_with_levels_is_no_talk():
    log = "\n".join(
        f"[2026-05-06 02:{i:02d}:00] {['INFO', 'ERROR'][i % 9 == 2]} worker: job {i} ran" for i in range(50)
    )
    assert form_of(log) == "log"


def test_a_cell_that_is_empty_at_the_end_of_a_row_is_a_cell():
    rows = [f"E{i}\tname {i}\t{i * 3}\t{'' if i % 3 else 'late'}" for i in range(90)]
    out = shown("\n".join(["id\tname\tsum\tnote", *rows]), "sum of E64")
    assert {line.count("\t") for line in out.split("\n")} == {3} and rows[64] in out


def catalog(gap):
    items = [
        f'<item sku="P{i}">{gap}<price cur="EUR">{i}.50</price>{gap}<left>{i % 7}</left>{gap}</item>' for i in range(90)
    ]
    return f'<?xml version="1.0" encoding="utf-8"?>{gap}<list owner="a>b">{gap}{gap.join(items)}{gap}</list>'


def indented():
    root = ET.fromstring(catalog(""))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


@pytest.mark.parametrize("text", [catalog(""), catalog("\n"), indented()], ids=["one line", "flat", "indented"])
@pytest.mark.parametrize("budget", [100, 150, 400])
def test_xml_stays_xml_with_the_elements_around_what_is_kept(text, budget):
    root = ET.fromstring(shown(text, "What is the price of P64?", budget))
    assert root.tag == "list" and root.get("owner") == "a>b"
    assert root.find("item[@sku='P64']/price").text == "64.50"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 400)), min_size=1, max_size=5), st.booleans())
def test_any_ranges_of_xml_make_xml(pairs, comments):
    text = catalog("\n").replace("<left>3<", "<left><!-- <x> --><![CDATA[<y>]]>3<") if comments else catalog("\n")
    text = text.partition("?>")[2].lstrip()
    ranges = sorted((a, min(len(text), a + n)) for a, n in pairs if a < len(text))
    elements = Elements(text)
    kept = elements.whole(ranges)
    if kept:
        assert is_xml(elements.closed(kept))


def test_items_of_a_literal_are_cut_apart():
    rows = [{"id": i, "who": f"Person {i % 7}", "room": f"R{i * 37 % 997}"} for i in range(90)]
    assert repr(rows[57])[1:-1] in shown(repr(rows), "Which room has id 57?")


def test_many_small_blocks_are_cut_as_one():
    lines = [{"type": "text", "text": f"order {i} was paid by card {i * 7}"} for i in range(400)]
    t = trim(lines, question="card of order 171", budget=120)
    assert t.cut and isinstance(t.output, list) and "order 171 was paid by card 1197" in t.output[0]["text"]
    rows = [{"type": "text", "text": json.dumps({"id": i, "card": i * 7})} for i in range(300)]
    t = trim(rows, question="card of id 171", budget=120)
    assert rows[171] in t.output and "kept " in t.output[-1]["text"] and len(t.output) < 40
    result = {"content": rows, "structuredContent": {"result": [json.loads(r["text"]) for r in rows]}, "isError": False}
    new = trim(result, question="card of id 171", budget=120).output
    assert [json.loads(b["text"]) for b in new["content"]] == new["structuredContent"]["result"]


def test_blocks_that_are_few_or_large_or_other_stay_apart():
    lines = [{"type": "text", "text": f"line {k} " * 400} for k in range(9)]
    t = trim([*lines[:3], {"type": "image", "data": "AA"}], question="line 2", budget=300)
    assert len(t.output) == 4 and t.output[3] == {"type": "image", "data": "AA"}
    assert len(trim(lines, question="line 2", budget=900).output) == 9


def test_json_around_a_text_is_inside_the_budget_and_its_exit_code_counts():
    text = "\n".join(
        [*(f'step {i} "quoted" and done' for i in range(300)), "the tool ran out of ink", "it stopped", "bye"]
    )
    for budget in (80, 150, 400):
        out = trim(json.dumps({"stdout": text, "exitCode": 3}), question="step 171", budget=budget).output
        assert COUNT(out) <= budget and json.loads(out)["stdout"].endswith("it stopped\nbye")


def test_what_stands_in_fences_is_read_by_its_lines():
    rows = [f'      - row "Order {7000 + i}" [ref=e{i}]:\n        - button "View" [ref=b{i}]' for i in range(60)]
    out = shown("- Page: Orders\n```yaml\n- table:\n" + "\n".join(rows) + "\n```", "View of order 7031")
    assert '      - row "Order 7031" [ref=e31]:\n        - button "View" [ref=b31]' in out


def test_a_row_of_a_document_comes_with_its_heading():
    parts = [
        f"## Part {i}\n\nIt is described here.\n\n| Name | Most |\n|---|---|\n| x{i}y | {i * 3} |" for i in range(60)
    ]
    assert "\n## Part 41\n" in shown("\n\n".join(parts), "most of x41y")


def test_terminal_is_a_format_of_its_own():
    structure = read_structure("a:\n  b\n\n  c\nd", kind="terminal")
    assert structure.format == "terminal" and list(structure.context) == [-1, 0, 0, -1]
    assert ToolTrimmer(threshold=0).trim("x", question="y", call=ToolCall("z")).output == "x"
