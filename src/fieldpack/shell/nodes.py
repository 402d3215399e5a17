"""The tree of a protocol shell: frozen, with source spans, and with every character of its source.

A leaf keeps the `raw` text it was read from; a container keeps the `gaps` between its children (brackets, commas,
blanks, comments). `dump` writes them back, so an unmodified tree gives the very same text, and after
`dataclasses.replace` only the replaced node is written anew. Spans, raw text and gaps take no part in equality: two
shells are equal when they say the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from fieldpack.errors import InputError


class Span(NamedTuple):
    """`text[start:end]` of the parsed text; `line` and `column` of `start`, from 1, in characters (0: not from a
    text)."""

    start: int
    end: int
    line: int
    column: int


NOWHERE = Span(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class String:
    """A quoted string, escapes decoded."""

    value: str
    raw: str = field(default="", compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number; `percent` when written with a % sign (`15%` has value 15)."""

    value: int | float
    percent: bool = False
    raw: str = field(default="", compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    @property
    def amount(self) -> int | float:
        """What is meant: 15% is 0.15."""
        return self.value / 100 if self.percent else self.value


@dataclass(frozen=True, slots=True)
class Boolean:
    """true or false."""

    value: bool
    raw: str = field(default="", compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Null:
    """null."""

    raw: str = field(default="", compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Word:
    """Bare text on one line: `key_points`, `parameter.document`, `...`, `the oldest messages`, `history >
    0.8*allocation`."""

    value: str
    raw: str = field(default="", compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`<name>` or `${name}`: something a person is to fill in. `value` is the whole text, brackets included."""

    value: str
    raw: str = field(default="", compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a map or list: `key=value`, `key: value`, or (key None) a value alone. `quoted`: the key stood in
    quotes."""

    key: str | None
    value: Value
    quoted: bool = False
    head: str = field(default="", compare=False, repr=False)  # the text from the key to the value
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Map:
    """`{...}`."""

    entries: tuple[Entry, ...] = ()
    gaps: tuple[str, ...] = field(default=(), compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    def get(self, key: str) -> Value | None:
        """The value of the first entry with that key."""
        return next((e.value for e in self.entries if e.key == key), None)


@dataclass(frozen=True, slots=True)
class List:
    """`[...]`."""

    entries: tuple[Entry, ...] = ()
    gaps: tuple[str, ...] = field(default=(), compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Chain:
    """`a -> b -> c`: two or more values joined by arrows."""

    parts: tuple[Value, ...]
    gaps: tuple[str, ...] = field(default=(), compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Shell:
    """`/name{...}`; a step in a list may have no body. `before` and `after` are the text around a shell that was
    parsed."""

    name: str
    body: Map | None = None
    gap: str = field(default="", compare=False, repr=False)  # the text between the name and the body
    before: str = field(default="", compare=False, repr=False)
    after: str = field(default="", compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    def get(self, key: str) -> Value | None:
        """The value of the first entry of the body with that key."""
        return self.body.get(key) if self.body else None


Value: TypeAlias = String | Number | Boolean | Null | Word | Placeholder | Map | List | Chain | Shell
Leaf: TypeAlias = String | Number | Boolean | Null | Word | Placeholder

MAX_DEPTH = 64
"""Brackets within brackets; the notation's own corpus goes to 7."""


def children(value: Value) -> tuple[Value, ...]:
    """The values directly below."""
    if isinstance(value, Map | List):
        return tuple(e.value for e in value.entries)
    if isinstance(value, Chain):
        return value.parts
    return (value.body,) if isinstance(value, Shell) and value.body else ()


def walk(value: Value) -> Iterator[Value]:
    """The value and all values below it, in reading order. InputError when a hand-made tree nests deeper than a text
    may."""
    stack = [(value, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > 3 * MAX_DEPTH:  # a chain, a shell and its body come to three nodes for one bracket
            raise InputError(f"the tree nests deeper than the {MAX_DEPTH} brackets that a shell may have")
        yield node
        stack.extend((child, depth + 1) for child in reversed(children(node)))
