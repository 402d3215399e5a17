"""What was kept of a JSON text is valid JSON: a part of the whole, with counts of what is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.errors import InputError
from fieldpack.text.structure.pruned import OMITTED, pruned_json
from fieldpack.text.structure.reader import read_structure

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text('ab"\\{}[],: é\n', max_size=6)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text("abc", max_size=3), v, max_size=4)
)


def is_part(part: Any, whole: Any) -> bool:
    """Whether `part` is `whole` with members and elements left out, in order."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(k in whole and is_part(v, whole[k]) for k, v in part.items() if k != OMITTED)
    if isinstance(part, list) and isinstance(whole, list):
        rest = iter(whole)
        return all(any(is_part(p, w) for w in rest) for p in part if not (isinstance(p, dict) and set(p) == {OMITTED}))
    return bool(part == whole)


@settings(deadline=None)
@given(VALUES.filter(lambda v: isinstance(v, dict | list)), st.data(), st.sampled_from([None, 2]))
def test_any_choice_of_atoms_gives_a_valid_part(value: Any, data: st.DataObject, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    s = read_structure(text, kind="json", max_chars=40)
    chosen = sorted(data.draw(st.sets(st.integers(0, len(s) - 1))))
    spans = [(int(s.start[i]), int(s.end[i])) for i in chosen]
    assert is_part(json.loads(pruned_json(text, spans)), value)
    assert json.loads(pruned_json(text, [(0, len(text))])) == value


def test_counts_say_what_is_left_out() -> None:
    text = json.dumps({"object": "list", "data": [{"id": i, "port": 100 + i, "host": "h"} for i in range(400)]})
    at = text.index('"port": 107')
    shown = json.loads(pruned_json(text, [(at, at + 11)]))
    assert shown == {
        "data": [{"port": 107, OMITTED: "1 of 3 members"}, {OMITTED: "1 of 400 elements"}],
        OMITTED: "1 of 2 members",
    }


@pytest.mark.parametrize("text", ["", "{", '{"a"', "[1,", "words", "[" * 5000, '{"a": 1 "b"'])
def test_what_is_no_json_is_refused_in_words(text: str) -> None:
    with pytest.raises(InputError, match="JSON"):
        pruned_json(text, [(0, len(text))])
