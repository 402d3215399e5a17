"""What a relay changes in the messages between an MCP host and a server: results of tools are trimmed, and the tool
`expand` is added. Everything else passes as it came.

MCP tells no user's question. The query is the name of the tool and the values of its arguments, and a question where
there is one: `_meta.question` or `_meta._question` of the call, or the argument `_question` that is offered on request.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from mcp_types import PROTOCOL_VERSION_META_KEY, JSONRPCError, JSONRPCMessage, JSONRPCNotification, JSONRPCRequest
from mcp_types import ErrorData as Failure
from mcp_types import JSONRPCResponse as Response

from fieldpack.tools import ToolCall, ToolTrimmer

log = logging.getLogger("fieldpack.mcp")
SERVER_ENDED = -32000
"""The code of JSON-RPC with which the SDK answers requests whose connection is closed."""
_MOST_PENDING = 10_000
_QUESTION = "_question"
_META = ("question", _QUESTION)
_ASK = "What you want to know from the output, in a sentence: long outputs are cut down to what answers it."


class ResultTrimmer:
    """The requests of one host that wait for an answer, and what is done to the answers. trimmer: with the name of the
    tool `expand` in its settings. offer_question: whether every tool takes an argument `_question`, which the server
    does not see."""

    def __init__(self, trimmer: ToolTrimmer, offer_question: bool = False) -> None:
        self._trimmer, self._offer_question = trimmer, offer_question
        self._pending: OrderedDict[int | str, JSONRPCRequest] = OrderedDict()
        self._questions: dict[int | str, str] = {}
        self._own_names = {trimmer.settings.handle}

    def is_expand(self, message: JSONRPCMessage) -> bool:
        """Whether a host's message calls the tool that is answered here."""
        return (
            isinstance(message, JSONRPCRequest)
            and message.method == "tools/call"
            and (message.params or {}).get("name") in self._own_names
        )

    def to_server(self, message: JSONRPCMessage) -> JSONRPCMessage:
        """A host's message as the server gets it; what it asks for is remembered until it is answered."""
        if isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            self._forget((message.params or {}).get("requestId"))
        if not isinstance(message, JSONRPCRequest):
            return message
        if len(self._pending) >= _MOST_PENDING:
            self._forget(next(iter(self._pending)))
        self._pending[message.id] = message
        if message.method != "tools/call":
            return message
        params = message.params or {}
        arguments = params.get("arguments")
        question = _hint(params.get("_meta"), _META)
        if self._offer_question and isinstance(arguments, dict) and _QUESTION in arguments:
            question = _hint(arguments, (_QUESTION,)) or question
            rest = {name: value for name, value in arguments.items() if name != _QUESTION}
            message = message.model_copy(update={"params": {**params, "arguments": rest}})
            self._pending[message.id] = message
        self._questions[message.id] = question
        return message

    async def to_host(self, message: JSONRPCMessage) -> JSONRPCMessage:
        """A server's message as the host gets it. Never raises: whatever goes wrong, it passes as it came."""
        if not isinstance(message, Response | JSONRPCError) or message.id is None:
            return message
        question = self._questions.get(message.id, "")
        request = self._forget(message.id)
        if request is None or not isinstance(message, Response):
            return message
        try:
            if request.method == "tools/call":
                return await self._trimmed(message, request.params or {}, question)
            if request.method == "tools/list":
                return message.model_copy(update={"result": self._listed(message.result)})
        except Exception as error:
            log.warning("%s: an answer passes as it came", type(error).__name__)
        return message

    async def expanded(self, request: JSONRPCRequest) -> JSONRPCMessage:
        """The answer to a call of `expand`."""
        params = request.params or {}
        arguments = params.get("arguments")
        tool = self._trimmer.tool()
        try:
            text = await asyncio.to_thread(lambda: tool(**(arguments if isinstance(arguments, dict) else {})))
            failed = False
        except TypeError:
            text, failed = f"{tool.name} takes id (needed), query and range; ids are in the notices of outputs", True
        result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": failed}
        if PROTOCOL_VERSION_META_KEY in (params.get("_meta") or {}):
            result["resultType"] = "complete"
        return Response(jsonrpc="2.0", id=request.id, result=result)

    def unanswered(self, reason: str) -> list[JSONRPCMessage]:
        """Errors for all requests that wait, when the server will answer none of them."""
        failure = Failure(code=SERVER_ENDED, message=reason)
        errors: list[JSONRPCMessage] = [JSONRPCError(jsonrpc="2.0", id=name, error=failure) for name in self._pending]
        self._pending.clear()
        self._questions.clear()
        return errors

    def _forget(self, name: Any) -> JSONRPCRequest | None:
        if not isinstance(name, int | str):
            return None
        self._questions.pop(name, None)
        return self._pending.pop(name, None)

    async def _trimmed(self, message: Response, params: Mapping[str, Any], question: str) -> JSONRPCMessage:
        result = message.result
        if not isinstance(result.get("content"), list):
            return message  # such as a question back to the user
        call = ToolCall.of({"name": params.get("name", ""), "arguments": params.get("arguments")})
        trimmed = await self._trimmer.atrim({"isError": False, **result}, question=question, call=call)
        if not trimmed.cut or trimmed.shadow:
            return message
        return message.model_copy(update={"result": {name: trimmed.output[name] for name in result}})

    def _listed(self, result: dict[str, Any]) -> dict[str, Any]:
        """A list of tools with `expand` on its last page. An output schema that a cut could break is taken out: hosts
        refuse results that do not fit it."""
        tools = [self._offered(tool) if isinstance(tool, dict) else tool for tool in result.get("tools", [])]
        handle = self._trimmer.settings.handle
        if any(isinstance(tool, dict) and tool.get("name") == handle for tool in tools):
            self._own_names.discard(handle)
            log.warning("the server has a tool %r of its own; say another name with --handle", handle)
        elif not result.get("nextCursor") and handle in self._own_names:
            tools.append({**self._trimmer.tool().mcp(), "annotations": {"readOnlyHint": True, "openWorldHint": False}})
        return {**result, "tools": tools}

    def _offered(self, tool: dict[str, Any]) -> dict[str, Any]:
        if "outputSchema" in tool and not _one_text(tool["outputSchema"]):
            tool = {name: value for name, value in tool.items() if name != "outputSchema"}
        schema = tool.get("inputSchema")
        if self._offer_question and isinstance(schema, dict) and _QUESTION not in schema.get("properties", {}):
            properties = {**schema.get("properties", {}), _QUESTION: {"type": "string", "description": _ASK}}
            tool = {**tool, "inputSchema": {**schema, "properties": properties}}
        return tool


def _hint(values: Any, names: tuple[str, ...]) -> str:
    """The first of these members that is a text."""
    if not isinstance(values, Mapping):
        return ""
    texts = [values[name] for name in names if isinstance(values.get(name), str)]
    return texts[0].strip()[:4_000] if texts else ""


def _one_text(schema: Any) -> bool:
    """Whether the schema is {"result": text}, as SDKs wrap a text: a shorter text fits it too."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping) or set(properties) != {"result"}:
        return False
    only = properties["result"]
    return isinstance(only, Mapping) and only.get("type") == "string" and not {"enum", "pattern", "minLength"} & {*only}
