"""fieldpack itself: at its three prices, in its units, and with parts taken out."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fieldpack.arrays import zscore
from fieldpack.assets import verified
from fieldpack.bench.admission import threshold
from fieldpack.bench.context import Context, Packed
from fieldpack.bench.dataset import FOLDER, TOOL, Query, Span
from fieldpack.bench.system import EVERY, LISTS, System
from fieldpack.errors import UnknownNameError
from fieldpack.field.resonance import per_row
from fieldpack.packing.enough import ENOUGH
from fieldpack.request import Request
from fieldpack.types import FloatArray

if TYPE_CHECKING:
    from fieldpack.corpus.corpus import Corpus
    from fieldpack.relevance.score import Relevance

STATIC, MINILM, CASCADE = "static", "minilm", "cascade"
BiasRule = Callable[["Relevance", "Corpus", float], FloatArray]
"""Relevance, the corpus that it is of, and the field's permeability, to log odds (n,) that are added to the choice."""


@dataclass(frozen=True)
class Fieldpack:
    """A packer of fieldpack. An ablation replaces fields of ContextPacker (`changes`), single settings of its packing
    (`packing`), takes features out of the score (`without`: their weights become 0, the others stay as they are), or
    lets a part of the field that the default does not ask have its say (`bias`). reuse: for rows whose time nobody
    asks for: documents are read once for all of them, and the query once for all budgets."""

    name: str
    tier: str = STATIC
    unit: Literal["auto", "paragraph", "sentence"] = "auto"
    changes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    packing: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    without: tuple[str, ...] = ()
    bias: BiasRule | None = None
    reuse: bool = False
    family: str = "fieldpack"
    most: float = math.inf
    kinds: frozenset[str] = LISTS

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        """The pack of the query's candidates."""
        corpus = self.corpus(case, context)
        packer = self.packer(corpus, context)

        def pack() -> Any:
            return self.pack(packer, Request.checked(case.query, budget), corpus)

        if self.reuse:
            first = context.replay(f"{self.name} packs", (case.id, context.scorer), pack)
            result = first if first.budget == budget else first.repack(budget)
        else:
            result = pack()
        return Packed(result.text, tuple(Span(k.doc_id, k.start, k.end) for k in result.kept), result.text)

    def corpus(self, case: Query, context: Context) -> Corpus:
        """The query's candidates, read."""
        packer = self._kept_packer(context)
        if case.kind == FOLDER:  # an index is built once for all queries, and kept for the rows of one unit
            name = f"{self.tier} {self.unit}"
            return context.prepared(name, case, lambda: packer.embedded(packer.read(case.passages)))  # type: ignore[no-any-return]
        name = f"{self.tier} {self.unit} documents" if self.reuse else self.name
        read = context.replay(name, case.passages, lambda: packer.embedded(packer.read(case.passages)))
        return read  # type: ignore[no-any-return]

    def packer(self, corpus: Corpus, context: Context) -> Any:
        """The packer with its packing settings: their defaults differ by unit."""
        packer = self._kept_packer(context)
        if not self.packing:
            return packer
        return replace(packer, packing=replace(packer.packing_for(corpus), **self.packing))

    def pack(self, packer: Any, request: Request, corpus: Corpus, state: Any = None, share: float | None = None) -> Any:
        """The pack, with what `bias` adds to it. share: the field's permeability; that of a first turn by default."""
        result = packer.pack_corpus(request, corpus, state)
        if self.bias is None:
            return result
        from fieldpack.scored import Extras

        share = packer.field.permeability if share is None else share
        extras = Extras(bias=self.bias(result.relevance, corpus, share))
        return packer.pack_corpus(request, corpus, state, extras=extras)

    def _kept_packer(self, context: Context) -> Any:
        return context.keep(f"{self.name} {context.scorer}", lambda: self._packer(context))

    def _packer(self, context: Context) -> Any:
        from fieldpack.pipeline import ContextPacker

        scorer = context.scorer
        if self.without:
            files = context.keep("weights", lambda: tempfile.TemporaryDirectory(prefix="fieldpack-weights-"))
            scorer = Path(files.name) / f"{self.name}-{scorer.stem if scorer else 'shipped'}.json"
            scorer.write_text(json.dumps(_zeroed(self.without, context.scorer)), "utf-8")
        packer = ContextPacker(
            embedder=_tier(self.tier, context),
            tokenizer=context.tokenizer,
            unit=self.unit,
            scorer=scorer,
            enough=1.0,  # evidence at a fixed budget; the default has a row of its own
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


def _zeroed(features: tuple[str, ...], scorer: Path | None) -> dict[str, Any]:
    """Scorer weights with those of `features` at 0."""
    weights: dict[str, Any] = json.loads((scorer or verified("scorer/weights.json")).read_text("utf-8"))
    layers = [layer["weights"] for layer in weights.values() if isinstance(layer, dict) and "weights" in layer]
    for layer in layers:
        layer.update({name: 0.0 for name in features if name in layer})
    if unknown := [f for f in features if not any(f in layer for layer in layers)]:
        raise UnknownNameError("feature", unknown[0], {name for layer in layers for name in layer})
    return weights


def _tier(name: str, context: Context) -> Any:
    from fieldpack.embed.service import EmbeddingService

    if name == STATIC:
        return EmbeddingService(STATIC)
    shared = EmbeddingService(_Shared(context))
    if name == MINILM:
        return shared
    return EmbeddingService(CASCADE, second=shared)  # its reranker reads the run's vectors


def systems() -> tuple[System, ...]:
    """The default first; every other row differs from it in what its name says."""
    return (
        Fieldpack("fieldpack", kinds=EVERY),
        Fieldpack("fieldpack_enough", changes={"enough": ENOUGH}, kinds=EVERY),
        Fieldpack("fieldpack_paragraph", unit="paragraph", kinds=EVERY),
        Fieldpack("fieldpack_sentence", unit="sentence"),
        Fieldpack("fieldpack_minilm", MINILM, kinds=LISTS | {TOOL}),
        Fieldpack("fieldpack_minilm_paragraph", MINILM, "paragraph"),
        Fieldpack("fieldpack_cascade", CASCADE, kinds=EVERY),
        Fieldpack("fieldpack_cascade_paragraph", CASCADE, "paragraph"),
    )


def boundary(relevance: Relevance, corpus: Corpus, permeability: float) -> FloatArray:
    """Admission by the field's boundary: what lies beyond the share `permeability` of the tokens stays out."""
    cut = threshold(relevance.total, permeability, corpus.rows.tokens.astype(np.float32))
    return np.where(relevance.total >= cut, 0, -np.inf).astype(np.float32)


def boundary_at(relevance: Relevance, corpus: Corpus, _: float, permeability: float) -> FloatArray:
    """The same with a permeability of its own."""
    return boundary(relevance, corpus, permeability)


def attracted(relevance: Relevance, corpus: Corpus, _: float, weight: float) -> FloatArray:
    """Attraction as evidence: `weight` log odds for each standard deviation of the similarity to the attractor that one
    step of the field reaches from the query."""
    return np.asarray(weight * zscore(relevance.parts["attraction"]), np.float32)


def resonant(relevance: Relevance, corpus: Corpus, _: float, weight: float) -> FloatArray:
    """Passage resonance as evidence: the same of a paragraph's mean similarity to the others. Weight below 0: what
    stands apart is preferred."""
    rows = zscore(np.asarray(per_row(corpus.vectors), np.float32))
    return np.asarray(weight * rows[corpus.paragraph], np.float32)


UNCOUPLED = {"chain": 0.0, "repel": 0.0, "cover": 0.0, "complete": 0.0}
TOKEN_RESONANCE = ("maxsim", "maxsim_titled", "best_sentence")


def ablations() -> tuple[System, ...]:
    """The default with one part taken out, or one put in that it has and does not use."""
    taken: dict[str, dict[str, Any]] = {
        "without_attraction": {"without": ("attraction",)},
        "with_attraction": {"bias": partial(attracted, weight=0.5)},
        "with_attractor_coverage": {"packing": {"attract": 1.0}},
        "with_passage_resonance": {"bias": partial(resonant, weight=0.5)},
        "against_passage_resonance": {"bias": partial(resonant, weight=-0.5)},
        "without_token_resonance": {"without": TOKEN_RESONANCE},
        "without_coupling": {"packing": UNCOUPLED},
        "without_chain": {"packing": {"chain": 0.0}},
        "without_duplicates": {"packing": {"repel": 0.0}},
        "without_word_coverage": {"packing": {"cover": 0.0}},
        "without_completion": {"packing": {"complete": 0.0}},
        "with_boundary": {"bias": boundary},
        "with_boundary_at_0.1": {"bias": partial(boundary_at, permeability=0.1)},
        "with_min_relevance_0.02": {"changes": {"min_relevance": 0.02}},
        "without_fill": {"changes": {"fill": False}},
        "without_bm25": {"without": ("bm25",)},
        "without_cosine": {"without": ("cosine",)},
        "without_titles": {"without": ("maxsim_titled", "title")},
        "without_neighbours": {"without": ("neighbours",)},
    }
    return tuple(Fieldpack(name, reuse=True, kinds=EVERY, **changes) for name, changes in taken.items())
