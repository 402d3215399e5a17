"""Extraction: the most important units, verbatim and in reading order, inside a token budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from fieldpack.checks import number
from fieldpack.compress.protect import UNSPACED, protected
from fieldpack.compress.rank import Doubles, Embed, Lexical, importance, lexical, overlap
from fieldpack.compress.units import Unit, assemble, read_units
from fieldpack.errors import InputError
from fieldpack.protocols import Tokenizer
from fieldpack.types import IntArray

Score = Callable[[Sequence[str], str], Sequence[float]]

_REPEATED = 0.7  # how much of its worth a copy of a chosen unit loses
_ROUNDS = 3  # the sum of the parts is more than the whole: what a round leaves is allowed on top in the next
_COMPARED = 256  # chosen units that later ones are compared with: keeps a book linear
_WORD_END = re.compile(rf"(?<=\S)(?=\s|\Z)|(?<=[{UNSPACED}])")


def extract(text: str, budget: int, tokenizer: Tokenizer, embed: Embed | None = None, bullets: bool = False) -> str:
    """The most important units of `text` that fit `budget` tokens together, joined as they stood; "" if none fits.

    `bullets` puts each prose sentence on a line of its own after "- ".
    """
    units = read_units(text)
    bodies = [text[u.start : u.end] for u in units]
    costs = tokenizer.count_many(bodies) + (2 if bullets else 1)
    worth = importance(bodies, embed)
    best, allowed = "", budget
    for _ in range(_ROUNDS):
        chosen = _choose(bodies, worth, costs, allowed)
        result = _joined(text, units, chosen, bullets)
        spare = budget - tokenizer.count(result)
        if spare < 0:
            break
        best, allowed = result, allowed + spare
    while not best and chosen:
        chosen.pop()
        result = _joined(text, units, chosen, bullets)
        best = result if tokenizer.count(result) <= budget else ""
    return best


def cut_prefix(text: str, budget: int, tokenizer: Tokenizer) -> str:
    """The longest beginning of `text` within `budget` that ends between words and inside nothing protected.

    Numbers, identifiers, quotations and code are kept whole or not at all; "" when the first of them does not fit.
    """
    inside = np.zeros(len(text) + 1, np.bool_)
    for start, end in protected(text):
        inside[start + 1 : end] = True
    ends = [m.end() for m in _WORD_END.finditer(text) if not inside[m.end()]]
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if tokenizer.count(text[: ends[middle - 1]]) <= budget else (low, middle - 1)
    while low and tokenizer.count(text[: ends[low - 1]]) > budget:
        low -= 1
    return text[: ends[low - 1]] if low else ""


def best_sentence_start(text: str, budget: int, tokenizer: Tokenizer, embed: Embed | None = None) -> str:
    """The beginning of the most important prose unit of which something fits `budget`: the last resort."""
    units = [u for u in read_units(text) if u.kind != "code"]
    bodies = [text[u.start : u.end] for u in units]
    for i in np.argsort(-importance(bodies, embed), kind="stable").tolist():
        if part := cut_prefix(bodies[i], budget, tokenizer):
            return part
    return ""


def extract_relevant_information(
    document: str, query: str, mass: float = 0.8, score: Score | None = None, separator: str | None = None
) -> str:
    """The fewest sentences that hold `mass` (0 to 1) of all relevance to `query`, verbatim, in reading order.

    score: (sentences, query) -> one number each, negative ones counting as 0; without it the tf-idf cosine.
    separator: joins them; default the space, line break or blank line of the text. "" when nothing is relevant.
    """
    spans = relevant_spans(document, query, mass, score)
    units = read_units(document)
    if separator is not None:
        return separator.join(document[a:b] for a, b in spans)
    starts = {a for a, _ in spans}
    return assemble(document, units, [i for i, u in enumerate(units) if u.start in starts])


def relevant_spans(document: str, query: str, mass: float = 0.8, score: Score | None = None) -> list[tuple[int, int]]:
    """The character ranges that extract_relevant_information keeps, in reading order."""
    number("mass", mass, 1e-9, 1)
    units = read_units(document)
    if not units:
        return []
    bodies = [document[u.start : u.end] for u in units]
    scores = overlap(bodies, query) if score is None else np.asarray(score(bodies, query), np.float64)
    if scores.shape != (len(bodies),) or not np.isfinite(scores).all():
        raise InputError(f"score gave shape {scores.shape} for {len(bodies)} sentences; give one finite number each")
    worth = np.maximum(scores, 0.0)
    order = np.argsort(-worth, kind="stable")
    reached = np.cumsum(worth[order])
    needed = int(np.searchsorted(reached, mass * reached[-1] * (1 - 1e-12))) + 1 if reached[-1] > 0 else 0
    return [(units[i].start, units[i].end) for i in sorted(order[:needed].tolist()) if worth[i] > 0]


def _choose(bodies: Sequence[str], worth: Doubles, costs: IntArray, budget: int) -> list[int]:
    """Units in order of choice, by worth per token or by worth alone, whichever adds up to more.

    The second keeps one long unit that is worth more than the short ones in its place (Leskovec et al. 2007).
    """
    rows = lexical(bodies)
    runs = [_greedy(rows, worth, costs, budget, per_token) for per_token in (True, False)]
    return max(runs, key=lambda run: run[1])[0]


def _greedy(rows: Lexical, worth: Doubles, costs: IntArray, budget: int, per_token: bool) -> tuple[list[int], float]:
    """Units in order of choice, skipping what is too long, and their worth less what chosen ones already say."""
    alike = np.zeros(rows.n)
    left = np.ones(rows.n, np.bool_)
    chosen: list[int] = []
    used, total = 0, 0.0
    while True:
        fresh = worth * (1 - _REPEATED * alike)
        gain = np.where(left & (used + costs <= budget), fresh / costs if per_token else fresh, -1.0)
        best = int(gain.argmax()) if rows.n else -1
        if best < 0 or gain[best] < 0:
            return chosen, total
        chosen.append(best)
        left[best] = False
        used, total = used + int(costs[best]), total + float(fresh[best])
        if len(chosen) <= _COMPARED:
            own = np.zeros(rows.n)
            own[best] = 1.0
            alike = np.maximum(alike, rows.times(rows.transposed_times(own)))


def _joined(text: str, units: Sequence[Unit], chosen: Sequence[int], bullets: bool) -> str:
    """The chosen units in reading order; `bullets`: one a line, unless there is only one."""
    order = sorted(chosen)
    if not bullets or len(order) < 2:
        return assemble(text, units, order)
    lines = []
    for i in order:
        body = text[units[i].start : units[i].end]
        lines.append(f"- {body}" if units[i].kind == "sentence" and "\n" not in body else body)
    return "\n".join(lines)
