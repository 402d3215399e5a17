"""Valid JSON after a cut: containers are opened only where a cut runs through them, and closed again.

Own code: parsers give values without their places. The standard decoder finds the end of every value (`raw_decode`, in
C), so that only containers that a cut runs through are read in Python.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

_DECODER = json.JSONDecoder()
_WHITE = re.compile(r"[ \t\n\r]*")
NOTICE_KEY = "_fieldpack"
_WHOLE_SCALAR = 600
"""A string of at most so many characters is kept whole when a part of it is."""


@dataclass(frozen=True)
class Child:
    """A member of an object or an item of an array: text[start:end] is `"key": value`, or the value alone."""

    start: int
    value: int
    end: int
    key: str = ""


def children(text: str, start: int) -> list[Child]:
    """What the container at `start` ("{" or "[") holds. Raises ValueError for what is no JSON."""
    is_object = text[start] == "{"
    out: list[Child] = []
    at = _skip(text, start + 1)
    if text[at] == ("}" if is_object else "]"):
        return out
    while True:
        first, key = at, ""
        if is_object:
            key, at = scanstring(text, at + 1)
            at = _skip(text, _skip(text, at) + 1)
        end = _DECODER.raw_decode(text, at)[1]
        out.append(Child(first, at, end, key))
        at = _skip(text, end)
        if text[at] != ",":
            return out
        at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    m = _WHITE.match(text, at)
    return m.end() if m else at


def largest_container(text: str) -> list[tuple[int, list[Child]]]:
    """The containers from the outermost to the one with many items that holds most of the text, each as its start and
    its children; empty for a scalar."""
    at = _skip(text, 0)
    out: list[tuple[int, list[Child]]] = []
    while at < len(text) and text[at] in "{[":
        inside = children(text, at)
        out.append((at, inside))
        best = max(inside, key=lambda c: c.end - c.value, default=None)
        if best is None or len(inside) >= 20 or text[best.value] not in "{[":
            break
        if best.end - best.value < 0.5 * (inside[-1].end - at):
            break
        at = best.value
    return out


@dataclass
class _Cuts:
    """What pruning counts: (path, kept, all) of every array or object that lost children."""

    arrays: list[tuple[str, int, int]] = field(default_factory=list)
    objects: int = 0


@dataclass(frozen=True)
class Pruned:
    """text: valid JSON. kept, total, path: of the outermost array that lost items ("" when none did). fields: whether
    members of objects were left out too."""

    text: str
    path: str = ""
    kept: int = 0
    total: int = 0
    fields: bool = False


class Pruner:
    """Cuts one JSON text at kept ranges (ascending, disjoint). known: the children of containers that were read before,
    by their start; shared by cuts of one text."""

    def __init__(self, text: str, kept: list[tuple[int, int]], known: dict[int, list[Child]] | None = None) -> None:
        self.text, self.kept = text, kept
        self._starts = [a for a, _ in kept]
        self._cuts = _Cuts()
        self._known = {} if known is None else known

    def pruned(self, notice: str = "") -> Pruned:
        """The text with only what the kept ranges touch. Raises ValueError for what is no JSON."""
        self._cuts = _Cuts()
        start = _skip(self.text, 0)
        end = _DECODER.raw_decode(self.text, start)[1]
        body = self._value(start, end, "", notice)
        # The outermost array is what a reader counts: "1 of 4 orders", not "5 of 15 tags" of the one that is left.
        arrays = sorted(self._cuts.arrays, key=lambda c: (c[0].count(".") + c[0].count("["), c[1] - c[2]))
        path, kept, total = arrays[0] if arrays else ("", 0, 0)
        return Pruned(body or "", path, kept, total, self._cuts.objects > 0)

    def _inside(self, start: int, end: int) -> list[tuple[int, int]]:
        low = max(0, bisect_left(self._starts, start) - 1)
        out = []
        for a, b in self.kept[low:]:
            if a >= end:
                break
            if b > start:
                out.append((max(a, start), min(b, end)))
        return out

    def _covered(self, start: int, end: int, inside: list[tuple[int, int]]) -> bool:
        at = start
        for a, b in inside:
            if self.text[at:a].strip(" \t\n\r,:"):
                return False
            at = b
        return not self.text[at:end].strip(" \t\n\r,:}]")

    def _value(self, start: int, end: int, path: str, notice: str = "") -> str | None:
        """The value with what is kept of it; None when nothing is."""
        text = self.text
        inside = self._inside(start, end)
        if not inside and not notice:
            return None
        if text[start] not in "{[":
            return self._scalar(start, end, inside)
        if not notice and self._covered(start, end, inside):
            return text[start:end]
        listed = self._children(start)
        is_object = text[start] == "{"
        out = []
        for child in _touched(listed, inside):
            piece = self._child(child, path, is_object)
            if piece is not None:
                out.append((child, piece))
        if not out and not notice:
            return None if listed else text[start:end]
        self._count(path, len(out), len(listed), is_object)
        return self._joined(start, end, out, notice)

    def _children(self, start: int) -> list[Child]:
        if start not in self._known:
            self._known[start] = children(self.text, start)
        return self._known[start]

    def _child(self, child: Child, path: str, is_object: bool) -> str | None:
        below = f"{path}.{child.key}" if path and is_object else child.key if is_object else path
        body = self._value(child.value, child.end, below)
        if body is None or not is_object:
            return body
        return self.text[child.start : child.value] + body

    def _count(self, path: str, kept: int, total: int, is_object: bool) -> None:
        if kept < total and is_object:
            self._cuts.objects += 1
        elif kept < total:
            self._cuts.arrays.append((path, kept, total))

    def _joined(self, start: int, end: int, out: list[tuple[Child, str]], notice: str) -> str:
        text = self.text
        lead = text[start + 1 : _skip(text, start + 1)]
        tail = text[len(text[: end - 1].rstrip(" \t\n\r")) : end - 1] if lead else ""
        pieces = [piece for _, piece in out]
        if notice and text[start] == "{":
            keys = {c.key for c in self._children(start)}
            key = NOTICE_KEY
            while key in keys:
                key += "_"
            pieces.insert(0, f"{json.dumps(key)}: {json.dumps(notice, ensure_ascii=False)}")
        elif notice:
            pieces.append(json.dumps({NOTICE_KEY: notice}, ensure_ascii=False))
        between = "," + (lead or " ")
        return text[start] + lead + between.join(pieces) + tail + text[end - 1]

    def _scalar(self, start: int, end: int, inside: list[tuple[int, int]]) -> str | None:
        if not inside:
            return None
        if end - start <= _WHOLE_SCALAR or self.text[start] != '"':
            return self.text[start:end]
        parts = [_whole_escapes(self.text, start, max(a, start + 1), min(b, end - 1)) for a, b in inside]
        body = " … ".join(self.text[a:b] for a, b in parts if b > a)
        whole = f'"{body}"'
        return whole if _is_string(whole) else self.text[start:end]


def _touched(listed: list[Child], ranges: list[tuple[int, int]]) -> list[Child]:
    """The children of which something is kept; of thousands only these are visited."""
    out: list[Child] = []
    starts = [c.start for c in listed]
    at = 0
    for a, b in ranges:
        at = max(at, bisect_left(starts, a) - 1, 0)
        while at < len(listed) and listed[at].start < b:
            if listed[at].end > a:
                out.append(listed[at])
            at += 1
    return out


def _whole_escapes(text: str, first: int, start: int, end: int) -> tuple[int, int]:
    """The range without a part of an escape sequence at either side."""
    for m in re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)").finditer(text, max(first, start - 6), end + 6):
        if m.start() < start < m.end():
            start = m.end()
        if m.start() < end < m.end():
            end = m.start()
    return start, max(start, end)


def _is_string(text: str) -> bool:
    try:
        return isinstance(json.loads(text), str)
    except ValueError:
        return False


def is_json(text: str) -> bool:
    """Whether the text is one JSON object or array."""
    start = _skip(text, 0)
    if start >= len(text) or text[start] not in "{[":
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def long_strings(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """(path, text) of the strings inside a JSON value, four levels deep at most."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict) and len(path) < 4:
        for k, v in value.items():
            yield from long_strings(v, (*path, k))
    elif isinstance(value, list) and len(path) < 4 and len(value) <= 16:
        for i, v in enumerate(value):
            yield from long_strings(v, (*path, i))


def dominating_string(text: str) -> tuple[int, int] | None:
    """The range, quotes included, of a string that holds more than 60 % of a JSON text: a file's content, a command's
    output, which is then cut as the text that it is. None where there is none."""
    at = _skip(text, 0)
    start, end = at, len(text)
    try:
        while start < len(text) and text[start] in "{[":
            best = max(children(text, start), key=lambda c: c.end - c.value, default=None)
            if best is None or best.end - best.value < 0.6 * len(text):
                return None
            start, end = best.value, best.end
    except (ValueError, IndexError, RecursionError):
        return None
    return (start, end) if start > at and text[start] == '"' else None
