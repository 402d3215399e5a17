"""Resonance and attractors against their limits: python benchmarks/resonance.py [--full] [--out FILE]

    closed form   overall resonance in O(n d) against the design text's double loop
    blocks        GFLOP/s of the blocked matrix beside one plain float32 product of the same shape
    memory        what the statistics allocate as n grows
    scale         a reading of the whole field, and the neighbour graph, from a thousand rows up; fitted exponents

Every figure is a ratio within one run, or stands beside its yardstick. --full goes to a million rows and takes minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fieldpack.field import resonance
from fieldpack.field.attractors import detect
from fieldpack.field.state import read

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import similarity  # noqa: E402


def clustered(n: int, d: int, k: int = 20, seed: int = 0) -> np.ndarray:
    """n unit rows around k directions, with a common part."""
    rng = np.random.default_rng(seed)
    centers = 1.5 * rng.normal(size=(k, d)) + 0.4 * rng.normal(size=d)
    x = np.empty((n, d), np.float32)
    for first in range(0, n, 65_536):
        part = x[first : first + 65_536]
        part[:] = centers[np.arange(first, first + len(part)) % k]
        part += rng.normal(size=part.shape).astype(np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return x


def fastest(run: Callable[[], object], rounds: int = 3) -> float:
    """Seconds of the fastest of some rounds, after one to warm up."""
    run()
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def loop(x: np.ndarray) -> float:
    """The design text's overall resonance: every pair by itself."""
    n = len(x)
    total = 0.0
    for i in range(n):
        for j in range(n):
            total += np.dot(x[i], x[j]) / (np.linalg.norm(x[i]) * np.linalg.norm(x[j]))
    return float((total - n) / (n * (n - 1)))


def closed_form(n: int, d: int) -> dict[str, Any]:
    x = clustered(n, d)
    start = time.perf_counter()
    by_loop = loop(x)
    slow = time.perf_counter() - start
    quick = fastest(lambda: resonance.overall(x), 9)
    product = fastest(lambda: (x @ x.T).sum())
    return {
        "n": n,
        "d": d,
        "loop_s": slow,
        "product_s": product,
        "closed_form_s": quick,
        "times_the_loop": slow / quick,
        "difference": abs(by_loop - resonance.overall(x)),
    }


def blocks(n: int, d: int, block: int) -> dict[str, Any]:
    """GFLOP for each second of processor time (other work on the machine does not count)."""
    x = clustered(n, d)
    other = x.copy()  # x @ x.T of one array takes a shortcut (half the products, then a copy of the other half)
    out = np.empty((n, n), np.float32)

    def walk() -> None:
        for _ in similarity.blocks(x, block):
            pass

    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: np.matmul(x, other.T, out=out),
        "blocks": walk,
        "plain, new memory": lambda: x @ other.T,
        "matrix, new memory": lambda: similarity.matrix(x, block),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(7):  # in turns, so that whatever else the machine does slows all of them
        for name, way in ways.items():
            start = time.process_time()
            way()
            taken[name].append(time.process_time() - start)
    rates = {name: 2 * n * n * d / 1e9 / min(times) for name, times in taken.items()}
    return {
        "n": n,
        "d": d,
        "block": block,
        "gflops": rates,
        "blocks_of_plain": rates["blocks"] / rates["plain"],
        "matrix_of_plain": rates["matrix, new memory"] / rates["plain, new memory"],
    }


def memory(sizes: list[int], d: int) -> list[dict[str, Any]]:
    rows = []
    for n in sizes:
        x = clustered(n, d)
        tracemalloc.start()
        resonance.overall(x)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        rows.append({"n": n, "rows_mb": x.nbytes / 1e6, "overall_peak_mb": peak / 1e6, "bytes_per_row": peak / n})
    return rows


def scale(sizes: list[int], d: int) -> list[dict[str, Any]]:
    rows = []
    for n in sizes:
        x = clustered(n, d)
        found = detect(x, limit=40)
        label = np.arange(n) % 20
        pure = sum(np.bincount(label[found.basin == k]).max(initial=0) for k in range(len(found))) / n
        rounds = 3 if n <= 100_000 else 1
        rows.append(
            {
                "n": n,
                "attractors_s": fastest(lambda x=x: detect(x), rounds),  # type: ignore[misc]
                "reading_s": fastest(lambda x=x: read(x, x[0]), rounds),  # type: ignore[misc]
                "found_of_20": len(found),
                "purity": float(pure),
                "process_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    return rows


def graphs(sizes: list[int], d: int, k: int = 10) -> list[dict[str, Any]]:
    rows = []
    for n in sizes:
        x = clustered(n, d, 200)
        start = time.perf_counter()
        approximate = similarity.nearest_by_faiss(x, k).ids
        row: dict[str, Any] = {"n": n, "k": k, "faiss_s": time.perf_counter() - start}
        if n <= 20_000:
            start = time.perf_counter()
            exact = similarity.nearest_exact(x, k).ids
            hits = sum(len(np.intersect1d(a, b)) for a, b in zip(exact, approximate, strict=True))
            row |= {"exact_s": time.perf_counter() - start, "recall": hits / (n * k)}
        rows.append(row)
    return rows


def exponent(rows: list[dict[str, Any]], name: str, start: int = 10_000) -> float | None:
    """The slope of log time over log n, from `start` rows on."""
    used = [(r["n"], r[name]) for r in rows if r["n"] >= start]
    return float(np.polyfit(*np.log(used).T, 1)[0]) if len(used) > 1 else None


def run(full: bool = False, d: int = 256) -> dict[str, Any]:
    sizes = [1_000, 10_000, 100_000, 1_000_000] if full else [1_000, 10_000]
    field = scale(sizes, d)
    graph = graphs(sizes[:-1] if full else [2_000], d if full else 64)
    return {
        "machine": {
            "processor": platform.machine(),
            "threads": os.environ.get("OMP_NUM_THREADS", "all"),
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "closed_form": closed_form(2_000 if full else 200, d),
        "blocks": blocks(8_192 if full else 2_048, d, 2_048),
        "memory": memory(sizes, d),
        "scale": field,
        "exponents": {name: exponent(field, name, 1_000) for name in ("attractors_s", "reading_s")},
        "graph": graph,
        "graph_exponent": exponent(graph, "faiss_s"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="up to a million rows; the design text's loop at n = 2,000")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "resonance.json")
    options = parser.parse_args()
    results = run(options.full)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
