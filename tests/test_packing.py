"""The greedy packer against the exact optimum, its own promises, and the coupling against plain loops."""

from dataclasses import replace

import numpy as np
import pytest
from exact import MOST_ROWS, cost_of, exact
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import repeats_by_words

from fieldpack.corpus.build import CorpusReader, shipped_static
from fieldpack.errors import InputError, SettingsError
from fieldpack.field.couplings import Couplings
from fieldpack.packing.objective import CouplingCache, bound, objective
from fieldpack.packing.problem import PackingSettings, Problem
from fieldpack.packing.select import select
from fieldpack.types import Document


def problem(seed: int, n: int = 8, *, coupled: bool = True, headers: bool = False, pins: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    words, dims = 20, 6
    offsets = np.cumsum([0, *rng.integers(1, 6, n)])
    vectors = rng.normal(size=(n, dims)).astype(np.float32)
    vectors[1] = vectors[0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    named = bool(rng.integers(2))
    offsets[2:] += 2 * offsets[1] - offsets[2]
    bags = rng.integers(0, words, offsets[-1])
    bags[offsets[1] : offsets[2]] = bags[: offsets[1]]  # row 1 is a copy of row 0
    couplings = Couplings(
        words=bags,
        offsets=offsets,
        paragraph=np.arange(n) // 2,
        document=np.arange(n),
        title_words=rng.integers(0, words, 2 * n),
        title_offsets=np.arange(0, 2 * n + 1, 2),
        idf=rng.random(words).astype(np.float32),
        query_ids=rng.integers(0, words, 3),
        vectors=vectors,
        has_titles=named,
        repeats=repeats_by_words(bags, offsets),
        repeats_rows=np.arange(n),
    )
    best = rng.random((3, n)).astype(np.float32)
    pinned = np.zeros(n, bool)
    pinned[rng.choice(n, pins, replace=False)] = True
    return Problem(
        logit=rng.normal(-1, 2, n).astype(np.float32),
        cost=rng.integers(1, 12, n),
        header_tokens=rng.integers(0, 4, n)[np.arange(n) // 3] * headers,
        max_similarity=best,
        word_weight=np.full(3, 1 / 3, np.float32),
        attraction=np.zeros((0, n), np.float32),
        attraction_weight=np.zeros(0, np.float32),
        paragraph=np.arange(n) // 2,
        document=np.arange(n) // 3,
        pinned=pinned,
        eligible=np.ones(n, bool),
        is_heading=np.zeros(n, bool),
        couplings=couplings if coupled else None,
    )


def with_rows(p: Problem, **columns) -> Problem:
    """The problem with other columns, in the types of the old ones; a single number stands for all rows."""
    old = {name: getattr(p, name) for name in columns}
    return replace(p, **{name: np.full_like(old[name], values) for name, values in columns.items()})


CASES = st.tuples(st.integers(0, 10_000), st.integers(2, 9), st.booleans(), st.booleans())


@given(CASES, st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_greedy_is_held_by_the_optimum_and_the_bound(case, budget):
    seed, n, coupled, headers = case
    p = problem(seed, n, coupled=coupled, headers=headers)
    chosen = PackingSettings(rho=(0.0, 0.5, 1.0))
    found, (rows, best) = select(p, budget, chosen), exact(p, budget, chosen)
    assert cost_of(p, found.chosen) <= budget
    assert len(set(found.chosen.tolist())) == len(found.chosen)
    assert found.value <= best + 1e-5
    assert found.bound >= best - 1e-5, "the reported bound is below the optimum"
    assert cost_of(p, rows) <= budget


PROMISED = (1 - 1 / np.e) / 2
"""0.316 of the optimum, as docs/trust.md has it (Khuller et al. 1999; Leskovec et al. 2007)."""


@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(1, 40), st.booleans())
@settings(max_examples=120, deadline=None)
def test_without_coupling_the_greedy_value_is_at_least_the_promised_share_of_the_optimum(seed, n, budget, attract):
    p = problem(seed, n, coupled=False)
    if attract:
        rng = np.random.default_rng(seed)
        p = replace(p, attraction=rng.random((2, n)).astype(np.float32), attraction_weight=np.full(2, 0.5, np.float32))
    chosen = PackingSettings(chain=0, repel=0, complete=0, rho=(0.0, 1.0), cover=2.0, attract=3.0 * attract)
    found, best = select(p, budget, chosen), exact(p, budget, chosen)[1]
    assert found.value >= PROMISED * best - 1e-6
    assert found.bound >= best - 1e-5


def test_rows_alike_but_for_the_last_bits_are_taken_in_their_order():
    p = with_rows(problem(0, 4, coupled=False), cost=5, max_similarity=0)
    alone = PackingSettings(chain=0, repel=0, complete=0)
    for last_bits in ([0, 1e-6, 2e-6, -1e-6], [2e-6, 0, 0, 3e-6]):
        p = with_rows(p, logit=np.float32(1.5) + np.array(last_bits, np.float32))
        assert select(p, 10, alone).chosen.tolist() == [0, 1]
    p = with_rows(p, logit=p.logit + np.array([0, 0, 0, 0.01], np.float32))
    assert select(p, 10, alone).chosen.tolist() == [3, 0]


@given(st.integers(0, 10_000), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_pinned_rows_are_in_and_closed_rows_are_not(seed, pins):
    p = problem(seed, pins=pins)
    p = with_rows(p, eligible=p.pinned | (np.arange(len(p)) % 2 == 0))
    found = select(p, 200)
    assert set(np.flatnonzero(p.pinned)) <= set(found.chosen.tolist())
    assert set(found.chosen.tolist()) <= set(np.flatnonzero(p.eligible))


def test_a_long_row_worth_more_than_what_was_packed_in_its_place_is_not_lost():
    p = with_rows(problem(0, 3, coupled=False), max_similarity=0, logit=[6.0, -1.0, -1.5], cost=[10, 1, 1])
    alone = PackingSettings(rho=(1.0,), chain=0, repel=0, complete=0)
    assert select(p, 10, alone).chosen.tolist() == [0]


def test_a_header_is_paid_once_a_document():
    p = with_rows(problem(3, 6, headers=True), header_tokens=5, cost=1)
    rows = np.arange(6)
    assert cost_of(p, rows) == 6 + 5 * 2
    assert select(p, 16).used == 16


def duplicates(c: Couplings, row: int) -> np.ndarray:
    """(n,) the copies of a row as an array."""
    out, copies = np.zeros(len(c), np.float32), c.row(row).copies
    out[copies.rows] = copies.share
    return out


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_links_and_duplicates_are_what_plain_loops_say(seed):
    c = problem(seed).couplings
    n = len(c)
    weight = c.idf.copy()
    weight[c.query_ids] = 0  # the query's words link everything and so count nothing
    bag = [set(c.words[c.offsets[i] : c.offsets[i + 1]].tolist()) for i in range(n)]
    name = [set(c.title_words[c.title_offsets[i] : c.title_offsets[i + 1]].tolist()) for i in range(n)]

    def mass(ids, weight):
        return sum(float(weight[i]) for i in ids)

    for j in range(n):
        links, copies = c.links(j), duplicates(c, j)
        assert (links >= 0).all() and (links <= 1).all() and links[j] == 0 and copies[j] == 0
        for i in range(n):
            if i == j:
                continue
            if c.has_titles:
                called = mass(name[i] & (bag[j] | name[j]), weight) / max(mass(name[i], c.idf), 1e-9)
                calls = mass(name[j] & bag[i], weight) / max(mass(name[j], c.idf), 1e-9)
                alike = c.title_words[slice(*c.title_offsets[i : i + 2])].tolist()
                same = alike == c.title_words[slice(*c.title_offsets[j : j + 2])].tolist() != []
                wanted = 0 if same else max(called, 0.5 * calls)
            else:
                both = np.sqrt(max(mass(bag[i], weight) * mass(bag[j], weight), 1e-12))
                wanted = mass(bag[i] & bag[j], weight) / both
            assert links[i] == pytest.approx(min(wanted, 1), abs=1e-4)
            share = float(c.repeats(j, np.array([i]))[0])
            assert copies[i] == (share if float(c.vectors[i] @ c.vectors[j]) > 0.9 else 0)
            assert copies[i] == 1 or {i, j} != {0, 1}, "row 1 is a copy of row 0"
        beside = [i for i in (j - 1, j + 1) if 0 <= i < n and c.paragraph[i] == c.paragraph[j]]
        assert c.row(j).beside.tolist() == beside


@given(st.integers(0, 10_000), st.lists(st.booleans(), min_size=8, max_size=8))
@settings(max_examples=40, deadline=None)
def test_the_couplings_of_some_rows_are_the_couplings_among_them(seed, keep):
    c = problem(seed).couplings
    rows = np.flatnonzero(keep)
    if not len(rows):
        return
    part = c.take(rows)
    for k, row in enumerate(rows.tolist()):
        np.testing.assert_allclose(part.links(k), c.links(row)[rows], atol=1e-5)
        np.testing.assert_allclose(duplicates(part, k), duplicates(c, row)[rows], atol=1e-5)


def titled_rows(words, titles):
    """Rows of two words each, every one of a document with a title of one word; vectors at right angles."""
    n = len(titles)
    ends = np.arange(n + 1)
    return Couplings(
        words=words,
        offsets=2 * ends,
        paragraph=ends[:-1],
        document=ends[:-1],
        title_words=titles,
        title_offsets=ends,
        idf=np.ones(int(max(words.max(), titles.max())) + 1, np.float32),
        query_ids=np.zeros(0, np.int64),
        vectors=np.eye(n, dtype=np.float32),
        has_titles=True,
        repeats=repeats_by_words(words, 2 * ends),
        repeats_rows=ends[:-1],
    )


def test_a_chain_is_followed():
    """Row 0 answers and names row 2; row 1 is a little more probable than row 2 by itself."""
    p = with_rows(problem(1, 3), max_similarity=0, cost=1, logit=[2.0, -0.5, -1.0])
    p = replace(p, couplings=titled_rows(np.array([0, 1, 5, 6, 7, 8]), np.array([2, 3, 1])))
    assert sorted(select(p, 2).chosen.tolist()) == [0, 2]
    assert sorted(select(p, 2, PackingSettings(chain=0)).chosen.tolist()) == [0, 1]


def test_a_heading_goes_with_what_it_heads():
    p = with_rows(problem(2, 4, coupled=False), max_similarity=0, cost=1, logit=[5.0, -3.0, 0.0, -1.0])
    p = with_rows(p, is_heading=[True, False, False, False])
    assert 0 not in select(p, 2).chosen and {0, 1} <= set(select(p, 4).chosen.tolist())


def test_what_is_refused():
    with pytest.raises(SettingsError, match="chain"):
        PackingSettings(chain=-1)
    with pytest.raises(SettingsError, match="rho"):
        PackingSettings(rho=(2.0,))
    with pytest.raises(InputError, match=str(MOST_ROWS)):
        exact(problem(0, MOST_ROWS + 1), 5)


@pytest.mark.parametrize(
    ("titles", "apart"),
    [
        ([f"Old Mill {'ABCDEFGHI'[min(k, 8)]}" for k in range(10)], True),  # nine different ones
        (["Old Mill"] * 10, False),
        ([""] * 10, False),
    ],
)
def test_titles_tell_documents_apart_only_when_they_differ(titles, apart):
    documents = [Document(f"d{k}", f"Mill number {k} ground rye.", title) for k, title in enumerate(titles)]
    assert CorpusReader(shipped_static()).read(documents).has_titles is apart


def test_the_bound_counts_every_promise():
    p = problem(5)
    assert bound(p, 0, PackingSettings()) >= objective(p, [], PackingSettings())


def alike(n: int) -> Problem:
    """n rows of one word and one vector each, all the same."""
    flags, rows, none = np.zeros(n, bool), np.arange(n), np.zeros((0, n), np.float32)
    couplings = Couplings(
        words=np.zeros(n, np.int64),
        offsets=np.arange(n + 1),
        paragraph=rows,
        document=rows,
        title_words=np.zeros(0, np.int64),
        title_offsets=np.zeros(n + 1, np.int64),
        idf=np.ones(1, np.float32),
        query_ids=np.zeros(0, np.int64),
        vectors=np.tile(np.array([[0.6, 0.8]], np.float32), (n, 1)),
        has_titles=False,
        repeats=repeats_by_words(np.zeros(n, np.int64), np.arange(n + 1)),
        repeats_rows=rows,
    )
    return Problem(
        logit=np.zeros(n, np.float32),
        cost=np.ones(n, np.int64),
        header_tokens=np.zeros(n, np.int64),
        max_similarity=none,
        word_weight=np.zeros(0, np.float32),
        attraction=none,
        attraction_weight=np.zeros(0, np.float32),
        paragraph=rows,
        document=rows,
        pinned=flags,
        eligible=~flags,
        is_heading=flags,
        couplings=couplings,
    )


def test_thousands_of_rows_alike_are_compared_once_and_little_is_kept(monkeypatch):
    """One paragraph again and again: the work must not be that of every pair."""
    compared, caches = [], []
    plain, make = Couplings.copies, CouplingCache.__init__
    monkeypatch.setattr(Couplings, "copies", lambda self, rows: compared.append(rows) or plain(self, rows))
    monkeypatch.setattr(CouplingCache, "__init__", lambda self, c: (make(self, c), caches.append(self))[0])
    n = 3000
    p = alike(n)
    found = select(p, n // 2)
    assert found.chosen.tolist() == list(range(n // 2)) and len(compared) <= 2
    (cache,) = caches
    assert 0 < sum(len(copies.rows) for copies in cache._copies.values()) <= 60 * n
    assert found.bound >= found.value


def test_copies_beyond_what_is_kept_are_compared_again_with_the_same_answer(monkeypatch):
    p = problem(4, 9)
    wanted = [duplicates(p.couplings, row).tolist() for row in range(9)]
    monkeypatch.setattr("fieldpack.packing.objective._MOST_COPIES", 0)
    cache = CouplingCache(p.couplings)
    cache.prefetch(np.arange(9))
    found = np.zeros((9, 9), np.float32)
    for row in range(9):
        copies = cache.copies(row)
        found[row, copies.rows] = copies.share
    assert found.tolist() == wanted and any(map(any, wanted))
    assert all(len(copies.rows) == 0 for copies in cache._copies.values())


def test_rows_beyond_those_that_are_followed_are_taken_by_their_own_worth(monkeypatch):
    p = problem(5, 9)
    whole = select(p, 30)
    monkeypatch.setattr("fieldpack.packing.objective.COUPLED", 0)
    monkeypatch.setattr("fieldpack.packing.select.COUPLED", 0)
    bare = select(p, 30)
    assert (bare.link == 0).all() and (bare.duplicate == 0).all() and (whole.link > 0).any()
    assert bare.bound >= bare.value and cost_of(p, bare.chosen) <= 30


def test_pieces_and_copies_of_one_document_do_not_call_for_each_other() -> None:
    """Two owners are called Delft: neither names the other, whatever their rows say; the third names both."""
    couplings = titled_rows(np.array([0, 1, 0, 2, 0, 3]), np.array([0, 0, 4]))
    assert couplings.links(0).tolist() == [0, 0, 0.5]  # called by the third, which names both
    assert couplings.links(2).tolist() == [1, 1, 0]
