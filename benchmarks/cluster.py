"""What a core does: packs and texts a processor second, in one process and over Ray; and what a million costs.

    python benchmarks/cluster.py                        # in this process
    python benchmarks/cluster.py --part ray             # over Ray with 1, 2, ... workers; --ray HOST:PORT, a cluster
    python benchmarks/cluster.py --price 0.05           # the table of costs, at a price per core-hour that you say

Texts are recombined from fieldpack's own pages with fixed seeds, so that every run does the same work.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fieldpack as fp
from fieldpack.assets import own_documents
from fieldpack.bench.machine import machine, versions
from fieldpack.parallel import index_corpus, pack_many
from fieldpack.text.segment import segment

HERE = Path(__file__).resolve().parent
QUERIES = (
    "What happens when nothing is relevant enough?",
    "How is the budget kept when citations are charged?",
    "Which part of a pack is carried to the next turn?",
    "How are attractors found, and what is their strength?",
)


def texts(count: int, sentences: int, seed: int) -> list[str]:
    """Paragraphs of so many sentences each, drawn from fieldpack's own pages."""
    pages = [fp.Document(p.name, p.read_text("utf-8"), "", {"path": p.name}) for p in own_documents()]
    known = [t for t in segment(pages, "sentence").texts(pages) if 20 < len(t) < 300]
    picks = np.random.default_rng(seed).integers(0, len(known), (count, sentences))
    return [" ".join(known[i] for i in row) for row in picks]


def tasks(count: int, passages: int, sentences: int, budget: int) -> list[dict[str, Any]]:
    """Tasks with documents of their own."""
    pool = texts(count * passages, sentences, 1)
    return [
        {
            "id": k,
            "query": QUERIES[k % len(QUERIES)],
            "documents": pool[k * passages : (k + 1) * passages],
            "budget": budget,
        }
        for k in range(count)
    ]


def timed(run: Callable[[Path], Any]) -> tuple[float, float]:
    """Processor seconds and seconds of one run in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        cpu, wall = time.process_time(), time.perf_counter()
        run(Path(folder) / "out")
        return time.process_time() - cpu, time.perf_counter() - wall


def workloads(scale: float, model: str) -> list[dict[str, Any]]:
    """Rates in this process; reading the models is not counted."""
    packer = fp.ContextPacker()
    packer.pack("warm", ["Warm.", "Up. And on."], 20)
    counted = packer.tokenizer
    rows = []

    def note(name: str, unit: str, items: int, tokens: int, run: Callable[[Path], Any]) -> None:
        cpu, wall = timed(run)
        row = {"name": name, "unit": unit, "items": items, "tokens": tokens, "cpu_s": round(cpu, 3)}
        row |= {"wall_s": round(wall, 3), "per_core_second": round(items / cpu, 2)}
        row["tokens_per_core_second"] = round(tokens / cpu)
        rows.append(row)
        print(json.dumps(row), flush=True)

    def size(listed: list[dict[str, Any]]) -> int:
        return sum(int(counted.count_many(t["documents"]).sum()) for t in listed)

    few, many = tasks(int(1000 * scale), 20, 4, 500), tasks(int(60 * scale), 500, 1, 1000)
    note("packs of 20 paragraphs, 500 tokens", "pack", len(few), size(few), lambda out: pack_many(packer, few, out))
    note(
        "packs of 500 sentences, 1,000 tokens", "pack", len(many), size(many), lambda out: pack_many(packer, many, out)
    )
    corpus = texts(int(20_000 * scale), 4, 2)
    tokens = int(counted.count_many(corpus).sum())
    note("index, static vectors", "text", len(corpus), tokens, lambda out: index_corpus(packer, corpus, out))
    sample = corpus[: int(600 * scale)]
    part = int(counted.count_many(sample).sum())
    quality = fp.ContextPacker(model)
    quality.embedder.embed(["warm"])
    note(f"index, {model} vectors", "text", len(sample), part, lambda out: index_corpus(quality, sample, out))
    with tempfile.TemporaryDirectory() as folder:
        index_corpus(packer, corpus, Path(folder) / "index")
        queries = [{"query": f"{QUERIES[k % 4]} {k}", "budget": 1000} for k in range(int(200 * scale))]
        name = f"packs over an index of {len(corpus):,} texts"
        note(name, "pack", len(queries), 0, lambda out: pack_many(packer, queries, out, index=Path(folder) / "index"))
    return rows


def of_ray() -> dict[str, float]:
    """Processor seconds that the workers and Ray's own processes on this machine have taken since they began."""
    import psutil

    workers = others = 0.0
    for process in psutil.process_iter(["cmdline", "cpu_times"]):
        line, times = " ".join(process.info["cmdline"] or []), process.info["cpu_times"]
        if times is None or process.pid == os.getpid():
            continue
        if "ray::MapWorker" in line:
            workers += times.user + times.system
        elif "ray::" in line or "/ray/" in line:
            others += times.user + times.system
    return {"workers_cpu_s": round(workers, 2), "ray_cpu_s": round(others, 2)}


