"""Conditions of rules, such as `history > 0.8*allocation`: read once into a postfix program, evaluated with no eval."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from fieldpack.errors import SettingsError, UnknownNameError

MAX_CHARS = 500
_TOKEN = re.compile(
    r"\s*+(?:(\d[\d_]*+(?:\.\d++)?|\.\d++)(%)?|([^\W\d][\w.]*+)|(>=|<=|==|!=|\|\||&&|[-+*/()<>!≥≤≠])|(\S))"
)
_WORDS = {"and": "&&", "or": "||", "not": "!", "≥": ">=", "≤": "<=", "≠": "!="}
_RANK = {"||": 1, "&&": 2, "!": 3, "<": 4, ">": 4, "<=": 4, ">=": 4, "==": 4, "!=": 4, "+": 5, "-": 5, "*": 6, "/": 6}
_RANK["negate"] = 7
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "||": lambda a, b: a or b,
    "&&": lambda a, b: a and b,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_LOGIC, _COMPARE = {"||", "&&", "!"}, {"<", ">", "<=", ">=", "==", "!="}


class Share(float):
    """The kind of a percentage: only a product with a number of tokens means something."""


@dataclass(frozen=True)
class Condition:
    """`text` as written; `program` in postfix order: numbers, truth values, names (`.history`) and operators; `names`
    used."""

    text: str
    program: tuple[float | bool | str, ...]
    names: tuple[str, ...]

    def evaluate(self, values: Mapping[str, float]) -> bool:
        """Whether it holds for these values (tokens, usually). UnknownNameError for a missing one, SettingsError for
        x/0."""
        stack: list[Any] = []
        for item in self.program:
            if not isinstance(item, str):
                stack.append(item)
            elif item.startswith("."):
                if item[1:] not in values:
                    raise UnknownNameError("value", item[1:], values, f"the condition {self.text!r} needs it")
                stack.append(float(values[item[1:]]))
            elif item in ("!", "negate"):
                value = stack.pop()
                stack.append(not value if item == "!" else -value)
            else:
                right, left = stack.pop(), stack.pop()
                if item == "/" and right == 0:
                    raise SettingsError(f"the condition {self.text!r} divides by zero")
                stack.append(_BINARY[item](left, right))
        return bool(stack[0])


def parse_condition(text: str, names: Iterable[str]) -> Condition:
    """Read a condition over those names: numbers (`80%` is 0.8), + - * /, comparisons, and/or/not, parentheses.

    Raises SettingsError, with the column in the condition, for anything else: it must be true or false, not a number.
    """
    if len(text) > MAX_CHARS:
        raise SettingsError(f"a condition of {len(text)} characters; at most {MAX_CHARS} are read")
    reader = _Reader(text, sorted(set(names)))
    return reader.read()


class _Reader:
    """Shunting yard: operators wait on a stack until a weaker one comes; no recursion, so no depth to bound."""

    def __init__(self, text: str, known: list[str]) -> None:
        self.text, self.known = text, known
        self.column = 1
        self.program: list[float | bool | str] = []
        self.kinds: list[type] = []  # of the values that the program leaves on the stack
        self.waiting: list[str] = []
        self.names: dict[str, None] = {}

    def fail(self, message: str) -> NoReturn:
        raise SettingsError(f"in the condition {self.text!r}, column {self.column}: {message}")

    def read(self) -> Condition:
        operand = True  # an operand (or a sign) comes next
        for match in _TOKEN.finditer(self.text):
            self.column = match.start(match.lastindex or 0) + 1
            number, percent, name, mark, other = match.groups()
            if other:
                self.fail(f"{other!r} has no meaning here; use numbers, names, + - * / < > <= >= == != and or not ( )")
            mark = mark or (name if name in _WORDS else None)
            mark = _WORDS.get(mark, mark) if mark else None
            if mark:
                operand = self.mark(mark, operand)
                continue
            if not operand:
                self.fail(f"found {match[0].strip()!r}; expected an operator")
            self.operand(number, percent, name)
            operand = False
        self.column = len(self.text) + 1
        if operand:
            self.fail("the condition ends; expected a number or a name")
        return self.finish()

    def operand(self, number: str | None, percent: str | None, name: str | None) -> None:
        if number:
            value = float(number.replace("_", ""))
            if value > 1e300:
                self.fail("this number is out of range (at most 1e300)")
            self.push(value / 100 if percent else value, Share if percent else float)
        elif name in ("true", "false"):
            self.push(name == "true", bool)
        elif name not in self.known:
            try:
                raise UnknownNameError("name", str(name)[:60], self.known)
            except UnknownNameError as error:
                self.fail(str(error))
        else:
            self.names[name] = None
            self.push(f".{name}", float)

    def mark(self, mark: str, operand: bool) -> bool:
        """One operator or parenthesis; gives whether an operand comes next."""
        if operand and mark in ("-", "+", "!", "("):
            self.waiting.extend({"-": ("negate",), "+": ()}.get(mark, (mark,)))
            return True
        if operand or mark in ("(", "!"):
            self.fail(f"found {mark!r}; expected {'a number or a name' if operand else 'an operator'}")
        if mark == ")":
            while self.waiting and self.waiting[-1] != "(":
                self.apply(self.waiting.pop())
            if not self.waiting:
                self.fail("this ')' closes nothing")
            self.waiting.pop()
            return False
        while self.waiting and self.waiting[-1] != "(" and _RANK[self.waiting[-1]] >= _RANK[mark]:
            self.apply(self.waiting.pop())
        self.waiting.append(mark)
        return True

    def push(self, item: float | bool | str, kind: type) -> None:
        self.program.append(item)
        self.kinds.append(kind)

    def apply(self, mark: str) -> None:
        """Move an operator to the program and check what it works on: `1 < 2 < 3` and `not history` mean nothing."""
        unary = mark in ("!", "negate")
        operands = [self.kinds.pop() for _ in range(1 if unary else 2)]
        wanted = bool if mark in _LOGIC else float
        if Share in operands:
            if mark != "*" or float not in operands:
                self.fail("a percentage of what? multiply it, as in 80%*allocation")
            operands = [float]
        if any(kind is not wanted for kind in operands):
            sign = {"negate": "-"}.get(mark, mark)
            self.fail(f"{sign!r} works on {'conditions' if wanted is bool else 'numbers'} only")
        self.push(mark, bool if mark in _LOGIC or mark in _COMPARE else float)

    def finish(self) -> Condition:
        while self.waiting:
            mark = self.waiting.pop()
            if mark == "(":
                self.fail("a '(' is not closed")
            self.apply(mark)
        if self.kinds != [bool]:
            self.fail("this is a number; compare it, as in 'history > 0.8*allocation'")
        return Condition(self.text, tuple(self.program), tuple(self.names))
