"""Words against the reference pre-tokenizer and their own invariants."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.words import split, words_of

TEXTS = st.lists(st.text(max_size=60), max_size=8)


def test_as_bert_does():
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    for text in ["Don't stop: e-mail 3.5% naïve CAFÉ", "中文 and 日本語", "foo_bar(x)=y+1", "Ünïcödé e\u0301"]:
        reference = BertPreTokenizer().pre_tokenize_str(BertNormalizer(lowercase=True).normalize_str(text))
        assert split(text) == [w for w, _ in reference if any(c.isalnum() for c in w)]


@given(TEXTS)
def test_rows_are_the_words_of_their_text(texts):
    words = words_of(texts)
    assert len(words) == len(texts) and words.lengths.sum() == len(words.ids)
    for i, text in enumerate(texts):
        ids = words.ids[words.offsets[i] : words.offsets[i + 1]]
        assert [words.vocabulary[j] for j in ids] == split(text)
    assert len(set(words.vocabulary)) == len(words.vocabulary)


@given(TEXTS, TEXTS)
def test_a_given_vocabulary_keeps_its_ids(first, second):
    a = words_of(first)
    b = words_of(second, a.vocabulary)
    assert b.vocabulary[: len(a.vocabulary)] == a.vocabulary
    assert np.all(b.ids < len(b.vocabulary))
