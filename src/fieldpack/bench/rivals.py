"""Two libraries that also fill a token budget with verbatim text, with their own defaults: trimwise and redhop.

They cut, rank and count themselves. redhop's counts are estimates: where the string is over the budget it is asked for
the most that keeps to it, and its first answer is what "over as rendered" counts.
"""

from __future__ import annotations

import bisect
import functools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fieldpack.bench.context import SEPARATOR, Context, Packed
from fieldpack.bench.dataset import Query, Span
from fieldpack.bench.system import EVERY, System, require
from fieldpack.text.tokens import tokenizer

ENCODING = "fieldpack-bench"
_SIGNS = re.compile(r"[^\w\s]")
STEP = 8
"""Tokens: how closely the budget is sought that a library must be asked for to keep to ours."""


@dataclass(frozen=True)
class Trimwise:
    """`Trimmer().trim_context` over the passages: strategy auto, a blank line between sources, counts in o200k_base."""

    name: str = "trimwise"
    family: str = "trimwise"
    most: float = math.inf
    kinds: frozenset[str] = EVERY - {"folder"}

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        """What it keeps of each passage; its markers of omission are in the text, and counted."""
        trimmer = context.keep("trimwise", lambda: _trimmer(context))
        sources = [p for p in case.passages if p.text.strip()]
        if not sources:
            return Packed("", (), "")
        # its own count is the run's, and faster, where both are of one encoding
        count = None if hasattr(context.tokenizer, "encoding") else context.tokenizer.count
        got = trimmer.trim_context(
            [p.text for p in sources], budget, query=case.query, separator=SEPARATOR, token_counter=count
        )
        spans = [Span(sources[s.source_index].id, r.start, r.end) for s in got.sources for r in s.spans]
        return Packed(got.text, tuple(spans), got.text)


def _trimmer(context: Context) -> Any:
    """trimwise ranks tiktoken's tokens, whose table it fetches: it is given the run's, or the shipped o200k_base."""
    trimwise = require("trimwise")
    encoding = getattr(context.tokenizer, "encoding", None) or tokenizer("o200k_base").encoding  # type: ignore[attr-defined]
    require("tiktoken.registry").ENCODINGS[ENCODING] = encoding
    return trimwise.Trimmer(trimwise.TrimConfig(token_encoding=ENCODING))


@dataclass(frozen=True)
class Redhop:
    """`Document.from_text(...).context(query, budget)` over the passages joined by blank lines, with its defaults."""

    name: str = "redhop"
    family: str = "redhop"
    most: float = math.inf
    kinds: frozenset[str] = EVERY - {"folder"}

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        """Its chunks, found again in the passages: it flattens white space, so they are compared without any."""
        document = context.prepared("redhop", case, functools.partial(_redhop, case))
        places = context.prepared("redhop places", case, functools.partial(Places, case))

        def ask(tokens: int) -> Any:
            try:
                return document.context(case.query, budget=tokens)
            except ValueError:  # it reads the question as a search expression, which some signs in it break
                return document.context(_SIGNS.sub(" ", case.query), budget=tokens)

        first = ask(budget)
        got = first if context.tokenizer.count(first.text()) <= budget else _fitting(ask, budget, context)
        if got is None:
            return Packed("", (), first.text())
        return Packed(got.text(), tuple(s for chunk in got.chunks for s in places.spans(chunk)), first.text())


def _fitting(ask: Callable[[int], Any], budget: int, context: Context) -> Any:
    """The largest answer found by halving that keeps to the budget; None where none does."""
    low, high, got = 0, budget, None
    while high - low > STEP:
        middle = (low + high) // 2
        trial = ask(middle)
        if context.tokenizer.count(trial.text()) <= budget:
            low, got = middle, trial
        else:
            high = middle
    return got


def _redhop(case: Query) -> Any:
    return require("redhop").Document.from_text(SEPARATOR.join(p.text for p in case.passages))


class Places:
    """Finds a text whose white space was changed in the passages that it came from."""

    def __init__(self, case: Query) -> None:
        self._ids: list[str] = []
        self._starts: list[int] = []
        self._at: list[int] = []
        parts, size = list[str](), 0
        for p in case.passages:
            visible = [i for i, c in enumerate(p.text) if not c.isspace()]
            self._ids.append(p.id)
            self._starts.append(size)
            self._at += visible
            parts.append("".join(p.text[i] for i in visible))
            size += len(visible)
        self._text = "".join(parts)

    def spans(self, chunk: str) -> Sequence[Span]:
        """The characters of `chunk`, by passage; none where it is not in the passages."""
        flat = "".join(chunk.split())
        start = self._text.find(flat) if flat else -1
        if start < 0:
            return ()
        out, end = list[Span](), start + len(flat)
        k = bisect.bisect_right(self._starts, start) - 1
        while start < end:
            stop = min(end, self._starts[k + 1] if k + 1 < len(self._starts) else len(self._text))
            if stop > start:
                out.append(Span(self._ids[k], self._at[start], self._at[stop - 1] + 1))
            start, k = stop, k + 1
        return out


def systems() -> tuple[System, ...]:
    """Both."""
    return (Trimwise(), Redhop())
