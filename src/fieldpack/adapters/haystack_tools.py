"""Haystack: tool output trimmed inside an Agent, as a hook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from fieldpack.adapters._common import missing
from fieldpack.adapters._tool_outputs import Choice, Occasion, ToolOutputs, answer
from fieldpack.errors import SettingsError
from fieldpack.tools.calls import ToolCall
from fieldpack.tools.savings import Savings
from fieldpack.tools.trimmer import ToolTrimmer

try:
    from haystack import default_from_dict, default_to_dict
    from haystack.components.agents.state import State, replace_values
    from haystack.dataclasses import ChatMessage, TextContent, ToolCallResult
    from haystack.tools.tool import Tool
except ModuleNotFoundError as error:
    raise missing(error, "haystack", "haystack-ai", "haystack") from error


class FieldpackToolTrimming:
    """A hook for Agent(hooks={"after_tool": [...]}): the outputs of the tools that just ran, trimmed for the last user
    message. Put `tools` on the agent, so that it can call `expand`.

    The agent's messages hold what the model saw, so that later requests send the same bytes. Images and files are not
    touched.

    trimmer: a ToolTrimmer, or its keyword arguments; `to_dict` needs the latter. skip: names of tools whose outputs
    stay whole. question, conversation: a string, or a function of the agent's State.
    """

    allowed_hook_points = ("after_tool",)

    def __init__(
        self,
        trimmer: ToolTrimmer | Mapping[str, Any] | None = None,
        *,
        skip: Iterable[str] = (),
        question: str | Callable[[State], str] | None = None,
        conversation: str | Callable[[State], str] | None = None,
    ) -> None:
        self._choice = Choice(trimmer, skip if isinstance(skip, str) else tuple(skip), question, conversation)
        self._outputs = ToolOutputs(self._choice)
        self.trimmer = self._outputs.trimmer

    @property
    def savings(self) -> Savings:
        """What was saved until now."""
        return self.trimmer.savings

    @property
    def tools(self) -> list[Tool]:
        """The tool `expand`, for Agent(tools=[...]); none where the trimmer has no store."""
        expand = self._outputs.expand
        if expand is None:
            return []

        async def aexpand(id: str, query: str = "", range: str = "") -> str:
            return await answer(expand, {"id": id, "query": query, "range": range})

        def call(id: str, query: str = "", range: str = "") -> str:
            return expand(id, query, range)

        return [Tool(expand.name, expand.description, expand.parameters, function=call, async_function=aexpand)]

    def run(self, state: State) -> None:
        """Trims the tool messages at the end of state["messages"]."""
        messages = list(state.data.get("messages") or [])
        start = _first_new(messages)
        new = [self._outputs.trimmed(_texts(m), partial(_occasion, m, messages, state)) for m in messages[start:]]
        _write(state, messages, start, new)

    async def run_async(self, state: State) -> None:
        """`run` for an event loop."""
        messages = list(state.data.get("messages") or [])
        start = _first_new(messages)
        new = [
            await self._outputs.atrimmed(_texts(m), partial(_occasion, m, messages, state)) for m in messages[start:]
        ]
        _write(state, messages, start, new)

    def to_dict(self) -> dict[str, Any]:
        """For a pipeline's YAML. Raises SettingsError for what it cannot hold: a ToolTrimmer, functions."""
        c = self._choice
        if isinstance(c.trimmer, ToolTrimmer) or callable(c.question) or callable(c.conversation):
            raise SettingsError("to_dict needs keyword arguments as trimmer, and question and conversation as strings")
        out: dict[str, Any] = default_to_dict(
            self,
            trimmer=dict(c.trimmer or {}),
            skip=list(c.skip),
            question=c.question,
            conversation=c.conversation,
        )
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> FieldpackToolTrimming:
        """What `to_dict` gave."""
        made: FieldpackToolTrimming = default_from_dict(cls, data)
        return made


def _first_new(messages: Sequence[ChatMessage]) -> int:
    """Where the tool messages at the end begin."""
    at = len(messages)
    while at and messages[at - 1].tool_call_result is not None:
        at -= 1
    return at


def _result(message: ChatMessage) -> ToolCallResult:
    """Of a tool message."""
    result = message.tool_call_result
    assert result is not None
    return result


def _texts(message: ChatMessage) -> Any:
    """A result as `trim` takes it: its text, or its texts as blocks."""
    result = _result(message).result
    if not isinstance(result, Sequence) or isinstance(result, str):
        return result
    return [{"type": "text", "text": part.text} for part in result if isinstance(part, TextContent)]


def _occasion(message: ChatMessage, messages: Sequence[ChatMessage], state: State) -> Occasion | None:
    result = _result(message)
    if not result.result:
        return None
    call = result.origin
    named = ToolCall(call.tool_name, call.arguments or {}, call.id or "", True if result.error else None)
    asked = [m.text for m in messages if m.is_from("user") and m.text]
    return Occasion(asked[-1] if asked else "", named, "", state)


def _write(state: State, messages: list[ChatMessage], start: int, new: Sequence[Any]) -> None:
    """The messages back into the state, where one changed."""
    old = [_texts(m) for m in messages[start:]]
    if list(new) == old:
        return
    for at, (shown, given) in enumerate(zip(new, old, strict=True), start):
        if shown != given:
            messages[at] = _with(messages[at], shown)
    state.set(key="messages", value=messages, handler_override=replace_values)


def _with(message: ChatMessage, shown: Any) -> ChatMessage:
    result = _result(message)
    content = shown
    if not isinstance(shown, str):
        texts = iter(shown)
        content = [
            TextContent(text=next(texts)["text"]) if isinstance(part, TextContent) else part for part in result.result
        ]
    return ChatMessage.from_tool(content, origin=result.origin, error=result.error, meta=dict(message.meta))
