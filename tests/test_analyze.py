"""What is wrong with a context, and what a pipeline's contexts hold: `fieldpack analyze` and `fieldpack evaluate`."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.analysis.evaluate import evaluated, sent
from fieldpack.analysis.top_k import CHUNK, bm25, chunks_of, top_k
from fieldpack.analysis.waste import cuts, repeats
from fieldpack.cli.app import run
from fieldpack.request import checked_documents

REFUND = "Refunds are paid within 14 days of the return. They go to the card that was charged."


def read(*texts):
    corpus = fp.ContextPacker(unit="sentence").read(checked_documents(list(texts)))
    return corpus.documents, corpus.rows


def whats(*texts):
    return sorted(p.what for p in cuts(*read(*texts)))


def test_copies_are_repeats_of_the_first_and_nothing_else_is():
    documents, rows = read(REFUND, "Roses are pruned in winter, before the buds open.", REFUND)
    again = repeats(documents, rows)
    assert {rows.text(documents, row) for row in again} == set(rows.texts(documents)[:2])
    assert all(rows.doc[row] == 2 and rows.doc[first] == 0 for row, first in again.items())


def test_a_fact_that_differs_in_one_number_is_no_repeat():
    assert not repeats(*read("Refunds are paid within 14 days of it.", "Refunds are paid within 30 days of it."))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Parcels are shipped within two days from our", ["ends in mid-sentence"]),
        ("of the return, and they go to the card that was charged.", ["begins in mid-sentence"]),
        ("| 1 | 2 |\n| 3 | 4 |", ["a table without its head"]),
        ("| a | b |\n|---|---|\n| 3 | 4 |", []),
        ("```python\nx = 1\n", ["a code block without its end"]),
        ("```python\nx = 1\n```", []),
        ('{"a": [1, 2', ["JSON without its end, or broken"]),
        ('{"a": 1}\n{"a": 2}', []),
        ("# How refunds are paid\n\n" + REFUND, []),
    ],
)
def test_what_was_cut_is_named(text, what):
    assert whats(text) == what


@given(st.text(st.sampled_from("ab \n."), max_size=4000))
def test_chunks_hold_all_but_white_space_in_order(text):
    ranges = list(chunks_of(text, 50))
    assert all(0 < end - start <= 50 for start, end in ranges)
    assert all(a[1] <= b[0] for a, b in pairwise(ranges))
    assert "".join("".join(text[a:b].split()) for a, b in ranges) == "".join(text.split())


def test_bm25_is_that_of_the_formula():
    texts = ["refund refund card", "card", "roses in winter"]
    scores = bm25("refund", texts)
    idf, mean = np.log(1 + (3 - 1 + 0.5) / 1.5), 7 / 3
    assert scores[0] == pytest.approx(idf * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / mean)))
    assert scores[1] == scores[2] == 0


def test_the_baseline_stays_inside_its_budget_and_takes_the_best_first():
    documents = [fp.Document("a", "Roses. " * 300), fp.Document("b", REFUND)]
    sent_chunks = top_k("When are refunds paid?", documents, 60, count=lambda t: len(t.split()))
    assert sent_chunks.ranges == (("b", 0, len(REFUND)),) and sent_chunks.tokens == len(REFUND.split()) <= 60
    assert max(b - a for a, b in chunks_of("x" * 5000)) == CHUNK


def test_a_quote_counts_whole_and_whatever_its_white_space():
    assert sent(["paid  within\n14 days", "Leipzig"], "are paid within 14 days", 5).found == 1
    assert sent(["paid within", "paid \n within"], "paid within", 1).quotes == 1
    row = evaluated("x", [sent(["a"], "a", 10), sent(["b"], "a", 30)], price=2.0)
    assert (row.evidence, row.complete, row.tokens, row.money) == (0.5, 0.5, 20, pytest.approx(0.04))


def test_the_verb_prints_what_it_finds_at_80_columns(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    context = tmp_path / "context.json"
    context.write_text(json.dumps([{"text": REFUND, "id": "terms"}, REFUND, "| 1 | 2 |"]))
    assert run(["analyze", str(context), "-q", "When are refunds paid?", "--price", "3"]) == 0
    out = capsys.readouterr().out
    assert "repeated" in out and "as in terms:1" in out and "a table without its head" in out and "cost" in out
    assert max(map(len, out.splitlines())) <= 80
    assert run(["analyze", str(context), "--json", "--price", "3"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert sum(facts["shares"].values()) == pytest.approx(1, abs=1e-3)
    assert facts["irrelevant"] == [] and len(facts["repeated"]) == 2 and facts["money"] > facts["money_wasted"] > 0


def test_plain_text_is_one_document_and_bad_input_one_line(tmp_path, capsys):
    (tmp_path / "c.txt").write_text(REFUND)
    assert run(["analyze", str(tmp_path / "c.txt"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["documents"] == 1
    (tmp_path / "c.txt").write_text(' [{"content": "x"}]')
    assert run(["analyze", str(tmp_path / "c.txt")]) == 2
    assert "allowed: text, id, title" in capsys.readouterr().err
    (tmp_path / "c.txt").write_text(" ")
    assert run(["analyze", str(tmp_path / "c.txt")]) == 2
    assert run(["analyze", str(tmp_path / "c.txt"), "--price", "-1"]) == 2


@pytest.fixture
def labels(tmp_path):
    (tmp_path / "terms.md").write_text(f"# Terms\n\n{REFUND}\n\nThe buyer pays for the return.\n")
    (tmp_path / "garden.md").write_text("Roses are pruned in winter. " * 60)
    rows = [
        {"question": "When are refunds paid?", "file": "terms.md", "quote": "within 14 days"},
        {"question": "Who pays for the return?", "file": "terms.md", "quote": "The buyer pays for the return."},
    ]
    place = tmp_path / "labels.jsonl"
    place.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return place


def test_one_command_fails_the_build_below_a_threshold(labels, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    asked = ["evaluate", str(labels), "--documents", str(labels.parent / "terms.md"), "--price", "3"]
    assert run([*asked, "--at-least", "0.8"]) == 0
    out = capsys.readouterr().out
    assert "fieldpack" in out and "BM25" in out and max(map(len, out.splitlines())) <= 80
    assert run([*asked, "--budget", "1", "--at-least", "0.8"]) == 1
    told = capsys.readouterr()
    assert "below --at-least 0.8" in told.err and "0 of 1" in told.out
    assert run([*asked, "--at-least", "2"]) == 2


def test_the_current_pipeline_is_read_from_its_log(labels, capsys):
    log = labels.parent / "log.jsonl"
    rows = [
        {"question": "When are refunds paid?", "context": [REFUND, {"text": "Roses."}]},
        {"question": "Who pays for the return?", "context": "Roses are pruned in winter."},
    ]
    log.write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert run(["evaluate", str(labels), "--current", str(log), "--budget", "80", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["current"]["evidence"] == 0.5 and facts["fieldpack"]["evidence"] == 1.0
    assert [q["current"]["found"] for q in facts["questions"]] == [1, 0]
    log.write_text(json.dumps(rows[0]) + "\n")
    assert run(["evaluate", str(labels), "--current", str(log)]) == 2
    assert "no context for the question" in capsys.readouterr().err
    log.write_text('{"question": "x"}\n')
    assert run(["evaluate", str(labels), "--current", str(log)]) == 2


@pytest.mark.parametrize("what", ["top-k", "no-query", "20"])
def test_a_report_compares_with_another_way(labels, what, capsys):
    out = labels.parent / "r.html"
    asked = ["pack", str(labels.parent / "terms.md"), "-q", "When are refunds paid?", "-b", "30", "--report", str(out)]
    assert run([*asked, "--compare", what]) == 0
    page = out.read_text("utf-8")
    assert 'class="compared"' in page and '"compare":{"name":' in page
    assert run([*asked, "--compare", "magic"]) == 2
    assert "allowed: top-k, no-query" in capsys.readouterr().err
    assert run([*asked[:-2], "--compare", what]) == 2
