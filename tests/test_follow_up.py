"""A question that says little is read with the one before it; one that says enough is left as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.relevance.follow_up import read_after, share_of_switching, weight_of_previous

RETURNS = (
    "The buyer pays for returns of goods in good order. The parcel must come back in thirty days.",
    "The shop pays for returns of damaged goods. A photo of the damage is enough.",
    "Gift cards hold their value for three years. They cannot be paid out.",
    "Damaged gift cards are replaced at the counter.",
)
WHOLE = ("who pays for returns of damaged goods", "what happens to a broken parcel", "when did Ann sell the house")


@pytest.mark.parametrize("query", ["and for damaged goods?", "And who signs?", "what about gift cards", "how long?"])
def test_a_question_that_says_little_is_read_with_the_one_before(query: str) -> None:
    (own, one), (joined, weight) = read_after(query, WHOLE[0])
    assert (own, one) == (query, 1.0)
    assert joined == f"{WHOLE[0]} {query}"
    assert 0 < weight < 1


def test_a_pronoun_leans_on_the_question_before_less_than_words_left_out() -> None:
    assert 0 < weight_of_previous("when did its owner sell the house") < weight_of_previous("and the house?")


@pytest.mark.parametrize(
    "query", ["What is a blueprint?", "what are signals?", "Who is Armin?", "What's Jinja?", "who are referees"]
)
def test_a_short_question_that_names_its_own_subject_leaves_the_old_one(query: str) -> None:
    assert read_after(query, WHOLE[0]) == [(query, 1.0)]
    assert share_of_switching(query) == 1


@pytest.mark.parametrize("query", ["What is the default?", "what are those?", "What is it?", "How do I register one?"])
def test_a_question_for_a_part_or_by_a_pronoun_keeps_the_old_subject(query: str) -> None:
    assert len(read_after(query, WHOLE[0])) == 2
    assert share_of_switching(query) < 1


ABOUT = {
    "nginx": "Nginx passes requests to the server. Nginx reads the header of the client. Nginx keeps the files.",
    "jinja": "Jinja is the language of templates. Jinja is safe: it escapes what a template shows. Jinja is written in "
    "Python. Jinja is fast, since it compiles templates.",
}
GUIDE = [fp.Document(f"{name}.md", f"# {name.title()}\n\n{text}") for name, text in ABOUT.items()]
GUIDE += [
    fp.Document(
        f"tests{k}.md", f"Tests of the command line call runner {k}. The runner returns the output of a command."
    )
    for k in range(12)
]


@pytest.mark.parametrize(("query", "home"), [("What is Jinja?", "jinja.md"), ("and nginx?", "nginx.md")])
def test_what_an_old_subject_showed_goes_where_a_new_one_is_named(query: str, home: str) -> None:
    session = fp.Session()
    session.turn("How do I write tests for the command line?", GUIDE, 40)
    shown = [k.doc_id for k in session.turn(query, GUIDE, 40).kept]
    assert shown.count(home) > len(shown) / 2
    if "Jinja" in query:
        assert session.asked == query, "the next follow-up is read with the new subject"


@pytest.mark.parametrize("query", WHOLE)
def test_a_question_that_says_enough_is_left_alone(query: str) -> None:
    assert read_after(query, WHOLE[1]) == [(query, 1.0)]


@given(st.text(), st.text())
def test_any_two_texts_can_follow_one_another(query: str, previous: str) -> None:
    read = read_after(query, previous)
    assert read[0] == (query, 1.0)
    assert all(0 < weight <= 1 and query in text for text, weight in read)


def test_the_pack_of_a_question_that_says_enough_is_the_same_in_any_turn() -> None:
    packer = fp.ContextPacker(residue_weight=0)
    session = fp.Session(packer, switching=0)
    session.turn(WHOLE[1], RETURNS, 30)
    result = session.turn(WHOLE[0], RETURNS, 30)
    alone = packer.pack(WHOLE[0], RETURNS, 30)
    assert (result.text, result.kept, result.queries) == (alone.text, alone.kept, alone.queries)


def test_a_follow_up_is_packed_for_what_it_means_and_the_session_remembers_it(tmp_path) -> None:
    session = fp.Session(fp.ContextPacker(residue_weight=0), switching=0)
    session.turn("who pays for returns of goods in good order", RETURNS, 20)
    session.save(tmp_path)
    for turn in (session, fp.Session.load(tmp_path, fp.ContextPacker(residue_weight=0))):
        result = turn.turn("and damaged ones?", RETURNS, 12)
        assert "pays for returns of damaged goods" in result.text
        assert len(result.queries) == 2
        assert turn.asked == "who pays for returns of goods in good order"


def test_turns_without_a_query_and_of_several_queries_are_as_they_are() -> None:
    session = fp.Session()
    session.turn(WHOLE[0], RETURNS, 30)
    assert session.turn(None, RETURNS, 30).queries == ()
    assert session.turn(["and then?", WHOLE[1]], RETURNS, 30).queries == ("and then?", WHOLE[1])
    with pytest.raises(fp.InputError, match="query is empty"):
        session.turn(" ", RETURNS, 30)
