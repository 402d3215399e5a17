"""fieldpack itself: at its three prices, in its units, and with parts taken out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from fieldpack.bench.context import Context, Packed
from fieldpack.bench.corpora import Query, Span
from fieldpack.bench.systems import System
from fieldpack.types import FloatArray

STATIC, MINILM, CASCADE = "static", "minilm", "cascade"


@dataclass(frozen=True)
class Fieldpack:
    """A packer of fieldpack. `changes` are fields of ContextPacker that an ablation replaces."""

    name: str
    tier: str = STATIC
    unit: Literal["auto", "paragraph", "sentence"] = "auto"
    changes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    family: str = "fieldpack"
    most: float = math.inf

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        packer = context.held(f"{self.name} {context.scorer}", lambda: self._packer(context))
        prepared = context.replay(self.name, case.passages, lambda: packer.prepare(case.passages))
        result = packer.pack_prepared((case.query,), prepared, budget)
        return Packed(result.text, tuple(Span(k.doc_id, k.start, k.end) for k in result.kept), result.text)

    def _packer(self, context: Context) -> Any:
        from fieldpack.pipeline import ContextPacker

        packer = ContextPacker(
            embedder=_tier(self.tier, context), tokenizer=context.tokenizer, unit=self.unit, scorer=context.scorer
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
