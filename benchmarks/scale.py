"""Packs of 1,000 to 1,000,000 segments: python benchmarks/scale.py --data FOLDER

text       passages of real documents taken apart and put together anew: a sentence is the head of one and the tail of
           another, so that no two texts are alike and the vocabulary stays that of the documents. Deterministic. Every
           size in a fresh process: seconds of each stage, peak of resident memory with and without what the texts
           themselves take, and the exponent of a straight line through log time over log size.
floor      10,000 passages against reading their text once with each tokenizer, WordPiece (the `tokenizers` library) and
           o200k_base (tiktoken), both batched on all cores.
index      a pack over an index of each size, and adding one document to it.
vectors    the field alone on the vectors of such texts: reading it, and the graph of nearest rows, exact and by FAISS;
           the recall of FAISS against exact search at 10,000 rows.
stream     the same texts from a generator, never all in memory at once.

Times are on the clock and by processor; of a busy machine only ratios within one run say something.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fieldpack.bench import speed_tables, tables
from fieldpack.bench.corpora import discover, load
from fieldpack.bench.machine import machine
from fieldpack.errors import FieldpackError
from fieldpack.request import Request
from fieldpack.telemetry import Clock
from fieldpack.text.sentences import sentence_spans
from fieldpack.types import Document

SETS = ("hotpotqa", "squad", "nq20", "policyqa", "evinf")
QUERY = "Who was the first to describe the effect of the treaty on trade between the two countries?"
BUDGET = 2000
PER_DOCUMENT, POOL = 10, 40_000
EXACT_GRAPH = 20_000
"""Rows up to which the graph of nearest rows is exact; beyond, exact search would take minutes."""


def pool(folder: Path, names: tuple[str, ...] = SETS) -> list[list[str]]:
    """The sentences of the passages of some sets, as words; at least six each, no two alike."""
    found = discover(folder)
    chosen = [found[n] for n in names if n in found] or list(found.values())[:4]
    out: dict[str, list[str]] = {}
    for path in chosen:
        for text in {p.text for q in load(path, 200) for p in q.passages}:
            flat = " ".join(text.split())
            for a, b in sentence_spans(flat, 0, len(flat)) if flat else ():
                if len(words := flat[a:b].split()) >= 6:
                    out.setdefault(flat[a:b], words)
    return [out[s] for s in sorted(out)[:: max(1, len(out) // POOL)]]


def documents(sentences: list[list[str]], segments: int, seed: int = 0) -> Iterator[Document]:
    """Documents of PER_DOCUMENT sentences, two to a paragraph, `segments` sentences in all."""
    rng = np.random.default_rng(seed)
    for d in range(segments // PER_DOCUMENT):
        pairs = rng.integers(0, len(sentences), (PER_DOCUMENT, 2)).tolist()
        made = [_spliced(sentences[a], sentences[b]) for a, b in pairs]
        blocks = [" ".join(made[k : k + 2]) for k in range(0, PER_DOCUMENT, 2)]
        yield Document(f"d{d}", "\n\n".join(blocks), " ".join(sentences[pairs[0][0]][:3]))


def _spliced(head: list[str], tail: list[str]) -> str:
    return " ".join([*head[: len(head) // 2], *tail[len(tail) // 2 :]])


def peak() -> float:
    """Megabytes of resident memory at most so far."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1024 if sys.platform != "darwin" else used / 1024**2


def measured(run: Any) -> tuple[Any, dict[str, float]]:
    clock, processor = time.perf_counter(), time.process_time()
    found = run()
    return found, {
        "clock_s": round(time.perf_counter() - clock, 3),
        "processor_s": round(time.process_time() - processor, 3),
    }


