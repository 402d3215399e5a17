"""Kept text keeps what names it: a table's header, the keys that enclose a value, a comment above a setting."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_packing import problem

import fieldpack as fp
from fieldpack.packing.problem import Problem, missing_contexts, with_contexts
from fieldpack.packing.render import render
from fieldpack.packing.select import select

ROWS = [(f"Person{n}", f"City{n % 7}", f"{n * 13 % 997}.00") for n in range(1, 60)]
CSV = "name,city,due_eur\n" + "\n".join(",".join(row) for row in ROWS) + "\n"
MARKDOWN = "\n".join(["| name | city | due |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in ROWS), ""])
SETTINGS = "\n".join(
    f"service{n}:\n  # where it listens\n  port: {4000 + n}\n  limits:\n    memory: {n}GB\n" for n in range(1, 12)
)
MESSAGES = json.dumps(
    {"orders": [{"id": n, "customer": {"name": f"Person{n}", "email": f"p{n}@shop.example"}} for n in range(1, 40)]},
    indent=1,
)
TEXTS = {"rows.csv": CSV, "table.md": MARKDOWN, "services.yaml": SETTINGS, "orders.json": MESSAGES}
QUERIES = ("How much is due for Person41?", "Which port has service7?", "What is the email of Person23?")


def pack(name: str, query: str, budget: int) -> fp.Result:
    document = fp.Document(name, TEXTS[name], metadata={"path": name})
    return fp.ContextPacker().pack(query, [document], budget)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("name", TEXTS)
@given(budget=st.integers(1, 400))
@settings(max_examples=15, deadline=None)
def test_what_a_kept_segment_needs_is_kept(name: str, query: str, budget: int) -> None:
    result = pack(name, query, budget)
    context = result.segments.context
    inside = np.flatnonzero(result.inside)
    needed = context[inside]
    assert result.inside[needed[needed >= 0]].all()
    assert fp.ContextPacker().tokenizer.count(result.text) == result.tokens <= budget
    for span in result.kept:
        assert TEXTS[name][span.start : span.end] in result.text


@pytest.mark.parametrize(
    ("name", "query", "answer", "header"),
    [
        ("rows.csv", "How much is due for Person41?", "Person41,City6,533.00", "name,city,due_eur"),
        ("table.md", "How much is due for Person41?", "| Person41 | City6 | 533.00 |", "| name | city | due |"),
        ("services.yaml", "Which port has service7?", "port: 4007", "service7:"),
    ],
)
def test_an_answer_comes_with_its_header(name: str, query: str, answer: str, header: str) -> None:
    text = pack(name, query, 80).text
    assert answer in text
    assert header in text
    assert text.index(header) < text.index(answer)


def test_rows_of_one_table_are_joined_by_line_breaks() -> None:
    """A mark of what is left out between two rows would be a row itself; rows that were not adjacent are still rows."""
    packer = fp.ContextPacker(enough=1.0)
    lines = packer.pack("How much is due for Person41?", [fp.Document("rows.csv", CSV)], 120).text.splitlines()
    assert len(lines) > 3
    assert set(lines) <= set(CSV.splitlines())


def test_a_header_that_ends_a_paragraph_is_joined_to_its_rows() -> None:
    text = "# Accounts\n\nWhat is due:\n\n" + MARKDOWN
    document = fp.Document("a.md", text)
    segments = fp.ContextPacker(unit="paragraph").pack("due", [document], 60).segments
    row = int(np.searchsorted(segments.start, text.index("| Person41 |")))
    rows = np.array([segments.context[row], row])
    found = render((document,), segments, rows, order="source", value=None, cite=False, titles=False)
    assert found.text.endswith("| name | city | due |\n|---|---|---|\n| Person41 | City6 | 533.00 |")


def test_a_pinned_row_comes_with_its_header_where_both_fit() -> None:
    at = CSV.index("Person41,")
    document = fp.Document("rows.csv", CSV, metadata={"path": "rows.csv"})
    packer = fp.ContextPacker()
    row, both = "Person41,City6,533.00", "name,city,due_eur\nPerson41,City6,533.00"
    pins = [("rows.csv", at, at + len(row))]
    for text in (row, both):
        assert packer.pack("due", [document], packer.tokenizer.count(text) + 1, pins=pins).text == text


def test_the_header_says_why_it_is_there() -> None:
    result = pack("rows.csv", "How much is due for Person41?", 60)
    header = next(span for span in result.kept if span.start == 0)
    assert "goes with" in header.reason


def in_forest(seed: int, pins: int = 0) -> Problem:
    """A random problem whose rows need others: each one at most, before it, of any depth."""
    made = problem(seed, coupled=False, pins=pins)
    rng = np.random.default_rng(seed)
    context = np.array([int(rng.integers(-1, row)) if row and rng.random() < 0.6 else -1 for row in range(len(made))])
    return replace(made, context=context)


@given(st.integers(0, 10_000), st.integers(5, 200))
@settings(max_examples=60, deadline=None)
def test_a_choice_is_closed_and_each_context_is_paid_once(seed: int, budget: int) -> None:
    made = in_forest(seed)
    assert made.context is not None
    packing = select(made, budget)
    rows = np.sort(packing.chosen)
    assert rows.size == np.unique(rows).size
    np.testing.assert_array_equal(with_contexts(rows, made.context), rows)
    assert packing.used == made.cost[rows].sum() + made.header_tokens[np.unique(made.document[rows])].sum()
    assert packing.used <= budget
    assert not np.setdiff1d(packing.brought.nonzero()[0], rows).size


@given(st.integers(0, 10_000), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_pins_are_in_and_need_their_contexts_only_where_they_fit(seed: int, budget: int) -> None:
    made = in_forest(seed, pins=2)
    assert made.context is not None
    packing = select(made, budget)
    rows = np.sort(packing.chosen)
    assert made.pinned[rows].sum() == 2
    pins = np.flatnonzero(made.pinned)
    assert packing.used == made.cost[rows].sum() <= max(budget, made.cost[pins].sum())
    whole = with_contexts(pins, made.context)
    if made.cost[whole].sum() <= budget:
        assert np.isin(whole, rows).all()


@given(st.integers(0, 10_000), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_missing_contexts_by_plain_loops(seed: int, bits: int) -> None:
    made = in_forest(seed)
    assert made.context is not None
    inside = np.array([bool(bits >> row & 1) for row in range(len(made))])
    for row, found in enumerate(missing_contexts(made, inside)):
        at, tokens = int(made.context[row]), 0
        while at >= 0:
            tokens += 0 if inside[at] else int(made.cost[at])
            at = int(made.context[at])
        assert found == tokens
