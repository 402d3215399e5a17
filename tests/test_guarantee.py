"""The guarantee, by the checks of benchmarks/fuzz_budget.py: a bounded number here, as many as you like there."""

import sys
import tempfile
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import regex
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.packing.fit import Text

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import fuzz_budget as fuzz

ANY_TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=300)


@pytest.fixture(scope="module")
def tools():
    with tempfile.TemporaryDirectory() as folder:
        yield fuzz.setup(Path(folder))


@pytest.fixture(scope="module", autouse=True)
def _shared(tools):
    global MADE, PACKERS
    MADE, PACKERS = tools


@pytest.mark.parametrize("first", range(0, 48, 8))
def test_every_promise_holds_in_random_worlds(first):
    seen = Counter()
    for seed in range(5_000_000 + first, 5_000_000 + first + 8):
        assert fuzz.checked(seed, fuzz.world(seed, PACKERS, MADE, 5), seen) == []
    assert seen["cases"] >= 16


@given(
    st.lists(ANY_TEXT, min_size=1, max_size=3).filter(lambda texts: any(t.strip() for t in texts)),
    st.integers(1, 120),
    st.integers(0, 2),
    st.sampled_from(["source", "edges", "relevance"]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_every_promise_holds_for_any_characters(texts, budget, which, order, cite):
    counter = MADE[which]
    packer = replace(PACKERS[counter.name], order=order, cite=cite, allow_cut=cite)
    documents = tuple(fp.Document(f"d{i}", t) for i, t in enumerate(texts))
    world = fuzz.World(packer, "any words", documents, (), (budget,), counter, False)
    assert fuzz.checked(0, world, Counter()) == []


def test_the_checks_can_fail():
    counter = MADE[0]
    documents = (fp.Document("a", "One thing here. Another thing there."), fp.Document("b", "Third. Fourth one."))
    world = fuzz.World(replace(PACKERS[counter.name], unit="sentence"), "thing", documents, (), (12,), counter, False)
    good = world.packer.pack(world.query, documents, 12)
    assert fuzz.broken(world, 12, good) == []
    assert len(good.kept) > 1 and good.dropped

    def written(tokens=good.tokens, **changes):
        """The same result with another text, other spans or another count."""
        rendered = replace(good.fitted.text.rendered, **changes)
        return replace(good, fitted=replace(good.fitted, text=Text(rendered, tokens)))

    others = {
        "in a budget": fuzz.broken(world, good.tokens - 1, good),
        "tokens says": fuzz.broken(world, 12, written(tokens=good.tokens - 1)),
        "text after the last": fuzz.broken(world, 99, written(text=good.text + " and more")),
        "not verbatim at": fuzz.broken(world, 99, written(text=good.text.swapcase())),
        "shown rows are not": fuzz.broken(world, 12, replace(good, fitted=replace(good.fitted, inside=~good.inside))),
        "stands twice": fuzz.broken(world, 12, written(spans=(*good.spans, *good.spans))),
        "reading order": fuzz.broken(world, 12, written(spans=good.spans[::-1])),
        "reordered in silence": fuzz.broken(world, 12, replace(good, fitted=replace(good.fitted, reordered=True))),
        "is not in": fuzz.broken(replace(world, pins=(good.dropped[0].doc_id,)), 12, good),
    }
    for says, found in others.items():
        assert any(says in f for f in found), (says, found)


def count_slowly(name, text, ranks):
    """Byte pair encoding as the papers have it: split, then merge the lowest-ranked neighbours until none is left."""
    total = 0
    for piece in regex.findall(fuzz.PATTERNS[name], text):
        parts = [bytes([b]) for b in piece.encode()]
        while len(parts) > 1:
            pairs = [ranks.get(a + b, 1 << 60) for a, b in pairwise(parts)]
            low = min(pairs)
            if low == 1 << 60:
                break
            at = pairs.index(low)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        total += len(parts)
    return total


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
def test_the_counter_that_checks_is_right(name):
    ranks = fuzz.ranks(name)
    count = next(c.count for c in MADE if c.name == name)
    for seed in range(25):
        text = fuzz.Dice(seed).text()[:600]
        assert count(text) == count_slowly(name, text, ranks)


def test_pins_fit_in_every_order_or_are_refused_with_what_they_need():
    """Ordered by relevance, pieces of two documents may alternate, and every change costs a header more."""
    texts = {"a": "Tides come.\n\nBread rises slowly today.\n\nThe Moon pulls.", "b": "The Moon again.\n\nWheat flour."}
    documents = [fp.Document(name, text, "A long title of a document") for name, text in texts.items()]
    for order in ("source", "edges", "relevance"):
        packer = fp.ContextPacker(order=order, cite=True, unit="paragraph")
        with pytest.raises(fp.BudgetError) as caught:
            packer.pack("the Moon", documents, 3, pins=["a", "b"])
        needed = caught.value.needed
        result = packer.pack("the Moon", documents, needed, pins=["a", "b"])
        assert result.tokens == needed and not result.dropped
        with pytest.raises(fp.BudgetError):
            packer.pack("the Moon", documents, needed - 1, pins=["a", "b"])


def test_counters_of_any_kind():
    class Own:
        name = "own"

        def count(self, text):
            return len(text)

        def count_many(self, texts):
            return [len(t) for t in texts]

    cut = fp.ContextPacker(tokenizer=Own(), allow_cut=True).pack("hello", ["hello world, this is long"], 5)
    assert cut.text == "hello" and cut.tokens == 5
    with pytest.raises(fp.BudgetError, match="least text takes 5"):
        fp.ContextPacker(tokenizer=lambda text: 5 + len(text)).pack("a", ["hello"], 3)

    # Here every text costs more without the white space at its end.
    def count(text):
        return len(text.split()) * (1 if text[-1:].isspace() else 50)

    odd = fp.ContextPacker(tokenizer=count, allow_cut=True)
    for budget in (1, 2, 7, 49, 50):
        result = odd.pack("long", ["a long line of some words that go on and on"], budget)
        assert odd.tokenizer.count(result.text) == result.tokens <= budget


@pytest.mark.parametrize(
    ("query", "document", "says"),
    [
        ("a", fp.Document("x", "text \udcff here"), "document 'x'"),
        ("a", fp.Document("x", "text", "title \ud800"), "title of document 'x'"),
        ("a", fp.Document("x\udcff", "text"), "document id"),
        ("what \ud83d", fp.Document("x", "text"), "the query"),
    ],
)
def test_lone_surrogates_are_refused(query, document, says):
    with pytest.raises(fp.InputError, match=f"{says}.*lone surrogate"):
        fp.ContextPacker(cite=True).pack(query, [document], 10)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"documents": None}, "list of strings"),
        ({"documents": {"id": "text"}}, "a dict with text, id, title, metadata, score"),
        ({"documents": b"text"}, "documents is a bytes"),
        ({"documents": [fp.Document("a", "text", "", None)]}, "metadata"),
        ({"query": 3}, "give a string"),
        ({"pins": [("doc-0", 1)]}, "neither a document id"),
        ({"pins": [3]}, "neither a document id"),
        ({"pins": [(["x"], 0, 1)]}, "no document id"),
        ({"state": {"turn": 1}}, "state is a dict"),
    ],
)
def test_what_is_no_input_is_said(change, says):
    given_ = {"query": "a", "documents": ["text"], "budget": 10, **change}
    with pytest.raises(fp.InputError, match=says):
        fp.ContextPacker().pack(**given_)


