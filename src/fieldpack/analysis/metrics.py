"""Metrics of a pack or an answer: evidence kept, tokens spent, and the uncertainty of both.

Token efficiency (design text, section 7.1): tcr, irr, rqt. Evidence: evidence_kept, all_evidence, answer_kept,
span_scores. Uncertainty: bootstrap_ci, paired_bootstrap, paired_permutation. Pure numpy; randomness is passed in.

A span is (document, start, end): characters [start, end) of a text that `document` names.
"""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fieldpack.checks import choice, number
from fieldpack.errors import InputError
from fieldpack.types import BoolArray, IntArray
from fieldpack.words import split

Span = tuple[Hashable, int, int]
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_BLOCK = 1 << 22  # numbers drawn at once


class Interval(NamedTuple):
    """A mean with its confidence interval, and the number of values behind it."""

    mean: float
    low: float
    high: float
    n: int


class Paired(NamedTuple):
    """Mean of a - b, its confidence interval, and the two-sided p-value of "no difference"."""

    difference: float
    low: float
    high: float
    p: float


class SpanScores(NamedTuple):
    """Shares in [0, 1]: of the gold that was kept, of what was kept that is gold, and of both together that is both."""

    recall: float
    precision: float
    iou: float


def tcr(completed: int, total_tokens: int, per: int = 1) -> float:
    """Task completion rate: tasks completed per `per` tokens, 0 or more. InputError without tokens."""
    return _per_token(completed, "completed tasks", total_tokens, per)


def rqt(quality: float, total_tokens: int, per: int = 1) -> float:
    """Response quality (in its own unit, 0 or more) per `per` tokens. InputError without tokens."""
    return _per_token(quality, "quality", total_tokens, per)


def irr(points: Sequence[str], text: str, match: Literal["exact", "overlap"] = "exact", least: float = 0.8) -> float:
    """Information retention ratio: the share of `points` that `text` retains, in [0, 1]. InputError without points."""
    if not points:
        raise InputError("no information points to retain; give at least one")
    return float(retained(points, text, match, least).mean())


def retained(
    points: Sequence[str], text: str, match: Literal["exact", "overlap"] = "exact", least: float = 0.8
) -> BoolArray:
    """(n,) whether each point is in `text`.

    exact: its words follow each other in the text (case, accents, punctuation and spacing aside). overlap: at least the
    share `least` of its distinct words is in the text. A point without words is sought as a string.
    """
    choice("match", match, ("exact", "overlap"))
    words = split(text)
    row, known = f" {' '.join(words)} ", frozenset(words)
    kept = []
    for point in points:
        wanted = split(point)
        if not wanted:
            kept.append(point in text)
        elif match == "exact":
            kept.append(f" {' '.join(wanted)} " in row)
        else:
            distinct = frozenset(wanted)
            kept.append(len(distinct & known) >= least * len(distinct) - 1e-9)
    return np.array(kept, np.bool_)


