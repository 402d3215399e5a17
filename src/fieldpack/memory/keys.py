"""Key facts of a conversation by patterns: no model, the same result every time (design text, 3.2.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fieldpack.compress.structure import Fact, read_facts

_LINE = re.compile(
    r"^\s*(?:[-*•]\s*)?\**(?P<key>[A-Z][\w /-]{1,40}?)\**\s*(?::|=)\s+(?P<value>\S.{0,200})$", re.MULTILINE
)
_VALUE = r"(?P<value>[^.,;!?\n]{1,80})"
_SAID = (
    ("name", re.compile(r"\b(?:[Mm]y name is|[Cc]all me) (?P<value>[A-Z][\w'-]+(?: [A-Z][\w'-]+){0,3})")),
    ("lives in", re.compile(r"\bI (?:live|am living|'m living) in (?P<value>[A-Z][\w'-]+(?:,? [A-Z][\w'-]+){0,3})")),
    ("comes from", re.compile(r"\bI(?: am|'m| come) from (?P<value>[A-Z][\w'-]+(?:,? [A-Z][\w'-]+){0,3})")),
    ("works at", re.compile(r"\bI work (?:at|for) (?P<value>[A-Z][\w&'-]+(?: [A-Z][\w&'-]+){0,3})")),
    ("works as", re.compile(rf"\bI work as (?:an? )?{_VALUE}")),
    ("email", re.compile(r"\b[Mm]y e-?mail(?: address)? is (?P<value>[^\s,;]+@[^\s,;]+\w)")),
    ("prefers", re.compile(rf"\bI(?:'d| would)? prefer {_VALUE}")),
    ("allergic to", re.compile(rf"\bI(?: am|'m) allergic to {_VALUE}")),
)
_MINE = re.compile(rf"\b[Mm]y (?P<key>(?!name\b|e-?mail)[a-z][\w-]*(?: [\w-]+){{0,3}}?) (?:is|are) {_VALUE}")
_VAGUE = re.compile(r"^(?:it|this|that|there|here|what|which|the (?:thing|point|problem|question))\b", re.IGNORECASE)
_LONGEST = 120


def key_facts(text: str) -> dict[str, str]:
    """{key: value} of what `text` states plainly: "Key: value" lines, what a speaker says of themselves ("my name is",
    "I live in", "my X is Y"), and sentences of the form "The X is Y". English; later statements win."""
    found: dict[str, str] = {}
    for fact in read_facts(text):
        if isinstance(fact, Fact) and len(fact.value) <= _LONGEST and not _VAGUE.match(fact.field):
            subject = f"{fact.subject}: {fact.field}" if fact.subject else fact.field
            found[subject] = fact.value.rstrip(".")
    for m in _LINE.finditer(text):
        found[m["key"].strip()] = m["value"].strip()
    for m in _MINE.finditer(text):
        found[m["key"]] = m["value"].strip()
    for key, pattern in _SAID:
        for m in pattern.finditer(text):
            found[key] = m["value"].strip()
    return found


def pairs(lines: str) -> dict[str, str]:
    """ "key: value" lines, as a model asked for them would answer (design text, 8.2)."""
    split = (line.partition(":") for line in lines.splitlines())
    return {k.strip(" -*"): v.strip() for k, colon, v in split if colon and k.strip(" -*") and v.strip()}


def stated(fields: Mapping[str, Any]) -> dict[str, str]:
    """What a message's metadata names as key_information (design text, 3.2.3)."""
    metadata = fields.get("metadata")
    named = metadata.get("key_information") if isinstance(metadata, Mapping) else None
    return {str(k): str(v) for k, v in named.items()} if isinstance(named, Mapping) else {}


def formatted(memory: Mapping[str, str]) -> str:
    """The text that stands for the memory in a context; "" when it is empty."""
    if not memory:
        return ""
    return "Key information from conversation:\n" + "\n".join(f"{k}: {v}" for k, v in memory.items())
