"""Token value and information density: factors, oracles, the Socratic question."""

from __future__ import annotations

import math
import random
import re
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.analysis.token_value import (
    deflate_bits,
    segment_values,
    specificity,
    surprisal,
    token_value,
    uniqueness,
    zipf,
)
from fieldpack.errors import InputError
from fieldpack.words import words_of

COMMON = re.findall(
    r"\w+",
    """
the of and in to was he is as for on with that it his by at from her she you had an were but be this are not my they one
which or have him me first all also their has up who out been when after there into new two its time would no what about
said we over then other so more can if like back them only some could just people year day man way thing life work
""",
)


def unit(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_value_is_the_product_per_token():
    value = token_value(np.array([0.5, 1.0]), np.array([0.4, 1.0]), np.array([1.0, 0.0]), np.array([10, 1]))
    assert value == pytest.approx([0.02, 0.0])


@pytest.mark.parametrize(
    "change", [{"relevance": [1.1, 0]}, {"specificity": [-0.1, 0]}, {"uniqueness": [math.nan, 0]}, {"tokens": [0, 3]}]
)
def test_value_refuses_what_is_no_factor(change):
    parts = {"relevance": [0.5, 0], "specificity": [0.5, 0], "uniqueness": [0.5, 0], "tokens": [5, 3]} | change
    with pytest.raises(InputError):
        token_value(*(np.array(parts[k]) for k in ("relevance", "specificity", "uniqueness", "tokens")))
    with pytest.raises(InputError, match="shape"):
        token_value(np.ones(2), np.ones(2), np.ones(3), np.ones(2, int))


@given(st.integers(0, 40), st.integers(1, 8), st.integers(0, 10))
def test_uniqueness_is_one_minus_the_nearest_other(n, d, seed):
    rows = unit(np.random.default_rng(seed).normal(size=(n, d)) + 1e-3) if n else np.zeros((0, d), np.float32)
    expected = [1 - min(1, max([0, *(float(rows[i] @ rows[j]) for j in range(n) if j != i)])) for i in range(n)]
    assert uniqueness(rows) == pytest.approx(expected, abs=1e-5)


def test_uniqueness_over_several_blocks_finds_the_copies():
    rows = unit(np.random.default_rng(0).normal(size=(2500, 16)))
    rows[2400] = rows[3]
    found = uniqueness(rows)
    assert found[3] == pytest.approx(0, abs=1e-6) and found[2400] == pytest.approx(0, abs=1e-6)
    assert found.min() >= 0 and (found > 1e-4).sum() >= 2490


def test_specificity_is_high_for_rare_words_and_zero_without_words():
    words = words_of(
        ["the cat and the dog", "the cat and the sun", "the zygomaticus and the masseter", "!!", "the and the"]
    )
    found = specificity(words)
    assert found[3] == 0 and found.argmax() == 2 and found.argsort()[1] == 4
    general = zipf(words.vocabulary, COMMON)
    assert specificity(words, general)[2] > specificity(words, general)[0]
    assert np.all((specificity(words, general) >= 0) & (specificity(words, general) <= 1))


def coded_bits(texts, i, prior=1000.0, background=None):
    """The code of the docstring, word by word."""
    from fieldpack.analysis.token_value import _general

    words = words_of(texts)
    q = _general(words.vocabulary, background)
    rest = [w for j in range(len(texts)) if j != i for w in words.ids[words.offsets[j] : words.offsets[j + 1]]]
    seen, bits = list(rest), 0.0
    for w in words.ids[words.offsets[i] : words.offsets[i + 1]]:
        bits -= math.log2((seen.count(w) + prior * q[w]) / (len(seen) + prior))
        seen.append(w)
    return bits


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(alphabet="ab c1", max_size=30), min_size=1, max_size=5))
def test_surprisal_matches_the_word_by_word_code(texts):
    words = words_of(texts)
    assert surprisal(words) == pytest.approx([coded_bits(texts, i) for i in range(len(texts))], rel=1e-4, abs=1e-3)


def test_what_the_rest_of_the_field_says_costs_little():
    texts = ["alpha beta gamma delta"] * 5 + ["epsilon zeta theta kappa"]
    found = surprisal(words_of(texts), prior_words=10)
    assert found[0] < found[5] / 2


def test_socratic_question_random_characters_tell_more_per_token_than_common_words():
    """Design text, section 4.1: which holds more information per token?"""
    from fieldpack.text.tokens import tokenizer

    count = tokenizer("o200k_base").count_many
    rng = random.Random(7)
    random_text = " ".join("".join(rng.choices(string.ascii_lowercase + string.digits, k=12)) for _ in range(20))
    common_text = " ".join(rng.choices(COMMON, k=60))
    prose = [" ".join(rng.choices(COMMON, weights=[1 / (r + 3) for r in range(len(COMMON))], k=80)) for _ in range(10)]
    texts = [common_text, random_text, *prose]
    words, tokens = words_of(texts), count(texts)
    for background in (None, zipf(words.vocabulary, COMMON)):  # a field of ordinary prose, or a word list, suffices
        density = surprisal(words, background) / tokens
        assert density[1] > 1.1 * density[0]
    primed = deflate_bits([common_text, random_text], " ".join(prose)) / tokens[:2]
    assert primed[1] < primed[0]  # why surprisal is the measure: DEFLATE does not know that common words are cheap


def test_deflate_counts_repetition_once():
    once, twice, other = deflate_bits(["a quick brown fox", "a quick brown fox a quick brown fox", ""])
    assert once < twice < 1.4 * once and other == 0
    assert deflate_bits(["a quick brown fox"], "see a quick brown fox run")[0] < once / 3


def test_zipf_is_a_distribution_over_the_ranked_words():
    assert zipf(COMMON, COMMON).sum() == pytest.approx(1, abs=1e-5)
    the, of, unknown = zipf(["the", "of", "qqq"], COMMON)
    assert the > of > unknown == 0
    assert the / of == pytest.approx(4.7 / 3.7)


def test_segment_values_are_rows_ready_for_a_report():
    texts = ["the zygomaticus raises the lip", "the man had the time", "the man had the time"]
    words = words_of(texts)
    values = segment_values(
        words,
        unit([[1, 0], [0, 1], [0, 1]]),
        np.array([0.9, 0.9, 0.9]),
        np.array([7, 5, 5]),
        zipf(words.vocabulary, COMMON),
    )
    rows = values.rows()
    assert len(rows) == 3 and rows[0]["tokens"] == 7
    assert values.value[0] > 0 and values.value[1:].tolist() == [0, 0]
    assert values.density[0] > values.density[1]
    assert set(rows[0]) == {"relevance", "specificity", "uniqueness", "tokens", "value", "density"}


def test_no_segments_no_rows():
    words = words_of([])
    empty = np.zeros(0)
    assert segment_values(words, np.zeros((0, 4)), empty, np.zeros(0, int)).rows() == []
