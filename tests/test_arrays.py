"""Arrays that grow in place: what was handed out stays as it was, and a second child gets its own copy."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from fieldpack.prepared import Prepared
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.pipeline import ContextPacker
from fieldpack.types import Document

TEXTS = ("The tunnel took nine years.", "Quinces grow by the abbey. Monks boil them.", "A ferry crosses the river.")


@given(st.lists(st.integers(0, 7), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_every_array_handed_out_keeps_its_rows(sizes):
    room, old, made = Room(), np.arange(3), []
    for k, size in enumerate(sizes):
        room = room.claimed(k, k + 1)
        old = room.added("a", old, np.full(size, k))
        made.append((old, old.copy()))
    for array, copy in made:
        np.testing.assert_array_equal(array, copy)
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 9
    assert sum(array.base is made[-1][0].base for array, _ in made) >= 1


def test_rows_are_added_in_place_for_the_last_of_the_line_alone():
    room = Room().claimed(0, 5)
    first = room.added("a", np.zeros(4), np.ones(1))
    assert room.claimed(5, 6) is room
    second = room.added("a", first, np.full(1, 2.0))
    assert second.base is first.base
    other = room.claimed(5, 6)
    assert other is not room and other.added("a", first, np.full(1, 3.0)).base is not first.base
    assert second[-1] == 2.0
    again = pickle.loads(pickle.dumps(room))
    assert again.claimed(6, 7) is not again, "another process has other buffers"


def shown(prepared: Prepared) -> list[object]:
    c = prepared.corpus
    arrays = (c.raw, c.groups, c.idf, c.stem_idf, c.words.ids, c.titles.offsets, prepared.rows.start, c.postings[1])
    return [a.tolist() for a in arrays] + [list(prepared.texts), list(c.index)]


@pytest.mark.parametrize("unit", ["sentence", "paragraph"])
def test_an_index_with_two_children_is_neither_of_them(unit):
    index = ContextPacker(unit=unit).index([Document(f"d{k}", t, f"T{k}") for k, t in enumerate(TEXTS)])
    base = index.add(Document("more", "A cable holds the ferry. It is of steel."))
    before = shown(base.prepared)
    assert base.prepared.known > 0.5
    left = base.add(Document("left", "Glass is blown on the island."))
    right = base.add([Document("right", "The bell weighs eight tonnes. It rings at noon."), Document("blank", " ")])
    last = left.add(Document("last", "Whales were hunted for lamps."))
    assert shown(base.prepared) == before
    for grown, names in (
        (left, ("more", "left")),
        (right, ("more", "right", "blank")),
        (last, ("more", "left", "last")),
    ):
        docs = grown.documents
        assert [d.id for d in docs[3:]] == list(names)
        whole = ContextPacker(unit=unit).index(docs)
        a, b = grown.prepared, whole.prepared
        np.testing.assert_allclose(a.corpus.raw, b.corpus.raw, atol=1e-5)
        assert list(a.rows) == list(b.rows) and list(a.texts) == list(b.texts) and a.numbers == b.numbers
        assert a.known_words == b.known_words
        for word, i in b.corpus.index.items():
            j = a.corpus.index[word]
            assert a.corpus.exact(np.array([j])).tolist() == pytest.approx(b.corpus.exact(np.array([i])).tolist())
        assert grown.pack("What did the ferry hang on?", 30).text == whole.pack("What did the ferry hang on?", 30).text