class Stages(Clock):
    """The clock of a pack, and the processor's time beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.processor: dict[str, float] = {}
        self._at = time.process_time()

    def lap(self, stage: str) -> None:
        super().lap(stage)
        now = time.process_time()
        self.processor[stage] = round(self.processor.get(stage, 0.0) + now - self._at, 3)
        self._at = now


def text_step(folder: Path, segments: int) -> dict[str, Any]:
    """One pack in this process, which holds the texts."""
    import fieldpack as fp

    texts = list(documents(pool(folder), segments))
    packer = fp.ContextPacker(unit="sentence")
    packer.pack("warm", "The table, the ranks and the weights are loaded.", 20)
    before = peak()
    clock = Stages()
    request = Request.checked(QUERY, BUDGET)
    result, spent = measured(
        lambda: packer.pack_corpus(request, packer.read(texts, request, clock), clock=clock),
    )
    whole = peak()
    _, field = measured(lambda: result.reading)
    stages = {k: round(v / 1000, 3) for k, v in result.timings.items() if k != "total"}
    return {
        "segments": len(result.segments),
        "megabytes_of_text": round(sum(len(d.text) for d in texts) / 1e6, 1),
        "tokens": int(result.segments.tokens.sum()),
        **spent,
        "stages_clock_s": stages,
        "stages_processor_s": clock.processor,
        "field_processor_s": field["processor_s"],
        "peak_mb": round(whole),
        "texts_alone_mb": round(before),
        "kept_tokens": result.tokens,
    }


def stream_step(folder: Path, segments: int) -> dict[str, Any]:
    """The same texts, made one by one while they are read."""
    import fieldpack as fp

    sentences = pool(folder)
    packer = fp.ContextPacker(unit="sentence")
    packer.pack("warm", "The table, the ranks and the weights are loaded.", 20)
    before = peak()
    _, alone = measured(lambda: sum(1 for _ in documents(sentences, segments)))
    result, spent = measured(lambda: packer.pack_stream(QUERY, documents(sentences, segments), BUDGET))
    return {
        "segments": result.skipped.segments + len(result.segments),
        "held": len(result.segments),
        **spent,
        "making_the_texts": alone,
        "peak_mb": round(peak()),
        "before_mb": round(before),
        "kept_tokens": result.tokens,
    }


def index_step(folder: Path, segments: int) -> dict[str, Any]:
    """Packs over an index, and one document more."""
    import fieldpack as fp

    sentences = pool(folder)
    index, built = measured(
        lambda: fp.ContextPacker(unit="sentence").index(documents(sentences, segments)),
    )
    asked = [" ".join(sentences[i * 97 % len(sentences)][:12]) for i in range(25)]
    index.pack(asked[0], BUDGET)
    packs = [measured(lambda q=q: index.pack(q, BUDGET))[1] for q in asked]
    adds = []
    for k in range(4):
        grown, spent = measured(
            lambda k=k, old=index: old.add(Document(f"late {k}", "It was added late. It is short.", "Late"))
        )
        adds.append(spent["processor_s"])
        index = grown
    return {
        "segments": len(index),
        "built": built,
        "pack_median_ms": {
            unit: round(1000 * float(np.median([p[f"{unit}_s"] for p in packs])), 1) for unit in ("clock", "processor")
        },
        "add_one_document_ms": [round(1000 * a, 1) for a in adds],
        "peak_mb": round(peak()),
    }


def floor_step(folder: Path, segments: int, rounds: int = 3) -> dict[str, Any]:
    """Each tokenizer once over all passages, both batched on all cores, and the pack of paragraphs; the fastest of some
    rounds of each, in turns."""
    import tokenizers
    from tokenizers import models, normalizers, pre_tokenizers

    import fieldpack as fp
    from fieldpack import assets

    vocabulary = assets.verified("static/vocab.txt").read_text("utf-8").removesuffix("\n").split("\n")
    pieces = tokenizers.Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocabulary)}, unk_token="[UNK]"))
    pieces.normalizer, pieces.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    texts = list(documents(pool(folder), segments))
    passages = [p for d in texts for p in d.text.split("\n\n")]
    encoding = fp.tokenizer("o200k_base").warm().encoding
    cores = os.cpu_count() or 1
    best: dict[str, dict[str, float]] = {}
    stages: dict[str, float] = {}
    for _ in range(rounds):
        packer = fp.ContextPacker(unit="paragraph")  # its table remembers no word yet
        packer.pack("warm", "The table, the ranks and the weights are loaded.", 20)
        sides = {
            "wordpiece": lambda: pieces.encode_batch_fast(passages),
            "o200k_base": lambda: encoding.encode_ordinary_batch(passages, num_threads=cores),
            "pack": lambda p=packer: p.pack(QUERY, texts, BUDGET),
        }
        for name, run in sides.items():
            found, spent = measured(run)
            if spent["clock_s"] <= best.get(name, spent)["clock_s"]:
                stages = dict(found.timings) if name == "pack" else stages
            kept = best.setdefault(name, spent)
            best[name] = {k: min(kept[k], v) for k, v in spent.items()}
            del found
    ratio = {
        unit: round(best["pack"][unit] / (best["wordpiece"][unit] + best["o200k_base"][unit]), 2)
        for unit in ("clock_s", "processor_s")
    }
    return {
        "passages": len(passages),
        **best,
        "pack_over_floor": ratio,
        "stages_clock_s": {k: round(v / 1000, 3) for k, v in stages.items() if k != "total"},
    }


def vectors(folder: Path, rows: int, seed: int = 0) -> np.ndarray:
    """(rows, d) unit static vectors of paragraphs of two recombined sentences, without their texts: the sums of word
    vectors of two heads and two tails."""
    from fieldpack.corpus.build import shipped_static
    from fieldpack.words import sums, words_of

    static, rng = shipped_static(), np.random.default_rng(seed)
    halves = []
    for part in zip(*((w[: len(w) // 2], w[len(w) // 2 :]) for w in pool(folder)), strict=True):
        words = words_of(" ".join(w) for w in part)
        halves += [sums(static.word_vectors(words.vocabulary), words)]
    out = np.empty((rows, static.dims), np.float32)
    for first in range(0, rows, 65_536):
        size = min(65_536, rows - first)
        chosen = rng.integers(0, len(halves[0]), (4, size))
        part = sum(halves[k % 2][at] for k, at in enumerate(chosen))
        out[first : first + size] = part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-9)
    return out


def vectors_step(folder: Path, rows: int) -> dict[str, Any]:
    """The field of vectors alone: reading it, the closed form of resonance, the graph of nearest rows."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from similarity import nearest_by_faiss, nearest_exact

    from fieldpack.field.resonance import overall
    from fieldpack.field.state import read

    x = vectors(folder, rows)
    before = peak()
    reading, spent = measured(lambda: read(x))
    out: dict[str, Any] = {
        "rows": rows,
        "read": spent,
        "attractors": len(reading.attractors),
        "overall": measured(lambda: overall(x))[1],
    }
    if rows <= 100_000:
        exact = rows <= EXACT_GRAPH
        graph, took = measured(lambda: nearest_exact(x, 10) if exact else nearest_by_faiss(x, 10))
        out["graph"] = {"kind": "exact" if exact else "FAISS HNSW", **took}
        if rows == 10_000:
            other, took = measured(lambda: nearest_by_faiss(x, 10))
            hits = sum(len(np.intersect1d(a, b)) for a, b in zip(graph.ids, other.ids, strict=True))
            out["graph by FAISS"] = {**took, "recall_at_10": round(hits / graph.ids.size, 4)}
    return {**out, "vectors_mb": round(x.nbytes / 2**20), "peak_mb": round(peak()), "before_mb": round(before)}


