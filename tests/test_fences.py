"""A pack that opens a block of code closes it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fieldpack as fp

FENCE = re.compile(r"^(```|~~~)", re.M)
NAMES = ["tide", "harbour", "bread", "paint", "tunnel", "granite", "miller", "copper"]


def block(fence, first, count):
    lines = "\n".join(f"export {NAMES[k % 8].upper()}_{k}={k * 7}" for k in range(first, first + count))
    return f"{fence}bash\n{lines}\n{fence}"


@pytest.mark.parametrize("unit", ["auto", "sentence", "paragraph"])
@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_a_line_of_a_long_block_comes_with_both_fences_or_none(fence, unit):
    text = f"# Setup\n\nSet these variables:\n\n{block(fence, 0, 80)}\n\nThen start the server.\n"
    result = fp.ContextPacker(unit=unit).pack("What is GRANITE_45?", [fp.Document("setup.md", text)], 60)
    assert "GRANITE_45=315" in result.text
    assert result.text.count(fence) in (0, 2)
    assert not fence.join(result.text.split(fence)[2:]).strip()


blocks = st.lists(st.tuples(st.integers(0, 40), st.integers(2, 70)), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(blocks, st.integers(10, 400), st.sampled_from(NAMES))
def test_a_pack_with_room_leaves_no_block_open(made, budget, name):
    parts = [f"Set the {NAMES[k]} like this:\n\n{block('```', *size)}" for k, size in enumerate(made)]
    document = fp.Document("setup.md", "# Setup\n\n" + "\n\n".join(parts) + "\n")
    result = fp.ContextPacker().pack(f"how is the {name} set", [document], budget)
    assert result.tokens <= budget
    assert len(FENCE.findall(result.text)) % 2 == 0 or result.tokens + 6 > budget
