"""Content blocks: how they are read and copied, and lists of many small ones.

Servers send a list as a block for each item, and blocks of a line each cannot be cut one by one. They are cut as the
one list or text that they are.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TEXT_TYPES = frozenset({"text", "input_text", "output_text"})
_FEWEST, _SMALL = 8, 1_000
"""Blocks from which they are read as one, where they have so many characters on average or fewer."""
ENVELOPE = "result"
"""The member of structured content in which SDKs wrap a list or a text."""


def member(value: Any, name: str) -> Any:
    """A member of a dict, or an attribute of an object; None where there is none."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def replaced(block: Any, **values: Any) -> Any:
    """The block with other values: a new one of the same kind; the same one where nothing changes. Raises TypeError for
    an object that cannot be copied."""
    if all(member(block, name) is value or member(block, name) == value for name, value in values.items()):
        return block
    if isinstance(block, Mapping):
        return {**block, **values}
    if hasattr(block, "model_copy"):
        return block.model_copy(update=values)
    if dataclasses.is_dataclass(block) and not isinstance(block, type):
        return dataclasses.replace(block, **values)
    raise TypeError(f"a {type(block).__name__} cannot be copied with another text")


def text_of(block: Any) -> str | None:
    """The text of a text block, None for other blocks."""
    text = member(block, "text") if member(block, "type") in TEXT_TYPES else None
    return text if isinstance(text, str) else None


@dataclass(frozen=True)
class JoinedBlocks:
    """Many blocks as one value. output: the list of what they hold, or their text."""

    blocks: tuple[Any, ...]
    output: list[Any] | str

    def put(self, new: Any) -> list[Any]:
        """Blocks again, of another value in place of `output`. A block whose item stays is the same."""
        if isinstance(new, str) or isinstance(self.output, str):
            return list(self.blocks) if new == self.output else [replaced(self.blocks[0], text=new)]
        out, at = [], 0
        for item in new:
            place = next((i for i in range(at, len(self.blocks)) if self.output[i] == item), None)
            at = at if place is None else place + 1
            out.append(replaced(self.blocks[0], text=_written(item)) if place is None else self.blocks[place])
        return out


def joined(content: Any, listed: Any = None) -> JoinedBlocks | None:
    """Many small text blocks as one value; None for fewer, larger or other ones. listed: the same list as structured
    content holds it, which they must be then."""
    if not isinstance(content, list | tuple) or len(content) < _FEWEST:
        return None
    texts = [text_of(block) for block in content]
    known = [text for text in texts if text is not None]
    if len(known) < len(texts) or sum(map(len, known)) > _SMALL * len(known):
        return None
    items = [_parsed(text) for text in known]
    if listed is not None:
        return next((JoinedBlocks(tuple(content), values) for values in (items, known) if listed == values), None)
    if all(isinstance(item, dict | list) for item in items):
        return JoinedBlocks(tuple(content), items)
    return JoinedBlocks(tuple(content), _separated(known))


def _separated(texts: Sequence[str]) -> str:
    """The texts of blocks as one: lines of one line each, else parted by a blank one."""
    return ("\n\n" if any("\n" in text.strip() for text in texts) else "\n").join(texts)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _written(item: Any) -> str:
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, indent=2)
