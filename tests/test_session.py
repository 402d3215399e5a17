"""Session: turns carry their state, prompts keep their beginning, and a saved session goes on where it was."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from fieldpack.budget import TokenBudgetPlanner
from fieldpack.embed.testing import HashEmbedder
from fieldpack.errors import InputError, SettingsError
from fieldpack.field.state import FieldSettings, FieldState
from fieldpack.pipeline import ContextPacker
from fieldpack.prompt import Piece, Prompt, pieces
from fieldpack.session import Session
from fieldpack.text.tokens import tokenizer
from fieldpack.types import Document

COUNT = tokenizer("o200k_base").count
TOPICS = (
    (
        "lighthouse",
        "The lighthouse on the cape was built in 1842. Its lamp burned whale oil. The keeper climbed 212 steps.",
    ),
    ("orchard", "The orchard behind the abbey grows quinces. Monks graft the old trees in March. Frost is the enemy."),
    (
        "tunnel",
        "The railway tunnel took nine years to dig. Granite slowed the work. Two hundred miners lived beside it.",
    ),
    (
        "glass",
        "Glass from the island is blown with soda ash. The furnace never goes out. Apprentices sweep for two years.",
    ),
    ("river", "The river ferry runs on a cable. It carries six cars at once. In floods it stays on the far bank."),
    (
        "bells",
        "The cathedral bells are tuned by filing bronze. The largest weighs eight tonnes. It is rung once a year.",
    ),
)
DOCS = [Document(name, text, name.title()) for name, text in TOPICS]


def test_a_turn_is_the_pack_of_the_packer_and_carries_its_state():
    session = Session()
    first = session.turn("How many steps did the keeper climb?", DOCS, budget=40)
    assert first.text == ContextPacker().pack("How many steps did the keeper climb?", DOCS, 40).text
    assert session.state is first.state and session.state.turn == 1 and len(session.state.residue)
    second = session.turn("What did its lamp burn?", DOCS, budget=40)
    assert session.state is second.state and session.state.turn == session.turns == 2


def test_residue_fades_turn_by_turn():
    session = Session(ContextPacker(residue_weight=0), switching=0)
    first = session.turn("How many steps did the keeper climb?", DOCS[:1], budget=40)
    best = max(session.state.residue.fragments, key=lambda f: f.strength)
    for _ in range(3):  # the residue's half-life
        session.turn("When is the largest of the bells rung?", DOCS[1:], budget=15)
    later = {f.key: f for f in session.state.residue.fragments}[best.key]
    assert later.strength == pytest.approx(best.strength / 2, rel=1e-3) and later.state in ("echo", "shadow")
    assert first.state.residue.fragments[0] == best


def test_switching_costs_keep_the_pack_when_turns_are_alike():
    queries = ["How was the tunnel dug through granite?", "Which trees grow in the orchard of the abbey?"]

    def reused(switching: float) -> int:
        session = Session(ContextPacker(residue_weight=0), switching=switching)
        for query in queries:
            session.turn(query, DOCS, budget=45)
        return session.prompt.prefix_tokens

    assert reused(50) > 10 and reused(50) > reused(0)


def test_switching_costs_change_what_is_packed_and_no_score():
    """In release 0.1 they changed the scores, which then were no probabilities any more."""
    queries = ["How was the tunnel dug through granite?", "Which trees grow in the orchard of the abbey?"]
    results = {}
    for switching in (0, 50):
        session = Session(ContextPacker(residue_weight=0), switching=switching)
        results[switching] = [session.turn(query, DOCS, budget=45) for query in queries][-1]
    free, costly = results[0], results[50]
    assert free.text != costly.text
    assert free.relevance.total.tolist() == costly.relevance.total.tolist()
    assert costly.scored.problem.logit.max() > free.scored.problem.logit.max() + 30
    scores = {(d.doc_id, d.start): d.score for d in (*free.kept, *free.dropped)}
    assert all(d.score == scores[d.doc_id, d.start] for d in (*costly.kept, *costly.dropped))
    # The same holds of the boundary: what is relevant enough is so with and without a price.
    for switching in (0, 50):
        session = Session(ContextPacker(residue_weight=0, min_relevance=0.5), switching=switching)
        kept = [session.turn(query, DOCS, budget=45).kept for query in queries][-1]
        assert all(k.score >= 0.5 for k in kept)


def test_the_price_of_a_row_is_what_a_cache_would_lose_with_it():
    prompt = Prompt("", 0, 0, 0, (Piece("a", "", ("a:0-6", "a:7-9"), "x" * 30), Piece("b", "", ("b:0-3",), "y" * 10)))
    assert prompt.prices() == {"a:0-6": 1.0, "a:7-9": 1.0, "b:0-3": 0.25}
    assert Prompt().prices() == {}


def test_the_prompt_keeps_its_beginning_and_the_budget():
    session = Session(switching=20)
    session.turn("How was the tunnel dug?", DOCS, budget=40)
    before = session.prompt
    result = session.turn("Which trees grow in the orchard?", DOCS, budget=90)
    after = session.prompt
    assert before.prefix == 0 and after.text.startswith(before.text)
    assert after.prefix == len(before.text) and after.prefix_tokens == COUNT(before.text)
    assert after.tokens == COUNT(after.text) <= 90
    assert {k for p in after.pieces for k in p.keys} <= {k for p in pieces(result) for k in p.keys}


def test_a_document_that_changed_ends_the_prefix():
    session = Session(switching=20)
    session.turn("How was the tunnel dug?", DOCS[2:3], budget=60)
    mended = [replace(DOCS[2], text=DOCS[2].text.replace("nine", "five"))]
    session.turn("How was the tunnel dug?", mended, budget=60)
    assert "five years" in session.prompt.text and "nine" not in session.prompt.text


@pytest.mark.parametrize("settings", [{"titles": True}, {"cite": True}])
def test_headers_are_in_the_prompt(settings):
    session = Session(ContextPacker(**settings))
    session.turn("How was the tunnel dug?", DOCS, budget=40)
    head = "[1] " if "cite" in settings else ""
    assert session.prompt.text.startswith(head) and "Tunnel" in session.prompt.text


@pytest.mark.parametrize("unit", ["paragraph", "sentence"])
def test_a_saved_session_goes_on(tmp_path: Path, unit):
    session = Session(ContextPacker(unit=unit), switching=2)
    session.remember("user", "My boat is called Ragna.", id="boat")
    session.turn("How was the tunnel dug?", DOCS, budget=40)
    session.save(tmp_path)
    again = Session.load(tmp_path, ContextPacker(unit=unit))
    assert again.turns == 1 and again.prompt == session.prompt
    assert again.recall("What is the boat called?").kept[0].doc_id == "boat"
    a, b = (s.turn("How long did the miners dig?", DOCS, budget=40) for s in (session, again))
    assert a.text == b.text and session.prompt == again.prompt
    assert a.state.to_dict() == b.state.to_dict()


@pytest.mark.parametrize("harm", ["version", "field", "memory", "head", "missing"])
def test_a_damaged_session_is_refused(tmp_path: Path, harm):
    session = Session()
    session.turn("How was the tunnel dug?", DOCS, budget=40)
    session.save(tmp_path)
    head = tmp_path / "session.json"
    if harm == "version":
        head.write_text(json.dumps({**json.loads(head.read_text()), "version": 0}))
    elif harm == "field":
        path = tmp_path / "field" / "field.npz"
        path.write_bytes(path.read_bytes()[:-9])
    elif harm == "memory":
        (tmp_path / "memory" / "memory.json").unlink()
    elif harm == "head":
        head.write_text(json.dumps({k: v for k, v in json.loads(head.read_text()).items() if k != "prompt"}))
    else:
        head.unlink()
    with pytest.raises(InputError):
        Session.load(tmp_path)


def test_another_model_or_tokenizer_is_refused(tmp_path: Path):
    session = Session()
    session.turn("How was the tunnel dug?", DOCS, budget=40)
    session.save(tmp_path)
    with pytest.raises(InputError, match="embedder"):
        Session.load(tmp_path, ContextPacker(HashEmbedder()))
    with pytest.raises(InputError, match="tokenizer"):
        Session.load(tmp_path, ContextPacker(tokenizer="cl100k_base"))


def test_the_planner_gives_the_budget_and_hears_of_the_use():
    planner = TokenBudgetPlanner(400)
    session = Session(planner=planner)
    result = session.turn("How was the tunnel dug?", DOCS)
    assert result.budget == planner.get_budget("input") and planner.get_used("input") == result.tokens


def test_an_index_serves_many_turns():
    index = ContextPacker().index(DOCS)
    session, other = Session(), Session()
    for query in ("How was the tunnel dug?", "Who blows the glass?"):
        assert session.turn(query, index, budget=50).text == other.turn(query, DOCS, budget=50).text


def test_an_index_of_another_kind_is_refused():
    with pytest.raises(InputError, match="embedder"):
        Session().turn("x", ContextPacker(HashEmbedder()).index(DOCS), budget=50)
    with pytest.raises(InputError, match="unit 'paragraph'"):
        Session(ContextPacker(unit="sentence")).turn("x", ContextPacker(unit="paragraph").index(DOCS), budget=50)


def test_memory_and_turns_share_the_tokenizer():
    session = Session(ContextPacker(tokenizer="cl100k_base"))
    assert session.memory.packer.tokenizer is session.packer.tokenizer
    session.remember("user", "hello")
    assert session.get_context() == [{"role": "user", "content": "hello"}]


def test_bad_input():
    with pytest.raises(InputError, match="planner"):
        Session().turn("x", DOCS)
    with pytest.raises(SettingsError, match="switching"):
        Session(switching=-1)
    assert Session(state=FieldState.start()).state.turn == 0


def test_a_cut_segment_is_shown_as_far_as_it_was_packed():
    long = " ".join(f"salt{k}" for k in range(80)) + "."
    session = Session(ContextPacker(allow_cut=True))
    result = session.turn("salt", [long], budget=12)
    assert result.cut is not None and session.prompt.text == result.text and session.prompt.tokens <= 12


@pytest.mark.parametrize("settings", [{"titles": True}, {"cite": True}, {}])
def test_the_prompt_never_exceeds_the_budget(settings):
    for budget in range(12, 100, 4):
        session = Session(ContextPacker(unit="sentence", **settings), switching=6)
        for query in ("How was the tunnel dug?", "Who blows the glass?", "What does the ferry carry?"):
            session.turn(query, DOCS, budget=budget)
            assert session.prompt.tokens == COUNT(session.prompt.text) <= budget


def test_the_boundary_of_a_session_moves_by_the_resonance_of_what_was_packed_and_is_saved(tmp_path: Path) -> None:
    packer = ContextPacker(enough=0.5, field=FieldSettings(adaptive=True, gradient=0.3))
    documents, session, shares = [Document(name, text) for name, text in TOPICS], Session(packer), []
    for query in ("Who climbed the steps?", "What do monks graft?", "How many cars does the ferry carry?"):
        result = session.turn(query, documents, 400)
        shares.append(result.enough.enough)
        assert result.enough.permeability >= result.enough.enough - 1e-6
    assert shares[:2] == [0.5, 0.5], "the first turn only records the resonance"
    assert session.boundary is not None and 0.1 <= session.boundary.permeability <= 1
    assert all(abs(a - b) <= 0.3 + 1e-9 for a, b in pairwise(shares))
    session.save(tmp_path)
    again = Session.load(tmp_path, packer)
    assert again.boundary == session.boundary
    assert again.turn("Who rings the bells?", documents, 400).enough.enough == session.boundary.permeability


def test_a_turn_that_says_what_is_enough_sets_the_boundary_and_none_moves_without_the_setting() -> None:
    documents = [Document(name, text) for name, text in TOPICS]
    moving = Session(ContextPacker(field=FieldSettings(adaptive=True, gradient=0.0)))
    moving.turn("Who climbed the steps?", documents, 400, enough=0.4)
    assert moving.turn("What do monks graft?", documents, 400).enough.enough == 0.4
    still = Session(ContextPacker())
    still.turn("Who climbed the steps?", documents, 400, enough=0.4)
    assert still.boundary is None and still.turn("What do monks graft?", documents, 400).enough.enough == 0.98
