"""Which of two rows repeats the other: pairs in many languages, and properties of the rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.relevance.repeats import Statement, is_negation, names_in, overlap, position, repeat_share
from fieldpack.words import split, words_of

STATEMENTS_OF_THEIR_OWN = [
    # negations
    ("Dogs are allowed in the reading room.", "Dogs are not allowed in the reading room."),
    ("Smoking is permitted here.", "Smoking isn't permitted here."),
    ("Dogs are allowed.", "No dogs are allowed."),
    ("The lift works with a card.", "The lift works without a card."),
    ("Hunde sind im Lesesaal erlaubt.", "Hunde sind im Lesesaal nicht erlaubt."),
    ("Es gibt einen Aufzug.", "Es gibt keinen Aufzug."),
    ("Les chiens sont admis.", "Les chiens ne sont pas admis."),
    ("Se permite fumar.", "No se permite fumar."),
    ("È permesso fumare qui.", "Non è permesso fumare qui."),
    ("É permitido fumar.", "Não é permitido fumar."),
    ("Palenie jest dozwolone.", "Palenie nie jest dozwolone."),
    ("Курить разрешено.", "Курить не разрешено."),
    ("Палити дозволено.", "Палити не дозволено."),
    ("Fumatul este permis.", "Fumatul nu este permis."),
    ("Roken is toegestaan.", "Roken is niet toegestaan."),
    ("Rökning är tillåten.", "Rökning är inte tillåten."),
    ("Sigara içmek yasak.", "Sigara içmek yasak değil."),
    ("Το κάπνισμα επιτρέπεται.", "Το κάπνισμα δεν επιτρέπεται."),
    ("可以在阅览室吸烟", "不可以在阅览室吸烟"),
    ("会议室可以吸烟", "会议室不可以吸烟"),
    ("ここで写真を撮れます", "ここで写真を撮れません"),
    ("สูบบุหรี่ได้", "สูบบุหรี่ไม่ได้"),
    ("التدخين مسموح هنا", "التدخين غير مسموح هنا"),
    ("धूम्रपान यहाँ मान्य है", "धूम्रपान यहाँ मान्य नहीं है"),
    # numbers, dates, units
    (
        "On 2026-05-01 the shop sold goods for 1,250.00 EUR.",
        "On 2026-01-05 the shop sold goods for 250.00 EUR.",
    ),
    ("The fee is 12 euros.", "The fee is 21 euros."),
    ("The room seats 12 people.", "The room seats twelve hundred people."),
    ("The sack weighs 5 kg.", "The sack weighs 5 lb."),
    ("The course starts on 3 May.", "The course starts on 5 March."),
    ("The course starts on 3 May.", "The course starts on 3 June."),
    ("Needs Python 3.11.4.", "Needs Python 3.4.11."),
    ("The discount is $5.", "The discount is 5%."),
    ("会议在三月五日举行", "会议在五月三日举行"),
    ("Die Sitzung ist am 3. Mai.", "Die Sitzung ist am 5. März."),
    # names and words
    ("The office in Berlin opens at nine.", "The office in Munich opens at nine."),
    ("Ask Anna Berg for the key.", "Ask Tom Hart for the key."),
    ("Set user_name in the file.", "Set user_id in the file."),
    ("Use C++ for the driver.", "Use C# for the driver."),
    ("Офис в Москве открыт.", "Офис в Казани открыт."),
    ("أحمد مسؤول عن المخزن", "سامي مسؤول عن المخزن"),
    ("The door is open.", "The door is closed."),
    ("The supplier may raise the fees.", "The supplier must raise the fees."),
    # order
    ("Anna pays Tom.", "Tom pays Anna."),
    ("The dog chased the cat.", "The cat chased the dog."),
    ("Der Hund jagt die Katze.", "Die Katze jagt der Hund."),
]

GOES_ON = [
    ("The shop sold goods.", "The shop sold goods for 5 euros."),
    ("Refunds are paid.", "Refunds are paid when the parcel has come back to the shop."),
    ("", "Refunds are paid."),
]

REPEATS = [
    ("Refunds are paid within 14 days of the return.", "Refunds are paid within 14 days of the return."),
    ("Refunds are paid within 14 days.", "refunds are paid WITHIN 14 days"),
    ("The caf\u00e9 opens at nine.", "The cafe\u0301 opens at nine."),
    ("The office opens at nine. Ask Anna for the key.", "Ask Anna for the key."),
    ("Im Haus gibt es einen Aufzug. Er fährt bis zum Dach.", "Im Haus gibt es einen Aufzug."),
    ("包裹从莱比锡仓库寄出。运费由买家承担。", "运费由买家承担。"),
    ("Склад находится в Казани. Он открыт.", "Склад находится в Казани."),
    ("किताब अलमारी में रखी है।", "किताब अलमारी में रखी है।"),
    ("ＰＩＮコードは１２３４です。", "PINコードは1234です。"),
    ("Dogs are not allowed in the hall.", "Dogs are not allowed in the hall."),
]
LONG = (
    "The reading room is on the second floor of the old building and is open to everybody who has a card of the "
    "library. Bags have to be left in the lockers at the entrance, and food is taken in the garden behind the house. "
    "The staff at the desk help with the catalogue and show how the copying machines are used"
)


def share(first: str, again: str) -> float:
    words = words_of([first, again])
    rows = [
        Statement.of(words.ids[a:b], words.vocabulary, text)
        for text, a, b in zip((first, again), words.offsets, words.offsets[1:], strict=False)
    ]
    return repeat_share(rows[0], rows[1])


@pytest.mark.parametrize(("first", "again"), STATEMENTS_OF_THEIR_OWN)
def test_statements_that_differ_are_no_repeats(first: str, again: str) -> None:
    assert share(first, again) == 0 and share(again, first) == 0


@pytest.mark.parametrize(("first", "again"), GOES_ON)
def test_a_statement_that_goes_on_is_no_repeat_of_its_beginning(first: str, again: str) -> None:
    assert share(first, again) == 0


@pytest.mark.parametrize(("first", "again"), REPEATS)
def test_copies_and_pieces_of_one_text_are_repeats(first: str, again: str) -> None:
    assert share(first, again) == 1


def test_a_copy_with_a_line_at_its_end_is_mostly_a_repeat() -> None:
    copy = f"{LONG}. (This page is kept in the archive.)"
    assert share(copy, LONG) == 1
    assert 0.2 < share(LONG, copy) < 1


def test_a_long_copy_with_another_word_is_a_repeat_but_not_with_another_number_or_name() -> None:
    assert 0.5 < share(LONG, LONG.replace("everybody", "anybody")) < 1
    assert share(LONG, LONG.replace("second", "2nd")) == 0
    assert share(LONG, LONG.replace("the library", "the Hartmann library")) == 0
    assert share(LONG, LONG.replace("is open", "is not open")) == 0


def test_windows_of_one_text_repeat_as_far_as_they_overlap() -> None:
    words = LONG.split()
    window = [" ".join(words[k : k + 30]) for k in (0, 3, 20)]
    assert 0 < share(window[0], window[1]) < 1
    assert share(window[0], window[2]) == 0


IDS = st.lists(st.integers(0, 3), max_size=12).map(lambda some: np.array(some, np.int32))


@given(IDS, IDS)
def test_position_and_overlap_are_those_of_a_search_by_hand(a: np.ndarray, b: np.ndarray) -> None:
    starts = [k for k in range(len(a) - len(b) + 1) if np.array_equal(a[k : k + len(b)], b)]
    assert position(a, b) == (starts[0] if starts else -1)
    ends = [k for k in range(min(len(a), len(b)) + 1) if np.array_equal(a[len(a) - k :], b[:k])]
    assert overlap(a, b) == max(ends)


@given(IDS, IDS)
def test_a_share_is_a_share_and_a_copy_is_whole(a: np.ndarray, b: np.ndarray) -> None:
    vocabulary = ["word", "7", "not", "other"]
    first, again = Statement.of(a, vocabulary), Statement.of(b, vocabulary)
    assert 0 <= repeat_share(first, again) <= 1
    assert repeat_share(again, again) == (1 if len(b) else 0)


@given(st.text(max_size=40))
def test_names_are_told_of_every_word(text: str) -> None:
    assert len(names_in(text)) == len(split(text))


def test_names_are_capitals_inside_a_sentence() -> None:
    text = "Ask Anna. Then go to snake_case."
    assert [w for w, name in zip(split(text), names_in(text), strict=True) if name] == ["anna", "snake_case"]


@pytest.mark.parametrize("word", ["not", "nicht", "pas", "не", "لا", "नहीं", "不可", "ません"[:2], "ไม่", "않습니다"])
def test_words_that_deny_are_known(word: str) -> None:
    assert is_negation(word)
