"""Topics of labelled texts and of folders: do basins agree with labels, and do their words say what they are?

    python benchmarks/topic_words.py --data FOLDER [--rows 1500] [--out FILE]

Beside the attractors of `ContextPacker.explore`: k-means with the true number of topics and HDBSCAN, of the same
vectors with the mean taken away. All get words by one rule (class-based tf-idf, as BERTopic has it). Purity, NMI and
ARI with the labels; `coherence` is the mean NPMI over the texts of pairs of a topic's five words (Lau et al. 2014);
`distinct` the share of all topics' words that stand in one topic alone. A paragraph of a folder has the directory of
its file as its label.

FOLDER holds NAME.topics.jsonl(.gz), and folders/NAME.folder.jsonl(.gz) with {"id", "text"} a file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fieldpack.bench.dataset import records
from fieldpack.corpus.corpus import Corpus
from fieldpack.pipeline import ContextPacker
from fieldpack.relevance.topics import basin_words
from fieldpack.types import Document

HERE = Path(__file__).resolve().parent
FOLDERS = ("git", "pydantic")
LIMITS = (12, 64)


def sets(data: Path, rows: int) -> Iterator[tuple[str, Corpus, np.ndarray]]:
    """Name, corpus of paragraphs and a label for each paragraph."""
    packer = ContextPacker(unit="paragraph")
    rng = np.random.default_rng(0)
    for path in sorted(data.glob("*.topics.jsonl*")):
        listed = list(records(path))
        chosen = [listed[i] for i in np.sort(rng.permutation(len(listed))[:rows])]
        corpus = packer.read([Document(str(i), row["text"]) for i, row in enumerate(chosen)])
        labels = np.array([str(row["label"]) for row in chosen])
        yield path.name.split(".")[0], corpus, labels[corpus.paragraphs.spans.doc]
    for name in FOLDERS:
        for path in sorted((data / "folders").glob(f"{name}.folder.jsonl*")):
            files = [row for row in records(path) if "/" in row["id"]]
            kept = [files[i] for i in np.sort(rng.permutation(len(files))[:60])]
            corpus = packer.read([Document(row["id"], row["text"]) for row in kept])
            labels = np.array([row["id"].rpartition("/")[0] for row in kept])
            yield f"folder {name}", corpus, labels[corpus.paragraphs.spans.doc]


def clusterings(corpus: Corpus, topics: int) -> dict[str, np.ndarray]:
    """The cluster of each paragraph, -1 for none."""
    from sklearn.cluster import HDBSCAN, KMeans

    packer = ContextPacker(unit="paragraph")
    x = np.asarray(corpus.vectors)
    y = x - x.mean(0)
    y /= np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-12)
    out = {f"attractors, limit {k}": packer.explore(corpus.documents, k).reading.attractors.basin for k in LIMITS}
    out["k-means, true k"] = KMeans(topics, n_init=2, random_state=0).fit_predict(y).astype(np.int64)
    out["hdbscan 5"] = HDBSCAN(min_cluster_size=5, copy=True).fit_predict(y).astype(np.int64)
    if (found := bertopic(corpus, x)) is not None:
        out["BERTopic"] = found
    return out


def bertopic(corpus: Corpus, x: np.ndarray) -> np.ndarray | None:
    """BERTopic on the same vectors, with its own defaults, which without `umap` and `hdbscan` are a PCA of 5 dimensions
    and scikit-learn's HDBSCAN; None where it is not installed."""
    try:
        from bertopic import BERTopic
    except ImportError:
        return None
    texts = corpus.paragraphs.spans.texts(corpus.documents)
    found, _ = BERTopic(embedding_model=None, calculate_probabilities=False).fit_transform(texts, embeddings=x)
    return np.asarray(found, np.int64)


def measured(corpus: Corpus, label: np.ndarray, cluster: np.ndarray) -> dict[str, Any]:
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    count = int(cluster.max(initial=-1)) + 1
    classes, number = np.unique(label, return_inverse=True)
    table = np.zeros((count + 1, len(classes)))
    np.add.at(table, (cluster, number), 1)  # the last row is that of no cluster
    words = basin_words(corpus, cluster, count)
    shown = [w for topic in words for w in topic]
    return {
        "found": count,
        "nobodys": float(np.round((cluster < 0).mean(), 3)),
        "purity": float(np.round(table.max(1).sum() / len(label), 3)),
        "nmi": round(float(normalized_mutual_info_score(label, cluster)), 3),
        "ari": round(float(adjusted_rand_score(label, cluster)), 3),
        "coherence": coherence(corpus, words),
        "distinct": round(sum(shown.count(w) == 1 for w in shown) / max(len(shown), 1), 3),
        "words": [", ".join(topic) for topic in words[:6]],
    }


def coherence(corpus: Corpus, topics: Sequence[Sequence[str]]) -> float:
    """Mean normalised pointwise mutual information of two words of a topic, over paragraphs, in [-1, 1]."""
    where: dict[str, set[int]] = {}
    owner = np.repeat(np.arange(len(corpus.paragraphs)), corpus.paragraphs.lengths)
    for word in {w for topic in topics for w in topic}:
        where[word] = set(owner[corpus.words == corpus.vocabulary.index[word]].tolist())
    n, values = len(corpus.paragraphs), []
    for topic in topics:
        for a, b in itertools.combinations(topic, 2):
            both = len(where[a] & where[b])
            joint = both / n
            npmi = np.log(joint * n * n / (len(where[a]) * len(where[b]))) / -np.log(joint) if 0 < both < n else -1.0
            values.append(float(npmi))
    return round(float(np.mean(values)), 3) if values else 0.0


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "topic_words.json")
    options = parser.parse_args()
    results: dict[str, Any] = {"command": f"python benchmarks/topic_words.py --rows {options.rows}", "sets": {}}
    for name, corpus, label in sets(options.data, options.rows):
        found = clusterings(corpus, len(set(label.tolist())))
        rows = {system: measured(corpus, label, cluster) for system, cluster in found.items()}
        results["sets"][name] = {"rows": len(label), "topics": len(set(label.tolist())), "systems": rows}
        print(f"\n{name}: {len(label)} paragraphs, {len(set(label.tolist()))} labels")
        for system, values in rows.items():
            print(f"  {system:22} {values}")
    options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
