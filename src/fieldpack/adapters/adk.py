"""Google ADK: tool output trimmed inside a runner, as a plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from fieldpack.adapters._common import missing
from fieldpack.adapters._tool_outputs import Choice, Occasion, ToolOutputs, answer, text_of
from fieldpack.telemetry import log
from fieldpack.tools.calls import ToolCall
from fieldpack.tools.handle import ExpandTool
from fieldpack.tools.savings import Savings
from fieldpack.tools.trimmer import ToolTrimmer

try:
    from google.adk.agents.callback_context import CallbackContext
    from google.adk.models import LlmRequest
    from google.adk.plugins.base_plugin import BasePlugin
    from google.adk.tools.base_tool import BaseTool
    from google.adk.tools.tool_context import ToolContext
    from google.genai import types
except ModuleNotFoundError as error:
    raise missing(error, "google", "google-adk", "adk") from error


class FieldpackToolTrimming(BasePlugin):
    """A plugin for App(plugins=[...]) or a runner: the result of each tool, trimmed for the message of the user that
    started the invocation, before it goes into the session. Agents with tools get the tool `expand`, unless the
    trimmer has no store.

    The session holds what the model saw, so that later requests send the same bytes; what was decided in a session
    stands. A changed result ends the chain of after_tool callbacks, as of any plugin: put this plugin last.

    trimmer: a ToolTrimmer, or its keyword arguments. skip: names of tools whose results stay whole. question,
    conversation: a string, or a function of the ToolContext; default: the user's message, app, user and session.
    """

    def __init__(
        self,
        trimmer: ToolTrimmer | Mapping[str, Any] | None = None,
        *,
        skip: Iterable[str] = (),
        question: str | Callable[[ToolContext], str] | None = None,
        conversation: str | Callable[[ToolContext], str] | None = None,
        name: str = "fieldpack_tool_trimming",
    ) -> None:
        super().__init__(name)
        self._outputs = ToolOutputs(Choice(trimmer, skip, question, conversation))
        self.trimmer = self._outputs.trimmer

    @property
    def savings(self) -> Savings:
        """What was saved until now."""
        return self.trimmer.savings

    async def after_tool_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext, result: Any
    ) -> Any:
        """The trimmed result; None where it stays as it is."""
        if not result:
            return None
        shown = await self._outputs.atrimmed(result, partial(_occasion, tool, tool_args, tool_context, result))
        return None if shown is result else shown

    async def before_model_callback(self, *, callback_context: CallbackContext, llm_request: LlmRequest) -> None:
        """Adds `expand` to a request that has tools."""
        expand = self._outputs.expand
        if expand is not None and llm_request.tools_dict and expand.name not in llm_request.tools_dict:
            try:
                llm_request.append_tools([_Expand(expand)])
            except Exception as error:
                log.warning("expand is not offered: %s: %s", type(error).__name__, error)


class _Expand(BaseTool):
    """The tool `expand` as ADK takes it."""

    def __init__(self, tool: ExpandTool) -> None:
        super().__init__(name=tool.name, description=tool.description)
        self._tool = tool

    def _get_declaration(self) -> types.FunctionDeclaration:
        return types.FunctionDeclaration(
            name=self.name, description=self.description, parameters_json_schema=self._tool.parameters
        )

    async def run_async(self, *, args: dict[str, Any], tool_context: ToolContext) -> dict[str, str]:
        """The wanted part of an output."""
        return {"result": await answer(self._tool, args)}


def _occasion(tool: BaseTool, arguments: dict[str, Any], context: ToolContext, result: Any) -> Occasion:
    says: Mapping[str, Any] = result if isinstance(result, Mapping) else {}
    failed = True if says.get("status") == "error" or says.get("error") else None
    call = ToolCall(tool.name, arguments, context.function_call_id or "", failed)
    session = context.session
    content = context.user_content
    question = text_of(list(content.parts or [])) if content is not None else ""
    return Occasion(question, call, "/".join((session.app_name, session.user_id, session.id)), context)
