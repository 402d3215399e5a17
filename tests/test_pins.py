"""What pins need is said to the token."""

from __future__ import annotations

import pytest
from fieldpack.pins import packed_or_needed, pins_need
from hypothesis import given, settings
from hypothesis import strategies as st

import fieldpack as fp

ITEMS = "\n".join(
    f"- Item {k} is a long one. It says what barley costs in the month of {k}. It was copied out of the ledger twice."
    for k in range(12)
)
DOCUMENTS = [fp.Document("list", ITEMS), fp.Document("prose", "Barley is a grain. It is sold by the bushel.")]


@given(st.integers(1, 400), st.integers(0, len(ITEMS) - 2), st.integers(1, 300), st.sampled_from(["auto", "sentence"]))
@settings(max_examples=60, deadline=None)
def test_what_an_error_names_is_enough(budget: int, start: int, size: int, unit: str) -> None:
    packer = fp.ContextPacker(unit=unit)
    pins = [("list", start, min(start + size, len(ITEMS)))]
    try:
        packer.pack("what does barley cost", DOCUMENTS, budget, pins=pins)
    except fp.BudgetError as error:
        assert error.needed > error.budget == budget
        result = packer.pack("what does barley cost", DOCUMENTS, error.needed, pins=pins)
        assert result.tokens <= error.needed


def test_needs_that_grow_with_the_budget_are_followed() -> None:
    tried = []

    def pack(budget: int) -> int:
        tried.append(budget)
        needed = 10 + budget // 4
        if budget < needed:
            raise pins_need(needed, budget)
        return budget

    with pytest.raises(fp.BudgetError) as error:
        packed_or_needed(pack, 2)
    assert (error.value.needed, error.value.budget) == (13, 2) and tried == [2, 10, 12, 13]
    assert packed_or_needed(pack, 13) == 13
