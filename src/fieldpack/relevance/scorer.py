"""The learned combination of the features, and its calibration to probabilities. Evaluated in numpy; trained by
models/build_scorer.py.

Score s = features . weights, fitted listwise (softmax over the candidates of a query; Cao et al. 2007, ListNet).
Probability p = sigmoid(slope s + bias . query facts), fitted by logistic regression on labelled queries, queries
without any evidence among them (Platt 1999).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fieldpack import assets
from fieldpack.errors import AssetError
from fieldpack.relevance.features import DENSE, PARAGRAPH, SECTION, SENTENCE
from fieldpack.types import FloatArray

LAYERS = {
    "paragraph": PARAGRAPH,
    "dense": (*PARAGRAPH, *DENSE),
    "sentence": SENTENCE,
    "code": PARAGRAPH,
    "code_dense": (*PARAGRAPH, *DENSE),
    "section": SECTION,
    "section_sentence": SENTENCE,
}
"""Names of the layers, in the order of Scorer's fields, and their features."""
OWN_FILE = ("section", "section_sentence")
"""Layers that models/build_sections.py trains, in a file of their own: a file of weights may leave them out."""
FACTS = ("one", "peak", "best_maxsim", "best_bm25", "known", "log_candidates")
_OLD_NAMES = {
    "late": "maxsim",
    "late_titled": "maxsim_titled",
    "late_met": "maxsim_met",
    "spread": "peak",
    "late_most": "best_maxsim",
    "exact_most": "best_bm25",
}
"""Names of release 0.1, which files of weights made by it hold."""


@dataclass(frozen=True, eq=False)
class Layer:
    """weights (f,) of standardised features; slope > 0 and bias (len(FACTS),) of the calibration."""

    names: tuple[str, ...]
    weights: FloatArray
    slope: float
    bias: FloatArray

    def score(self, table: FloatArray) -> FloatArray:
        """(n,) in the unit of the listwise softmax: a difference of 1 is a factor e of belief."""
        return np.asarray(table @ self.weights, np.float32)

    def logit(self, score: FloatArray, facts: FloatArray) -> FloatArray:
        """(n,) log odds of being evidence."""
        return np.asarray(self.slope * score + float(self.bias @ facts), np.float32)

    def to_dict(self) -> dict[str, Any]:
        return {
            "weights": dict(zip(self.names, np.round(self.weights.astype(float), 5).tolist(), strict=True)),
            "slope": round(self.slope, 5),
            "bias": dict(zip(FACTS, np.round(self.bias.astype(float), 5).tolist(), strict=True)),
        }

    @staticmethod
    def from_dict(parsed: dict[str, Any], names: tuple[str, ...]) -> Layer:
        """Raises AssetError when the file was made for other features."""
        weight, bias = ({_OLD_NAMES.get(k, k): v for k, v in parsed[part].items()} for part in ("weights", "bias"))
        if tuple(weight) != names or tuple(bias) != FACTS:
            raise AssetError(f"scorer weights are for {', '.join(weight)}; this version reads {', '.join(names)}")
        weights = np.array(list(weight.values()), np.float32)
        layer = Layer(names, weights, float(parsed["slope"]), np.array(list(bias.values()), np.float32))
        if not (np.isfinite(layer.weights).all() and np.isfinite(layer.bias).all() and 0 < layer.slope < np.inf):
            raise AssetError("weights and bias must be finite numbers, and slope a finite number above 0")
        return layer


@dataclass(frozen=True, eq=False)
class Scorer:
    """paragraph: without a sentence embedder's vectors; dense: with them; sentence: on top of either. code, code_dense:
    the first two for source code, whose words say less and whose length says more. section: over the score of either,
    where documents have sections; section_sentence: the sentences of those."""

    paragraph: Layer
    dense: Layer
    sentence: Layer
    code: Layer
    code_dense: Layer
    section: Layer
    section_sentence: Layer

    def for_code(self, code: bool) -> Scorer:
        """This scorer, or the one that reads paragraphs as source code."""
        return replace(self, paragraph=self.code, dense=self.code_dense) if code else self

    @staticmethod
    def load(path: Path | None = None) -> Scorer:
        """The shipped weights (checksum verified), or those of a file that models/build_scorer.py wrote.

        Raises AssetError, naming the file, when it cannot be read, is damaged, or was made for other features.
        """
        path = path or assets.verified("scorer/weights.json")
        try:
            parsed = json.loads(path.read_text("utf-8"))
            if not any(name in parsed for name in OWN_FILE):
                parsed |= json.loads(assets.verified("scorer/sections.json").read_text("utf-8"))
            return Scorer(*(Layer.from_dict(parsed[name], features) for name, features in LAYERS.items()))
        except AssetError as error:
            raise AssetError(f"{path}: {error}") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise AssetError(
                f"{path} holds no scorer weights ({type(error).__name__}: {error}); "
                "models/build_scorer.py writes such files, and without one the shipped weights are used"
            ) from error


def facts(score: FloatArray, raw: dict[str, FloatArray], known: float) -> FloatArray:
    """(len(FACTS),) what tells a query that has evidence from one that has none: how far the best score stands out
    (log-sum-exp over mean), the highest maxsim and BM25, the share of the query's words that occur, the log of the
    number of candidates."""
    top = float(score.max())
    peak = top + float(np.log(np.exp(score - top).mean()))
    maxsim, exact = (float(np.max(raw[k])) for k in ("maxsim", "bm25"))
    return np.array([1.0, peak, maxsim, exact, known, np.log(len(score))], np.float32)


def combined(logits: Sequence[FloatArray], weights: Sequence[float] = ()) -> FloatArray:
    """(n,) log odds of being evidence for at least one of several queries, 1 - prod(1 - w p); w is 1 by default."""
    worth = list(weights) or [1.0] * len(logits)
    if len(logits) == 1 and worth[0] == 1.0:
        return logits[0]
    # log(1 - w p) with p = sigmoid(l): log((1 - w) e^l + 1) - log(e^l + 1), stable for w = 1 too.
    missed = np.zeros(len(logits[0]))
    for logit, w in zip(logits, worth, strict=True):
        x = logit.astype(np.float64)
        left = np.logaddexp(np.log(1 - w) + x, 0) if w < 1 else 0.0
        missed += left - np.logaddexp(x, 0)
    missed = np.minimum(missed, -1e-12)
    return np.asarray(np.log(-np.expm1(missed)) - missed, np.float32)
