"""Words against the reference pre-tokenizer, in every script, and their own invariants."""

from __future__ import annotations

import string
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fieldpack.words import fold, is_symbol, query_weights, shared_wording, split, split_with_offsets, words_of

SIGNS = "abcXYZ019_./\\:@#$%&+-,'\"()[]{}<>=~*!? \t\n"
LETTERS = "éßøłŁıЁйё́ςΆ漢字かガ゙ー々ﾊﾟทก็ำเ​किंाأ​ـَہשׁ\u00ad\u200d\ufb01①½²₂™１Ａ％한글"
text = st.one_of(st.text(max_size=60), st.text(SIGNS, max_size=40), st.text(SIGNS + LETTERS, max_size=40))
TEXTS = st.lists(text, max_size=8)


def test_prose_is_split_as_bert_does() -> None:
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    for prose in [
        "Don't stop: the naïve CAFÉ (near the sea) sells 35 sorts of e-mail.",
        "The state-of-the-art 'method' was cited; \"well-known\" authors e.g. said 3; no more!",
        "Ünïcödé e\u0301",
    ]:
        reference = BertPreTokenizer().pre_tokenize_str(BertNormalizer(lowercase=True).normalize_str(prose))
        words = [w for w in split(prose) if not is_symbol(w)]
        assert words == [w for w, _ in reference if any(c.isalnum() for c in w)]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("किताब अलमारी में रखी है।", ["किताब", "अलमारी", "में", "रखी", "है"]),
        ("বইটি টেবিলে", ["বইটি", "টেবিলে"]),
        ("தமிழ் நூல்", ["தமிழ்", "நூல்"]),
        ("أحمد مسؤول عن المخزن", ["أحمد", "مسؤول", "عن", "المخزن"]),
        ("مُدَرِّسٌ كتـــاب", ["مدرس", "كتاب"]),
        ("שָׁלוֹם עולם", ["שלום", "עולם"]),
        ("за́мок Ёлка йод", ["замок", "елка", "йод"]),
        ("Όπως ΟΔΟΣ οδός", ["οπωσ", "οδοσ", "οδοσ"]),
        ("Straße STRASSE Łódź Ørsted", ["strasse", "strasse", "lodz", "orsted"]),
        ("IŞIK ışık İzmir", ["isik", "isik", "izmir"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("ﬁlter oﬃce re\u00adfund ①", ["filter", "office", "refund", "1"]),
        ("ＰＩＮコードは１２３４です", ["pin", "コー", "ード", "ドは", "1234", "です"]),
        ("ﾊﾟﾝ ハ\u309aン", ["パン", "パン"]),
        ("CO₂ lake¹ Foo™ ٣ १२", ["co2", "lake", "1", "foo", "3", "12"]),
        ("仓库", ["仓", "仓库", "库"]),
        ("书", ["书"]),
        ("ปิดเว", ["ปิด", "ดเ", "เว"]),
        ("ភាសា\u200bខ្មែរ", ["ភា", "ភាសា", "សា", "ខ្មែ", "ខ្មែរ"]),
        ("... \u0301 --- 😀", []),
    ],
)
def test_words_of_every_script(written: str, words: list[str]) -> None:
    assert split(written) == words


