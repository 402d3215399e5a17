"""A larger budget: what it keeps of what a smaller one kept, and where it may not."""

from __future__ import annotations

from itertools import takewhile

from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack import ContextPacker, Document

WORDS = ("harbour", "valve", "pump", "opened", "in", "spring", "the", "of", "engineer", "water", "red", "1871")
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(
    lambda words: " ".join(words).capitalize() + "."
)
TEXTS = st.lists(SENTENCES, min_size=1, max_size=6).map(" ".join)
PACKER = ContextPacker(enough=1.0)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=8), st.integers(5, 120), st.integers(1, 120))
def test_a_larger_budget_chooses_as_a_smaller_one_until_a_row_does_not_fit_the_smaller(
    texts: list[str], budget: int, more: int
) -> None:
    """So all stays that was chosen before the first row that did not fit; only what filled the rest may go."""
    documents = [Document(f"{k}", text, f"title {k}") for k, text in enumerate(texts)]
    small = PACKER.pack("When was the red valve of the harbour opened?", documents, budget)
    large = small.repack(budget + more)
    pairs = zip(small.packing.chosen.tolist(), large.packing.chosen.tolist(), strict=False)
    same = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
    cost = small.scored.problem.cost
    if same < len(small.packing.chosen):
        used = int(cost[small.packing.chosen[:same]].sum())
        assert used + int(cost[large.packing.chosen[same]]) > budget + 1
    assert large.packing.value >= small.packing.value - 1e-4 or same < len(small.packing.chosen)
