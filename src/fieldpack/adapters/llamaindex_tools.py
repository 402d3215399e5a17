"""LlamaIndex: tools whose output is trimmed inside an agent workflow. There is no hook around a tool's call, so the
tools themselves are wrapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from fieldpack.adapters._common import missing
from fieldpack.adapters._tool_outputs import Choice, Occasion, ToolOutputs, answer
from fieldpack.telemetry import log
from fieldpack.tools.calls import ToolCall
from fieldpack.tools.savings import Savings
from fieldpack.tools.trimmer import ToolTrimmer

try:
    from llama_index.core.base.llms.types import TextBlock
    from llama_index.core.tools import BaseTool, FunctionTool, ToolMetadata, ToolOutput, adapt_to_async_tool
    from llama_index.core.workflow import Context
except ModuleNotFoundError as error:
    raise missing(error, "llama_index", "llama-index-core", "llamaindex") from error

_CONTEXT = "fieldpack_context"
"""The parameter by which an agent hands its context to a wrapped tool; no tool's own parameter has this name."""


class FieldpackToolTrimming:
    """Wraps the tools of an agent: `FunctionAgent(tools=trimming.tools(tools))`. The output of each is trimmed for the
    user's message before it goes into the agent's memory; `raw_output` stays whole. The list holds the tool `expand`
    too, unless the trimmer has no store.

    Outside an agent workflow there is no user's message: the query is then the call, or `question`.

    trimmer: a ToolTrimmer, or its keyword arguments. skip: names of tools whose outputs stay whole. question,
    conversation: a string, or a function of the workflow's Context (None outside a workflow).
    """

    def __init__(
        self,
        trimmer: ToolTrimmer | Mapping[str, Any] | None = None,
        *,
        skip: Iterable[str] = (),
        question: str | Callable[[Context | None], str] | None = None,
        conversation: str | Callable[[Context | None], str] | None = None,
    ) -> None:
        self._outputs = ToolOutputs(Choice(trimmer, skip, question, conversation))
        self.trimmer = self._outputs.trimmer

    @property
    def savings(self) -> Savings:
        """What was saved until now."""
        return self.trimmer.savings

    def tools(self, tools: Sequence[BaseTool | Callable[..., Any]]) -> list[BaseTool]:
        """The tools (or functions, as agents take them) wrapped, and `expand`."""
        out: list[BaseTool] = [TrimmedTool(t, self._outputs) for t in tools]
        expand = self._outputs.expand
        if expand is None:
            return out

        def call(id: str, query: str = "", range: str = "") -> str:
            return expand(id, query, range)

        async def acall(id: str, query: str = "", range: str = "") -> str:
            return await answer(expand, {"id": id, "query": query, "range": range})

        made = FunctionTool.from_defaults(call, async_fn=acall, name=expand.name, description=expand.description)
        return [*out, made]


class TrimmedTool(FunctionTool):
    """A tool with its output trimmed; made by FieldpackToolTrimming.tools. It takes the agent's context, and hands it
    on where the tool takes one."""

    def __init__(self, tool: BaseTool | Callable[..., Any], outputs: ToolOutputs) -> None:
        inner = tool if isinstance(tool, BaseTool) else FunctionTool.from_defaults(tool)
        super().__init__(fn=_never_called, metadata=inner.metadata)
        self.requires_context, self.ctx_param_name = True, _CONTEXT
        self._inner: Any = adapt_to_async_tool(inner)
        self._outputs = outputs

    @property
    def metadata(self) -> ToolMetadata:
        """Of the tool."""
        return self._metadata

    def call(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """The tool's output, trimmed."""
        context = kwargs.pop(_CONTEXT, None)
        output: ToolOutput = self._inner.call(*args, **kwargs, **self._context(context))
        read = partial(self._occasion, context, kwargs, output, "")
        return _with(output, self._outputs.trimmed(_texts(output), read))

    async def acall(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """The tool's output, trimmed."""
        context = kwargs.pop(_CONTEXT, None)
        output: ToolOutput = await self._inner.acall(*args, **kwargs, **self._context(context))
        read = partial(self._occasion, context, kwargs, output, await _question(context))
        return _with(output, await self._outputs.atrimmed(_texts(output), read))

    def _context(self, context: Context | None) -> dict[str, Any]:
        """What the tool itself takes of the context."""
        name = getattr(self._inner, "ctx_param_name", None)
        return {name: context} if name and context is not None else {}

    def _occasion(
        self, context: Context | None, arguments: Mapping[str, Any], output: ToolOutput, question: str
    ) -> Occasion | None:
        if not _texts(output):
            return None
        call = ToolCall(self.metadata.get_name(), arguments, "", True if output.is_error else None)
        return Occasion(question, call, "", context)


def _never_called(**arguments: Any) -> None:
    """FunctionTool wants a function; `call` and `acall` call the wrapped tool."""


async def _question(context: Context | None) -> str:
    """The user's message of this run."""
    try:
        return "" if context is None else str(await context.store.get("user_msg_str", default="") or "")
    except Exception as error:
        log.warning("the user's message cannot be read: %s: %s", type(error).__name__, error)
        return ""


def _texts(output: ToolOutput) -> list[dict[str, str]]:
    """The texts of an output as blocks, as `trim` takes them; none of what a tool of one's own gives instead."""
    if not isinstance(output, ToolOutput):
        return []
    return [{"type": "text", "text": b.text} for b in output.blocks if isinstance(b, TextBlock)]


def _with(output: ToolOutput, shown: Sequence[Mapping[str, str]]) -> ToolOutput:
    """The output with other texts; the same one where none changes."""
    if list(shown) == _texts(output):
        return output
    texts = iter(shown)
    blocks = [
        b.model_copy(update={"text": next(texts)["text"]}) if isinstance(b, TextBlock) else b for b in output.blocks
    ]
    return output.model_copy(update={"blocks": blocks})
