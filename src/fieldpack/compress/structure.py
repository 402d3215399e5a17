"""Sentences that state facts as a list (design text, sections 3.3.3 and 4.2.3). English patterns; nothing is lost:
a sentence that fits no pattern stays as it is.

What the patterns drop is the articles, pronouns and forms of "to be" and "to have" that the list form says by itself.
Paraphrase (dates in another form, "Tenure" for "has been a customer for") is beyond patterns and left to a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fieldpack.compress.units import read_units

_OWNER = re.compile(r"(?:The|Our|My|Your|This) (?P<owner>[A-Za-z][\w-]*(?: [\w-]+){0,3})['’]s (?P<rest>.+)")
_PRONOUN = re.compile(r"(?P<who>He|She|They|It|His|Her|Their|Its) (?P<rest>.+)")
_CLASS = {"he": "he", "his": "he", "she": "she", "her": "she", "they": "they", "their": "they", "it": "it", "its": "it"}
_FIELD = r"(?P<field>[A-Za-z][\w-]*(?: (?!is\b|are\b|was\b|were\b)[\w/-]+){0,5})"
_IS = re.compile(rf"{_FIELD} (?:is|are) (?:(?:on|at) )?(?P<value>.+)")
# The past may differ from the present, so "was" only where the field itself says that it is past.
_WAS = re.compile(
    r"(?P<field>(?:last|first|latest|previous|original|initial|most recent)(?: (?!was\b)[\w/-]+){1,4}) (?:was|were)"
    r" (?:(?:on|at) )?(?P<value>.+)"
)
_AGE = re.compile(r"(?:is|are) (?P<value>\d+) years old")
_SINCE = re.compile(r"(?:has|have) been (?:an? )?(?P<field>[\w-]+(?: [\w-]+){0,3}) (?P<link>for|since) (?P<value>.+)")
_HAS = re.compile(r"(?:has|have) an? (?P<value>[\w-]+) (?P<field>[\w-]+)")
_DONE = re.compile(r"(?:has|have) (?P<field>[a-z]+(?:ed|nt|nd|en|wn|ght|id)) (?P<value>(?!to\b|by\b).+)")
_THE = re.compile(rf"The {_FIELD} (?:is|are) (?P<value>.+)")
_USES = re.compile(r"(?P<field>[A-Z][\w-]*(?: [\w-]+){0,2}) uses (?P<value>.+)")
# More than one statement, a condition or a clause: the sentence is left alone.
_COMPLEX = re.compile(
    r"[;:?!\n\"“”()]|,? \b(?:but|because|although|though|if|unless|when|while|which|who|whose|whereas|so that|however"
    r"|and (?:is|are|was|has|have|he|she|it|they|the|his|her|its|their|that))\b|\bnot\b|n't\b"
)
_BAD_START = re.compile(r"(?:that|to|being|also|still|now|only|too|because|there|here|as|what|how|why|where)\b")
_SHARED = re.compile(r"(?P<head>.+?) (?P<link>for|of) (?P<key>.+)")


@dataclass(frozen=True, slots=True)
class Fact:
    """`field`: `value`, said of `subject` ("" when the sentence names none). `sentence` is the original."""

    subject: str
    field: str
    value: str
    sentence: str


def read_facts(text: str) -> list[Fact | str]:
    """Every unit of `text` in order: a Fact where a pattern fits, else the unit as it stands.

    A pronoun is resolved only to the subject of the fact right before it, and only while the same pronoun is used.
    """
    subject = pronoun = ""
    items: list[Fact | str] = []
    for unit in read_units(text):
        body = text[unit.start : unit.end]
        fact, seen = _fact(body, subject, pronoun) if unit.kind == "sentence" else (None, "")
        if fact is None:
            subject = pronoun = ""
            items.append(body)
            continue
        if fact.subject != subject:
            pronoun = ""
        subject, pronoun = fact.subject, seen or pronoun
        items.append(fact)
    return items


def structured_input(text: str) -> str:
    """Facts as "- Field: value" lines under their subject, everything else verbatim on lines of its own, in order."""
    return "\n".join(_lines(read_facts(text)))


def chunk_information(text: str) -> str:
    """structured_input with facts of one kind in one line: "Endpoint for: user data = /users; products = /products"."""
    return "\n".join(_lines(_grouped(read_facts(text))))


def _fact(body: str, subject: str, pronoun: str) -> tuple[Fact | None, str]:
    """The fact that the sentence states, and the class of its pronoun; (None, "") when no pattern fits."""
    if not body.endswith(".") or _COMPLEX.search(body):
        return None, ""
    sentence = body[:-1]
    if owned := _OWNER.fullmatch(sentence):
        name = owned["owner"][0].upper() + owned["owner"][1:]
        return _stated(name, owned["rest"], (_IS, _WAS), body), ""
    if match := _PRONOUN.fullmatch(sentence):
        seen = _CLASS[match["who"].lower()]
        if not subject or (pronoun and pronoun != seen):
            return None, ""
        patterns = (_IS, _WAS) if match["who"] in ("His", "Her", "Their", "Its") else (_AGE, _SINCE, _HAS, _DONE)
        return _stated(subject, match["rest"], patterns, body), seen
    return _stated("", sentence, (_THE, _USES), body), ""


def _stated(subject: str, rest: str, patterns: Sequence[re.Pattern[str]], body: str) -> Fact | None:
    for pattern in patterns:
        if (match := pattern.fullmatch(rest)) and not _BAD_START.match(match["value"]):
            groups = match.groupdict()
            field = groups.get("field", "age") + (f" {groups['link']}" if groups.get("link") else "")
            return Fact(subject, field[0].upper() + field[1:], match["value"], body)
    return None


def _lines(items: Sequence[Fact | str]) -> Iterator[str]:
    subject = ""
    for item in items:
        if isinstance(item, str):
            subject = ""
            yield item
            continue
        if item.subject != subject:
            subject = item.subject
            if subject:
                yield f"{subject}:"
        yield f"{'- ' if subject else ''}{item.field}: {item.value}"


def _grouped(items: Sequence[Fact | str]) -> list[Fact | str]:
    """Facts of one subject whose fields share a head ("endpoint for ...") as one fact, at the place of the first."""
    places: dict[tuple[str, str], int] = {}
    merged: list[Fact | str] = []
    for item in items:
        shared = _SHARED.fullmatch(item.field) if isinstance(item, Fact) else None
        if shared is None or isinstance(item, str):
            merged.append(item)
            continue
        head = f"{shared['head']} {shared['link']}"
        at = places.setdefault((item.subject, head), len(merged))
        entry = f"{shared['key']} = {item.value}"
        if at == len(merged):
            merged.append(item)
            continue
        before = merged[at]
        if isinstance(before, Fact):
            first = _SHARED.fullmatch(before.field)
            start = f"{first['key']} = {before.value}" if first else before.value
            merged[at] = replace(
                before, field=head, value=f"{start}; {entry}", sentence=f"{before.sentence} {item.sentence}"
            )
    return merged
