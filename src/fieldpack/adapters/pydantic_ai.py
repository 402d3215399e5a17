"""Pydantic AI: tool output trimmed inside an agent, as a capability."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fieldpack.adapters._common import missing
from fieldpack.adapters._tool_outputs import Choice, Occasion, ToolOutputs, answer, text_of
from fieldpack.telemetry import log
from fieldpack.tools.calls import ToolCall
from fieldpack.tools.savings import Savings
from fieldpack.tools.trimmer import ToolTrimmer

try:
    from pydantic_ai import FunctionToolset, RunContext, Tool, ToolReturn
    from pydantic_ai.capabilities import AbstractCapability
    from pydantic_ai.messages import (
        ModelMessage,
        ModelRequest,
        ToolCallPart,
        ToolReturnPart,
        UserPromptPart,
        is_multi_modal_content,
    )
    from pydantic_ai.models import ModelRequestContext
    from pydantic_ai.tools import ToolDefinition
    from pydantic_core import to_jsonable_python
except ModuleNotFoundError as error:
    raise missing(error, "pydantic_ai", "pydantic-ai-slim", "pydantic-ai") from error


class FieldpackToolTrimming(AbstractCapability[Any]):
    """A capability for Agent(capabilities=[...]): the output of each tool, trimmed for the last user prompt. It offers
    the tool `expand`, unless its trimmer has no store.

    An output is trimmed as the tool gives it, so that the history holds what the model saw; of a history that came in
    whole, the requests hold the trimmed outputs. What was decided in a conversation (conversation_id) stands. Files in
    an output, and the content of a ToolReturn beside its value, are not touched.

    trimmer: a ToolTrimmer, or its keyword arguments. skip: names of tools whose outputs stay whole. question,
    conversation: a string, or a function of the RunContext. keep_history: whether the history keeps whole outputs,
    and only the requests hold the trimmed ones.
    """

    def __init__(
        self,
        trimmer: ToolTrimmer | Mapping[str, Any] | None = None,
        *,
        skip: Iterable[str] = (),
        question: str | Callable[[RunContext[Any]], str] | None = None,
        conversation: str | Callable[[RunContext[Any]], str] | None = None,
        keep_history: bool = False,
    ) -> None:
        self._outputs = ToolOutputs(Choice(trimmer, skip, question, conversation))
        self.trimmer = self._outputs.trimmer
        self.keep_history = keep_history

    @property
    def savings(self) -> Savings:
        """What was saved until now."""
        return self.trimmer.savings

    async def after_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: Any,
        result: Any,
    ) -> Any:
        """The result trimmed; unchanged with keep_history."""
        if self.keep_history:
            return result
        value = result.return_value if isinstance(result, ToolReturn) else result
        shown = await self._shown(value, partial(_occasion, ctx, _question(ctx.messages), call, None))
        if shown is value:
            return result
        return replace(result, return_value=shown) if isinstance(result, ToolReturn) else shown

    async def before_model_request(
        self, ctx: RunContext[Any], request_context: ModelRequestContext
    ) -> ModelRequestContext:
        """The request with all outputs in its messages trimmed, each for the user prompt before it."""
        messages = list(request_context.messages)
        calls = {p.tool_call_id: p for m in messages for p in m.parts if isinstance(p, ToolCallPart)}
        for at, message in enumerate(messages):
            if isinstance(message, ModelRequest) and any(isinstance(p, ToolReturnPart) for p in message.parts):
                question = _question(messages[:at])
                parts = [await self._part(ctx, p, question, calls) for p in message.parts]
                if any(new is not old for new, old in zip(parts, message.parts, strict=True)):
                    messages[at] = replace(message, parts=parts)
        changed = any(new is not old for new, old in zip(messages, request_context.messages, strict=True))
        return replace(request_context, messages=messages) if changed else request_context

    def get_toolset(self) -> FunctionToolset[Any] | None:
        """The tool `expand`."""
        expand = self._outputs.expand
        if expand is None:
            return None

        async def rest(**arguments: Any) -> str:
            return await answer(expand, arguments)

        return FunctionToolset([Tool.from_schema(rest, expand.name, expand.description, expand.parameters)])

    async def _part(self, ctx: RunContext[Any], part: Any, question: str, calls: Mapping[str, ToolCallPart]) -> Any:
        if not isinstance(part, ToolReturnPart):
            return part
        call = calls.get(part.tool_call_id) or ToolCallPart(part.tool_name, {}, tool_call_id=part.tool_call_id)
        failed = True if part.outcome == "failed" else None
        shown = await self._shown(part.content, partial(_occasion, ctx, question, call, failed))
        return part if shown is part.content else replace(part, content=shown)

    async def _shown(self, value: Any, read: Callable[[], Occasion]) -> Any:
        """The value as it goes to the model: of texts and files the texts trimmed, else its JSON form."""
        try:
            files = isinstance(value, list) and any(is_multi_modal_content(v) for v in value)
            if is_multi_modal_content(value) or value is None:
                return value
            given = _blocks(value) if files else value if isinstance(value, str) else to_jsonable_python(value)
        except Exception as error:
            log.warning("tool output unchanged: %s: %s", type(error).__name__, error)
            return value
        shown = await self._outputs.atrimmed(given, read)
        if shown is given:
            return value
        return _unblocked(value, shown) if files else shown


def _blocks(values: Sequence[Any]) -> list[dict[str, str]]:
    return [{"type": "text", "text": v} for v in values if isinstance(v, str)]


def _unblocked(values: Sequence[Any], blocks: Sequence[Mapping[str, str]]) -> list[Any]:
    texts = iter(blocks)
    return [next(texts)["text"] if isinstance(v, str) else v for v in values]


def _occasion(ctx: RunContext[Any], question: str, call: ToolCallPart, failed: bool | None) -> Occasion:
    named = ToolCall(call.tool_name, call.args_as_dict(), call.tool_call_id, failed)
    return Occasion(question or text_of(ctx.prompt), named, ctx.conversation_id or "", ctx)


def _question(messages: Sequence[ModelMessage]) -> str:
    """The last user prompt of the messages. One beside a tool's return may be of the tool (`ToolReturn.content`), and a
    tool's text is data: it is no question."""
    for message in reversed(messages):
        own = [] if any(isinstance(p, ToolReturnPart) for p in message.parts) else message.parts
        for part in reversed(own):
            if isinstance(part, UserPromptPart) and (text := text_of(part.content)):
                return text
    return ""
