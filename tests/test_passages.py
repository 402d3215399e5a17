"""Short passages of a few texts: packed whole, and what a text's best passage earns counts for its others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack import ContextPacker, Document
from fieldpack.corpus.kinds import are_short_passages, is_talk, title_runs
from fieldpack.relevance.turns import with_text_loss

DEVICES = ("printer", "router", "scanner", "tablet")
QUESTION = "Since this morning the router of our office shows a red light and nobody can open a page. What can we do?"


def note(device: str) -> list[Document]:
    """Eight passages; the answer says nothing of the question's words."""
    texts = [
        f"Since an update the {device} shows a red light. Nobody in the office could open a page.",
        "It was seen in three branches. Each had the same firmware.",
        "Unplug the cord. Hold the small key for ten seconds.",
        "Wait for the blinking to end. Then put the cord back in.",
        "Write down the number on the back. Keep it for the next call.",
        "The lamp may stay on for a minute. That is no fault.",
        "A spare part was ordered once. It was not needed.",
        "The case was closed in May. It came back in June.",
    ]
    return [Document(f"{device}-{k}", text, f"Note on the {device}") for k, text in enumerate(texts)]


def notes() -> list[Document]:
    return [passage for device in DEVICES for passage in note(device)]


def test_short_passages_of_a_few_texts_are_packed_whole() -> None:
    result = ContextPacker().pack(QUESTION, notes(), 120)
    assert result.corpus.unit == "paragraph"
    assert all(k.start == 0 and k.end == len(d.text) for k in result.kept for d in notes() if d.id == k.doc_id)


def test_the_text_that_the_question_restates_lends_to_its_other_passages() -> None:
    result = ContextPacker().pack(QUESTION, notes(), 120)
    best = np.sort(result.relevance.logit)[::-1]
    of_router = [r for r, d in enumerate(result.corpus.documents) if d.id.startswith("router")]
    assert np.isin(result.relevance.logit[of_router], best[:12]).sum() >= 6


@pytest.mark.parametrize(
    "documents",
    [
        [],
        notes()[:16],
        note("router") * 4,
        [d for k in range(8) for d in notes()[k::8]],
        [Document(d.id, d.text) for d in notes()],
        [Document(d.id, d.text * 16, d.title) for d in notes()],
        [Document(f"{k}", "A short text.", f"title {k // 4}") for k in range(80)],
    ],
    ids=["none", "few", "one text", "mixed", "no titles", "long", "many texts"],
)
def test_other_documents_are_no_short_passages(documents: list[Document]) -> None:
    assert not are_short_passages(documents)


def test_turns_that_alternate_are_a_talk_and_no_short_passages() -> None:
    turns = [Document(f"{k}", "Yes. I will be there at nine.", ("Ann", "Bob")[k % 2]) for k in range(40)]
    assert is_talk(turns) and not are_short_passages(turns)


@given(st.lists(st.sampled_from(["", "a", "b"]), max_size=30))
def test_runs_are_numbered_from_0_and_share_a_title(titles: list[str]) -> None:
    runs = title_runs([Document(f"{k}", "x", title) for k, title in enumerate(titles)])
    assert sorted(set(runs.tolist())) == list(range(len(set(runs.tolist()))))
    for k in range(1, len(titles)):
        assert (runs[k] == runs[k - 1]) == (titles[k] == titles[k - 1] != "")
        assert 0 <= runs[k] - runs[k - 1] <= 1


def test_order_inside_a_text_and_its_best_text_stay() -> None:
    packer = ContextPacker()
    result = packer.pack(QUESTION, notes(), 120)
    before, corpus = result.relevance, result.corpus
    after = with_text_loss(before, corpus, 0.7)
    loss = before.logit - after.logit
    runs = corpus.passage_runs[corpus.rows.doc]
    assert (loss >= 0).all() and not loss[runs == runs[np.argmax(before.logit)]].any()
    for run in range(len(DEVICES)):
        assert np.ptp(loss[runs == run]) < 1e-5
    assert np.array_equal(with_text_loss(before, corpus, 0.0).logit, before.logit)


def test_a_corpus_joined_has_the_runs_of_one_read_at_once() -> None:
    reader, documents = ContextPacker().reader, notes()
    whole = reader.read(documents)
    joined = reader.join(reader.read(documents[:11]), reader.read(documents[11:]))
    assert joined.unit == whole.unit == "paragraph"
    assert np.array_equal(joined.passage_runs, whole.passage_runs)
