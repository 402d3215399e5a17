"""LlamaIndex's SentenceEmbeddingOptimizer over real sentences: the peer of fieldpack's sentence unit."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fieldpack.bench.context import Context, Packed
from fieldpack.bench.dataset import Query, Span
from fieldpack.bench.peers import llamaindex_embedding
from fieldpack.bench.system import LISTS, System, require
from fieldpack.text.sentences import sentence_spans
from fieldpack.types import FloatArray


@dataclass(frozen=True)
class SentenceOptimizer:
    """One node with the whole context, cut to the budget's share of its sentences (percentile_cutoff).

    fieldpack's own splitter cuts the sentences (the library's default wants a download). `window` sentences before and
    after each hit go with it, 1 by the library's default. The sentences come in order of relevance, joined by spaces;
    what is over the budget is left off sentence by sentence.
    """

    name: str
    window: int
    family: str = "LlamaIndex"
    most: float = math.inf
    kinds: frozenset[str] = LISTS

    def select(self, case: Query, budget: int, context: Context) -> Packed:
        units = [Span(p.id, start, end) for p in case.passages for start, end in sentence_spans(p.text, 0, len(p.text))]
        bodies = {p.id: p.text for p in case.passages}
        texts = [bodies[u.doc_id][u.start : u.end] for u in units]
        rendered = self._optimized(case.query, texts, budget, context)
        order = [int(i) for i in re.findall("\x00(\\d+)\x00", rendered)]
        kept, used = list[int](), 0
        for i in order:
            if used + context.count(" " + texts[i]) > budget:
                break
            kept.append(i)
            used += context.count(" " + texts[i])
        while kept and context.tokenizer.count(" ".join(texts[i] for i in kept)) > budget:
            kept.pop()
        whole = " ".join(texts[i] for i in order)
        return Packed(" ".join(texts[i] for i in kept), tuple(units[i] for i in kept), whole)

    def _optimized(self, query: str, texts: Sequence[str], budget: int, context: Context) -> str:
        """What the optimizer makes of the node, sentences standing as numbers between NULs."""
        schema = require("llama_index.core.schema")
        tags = [f"\x00{i}\x00" for i in range(len(texts))]

        def embed(tagged: Sequence[str]) -> FloatArray:
            return context.embed([texts[int(t.strip("\x00"))] if t.startswith("\x00") else t for t in tagged])

        share = budget / max(1, sum(map(context.count, texts)))
        optimizer = require("llama_index.core.postprocessor").SentenceEmbeddingOptimizer(
            embed_model=llamaindex_embedding()(embed),
            percentile_cutoff=min(1.0, max(1 / len(texts), share)),
            tokenizer_fn=lambda _: tags,
            context_before=self.window,
            context_after=self.window,
        )
        node = schema.NodeWithScore(node=schema.TextNode(text="\n\n".join(texts)))
        out = optimizer.postprocess_nodes([node], query_bundle=schema.QueryBundle(query))
        text: str = out[0].node.get_content()
        return text


def systems() -> tuple[System, ...]:
    """With the library's default window and with bare sentences."""
    return (SentenceOptimizer("llamaindex_sentences", 0), SentenceOptimizer("llamaindex_sentences_window", 1))
