"""The tool outputs in the messages of a conversation: which there are, the question and the call of each, and the
messages with other outputs in their place.

Messages are those of OpenAI's chat completions, its responses interface, or Anthropic's, as dicts. The question of an
output is the last one that the user had asked before it. Nothing that comes later can change that, so an output goes
out as the same bytes in every later request of the conversation, with no state between requests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fieldpack.tools.calls import ToolCall

_MOST_QUESTION = 4_000
"""Characters of a question that are read."""
_TEXTS = ("text", "input_text")
_RESULTS = ("tool_result",)
_Message = Mapping[str, Any]


@dataclass(frozen=True)
class ChatOutput:
    """A tool's output in a conversation. row: the number of its message; block: of the block in its content, None where
    the message is the output. output: the message or block. question: of the user, "" where there is none."""

    row: int
    block: int | None
    output: _Message
    question: str
    call: ToolCall


def outputs_of(messages: Sequence[Any]) -> list[ChatOutput]:
    """The outputs in messages, in order. What is no message of a known form is passed over."""
    out: list[ChatOutput] = []
    calls: dict[str, ToolCall] = {}
    question = ""
    for row, message in enumerate(messages):
        if not isinstance(message, Mapping):
            continue
        for call in _calls(message):
            calls[call.id or call.name] = call
        if message.get("role") == "user":
            question = _question(message.get("content")) or question
        for block, output in _results(message):
            out.append(ChatOutput(row, block, output, question, _call_of(output, calls)))
    return out


def with_outputs(messages: Sequence[Any], changed: Sequence[tuple[ChatOutput, Any]]) -> list[Any]:
    """The messages with other outputs in the places of these. Messages that do not change are the same objects."""
    out = list(messages)
    for place, output in changed:
        if place.block is None:
            out[place.row] = output
        else:
            content = list(out[place.row]["content"])
            content[place.block] = output
            out[place.row] = {**out[place.row], "content": content}
    return out


def texts_of(message: Any) -> list[str]:
    """The texts in the content of a message, in order, those inside of its tool results too."""
    if not isinstance(message, Mapping):
        return []
    content = message.get("output" if message.get("type") == "function_call_output" else "content")
    if isinstance(content, str):
        return [content]
    texts: list[str] = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, Mapping) and part.get("type") in _RESULTS:
            texts += texts_of(part)
    return texts


def placed_texts(texts: Sequence[str], before: Sequence[Any], after: Sequence[Any]) -> list[str] | None:
    """The texts of a request with those of the messages that changed in their place; None where it is not plain which
    of them came from where."""
    old = [text for message in before for text in texts_of(message)]
    new = [text for message in after for text in texts_of(message)]
    if len(old) != len(new):
        return None
    if list(texts) == old:
        return new
    # Some messages were left out (system or tool messages may be skipped): every text that changed is one alone.
    changes = {a: b for a, b in zip(old, new, strict=True) if a != b}
    alone = all(old.count(a) == 1 and list(texts).count(a) == 1 for a in changes)
    return [changes.get(text, text) for text in texts] if alone and changes else None


def conversation_key(question: str, *settings: Any) -> str:
    """A name for the decisions that were made for a question with these settings, whichever conversation it was in."""
    content = "\0".join((*(str(s) for s in settings), question))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def _results(message: _Message) -> list[tuple[int | None, _Message]]:
    """(block, output) of the outputs of one message."""
    if message.get("role") in ("tool", "function") or message.get("type") == "function_call_output":
        return [(None, message)]
    content = message.get("content")
    if message.get("role") != "user" or not isinstance(content, list):
        return []
    return [(i, b) for i, b in enumerate(content) if isinstance(b, Mapping) and b.get("type") in _RESULTS]


def _calls(message: _Message) -> list[ToolCall]:
    """The calls that a message makes."""
    if message.get("type") == "function_call":
        call = ToolCall.of(message)
        return [replace(call, id=str(message.get("call_id") or call.id))]
    if message.get("role") != "assistant":
        return []
    blocks = [b for b in _items(message.get("content")) if isinstance(b, Mapping) and b.get("type") == "tool_use"]
    legacy = message.get("function_call")
    return [ToolCall.of(c) for c in (*_items(message.get("tool_calls")), *blocks, *((legacy,) if legacy else ()))]


def _call_of(output: _Message, calls: Mapping[str, ToolCall]) -> ToolCall:
    """The call that an output answers, by its id, else by the tool's name."""
    name = str(output.get("name") or "")
    key = str(output.get("tool_call_id") or output.get("tool_use_id") or output.get("call_id") or "")
    known = calls.get(key) if key else calls.get(name)
    return known if known is not None else ToolCall(name, {}, key)


def _question(content: Any) -> str:
    if isinstance(content, str):
        return content.strip()[:_MOST_QUESTION]
    parts = content if isinstance(content, list) else []
    texts = [p.get("text") for p in parts if isinstance(p, Mapping) and p.get("type", "text") in _TEXTS]
    return "\n".join(t for t in texts if isinstance(t, str)).strip()[:_MOST_QUESTION]


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
