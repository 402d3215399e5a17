"""Does the same input give the same bytes, and the same evidence where the last bits of the scores differ?

    python benchmarks/determinism.py --data FOLDER --out benchmarks/results/determinism.json

A sample of every labelled set is packed in many ways, each in a process of its own, and compared with the first: again,
under another hash seed, on two threads, with the queries in another order, with vectors from a cache that is empty and
one that is full, from an index, and from an index that was saved and loaded. `bytes` are all that a result says (times
left out), `kept` the rows that were packed. Last, all scores are changed by a random part in a million, and by more, to
see how often a kept set hangs on the last bits.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import fieldpack as fp
from fieldpack.bench.corpora import discover, load
from fieldpack.bench.dataset import Query, evenly_spaced
from fieldpack.bench.machine import machine
from fieldpack.embed.onnx import OnnxEmbedder
from fieldpack.request import Request
from fieldpack.scored import Scored
from fieldpack.types import FloatArray

WAYS: dict[str, dict[str, str]] = {
    "in another process, under another hash seed": {"PYTHONHASHSEED": "1"},
    "on two threads": {"threads": "2"},
    "queries in reversed order": {"way": "reversed"},
    "with an empty cache": {"way": "cached"},
    "with a full cache": {"way": "cached"},
    "from an index": {"way": "index"},
    "from an index, saved and loaded": {"way": "saved"},
}
CHANGES = (1e-7, 1e-6, 1e-5, 1e-4)
SHARES = (0.1, 0.3)
"""Budgets, as shares of the candidates' tokens."""


def cases(folder: Path, limit: int, most: int) -> Iterator[tuple[str, Query]]:
    """(set, query) of `limit` queries of every set, with at most so many candidates, the evidence among them."""
    for name, path in discover(folder).items():
        for query in load(path, limit):
            gold = set(query.gold)
            rest = {p.id for p in evenly_spaced([p for p in query.passages if p.id not in gold], most)}
            yield name, replace(query, passages=tuple(p for p in query.passages if p.id in gold | rest))


def results(packer: fp.ContextPacker, query: Query, way: str, budgets: list[int]) -> Iterator[fp.Result]:
    if way in ("index", "saved"):
        index = packer.index(query.passages)
        if way == "saved":
            with tempfile.TemporaryDirectory() as place:
                index.save(Path(place) / "index")
                yield from [fp.Index.load(Path(place) / "index", packer).pack(query.query, b) for b in budgets]
            return
        yield from [index.pack(query.query, b) for b in budgets]
        return
    for budget in budgets:
        yield packer.pack(query.query, query.passages, budget)


def packed(options: argparse.Namespace) -> dict[str, Any]:
    """{set, query and budget: digests of all that the result says and of what was kept}."""
    embedder: Any = OnnxEmbedder(threads=options.threads) if options.model == "minilm" else "static"
    service = fp.EmbeddingService(embedder, cache=options.cache)
    packer = fp.ContextPacker(embedder=service, unit=options.unit)
    digests: dict[str, Any] = {}
    listed = list(cases(options.data, options.limit, options.most))
    for name, query in listed[::-1] if options.way == "reversed" else listed:
        total = sum(packer.tokenizer.count_many([p.text for p in query.passages]))
        budgets = [max(20, int(share * total)) for share in SHARES]
        key = f"{name}|{query.id}"
        if options.way == "changed":
            digests[key] = changed(packer, query, budgets)
            continue
        for budget, result in zip(budgets, results(packer, query, options.way, budgets), strict=True):
            shown = result.to_dict()
            del shown["timings_ms"]
            kept = sorted((k.doc_id, k.start, k.end) for k in result.kept)
            digests[f"{key}|{budget}"] = [digest(shown), digest(kept)]
    return digests


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def changed(packer: fp.ContextPacker, query: Query, budgets: list[int]) -> dict[str, list[bool]]:
    """{size of the change: for each budget whether the kept set stays}."""
    requests = [Request.checked(query.query, b) for b in budgets]
    scored = packer.pack_corpus(requests[0], packer.embedded(packer.read(query.passages))).scored
    wanted = [packer.choose(request, scored).inside for request in requests]
    out: dict[str, list[bool]] = {}
    for size in CHANGES:
        rng = np.random.default_rng(0)
        packs = [packer.choose(request, with_noise(scored, size, rng)).inside for request in requests]
        out[f"{size:g}"] = [bool((a == b).all()) for a, b in zip(packs, wanted, strict=True)]
    return out


