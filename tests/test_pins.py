"""What pins need is said to the token, whatever the budget and the way in, and before any model runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.embed.testing import HashEmbedder
from fieldpack.request import Pin
from fieldpack.types import FloatArray

ITEMS = "\n".join(
    f"- Item {k} is a long one. It says what barley costs in the month of {k}. It was copied out of the ledger twice."
    for k in range(12)
)
BLANKS = f"Rye is sown late.{' ' * 90}It is cut in July.\n\n{' ' * 70}\n\nOats are fed to horses. {' ' * 65}They float."
DOCUMENTS = [
    fp.Document("list", ITEMS, "The list"),
    fp.Document("prose", "Barley is a grain. It is sold by the bushel.", "A note"),
    fp.Document("blanks", BLANKS, "Rye"),
]
QUERY = "what does barley cost"


@given(
    st.integers(1, 400),
    st.integers(0, len(ITEMS) - 2),
    st.integers(1, 300),
    st.sampled_from(["auto", "sentence", "paragraph"]),
    st.sampled_from(["source", "edges", "relevance"]),
)
@settings(max_examples=60, deadline=None)
def test_what_an_error_names_is_enough(budget: int, start: int, size: int, unit: str, order: str) -> None:
    packer = fp.ContextPacker(unit=unit, order=order)
    pins = [("list", start, min(start + size, len(ITEMS))), ("blanks", 3, min(3 + size, len(BLANKS)))]
    try:
        packer.pack(QUERY, DOCUMENTS, budget, pins=pins)
    except fp.BudgetError as error:
        assert error.needed > error.budget == budget
        result = packer.pack(QUERY, DOCUMENTS, error.needed, pins=pins)
        assert result.tokens <= error.needed
        with pytest.raises(fp.BudgetError) as again:
            packer.pack(QUERY, DOCUMENTS, error.needed - 1, pins=pins)
        assert again.value.needed == error.needed


@pytest.mark.parametrize("unit", ["auto", "sentence", "paragraph"])
@pytest.mark.parametrize("cite", [False, True])
def test_what_pins_need_does_not_depend_on_the_budget(unit: str, cite: bool) -> None:
    """Of release 0.1 the rows, and so the text of a pinned range, depended on the budget."""
    packer = fp.ContextPacker(unit=unit, cite=cite)
    needs = set()
    for budget in range(1, 60, 7):
        with pytest.raises(fp.BudgetError) as caught:
            packer.pack(QUERY, DOCUMENTS, budget, pins=["blanks", ("list", 40, 300)])
        needs.add(caught.value.needed)
    with pytest.raises(fp.BudgetError) as caught:
        packer.pack(QUERY, DOCUMENTS, 5000, pins=["blanks", ("list", 40, 300)]).repack(9)
    assert needs == {caught.value.needed}


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_a_pinned_document_without_text_asks_for_nothing(text: str) -> None:
    documents = [*DOCUMENTS, fp.Document("blank", text, "A title")]
    packer = fp.ContextPacker(cite=True)
    assert packer.pack(QUERY, documents, 40, pins=["blank"]).text == packer.pack(QUERY, documents, 40).text
    with pytest.raises(fp.InputError, match="no range"):
        packer.pack(QUERY, documents, 40, pins=[("blank", 0, 0)])


class Counting(HashEmbedder):
    """Counts the texts that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.texts = 0

    def embed(self, texts: Sequence[str]) -> FloatArray:
        self.texts += len(texts)
        return super().embed(texts)


Pack = Callable[[int, Sequence[Pin]], object]


def doors(packer: fp.ContextPacker) -> dict[str, Pack]:
    """The ways in, with all documents read that are read before a query is known."""
    index = packer.index(DOCUMENTS)
    return {
        "pack": lambda budget, pins: packer.pack(QUERY, DOCUMENTS, budget, pins=pins),
        "index": lambda budget, pins: index.pack(QUERY, budget, pins=pins),
        "session": lambda budget, pins: fp.Session(packer).turn(QUERY, DOCUMENTS, budget, pins=pins),
        "session of an index": lambda budget, pins: fp.Session(packer).turn(QUERY, index, budget, pins=pins),
        "stream": lambda budget, pins: packer.pack_stream(QUERY, iter(DOCUMENTS), budget, pins=pins),
        "long stream": lambda budget, pins: packer.pack_stream(QUERY, iter(DOCUMENTS), budget, pins=pins, block=1),
    }


MODELS: dict[str, Callable[[Counting], fp.ContextPacker]] = {
    "embedder": lambda model: fp.ContextPacker(model),
    "reranker": lambda model: fp.ContextPacker(reranker=model),
    "cascade": lambda model: fp.ContextPacker(fp.EmbeddingService("cascade", second=model)),
}


@pytest.mark.parametrize("order", ["source", "edges", "relevance"])
@pytest.mark.parametrize("layout", [{}, {"cite": True}, {"titles": True}, {"allow_cut": True, "fill": False}])
@pytest.mark.parametrize("kind", MODELS)
def test_pins_that_cannot_fit_are_found_before_any_model_runs(order: str, layout: dict[str, bool], kind: str) -> None:
    model = Counting()
    packer = replace(MODELS[kind](model), order=order, **layout)
    for name, pack in doors(packer).items():
        for pins in (["list"], [("list", 25, 611), "blanks"], [("prose", 4, 30), ("prose", 20, 44)]):
            before = model.texts
            with pytest.raises(fp.BudgetError) as caught:
                pack(5, pins)
            assert model.texts == before, f"{name}: {model.texts - before} texts were embedded first"
            with pytest.raises(fp.BudgetError):
                pack(caught.value.needed - 1, pins)
            assert model.texts == before
    assert pack(5000, ["list"]) is not None and model.texts > before, "the model does count"


@pytest.mark.parametrize(
    ("order", "first", "other"),
    [
        (
            "relevance",
            "The Moon pulls the tides.\n\nRye stands there.\n\nBread rises in the oven.",
            "The Moon is far away.",
        ),
        ("edges", "The Moon pulls the tides.\n\nRye stands there.\n\nThe tides turn twice a day.", "Bread is baked."),
    ],
)
def test_pins_that_fit_only_in_the_order_of_the_documents_are_packed_so_and_a_note_says_it(
    order: str, first: str, other: str
) -> None:
    """Ordered by relevance, pieces of two documents alternate here, and every change costs a header more."""
    documents = [fp.Document("a", first, "A long title of a document"), fp.Document("b", other, "Another long title")]
    packer = fp.ContextPacker(order=order, cite=True, unit="paragraph", min_relevance=1.0)  # pins alone
    pins = [("a", 0, first.index("\n")), ("a", first.rindex("\n") + 1, len(first)), "b"]

    def packed(budget: int) -> fp.Result:
        return packer.pack("tides of the Moon", documents, budget, pins=pins)

    with pytest.raises(fp.BudgetError) as caught:
        packed(3)
    needed = caught.value.needed
    results = {budget: packed(budget) for budget in range(needed, needed + 20)}
    reordered = [budget for budget, result in results.items() if result.fitted.reordered]
    assert reordered[0] == needed and len(reordered) >= 5 and reordered[-1] < needed + 19
    for budget, result in results.items():
        places = [span.first for span in result.spans]
        said = "the pinned text fits only in the order of the documents; that order was used" in result.notes
        assert said == (budget in reordered) and result.tokens <= budget
        if said:
            assert places == sorted(places) and result.tokens == needed
    # The order that was asked for comes back as soon as the pinned text fits in it.
    assert [span.first for span in results[reordered[-1] + 1].spans] == [0, 3, 2]
