"""Small things that callers expect of the library: awaitable packs, citations, a short repr."""

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.errors import InputError

DOCUMENTS = [
    fp.Document(
        "faq", "Refunds are paid within 14 days.\n\nParcels are shipped from Leipzig.\nThey take a week.", "FAQ"
    ),
    fp.Document("terms", "The buyer pays for the return.\n\nDamaged goods are returned free of charge."),
]


def test_an_awaited_pack_is_the_same_pack_and_the_loop_goes_on():
    packer = fp.ContextPacker()

    async def both():
        ticks = []

        async def tick():
            while True:
                ticks.append(time.monotonic())
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        result = await packer.apack("Who pays for damaged goods?", DOCUMENTS, 30, pins=["faq"])
        index = await packer.aindex(DOCUMENTS)
        ticking.cancel()
        return result, index, len(ticks)

    result, index, ticks = asyncio.run(both())
    assert result.text == packer.pack("Who pays for damaged goods?", DOCUMENTS, 30, pins=["faq"]).text
    assert index.pack("refunds", 20).text == packer.pack("refunds", DOCUMENTS, 20).text
    assert ticks > 1


def test_an_awaited_pack_raises_what_a_pack_raises():
    with pytest.raises(InputError, match="budget is 0"):
        asyncio.run(fp.ContextPacker().apack("refunds", DOCUMENTS, 0))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 80),
    st.sampled_from(["source", "edges", "relevance"]),
    st.sampled_from([False, True, "lines"]),
    st.booleans(),
)
def test_citations_point_to_the_text_on_both_sides(budget, order, cite, allow_cut):
    packer = fp.ContextPacker(order=order, cite=cite, allow_cut=allow_cut, unit="sentence")
    result = packer.pack("Who pays for damaged goods?", DOCUMENTS, budget)
    texts = {d.id: d.text for d in DOCUMENTS}
    assert len(result.citations) == len(result.spans)
    for c in result.citations:
        assert result.text[c.text_start : c.text_end] == texts[c.doc_id][c.start : c.end]
        lines = texts[c.doc_id].split("\n")[c.first_line - 1 : c.last_line]
        assert texts[c.doc_id][c.start : c.end] in "\n".join(lines)
        if cite:
            assert f"[{c.number}] " in result.text


def test_a_result_prints_as_a_short_summary():
    result = fp.ContextPacker().pack("refunds", DOCUMENTS, 20)
    assert len(repr(result)) < 120 and "of 20 tokens" in str(result)
