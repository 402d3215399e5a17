"""The shapes that tool output comes in, as texts and a way back: a string, a JSON value, content blocks of MCP, OpenAI
and Anthropic, as dicts or as the objects of their libraries."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fieldpack.tools.blocks import ENVELOPE, TEXT_TYPES, JoinedBlocks, joined, member, replaced, text_of
from fieldpack.tools.json_tree import dominating_string, is_json

_OTHER_TYPES = frozenset(
    {"image", "image_url", "input_image", "audio", "input_audio", "file", "input_file", "document", "refusal"}
    | {"resource_link", "search_result", "tool_reference"}
)
_INNER = 1_000
"""Characters from which a string inside JSON is cut as a text of its own."""
_CODES = ("exit_code", "exitCode", "exit_status", "returncode", "return_code", "returnCode")
_SNAKE = "structured_content"
"""How objects of the MCP library call `structuredContent`."""
Rebuild = Callable[[Iterator[str]], Any]


@dataclass(frozen=True)
class Shape:
    """texts: of the output, in order. put: a new output from as many texts. failed: whether the output says that the
    tool failed; None when it does not say. inside: whether the one text stands inside of JSON."""

    texts: tuple[str, ...]
    put: Callable[[tuple[str, ...]], Any]
    failed: bool | None = None
    inside: bool = False

    def written(self, texts: tuple[str, ...]) -> str | None:
        """The JSON that the one text stands in, with another one; None for other shapes."""
        if not self.inside:
            return None
        output = self.put(texts)
        return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)


def shape_of(output: Any) -> Shape:
    """The texts of an output and the way back. Raises TypeError or ValueError for what is neither text, JSON nor
    blocks."""
    texts: list[str] = []
    rebuild = _read(output, texts)

    def put(new: tuple[str, ...]) -> Any:
        return rebuild(iter(new))

    plain = isinstance(output, str) or (isinstance(output, Mapping | list | tuple) and not _holds_blocks(output))
    whole = output if isinstance(output, str) else None
    inside = plain and len(texts) == 1 and (texts[0] != whole if whole is not None else not is_json(texts[0]))
    return Shape(tuple(texts), put, _failed(output) or (inside and _says_failed(output)) or None, inside)


def _holds_blocks(output: Any) -> bool:
    return _is_block(output) or (
        isinstance(output, list | tuple) and bool(output) and all(_is_block(v) for v in output)
    )


def _failed(output: Any) -> bool | None:
    flags = [member(output, name) for name in ("isError", "is_error")]
    if member(output, "status") == "error" and (member(output, "tool_call_id") or member(output, "toolUseId")):
        return True
    if isinstance(output, list):
        flags += [_failed(block) for block in output[:64]]
    known = [f for f in flags if isinstance(f, bool)]
    return True if any(known) else None


def _read(value: Any, texts: list[str]) -> Rebuild:
    if isinstance(value, str):
        return _string(value, texts)
    if isinstance(value, list | tuple) and value and all(_is_block(v) for v in value):
        many = joined(value)
        if many is not None:
            inner, kind = _joined_value(many.output, texts), type(value)
            return lambda new: kind(many.put(inner(new)))
        parts = [_read(v, texts) for v in value]
        kind = type(value)
        return lambda new: kind(part(new) for part in parts)
    if _is_block(value):
        return _block(value, texts)
    if isinstance(value, Mapping | list | tuple):
        return _json(value, texts)
    raise TypeError(f"a {type(value).__name__} is no text, no JSON value and no content block")


def _says_failed(output: Any) -> bool:
    """Whether the JSON around a text says that a command failed."""
    value = _parsed(output) if isinstance(output, str) else output
    codes = [member(value, name) for name in _CODES] if isinstance(value, Mapping) else []
    return any(isinstance(code, int) and not isinstance(code, bool) and code != 0 for code in codes)


def _joined_value(output: list[Any] | str, texts: list[str]) -> Rebuild:
    """The value of joined blocks: a list of items, or one text."""
    if not isinstance(output, str):
        return _json(output, texts)
    texts.append(output)
    return lambda new: next(new)


def _is_block(value: Any) -> bool:
    kind = member(value, "type")
    if kind in TEXT_TYPES:
        return isinstance(member(value, "text"), str)
    if kind in _OTHER_TYPES or kind in ("tool_result", "function_call_output", "resource"):
        return True
    if isinstance(value, Mapping):
        is_message = value.get("role") in ("tool", "function") and "content" in value
        return is_message or ("content" in value and ("isError" in value or "structuredContent" in value))
    if isinstance(value, list | tuple | str) or value is None:
        return False
    return hasattr(value, "content") and any(hasattr(value, n) for n in ("isError", "is_error", "tool_call_id"))


def _block(block: Any, texts: list[str]) -> Rebuild:
    kind = member(block, "type")
    if kind in TEXT_TYPES:
        return _field(block, "text", texts)
    if kind == "function_call_output":
        return _field(block, "output", texts)
    if kind == "resource" and isinstance(member(member(block, "resource"), "text"), str):
        inner = _field(member(block, "resource"), "text", texts)
        return lambda new: replaced(block, resource=inner(new))
    if member(block, "content") is not None and kind not in _OTHER_TYPES:
        return _result(block, texts)
    return lambda new: block


def _field(block: Any, name: str, texts: list[str]) -> Rebuild:
    inner = _read(member(block, name), texts)
    return lambda new: replaced(block, **{name: inner(new)})


def _result(block: Any, texts: list[str]) -> Rebuild:
    """A result with `content`; MCP may hold the same thing once more as structured content: then both are cut alike."""
    held = member(block, "content")
    name = "structuredContent" if isinstance(block, Mapping) or not hasattr(block, "structured_content") else _SNAKE
    structured = member(block, name)
    listed = structured.get(ENVELOPE) if isinstance(structured, Mapping) else None
    many = joined(held, listed) if isinstance(listed, list) else None
    if many is not None:
        inner = _joined_value(many.output, texts)
        return lambda new: _listed(block, name, many, inner(new))
    content = _read(held, texts) if held else (lambda new: held)
    if structured is None:
        return lambda new: replaced(block, content=content(new))
    whole = _only_text(held)
    if whole is not None and listed == whole:
        return lambda new: _both(block, content(new), name, lambda text: {**structured, ENVELOPE: text})
    if whole is not None and _parsed(whole) == structured:
        return lambda new: _both(block, content(new), name, json.loads)
    other = _json(structured, texts)
    return lambda new: replaced(block, **{"content": content(new), name: other(new)})


def _listed(block: Any, name: str, many: JoinedBlocks, new: Any) -> Any:
    structured = {**member(block, name), ENVELOPE: new}
    return replaced(block, **{"content": many.put(new), name: structured})


def _both(block: Any, content: Any, name: str, make: Callable[[str], Any]) -> Any:
    return replaced(block, **{"content": content, name: make(_only_text(content) or "")})


def _only_text(content: Any) -> str | None:
    """The text of content that is one text block, or a string."""
    if isinstance(content, str):
        return content
    return text_of(content[0]) if isinstance(content, list) and len(content) == 1 else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _string(text: str, texts: list[str]) -> Rebuild:
    """A text; of JSON in which one string holds nearly all, that string."""
    inner = (
        dominating_string(text) if len(text) > _INNER and text.lstrip()[:1] in ("{", "[") and is_json(text) else None
    )
    if inner is None:
        texts.append(text)
        return lambda new: next(new)
    start, end = inner
    value = json.loads(text[start:end])
    texts.append(value)

    def put(new: Iterator[str]) -> str:
        shown = next(new)
        return text if shown == value else text[:start] + json.dumps(shown, ensure_ascii=False) + text[end:]

    return put


def _json(value: Any, texts: list[str]) -> Rebuild:
    """A JSON value as its text. Raises TypeError or ValueError for what JSON cannot hold."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if json.loads(text) != (list(value) if isinstance(value, tuple) else value):
        raise TypeError("a value that JSON gives back otherwise")
    inner = _string(text, texts)

    def put(new: Iterator[str]) -> Any:
        shown = inner(new)
        return value if shown == text else json.loads(shown)

    return put
