"""Follow-up questions: one that says little itself is read with the question before it.

"And for damaged goods?" is packed as two queries: as it stands, and joined with the question before at a weight. A
question that says enough is left as it is, and so is a short one that names a subject of its own ("What are signals?").
The weights were chosen on every second pair of `benchmarks/build_followups.py` and measured on the others
(`benchmarks/results/followups.json`).
"""

from __future__ import annotations

import re

from fieldpack.relevance.stopwords import STOPWORDS

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_POINTING = frozenset(["it", "its", "they", "their", "them", "theirs", "he", "him", "his", "she", "her", "hers"])
_ENDS_POINTING = re.compile(r"\b(?:ones?|this|that|these|those)\W*$", re.IGNORECASE)
"""A question that ends so ("how do I register one?") points to what was said before."""
_OWN_SUBJECT = re.compile(r"\W*(?i:what|who)(?:['’]s| (?:is|was|are|were)) (?:an? \w+|[A-Z]\w+)\W*$")
_OWN_SUBJECTS = re.compile(r"\W*(?i:what|who) (?:are|were) \w+s\W*$")
"""What or who something is: with "a", with a name, or of many. "What is the default?" leans on the question before."""
_NAME = re.compile(r"(?<=\w )[A-Z]\w")
_OPENING = re.compile(r"\W*(?:and|or|but|also|what about|how about|what of)\b", re.IGNORECASE)
_ELLIPSIS, _PRONOUN = 0.5, 0.3
"""Weight of the joined question where words are left out, and where a pronoun stands for them."""
_FEW, _MANY = 1, 8
"""Words of content up to which a question says little whatever its form, and from which it says enough."""


def says(query: str) -> int:
    """Words of content in a question."""
    words = [w.lower() for w in _WORD.findall(_OPENING.sub("", query))]
    return sum(w not in STOPWORDS and w not in _POINTING for w in words)


def _points(query: str) -> bool:
    """Whether a word of the question stands for what was said before."""
    return bool(_ENDS_POINTING.search(query)) or any(w.lower() in _POINTING for w in _WORD.findall(query))


def weight_of_previous(query: str) -> float:
    """In [0, 1]: how much the question before adds to this one; 0 for one that says enough."""
    count = says(query)
    if count >= _MANY or (not _points(query) and (_OWN_SUBJECT.match(query) or _OWN_SUBJECTS.match(query))):
        return 0.0
    if _OPENING.match(query) or count <= _FEW:
        return _ELLIPSIS
    names = _NAME.search(query)  # "when did Ann sell her house" names its subject
    return _PRONOUN if _points(query) and not names else 0.0


def share_of_switching(query: str) -> float:
    """In [0, 1]: how much of the price of leaving what was shown holds for this question. One that is read with the
    question before has the old subject in it already: of what was shown only that is kept which answers both."""
    return 1.0 - weight_of_previous(query) / _ELLIPSIS


def read_after(query: str, previous: str) -> list[tuple[str, float]]:
    """The queries to pack for: the question, and where it says little the two joined, at a weight."""
    weight = weight_of_previous(query) if previous.strip() else 0.0
    own = [(query, 1.0)]
    return [*own, (f"{previous.strip()} {query}", weight)] if weight > 0 else own
