"""Is `cascade` as good as `minilm` at a fraction of its time? python benchmarks/cascade.py --data FOLDER [--page]

Large pools: those of the sets, and documents of a set joined to one pool of a given size. Both tiers run in this
process with the shipped ONNX model on one thread and no vectors kept: `minilm` embeds the pool and the query, `cascade`
the query and the paragraphs that the static field ranks first. Times are processor seconds of the first pack
over a pool (reading the documents included), the mean of --timed queries for `cascade`, one measurement for `minilm`.
Evidence is the mean over 500, 1,000 and 2,000 tokens of up to --queries queries, cascade minus minilm paired over them
(the vectors are then those of the timed run: the model gives a text the same vector in every batch).
Weights are those trained without the set at hand (benchmarks/held_out).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import fieldpack.relevance.rerank as tier
from fieldpack.analysis.metrics import evidence_kept
from fieldpack.bench import budgets, quality, tables
from fieldpack.bench.corpora import load_named
from fieldpack.bench.dataset import Query, evenly_spaced
from fieldpack.bench.machine import machine
from fieldpack.bench.statistics import mean_gap
from fieldpack.corpus.corpus import Corpus
from fieldpack.embed.service import EmbeddingService
from fieldpack.pipeline import ContextPacker
from fieldpack.protocols import Embedder
from fieldpack.request import Request
from fieldpack.types import Document, FloatArray

HERE = Path(__file__).resolve().parent
POOLS = "qmsum:500,chunkeval:400,evinf:500,multihoprag_facts:400,evinf:1000,squad:300,cosqa:3000"
TARGET_GAP, TARGET_TIME, LARGE = 0.01, 0.10, 500
Row = dict[str, Any]


class Kept:
    """The model with the vectors that it made, for measuring evidence; `fresh` forgets them before a timed call."""

    def __init__(self, model: Embedder) -> None:
        self.model, self.rows, self.hold = model, dict[str, FloatArray](), True
        self.dims, self.fingerprint = model.dims, model.fingerprint

    def embed(self, texts: Sequence[str]) -> FloatArray:
        if not self.hold:
            return self.model.embed(list(texts))
        new = [t for t in dict.fromkeys(texts) if t not in self.rows]
        if new:
            self.rows.update(zip(new, self.model.embed(new), strict=True))
        return np.array([self.rows[t] for t in texts], np.float32)


def joined(cases: Iterable[Query], least: int) -> list[Query]:
    """The queries of the first pools that together hold `least` passages, over all of these passages. A pool that is
    large enough alone stays alone: then queries of several such pools come back, the first three of them."""
    pools: dict[tuple[str, ...], list[Query]] = {}
    for case in cases:
        if case.mode != "none":
            pools.setdefault(tuple(p.id for p in case.passages), []).append(case)
    large = [found for ids, found in pools.items() if len(ids) >= least]
    if large:
        return [case for found in large[:3] for case in found]
    passages: list[Document] = []
    asked: list[Query] = []
    for found in pools.values():
        if len(passages) >= least:
            break
        passages += found[0].passages
        asked += found
    return [replace(case, passages=tuple(passages)) for case in asked]


def pools(cases: Sequence[Query]) -> Iterator[list[Query]]:
    """The queries by pool."""
    found: dict[tuple[str, ...], list[Query]] = {}
    for case in cases:
        found.setdefault(tuple(p.id for p in case.passages), []).append(case)
    yield from found.values()


def kept(packer: ContextPacker, corpus: Corpus, case: Query) -> float:
    """Evidence, the mean over the budgets."""
    first, *larger = map(int, budgets.ABSOLUTE)
    base = packer.pack_corpus(Request.checked(case.query, first), corpus)
    out = []
    for result in (base, *map(base.repack, larger)):
        out.append(
            max(evidence_kept(spans, [(k.doc_id, k.start, k.end) for k in result.kept]) for spans in wanted(case))
        )
    return float(np.mean(out))


def wanted(case: Query) -> list[list[Any]]:
    """Evidence, in mode any that of each gold passage."""
    if case.mode != "any":
        return [list(case.evidence())]
    return [[s for s in case.evidence() if s.doc_id == g] for g in case.gold]


def timed(packer: ContextPacker, cases: Sequence[Query]) -> list[float]:
    """Processor seconds of a first pack for each query: documents are read anew."""
    out = []
    for case in cases:
        start = time.process_time()
        packer.pack(case.query, case.passages, 1000)
        out.append(time.process_time() - start)
    return out


def measured(
    cases: Sequence[Query], weights: Path | None, model: Kept, counts: Sequence[int], queries: int, clocked: int
) -> Iterator[Row]:
    """One row a pool: times and evidence of both tiers, `cascade` with each of `counts` candidates."""
    static = ContextPacker(scorer=weights)
    minilm = ContextPacker(embedder=EmbeddingService(model), scorer=weights)
    cascade = ContextPacker(embedder=EmbeddingService("cascade", second=model), scorer=weights)
    every = list(pools(cases))
    for asked in every:
        some = evenly_spaced(asked, max(1, queries // len(every)))
        few = evenly_spaced(some, clocked)
        model.hold = False
        static.pack(few[0].query, few[0].passages, 1000)  # tables and counts are loaded
        model.embed([few[0].query])
        row: Row = {"passages": len(asked[0].passages), "queries": len(some), "static_s": _mean(timed(static, few))}
        times = {}
        for count in counts:
            tier.FEWEST = tier.MOST = count
            times[count] = _mean(timed(cascade, few))
        start, model.hold, model.rows = time.process_time(), True, {}
        embedded = minilm.embedded(minilm.read(some[0].passages))
        minilm.pack_corpus(Request.checked(few[0].query, 1000), embedded)
        row["minilm_s"] = round(time.process_time() - start, 3)
        best = [kept(minilm, embedded, c) for c in some]
        corpus = cascade.read(some[0].passages)
        row |= {"minilm": best, "static": [kept(static, corpus, c) for c in some], "cascade": {}}
        for count in counts:
            tier.FEWEST = tier.MOST = count
            row["cascade"][count] = {"seconds": times[count], "evidence": [kept(cascade, corpus, c) for c in some]}
        yield row


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)


def entries(name: str, rows: Sequence[Row]) -> list[Row]:
    """One entry for each number of candidates: pools of one kind together."""
    out = []
    best = np.concatenate([r["minilm"] for r in rows])
    static = np.concatenate([r["static"] for r in rows])
    seconds = {k: float(np.mean([r[k] for r in rows])) for k in ("minilm_s", "static_s")}
    for count in rows[0]["cascade"]:
        found = np.concatenate([r["cascade"][count]["evidence"] for r in rows])
        spent = float(np.mean([r["cascade"][count]["seconds"] for r in rows]))
        gap, low, high = mean_gap({name: found - best})
        share = spent / seconds["minilm_s"]
        out.append(
            {
                "set": name,
                "pools": len(rows),
                "passages": round(float(np.mean([r["passages"] for r in rows]))),
                "queries": len(best),
                "candidates": count,
                "minilm": round(float(best.mean()), 4),
                "static": round(float(static.mean()), 4),
                "cascade": round(float(found.mean()), 4),
                "difference": gap,
                "ci": [low, high],
                "minilm_s": round(seconds["minilm_s"], 3),
                "static_s": round(seconds["static_s"], 3),
                "cascade_s": round(spent, 3),
                "share_of_time": round(share, 3),
                "within_a_point": gap >= -TARGET_GAP,
                "at_a_tenth": share <= TARGET_TIME,
            }
        )
    return out


def table(results: Mapping[str, Any]) -> str:
    """Every number of candidates for large pools, one for smaller ones."""
    lines = []
    for e in results["entries"]:
        if e["passages"] < LARGE and e["candidates"] != results["default_candidates"]:
            continue
        low, high = e["ci"]
        times = [f"{e['static_s']:.2f}", f"{e['minilm_s']:.2f}", f"{e['cascade_s']:.2f}", f"{e['share_of_time']:.2f}"]
        shares = [f"{e['static']:.3f}", f"{e['minilm']:.3f}", f"{e['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"]
        lines.append([f"{e['set']}, {e['passages']:,}", str(e["queries"]), str(e["candidates"]), *shares, *times])
    head = ["pool, passages", "queries", "candidates", "static", "minilm", "cascade minus minilm"]
    return tables.markdown([*head, "static s", "minilm s", "cascade s", "cascade / minilm"], lines)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("FIELDPACK_DATA"), required="FIELDPACK_DATA" not in os.environ)
    parser.add_argument("--pools", default=POOLS, help="SET:PASSAGES, separated by commas")
    parser.add_argument("--candidates", default="16,32,64,128,192", help="of cascade, separated by commas")
    parser.add_argument("--queries", type=int, default=30, help="of each kind of pool, for the evidence")
    parser.add_argument("--timed", type=int, default=3, help="of each pool, for the time of cascade")
    parser.add_argument("--held-out", type=Path, default=HERE / "held_out")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "cascade.json")
    parser.add_argument("--page", action="store_true", help="put the table into benchmarks/README.md")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None, model: Embedder | None = None) -> None:
    o = arguments(argv)
    if model is None:
        from fieldpack.embed.onnx import OnnxEmbedder

        model = OnnxEmbedder(threads=1)
    counts = [int(n) for n in o.candidates.split(",")]
    command = f"python benchmarks/cascade.py --data FOLDER --pools {o.pools} --candidates {o.candidates}"
    command += f" --queries {o.queries} --timed {o.timed}"
    head = {"kind": "cascade", "command": command, "machine": machine(), "model": model.fingerprint}
    results: Row = {**head, "default_candidates": 64, "entries": []}
    rule = tier.FEWEST, tier.MOST
    for part in o.pools.split(","):
        name, _, least = part.partition(":")
        weights = o.held_out / f"{name}.json"
        cases = joined(load_named(o.data, name), int(least))
        rows = list(measured(cases, weights if weights.is_file() else None, Kept(model), counts, o.queries, o.timed))
        tier.FEWEST, tier.MOST = rule
        results["entries"] += entries(name, rows)
        quality.save(results, o.out, "entries")
        print(f"{part}: done", file=sys.stderr, flush=True)
    if o.page:
        tables.insert(HERE / "README.md", "cascade", table(results))
    print(table(results))


if __name__ == "__main__":
    main()
