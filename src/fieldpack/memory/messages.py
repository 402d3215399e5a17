"""Messages in the usual role/content form, what they cost, and which of them belong together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from fieldpack.errors import InputError

SYSTEM = ("system", "developer")
SENT = ("name", "tool_calls", "tool_call_id", "refusal")
"""Fields besides role and content that go to a model; others (time, session, metadata ...) stay in the memory."""
TIMES = ("time", "timestamp", "date", "session_time", "created_at")
SESSIONS = ("session", "session_id", "thread_id", "conversation_id")
NAMES = ("name", "speaker", "author")
_EPOCH = 1e8
_OPENING = re.compile(r"([A-Z][\w.'-]*(?: [A-Z][\w.'-]*){0,2}): ")


@dataclass(frozen=True)
class Message:
    """One message. content: a string, a list of parts as OpenAI or Anthropic have them, or None. fields: whatever else
    was said of it. tokens: of `render` of it alone. summary: whether the memory wrote it in place of older messages."""

    id: str
    role: str
    content: str | list[Any] | None
    fields: Mapping[str, Any] = field(default_factory=dict)
    tokens: int = 0
    summary: bool = False

    def to_row(self) -> dict[str, Any]:
        """Plain values for a file."""
        return {
            "id": self.id,
            "role": self.role,
            "content": self.content,
            "fields": dict(self.fields),
            "tokens": self.tokens,
            "summary": self.summary,
        }

    @staticmethod
    def from_row(row: Mapping[str, Any]) -> Message:
        """What `to_row` gave. Raises KeyError, TypeError or ValueError for anything else."""
        return Message(
            id=row["id"],
            role=row["role"],
            content=row["content"],
            fields=dict(row["fields"]),
            tokens=int(row["tokens"]),
            summary=bool(row["summary"]),
        )

    @property
    def system(self) -> bool:
        """Whether it must never be lost."""
        return self.role in SYSTEM and not self.summary

    @property
    def text(self) -> str:
        """What it says, in words: text parts, and tool calls as JSON."""
        calls = self.fields.get("tool_calls")
        said = [text_of(self.content), *(_call(c) for c in calls or ())]
        return "\n".join(s for s in said if s)

    @property
    def name(self) -> str:
        """Who speaks: the name, speaker or author given, else a name that opens the text, else the role."""
        return next((str(self.fields[k]) for k in NAMES if self.fields.get(k)), self.opening or self.role)

    @property
    def opening(self) -> str:
        """The name that opens the text, as transcripts have it, "" when there is none."""
        found = _OPENING.match(self.text)
        return found[1] if found else ""

    @property
    def session(self) -> str:
        return next((str(self.fields[k]) for k in SESSIONS if self.fields.get(k) is not None), "")

    @property
    def time(self) -> str:
        """When it was said, in words that a question would use ("8 May 2023"), "" when unknown."""
        return next((spoken_time(self.fields[k]) for k in TIMES if self.fields.get(k) is not None), "")

    @property
    def calls(self) -> tuple[str, ...]:
        """Ids of the tool calls that it makes."""
        found = [c.get("id") for c in self.fields.get("tool_calls") or () if isinstance(c, Mapping)]
        found += [p.get("id") for p in _parts(self.content) if p.get("type") == "tool_use"]
        return tuple(str(i) for i in found if i)

    @property
    def answers(self) -> tuple[str, ...]:
        """Ids of the tool calls whose results it brings."""
        found = [self.fields.get("tool_call_id")]
        found += [p.get("tool_use_id") for p in _parts(self.content) if p.get("type") == "tool_result"]
        return tuple(str(i) for i in found if i)

    def to_dict(self) -> dict[str, Any]:
        """As a model's interface takes it."""
        return {"role": self.role, "content": self.content} | {k: self.fields[k] for k in SENT if k in self.fields}


