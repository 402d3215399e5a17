"""A validator for the part of JSON Schema 2020-12 that fractal.schema.json uses; a test compares it with `jsonschema`.

`jsonschema` itself stays out of the installed package: it would bring four more, one of them compiled, for one small
schema.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

KEYWORDS = frozenset(
    (
        *("$ref", "type", "enum", "properties", "required", "additionalProperties", "propertyNames", "items"),
        *("minimum", "maximum", "pattern", "uniqueItems", "minItems", "maxItems", "minLength", "maxLength"),
        *("minProperties", "maxProperties"),
    )
)
ANNOTATIONS = frozenset(("$schema", "$id", "$defs", "title", "description"))
_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, Mapping),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "integer": lambda v: isinstance(v, int | float) and not isinstance(v, bool) and v == int(v),
}
Problem = tuple[str, str]


def problems(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: str = "$") -> Iterator[Problem]:
    """(JSON path, what is wrong) for each breach. The depth of `value` bounds the recursion: check it first."""
    if "$ref" in schema:
        yield from problems(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, path)
    if "type" in schema and not _TYPES[schema["type"]](value):
        yield path, f"is {_short(value)}; expected {_article(schema['type'])}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield path, f"is {_short(value)}{_nearest(value, schema['enum'])}; expected one of {', '.join(schema['enum'])}"
    if isinstance(value, Mapping):
        yield from _object(value, schema, root, path)
    elif isinstance(value, list):
        yield from _array(value, schema, root, path)
    elif isinstance(value, str):
        yield from _string(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        if not low <= value <= high:
            yield path, f"is {value}; expected {f'at least {low}' if value < low else f'at most {high}'}"


def _object(
    value: Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], path: str
) -> Iterator[Problem]:
    known = schema.get("properties", {})
    for key in schema.get("required", ()):
        if key not in value:
            yield path, f"lacks the key {key!r}"
    yield from _size(len(value), schema.get("minProperties", 0), schema.get("maxProperties"), "keys", path)
    for key, item in value.items():
        below = f"{path}.{_short(key)}" if re.fullmatch(r"\w+", key) else f"{path}[{_short(key)!r}]"
        for _, problem in problems(key, schema.get("propertyNames", {}), root, path):
            yield below, f"the key {problem}"
        if key in known:
            yield from problems(item, known[key], root, below)
        elif schema.get("additionalProperties") is False:
            yield below, f"unknown key{_nearest(key, known)}; known: {', '.join(sorted(known))}"
        elif isinstance(rest := schema.get("additionalProperties"), Mapping):
            yield from problems(item, rest, root, below)


def _array(value: list[Any], schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[Problem]:
    yield from _size(len(value), schema.get("minItems", 0), schema.get("maxItems"), "items", path)
    if schema.get("uniqueItems") and len({repr(item) for item in value}) < len(value):
        yield path, "holds the same item twice"
    for i, item in enumerate(value):
        yield from problems(item, schema.get("items", {}), root, f"{path}[{i}]")


def _string(value: str, schema: Mapping[str, Any], path: str) -> Iterator[Problem]:
    yield from _size(len(value), schema.get("minLength", 0), schema.get("maxLength"), "characters", path)
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield path, f"is {_short(value)}; expected the pattern {schema['pattern']}"


def _size(count: int, low: int, high: int | None, what: str, path: str) -> Iterator[Problem]:
    if count < low or (high is not None and count > high):
        yield path, f"has {count} {what}; expected {f'at least {low}' if count < low else f'at most {high}'}"


def _nearest(value: Any, known: Any) -> str:
    matches = difflib.get_close_matches(str(value)[:60], [str(k) for k in known], n=1, cutoff=0.5)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def _short(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return "an object" if isinstance(value, Mapping) else "an array"
    text = str(value) if isinstance(value, str) else {None: "null", True: "true", False: "false"}.get(value, str(value))
    return text if len(text) <= 60 else text[:57] + "..."


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
