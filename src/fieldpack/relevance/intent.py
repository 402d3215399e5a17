"""What an English question asks for besides its words: the cause of a failure, a definition, a place, rows that are not
so, and which of its words are one name.

A line of a table or a log is too short for word vectors to tell an answer from its rivals; these few forms do. A query
in another language, or without one of the forms, has none of them, and its words alone count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.words import split, stem_of

_CAUSE = re.compile(
    r"\b(?:why|causes?|caused|reasons?|fail(?:s|ed|ing|ures?)?|errors?|exceptions?|raise[sd]?|throw[sn]?|threw|crash\w*"
    r"|assert\w*|wrong|broke|breaks?|died?|abort\w*|root cause|went wrong|problem)\b",
    re.I,
)
_DEFINITION = re.compile(r"\b(?:defin(?:e[sd]?|itions?)|declar(?:e[sd]?|ations?)|implement(?:ed|ations?)?)\b", re.I)
_PLACE = re.compile(r"\b(?:where|location|located|whereabouts|which (?:room|shelf|place|building|drawer))\b", re.I)
_LISTING = re.compile(
    r"^\W*(?:(?:please |can you )?(?:list|name|enumerate)|which|what (?:are|were))\b|\b(?:all|every|each)\b", re.I
)
_SELECTS = re.compile(r"\s*(?:why|how)\b", re.I)
_DENIAL = re.compile(
    r"\b(?:not|never|neither|nor|without|except(?: for)?|excluding|other than|no longer|isn['’]t|aren['’]t|wasn['’]t"
    r"|weren['’]t|hasn['’]t|haven['’]t|doesn['’]t|don['’]t|didn['’]t)\s+(?:(?:yet|been|be|an?|the|in|any|marked|set"
    r"|currently|already|listed as|at all)\s+)*([\w-]+)",
    re.I,
)
_QUOTED = re.compile(r"\"([^\"]{2,80})\"|'([^'\n]{2,80})'(?!\w)|`([^`]{2,80})`|“([^”]{2,80})”|«([^»]{2,80})»")
_NAME = re.compile(r"[^\W\d_a-z][\w'’-]*(?:[ ][^\W\d_a-z][\w'’-]*)+")


@dataclass(frozen=True, slots=True)
class Intent:
    """cause: why something failed; definition: where a name is defined; place: where something is. question: whether
    it is a question at all. listing: whether it asks for many rows of one sort. denied: stems of which rows must not
    hold. names: neighbouring words of one name or quote, in lower case. cased: names that are function words in lower
    case ("May")."""

    cause: bool = False
    definition: bool = False
    place: bool = False
    question: bool = False
    listing: bool = False
    denied: frozenset[str] = frozenset()
    names: frozenset[tuple[str, str]] = frozenset()
    cased: tuple[str, ...] = ()


NO_INTENT = Intent()


def intent_of(text: str) -> Intent:
    """The intent of a query's text."""
    definition = _DEFINITION.search(text) is not None
    return Intent(
        cause=_CAUSE.search(text) is not None,
        definition=definition,
        place=_PLACE.search(text) is not None and not definition,
        question=text.rstrip().endswith("?"),
        listing=_LISTING.search(text) is not None,
        cased=tuple(names_like_stopwords(text)),
        denied=frozenset() if _SELECTS.match(text) else _denied(text),
        names=_names(text),
    )


def names_like_stopwords(question: str) -> list[str]:
    """Words that the packer reads as function words and that are names where they stand: "May", "US", "Will" with a
    capital inside a sentence. Lines that hold one as it is written are worth more."""
    if question.isupper():
        return []
    words = re.findall(r"(?<=[\w,;:] )[A-Z]\w+", question)
    return list(dict.fromkeys(w for w in words if w.lower() in STOPWORDS))


def _denied(text: str) -> frozenset[str]:
    words = [word for match in _DENIAL.finditer(text) for word in split(match[1])]
    return frozenset(stem_of(word) for word in words if word not in STOPWORDS)


def _names(text: str) -> frozenset[tuple[str, str]]:
    pairs: set[tuple[str, str]] = set()
    for match in _QUOTED.finditer(text):
        pairs.update(pairwise(split(next(filter(None, match.groups())))))
    for match in _NAME.finditer(text):
        words = split(match[0])
        while words and words[0] in STOPWORDS:  # "Which Anvil Row invoice": the first word has its capital anyway
            words = words[1:]
        pairs.update(pairwise(words))
    return frozenset(pairs)


def asks_why(word: str) -> bool:
    """Whether a word asks for the cause of a failure."""
    return _CAUSE.fullmatch(word) is not None


def defines(word: str) -> bool:
    """Whether a word asks for a definition."""
    return _DEFINITION.fullmatch(word) is not None
