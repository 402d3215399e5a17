"""What the forms of a word have in common."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.words import stem_of


@pytest.mark.parametrize(
    "forms",
    [
        ["refund", "refunds", "refunded"],
        ["investigate", "investigated", "investigation"],
        ["garten", "gartens"],
        ["складами", "складах"],
        ["المخزن", "مخزن", "والمخزن", "للمخزن"],
        ["كتاب", "الكتاب"],
        ["معلم", "المعلمون", "معلمين", "معلمات"],
        ["أحمد", "احمد"],
        ["מרפאה", "המרפאה", "והמרפאה"],
        ["כספת", "הכספת", "לכספת"],
        ["किताब", "किताबें", "किताबों"],
        ["लड़का", "लड़के", "लड़कों"],
        ["학교", "학교에서", "학교는", "학교를"],
    ],
)
def test_forms_of_one_word_share_a_stem(forms: list[str]) -> None:
    assert len({stem_of(word) for word in forms}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("أحمد", "حمد"),
        ("किताब", "काबुल"),
        ("refund", "refuse"),
        ("학교", "학생"),
        ("בית", "בית־ספר"),
        ("מכתב", "מטבח"),
        ("склад", "слава"),
        ("2026", "2025"),
    ],
)
def test_other_words_have_other_stems(one: str, other: str) -> None:
    assert stem_of(one) != stem_of(other)


@pytest.mark.parametrize("word", ["3.11.4", "read_csv", "e0123", "20260501", "c++", "仓库", "sea"])
def test_numbers_names_and_short_words_stay_whole(word: str) -> None:
    assert stem_of(word) == word


@given(st.text(min_size=1, max_size=20))
def test_a_stem_is_never_empty_nor_longer(word: str) -> None:
    assert 0 < len(stem_of(word)) <= len(word)
