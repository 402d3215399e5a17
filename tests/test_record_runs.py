"""Runs of plain JSON records read with arrays: the same atoms and blocks as token by token."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.record_runs import FEWEST
from fieldpack.text.structure.records import JsonReader

TEXTS = st.sampled_from(["a", 'x"y', "é ü", "\\", "{[", "a, b: c", "line\nline", "🙂", "w " * 55, "w " * 230])
SCALARS = st.one_of(TEXTS, st.integers(-9, 10**8), st.booleans(), st.none(), st.floats(allow_nan=False))
FLAT = st.one_of(st.lists(SCALARS, max_size=4), st.dictionaries(st.sampled_from("pqr"), SCALARS, max_size=2))
PLAIN = st.dictionaries(st.sampled_from(["id", "name", "text", "tags"]), st.one_of(SCALARS, FLAT), max_size=4)
NESTED = st.recursive(st.one_of(SCALARS, PLAIN), lambda inner: st.dictionaries(TEXTS, st.lists(inner, max_size=3)))
SIGNS = st.sampled_from(["", '"', ",", "{", "}", "[", "]", "\n", " ", "\\", "🙂", " ,"])


class TokenReader(JsonReader):
    """The oracle: reads every record token by token."""

    def _in_array(self, at: int) -> bool:
        return False


class CountingReader(JsonReader):
    """Counts the records that were read in runs."""

    runs = 0

    def _run(self, low: int, high: int) -> int:
        end = super()._run(low, high)
        self.runs += end > low
        return end


def columns(reader: type[JsonReader], text: str, max_chars: int) -> tuple[list[int], list[int]]:
    builder = Builder(text, max_chars)
    reader(builder).read(0, len(text))
    atoms, blocks = builder.columns()
    return list(atoms), list(blocks)


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    """Arrays of records in the spellings of several writers, some with other values between and some broken."""
    few = draw(st.lists(PLAIN, min_size=1, max_size=4))
    data: Any = few * draw(st.integers(1, 2 * FEWEST))
    for value in draw(st.lists(st.one_of(NESTED, SCALARS), max_size=2)):
        data.insert(draw(st.integers(0, len(data))), value)
    if draw(st.booleans()):
        data = {"count": len(data), "rows": data, "more": [data[:12]]}
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (",  ", " : ")]))
    indent = draw(st.sampled_from([None, None, 1, 2]))
    text = json.dumps(data, indent=indent, separators=separators, ensure_ascii=draw(st.booleans()))
    for place in draw(st.lists(st.integers(0, len(text) - 1), max_size=3)):
        text = text[:place] + draw(SIGNS) + text[place + draw(st.integers(0, 1)) :]
    return text


@given(json_texts(), st.sampled_from([1600, 1600, 400, 399, 50]))
def test_runs_of_records_become_what_they_are_token_by_token(text: str, max_chars: int) -> None:
    assert columns(JsonReader, text, max_chars) == columns(TokenReader, text, max_chars)


def test_long_records_between_short_ones_are_cut_as_alone() -> None:
    records = [{"id": n, "text": "word " * (5 + 200 * (n % 40 == 39)), "tags": [n, 2]} for n in range(200)]
    for indent in (None, 2):
        text = json.dumps(records, indent=indent)
        assert columns(JsonReader, text, 1600) == columns(TokenReader, text, 1600)


def test_records_as_machines_write_them_are_read_in_runs() -> None:
    for indent in (None, 2):
        text = json.dumps([{"id": n, "name": "x", "tags": [1, 2]} for n in range(5000)], indent=indent)
        builder = Builder(text)
        reader = CountingReader(builder)
        reader.read(0, len(text))
        assert reader.runs == 3  # 2,000 at a time