def test_a_pack_of_another_size_is_checked_as_any():
    result = fp.ContextPacker().pack("a", ["some text"], 10)
    for budget in (0, -1, 1.5, None, True):
        with pytest.raises(fp.InputError, match="whole number of tokens"):
            result.repack(budget)


@pytest.mark.parametrize(("setting", "value"), [("field", 3), ("packing", "chain"), ("unit", ["a"]), ("order", None)])
def test_settings_of_another_type_are_refused(setting, value):
    with pytest.raises(fp.SettingsError, match=setting):
        fp.ContextPacker(**{setting: value})


def test_the_hugging_face_count_is_of_plain_text():
    counter = MADE[2]
    assert counter.count("</s>") > 1, "a special token in a document is text"
    model = tokenizers.Tokenizer.from_file(str(counter.spec))
    assert len(model.encode("a").ids) == counter.count("a") + 1, "the file itself would add its special token"
    assert PACKERS[counter.name].tokenizer.count("a </s> b") == counter.count("a </s> b")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(["The Moon is up. ", "Bread.  Yeast!\n\n", "- tides\n- salt\n", "Rye   is sown. \t", " "]),
        max_size=9,
    ),
    st.integers(1, 60),
    st.sampled_from(["source", "edges", "relevance"]),
)
def test_neighbours_that_are_joined_are_one_citation_with_the_white_space_between_them(texts, budget, order):
    documents = [fp.Document("a", "".join(texts), "T"), fp.Document("b", "".join(reversed(texts)))]
    result = fp.ContextPacker(unit="sentence", order=order, cite=True).pack("the moon and tides", documents, budget)
    text_of = {d.id: d.text for d in documents}
    cited = {(c.doc_id, c.start, c.end) for c in result.citations}
    for c in result.citations:
        assert result.text[c.text_start : c.text_end] == text_of[c.doc_id][c.start : c.end]
    for k in result.kept:
        assert sum(name == k.doc_id and start <= k.start and k.end <= end for name, start, end in cited) == 1
    for k, following in pairwise(result.kept):
        between = text_of[k.doc_id][k.end : following.start] if k.doc_id == following.doc_id else "x"
        if k.doc_id == following.doc_id and not between.strip():
            assert any(name == k.doc_id and start <= k.start and following.end <= end for name, start, end in cited)