def watch(start: float, first: list[float], spent: dict[str, float], stage: str, done: int, total: int) -> None:
    """Progress: notes when the first shard came, and at the last what the processor has done."""
    if done and not first:
        first.append(time.perf_counter() - start)
    if done == total:
        spent.update(of_ray())


def over_ray(address: str, scale: float, most: int) -> list[dict[str, Any]]:
    """The same packs by 1, 2, ... workers: seconds until the first and the last shard, processor seconds of the workers
    (reading their models and libraries included) and of Ray on this machine, and whether the bytes are those of one
    process."""
    work = tasks(int(3000 * scale), 20, 4, 500)
    packer = fp.ContextPacker()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        pack_many(packer, work, root / "alone", batch=32)
        alone = {p.name: p.read_bytes() for p in (root / "alone").iterdir()}
        for workers in [n for n in (1, 2, 4, 8, 16, 32) if n <= most]:
            start, first, spent = time.perf_counter(), [], {}

            own = time.process_time()
            seen = functools.partial(watch, start, first, spent)
            out = root / f"spread-{workers}"
            pack_many(packer, work, out, batch=32, ray=address, workers=workers, progress=seen)
            wall = time.perf_counter() - start
            same = {p.name: p.read_bytes() for p in out.iterdir()} == alone
            row = {
                "workers": workers,
                "packs": len(work),
                "first_shard_s": round(first[0], 2),
                "wall_s": round(wall, 2),
            }
            row |= {"packs_per_s_after_start": round((len(work) - 32) / (wall - first[0]), 1), "same_bytes": same}
            row |= {**spent, "caller_cpu_s": round(time.process_time() - own, 2), "load": round(os.getloadavg()[0], 1)}
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def costs(results: dict[str, Any], price: float) -> str:
    """Core-hours of a million items, and their price: items / rate / 3600 x price."""
    lines = [
        f"| work | a core second | core-hours a million | at {price:g} a core-hour |",
        "| --- | --: | --: | --: |",
    ]
    for row in results["workloads"]:
        hours = 1e6 / row["per_core_second"] / 3600
        rate = f"{row['per_core_second']:,.1f} {row['unit']}s"
        lines.append(f"| {row['name']} | {rate} | {hours:,.2f} | {hours * price:,.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=HERE / "results" / "cluster.json")
    parser.add_argument("--part", choices=("all", "here", "ray"), default="here", help="of the results")
    parser.add_argument("--ray", default=None, help="local, auto or HOST:PORT, for the part over Ray")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="most workers over Ray")
    parser.add_argument("--model", default="minilm", help="of the index with a transformer's vectors")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the work")
    parser.add_argument("--price", type=float, default=None, help="of a core-hour: print costs of the stored figures")
    options = parser.parse_args()
    if options.price is not None:
        print(costs(json.loads(options.json.read_text("utf-8")), options.price))
        return
    results: dict[str, Any] = {"kind": "cluster", "machine": machine(), "fieldpack": versions()["fieldpack"]}
    results |= {"threads": os.environ.get("OMP_NUM_THREADS", "all"), "scale": options.scale}
    if options.json.is_file():  # each part of the results is that of its last run
        results = {**json.loads(options.json.read_text("utf-8")), **results}
    if options.part in ("all", "here"):
        results["load"] = round(os.getloadavg()[0], 1)
        results["workloads"] = workloads(options.scale, options.model)
    if options.part in ("all", "ray"):
        results["ray"] = over_ray(options.ray or "local", options.scale, options.workers)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    if "workloads" in results:
        print(costs(results, 1.0))


if __name__ == "__main__":
    main()
