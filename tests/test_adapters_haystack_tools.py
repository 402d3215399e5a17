"""Tool trimming in agents of the real haystack package."""

import framework_cases as cases
import pytest
from agent_contract import LOG, AgentContract
from haystack.components.agents.state.state import State
from haystack.dataclasses import ChatMessage, ImageContent, TextContent, ToolCall

from fieldpack.adapters.haystack_tools import FieldpackToolTrimming
from fieldpack.errors import SettingsError
from fieldpack.tools import ToolTrimmer

ASKED = ChatMessage.from_user("Why did job 413 fail?")


class TestHaystack(AgentContract):
    framework = "haystack"


def state(*results, before=()):
    origins = [ToolCall("read", {"source": "jobs"}, f"call_{i}") for i in range(len(results))]
    tools = [ChatMessage.from_tool(r, origin=o, meta={"a": 1}) for r, o in zip(results, origins, strict=True)]
    return State(schema={"messages": {"type": list[ChatMessage]}}, data={"messages": [*before, ASKED, *tools]})


def test_only_the_results_of_this_step_change():
    earlier = ChatMessage.from_tool(LOG, origin=ToolCall("read", {}, "old"))
    given = state(LOG, "short", before=[earlier])
    FieldpackToolTrimming({"budget": 200}).run(given)
    old, asked, shown, short = given.get("messages")
    assert old == earlier and asked == ASKED and short.tool_call_result.result == "short"
    assert "413" in shown.tool_call_result.result and len(shown.tool_call_result.result) < 1_000
    assert shown.meta == {"a": 1} and shown.tool_call_result.origin.id == "call_0"


def test_of_several_contents_only_the_texts_change():
    image = ImageContent(base64_image="AAAA", mime_type="image/png", validation=False)
    given = state([TextContent(LOG), image])
    FieldpackToolTrimming({"budget": 200}).run(given)
    text, other = given.get("messages")[-1].tool_call_result.result
    assert other == image and "413" in text.text and len(text.text) < 1_000


def test_the_hook_goes_to_a_dict_and_back():
    hook = FieldpackToolTrimming({"budget": 200}, skip=["grep"], question="job 77")
    again = FieldpackToolTrimming.from_dict(hook.to_dict())
    assert again.to_dict() == hook.to_dict() and again.trimmer.settings.budget == 200
    given = state(LOG)
    again.run(given)
    assert "job 77" in given.get("messages")[-1].tool_call_result.result
    with pytest.raises(SettingsError, match="keyword arguments"):
        FieldpackToolTrimming(ToolTrimmer()).to_dict()


def test_the_code_of_the_docs_runs():
    cases.run_docs("Haystack", "agents.md")