STEPS = {
    "text": (text_step, (1_000, 10_000, 100_000, 1_000_000)),
    "floor": (floor_step, (20_000,)),
    "index": (index_step, (1_000, 10_000, 100_000, 1_000_000)),
    "vectors": (vectors_step, (1_000, 10_000, 100_000, 1_000_000)),
    "stream": (stream_step, (1_000, 10_000, 100_000, 1_000_000)),
}


def exponent(sizes: list[float], values: list[float]) -> float:
    """Slope of the line through log value over log size."""
    return round(float(np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-3)), 1)[0]), 3)


def fitted(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Exponents over the sizes from 10,000 on: below, what is done once a call weighs most."""
    large = [r for r in rows if r.get("segments", r.get("rows", 0)) > 5_000]
    if len(large) < 2:
        return {}
    sizes = [float(r.get("segments", r.get("rows", 0))) for r in large]
    out = {}
    if "processor_s" in large[0]:
        out["processor"] = exponent(sizes, [r["processor_s"] for r in large])
    for stage, seconds in large[-1].get("stages_processor_s", {}).items():
        if seconds < 0.5:
            continue  # counting that waits for nobody, a step that does not grow
        out[stage] = exponent(sizes, [r["stages_processor_s"][stage] for r in large])
    if "read" in large[0]:
        out["read"] = exponent(sizes, [r["read"]["processor_s"] for r in large])
    if all("graph by FAISS" in r or r.get("graph", {}).get("kind", "").startswith("FAISS") for r in large[:2]):
        found = [(s, r.get("graph by FAISS", r.get("graph"))) for s, r in zip(sizes, large, strict=True)]
        timed = [(s, g["processor_s"]) for s, g in found if g]
        out["graph by FAISS"] = exponent([s for s, _ in timed], [t for _, t in timed])
    if "field_processor_s" in large[0]:
        out["field"] = exponent(sizes, [r["field_processor_s"] for r in large])
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("FIELDPACK_DATA"), help="folder of data sets")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "scale.json")
    parser.add_argument("--only", default=",".join(STEPS))
    parser.add_argument("--most", type=int, default=1_000_000, help="segments at most")
    parser.add_argument("--page", action="store_true", help="only put what was measured into benchmarks/README.md")
    parser.add_argument("--step", nargs=2, metavar=("NAME", "SIZE"), help="one measurement, in this process")
    options = parser.parse_args()
    if options.page:
        tables.insert(
            Path(__file__).parent / "README.md", "scale", speed_tables.scale_page(json.loads(options.out.read_text()))
        )
        return
    if options.data is None:
        parser.error("--data or FIELDPACK_DATA must name a folder of data sets")
    try:
        if options.step:
            print(json.dumps(STEPS[options.step[0]][0](options.data, int(options.step[1]))))
            return
        _all(options)
    except FieldpackError as error:
        parser.error(str(error))


def _all(options: argparse.Namespace) -> None:
    results = json.loads(options.out.read_text()) if options.out.is_file() else {}
    for name in options.only.split(","):
        rows = []
        for size in STEPS[name][1]:
            if size > options.most:
                continue
            command = [sys.executable, __file__, "--data", str(options.data), "--step", name, str(size)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rows.append({**json.loads(said.splitlines()[-1]), "load": round(os.getloadavg()[0], 1)})
            print(name, json.dumps(rows[-1]), flush=True)
        results["machine"] = {**machine(), "blas_threads": os.environ.get("OMP_NUM_THREADS", "all")}
        results["command"] = "python benchmarks/scale.py --data FOLDER"
        results[name] = {"rows": rows, "exponents": fitted(rows)}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1) + "\n")
        print(name, "exponents", results[name]["exponents"], flush=True)


if __name__ == "__main__":
    main()
