"""The call that a tool's output answers, in the form of any framework, and the query made of it and the question."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from fieldpack.errors import InputError
from fieldpack.relevance.intent import asks_why
from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.words import split

_NAMES = ("name", "tool", "tool_name", "toolName")
_ARGUMENTS = ("arguments", "args", "input", "tool_input", "toolArgs", "tool_args")
_IDS = ("id", "call_id", "tool_call_id", "tool_use_id")
_SHORTEST, _LONGEST, _MOST = 3, 80, 12
"""Characters of an argument's value that may join the query, and how many of them may."""
_COMMON = 0.2
"""A value on a larger share of the lines says nothing about which of them answer."""
_SHORTENED = re.compile(r"(?<![\w-])(?=[a-zA-Z-]*\d)[\w-]{6,40}(?![\w-])")
_FEW_WORDS = 3
_WORDS = re.compile(r"[A-Za-z][a-z]*|\d+")


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool. arguments: by name. id: what the framework calls this call. failed: whether the tool itself
    says that it failed, which pins the errors in its output; None when it does not say."""

    name: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    failed: bool | None = None

    def __new__(cls, *_values: Any, **named: Any) -> Self:
        """Raises InputError for a name that is no field: frameworks call the arguments by other names."""
        if unknown := [name for name in named if name not in cls.__dataclass_fields__]:
            raise InputError(
                f"ToolCall has no {unknown[0]!r}; allowed: {', '.join(cls.__dataclass_fields__)}. What frameworks call "
                "args or input is `arguments`; a call in their form goes in as it is, or through ToolCall.of"
            )
        return super().__new__(cls)

    @staticmethod
    def of(call: Any) -> ToolCall:
        """A call in the form of OpenAI, Anthropic, MCP, LangChain, a plain {"tool", "args"}, or an object with such
        attributes. What cannot be read is a call without a name."""
        if call is None or isinstance(call, ToolCall):
            return call or ToolCall()
        if isinstance(call, str):
            return ToolCall(call)
        inner = _value(call, ("function",))
        outer = call
        if inner is not None and not isinstance(inner, str) and _value(inner, _NAMES) is not None:
            call = inner
        return ToolCall(
            name=str(_value(call, _NAMES) or ""), arguments=_arguments(call), id=str(_value(outer, _IDS) or "")
        )


def _value(call: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        value = call.get(name) if isinstance(call, Mapping) else getattr(call, name, None)
        if value is not None:
            return value
    return None


def _arguments(call: Any) -> Mapping[str, Any]:
    value = _value(call, _ARGUMENTS)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = {"input": value}
    return dict(value) if isinstance(value, Mapping) else {} if value is None else {"input": value}


def query_of(question: str, call: ToolCall, text: str) -> str:
    """The question, then the values of the call's arguments that occur in the text and that the question does not name.

    On 165 packs of tool output the values behind the question cost nothing; as a second query of weight .02, .1 and .3
    they cost .01, .02 and .04 of the packs that were whole, with the tool's name .03 to .06, the arguments as JSON .07.
    Without a question the words of the tool's name and all short values are the query.
    """
    question = " ".join(question.split())
    values = [v for v in leaves(call.arguments) if _SHORTEST <= len(v) <= _LONGEST and "\n" not in v]
    if not question:
        return " ".join(dict.fromkeys([*_WORDS.findall(call.name), *values[:_MOST]]))
    lower = question.lower()
    lines = text.count("\n") + 1
    named = [v for v in values if v.lower() not in lower and 0 < text.count(v) <= max(1, _COMMON * lines)]
    return " ".join([question, *dict.fromkeys([*named[:_MOST], *_completed(question, text)])])


def _completed(question: str, text: str) -> list[str]:
    """The words of the text that names of the question are the beginning of: an id or a hash that was cut short."""
    out: list[str] = []
    for name in dict.fromkeys(_SHORTENED.findall(question)):
        if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
            words = dict.fromkeys(re.findall(rf"(?<![\w-]){re.escape(name)}[\w-]{{1,80}}", text))
            out += words if len(words) <= _FEW_WORDS else ()
    return out


def names_one_thing(question: str, text: str) -> bool:
    """Whether a question about a failure says which of many it means: two of its words, or one name with digits or
    signs, stand on few lines of the text. Words that ask why do not count, nor function words."""
    words = [w for w in dict.fromkeys(split(question)) if w not in STOPWORDS and not asks_why(w)]
    lower, lines = text.lower(), text.count("\n") + 1
    rare = [w for w in words if 0 < lower.count(w) <= max(1, _COMMON * lines)]
    return len(rare) > 1 or any(not w.isalpha() for w in rare)


def leaves(value: Any, depth: int = 0) -> Iterator[str]:
    """The strings and numbers inside a JSON value, as text."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, Mapping | list | tuple) and depth < 6:
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from leaves(item, depth + 1)
