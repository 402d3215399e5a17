"""Tool trimming in a runner of the real google-adk package."""

import asyncio

import framework_cases as cases
from agent_contract import AgentContract, check_value, rows_of_values, tools_of
from google.adk.models import LlmRequest

from fieldpack.adapters.adk import FieldpackToolTrimming


class TestADK(AgentContract):
    framework = "adk"

    def test_a_json_value_stays_json(self):
        question = "Which jobs failed?"
        script = self.talk(
            {"trimmer": {"budget": 200}}, [question], lambda source: rows_of_values(), wanted={question: "rows"}
        )
        check_value(tools_of(script.requests[-1])[0])


def test_a_request_without_tools_gets_none():
    request = LlmRequest()
    asyncio.run(FieldpackToolTrimming().before_model_callback(callback_context=None, llm_request=request))
    assert not request.tools_dict and not request.config.tools


def test_the_code_of_the_docs_runs():
    cases.run_docs("Google ADK", "agents.md")