def with_noise(scored: Scored, size: float, rng: np.random.Generator) -> Scored:
    """The scores, each changed by a random share of about `size`."""

    def noisy(values: FloatArray) -> FloatArray:
        return np.asarray(values * (1 + size * rng.standard_normal(values.shape)), np.float32)

    logit, similarity = noisy(scored.relevance.logit), noisy(scored.relevance.max_similarity)
    relevance = replace(scored.relevance, logit=logit, max_similarity=similarity)
    return replace(scored, relevance=relevance, problem=replace(scored.problem, logit=logit, max_similarity=similarity))


def elsewhere(options: argparse.Namespace, model: str, limit: int, settings: dict[str, str], cache: str = "") -> Any:
    """`packed` in a process of its own."""
    threads = settings.get("threads", "1")
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, threads)}
    environment["PYTHONHASHSEED"] = settings.get("PYTHONHASHSEED", "0")
    command = [
        sys.executable,
        __file__,
        "--child",
        "--data",
        str(options.data),
        "--model",
        model,
        "--unit",
        options.unit,
    ]
    command += ["--limit", str(limit), "--most", str(options.most if model == "static" else options.most // 3)]
    command += ["--way", settings.get("way", "direct"), "--threads", threads, *(["--cache", cache] if cache else [])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def compared(first: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    differing = [key for key in first if first[key][1] != other[key][1]]
    return {
        "packs": len(first),
        "same bytes": sum(first[key] == other[key] for key in first),
        "same kept set": len(first) - len(differing),
        **({"differing": differing[:10]} if differing else {}),
    }


def report(options: argparse.Namespace, model: str, limit: int, say: Callable[[str], None]) -> dict[str, Any]:
    first = elsewhere(options, model, limit, {})
    out: dict[str, Any] = {"sets": len({key.split("|")[0] for key in first}), "packs": len(first)}
    with tempfile.TemporaryDirectory() as folder:
        for name, settings in WAYS.items():
            cache = str(Path(folder) / "vectors.sqlite") if settings.get("way") == "cached" else ""
            out[name] = compared(first, elsewhere(options, model, limit, settings, cache))
            say(f"{model}: {name}: {out[name]}")
    moved = elsewhere(options, model, limit, {"way": "changed"})
    for size in CHANGES:
        same = [stays for row in moved.values() for stays in row[f"{size:g}"]]
        out[f"scores changed by {size:g}"] = {"packs": len(same), "same kept set": sum(same)}
        say(f"{model}: scores changed by {size:g}: {out[f'scores changed by {size:g}']}")
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = os.environ.get("FIELDPACK_DATA")
    parser.add_argument("--data", type=Path, default=folder, required=folder is None)
    parser.add_argument("--limit", type=int, default=40, help="queries of a set")
    parser.add_argument("--minilm-limit", type=int, default=6, help="queries of a set that are packed with minilm")
    parser.add_argument("--most", type=int, default=300, help="candidates of a query; a third of it with minilm")
    parser.add_argument("--unit", default="auto")
    parser.add_argument("--models", nargs="+", default=["static", "minilm"])
    parser.add_argument("--out", type=Path)
    for name, value in (("--model", "static"), ("--way", "direct"), ("--cache", None)):
        parser.add_argument(name, default=value, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(packed(options)))
        return

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    limits = {"static": options.limit, "minilm": options.minilm_limit}
    report_all: dict[str, Any] = {"machine": machine(), "limits": limits, "candidates at most": options.most}
    report_all |= {model: report(options, model, limits[model], say) for model in options.models}
    text = json.dumps(report_all, indent=1)
    if options.out:
        options.out.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
