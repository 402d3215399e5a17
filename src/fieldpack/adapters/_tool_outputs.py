"""What the adapters that trim tool output share: the trimmer, the states of conversations, and failing open."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fieldpack.errors import InputError
from fieldpack.telemetry import log
from fieldpack.tools.calls import ToolCall
from fieldpack.tools.handle import ExpandTool
from fieldpack.tools.shapes import shape_of
from fieldpack.tools.state import TrimState, key_of
from fieldpack.tools.trimmer import ToolTrimmer

_CONVERSATIONS = 256
"""Conversations whose decisions a trimmer without a store remembers; the one used longest ago goes first."""
_OUTPUTS = 10_000
"""Outputs that a shadow remembers as counted."""


@dataclass(frozen=True)
class Occasion:
    """What an output is trimmed for. question: the user's last one before the call. call: that the output answers.
    conversation: whose decisions stand; "" where nothing is decided twice. request: the framework's own object."""

    question: str
    call: ToolCall
    conversation: str = ""
    request: Any = None


@dataclass(frozen=True)
class Choice:
    """What a user of an adapter may set. trimmer: a ToolTrimmer, or its keyword arguments. skip: names of tools whose
    outputs stay whole. question, conversation: a string, or a function of the framework's object, in place of what the
    adapter reads."""

    trimmer: ToolTrimmer | Mapping[str, Any] | None = None
    skip: Iterable[str] = ()
    question: str | Callable[[Any], str] | None = None
    conversation: str | Callable[[Any], str] | None = None


class ToolOutputs:
    """Trims the outputs of an agent's tools. Whatever goes wrong, an output goes out as it came. Safe for threads.

    Raises InputError or SettingsError for a choice that is none.
    """

    def __init__(self, choice: Choice) -> None:
        self.trimmer = _trimmer_of(choice.trimmer)
        if isinstance(choice.skip, str):
            raise InputError(f"skip is {choice.skip!r}; give a list of names of tools")
        self.skip = frozenset({*choice.skip, self.trimmer.settings.handle})
        self._choice = choice
        self._lock = threading.Lock()
        self._states: OrderedDict[str, TrimState] = OrderedDict()
        self._counted: OrderedDict[str, None] = OrderedDict()

    @property
    def expand(self) -> ExpandTool | None:
        """The tool that gives the rest back; None for a trimmer without a store, whose notices name no id."""
        return self.trimmer.tool() if self.trimmer.store is not None else None

    def trimmed(self, output: Any, read: Callable[[], Occasion | None]) -> Any:
        """The output as it goes to the model; the same object where nothing changes. read: gives the occasion, or None
        for an output to leave alone."""
        wanted = self._wanted(output, read)
        return output if wanted is None else self.trimmer.trim(output, **wanted).output

    async def atrimmed(self, output: Any, read: Callable[[], Occasion | None]) -> Any:
        """`trimmed` for an event loop."""
        wanted = self._wanted(output, read)
        return output if wanted is None else (await self.trimmer.atrim(output, **wanted)).output

    def _wanted(self, output: Any, read: Callable[[], Occasion | None]) -> dict[str, Any] | None:
        """The keyword arguments of `trim`, or None to leave the output alone."""
        try:
            occasion = read()
            if occasion is None or occasion.call.name in self.skip:
                return None
            question = _chosen(self._choice.question, occasion, occasion.question)
            conversation = _chosen(self._choice.conversation, occasion, occasion.conversation)
            if not question.strip() and not occasion.call.name:
                return None
            if conversation and self.trimmer.settings.shadow and self._is_counted(output, occasion.call, conversation):
                return None
            return {"question": question, "call": occasion.call, "state": self._state(conversation)}
        except Exception as error:
            log.warning("tool output unchanged: %s: %s", type(error).__name__, error)
            return None

    def _is_counted(self, output: Any, call: ToolCall, conversation: str) -> bool:
        """Whether a shadow has decided on this output: nothing is frozen there, and it comes again in each request."""
        key = conversation + key_of(call, shape_of(output).texts)
        with self._lock:
            known = key in self._counted
            self._counted[key] = None
            while len(self._counted) > _OUTPUTS:
                self._counted.popitem(last=False)
        return known

    def _state(self, conversation: str) -> TrimState | None:
        if not conversation:
            return None
        if self.trimmer.store is not None:
            return self.trimmer.state_of(conversation)
        with self._lock:
            state = self._states.pop(conversation, None) or TrimState()
            self._states[conversation] = state
            while len(self._states) > _CONVERSATIONS:
                self._states.popitem(last=False)
        return state


async def answer(tool: ExpandTool, arguments: Mapping[str, Any]) -> str:
    """What `expand` answers to a model's arguments, in a thread: never an exception."""
    try:
        wanted = {name: str(arguments.get(name) or "") for name in ("id", "query", "range")}
        return await asyncio.to_thread(tool, **wanted)
    except Exception as error:
        log.warning("expand: %s: %s", type(error).__name__, error)
        return f"the rest of this output cannot be read ({type(error).__name__}); run the tool again"


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or a list of strings and text blocks, as dicts or objects."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        content = [content]
    texts = []
    for part in content if isinstance(content, Sequence) else []:
        text = part if isinstance(part, str) else _text(part)
        if isinstance(text, str) and text.strip():
            texts.append(text)
    return "\n".join(texts)


def _text(part: Any) -> Any:
    return part.get("text") if isinstance(part, Mapping) else getattr(part, "text", None)


def name_of(questions: Sequence[str]) -> str:
    """The name of a conversation that has no other: of all that the user said in it until now."""
    return hashlib.sha256("\0".join(questions).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _trimmer_of(trimmer: ToolTrimmer | Mapping[str, Any] | None) -> ToolTrimmer:
    if isinstance(trimmer, ToolTrimmer):
        return trimmer
    if trimmer is not None and not isinstance(trimmer, Mapping):
        raise InputError(f"trimmer is a {type(trimmer).__name__}; give a ToolTrimmer or its keyword arguments")
    return ToolTrimmer(**(trimmer or {}))


def _chosen(chosen: str | Callable[[Any], str] | None, occasion: Occasion, default: str) -> str:
    value = chosen(occasion.request) if callable(chosen) else chosen
    return default if value is None else str(value)
