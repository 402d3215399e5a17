"""Results in many text blocks: servers send a list as a block for each item, and blocks of a line each cannot be cut
one by one. They are cut as the one list or text that they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_FEWEST = 8
"""Blocks from which they are read as one."""
_ENVELOPE = "result"
"""The member of structured content in which SDKs wrap a list."""


@dataclass(frozen=True)
class JoinedBlocks:
    """A result as one value. output: the list of what the blocks hold, or their text."""

    result: Mapping[str, Any]
    output: list[Any] | str

    def put(self, new: Any) -> dict[str, Any]:
        """The result with another value in place of `output`, in blocks again. A block whose item stays is the same."""
        old: list[dict[str, Any]] = self.result["content"]
        if isinstance(new, str) or isinstance(self.output, str):
            return {**self.result, "content": [{**old[0], "text": new}]}
        content, at = [], 0
        for item in new:
            place = next((i for i in range(at, len(old)) if self.output[i] == item), None)
            at = at if place is None else place + 1
            content.append({"type": "text", "text": _written(item)} if place is None else old[place])
        structured = self.result.get("structuredContent")
        more = {} if structured is None else {"structuredContent": {**structured, _ENVELOPE: list(new)}}
        return {**self.result, "content": content, **more}


def joined(result: Mapping[str, Any]) -> JoinedBlocks | None:
    """A result of many text blocks as one value; None for one that has others, fewer, or other structured content."""
    content = result.get("content")
    if not isinstance(content, list) or len(content) < _FEWEST or not all(_is_text(block) for block in content):
        return None
    texts = [block["text"] for block in content]
    items = [_read(text) for text in texts]
    structured = result.get("structuredContent")
    if structured is None:
        if all(isinstance(item, dict | list) for item in items):
            return JoinedBlocks(result, items)
        return JoinedBlocks(result, "\n".join(texts))
    listed = structured.get(_ENVELOPE) if isinstance(structured, Mapping) else None
    for values in (items, texts):
        if listed == values:
            return JoinedBlocks(result, values)
    return None


def _is_text(block: Any) -> bool:
    return isinstance(block, Mapping) and block.get("type") == "text" and isinstance(block.get("text"), str)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _written(item: Any) -> str:
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, indent=2)
