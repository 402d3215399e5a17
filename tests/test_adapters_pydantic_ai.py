"""Tool trimming in agents of the real pydantic-ai package."""

import asyncio

import framework_cases as cases
import pydantic
import pytest
from agent_contract import LOG, AgentContract, check_value, rows_of_values, tools_of
from pydantic_ai import Agent, BinaryContent, ToolReturn
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import FunctionModel

from fieldpack.adapters.pydantic_ai import FieldpackToolTrimming

QUESTION = "Why did job 413 fail?"


class TestPydanticAI(AgentContract):
    framework = "pydantic_ai"

    @pytest.mark.parametrize("kind", [dict, pydantic.create_model("Table", rows=(list[dict], ...)).model_validate])
    def test_a_value_goes_out_as_its_json(self, kind):
        question = "Which jobs failed?"
        script = self.talk(
            {"trimmer": {"budget": 200}}, [question], lambda source: kind(rows_of_values()), wanted={question: "rows"}
        )
        check_value(tools_of(script.requests[-1])[0])

    def test_the_history_keeps_whole_outputs_when_it_is_asked_to(self):
        trimmed, kept = (self.talk({"trimmer": {"budget": 200}, "keep_history": k}) for k in (False, True))
        assert trimmed.requests == kept.requests


def run(value, capability, history=()):
    """The run's last request and its whole history."""
    seen = []

    def model(messages, info):
        seen.append(messages)
        if value is not None and not returned(messages):
            return ModelResponse([ToolCallPart("read", {}, tool_call_id="call_9")])
        return ModelResponse([TextPart("done")])

    agent = Agent(FunctionModel(model), capabilities=[capability])

    @agent.tool_plain
    def read():
        return value

    result = asyncio.run(agent.run(QUESTION, message_history=list(history)))
    return seen[-1], result.all_messages()


def returned(messages):
    return [p for m in messages for p in m.parts if isinstance(p, ToolReturnPart)]


def test_keep_history_keeps_it():
    sent, history = run(LOG, FieldpackToolTrimming({"budget": 200}, keep_history=True))
    assert returned(history)[0].content == LOG and len(returned(sent)[0].content) < 1_000
    _, history = run(LOG, FieldpackToolTrimming({"budget": 200}))
    assert len(returned(history)[0].content) < 1_000


def test_a_history_that_came_in_whole_is_trimmed_in_requests_for_its_own_question():
    history = [
        ModelRequest([UserPromptPart("How long did job 77 take?")]),
        ModelResponse([ToolCallPart("read", {}, tool_call_id="call_1")]),
        ModelRequest([ToolReturnPart("read", LOG, "call_1")]),
        ModelResponse([TextPart("37 s")]),
    ]
    sent, kept = run(None, FieldpackToolTrimming({"budget": 200}), history)
    (part,) = returned(sent)
    assert "job 77" in part.content and len(part.content) < 1_000
    assert returned(kept)[0].content == LOG and history[2].parts[0].content == LOG


def test_files_and_the_side_content_of_an_output_are_not_touched():
    image = BinaryContent(b"\x89PNG", media_type="image/png")
    sent, _ = run(ToolReturn([LOG, image], content="beside", metadata={"a": 1}), FieldpackToolTrimming({"budget": 200}))
    (part,) = returned(sent)
    text, file = part.content
    assert file == image and "413" in text and len(text) < 1_000
    assert part.metadata == {"a": 1}
    assert "beside" in [p.content for m in sent for p in m.parts if isinstance(p, UserPromptPart)]


def test_the_side_content_of_a_tool_is_no_question():
    capability = FieldpackToolTrimming({"budget": 200}, keep_history=True)
    history = run(ToolReturn(LOG, content="How long did job 77 take?"), capability)[1]
    later = [
        *history,
        ModelResponse([ToolCallPart("read", {}, tool_call_id="b")]),
        ModelRequest([ToolReturnPart("read", LOG, "b")]),
    ]
    sent, _ = run(None, capability, [*later, ModelResponse([TextPart("done")])])
    assert all("413" in p.content and "job 77 " not in p.content for p in returned(sent))


def test_what_has_no_json_form_goes_out_as_it_came():
    capability = FieldpackToolTrimming({"budget": 16, "threshold": 0})
    image = BinaryContent(b"\x89PNG", media_type="image/png")
    sent, _ = run(image, capability)
    assert returned(sent)[0].content == image


def test_the_code_of_the_docs_runs():
    cases.run_docs("Pydantic AI", "agents.md")
