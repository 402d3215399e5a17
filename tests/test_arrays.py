"""Arrays that grow in place: what was handed out stays as it was, and a second child gets its own copy."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.arrays import GrowableArrays
from fieldpack.corpus.corpus import Corpus
from fieldpack.pipeline import ContextPacker
from fieldpack.relevance.shortlist import exact_words
from fieldpack.types import Document

TEXTS = ("The tunnel took nine years.", "Quinces grow by the abbey. Monks boil them.", "A ferry crosses the river.")


@given(st.lists(st.integers(0, 7), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_every_array_handed_out_keeps_its_rows(sizes):
    buffers, old, made = GrowableArrays(), np.arange(3), []
    for k, size in enumerate(sizes):
        buffers = buffers.fork(k, k + 1)
        old = buffers.append("a", old, np.full(size, k))
        made.append((old, old.copy()))
    for array, copy in made:
        np.testing.assert_array_equal(array, copy)
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 9
    assert sum(array.base is made[-1][0].base for array, _ in made) >= 1


def test_rows_are_added_in_place_for_the_last_of_the_line_alone():
    buffers = GrowableArrays().fork(0, 5)
    first = buffers.append("a", np.zeros(4), np.ones(1))
    assert buffers.fork(5, 6) is buffers
    second = buffers.append("a", first, np.full(1, 2.0))
    assert second.base is first.base
    other = buffers.fork(5, 6)
    assert other is not buffers and other.append("a", first, np.full(1, 3.0)).base is not first.base
    assert second[-1] == 2.0
    again = pickle.loads(pickle.dumps(buffers))
    assert again.fork(6, 7) is not again, "another process has other buffers"


def shown(corpus: Corpus) -> list[object]:
    frequencies = corpus.frequencies
    arrays = (
        corpus.vocabulary.direction,
        corpus.sentences.vectors,
        corpus.paragraphs.vectors,
        frequencies.idf,
        frequencies.stem_idf,
        corpus.words,
        corpus.titles.offsets,
        corpus.rows.start,
        corpus.postings.paragraphs,
    )
    return [a.tolist() for a in arrays] + [corpus.texts(), list(corpus.vocabulary.index)]


@pytest.mark.parametrize("unit", ["sentence", "paragraph"])
def test_an_index_with_two_children_is_neither_of_them(unit, monkeypatch):
    monkeypatch.setattr("fieldpack.corpus.build.SHORTLIST", 0)  # an inverted index for however few paragraphs
    monkeypatch.setattr("fieldpack.relevance.shortlist.SHORTLIST", 2)
    index = ContextPacker(unit=unit).index([Document(f"d{k}", t, f"T{k}") for k, t in enumerate(TEXTS)])
    base = index.add(Document("more", "A cable holds the ferry. It is of steel."))
    before = shown(base.corpus)
    assert base.corpus.known > 0.5
    left = base.add(Document("left", "Glass is blown on the island."))
    right = base.add([Document("right", "The bell weighs eight tonnes. It rings at noon."), Document("blank", " ")])
    last = left.add(Document("last", "Whales were hunted for lamps."))
    assert shown(base.corpus) == before
    for grown, names in (
        (left, ("more", "left")),
        (right, ("more", "right", "blank")),
        (last, ("more", "left", "last")),
    ):
        docs = grown.documents
        assert [d.id for d in docs[3:]] == list(names)
        whole = ContextPacker(unit=unit).index(docs)
        a, b = grown.corpus, whole.corpus
        np.testing.assert_array_equal(a.sentences.vectors, b.sentences.vectors)
        assert list(a.rows) == list(b.rows) and a.texts() == b.texts() and a.numbers == b.numbers
        assert a.known_words == b.known_words
        for word, i in b.vocabulary.index.items():
            j = a.vocabulary.index[word]
            assert exact_words(a, np.array([j])).tolist() == exact_words(b, np.array([i])).tolist()
        assert grown.pack("What did the ferry hang on?", 30).text == whole.pack("What did the ferry hang on?", 30).text
