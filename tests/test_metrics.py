"""Metrics: definitions against brute force, edges, coverage of the intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.analysis.metrics import (
    all_evidence,
    answer_kept,
    bootstrap_ci,
    evidence_kept,
    irr,
    normalised_answer,
    paired_bootstrap,
    paired_permutation,
    retained,
    rqt,
    span_scores,
    tcr,
)
from fieldpack.errors import InputError

spans = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(0, 30)), max_size=6)


def rng():
    return np.random.default_rng(1)


def test_efficiency_per_token():
    assert tcr(3, 1500) == 0.002 and tcr(3, 1500, per=1000) == 2
    assert rqt(0.9, 300, per=1000) == pytest.approx(3)
    for bad in ((3, 0), (3, -1), (-1, 10), (math.nan, 10)):
        with pytest.raises(InputError):
            tcr(*bad)
        with pytest.raises(InputError):
            rqt(*bad)


def test_retention_by_row_of_words_or_by_overlap():
    text = "The budget, of 16 000 tokens, is divided; Café owners pay less."
    points = ["budget of 16 000 tokens", "owners café", "cafe OWNERS", "5/8", "nothing here"]
    assert retained(points, text).tolist() == [True, False, True, False, False]
    assert retained(points, text, "overlap", 0.5).tolist() == [True, True, True, False, False]
    assert irr(points, text) == 0.4
    assert irr(["§"], "§ 5") == 1 and irr(["get"], "budget") == 0
    with pytest.raises(InputError, match="at least one"):
        irr([], text)
    with pytest.raises(InputError, match="allowed"):
        retained(points, text, "fuzzy")


def test_answers_are_compared_as_squad_does():
    assert normalised_answer("The  U.S. Open, a tournament!") == "us open tournament"
    assert answer_kept(["the Eiffel Tower"], "It is (Eiffel tower).")
    assert not answer_kept(["art"], "a start and a party")
    assert answer_kept(["no", "two"], "There are Two.") and not answer_kept([], "x")
    assert answer_kept(["The"], "The.") and not answer_kept(["The"], "of it")
    assert answer_kept(["北京"], "他住在北京市。")
    assert not answer_kept([""], "anything")


def characters(found):
    return {(d, i) for d, a, b in found for i in range(a, b)}


@given(spans, spans)
def test_span_scores_match_sets_of_characters(gold, kept):
    wanted, have = characters(gold), characters(kept)
    if not wanted:
        with pytest.raises(InputError):
            span_scores(gold, kept)
        return
    scores = span_scores(gold, kept)
    assert scores.recall == pytest.approx(len(wanted & have) / len(wanted)) == evidence_kept(gold, kept)
    assert scores.precision == pytest.approx(len(wanted & have) / len(have) if have else 0)
    assert scores.iou == pytest.approx(len(wanted & have) / len(wanted | have))
    assert all_evidence(gold, kept) == (wanted <= have)


@given(spans, spans, st.sets(st.integers(0, 29)))
def test_span_scores_in_tokens_match_sets_of_token_starts(gold, kept, starts):
    offsets = {d: np.array(sorted(starts), np.int64) for d in "ab"}
    wanted, have = ({c for c in characters(s) if c[1] in starts} for s in (gold, kept))
    if wanted:
        scores = span_scores(gold, kept, offsets)
        assert scores.recall == pytest.approx(len(wanted & have) / len(wanted))
        assert scores.iou == pytest.approx(len(wanted & have) / len(wanted | have))


def test_all_evidence_with_a_tolerance():
    assert not all_evidence([("a", 0, 10)], [("a", 0, 9)])
    assert all_evidence([("a", 0, 10)], [("a", 0, 9)], least=0.9)
    assert not all_evidence([("a", 0, 10), ("b", 0, 10)], [("a", 0, 10)], least=0.9)
    assert all_evidence([], [])


def test_bootstrap_interval_covers_the_mean_about_as_often_as_it_says():
    draw = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        found = bootstrap_ci(draw.normal(0.5, 1, 40), draw, confidence=0.9, resamples=400)
        assert found.low <= found.mean <= found.high
        hits += found.low <= 0.5 <= found.high
    assert 165 <= hits <= 195  # 180 expected; the percentile interval of 40 values is a little narrow


def test_bootstrap_is_the_generators_and_refuses_what_is_no_number():
    assert bootstrap_ci([1, 2, 4], rng()) == bootstrap_ci([1, 2, 4], rng())
    assert bootstrap_ci([0.25], rng()) == (0.25, 0.25, 0.25, 1)
    for bad in ([], [1, math.nan], [math.inf]):
        with pytest.raises(InputError):
            bootstrap_ci(bad, rng())
    with pytest.raises(InputError, match="confidence"):
        bootstrap_ci([1, 2], rng(), confidence=95)


def test_paired_tests_see_a_difference_that_is_there_and_none_that_is_not():
    draw = np.random.default_rng(5)
    base = draw.normal(size=200)
    better, same = base + 0.2 + draw.normal(0, 0.3, 200), base + draw.normal(0, 0.3, 200)
    found = paired_bootstrap(better, base, rng())
    assert found.low > 0 and found.p < 0.01 and found.low < found.difference < found.high
    assert paired_permutation(better, base, rng()) < 0.01
    assert paired_permutation(base, base, rng()) == 1
    assert paired_permutation(same, base, rng()) > 0.01
    with pytest.raises(InputError, match="same cases"):
        paired_bootstrap([1, 2], [1], rng())


def test_small_permutation_test_is_exact():
    assert paired_permutation([1, 2, 3], [0, 0, 0], rng()) == 2 / 8
    assert paired_permutation([1, 1], [0, 2], rng()) == 1
