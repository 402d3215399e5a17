"""DynamicTokenOptimizer: a text made to fit by one of four strategies, light to heavy (design text, 8.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fieldpack.checks import MOST_TOKENS, whole
from fieldpack.compress.counting import Counting, tokenizer_of
from fieldpack.compress.extract import best_sentence_start, extract
from fieldpack.compress.rank import Embed
from fieldpack.compress.rewrite import compress_format, restructure
from fieldpack.errors import InputError, UnknownNameError

Strategy = Callable[[str, int], str]
"""(text, target tokens) -> text. A result that is over the target is left, and the next heavier strategy tried."""

MAX_TOKENS = MOST_TOKENS
"""Tokens of the largest target: more than any text has."""

# From which ratio target / tokens each strategy is tried first (design text, section 8.3), lightest first.
RATIOS = {"compress_format": 0.8, "restructure": 0.5, "extract_key_points": 0.3, "summarize": 0.0}


@dataclass(frozen=True, slots=True)
class Compression:
    """A compressed text: `strategy` gave it ("none": it fitted already), `tried` are all that ran, in order."""

    text: str
    tokens: int
    original_tokens: int
    target_tokens: int
    strategy: str
    tried: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """tokens / original tokens, 1 for an empty text."""
        return self.tokens / self.original_tokens if self.original_tokens else 1.0

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


class DynamicTokenOptimizer:
    """Makes texts fit a token budget, never over it.

    tokenizer: a Tokenizer, a name or a function text -> tokens; o200k_base when not given.
    strategies: {name: (text, target) -> text}: the name of a built-in one replaces it, another is used when asked for
    by name. summarizer: text -> shorter text, used by "summarize" instead of extraction; what it
    returns is checked. embed: texts -> rows (n, d), for centrality by meaning instead of by words.

    compress_format loses no word. restructure rewrites set phrases and drops repeated sentences. extract_key_points and
    summarize keep the most important sentences verbatim in reading order, as a list or as running text. None of them
    changes a number, an identifier, a URL, a quoted string or a line of code: these stay as they are or go as a whole.
    """

    def __init__(
        self,
        tokenizer: Counting = None,
        strategies: Mapping[str, Strategy] | None = None,
        summarizer: Callable[[str], str] | None = None,
        embed: Embed | None = None,
    ) -> None:
        self._tokenizer = tokenizer_of(tokenizer)
        self._summarizer = summarizer
        self._embed = embed
        self.strategies: dict[str, Strategy] = {
            "compress_format": lambda text, target: compress_format(text),
            "restructure": lambda text, target: restructure(text),
            "extract_key_points": self.extract_key_points,
            "summarize": self.summarize_text,
            **(strategies or {}),
        }

    def optimize(self, text: str, target_tokens: int, strategy: str | None = None) -> str:
        """`text` itself when it fits `target_tokens`, else a shorter one that does; see `run`."""
        return self.run(text, target_tokens, strategy).text

    def run(self, text: str, target_tokens: int, strategy: str | None = None) -> Compression:
        """As `optimize`, with the strategies that were tried.

        The first strategy is `strategy`, or chosen by target / tokens: above 0.8 compress_format, above 0.5
        restructure, above 0.3 extract_key_points, else summarize. While the result is over the target the next heavier
        one is tried on the same text, then sentence selection, then the beginning of the most important sentence.
        Raises InputError for a target below 0, UnknownNameError for an unknown strategy.
        """
        whole("target_tokens", target_tokens, 0, MAX_TOKENS)
        if strategy is not None and strategy not in self.strategies:
            raise UnknownNameError("strategy", strategy, self.strategies)
        if not isinstance(text, str):
            raise InputError(f"text is a {type(text).__name__}; give a string")
        before = self.count_tokens(text)

        def compression(result: str, tokens: int, name: str) -> Compression:
            return Compression(result, tokens, before, target_tokens, strategy=name, tried=tuple(tried))

        tried: list[str] = []
        if before <= target_tokens:
            return compression(text, before, "none")
        for name, shorten in self._ladder(strategy or choose_strategy(target_tokens / before)):
            tried.append(name)
            shorter = shorten(text, target_tokens)
            if not isinstance(shorter, str):
                raise InputError(f"strategy {name!r} returned {type(shorter).__name__}; it must return a text")
            tokens = self.count_tokens(shorter)
            if tokens <= target_tokens and shorter.strip():
                return compression(shorter, tokens, name)
        return compression("", 0, "nothing fits")

    def extract_key_points(self, text: str, target_tokens: int) -> str:
        """The most important sentences as a list of verbatim points; "" when none fits."""
        return extract(text, target_tokens, self._tokenizer, self._embed, bullets=True)

    def summarize_text(self, text: str, target_tokens: int) -> str:
        """What the summarizer makes of `text`, or its most important sentences as running text."""
        if self._summarizer is None:
            return extract(text, target_tokens, self._tokenizer, self._embed)
        return self._summarizer(text)

    def count_tokens(self, text: str) -> int:
        return self._tokenizer.count(text)

    def _ladder(self, first: str) -> list[tuple[str, Strategy]]:
        """`first` and what is heavier, then the two that always end."""
        names = list(self.strategies)
        built_in = [name for name in names if name in RATIOS]
        heavier = built_in[built_in.index(first) :] if first in RATIOS else [first, "extract_key_points", "summarize"]
        steps = [(name, self.strategies[name]) for name in heavier]
        steps.append(("select_sentences", lambda text, n: extract(text, n, self._tokenizer, self._embed)))
        steps.append(("cut", lambda text, n: best_sentence_start(text, n, self._tokenizer, self._embed)))
        return steps


def choose_strategy(ratio: float) -> str:
    """The strategy that the design text takes for target / tokens."""
    return next((name for name, floor in RATIOS.items() if ratio > floor), "summarize")
