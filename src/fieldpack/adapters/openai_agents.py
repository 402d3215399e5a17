"""OpenAI Agents SDK: tool output trimmed in the input of each model call."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from fieldpack.adapters._common import missing
from fieldpack.adapters._tool_outputs import Choice, Occasion, ToolOutputs, answer, name_of, text_of
from fieldpack.tools.calls import ToolCall
from fieldpack.tools.savings import Savings
from fieldpack.tools.trimmer import ToolTrimmer

try:
    from agents import FunctionTool
    from agents.run import CallModelData, ModelInputData
except ModuleNotFoundError as error:
    raise missing(error, "agents", "openai-agents", "openai-agents") from error

_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_CALLS = ("function_call", "custom_tool_call")


class FieldpackToolTrimming:
    """A filter for RunConfig(call_model_input_filter=...): each output of a function in the input of a model call,
    trimmed for the user message before it. The session keeps the whole outputs. Put `tools` on the agent, so that it
    can call `expand`.

    An output is decided once: by its call and the user messages before it, so that a longer history sends the same
    bytes for what it sent before. Where the server keeps the conversation, the input of a later call may hold no user
    message; then the query is the call's name and arguments, or `question`. Images and files are not touched.

    trimmer: a ToolTrimmer, or its keyword arguments. skip: names of tools whose outputs stay whole. question,
    conversation: a string, or a function of the CallModelData.
    """

    def __init__(
        self,
        trimmer: ToolTrimmer | Mapping[str, Any] | None = None,
        *,
        skip: Iterable[str] = (),
        question: str | Callable[[CallModelData[Any]], str] | None = None,
        conversation: str | Callable[[CallModelData[Any]], str] | None = None,
    ) -> None:
        self._outputs = ToolOutputs(Choice(trimmer, skip, question, conversation))
        self.trimmer = self._outputs.trimmer

    @property
    def savings(self) -> Savings:
        """What was saved until now."""
        return self.trimmer.savings

    @property
    def tools(self) -> list[FunctionTool]:
        """The tool `expand`, for Agent(tools=[...]); none where the trimmer has no store."""
        expand = self._outputs.expand
        if expand is None:
            return []

        async def invoke(_context: Any, arguments: str) -> str:
            return await answer(expand, _parsed(arguments))

        tool = FunctionTool(
            name=expand.name,
            description=expand.description,
            params_json_schema=expand.parameters,
            on_invoke_tool=invoke,
            strict_json_schema=False,
        )
        return [tool]

    async def __call__(self, data: CallModelData[Any]) -> ModelInputData:
        """The input with trimmed outputs."""
        if not isinstance(data.model_data.input, list):
            return data.model_data
        items: list[Any] = list(data.model_data.input)
        calls: dict[str, Mapping[str, Any]] = {}
        questions: list[str] = []
        for at, item in enumerate(items):
            if not isinstance(item, Mapping):
                continue
            if item.get("role") == "user" and (text := text_of(item.get("content"))):
                questions.append(text)
            elif item.get("type") in _CALLS:
                calls[str(item.get("call_id"))] = item
            elif item.get("type") in _OUTPUTS:
                read = partial(_occasion, data, item, calls, tuple(questions))
                shown = await self._outputs.atrimmed(item.get("output"), read)
                items[at] = item if shown is item.get("output") else {**item, "output": shown}
        return ModelInputData(input=items, instructions=data.model_data.instructions)


def _occasion(
    data: CallModelData[Any],
    item: Mapping[str, Any],
    calls: Mapping[str, Mapping[str, Any]],
    questions: tuple[str, ...],
) -> Occasion | None:
    call_id = str(item.get("call_id"))
    call = calls.get(call_id, {})
    arguments = _parsed(call.get("arguments", call.get("input")))
    named = ToolCall(str(call.get("name") or ""), arguments, call_id)
    if not item.get("output"):
        return None
    return Occasion(questions[-1] if questions else "", named, name_of(questions) if questions else call_id, data)


def _parsed(arguments: Any) -> Mapping[str, Any]:
    try:
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        value = {"input": arguments}
    return value if isinstance(value, Mapping) else {}
