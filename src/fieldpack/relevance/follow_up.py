"""Follow-up questions: one that says little itself is read with the question before it.

"And for damaged goods?" is packed as two queries: as it stands, and joined with the question before at a weight. A
question that says enough is left as it is, so that its pack does not change. The weights were chosen on every second
pair of `benchmarks/build_followups.py` and measured on the others (`benchmarks/results/followups.json`).
"""

from __future__ import annotations

import re

from fieldpack.relevance.stopwords import STOPWORDS

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_POINTING = frozenset(["it", "its", "they", "their", "them", "theirs", "he", "him", "his", "she", "her", "hers"])
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


def weight_of_previous(query: str) -> float:
    """In [0, 1]: how much the question before adds to this one; 0 for one that says enough."""
    count = says(query)
    if count >= _MANY:
        return 0.0
    if _OPENING.match(query) or count <= _FEW:
        return _ELLIPSIS
    points = any(w.lower() in _POINTING for w in _WORD.findall(query))
    return _PRONOUN if points and not _NAME.search(query) else 0.0  # "when did Ann sell her house" names its subject


def read_after(query: str, previous: str) -> list[tuple[str, float]]:
    """The queries to pack for: the question, and where it says little the two joined, at a weight."""
    weight = weight_of_previous(query) if previous.strip() else 0.0
    own = [(query, 1.0)]
    return [*own, (f"{previous.strip()} {query}", weight)] if weight > 0 else own
