"""LangChain, LangGraph, deepagents: tool output trimmed inside an agent, built on the langchain package."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fieldpack.adapters._common import missing
from fieldpack.adapters._tool_outputs import Choice, Occasion, ToolOutputs, answer, text_of
from fieldpack.tools.calls import ToolCall
from fieldpack.tools.handle import ExpandTool
from fieldpack.tools.savings import Savings
from fieldpack.tools.trimmer import ToolTrimmer

try:
    from langchain.agents.middleware import AgentMiddleware
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_core.tools import BaseTool, StructuredTool
    from langgraph.prebuilt.tool_node import ToolCallRequest
    from langgraph.types import Command
except ModuleNotFoundError as error:
    raise missing(error, "langchain", "langchain", "agents") from error


class FieldpackToolTrimming(AgentMiddleware[Any, Any]):
    """A middleware for create_agent: the output of each tool, trimmed for the last human message before it goes into
    the agent's state. It offers the tool `expand`, unless its trimmer has no store.

    What went into the state stays as it is, so that later requests send the same bytes; a step that is run again (a
    resumed checkpoint) is decided as before where the run has a thread_id. Images and artifacts are not touched.

    trimmer: a ToolTrimmer, or its keyword arguments. skip: names of tools whose outputs stay whole. question,
    conversation: a string, or a function of the ToolCallRequest; default: the last human message, the thread_id.
    """

    def __init__(
        self,
        trimmer: ToolTrimmer | Mapping[str, Any] | None = None,
        *,
        skip: Iterable[str] = (),
        question: str | Callable[[ToolCallRequest], str] | None = None,
        conversation: str | Callable[[ToolCallRequest], str] | None = None,
    ) -> None:
        super().__init__()
        self._outputs = ToolOutputs(Choice(trimmer, skip, question, conversation))
        self.trimmer = self._outputs.trimmer
        expand = self._outputs.expand
        self.tools: Sequence[BaseTool] = [] if expand is None else [_expand_tool(expand)]

    @property
    def savings(self) -> Savings:
        """What was saved until now."""
        return self.trimmer.savings

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """The handler's result with its tool messages trimmed."""
        result = handler(request)
        messages = _tool_messages(result)
        contents = [self._outputs.trimmed(m.content, partial(_occasion, m, request)) for m in messages]
        return _with(result, messages, contents)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
    ) -> ToolMessage | Command[Any]:
        """`wrap_tool_call` for an event loop."""
        result = await handler(request)
        messages = _tool_messages(result)
        contents = [await self._outputs.atrimmed(m.content, partial(_occasion, m, request)) for m in messages]
        return _with(result, messages, contents)


def _occasion(message: ToolMessage, request: ToolCallRequest) -> Occasion:
    """Of a message of this call; another one in a Command has no arguments that are known."""
    call, failed = request.tool_call, True if message.status == "error" else None
    same = message.tool_call_id == call["id"]
    named = ToolCall(call["name"], call["args"] if same else {}, message.tool_call_id, failed)
    state = request.state
    messages = state.get("messages", []) if isinstance(state, Mapping) else getattr(state, "messages", state)
    humans = [m for m in messages if isinstance(m, HumanMessage)]
    return Occasion(text_of(humans[-1].content) if humans else "", named, _thread(request), request)


def _thread(request: ToolCallRequest) -> str:
    config = getattr(request.runtime, "config", None) or {}
    return str((config.get("configurable") or {}).get("thread_id") or "")


def _tool_messages(result: Any) -> list[ToolMessage]:
    """The tool messages of a result: itself, or those of a Command's update."""
    if isinstance(result, ToolMessage):
        return [result]
    update = result.update if isinstance(result, Command) else None
    inner = update.get("messages") if isinstance(update, Mapping) else None
    return [m for m in inner if isinstance(m, ToolMessage)] if isinstance(inner, list) else []


def _with(
    result: ToolMessage | Command[Any], messages: list[ToolMessage], contents: list[Any]
) -> ToolMessage | Command[Any]:
    """The result with other contents of its tool messages; the same one where none changes."""
    new = {
        id(m): m.model_copy(update={"content": c})
        for m, c in zip(messages, contents, strict=True)
        if c is not m.content
    }
    if not new:
        return result
    if isinstance(result, ToolMessage):
        return new[id(result)]
    update: Any = result.update
    kept = [new.get(id(m), m) for m in update["messages"]]
    return replace(result, update={**update, "messages": kept})


def _expand_tool(tool: ExpandTool) -> BaseTool:
    def expand(id: str, query: str = "", range: str = "") -> str:
        return tool(id, query, range)

    async def aexpand(id: str, query: str = "", range: str = "") -> str:
        return await answer(tool, {"id": id, "query": query, "range": range})

    return StructuredTool(
        name=tool.name, description=tool.description, args_schema=tool.parameters, func=expand, coroutine=aexpand
    )
