"""Kinds of values: each reads one node, or says what is wrong with it, where, and what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fieldpack.errors import SettingsError
from fieldpack.shell.condition import parse_condition
from fieldpack.shell.nodes import (
    Boolean,
    Chain,
    List,
    Map,
    Number,
    Placeholder,
    Shell,
    Span,
    String,
    Value,
    Word,
)
from fieldpack.shell.settings import SECTIONS, ShellSettingsError

MAX_PROBLEMS = 100
CONDITION_NAMES = frozenset(SECTIONS) | {
    "allocation",
    "tokens",
    "usage",
    "total",
    "budget",
    "remaining",
    "alert_threshold",
}


class Problems:
    """The problems of one text in the order they are met; after MAX_PROBLEMS reading stops."""

    def __init__(self) -> None:
        self.errors: list[ShellSettingsError] = []
        self.own_sections: list[tuple[Span, str]] = []
        """Targets that must be sections of the budget: checked at the end."""
        self.quoted_at: Span | None = None
        """The place of a quoted step while it is read: spans within it count from its quote."""

    def add(self, span: Span, message: str) -> None:
        place = self.quoted_at or span
        self.errors.append(ShellSettingsError(message, place.line, place.column))
        if len(self.errors) >= MAX_PROBLEMS:
            raise Stop


class Stop(Exception):
    """MAX_PROBLEMS were found."""


class Wrong(Exception):
    """The node does not fit the kind; the message describes the node."""


Table = Mapping[str, "Kind"]


@dataclass(frozen=True)
class Kind:
    """`expected` in words; `read` gives the value of a node or raises Wrong."""

    expected: str
    read: Callable[[Problems, Value], Any]


def read(problems: Problems, kind: Kind, node: Value, name: str) -> Any:
    """The value, or None after a problem was noted."""
    try:
        if isinstance(node, Placeholder):
            raise Wrong(f"still has the placeholder {short(node.value)}: fill it in")
        return kind.read(problems, node)
    except Wrong as wrong:
        problems.add(node.span, f"{name} {wrong}; expected {kind.expected}")
        return None


def read_map(problems: Problems, node: Map | None, table: Table, where: str) -> dict[str, Any]:
    """The entries of a map by a table of kinds. Unknown and repeated keys and values without a key are problems."""
    values: dict[str, Any] = {}
    seen: set[str] = set()
    for entry in node.entries if node else ():
        if entry.key is None:
            value_text = describe(entry.value)
            expected = f"expected key=value with {names(table)}"
            problems.add(entry.span, f"{value_text} stands in {where} without a key; {expected}")
        elif entry.key in seen:
            problems.add(entry.span, f"{where} says {entry.key!r} twice; keep one")
        elif entry.key not in table:
            problems.add(entry.span, unknown("key", entry.key, table, where))
        else:
            seen.add(entry.key)
            value = read(problems, table[entry.key], entry.value, entry.key)
            if value is not None:
                values[entry.key] = value
    return values


def unknown(what: str, name: str, known: Iterable[str], where: str = "") -> str:
    """The message for an unknown name of a `what`; it gives the nearest known one and all known ones."""
    nearest = difflib.get_close_matches(name[:60], sorted(known), n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return f"unknown {what} {short(name)!r}{f' in {where}' if where else ''}{hint} (known: {names(known)})"


def names(known: Iterable[str]) -> str:
    return ", ".join(sorted(known)) or "none"


def short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def describe(node: Value) -> str:
    """A node in a few words."""
    match node:
        case String():
            return f"the string {short(node.value)!r}"
        case Word() | Placeholder():
            return short(node.value)
        case Number():
            return f"{node.value}{'%' if node.percent else ''}"
        case Boolean():
            return "true" if node.value else "false"
        case Shell():
            return f"/{short(node.name)}"
        case Map():
            return "a map {...}"
        case List():
            return "a list [...]"
        case Chain():
            return "a chain of arrows"
        case _:
            return "null"


# -- kinds


def number(low: float, high: float) -> Kind:
    """A number within [low, high]; 15% is 0.15."""

    def read_number(_: Problems, node: Value) -> float:
        if not isinstance(node, Number) or not low <= node.amount <= high:
            raise Wrong(f"is {describe(node)}")
        return float(node.amount)

    return Kind(f"a number in [{low:g}, {high:g}]", read_number)


def count(low: int, high: int) -> Kind:
    """A whole number within [low, high]."""

    def read_count(_: Problems, node: Value) -> int:
        if (
            not isinstance(node, Number)
            or node.percent
            or node.value != int(node.value)
            or not low <= node.value <= high
        ):
            full = re.fullmatch(r"(\d{1,9})[kK]", node.value) if isinstance(node, Word) else None
            raise Wrong(f"is {describe(node)}" + (f" (write it in full, as in {full[1]}000)" if full else ""))
        return int(node.value)

    return Kind(f"a whole number in [{low}, {high}]", read_count)


def _flag(_: Problems, node: Value) -> bool:
    words = {"yes": True, "on": True, "no": False, "off": False}
    if isinstance(node, Boolean):
        return node.value
    if isinstance(node, Word) and node.value.lower() in words:
        return words[node.value.lower()]
    raise Wrong(f"is {describe(node)}")


def _text(_: Problems, node: Value) -> str:
    if not isinstance(node, String | Word) or not node.value.strip():
        raise Wrong(f"is {describe(node)}")
    return node.value


def _texts(problems: Problems, node: Value) -> tuple[str, ...]:
    if not isinstance(node, List):
        return (_text(problems, node),)
    if any(entry.key is not None for entry in node.entries):
        raise Wrong("is a list with keys")
    return tuple(_text(problems, entry.value) for entry in node.entries)


def refused(instead: str) -> Kind:
    """A key that nothing obeys; `instead` names the nearest that something does."""

    def read_refused(_: Problems, node: Value) -> Any:
        raise Wrong("has no effect")

    return Kind(instead, read_refused)


FLAG = Kind("true or false", _flag)
TEXT = Kind("a text", _text)
TEXTS = Kind("a text or a list of texts", _texts)


def choice(words: str) -> Kind:
    """One of these words (a text with spaces between them), in quotes or not."""
    options = words.split()

    def read_choice(problems: Problems, node: Value) -> str:
        value = _text(problems, node).strip().lower().replace(" ", "_").replace("-", "_")
        if value not in options:
            nearest = difflib.get_close_matches(value[:60], options, n=1, cutoff=0.5)
            raise Wrong(f"is {describe(node)}" + (f" (did you mean {nearest[0]!r}?)" if nearest else ""))
        return value

    return Kind(f"one of {', '.join(options)}", read_choice)


def _section(problems: Problems, node: Value) -> str:
    name = _text(problems, node)
    if name not in SECTIONS:
        problems.own_sections.append((problems.quoted_at or node.span, name))
    return name


SECTION = Kind("a section of the budget", _section)


def _condition(problems: Problems, node: Value) -> Any:
    text = "true" if isinstance(node, Boolean) and node.value else _text(problems, node)
    try:
        return parse_condition(text, CONDITION_NAMES)
    except SettingsError as error:
        raise Wrong(f"cannot be read {error}") from error


CONDITION = Kind("a condition such as 'history > 0.8*allocation'", _condition)


def record(table: Table, where: str) -> Kind:
    """A map with the keys of the table."""

    def read_record(problems: Problems, node: Value) -> dict[str, Any]:
        if not isinstance(node, Map):
            raise Wrong(f"is {describe(node)}")
        return read_map(problems, node, table, where)

    return Kind("a map {...}", read_record)


def records(table: Table, where: str) -> Kind:
    """A list of maps with the keys of the table."""

    def read_records(problems: Problems, node: Value) -> tuple[dict[str, Any], ...]:
        if not isinstance(node, List):
            raise Wrong(f"is {describe(node)}")
        kind = record(table, where)
        values = [read(problems, kind, entry.value, where) for entry in node.entries]
        return tuple(value for value in values if value is not None)

    return Kind("a list of maps [{...}, ...]", read_records)
