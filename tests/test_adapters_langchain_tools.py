"""Tool trimming in agents of the real langchain package, on LangGraph."""

import asyncio

import framework_cases as cases
import pytest
from agent_contract import LOG, AgentContract, check_value, rows_of_values, tools_of
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt.tool_node import ToolCallRequest, ToolNode
from langgraph.types import Command

from fieldpack.adapters.langchain_tools import FieldpackToolTrimming
from fieldpack.errors import InputError, SettingsError

CALL = {"name": "read", "args": {"source": "jobs"}, "id": "call_1"}
STATE = {"messages": [HumanMessage("Why did job 413 fail?")]}


@tool
def read(source: str) -> str:
    """Reads a source."""
    return LOG


class TestLangChain(AgentContract):
    framework = "langchain"

    def test_a_json_value_stays_json(self):
        script = self.talk(
            {"trimmer": {"budget": 200}},
            ["Which jobs failed?"],
            lambda source: rows_of_values(),
            wanted={"Which jobs failed?": "rows"},
        )
        check_value(tools_of(script.requests[-1])[0])


class Runtime:
    config = {"configurable": {"thread_id": "thread"}}  # noqa: RUF012


def request(state=STATE, runtime=None):
    return ToolCallRequest(tool_call=CALL, tool=None, state=state, runtime=runtime)


def test_a_command_has_its_tool_messages_trimmed_and_the_rest_untouched():
    other = HumanMessage("hello")
    message = ToolMessage(LOG, tool_call_id="call_1", artifact={"whole": LOG})
    command = Command(update={"messages": [other, message], "files": ["a"]}, goto="next")
    result = FieldpackToolTrimming({"budget": 200}).wrap_tool_call(request(), lambda r: command)
    assert (result.goto, result.update["files"], result.update["messages"][0]) == ("next", ["a"], other)
    shown = result.update["messages"][1]
    assert "413" in shown.content and len(shown.content) < 1_000
    assert shown.artifact == {"whole": LOG} and message.content == LOG
    bare = Command(goto="next")
    assert FieldpackToolTrimming().wrap_tool_call(request(), lambda r: bare) is bare


def test_of_content_blocks_only_the_texts_change():
    image = {"type": "image", "source_type": "base64", "data": "AAAA", "mime_type": "image/png"}
    message = ToolMessage([{"type": "text", "text": LOG}, image], tool_call_id="call_1")
    shown = FieldpackToolTrimming({"budget": 200}).wrap_tool_call(request(), lambda r: message)
    assert shown.content[1] == image and "413" in shown.content[0]["text"] and len(shown.content[0]["text"]) < 1_000


def test_a_step_that_runs_again_is_decided_as_before():
    trimming = FieldpackToolTrimming({"budget": 200})
    message = ToolMessage(LOG, tool_call_id="call_1")
    first = trimming.wrap_tool_call(request(runtime=Runtime), lambda r: message)
    later = {"messages": [*STATE["messages"], HumanMessage("And job 77?")]}
    assert trimming.wrap_tool_call(request(later, Runtime), lambda r: message).content == first.content
    assert trimming.savings.replayed == 1


def test_the_errors_of_a_tool_that_failed_stay():
    text = (
        LOG.replace("failed", "ended") + "\nTraceback (most recent call last):\nValueError: no such table\n" + "x\n" * 5
    )
    message = ToolMessage(text, tool_call_id="call_1", status="error")
    shown = FieldpackToolTrimming({"budget": 120}).wrap_tool_call(request(), lambda r: message)
    assert "ValueError: no such table" in shown.content and shown.status == "error"


def test_a_tool_node_of_a_graph_of_ones_own_takes_it():
    trimming = FieldpackToolTrimming({"budget": 200})
    node = ToolNode([read], wrap_tool_call=trimming.wrap_tool_call, awrap_tool_call=trimming.awrap_tool_call)
    graph = StateGraph(MessagesState).add_node("tools", node).add_edge(START, "tools").compile()
    given = {"messages": [*STATE["messages"], AIMessage("", tool_calls=[CALL])]}
    for state in (graph.invoke(given), asyncio.run(graph.ainvoke(given))):
        shown = state["messages"][-1].content
        assert "413" in shown and len(shown) < 1_000


def test_settings_that_are_none_are_refused():
    with pytest.raises(InputError, match="give a ToolTrimmer"):
        FieldpackToolTrimming(3)
    with pytest.raises(SettingsError, match="unknown setting"):
        FieldpackToolTrimming({"bugdet": 3})
    with pytest.raises(InputError, match="give a list"):
        FieldpackToolTrimming(skip="read")


def test_the_code_of_the_docs_runs():
    cases.run_docs("LangChain, LangGraph, deepagents", "agents.md")
