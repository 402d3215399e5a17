"""Strict JSON: no key twice, no NaN, no huge number, no deep nesting, no more than a megabyte."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn

from fieldpack.errors import SettingsError

MAX_CHARS = 1 << 20
MAX_DEPTH = 64
MAX_VALUES = 100_000
_MAX_NUMBER_CHARS = 60
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


class FractalError(SettingsError):
    """A fractal.json that is no JSON, breaks the schema or contradicts itself.

    `problems` are "path: what is wrong" in the order of the document; `line` and `column` count from 1 where the text
    is no JSON, and are 0 otherwise.
    """

    def __init__(self, problems: list[str], line: int = 0, column: int = 0) -> None:
        self.problems, self.line, self.column = problems, line, column
        place = f"line {line}, column {column}: " if line else ""
        more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
        super().__init__(place + "; ".join(problems[:5]) + more)


def parse_json(text: str) -> Any:
    """The value of a JSON text. FractalError with line and column where it is no strict JSON."""
    if len(text) > MAX_CHARS:
        raise FractalError([f"the text has {len(text)} characters; at most {MAX_CHARS} are read"], 1, 1)
    text = text.removeprefix("\ufeff")
    depth = 0
    for match in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > MAX_DEPTH:
            _fail(text, match.start(), f"brackets nest deeper than {MAX_DEPTH}")
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_constant
        )
    except json.JSONDecodeError as error:
        _fail(text, error.pos, error.msg[:1].lower() + error.msg[1:])


def check_value(value: Any) -> Any:
    """A value from a program in JSON's own types (tuples become lists), bounded as a text would be; FractalError
    otherwise."""
    count = 0

    def copy(item: Any, path: str, depth: int) -> Any:
        nonlocal count
        count += 1
        if depth > MAX_DEPTH or count > MAX_VALUES:
            raise FractalError([f"{path}: nests deeper than {MAX_DEPTH} or holds more than {MAX_VALUES} values"])
        if isinstance(item, Mapping):
            if bad := [key for key in item if not isinstance(key, str)]:
                raise FractalError([f"{path}: the key {bad[0]!r} is no text"])
            return {key: copy(below, f"{path}.{key[:60]}", depth + 1) for key, below in item.items()}
        if isinstance(item, list | tuple):
            return [copy(below, f"{path}[{i}]", depth + 1) for i, below in enumerate(item)]
        if item is None or isinstance(item, bool | str):
            return item
        if isinstance(item, int | float) and abs(item) <= 1e300:  # NaN is not <= anything
            return item
        raise FractalError([f"{path}: {type(item).__name__} {str(item)[:60]} is no JSON value"])

    return copy(value, "$", 0)


def _fail(text: str, position: int, message: str) -> NoReturn:
    line = text.count("\n", 0, position) + 1
    raise FractalError([message], line, position - (text.rfind("\n", 0, position) + 1) + 1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise FractalError([f"the key {twice[:60]!r} stands twice in one object"])
    return value


def _integer(digits: str) -> int:
    if len(digits) > _MAX_NUMBER_CHARS:
        raise FractalError([f"a number of {len(digits)} characters; at most {_MAX_NUMBER_CHARS} are read"])
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits) if len(digits) <= _MAX_NUMBER_CHARS else math.inf
    if not abs(value) <= 1e300:
        raise FractalError(
            [f"the number {digits[:20]}... is out of range or has more than {_MAX_NUMBER_CHARS} characters"]
        )
    return value


def _constant(name: str) -> NoReturn:
    raise FractalError([f"{name} is no JSON number"])
