"""Token-efficiency experiments (design text, section 7.2): prompt variants, a task, an evaluation, repeated runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldpack.analysis.metrics import Interval, bootstrap_ci
from fieldpack.checks import whole
from fieldpack.errors import InputError, MissingExtraError
from fieldpack.html import escape, table
from fieldpack.text.tokens import tokenizer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SCALE = 1000  # efficiency is shown as quality per 1,000 tokens: per token it would be all zeros


@dataclass(frozen=True)
class VariantResult:
    """One variant: its tokens, the quality of each run, and both as intervals.

    `efficiency` is quality per token of the prompt; with one run an interval is (mean, mean, mean).
    """

    name: str
    variant: str
    tokens: int
    scores: tuple[float, ...]
    quality: Interval
    efficiency: Interval

    @property
    def repeated(self) -> bool:
        return len(self.scores) > 1


@dataclass(frozen=True)
class ExperimentResult:
    """Variants sorted by efficiency, best first (ties: fewer tokens, then the order given)."""

    results: tuple[VariantResult, ...]
    confidence: float
    seed: int

    def __iter__(self) -> Iterator[VariantResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    @property
    def best(self) -> VariantResult:
        return self.results[0]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; the design text's keys, and intervals as [low, high] (null after a single run)."""
        return {
            "confidence": self.confidence,
            "seed": self.seed,
            "results": [
                {
                    "name": r.name,
                    "variant": r.variant,
                    "token_count": r.tokens,
                    "quality_score": r.quality.mean,
                    "quality_interval": [r.quality.low, r.quality.high] if r.repeated else None,
                    "efficiency": r.efficiency.mean,
                    "efficiency_interval": [r.efficiency.low, r.efficiency.high] if r.repeated else None,
                    "scores": list(r.scores),
                }
                for r in self.results
            ],
        }

    def table(self, markdown: bool = False) -> str:
        """Text or Markdown: variant, tokens, quality, quality per 1,000 tokens, each with its interval."""
        rows = self._rows()
        if markdown:
            escaped = [tuple(c.replace("|", r"\|") for c in row) for row in rows]
            rule = "|---" + "|---:" * (len(rows[0]) - 1) + "|"
            lines = [f"| {' | '.join(row)} |" for row in escaped]
            return "\n".join([lines[0], rule, *lines[1:]])
        widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
        return "\n".join(
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
            for row in rows
        )

    def plot(self, axes: Axes | None = None) -> Axes:
        """Quality against tokens with its interval; needs the extra "plot". Returns the axes drawn on."""
        if axes is None:
            try:
                from matplotlib.figure import Figure
            except ImportError as error:
                raise MissingExtraError("matplotlib", "plot") from error
            axes = Figure(figsize=(6, 4), layout="constrained").subplots()
        for r in self.results:
            distance = [[r.quality.mean - r.quality.low], [r.quality.high - r.quality.mean]]
            axes.errorbar([r.tokens], [r.quality.mean], yerr=distance, fmt="o", capsize=3, label=r.name)
        axes.set_xlabel("prompt tokens")
        axes.set_ylabel(f"quality (mean, {self.confidence:.0%} interval)")
        axes.set_xlim(left=0)
        axes.legend()
        return axes

    def _repr_html_(self) -> str:
        head, *rows = [[escape(cell) for cell in row] for row in self._rows()]
        return table(head, rows)

    def _rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [("variant", "tokens", "quality", f"quality / {_SCALE:,} tokens", "runs")]
        for r in self.results:
            cells = (_cell(r.quality, r.repeated), _cell(r.efficiency, r.repeated, _SCALE))
            rows.append((" ".join(r.name.split()), f"{r.tokens:,}", *cells, str(len(r.scores))))
        return rows


def run_token_efficiency_experiment(
    prompt_variants: Sequence[str] | Mapping[str, str],
    task: Any,
    evaluation_function: Callable[[Any, Any], float],
    *,
    respond: Callable[[str, Any], Any],
    count: Callable[[str], int] | None = None,
    repeats: int = 3,
    confidence: float = 0.95,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> ExperimentResult:
    """Score every variant `repeats` times: evaluation_function(respond(variant, task), task).

    prompt_variants: texts, or {name: text}. count: text -> tokens (o200k_base when not given). Quality is the mean
    score, efficiency quality per token of the variant, both with a bootstrap interval over the runs (seeded). Run 1 of
    every variant comes before run 2 of any, so that a drift of the model affects all variants alike.

    Raises InputError for no variants, an empty variant, repeats below 1, or a score that is no finite number.
    """
    named = _named(prompt_variants)
    whole("repeats", repeats, 1, 1_000_000)
    tokens = _tokens(named, count or tokenizer("o200k_base").count)
    scores: dict[str, list[float]] = {name: [] for name in named}
    for run in range(repeats):
        for at, (name, variant) in enumerate(named.items()):
            score = evaluation_function(respond(variant, task), task)
            scores[name].append(_score(score, name))
            if progress:
                progress("experiment", run * len(named) + at + 1, repeats * len(named))
    rng = np.random.default_rng(seed)
    results = []
    for name, variant in named.items():
        quality = bootstrap_ci(scores[name], rng, confidence)
        efficiency = _per_token(quality, tokens[name])
        results.append(VariantResult(name, variant, tokens[name], tuple(scores[name]), quality, efficiency=efficiency))
    results.sort(key=lambda r: (-r.efficiency.mean, r.tokens))
    return ExperimentResult(tuple(results), confidence, seed)


def _tokens(variants: Mapping[str, str], count: Callable[[str], int]) -> dict[str, int]:
    tokens = {name: count(variant) for name, variant in variants.items()}
    empty = [name for name, size in tokens.items() if size < 1]
    if empty:
        raise InputError(f"variant {empty[0]!r} has no tokens; efficiency is quality per token")
    return tokens


def _per_token(quality: Interval, tokens: int) -> Interval:
    return Interval(quality.mean / tokens, quality.low / tokens, quality.high / tokens, quality.n)


def _named(variants: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    if isinstance(variants, str):
        raise InputError("found one text; give a list of variants, or {name: text}")
    named = dict(variants) if isinstance(variants, Mapping) else {f"variant {i + 1}": v for i, v in enumerate(variants)}
    if not named:
        raise InputError("no prompt variants; give at least one")
    return named


def _score(score: Any, name: str) -> float:
    try:
        value = float(score)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"the evaluation of variant {name!r} gave {score!r}; it must give a finite number")
    return value


def _cell(interval: Interval, repeated: bool, scale: float = 1) -> str:
    mean, low, high, _ = interval
    interval_text = f" [{low * scale:.3f}, {high * scale:.3f}]" if repeated else ""
    return f"{mean * scale:.3f}{interval_text}"
