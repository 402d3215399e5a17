"""Do attractors, and topics merged of them, find known topics?

    python benchmarks/topics.py --data FOLDER [--minilm FOLDER] [--out FILE]

Adjusted mutual information (0 is chance, 1 is agreement) of basins with labels, beside what scikit-learn makes of
the same vectors: k-means, which is told the true number of topics, HDBSCAN, which is not, and mean shift with a flat
kernel. Rows that belong to no attractor (HDBSCAN: noise) count as a class of their own; `assigned` gives each to the
nearest.

FOLDER holds NAME.topics.jsonl or .jsonl.gz with lines {"text", "label"}; FIELDPACK_DATA in the environment works too.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import random
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fieldpack.embed.service import EmbeddingService
from fieldpack.field.attractors import Attractors, detect
from fieldpack.field.merging import topics as merged

HERE = Path(__file__).resolve().parent
MANY = 300
LIMITS = (12, 64, 160)


def topics(folder: Path, rows: int) -> Iterator[tuple[str, list[str], np.ndarray]]:
    """Name, texts and labels of each set, `rows` of them drawn with a fixed seed."""
    for path in sorted(folder.glob("*.topics.jsonl*")):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as f:  # type: ignore[operator]
            lines = [json.loads(line) for line in f]
        random.Random(0).shuffle(lines)
        lines = lines[:rows]
        yield path.name.split(".")[0], [r["text"] for r in lines], np.array([r["label"] for r in lines])


def agreement(label: np.ndarray, basin: np.ndarray) -> float:
    from sklearn.metrics import adjusted_mutual_info_score

    return round(float(adjusted_mutual_info_score(label, basin)), 3)


def attractors(x: np.ndarray, label: np.ndarray, find: Any = detect, **options: Any) -> dict[str, Any]:
    start = time.thread_time()
    found = find(x, **options)
    seconds = time.thread_time() - start
    return {
        "ami": agreement(label, found.basin),
        "assigned": agreement(label, nearest(found, x)),
        "found": len(found),
        "nobodys": round(float((found.basin < 0).mean()), 3),
        "beta": round(found.beta, 2),
        "cpu_s": round(seconds, 4),
    }


def nearest(attractors: Attractors, x: np.ndarray) -> np.ndarray:
    return attractors.affinity(x).argmax(1) if len(attractors) else np.zeros(len(x), int)


def peers(x: np.ndarray, label: np.ndarray) -> dict[str, Any]:
    """The clusterings of scikit-learn on rows whose mean is taken away, and on the rows as they are."""
    from sklearn.cluster import HDBSCAN, KMeans, MeanShift, estimate_bandwidth

    k = len(set(label.tolist()))
    y = x - x.mean(0)
    y /= np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-12)
    out: dict[str, Any] = {}
    for name, rows in (("", x), (" centred", y)):
        out[f"k-means, true k{name}"] = {"ami": agreement(label, KMeans(k, n_init=4, random_state=0).fit_predict(rows))}
        for size in (5, 15):
            out[f"hdbscan {size}{name}"] = clustered(label, HDBSCAN(min_cluster_size=size, copy=True).fit_predict(rows))
    width = estimate_bandwidth(y, quantile=0.02, n_samples=1000, random_state=0)
    out["mean shift centred"] = clustered(label, MeanShift(bandwidth=width, bin_seeding=False).fit_predict(y[:1000]))
    return out


def same_number(x: np.ndarray, label: np.ndarray) -> dict[str, Any]:
    """k-means of as many clusters as `topics` finds."""
    from sklearn.cluster import KMeans

    y = x - x.mean(0)
    y /= np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-12)
    out = {}
    for limit in LIMITS:
        k = max(len(merged(x, limit=limit)), 2)
        cluster = KMeans(k, n_init=4, random_state=0).fit_predict(y)
        out[f"k-means centred, as many as limit {limit}"] = {"ami": agreement(label, cluster), "found": k}
    return out


def clustered(label: np.ndarray, cluster: np.ndarray) -> dict[str, Any]:
    return {"ami": agreement(label[: len(cluster)], cluster), "found": int(cluster.max()) + 1}


def controls(x: np.ndarray, label: np.ndarray) -> dict[str, Any]:
    """What must find nothing: labels out of order, noise, and the rows' own numbers shuffled within each column."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=x.shape)
    shuffled = np.stack([rng.permutation(column) for column in x.T], 1)
    unit = [(v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32) for v in (noise, shuffled)]
    return {
        "ami with labels shuffled": agreement(rng.permutation(label), detect(x).basin),
        "attractors of isotropic noise": len(detect(unit[0], limit=MANY)),
        "attractors of shuffled columns": len(detect(unit[1], limit=MANY)),
        "topics of isotropic noise": len(merged(unit[0], limit=64)),
        "topics of shuffled columns": len(merged(unit[1], limit=64)),
    }


def run(folder: Path, models: dict[str, Any], rows: int, cache: Path | None = None) -> dict[str, Any]:
    sets = list(topics(folder, rows))
    result: dict[str, Any] = {"machine": machine(), "rows": rows, "sets": {}}
    for model, source in models.items():
        service = EmbeddingService(source, device="cpu", cache=cache)
        for name, texts, label in sets:
            x = service.embed(texts)
            result["sets"][f"{name}, {model}"] = {
                "rows": len(x),
                "dims": x.shape[1],
                "topics": len(set(label.tolist())),
                "systems": {
                    "attractors": attractors(x, label),
                    f"attractors, limit {MANY}": attractors(x, label, limit=MANY),
                    "attractors, all rows": attractors(x, label, sample=len(x)),
                    "attractors, raw field": attractors(x, label, background=np.zeros(x.shape[1]), limit=MANY),
                    **{f"topics, limit {k}": attractors(x, label, merged, limit=k) for k in LIMITS},
                    **same_number(x, label),
                    **peers(x, label),
                },
                "controls": controls(x, label),
            }
    return result


def machine() -> dict[str, Any]:
    import sklearn

    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("FIELDPACK_DATA"))
    parser.add_argument("--minilm", help="a folder with all-MiniLM-L6-v2; without it only the static table is measured")
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--cache", type=Path, help="an SQLite file that keeps the vectors")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "topics.json")
    options = parser.parse_args()
    if not options.data:
        parser.error("no data: give --data FOLDER or set FIELDPACK_DATA")
    models = {"static": "static"} | ({"MiniLM": options.minilm} if options.minilm else {})
    results = run(Path(options.data), models, options.rows, options.cache)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    for name, row in results["sets"].items():
        print(f"\n{name}: {row['rows']} rows, {row['topics']} topics; {row['controls']}")
        for system, values in row["systems"].items():
            print(f"  {system:28} {values}")


if __name__ == "__main__":
    main()
