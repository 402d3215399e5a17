"""Memory: nothing orphaned, nothing lost that must stay, never over the budget, and the turn that matters is back."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.budget import TokenBudgetPlanner
from fieldpack.corpus import build
from fieldpack.errors import BudgetError, InputError, SettingsError
from fieldpack.memory import ContextMemoryManager, apply_window, key_facts, render
from fieldpack.memory.messages import Message, exchanges, spoken_time, text_of
from fieldpack.pipeline import ContextPacker
from fieldpack.text.tokens import tokenizer

COUNT = tokenizer("o200k_base").count
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Porto"}'}}
TALK = (
    ("Did you water the tomatoes on the balcony?", "Yes, and the basil as well."),
    ("What instrument does your sister play?", "She has played the cello since she was nine."),
    ("Where are we meeting on Friday?", "At the station, platform four."),
    ("I finally repaired the old bicycle.", "Great, the green one with the broken chain?"),
    ("The dentist moved my appointment.", "To which day?"),
    ("How was the exhibition about whales?", "Huge skeletons, very quiet rooms."),
)


def conversation(turns: int = 60, **settings: object) -> ContextMemoryManager:
    memory = ContextMemoryManager(**settings)  # type: ignore[arg-type]
    memory.add_message("system", "You are a patient assistant.", id="sys")
    for k in range(turns):
        said, answered = TALK[k % len(TALK)]
        number = f" {k}" if k >= len(TALK) else ""
        memory.add_message("user", said[:-1] + number + said[-1], id=f"u{k}")
        memory.add_message("assistant", answered[:-1] + number + answered[-1], id=f"a{k}")
    return memory


@pytest.fixture(scope="module")
def talk() -> ContextMemoryManager:
    return conversation(6, history_budget=120)


def valid(context: list[dict]) -> bool:
    """Every tool result after its call, every call with its result."""
    called: set[str] = set()
    answered: set[str] = set()
    for m in context:
        if m.get("tool_call_id"):
            if m["tool_call_id"] not in called:
                return False
            answered.add(m["tool_call_id"])
        called |= {c["id"] for c in m.get("tool_calls") or ()}
    return called == answered


class TestRecall:
    def test_the_answer_comes_back_by_message_id_in_order_and_inside_the_budget(self, talk):
        result = talk.recall("Which instrument does the sister play?", budget=40)
        ids = [k.doc_id for k in result.kept]
        assert {"u1", "a1"} <= set(ids) and "sys" not in ids
        assert result.tokens == COUNT(result.text) <= 40
        assert ids == sorted(ids, key=[m.id for m in talk.messages].index)

    def test_an_answer_without_the_words_of_its_question_is_lifted_by_it(self):
        memory = conversation(6)
        result = memory.recall("Where do we meet on Friday?", budget=500)
        score = {k.doc_id: k.score for k in result.kept}
        assert score["a2"] == max(v for k, v in score.items() if k.startswith("a"))

    def test_a_second_recall_reads_only_what_is_new(self, monkeypatch):
        memory = conversation(6)
        memory.recall("whales", budget=50)
        read: list[str] = []
        plain = build.segment
        monkeypatch.setattr(build, "segment", lambda d, u: (read.extend(x.id for x in d), plain(d, u))[1])
        memory.recall("tomatoes", budget=50)
        assert read == []
        memory.add_message("user", "The ferry to the island leaves at noon.", id="new")
        result = memory.recall("When does the ferry leave?", budget=20)
        assert read == ["new"] and "new" in [k.doc_id for k in result.kept]

    def test_growing_gives_what_reading_all_at_once_gives(self):
        grown, whole = conversation(0), conversation(8)
        for m in whole.messages[1:]:
            grown.add_message(m.role, m.content, id=m.id)
            grown.recall("bicycle", budget=30)
        a, b = grown.recall("the green bicycle", budget=60), whole.recall("the green bicycle", budget=60)
        assert a.text == b.text
        np.testing.assert_array_equal(a.relevance.total, b.relevance.total)

    def test_what_was_kept_out_says_so_and_keeps_its_score(self):
        memory = conversation(6)
        before = {d.doc_id: d.score for d in memory.recall("sister instrument cello", budget=20).dropped}
        result = memory.recall("sister instrument cello", budget=20, exclude=["u1", "a1"])
        reasons = {d.doc_id: d.reason for d in result.dropped}
        assert {"u1", "a1"} <= set(reasons) and not {"u1", "a1"} & {k.doc_id for k in result.kept}
        closed = {name for name, reason in reasons.items() if reason == "kept out by the caller"}
        # The system message and the query itself, where it is the last message, are closed too.
        assert {"u1", "a1"} <= closed <= {"u1", "a1", "sys"}
        assert all(d.score == before[d.doc_id] for d in result.dropped if d.doc_id in before)

    def test_where_all_was_kept_out_the_note_says_so(self):
        memory = conversation(2)
        result = memory.recall("sister", budget=50, exclude=[m.id for m in memory.messages])
        assert result.text == "" and result.notes[0] == "all segments were kept out by the caller"

    def test_names_and_times_of_turns_count(self):
        memory = ContextMemoryManager()
        for k, (who, month) in enumerate([("Ada", 3), ("Bo", 5), ("Ada", 5), ("Bo", 3)]):
            memory.add_message("user", "I went hiking in the hills.", id=str(k), speaker=who, time=f"2023-0{month}-08")
        best = max(memory.recall("Where did Ada go in May?", budget=200).kept, key=lambda k: k.score)
        assert best.doc_id == "2"

    def test_a_transcript_names_its_speakers_in_the_text(self):
        memory = ContextMemoryManager()
        for k, who in enumerate(["Ada", "Bo", "Cy Berg"]):
            memory.add_message("user", f"{who}: I went hiking in the hills.", id=str(k))
        result = memory.recall("Where did Cy Berg go?", budget=300)
        assert max(result.kept, key=lambda k: k.score).doc_id == "2"
        assert "user" not in result.text and memory.messages[2].name == "Cy Berg"

    def test_turns_of_another_session_are_no_neighbours(self):
        def score(sessions: tuple[int, int]) -> float:
            memory = ContextMemoryManager()
            memory.add_message("user", "Which colour is the harbour lighthouse?", id="q", session=sessions[0])
            memory.add_message("user", "Red and white.", id="a", session=sessions[1])
            memory.add_message("user", "Soup is ready.", id="x", session=sessions[1])
            result = memory.recall("harbour lighthouse", budget=200)
            return next(k.score for k in (*result.kept, *result.dropped) if k.doc_id == "a")

        assert score((1, 1)) > score((1, 2))

    def test_the_message_that_asks_is_not_its_own_evidence(self, talk):
        memory = conversation(6)
        memory.add_message("user", "Which instrument?", id="now")
        assert "now" not in [k.doc_id for k in memory.recall("Which instrument?", budget=300).kept]

    def test_nothing_to_recall_is_an_empty_pack(self):
        memory = ContextMemoryManager()
        memory.add_message("system", "Be kind.")
        assert memory.recall("anything").notes == ("nothing to pack: no documents were given",)
        with pytest.raises(InputError, match="empty"):
            conversation(1).recall("  ")
        with pytest.raises(InputError, match="budget"):
            conversation(1).recall("x", budget=0)


class TestContext:
    @pytest.mark.parametrize("strategy", ["field", "window", "summary"])
    @pytest.mark.parametrize("budget", [12, 40, 120, 400])
    def test_never_over_the_budget_and_the_system_message_is_first(self, strategy, budget):
        memory = conversation(30, history_budget=budget)
        context = memory.get_context("the cello", strategy=strategy)
        assert COUNT(render(context)) <= budget
        assert context[0] == {"role": "system", "content": "You are a patient assistant."}

    def test_field_recalls_what_the_window_has_lost(self):
        memory = ContextMemoryManager(history_budget=150)
        memory.add_message("user", "My passport number is X4471 and it is in the blue drawer.", id="old")
        for k in range(60):
            memory.add_message("user" if k % 2 else "assistant", f"Small talk about the weather, part {k}.")
        wanted = "passport"
        assert not any(wanted in m["content"] for m in memory.get_context("Where is my passport?", strategy="window"))
        context = memory.get_context("Where is my passport?")
        assert any(wanted in m["content"] for m in context)
        assert context[-1]["content"].endswith("part 59.")  # the recent window is there too

    def test_the_last_user_message_is_the_query(self):
        memory = conversation(30, history_budget=150)
        memory.add_message("user", "Remind me, which instrument does your sister play?")
        assert any("cello" in str(m["content"]) for m in memory.get_context())

    def test_a_long_turn_is_quoted_by_its_paragraphs(self):
        memory = ContextMemoryManager(history_budget=120)
        paragraphs = [f"Chapter {k} is about the trade in salt and wool, told at length." for k in range(20)]
        paragraphs[7] = "The lighthouse keeper was called Tormod Vik."
        memory.add_message("assistant", "\n\n".join(paragraphs), id="long")
        for k in range(12):
            memory.add_message("user", f"Noted, item {k}.")
        quoted = [
            m["content"] for m in memory.get_context("Who was the lighthouse keeper?") if m["role"] == "assistant"
        ]
        assert quoted and "Tormod Vik" in quoted[0] and len(quoted[0]) < 600

    def test_system_messages_that_do_not_fit_are_an_error_with_the_numbers(self):
        memory = conversation(2, history_budget=5)
        with pytest.raises(BudgetError) as caught:
            memory.get_context()
        assert caught.value.budget == 5 and caught.value.needed == COUNT("system: You are a patient assistant.")

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(60, 400), st.sampled_from(["field", "window", "summary"]))
    def test_tools_are_never_orphaned(self, seed, budget, strategy):
        rng = random.Random(seed)
        memory = ContextMemoryManager(history_budget=budget)
        memory.add_message("system", "Use tools.")
        for k in range(rng.randint(1, 14)):
            memory.add_message("user", f"How is the weather in town {k}?")
            calls = [f"c{k}-{i}" for i in range(rng.randint(0, 2))]
            if calls:
                memory.add_message("assistant", None, tool_calls=[{**CALL, "id": c} for c in calls])
                for c in calls:
                    memory.add_message("tool", f"Rain, {rng.randint(1, 30)} degrees", tool_call_id=c)
            memory.add_message("assistant", f"Town {k} is wet.")
        context = memory.get_context("Which town is wet?", strategy=strategy)
        assert valid(context) and COUNT(render(context)) <= budget and context[0]["role"] == "system"

    def test_a_call_without_its_result_waits_outside(self):
        memory = ContextMemoryManager()
        memory.add_message("user", "Weather?")
        memory.add_message("assistant", None, tool_calls=[CALL])
        assert len(memory.get_context()) == 1
        memory.add_message("tool", "Sun", tool_call_id="c1")
        assert len(memory.get_context()) == 3

    def test_a_tool_result_without_its_call_is_refused(self):
        with pytest.raises(InputError, match="no call"):
            ContextMemoryManager().add_message("tool", "Sun", tool_call_id="c9")

    def test_anthropic_blocks_belong_together_as_well(self):
        memory = ContextMemoryManager()
        memory.add_message("assistant", [{"type": "tool_use", "id": "t", "name": "f", "input": {}}])
        assert memory.get_context() == []
        memory.add_message("user", [{"type": "tool_result", "tool_use_id": "t", "content": "done"}])
        assert len(memory.get_context()) == 2


class TestWindow:
    def test_as_in_the_design_text(self):
        messages = [{"role": "system", "content": "s"}, *({"role": "user", "content": str(k)} for k in range(20))]
        assert apply_window(messages, 10) == [messages[0], *messages[-9:]]
        assert apply_window(messages[:7], 10) == messages[:7]
        assert apply_window(messages, 1) == messages[:1]

    def test_a_cut_exchange_goes_as_a_whole(self):
        messages = [
            {"role": "system", "content": "s"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "Sun"},
            {"role": "user", "content": "Thanks"},
        ]
        assert apply_window(messages, 3) == [messages[0], messages[3]]
        assert apply_window(messages, 4) == messages

    def test_a_window_holds_at_least_one(self):
        with pytest.raises(InputError, match="window_size"):
            apply_window([{"role": "user", "content": "a"}] * 3, 0)

    def test_size_counts_messages(self):
        memory = conversation(10, window_size=5, history_budget=1000)
        context = memory.get_context(strategy="window")
        assert [m["content"] for m in context] == [m.content for m in (memory.messages[0], *memory.messages[-4:])]


class TestSummary:
    def test_the_default_is_made_of_sentences_that_were_said(self):
        memory = conversation(20, history_budget=150)
        context = memory.get_context(strategy="summary")
        summary = context[1]["content"]
        assert summary.startswith("Summary of previous conversation: ") and len(context) == 5
        said = render(memory.messages)
        sentences = re.split(r"(?<=[.?!])\s+(?:…\s+)?", summary.removeprefix("Summary of previous conversation: "))
        assert len(sentences) > 3 and all(s in said for s in sentences)

    def test_any_function_can_summarise_and_is_held_to_the_budget(self):
        asked: list[str] = []

        def summarizer(prompt: str) -> str:
            asked.append(prompt)
            return "They spoke of many things. " * 200

        memory = conversation(20, history_budget=100, summarizer=summarizer)
        context = memory.get_context(strategy="summary")
        assert asked[0].startswith("Summarize the following conversation") and "user: Did you water" in asked[0]
        assert COUNT(render(context)) <= 100 and "many things" in context[1]["content"]

    def test_a_summarizer_that_returns_no_text_is_named(self):
        memory = conversation(20, history_budget=100, summarizer=lambda prompt: None)
        with pytest.raises(InputError, match="NoneType"):
            memory.get_context(strategy="summary")

    def test_compress_history_replaces_and_summaries_do_not_pile_up(self):
        memory = conversation(30, history_budget=150)
        before = memory.tokens()
        assert memory.compress_history() == memory.tokens() <= 150 < before
        assert [m.summary for m in memory.messages].count(True) == 1 and memory.messages[0].id == "sys"
        for k in range(40):
            memory.add_message("user", f"More about the garden, part {k}.")
        memory.compress_history()
        assert [m.summary for m in memory.messages].count(True) == 1
        assert memory.recall("garden", budget=50).kept
        fits = memory.tokens()
        assert memory.compress_history() == fits

    def test_compression_by_window(self):
        memory = conversation(30, history_budget=100)
        memory.compress_history("window")
        assert memory.messages[0].id == "sys" and memory.messages[-1].id == "a29" and memory.tokens() <= 100
        with pytest.raises(InputError, match="summary"):
            conversation(30, history_budget=50).compress_history("field")


class TestKeys:
    def test_plain_statements(self):
        text = "My name is Anna Berg. I live in Porto and my favourite colour is teal. I'm allergic to nuts.\n"
        text += "Order id: A-17"
        facts = key_facts(text)
        assert facts["name"] == "Anna Berg" and facts["lives in"] == "Porto"
        assert facts["favourite colour"] == "teal" and facts["allergic to"] == "nuts" and facts["Order id"] == "A-17"

    def test_the_same_text_gives_the_same_facts_and_talk_gives_none(self):
        assert key_facts("Well, that was fun. See you!") == {}
        assert key_facts("My name is Bo.") == key_facts("My name is Bo.")

    def test_metadata_is_taken_and_extraction_is_asked_for(self):
        memory = ContextMemoryManager()
        memory.add_message("assistant", "Noted.", metadata={"key_information": {"deadline": "Friday"}})
        assert memory.get_formatted_memory() == "Key information from conversation:\ndeadline: Friday"
        memory.add_message("user", "My name is Bo.")
        assert "name" not in memory.memory
        assert memory.extract_key_information(memory.messages[-1]) == {"name": "Bo"}
        eager = ContextMemoryManager(extract=True)
        eager.add_message("user", "My name is Bo.")
        assert eager.memory == {"name": "Bo"} and eager.get_context()[0]["role"] == "system"

    def test_sentences_of_the_form_the_x_is_y(self):
        assert key_facts("The deadline is Friday.") == {"Deadline": "Friday"}
        memory = ContextMemoryManager()
        assert memory.extract_key_information({"role": "user", "content": "The deadline is Friday."})
        assert memory.extract_key_information("My name is Bo.") == {"name": "Bo"}

    def test_a_model_can_extract(self):
        memory = ContextMemoryManager(summarizer=lambda prompt: "- city: Porto\nnothing here\nage: 40")
        assert memory.extract_key_information("...") == {"city": "Porto", "age": "40"}

    def test_many_facts_take_a_share_of_the_budget_the_latest_first(self):
        memory = conversation(10, history_budget=200)
        for k in range(200):
            memory.memory[f"fact {k}"] = "something of note"
        keys = memory.get_context("cello")[1]["content"]
        assert "fact 199" in keys and "fact 0:" not in keys and COUNT(keys) <= 60

    def test_no_facts_no_text(self):
        assert ContextMemoryManager().get_formatted_memory() == ""


class TestStore:
    def test_round_trip(self, tmp_path: Path):
        memory = conversation(8, history_budget=99, max_messages=500, strategy="window")
        memory.add_message("assistant", None, tool_calls=[CALL])
        memory.add_message("tool", [{"type": "text", "text": "Sun ☀"}], tool_call_id="c1", time="8 May")
        memory.memory["name"] = "Bo"
        memory.save(tmp_path)
        again = ContextMemoryManager.load(tmp_path)
        assert again.messages == memory.messages and again.memory == memory.memory
        assert (again.history_budget, again.max_messages, again.strategy) == (99, 500, "window")
        assert again.recall("cello", budget=60).text == memory.recall("cello", budget=60).text
        assert again.add_message("user", "hello") not in {m.id for m in memory.messages}

    @pytest.mark.parametrize("harm", ["cut", "change", "missing", "version", "head"])
    def test_damage_is_told(self, tmp_path: Path, harm: str):
        conversation(3).save(tmp_path)
        body, head = tmp_path / "messages.jsonl", tmp_path / "memory.json"
        if harm == "cut":
            body.write_bytes(body.read_bytes()[:-20])
        elif harm == "change":
            body.write_bytes(body.read_bytes().replace(b"cello", b"flute"))
        elif harm == "missing":
            body.unlink()
        elif harm == "version":
            head.write_text(json.dumps({**json.loads(head.read_text()), "version": 99}))
        else:
            head.write_text("{")
        with pytest.raises(InputError, match=r"damaged|version 99"):
            ContextMemoryManager.load(tmp_path)

    def test_nothing_there(self, tmp_path: Path):
        with pytest.raises(InputError, match="no memory"):
            ContextMemoryManager.load(tmp_path / "void")

    def test_what_json_cannot_hold_is_named(self, tmp_path: Path):
        memory = ContextMemoryManager()
        memory.add_message("user", "hi", id="bad", thing=object())
        with pytest.raises(InputError, match="'bad'"):
            memory.save(tmp_path)


class TestBounds:
    def test_the_oldest_go_and_the_system_message_stays(self):
        memory = conversation(100, max_messages=50)
        assert len(memory) <= 50 and memory.messages[0].id == "sys" and memory.messages[-1].id == "a99"
        assert memory.evicted == 201 - len(memory)
        assert memory.recall("whales", budget=60).tokens <= 60

    def test_tokens_are_a_bound_too(self):
        memory = conversation(100, max_tokens=300)
        assert sum(m.tokens for m in memory.messages) <= 300 and memory.messages[0].id == "sys"

    def test_exchanges_are_evicted_whole(self):
        memory = ContextMemoryManager(max_messages=10)
        for k in range(12):
            memory.add_message("assistant", None, tool_calls=[{**CALL, "id": f"c{k}"}])
            memory.add_message("tool", "Sun", tool_call_id=f"c{k}")
            assert valid([m.to_dict() for m in memory.messages])


class TestMessages:
    def test_tokens_are_those_of_the_rendering(self, talk):
        assert talk.tokens() == COUNT(render(talk.messages))
        assert render(talk.messages[:2]) == "system: You are a patient assistant.\nuser: " + TALK[0][0]

    def test_content_parts(self):
        parts = [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": "x"}}, "and this"]
        assert text_of(parts) == "Look:\n[image_url]\nand this"
        memory = ContextMemoryManager()
        memory.add_message("user", parts, id="p")
        assert memory.get_context()[0]["content"] == parts
        assert memory.recall("look", budget=50).kept[0].doc_id == "p"

    def test_private_fields_do_not_reach_a_model(self):
        memory = ContextMemoryManager()
        memory.add_message("user", "hi", name="Bo", time="now", session=3, metadata={"a": 1})
        assert memory.get_context() == [{"role": "user", "content": "hi", "name": "Bo"}]

    @pytest.mark.parametrize(
        ("role", "content", "fields"),
        [("", "x", {}), (3, "x", {}), ("user", None, {}), ("user", 4, {}), ("user", [4], {})],
    )
    def test_bad_messages_are_refused(self, role, content, fields):
        with pytest.raises(InputError):
            ContextMemoryManager().add_message(role, content, **fields)

    def test_text_that_no_tokenizer_takes_is_refused_at_once(self):
        memory = ContextMemoryManager()
        with pytest.raises(InputError, match="surrogate"):
            memory.add_message("user", "broken \ud800 text")
        assert len(memory) == 0

    def test_a_last_message_that_does_not_fit_is_quoted(self):
        memory = ContextMemoryManager(history_budget=60)
        memory.add_message("user", "\n\n".join(f"Point {k}: the roof over room {k} leaks." for k in range(40)))
        context = memory.get_context("room 17")
        assert "room 17" in context[0]["content"] and COUNT(render(context)) <= 60

    def test_ids_are_unique_and_made_when_missing(self):
        memory = ContextMemoryManager()
        assert memory.add_message("user", "a", id="m1") == "m1"
        assert memory.add_message("user", "b") == "m2"
        with pytest.raises(InputError, match="m1"):
            memory.add_message("user", "c", id="m1")

    def test_messages_of_an_interface_can_be_added_at_once(self):
        memory = ContextMemoryManager()
        assert memory.add_messages([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]) == [
            "m1",
            "m2",
        ]

    def test_times_in_words(self):
        assert spoken_time("2023-05-08T13:56:00") == spoken_time(date(2023, 5, 8)) == "8 May 2023"
        assert spoken_time(datetime(2023, 5, 8, tzinfo=UTC).timestamp()) == "8 May 2023"
        assert spoken_time("1:56 pm on 8 May") == "1:56 pm on 8 May" and spoken_time(7) == ""
        assert spoken_time(1683504000000) == "8 May 2023" and spoken_time(1e300) == spoken_time(["x"]) == ""

    def test_exchanges(self):
        call = Message("1", "assistant", None, {"tool_calls": [CALL]})
        answer = Message("2", "tool", "Sun", {"tool_call_id": "c1"})
        other = Message("3", "user", "hi")
        assert exchanges([call, other, answer]) == [[call, answer], [other]]
        assert exchanges([answer, other]) == [[other]] and exchanges([call, other]) == [[other]]


class TestSettings:
    def test_a_planner_gives_the_budget_and_hears_of_the_use(self):
        planner = TokenBudgetPlanner(1000)
        memory = conversation(30, history_budget=planner)
        assert memory.history_budget == planner.get_budget("history")
        context = memory.get_context("cello")
        assert planner.get_used("history") == COUNT(render(context)) <= planner.get_budget("history")

    @pytest.mark.parametrize("wrong", [{"strategy": "x"}, {"recent": 2}, {"max_messages": 0}, {"window_size": 1.5}])
    def test_bad_settings(self, wrong):
        with pytest.raises(SettingsError):
            ContextMemoryManager(**wrong)

    def test_a_packer_of_sentences_recalls_as_well(self):
        memory = conversation(6, packer=ContextPacker(unit="sentence"))
        assert "a1" in [k.doc_id for k in memory.recall("sister instrument cello", budget=40).kept]
