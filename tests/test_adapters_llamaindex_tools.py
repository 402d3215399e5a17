"""Tool trimming in agent workflows of the real llama-index-core package."""

import asyncio

import framework_cases as cases
import pytest
from agent_contract import LOG, AgentContract
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context

from fieldpack.adapters.llamaindex_tools import FieldpackToolTrimming


class TestLlamaIndex(AgentContract):
    framework = "llamaindex"


def wrapped(function, **trimming):
    return FieldpackToolTrimming({"budget": 200}, **trimming).tools([function])


def test_a_wrapped_tool_has_the_name_the_schema_and_the_whole_raw_output_of_the_tool():
    def read(source: str) -> str:
        """Reads a source."""
        return LOG

    tool, expand = wrapped(read, question="Why did job 413 fail?")
    inner = FunctionTool.from_defaults(read)
    assert tool.metadata.to_openai_tool() == inner.metadata.to_openai_tool()
    assert expand.metadata.get_name() == "expand" and "query" in str(expand.metadata.get_parameters_dict())
    for output in (tool.call(source="jobs"), asyncio.run(tool.acall(source="jobs")), tool(source="jobs")):
        assert output.raw_output == LOG and "413" in output.content and len(output.content) < 1_000
    assert "no output with the id" in expand.call(id="0").content


def test_a_tool_that_takes_the_context_gets_it():
    seen = []

    async def read(context: Context, source: str) -> str:
        seen.append((context, source))
        return "short"

    (tool, _) = wrapped(read)
    context = Context.__new__(Context)
    output = asyncio.run(tool.acall(source="jobs", **{tool.ctx_param_name: context}))
    assert output.content == "short" and seen == [(context, "jobs")]


def test_a_tool_that_raises_raises_and_images_stay():
    def fails():
        raise ValueError("no")

    def read() -> list:
        return [TextBlock(text=LOG), ImageBlock(image=b"AAAA")]

    (tool, other, _) = FieldpackToolTrimming({"budget": 200}, question="job 77").tools([fails, read])
    with pytest.raises(ValueError, match="no"):
        tool.call()
    text, image = other.call().blocks
    assert isinstance(image, ImageBlock) and "job 77" in text.text and len(text.text) < 1_000


def test_the_code_of_the_docs_runs():
    cases.run_docs("LlamaIndex", "agents.md")
