"""fieldpack itself: at its three prices, in its units, and with parts taken out."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from fieldpack.assets import verified
from fieldpack.bench.context import Context, Packed
from fieldpack.bench.corpora import Query, Span
from fieldpack.bench.systems import System
from fieldpack.errors import UnknownNameError
from fieldpack.types import FloatArray

STATIC, MINILM, CASCADE = "static", "minilm", "cascade"


@dataclass(frozen=True)
class Fieldpack:
    """A packer of fieldpack. An ablation replaces fields of ContextPacker (`changes`), single settings of its packing
    (`packing`), or takes features out of the score (`without`: their weights become 0, the others stay as they are)."""

    name: str
    tier: str = STATIC
    unit: Literal["auto", "paragraph", "sentence"] = "auto"
    changes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    packing: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    without: tuple[str, ...] = ()
    family: str = "fieldpack"
    most: float = math.inf

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        from fieldpack.pipeline import _SETTINGS  # the packing's defaults, which differ by unit

        packer = context.held(f"{self.name} {context.scorer}", lambda: self._packer(context))
        prepared = context.replay(self.name, case.passages, lambda: packer.prepare(case.passages))
        if self.packing:
            packer = replace(packer, packing=replace(_SETTINGS[prepared.sentences], **self.packing))
        result = packer.pack_prepared((case.query,), prepared, budget)
        return Packed(result.text, tuple(Span(k.doc_id, k.start, k.end) for k in result.kept), result.text)

    def _packer(self, context: Context) -> Any:
        from fieldpack.pipeline import ContextPacker

        scorer = _zeroed(self.without, context.scorer) if self.without else context.scorer
        packer = ContextPacker(
            embedder=_tier(self.tier, context), tokenizer=context.tokenizer, unit=self.unit, scorer=scorer
        )
        return replace(packer, **self.changes) if self.changes else packer


class _Shared:
    """The run's embedder, so that the transformer tiers read the same vectors as the peers and are timed alike."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def dims(self) -> int:
        return self._context.embedder.dims

    @property
    def fingerprint(self) -> str:
        return self._context.embedder.fingerprint

    def embed(self, texts: list[str]) -> FloatArray:
        return self._context.embed(texts)


def _zeroed(features: tuple[str, ...], scorer: Path | None) -> Path:
    """Scorer weights with those of `features` at 0, in a file of their own."""
    weights = json.loads((scorer or verified("scorer/weights.json")).read_text("utf-8"))
    layers = [layer["weights"] for layer in weights.values() if isinstance(layer, dict) and "weights" in layer]
    for layer in layers:
        layer.update({name: 0.0 for name in features if name in layer})
    if unknown := [f for f in features if not any(f in layer for layer in layers)]:
        raise UnknownNameError("feature", unknown[0], {name for layer in layers for name in layer})
    handle, path = tempfile.mkstemp(suffix=".json", prefix="fieldpack-weights-")
    with open(handle, "w", encoding="utf-8") as f:
        json.dump(weights, f)
    return Path(path)


def _tier(name: str, context: Context) -> Any:
    from fieldpack.embed.service import EmbeddingService

    if name == STATIC:
        return EmbeddingService(STATIC)
    shared = EmbeddingService(_Shared(context))
    if name == MINILM:
        return shared
    cascade = EmbeddingService(CASCADE)
    cascade._tiers = (EmbeddingService(STATIC), shared)  # its second tier reads the run's vectors
    return cascade


def systems() -> tuple[System, ...]:
    """The default first; every other row differs from it in what its name says."""
    return (
        Fieldpack("fieldpack"),
        Fieldpack("fieldpack_paragraph", unit="paragraph"),
        Fieldpack("fieldpack_sentence", unit="sentence"),
        Fieldpack("fieldpack_minilm", MINILM),
        Fieldpack("fieldpack_minilm_paragraph", MINILM, "paragraph"),
        Fieldpack("fieldpack_cascade", CASCADE),
        Fieldpack("fieldpack_cascade_paragraph", CASCADE, "paragraph"),
    )


def ablations() -> tuple[System, ...]:
    """The default with one part taken out (or, for the attractors' coverage, put in)."""
    return (
        Fieldpack("without_chain", packing={"chain": 0.0}),
        Fieldpack("without_duplicates", packing={"repel": 0.0}),
        Fieldpack("without_word_coverage", packing={"cover": 0.0}),
        Fieldpack("without_completion", packing={"complete": 0.0}),
        Fieldpack("with_attractor_coverage", packing={"attract": 1.0}),
        Fieldpack("without_fill", changes={"fill": False}),
        Fieldpack("without_token_resonance", without=("late", "late_titled")),
        Fieldpack("without_attraction", without=("attraction",)),
        Fieldpack("without_bm25", without=("bm25",)),
        Fieldpack("without_titles", without=("late_titled", "title")),
        Fieldpack("without_neighbours", without=("neighbours",)),
        Fieldpack("without_cosine", without=("cosine",)),
    )
