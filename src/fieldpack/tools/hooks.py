"""Post-tool-use hooks of coding agents: their JSON in, their JSON out, and {} where there is nothing to say.

Read in the shipped code of Claude Code 2.1.332: `updatedToolOutput` in the shape of the tool's own response, after a
call that succeeded; of Gemini CLI 0.61 and Codex 0.171: a result is replaced by denying or blocking it, with the text
in its place as the reason. From published references of November 2026 alone: `modifiedResult` (Copilot) and
`updated_mcp_tool_output` (Cursor, MCP tools alone).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from fieldpack.tools.blocks import member
from fieldpack.tools.calls import ToolCall
from fieldpack.tools.shapes import shape_of
from fieldpack.tools.trimmed import Trimmed

NEUTRAL: dict[str, Any] = {}
"""The answer that changes nothing."""
_TRANSCRIPT_BYTES = 2 << 20
_SHORTEST = 200
"""Characters below which a string of a response is no output but a path, a name or a state."""
_ERRORS = ("error", "is_error", "isError", "interrupted")
Trim = Callable[[Any, str, ToolCall, str], Trimmed]
"""Trims (output, question, call, conversation)."""


def answer(event: Any, trim: Trim, question: str = "") -> dict[str, Any]:
    """The answer to a hook's JSON. question: in place of the last one of the user in the transcript. What is no such
    event, or has no output worth trimming, is answered NEUTRAL."""
    if not isinstance(event, Mapping):
        return NEUTRAL
    camel = "toolName" in event
    response = event.get("toolResult") if camel else event.get("tool_response", event.get("tool_output"))
    name = str(event.get("hook_event_name", ""))
    if response is None or name.lower() not in ("", "posttooluse", "aftertool"):
        return NEUTRAL  # after a failed call (PostToolUseFailure) nothing can be replaced
    if name == "AfterTool":
        response = _text_of_parts(response)
    call = ToolCall.of({"name": event.get("tool_name", event.get("toolName", "")), "arguments": _arguments(event)})
    call = ToolCall(call.name, call.arguments, str(event.get("tool_use_id", "")), _failed(response))
    asked_for = question or _question(event)
    session = str(event.get("session_id", event.get("conversation_id", "")))
    new = _trimmed(response, lambda output: trim(output, asked_for, call, session))
    return NEUTRAL if new is None else _form(event, name, camel, new)


def _text_of_parts(response: Any) -> Any:
    """The text of a response of Gemini CLI that the model would see; None where it holds more than text, or failed."""
    content = response.get("llmContent") if isinstance(response, Mapping) else response
    if isinstance(response, Mapping) and response.get("error"):
        return None
    if isinstance(content, list):
        texts = [part if isinstance(part, str) else member(part, "text") for part in content]
        only = all(isinstance(part, str) or (isinstance(part, Mapping) and set(part) == {"text"}) for part in content)
        content = "\n".join(texts) if only and all(isinstance(t, str) for t in texts) else None
    return content if isinstance(content, str) else None


def _form(event: Mapping[str, Any], name: str, camel: bool, new: Any) -> dict[str, Any]:
    """The answer in the form of the agent that asked."""
    if camel:
        return {"modifiedResult": new}
    if name == "AfterTool":
        return {"decision": "deny", "reason": new}
    if "turn_id" in event:  # Codex, whose schema has no member for another output
        return {"decision": "block", "reason": new if isinstance(new, str) else json.dumps(new, ensure_ascii=False)}
    if name == "postToolUse":
        return {"updated_mcp_tool_output": new}
    output: dict[str, Any] = {"hookEventName": name or "PostToolUse", "updatedToolOutput": new}
    if str(event.get("tool_name", "")).startswith("mcp__"):
        output["updatedMCPToolOutput"] = new
    return {"hookSpecificOutput": output}


def _trimmed(response: Any, trim: Callable[[Any], Trimmed]) -> Any:
    """The response with its long texts trimmed, in its own shape; None where nothing changes."""
    if isinstance(response, Mapping) and not _has_blocks(response):
        new = {k: _trimmed(v, trim) if _worth(v) else None for k, v in response.items()}
        changed = {k: v for k, v in new.items() if v is not None}
        return {**response, **changed} if changed else None
    if not _worth(response):
        return None
    trimmed = trim(response)
    return trimmed.output if trimmed.cut and not trimmed.shadow else None


def _has_blocks(response: Mapping[str, Any]) -> bool:
    return isinstance(response.get("content"), list) and len(shape_of(response).texts) > 0


def _worth(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) >= _SHORTEST
    return isinstance(value, Mapping | list) and len(json.dumps(value, default=str)) >= _SHORTEST


def _arguments(event: Mapping[str, Any]) -> Mapping[str, Any]:
    value = event.get("tool_input", event.get("toolArgs"))
    return ToolCall.of({"name": "", "arguments": value}).arguments if value is not None else {}


def _failed(response: Any) -> bool | None:
    if isinstance(response, Mapping):
        code = response.get("exit_code", response.get("exitCode"))
        if isinstance(code, int) and code != 0:
            return True
        if any(response.get(name) not in (None, False, "", {}) for name in _ERRORS):
            return True
    return None


def _question(event: Mapping[str, Any]) -> str:
    """The last question of the user: from the event, else from the last 2 MiB of the transcript that it names."""
    if isinstance(event.get("prompt"), str):
        return str(event["prompt"])
    path = event.get("transcript_path")
    if not isinstance(path, str) or not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TRANSCRIPT_BYTES))
        text = file.read().decode("utf-8", "replace")
    if size <= _TRANSCRIPT_BYTES and text.lstrip()[:1] in ("{", "["):
        whole = _parsed(text)
        if whole is not None:
            return _last_of(whole.get("messages", []) if isinstance(whole, Mapping) else whole)
    lines = text.split("\n")[1 if size > _TRANSCRIPT_BYTES else 0 :]
    return _last_of([_parsed(line) for line in lines[::-1] if '"user"' in line], newest_first=True)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _last_of(entries: Any, newest_first: bool = False) -> str:
    """The newest text of a user in the entries of a transcript; results of tools, which also come as the user's
    messages, are none."""
    if not isinstance(entries, list):
        return ""
    for entry in entries if newest_first else entries[::-1]:
        if not isinstance(entry, Mapping) or entry.get("isMeta") or entry.get("isSidechain"):
            continue
        message = entry.get("message", entry.get("payload", entry))
        role = message.get("role", entry.get("type")) if isinstance(message, Mapping) else entry.get("type")
        if role != "user":
            continue
        content = message.get("content", message.get("parts", "")) if isinstance(message, Mapping) else message
        if text := _text_of(content).strip():
            return text[:4_000]
    return ""


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [c.get("text", "") for c in content if isinstance(c, Mapping) and c.get("type", "text") in _TEXTS]
    return "\n".join(t for t in texts if isinstance(t, str))


_TEXTS = ("text", "input_text")