def checked(role: str, content: Any, fields: Mapping[str, Any]) -> None:
    """Raises InputError for what is no message."""
    if not isinstance(role, str) or not role.strip():
        raise InputError(f"role is {role!r}; give a name such as 'user', 'assistant', 'system' or 'tool'")
    if isinstance(content, list):
        if bad := [p for p in content if not isinstance(p, str | Mapping)]:
            raise InputError(
                f"a content part is a {type(bad[0]).__name__}; give {{'type': 'text', 'text': ...}} or strings"
            )
    elif content is not None and not isinstance(content, str):
        raise InputError(f"content is a {type(content).__name__}; give a string, a list of content parts or None")
    if content is None and not fields.get("tool_calls"):
        raise InputError("content is None and there are no tool_calls; a message must say something")


def text_of(content: str | list[Any] | None) -> str:
    """The words of a content: text parts one below the other, other parts by their kind in brackets."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(s for s in (_part(p) for p in content) if s)


def render(messages: Iterable[Message | Mapping[str, Any]]) -> str:
    """The string on which tokens are counted: "role: content" (design text, 8.2), one message below the other; tool
    calls stand below the content as JSON, parts that are no text as "[kind]". A model's own wrapping is not in it."""
    return "\n".join(_line(m) for m in messages)


def apply_window(messages: Sequence[Mapping[str, Any]], window_size: int = 10) -> list[Mapping[str, Any]]:
    """The first message and the last window_size - 1 (design text, 3.2.1); a tool result whose call is cut off, or a
    call whose result is, goes as well."""
    if window_size < 1:
        raise InputError(f"window_size is {window_size}; give 1 or more")
    if len(messages) <= window_size:
        return list(messages)
    chosen = [messages[0], *messages[len(messages) - window_size + 1 :]]
    given = [_record(m) for m in chosen]
    called = {i for m in given for i in m.calls}
    answered = {i for m in given for i in m.answers}
    return [m for m, r in zip(chosen, given, strict=True) if set(r.answers) <= called and set(r.calls) <= answered]


def exchanges(messages: Sequence[Message]) -> list[list[Message]]:
    """Messages that stay or go together: a call with its results, any other message alone. A call that still waits for
    a result, and a result without a call, are in none."""
    waiting: dict[str, list[Message]] = {}
    groups: list[list[Message]] = []
    for m in messages:
        known = [waiting[i] for i in m.answers if i in waiting]
        if m.answers and not known:
            continue
        group = known[0] if known else []
        group.append(m)
        if not known:
            groups.append(group)
        waiting.update((i, group) for i in m.calls)
    return [g for g in groups if {i for m in g for i in m.calls} <= {i for m in g for i in m.answers}]


def spoken_time(value: Any) -> str:
    """A time as words: dates by day, month's name and year; other strings as they are."""
    if isinstance(value, datetime | date):
        return f"{value.day} {value:%B %Y}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return (
                spoken_time(datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC))
                if value > _EPOCH
                else ""
            )
        except (OverflowError, OSError, ValueError):
            return ""
    if isinstance(value, str):
        try:
            return spoken_time(datetime.fromisoformat(value))
        except ValueError:
            return value.strip()
    return ""


def _record(m: Mapping[str, Any]) -> Message:
    return Message(
        "", str(m.get("role", "")), m.get("content"), {k: v for k, v in m.items() if k not in ("role", "content")}
    )


def _line(m: Message | Mapping[str, Any]) -> str:
    message = m if isinstance(m, Message) else _record(m)
    return f"{message.role}: {message.text}"


def _parts(content: Any) -> list[Mapping[str, Any]]:
    return [p for p in content if isinstance(p, Mapping)] if isinstance(content, list) else []


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part.get("text"), str):
        return str(part["text"])
    if part.get("type") == "tool_use":
        return _call(part)
    if part.get("type") == "tool_result":
        inner = part.get("content")
        return text_of(inner) if isinstance(inner, str | list) else ""
    return f"[{part.get('type', 'part')}]"


def _call(call: Any) -> str:
    return json.dumps(call, ensure_ascii=False, sort_keys=True, default=str)
