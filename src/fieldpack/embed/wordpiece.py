"""WordPiece: one word to the rows of a BERT vocabulary, the longest known piece first.

Formula source: Wu et al. 2016 (Google's Neural Machine Translation System), as BERT applies it.
"""

from __future__ import annotations

from collections.abc import Mapping

UNKNOWN = "[UNK]"
LONGEST_WORD = 100
"""BERT's own bound: a longer word is one unknown piece, so that a long line of letters costs no quadratic search."""


def wordpieces(word: str, vocabulary: Mapping[str, int], longest: int = LONGEST_WORD) -> list[int]:
    """The rows of the pieces of one word (lower-cased, without spaces), in order; never empty.

    The longest prefix in the vocabulary is taken, then the longest "##" piece of the rest, and so on. Where no piece
    fits, the whole word is the one unknown piece. longest: characters of the longest entry of the vocabulary; a name of
    sixty characters is searched four times as fast with it.
    """
    whole = vocabulary.get(word)
    if whole is not None and len(word) <= LONGEST_WORD:
        return [whole]
    if not word or len(word) > LONGEST_WORD:
        return [vocabulary[UNKNOWN]]
    rows: list[int] = []
    start, prefix = 0, ""
    while start < len(word):
        for end in range(min(len(word), start + longest), start, -1):
            row = vocabulary.get(prefix + word[start:end])
            if row is not None:
                break
        else:
            return [vocabulary[UNKNOWN]]
        rows.append(row)
        start, prefix = end, "##"
    return rows