@pytest.mark.parametrize(
    ("written", "whole", "parts"),
    [
        ("snake_case", "snake_case", ["snake", "case"]),
        ("(snake_case).", "snake_case", ["snake", "case"]),
        ("_snake_case_", "snake_case", ["snake", "case"]),
        ("__init__", "__init__", ["init"]),
        ("a.b.c", "a.b.c", ["a", "b", "c"]),
        ("np.linalg.norm()", "np.linalg.norm", ["np", "linalg", "norm"]),
        ("C++,", "c++", ["c"]),
        ("C#.", "c#", ["c"]),
        (".NET", ".net", ["net"]),
        ("--dry-run=yes", "--dry-run", ["dry", "run", "yes"]),
        ("[-v]", "-v", ["v"]),
        ("/etc/hosts", "etc/hosts", ["etc", "hosts"]),
        ("~/src/words.py", "src/words.py", ["src", "words", "py"]),
        ("src/words.py:12", "words.py", ["src", "words", "py", "12"]),
        ("C:\\Users\\a.txt", "c:\\users\\a.txt", ["c", "users", "a", "txt"]),
        ("3.11.4", "3.11.4", ["3", "11", "4"]),
        ("v2.5.6", "2.5.6", ["v2", "5", "6"]),
        (">=3.11", "3.11", ["3", "11"]),
        ("3.11.4", "3.11", ["3", "11", "4"]),
        ("10.0.0.1:8080", "10.0.0.1", ["10", "0", "0", "1", "8080"]),
        ("<anna.berg@example.com>", "anna.berg@example.com", ["anna", "berg", "example", "com"]),
        ("https://docs.example.org/a/os.html", "docs.example.org/a/os.html", ["https", "docs", "example", "org"]),
        ("https://docs.example.org/a/os.html", "os.html", ["html"]),
        ("ERR_FOO", "err_foo", ["err", "foo"]),
        ("ORA-00942:", "ora-00942", ["ora", "00942"]),
        ("std::vector", "std::vector", ["std", "vector"]),
        ("R&D", "r&d", ["r", "d"]),
        ("1,250.00", "1,250.00", ["1", "250", "00"]),
        ("$5", "$5", ["5"]),
        ("5%", "5%", ["5"]),
        ("2026-05-01T12:30:01Z", "2026-05-01", ["2026", "05", "01", "12", "30"]),
        ("使用C++编写", "c++", ["c", "使用"]),
        ("größe_max", "grosse_max", ["grosse", "max"]),
    ],
)
def test_names_are_words_as_a_whole_and_in_their_parts(written: str, whole: str, parts: list[str]) -> None:
    words = split(written)
    assert whole in words and is_symbol(whole)
    assert set(parts) <= set(words) and not any(is_symbol(p) for p in parts)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("getHTTPServer", ["gethttpserver", "get", "http", "server"]),
        ("camelCase2", ["camelcase2", "camel", "case", "2"]),
        ("Person151", ["person151", "person", "151"]),
        ("E0123 0x1F h2o", ["e0123", "0x1f", "h2o"]),
        ("NASA McX", ["nasa", "mcx"]),
        ("and/or well-known word--word his/her", ["and", "or", "well", "known", "word", "word", "his", "her"]),
    ],
)
def test_parts_of_camel_case_and_words_that_are_no_names(written: str, words: list[str]) -> None:
    assert split(written) == words


def test_ranges_are_those_of_the_original_text() -> None:
    written = "The oﬃce of\u00a0fou\u00adrteen ＰＩＮ１２: か\u3099く snake_case"
    places = {word: written[start:end] for word, start, end in split_with_offsets(written)}
    assert places["office"] == "oﬃce" and places["fourteen"] == "fou\u00adrteen"
    assert places["pin12"] == "ＰＩＮ１２" and places["がく"] == "か\u3099く"
    assert places["snake_case"] == "snake_case" and places["case"] == "case"


@given(text)
@example("\u0301a\u0301")
@example("İstanbul ŉ")
@example("1²³ x²")
@example("㉠")
def test_offsets_give_the_same_words_and_lie_in_the_text(written: str) -> None:
    places = split_with_offsets(written)
    assert [word for word, _, _ in places] == split(written)
    assert all(0 <= start < end <= len(written) for _, start, end in places)
    # A range holds more than white space and ASCII punctuation. Its characters need not be letters: radicals and
    # circled letters are symbols to Unicode and words to their readers.
    bare = set(string.punctuation) - {"_", "#", "+", "-"}
    assert all(set(written[start:end]) - bare - set(string.whitespace) for _, start, end in places)


@given(text)
def test_case_and_composition_do_not_matter(written: str) -> None:
    alike = written.translate({ord(c): None for c in "ΐΰŉǰẖẗẘẙẚ"})
    assert split(unicodedata.normalize("NFC", alike)) == split(unicodedata.normalize("NFD", alike))
    assert fold(fold(alike)) == fold(alike)


