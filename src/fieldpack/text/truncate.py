"""How much of a text fits a number of tokens: a guess, then verified by counting."""

from __future__ import annotations

from collections.abc import Callable

from fieldpack.protocols import Tokenizer
from fieldpack.text.cuts import whole_cluster


def longest_prefix(counter: Tokenizer, text: str, max_tokens: int) -> int:
    """The largest end found with counter.count(text[:end]) <= max_tokens, by its own `prefix` when it has one."""
    own: Callable[[str, int], int] | None = getattr(counter, "prefix", None)
    return own(text, max_tokens) if own else fit(counter.count, text, max_tokens, bisect(counter.count, max_tokens))


def fit(count: Callable[[str], int], text: str, max_tokens: int, guess: Callable[[str], int]) -> int:
    """`longest_prefix` by a guess of where max_tokens end in a head of the text that is too long; keeps clusters
    whole."""
    if max_tokens <= 0 or not text:
        return 0
    size = 8 * max_tokens + 64
    while size < len(text) and count(text[:size]) <= max_tokens:
        size *= 2
    head = text[:size]
    if size >= len(text) and count(text) <= max_tokens:
        return len(text)
    end = whole_cluster(text, 0, min(guess(head), len(head)))
    step = 1
    while end > 0 and count(text[:end]) > max_tokens:
        end = whole_cluster(text, 0, max(0, end - step))
        step *= 2  # a guess that far off comes from a counter that does not grow with the text
    # Tokens of a cut text merge otherwise than those of the whole: a few more characters may still fit.
    for further in range(end + 1, min(end + 9, len(text))):
        if whole_cluster(text, 0, further) == further and count(text[:further]) <= max_tokens:
            end = further
    return end


def bisect(count: Callable[[str], int], max_tokens: int) -> Callable[[str], int]:
    """A guess for fit() by counting alone: counts grow with the text, but for a token or two."""

    def guess(head: str) -> int:
        low, high = 0, len(head)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if count(head[:middle]) <= max_tokens else (low, middle)
        return low

    return guess
