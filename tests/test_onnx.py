"""MiniLM through onnxruntime: order, windows, batches, bad files."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import numpy as np
import pytest

from fieldpack import assets
from fieldpack.embed.onnx import OnnxEmbedder
from fieldpack.errors import AssetError, MissingExtraError
from fieldpack.protocols import Embedder
from fieldpack.storage import sha256_of_file

TEXTS = [
    "Where is the river?",
    "",
    "A paragraph about rivers, banks and fish. " * 5,
    "日本の川",
    "x" * 500,
    "\ud800 half a character",
    "Deposit interest rates rose.",
]


@pytest.fixture(scope="module")
def minilm() -> OnnxEmbedder:
    return OnnxEmbedder(threads=1)


def test_rows_are_unit_and_do_not_depend_on_neighbours_or_batches(minilm: OnnxEmbedder) -> None:
    rows = minilm.embed(TEXTS)
    assert isinstance(minilm, Embedder) and rows.dtype == np.float32 and rows.shape == (len(TEXTS), 384)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.concatenate([minilm.embed([t]) for t in TEXTS]), rows, atol=1e-5)
    np.testing.assert_allclose(minilm.embed(TEXTS[::-1])[::-1], rows, atol=1e-5)
    np.testing.assert_allclose(OnnxEmbedder(threads=1, batch_tokens=100_000).embed(TEXTS), rows, atol=1e-5)
    assert minilm.embed([]).shape == (0, 384)


def test_it_knows_what_is_near(minilm: OnnxEmbedder) -> None:
    rows = minilm.embed(
        ["How do plants make food from light?", "Photosynthesis in leaves", "The bank raised its rates"]
    )
    assert rows[0] @ rows[1] > 0.5 > rows[0] @ rows[2] + 0.3


def test_a_long_text_is_read_to_its_end(minilm: OnnxEmbedder) -> None:
    filler = "The committee met again and talked about the weather. " * 60
    plain, told = minilm.embed([filler, filler + "Chlorophyll turns light into sugar. " * 30])
    query = minilm.embed(["photosynthesis"])[0]
    assert told @ query > plain @ query + 0.1


def test_a_window_is_the_mean_over_all_its_pieces(minilm: OnnxEmbedder) -> None:
    # 600 one-piece words: three windows of 200 pieces, pooled by what they hold.
    words = (["river"] * 200) + (["bank"] * 200) + (["fish"] * 200)
    parts = minilm.embed([" ".join(words[i : i + 200]) for i in (0, 200, 400)])
    whole = minilm.embed([" ".join(words)])[0]
    mean = parts.sum(0) / np.linalg.norm(parts.sum(0))
    assert whole @ mean > 0.99


def test_it_travels_as_what_it_was_made_from(minilm: OnnxEmbedder) -> None:
    again = pickle.loads(pickle.dumps(minilm))
    assert again.fingerprint == minilm.fingerprint
    np.testing.assert_allclose(again.embed(TEXTS[:1]), minilm.embed(TEXTS[:1]), atol=1e-6)


def test_fingerprint_is_that_of_the_weights(minilm: OnnxEmbedder) -> None:
    folder = assets.root() / "onnx"
    elsewhere = OnnxEmbedder(folder, threads=1)
    assert elsewhere.fingerprint == minilm.fingerprint
    assert sha256_of_file(folder / "model.onnx")[:16] in minilm.fingerprint


def test_bad_folders_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"no model\.onnx"):
        OnnxEmbedder(tmp_path)
    for name in ("tokenizer.json", "info.json"):
        (tmp_path / name).write_bytes((assets.root() / "onnx" / name).read_bytes())
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(AssetError, match="cannot load"):
        OnnxEmbedder(tmp_path)


def test_without_onnxruntime_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "onnxruntime" else real(name, *a))
    with pytest.raises(MissingExtraError, match=r"fieldpack\[onnx\]"):
        OnnxEmbedder()
