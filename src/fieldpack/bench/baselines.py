"""The baselines: the ways of filling a budget that anybody would write first, and the oracle as the ceiling."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable

import numpy as np

from fieldpack.bench.context import Context, descending
from fieldpack.bench.dataset import Query
from fieldpack.bench.system import Ranked, System, require
from fieldpack.types import FloatArray


def truncation(case: Query, budget: int, context: Context) -> Iterable[int]:
    """The candidates in the order in which they came."""
    return range(len(case.passages))


def shuffled(case: Query, budget: int, context: Context) -> Iterable[int]:
    """A random order that depends on the query's id only."""
    order = list(range(len(case.passages)))
    random.Random(zlib.crc32(case.id.encode())).shuffle(order)
    return order


def dense(case: Query, budget: int, context: Context) -> Iterable[int]:
    """Cosine with the query, until full."""
    return descending(context.similarities(case).cosines)


def dense_titled(case: Query, budget: int, context: Context) -> Iterable[int]:
    """The same with the title embedded before the text (the text alone is packed)."""
    rows = context.embed([f"{p.title}\n{p.text}" if p.title else p.text for p in case.passages])
    return descending(rows @ context.embed([case.query])[0])


def bm25_scores(case: Query) -> FloatArray:
    """(n,) BM25 of bm25s with its own tokenizer and English stop words, fitted on the query's candidates."""
    bm25s = require("bm25s")
    corpus = bm25s.tokenize([p.text for p in case.passages], stopwords="en", show_progress=False)
    zeros = np.zeros(len(case.passages), np.float32)
    if not corpus.vocab:
        return zeros
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)
    words = bm25s.tokenize([case.query], stopwords="en", show_progress=False, return_ids=False)[0]
    known = [word for word in words if word in corpus.vocab]
    return np.asarray(index.get_scores(known), np.float32) if known else zeros


def bm25(case: Query, budget: int, context: Context) -> Iterable[int]:
    return descending(bm25_scores(case))


def rrf(case: Query, budget: int, context: Context) -> Iterable[int]:
    """Reciprocal rank fusion of dense and BM25: sum of 1 / (60 + rank) (Cormack et al. 2009)."""
    total = np.zeros(len(case.passages))
    for scores in (context.similarities(case).cosines, bm25_scores(case)):
        total[descending(scores)] += 1 / (60 + np.arange(len(scores)))
    return descending(total)


def oracle(case: Query, budget: int, context: Context) -> Iterable[int]:
    """Knows the evidence: most evidence characters per token first, then dense. Greedy, so not quite the optimum."""
    worth = np.zeros(len(case.passages))
    at = {p.id: i for i, p in enumerate(case.passages)}
    for span in case.evidence():
        worth[at[span.doc_id]] += span.end - span.start
    costs = np.array([max(1, context.count(p.text)) for p in case.passages])
    return descending(np.where(worth > 0, 2 + worth / costs, np.clip(context.similarities(case).cosines, -1, 1)))


def systems() -> tuple[System, ...]:
    """What anybody would write first, and the ceiling."""
    return (
        Ranked("truncate", "baseline", truncation),
        Ranked("random", "baseline", shuffled),
        Ranked("dense", "baseline", dense),
        Ranked("dense_titled", "baseline", dense_titled),
        Ranked("bm25s", "bm25s", bm25),
        Ranked("rrf", "baseline", rrf),
        Ranked("oracle", "oracle", oracle),
    )