@given(text, text)
def test_words_end_at_white_space(first: str, second: str) -> None:
    assert split(f"{first} {second}") == split(first) + split(second)


@given(text)
def test_a_query_counts_second_spellings_half(written: str) -> None:
    weights = query_weights(written)
    assert list(weights) == list(dict.fromkeys(split(written)))
    assert all(weight in (0.5, 1) for weight in weights.values())
    assert all(weights[word] == 0.5 for word in weights if is_symbol(word))


def test_a_query_gives_a_name_less_than_its_parts_together() -> None:
    assert query_weights("the TechCrunch report on read_csv") == {
        **{"the": 1, "techcrunch": 1, "tech": 0.5, "crunch": 0.5},
        **{"report": 1, "on": 1, "read": 1, "csv": 1, "read_csv": 0.5},
    }


@pytest.mark.parametrize(
    ("query", "passage", "shared"),
    [
        ("仓库在哪里", "包裹从莱比锡仓库寄出。", ["仓库"]),
        ("โรงแรมเปิดกี่โมง", "โรงแรมเปิดเวลาเจ็ดโมงเช้า", ["โรงแรมเปิด", "โมง"]),
        ("โรงแรมเปิดกี่โมง", "ห้องประชุมอยู่ชั้นสาม", []),
        ("किताब कहाँ है", "काबुल बड़ा शहर है।", ["है"]),
        ("Where is read_csv in Café?", "call read_csv at the cafe", ["read_csv", "Café"]),
        ("Where is read_csv?", "how to read a CSV", ["read", "csv"]),
        ("PIN 1234", "ＰＩＮコードは１２３４です。", ["PIN", "1234"]),
        ("getUser", "the user", ["User"]),
    ],
)
def test_what_a_query_and_a_passage_share_is_named_as_it_is_written(
    query: str, passage: str, shared: list[str]
) -> None:
    assert shared_wording(query, passage) == shared


@given(text, text)
def test_what_is_shared_stands_in_both(query: str, passage: str) -> None:
    for stretch in shared_wording(query, passage):
        assert stretch in query
        assert set(split(stretch)) & set(split(passage))


def test_only_words_that_count_are_named() -> None:
    assert shared_wording("the key is here", "the key", {"key"}) == ["key"]


@given(TEXTS)
def test_rows_are_the_words_of_their_text(texts: list[str]) -> None:
    words = words_of(texts)
    assert len(words) == len(texts) and words.lengths.sum() == len(words.ids)
    for i, written in enumerate(texts):
        ids = words.ids[words.offsets[i] : words.offsets[i + 1]]
        assert [words.vocabulary[j] for j in ids] == split(written)
        assert words.places[i] == sum(not is_symbol(w) for w in split(written))
    assert len(set(words.vocabulary)) == len(words.vocabulary)
    assert words.vocabulary == list(dict.fromkeys(w for t in texts for w in split(t))), "in order of first sight"


@given(TEXTS, TEXTS)
def test_a_given_vocabulary_keeps_its_ids(first: list[str], second: list[str]) -> None:
    a = words_of(first)
    b = words_of(second, a.vocabulary)
    assert b.vocabulary[: len(a.vocabulary)] == a.vocabulary
    assert np.all(b.ids < len(b.vocabulary))
    known = {w: i for i, w in enumerate(a.vocabulary)}
    assert words_of(second, known=known).vocabulary == b.vocabulary and len(known) == len(a.vocabulary)


@pytest.mark.parametrize(
    "hostile",
    [
        part * 100_000
        for part in "__ a_ -- a. // a/ 1, \u0301 中 aA ก็ AA ._ --a v1. :: @a \u00ad e\u0301\u0301".split()  # noqa: SIM905
    ],
    ids=lambda hostile: ascii(hostile[:2]),
)
def test_a_hostile_line_is_read_in_the_end(hostile: str) -> None:
    words = words_of([hostile, hostile])
    assert words.lengths[0] == words.lengths[1]
