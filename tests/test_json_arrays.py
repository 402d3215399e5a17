"""Long JSON read with arrays: the same atoms and blocks as token by token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.text.structure import json_arrays, records
from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.model import ATOM_WIDTH

TEXTS = st.sampled_from(
    ["", "a", 'x"y', "é ü", "\\", '\\"', "{[", "a, b: c", "line\nline", "🙂", "w " * 55, "Well. " * 80]
)
SCALARS = st.one_of(TEXTS, st.integers(-9, 10**8), st.booleans(), st.none(), st.floats(allow_nan=False))
KEYS = st.sampled_from(["id", "name", "owner", "tags", "p", "🙂", "a, {", "k" * 60])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=9), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=24,
)
SIGNS = st.sampled_from(["", '"', ",", "{", "}", "[", "]", "\n", " ", "\\", "🙂", " ,", "\u3000"])


def columns(text: str, max_chars: int = 1600) -> tuple[list[int], list[int]]:
    builder = Builder(text, max_chars)
    builder.number = 7
    records.read_json(builder, 0, len(text))
    atoms, blocks = builder.columns()
    return list(atoms), list(blocks)


@pytest.fixture
def any_length(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Arrays for texts of any length."""
    monkeypatch.setattr(json_arrays, "FEWEST_CHARS", 0)
    yield


def by_token(text: str, max_chars: int = 1600) -> tuple[list[int], list[int]]:
    """The oracle: every token for itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "read_arrays", lambda *_: False)
        return columns(text, max_chars)


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    """Objects and arrays in the spellings of several writers."""
    data: Any = [draw(VALUES) for _ in range(draw(st.integers(0, 3)))] * draw(st.sampled_from([1, 3]))
    if draw(st.booleans()):
        data = {"count": len(data), "rows": data, "more": [data[:2]]}
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (",  ", " : "), (" ,\n", ":\t")]))
    indent = draw(st.sampled_from([None, None, 1, 2]))
    return json.dumps(data, indent=indent, separators=separators, ensure_ascii=draw(st.booleans()))


@pytest.mark.usefixtures("any_length")
@given(json_texts(), st.sampled_from([1600, 1600, 400, 399]))
def test_json_becomes_what_it_is_token_by_token(text: str, max_chars: int) -> None:
    assert columns(text, max_chars) == by_token(text, max_chars)


@pytest.mark.usefixtures("any_length")
@given(json_texts(), st.data())
def test_truncated_json_too(text: str, data: st.DataObject) -> None:
    text = text[: data.draw(st.integers(1, len(text)))].rstrip()
    assert columns(text) == by_token(text)


@pytest.mark.usefixtures("any_length")
def test_json_cut_inside_an_escape_ends_with_it() -> None:
    text = '{"rows": [{"id": 1, "name": "' + "x" * 120 + "\\"
    assert columns(text) == by_token(text)
    assert columns(text)[0][-ATOM_WIDTH + 1] == len(text) and len(columns(text)[0]) == 3 * ATOM_WIDTH


@pytest.mark.usefixtures("any_length")
@given(json_texts(), st.data())
def test_broken_json_is_covered_in_order(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(SIGNS) + text[place + data.draw(st.integers(0, 1)) :]
    text = text.strip()
    atoms = np.array(columns(text)[0], np.int64).reshape(-1, ATOM_WIDTH)
    spans = atoms[:, :2].tolist()
    assert all(text[low:high] == text[low:high].strip() for low, high in spans if text[low:high].strip())
    gaps = zip([0, *(high for _, high in spans)], [*(low for low, _ in spans), len(text)], strict=True)
    assert all(low <= high and not text[low:high].strip() for low, high in gaps)
    assert (atoms[:, 5] < np.arange(len(atoms))).all()


def test_json_as_machines_write_it_is_read_with_arrays() -> None:
    records_ = [{"id": n, "owner": {"name": "x" * 90, "at": {"city": "y" * 90}}, "tags": [1, 2]} for n in range(50)]
    for text in (
        json.dumps(records_),
        json.dumps({"é": records_}, indent=2, ensure_ascii=False),
        json.dumps(records_)[:-9],
    ):
        assert json_arrays.read_arrays(Builder(text), 0, len(text))


def test_long_gaps_are_read_as_token_by_token() -> None:
    for gap in (" " * 5000, "\n" * 5000, "\u3000" * 5000):
        last = gap if gap.startswith("\n") else ""  # a bracket far behind a value on its line is for the token reader
        text = f'[{"1, " * 500}{gap}2,{gap}{{{gap}"b": "{"x" * 200}",{gap}"c": 1{last}}},{gap}[1, {{"d": 1}}]{last}]'
        assert json_arrays.read_arrays(Builder(text), 0, len(text))
        assert columns(text) == by_token(text)
