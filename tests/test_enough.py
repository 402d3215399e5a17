"""A pack ends when it has enough: what it keeps, what it says of the rest, and what it may not break."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.packing.enough import GUARD, WORDS, Rows, Stop, rows_that_answer, sufficiency

PIECES = (
    "Tides are caused by the gravity of the Moon and the Sun. Spring tides come at new and at full moon.",
    "Azurite is a deep blue copper mineral. Miners ground it for blue paint.",
    "A starter wants flour, water and some days of patience. Rye is sown late.",
    "| depth | tide |\n| --- | --- |\n| 3 m | low tide |\n| 9 m | high tide |",
    "The tide tables of the harbour are these:\n\n- low tide at six\n- high tide at noon",
    "The tunnel took nine years to dig. Granite slowed the work.",
)
QUERY = "when is high tide"


def documents(count):
    return [fp.Document(f"d{k}", f"{PIECES[k % len(PIECES)]}\n\nPage {k}.") for k in range(count)]


def held(result):
    return float(result.relevance.total[result.inside].sum())


def total(result):
    return float(result.relevance.total[result.scored.problem.eligible].sum())


relevances = st.lists(st.integers(1, 1000).map(lambda n: n / 1000), min_size=1, max_size=30)


@settings(max_examples=150, deadline=None)
@given(relevances, st.integers(0, 30), st.floats(0.05, 1.0), st.data())
def test_the_shortest_beginning_that_holds_the_share_is_kept_where_the_budget_holds_most(numbers, fitting, share, data):
    relevance = np.array(numbers, np.float32)
    chosen = np.array(data.draw(st.permutations(range(len(numbers))))[:fitting], np.int64)
    stop = Stop(share, relevance, float(relevance.sum(dtype=np.float64)))
    count = stop.after(chosen, np.zeros(len(numbers), np.bool_))
    values = relevance[chosen].astype(np.float64)
    fits = float(values.sum())
    least = min(GUARD, share) * stop.total
    if share == 1 or fits < least:
        assert count == len(chosen)
        return
    target = max(share * fits, least) * (1 - 1e-5)
    assert values[:count].sum() >= target
    assert count == 1 or values[: count - 1].sum() < max(share * fits, least) + 1e-9


def test_a_pack_does_not_end_between_a_row_and_what_it_needs():
    relevance = np.array([0.5, 0.4, 0.4, 0.01], np.float32)
    brought = np.array([False, True, False, False])
    assert Stop(0.6, relevance, 1.0).after(np.arange(4), brought) == 3


def test_the_share_goes_by_what_was_asked_the_packers_or_the_calls():
    results = [fp.ContextPacker(enough=e).pack(QUERY, documents(6), 2000) for e in (0.5, 0.95, 1.0)]
    tokens = [r.tokens for r in results]
    assert tokens == sorted(tokens) and tokens[0] < tokens[2]
    assert not results[2].dropped and results[2].enough.share == 1 and not results[2].enough.ended
    for r in results[:2]:
        assert r.enough.ended and r.enough.share >= r.enough.enough - 1e-6
        assert r.enough.permeability >= min(GUARD, r.enough.enough) - 1e-6
        assert r.enough.permeability == pytest.approx(held(r) / total(r), abs=1e-5)
        assert all("of the relevance that fits: enters with enough=1" in d.reason for d in r.dropped)
        assert r.to_dict()["enough"] == r.enough.to_dict()
    call = fp.ContextPacker().pack(QUERY, documents(6), 2000, enough=0.5)
    assert call.text == results[0].text
    assert call.repack(3000).enough.enough == 0.5, "a pack of another size asks for the same"


def test_below_the_guard_enough_is_the_permeability_the_share_of_all_relevance_that_is_let_in():
    texts = [f"High tide number {k} comes when the moon stands {k} degrees over the harbour." for k in range(12)]
    packs = [fp.ContextPacker(enough=e).pack(QUERY, texts, 2000) for e in (0.2, 0.4, 0.6, 0.8)]
    for result in packs:
        rows = result.relevance.total[result.inside]
        assert result.enough.permeability >= result.enough.enough - 1e-6
        assert held(result) - rows.max() < result.enough.enough * total(result), "no more than one row too many"
    assert [r.tokens for r in packs] == sorted({r.tokens for r in packs})


def test_a_budget_that_binds_is_filled():
    full, ended = (fp.ContextPacker(enough=e).pack(QUERY, documents(30), 60) for e in (1.0, 0.95))
    assert full.text == ended.text and not ended.enough.ended
    assert 0 < ended.enough.permeability < ended.enough.doubled <= 1
    assert all("enough=1" not in d.reason or "tokens" in d.reason for d in ended.dropped)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 8), st.integers(20, 150), st.integers(0, 400), st.sampled_from([0.5, 0.9, 0.95, 1.0]))
def test_a_larger_budget_never_holds_less(count, budget, more, enough):
    """But for what a smaller one holds beyond the guard, where a long row does not fit and short ones fill it."""
    packer = fp.ContextPacker(enough=enough, unit="sentence")
    small = packer.pack(QUERY, documents(count), budget)
    large = small.repack(budget + more)
    assert held(large) >= min(held(small), min(GUARD, enough) * total(small)) - 1e-4 * total(small)


def test_pins_stay_in_whatever_is_enough():
    packed = fp.ContextPacker(enough=0.05).pack(QUERY, documents(6), 2000, pins=["d1", "d5"])
    inside = packed.inside & packed.scored.problem.pinned
    assert inside.sum() == packed.scored.problem.pinned.sum()
    assert packed.enough.permeability >= 0.05


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 6), st.sampled_from([0.3, 0.8, 0.95]))
def test_no_row_is_kept_without_what_it_needs(count, enough):
    result = fp.ContextPacker(enough=enough, unit="sentence").pack(QUERY, documents(count), 2000)
    needs = np.flatnonzero(result.inside & (result.segments.context >= 0))
    assert result.inside[result.segments.context[needs]].all()
    assert not result.fitted.filled.any() or not result.enough.ended


@pytest.mark.parametrize("enough", [0, -1, 1.1, True, "all", float("nan")])
def test_what_is_no_share_is_refused(enough):
    with pytest.raises(fp.InputError, match="enough is"):
        fp.ContextPacker(enough=enough)
    with pytest.raises(fp.InputError, match="enough is"):
        fp.ContextPacker().pack("q", ["a text"], 10, enough=enough)


def test_a_pack_of_nothing_relevant_holds_nothing():
    nothing = np.zeros(3, np.float32)
    rows = Rows(nothing, np.ones(3, np.int64), np.zeros(3, np.bool_), np.zeros(3, np.bool_))
    assert sufficiency(0.95, False, rows, 0.0, 10).to_dict() == {
        "enough": 0.95, "share": 1.0, "permeability": 1.0, "doubled": 1.0, "ended": False,
    }  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_a_pack_meets_the_querys_words_nearly_as_well_as_the_full_one(words, rows, seed):
    rng = np.random.default_rng(seed)
    similarity = rng.random((words, rows)).astype(np.float32)
    weight = rng.random(words).astype(np.float32)
    count = rows_that_answer(similarity, weight)
    met = [float(weight @ similarity[:, :k].max(1)) for k in range(1, rows + 1)]
    assert 1 <= count <= rows
    assert met[count - 1] >= WORDS * met[-1] * (1 - 1e-5)
    assert count == 1 or met[count - 2] < WORDS * met[-1] * (1 + 1e-5)


def test_a_row_that_answers_one_half_of_a_question_is_not_enough():
    filler = " ".join(["Session region shard user account metric order cluster trace ledger cache policy retry."] * 40)
    text = (
        f"The request timeout is 30 seconds.\n\n{filler}\n\nThe API rate limit is 5000 requests per hour.\n\n{filler}"
    )
    result = fp.ContextPacker().pack("What are the API rate limit and the request timeout?", [text], 300)
    assert "5000 requests" in result.text
    assert "30 seconds" in result.text
    assert result.tokens < 150
