"""Valid JSON from what was kept of a JSON text: members and elements that hold a kept range, and counts of the rest."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fieldpack.errors import InputError

_WHITE = re.compile(r"\s*+")
DEEPEST = 200
OMITTED = "…"
"""The key under which an object says how many of its members, and an array of how many elements, are left out."""


class _Part(NamedTuple):
    """What is kept of a value, as JSON text, and where the value ends."""

    text: str
    end: int


@dataclass
class _Reader:
    """Walks through a JSON text once. starts, ends: of the kept ranges, sorted and disjoint. Keys, numbers and strings
    are copied as they stand; what holds no kept range is skipped by the standard library's scanner."""

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

    def end(self, at: int) -> int:
        """Where the value at `at` ends."""
        return self.decoder.raw_decode(self.text, at)[1]

    def value(self, at: int, depth: int) -> _Part:
        """What is kept of the value at `at`."""
        opening = self.text[at : at + 1]
        if opening not in ("{", "["):
            end = self.end(at)
            return _Part(self.text[at:end], end)
        if depth > DEEPEST:
            raise InputError(f"JSON nested deeper than {DEEPEST} levels cannot be rendered")
        return self._object(at, depth) if opening == "{" else self._array(at, depth)

    def _object(self, at: int, depth: int) -> _Part:
        members: list[str] = []
        total = 0
        at = self.skip(at + 1)
        while self.text[at : at + 1] != "}":
            start, end = at, self.end(at)
            place = self.skip(self.skip(end) + 1)
            at = self.end(place)
            total += 1
            if self.kept(start, at):
                members.append(f"{self.text[start:end]}: {self.value(place, depth + 1).text}")
            at = self._next(at)
        if 0 < len(members) < total:
            members.append(f'"{OMITTED}": "{len(members)} of {total} members"')
        return _Part("{" + ", ".join(members) + "}", at + 1)

    def _array(self, at: int, depth: int) -> _Part:
        elements: list[str] = []
        total = 0
        at = self.skip(at + 1)
        while self.text[at : at + 1] != "]":
            start, at = at, self.end(at)
            total += 1
            if self.kept(start, at):
                elements.append(self.value(start, depth + 1).text)
            at = self._next(at)
        if len(elements) < total:
            elements.append(f'{{"{OMITTED}": "{len(elements)} of {total} elements"}}')
        return _Part("[" + ", ".join(elements) + "]", at + 1)

    def _next(self, at: int) -> int:
        at = self.skip(at)
        return self.skip(at + 1) if self.text[at : at + 1] == "," else at


def pruned_json(text: str, kept: Sequence[tuple[int, int]]) -> str:
    """JSON on one line with the members and elements of the JSON text that a kept range reaches into, and their
    enclosing keys.

    kept: half-open character ranges, sorted and disjoint. An object or array of which something is left out says how
    much it kept, under the key "…". Takes the length of the text once for each level around what is kept. Raises
    InputError for a text that is no JSON, or more than one value (JSON Lines).
    """
    reader = _Reader(text, [start for start, _ in kept], [end for _, end in kept])
    try:
        part = reader.value(reader.skip(0), 0)
        if reader.skip(part.end) < len(text):
            raise ValueError(f"more text after the value, at character {part.end}")
        return part.text
    except (ValueError, StopIteration, IndexError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the text is no JSON that can be rendered ({error}); render it as text") from None
