"""Tool trimming in the runner of the real openai-agents package."""

import asyncio

import framework_cases as cases
from agent_contract import LOG, WANTED, AgentContract
from agents import Agent
from agents.run import CallModelData, ModelInputData

from fieldpack.adapters.openai_agents import FieldpackToolTrimming
from fieldpack.tools import SqliteStore


class TestOpenAIAgents(AgentContract):
    framework = "openai_agents"


def history(first="Why did job 413 fail?"):
    return [
        {"role": "user", "content": [{"type": "input_text", "text": first}]},
        {"type": "function_call", "name": "read", "arguments": '{"source": "jobs"}', "call_id": "call_1"},
        {"type": "function_call_output", "call_id": "call_1", "output": LOG},
    ]


def filtered(trimming, items):
    data = CallModelData(ModelInputData(list(items), "be brief"), Agent(name="a"), None)
    result = asyncio.run(trimming(data))
    assert result.instructions == "be brief"
    return result.input


def test_only_outputs_change_and_the_items_of_the_session_stay():
    items = history()
    shown = filtered(FieldpackToolTrimming({"budget": 200}), items)
    assert shown[:2] == items[:2] and items[2]["output"] == LOG
    assert {**shown[2], "output": LOG} == items[2] and "413" in shown[2]["output"]


def test_an_output_is_trimmed_for_the_message_before_it_whatever_is_asked_later():
    trimming = FieldpackToolTrimming({"budget": 200})
    first = filtered(trimming, history())
    later = [*history(), {"role": "assistant", "content": "full"}, {"role": "user", "content": list(WANTED)[1]}]
    assert filtered(trimming, later)[2] == first[2]
    assert filtered(FieldpackToolTrimming({"budget": 200}), later)[2] == first[2], "a new process decides the same"
    assert filtered(trimming, history("How long did job 77 take?"))[2] != first[2], "another conversation is another"


def test_a_decision_outlives_the_process_and_a_change_of_settings(tmp_path):
    first = filtered(FieldpackToolTrimming({"budget": 200, "store": SqliteStore(tmp_path / "a.db")}), history())
    again = filtered(FieldpackToolTrimming({"budget": 900, "store": SqliteStore(tmp_path / "a.db")}), history())
    assert again == first


def test_of_a_list_of_contents_only_the_texts_change():
    image = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    items = history()
    items[2] = {**items[2], "output": [{"type": "input_text", "text": LOG}, image]}
    shown = filtered(FieldpackToolTrimming({"budget": 200}), items)[2]["output"]
    assert shown[1] == image and shown[0]["type"] == "input_text" and len(shown[0]["text"]) < 1_000


def test_without_a_user_message_the_call_is_the_query_and_without_both_nothing_changes():
    call, output = history()[1:]
    named = {**call, "arguments": '{"job": "job 77"}'}
    assert "job 77" in filtered(FieldpackToolTrimming({"budget": 200}), [named, output])[1]["output"]
    assert filtered(FieldpackToolTrimming({"budget": 200}), [output]) == [output]


def test_the_code_of_the_docs_runs():
    cases.run_docs("OpenAI Agents SDK", "agents.md")