def normalised_answer(text: str) -> str:
    """SQuAD's normal form: lower case, no punctuation, no English articles, single spaces (Rajpurkar et al. 2016)."""
    lowered = unicodedata.normalize("NFC", text).lower()
    bare = "".join(c for c in lowered if c not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def answer_kept(answers: Iterable[str], text: str) -> bool:
    """Whether one of `answers` stands in `text`, both in SQuAD's normal form, as whole words.

    In scripts without spaces it may stand anywhere. An answer that the normal form empties ("The") is sought as it is.
    """
    normal = f" {normalised_answer(text)} "
    for answer in answers:
        wanted = normalised_answer(answer)
        if not wanted:
            if answer.strip() and answer.strip() in text:
                return True
        elif f" {wanted} " in normal or (_UNSPACED.search(wanted) and wanted in normal):
            return True
    return False


def evidence_kept(gold: Iterable[Span], kept: Iterable[Span]) -> float:
    """The share of gold characters that lie in kept spans, in [0, 1]; overlaps count once. InputError without gold."""
    return span_scores(gold, kept).recall


def all_evidence(gold: Iterable[Span], kept: Iterable[Span], least: float = 1.0) -> bool:
    """Whether at least `least` of every gold span's characters is kept. True when there is no gold."""
    have = _merged(kept)
    for document, spans in _merged(gold).items():
        for start, end in spans:
            if _common([(start, end)], have.get(document, []), _length) < least * (end - start) - 1e-9:
                return False
    return True


def span_scores(
    gold: Iterable[Span], kept: Iterable[Span], token_starts: Mapping[Hashable, IntArray] | None = None
) -> SpanScores:
    """Recall, precision and intersection over union of kept spans.

    In characters, or in tokens where `token_starts` gives each document's sorted token offsets (a token belongs to the
    span that its first character is in). Precision is 0 when nothing is kept. InputError without gold.
    """
    gold_spans, kept_spans = _merged(gold), _merged(kept)

    def measure(document: Hashable) -> Callable[[int, int], int]:
        if token_starts is None:
            return _length
        starts = np.asarray(token_starts[document])
        return lambda a, b: int(np.searchsorted(starts, b) - np.searchsorted(starts, a))

    def total(spans: Mapping[Hashable, list[tuple[int, int]]]) -> int:
        return sum(measure(d)(a, b) for d, rows in spans.items() for a, b in rows)

    wanted, have = total(gold_spans), total(kept_spans)
    if not wanted:
        raise InputError("no gold evidence to compare with; leave out queries that have none")
    both = sum(_common(rows, kept_spans.get(d, []), measure(d)) for d, rows in gold_spans.items())
    return SpanScores(both / wanted, both / have if have else 0.0, both / (wanted + have - both))


def bootstrap_ci(
    values: npt.ArrayLike, rng: np.random.Generator, confidence: float = 0.95, resamples: int = 10_000
) -> Interval:
    """The mean of `values` (n,) with its percentile bootstrap interval. InputError for no values or a NaN.

    One value has the interval (value, value): there is nothing to resample.
    """
    array = _finite(values)
    low, high = np.quantile(_resampled_means(array, rng, resamples), _tails(confidence))
    return Interval(float(array.mean()), float(low), float(high), len(array))


def paired_bootstrap(
    a: npt.ArrayLike, b: npt.ArrayLike, rng: np.random.Generator, confidence: float = 0.95, resamples: int = 10_000
) -> Paired:
    """The mean of a - b over the same cases (n,), resampled by case; p from the means on the other side of 0."""
    gap = _gap(a, b)
    means = _resampled_means(gap, rng, resamples)
    low, high = np.quantile(means, _tails(confidence))
    sides = min(int((means <= 0).sum()), int((means >= 0).sum()))
    return Paired(float(gap.mean()), float(low), float(high), min(1.0, 2 * (sides + 1) / (resamples + 1)))


def paired_permutation(a: npt.ArrayLike, b: npt.ArrayLike, rng: np.random.Generator, resamples: int = 10_000) -> float:
    """Two-sided p-value of "a and b are exchangeable case by case": sign flips of a - b, all of them up to 12 cases."""
    gap = _gap(a, b)
    n, observed = len(gap), abs(gap.mean()) - 1e-12
    if n <= 12:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((np.abs(signs @ gap) / n >= observed).mean())
    hits = 0
    for rows in _blocks(resamples, n):
        signs = rng.integers(0, 2, (rows, n), dtype=np.int8) * 2 - 1
        hits += int((np.abs(signs @ gap) / n >= observed).sum())
    return (hits + 1) / (resamples + 1)


def _per_token(amount: float, name: str, tokens: int, per: int) -> float:
    if tokens <= 0:
        raise InputError(f"{tokens} tokens were used; a rate per token needs at least 1")
    if not (amount >= 0 and math.isfinite(amount)):
        raise InputError(f"{name} is {amount!r}; give a finite number, 0 or more")
    return amount / tokens * per


def _length(start: int, end: int) -> int:
    return end - start


def _merged(spans: Iterable[Span]) -> dict[Hashable, list[tuple[int, int]]]:
    """{document: sorted disjoint ranges}; empty spans are left out."""
    rows: dict[Hashable, list[tuple[int, int]]] = {}
    for document, start, end in sorted(spans, key=lambda s: (s[1], s[2])):
        if end <= start:
            continue
        ranges = rows.setdefault(document, [])
        if ranges and start <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
        else:
            ranges.append((start, end))
    return rows


def _common(a: list[tuple[int, int]], b: list[tuple[int, int]], measure: Callable[[int, int], int]) -> int:
    """The sum of `measure` over the ranges that two sorted lists of disjoint ranges have in common."""
    i = j = total = 0
    while i < len(a) and j < len(b):
        start, end = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        total += measure(start, end) if end > start else 0
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return total


def _finite(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(values, np.float64).ravel()
    if not array.size or not np.isfinite(array).all():
        problem = "a value that is no finite number" if array.size else "no values"
        raise InputError(f"found {problem}; give at least one finite number")
    return array


def _gap(a: npt.ArrayLike, b: npt.ArrayLike) -> npt.NDArray[np.float64]:
    first, second = _finite(a), _finite(b)
    if len(first) != len(second):
        raise InputError(f"{len(first)} values against {len(second)}; a paired test needs the same cases in both")
    return first - second


def _tails(confidence: float) -> tuple[float, float]:
    number("confidence", confidence, 1e-9, 1 - 1e-9)
    return (1 - confidence) / 2, (1 + confidence) / 2


def _blocks(resamples: int, n: int) -> Iterable[int]:
    """Rows of each block so that a block holds at most _BLOCK numbers."""
    size = max(1, _BLOCK // n)
    return (min(size, resamples - done) for done in range(0, resamples, size))


def _resampled_means(
    values: npt.NDArray[np.float64], rng: np.random.Generator, resamples: int
) -> npt.NDArray[np.float64]:
    n = len(values)
    means = [values[rng.integers(0, n, (rows, n))].mean(axis=1) for rows in _blocks(resamples, n)]
    return np.concatenate(means)
