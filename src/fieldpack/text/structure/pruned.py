"""Valid JSON from what was kept of a JSON text: members and elements that hold a kept range, and counts of the rest."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fieldpack.errors import InputError

_WHITE = re.compile(r"\s*+")
DEEPEST = 200
OMITTED = "…"
"""The key under which an object says how many of its members, and an array of how many elements, are left out."""


@dataclass
class _Reader:
    """Walks through a JSON text once. starts, ends: of the kept ranges, sorted and disjoint."""

    text: str
    starts: list[int]
    ends: list[int]
    decoder: json.JSONDecoder = field(default_factory=json.JSONDecoder)

    def kept(self, start: int, end: int) -> bool:
        """Whether a kept range reaches into [start, end)."""
        at = bisect_left(self.ends, start + 1)
        return at < len(self.starts) and self.starts[at] < end

    def skip(self, at: int) -> int:
        """The place of the next character that is not white space."""
        match = _WHITE.match(self.text, at)
        return match.end() if match else at

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        """What is kept of the value at `at`, and where it ends."""
        if self.text[at : at + 1] not in ("{", "["):
            return self.decoder.raw_decode(self.text, at)
        if depth > DEEPEST:
            raise InputError(f"JSON nested deeper than {DEEPEST} levels cannot be rendered")
        return self._object(at, depth) if self.text[at] == "{" else self._array(at, depth)

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        members: dict[str, Any] = {}
        total = 0
        at = self.skip(at + 1)
        while self.text[at : at + 1] != "}":
            start = at
            key, at = self.decoder.raw_decode(self.text, at)
            at = self.skip(self.skip(at) + 1)
            value, at = self.value(at, depth + 1)
            total += 1
            if self.kept(start, at):
                members[str(key)] = value
            at = self._next(at)
        if 0 < len(members) < total:
            members[OMITTED] = f"{len(members)} of {total} members"
        return members, at + 1

    def _array(self, at: int, depth: int) -> tuple[list[Any], int]:
        elements: list[Any] = []
        total = 0
        at = self.skip(at + 1)
        while self.text[at : at + 1] != "]":
            start = at
            value, at = self.value(at, depth + 1)
            total += 1
            if self.kept(start, at):
                elements.append(value)
            at = self._next(at)
        if len(elements) < total:
            elements.append({OMITTED: f"{len(elements)} of {total} elements"})
        return elements, at + 1

    def _next(self, at: int) -> int:
        at = self.skip(at)
        return self.skip(at + 1) if self.text[at : at + 1] == "," else at


def pruned_json(text: str, kept: Sequence[tuple[int, int]]) -> str:
    """JSON with the members and elements of the JSON text that a kept range reaches into, and their enclosing keys.

    kept: half-open character ranges, sorted and disjoint. An object or array of which something is left out says how
    much it kept, under the key "…". Linear in the text. Raises InputError for a text that is no JSON.
    """
    reader = _Reader(text, [start for start, _ in kept], [end for _, end in kept])
    try:
        value, _ = reader.value(reader.skip(0), 0)
    except (json.JSONDecodeError, StopIteration, IndexError) as error:
        raise InputError(f"the text is no JSON that can be rendered ({error}); render it as text") from None
    return json.dumps(value, ensure_ascii=False, indent=2)
