"""TransformerEmbedder with a real tiny BERT: windows, memory, devices, names."""

from __future__ import annotations

import importlib.util
import logging
import socket
import threading
import time

import numpy as np
import pytest
import torch
from embedding_servers import EmbeddingServer
from tiny_models import WINDOW, tiny_bert

from fieldpack.embed import EmbeddingService, HashEmbedder
from fieldpack.embed.transformer import TransformerEmbedder, pick_device
from fieldpack.errors import EmbeddingError, InputError, MissingExtraError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def embedder(folder):
    return TransformerEmbedder(folder, device="cpu")


LONG = "the quick brown fox jumps over the lazy dog . " * 20


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_short_texts_are_what_the_library_says(embedder):
    texts = ["the cat sat on the mat", "a river and a bridge", "x"]
    assert np.allclose(embedder.embed(texts), unit(embedder.model.encode(texts)), atol=1e-5)


def test_a_long_text_is_the_pooled_vector_of_its_windows(embedder):
    seen = []
    encode = embedder.model.encode
    embedder.model.encode = lambda texts, **options: (seen.extend(texts), encode(texts, **options))[1]
    try:
        row = embedder.embed([LONG + "mercury"])[0]
    finally:
        del embedder.model.encode
    assert "".join(seen) == LONG + "mercury" and len(seen) > 5
    tokens = [len(embedder.model.tokenizer.encode(piece)) for piece in seen]
    assert max(tokens) <= WINDOW
    parts = unit(encode(seen))
    pooled = np.array([len(piece) for piece in seen]) @ parts
    assert np.allclose(row, unit(pooled), atol=1e-5)


def test_the_library_alone_would_have_cut_it(embedder):
    """What the windows are for: without them the last word changes nothing."""
    alone = embedder.model.encode([LONG + "mercury", LONG + "zebra"])
    assert np.array_equal(alone[0], alone[1])
    ours = embedder.embed([LONG + "mercury", LONG + "zebra"])
    assert np.abs(ours[0] - ours[1]).max() > 1e-4


def test_one_call_for_everything(embedder):
    calls = []
    encode = embedder.model.encode
    embedder.model.encode = lambda texts, **options: (calls.append(len(texts)), encode(texts, **options))[1]
    try:
        embedder.embed([f"the cat {i}" for i in range(100)])
    finally:
        del embedder.model.encode
    assert calls == [100]


class Greedy:
    """A model whose memory takes `room` texts at a time."""

    max_seq_length, device = None, torch.device("cpu")

    def __init__(self, room, error=None):
        error = error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        self.room, self.error, self.batches = room, error, []

    def get_embedding_dimension(self):
        return 24

    def encode(self, texts, batch_size, **options):
        self.batches.append(batch_size)
        if batch_size > self.room:
            raise self.error
        return HashEmbedder(24).embed(texts)


def test_out_of_memory_halves_the_batch_and_goes_on(caplog):
    model = Greedy(5)
    greedy = TransformerEmbedder(model, batch_size=32)
    texts = [str(i) for i in range(50)]
    assert np.allclose(greedy.embed(texts), HashEmbedder(24).embed(texts), atol=1e-6)
    assert model.batches == [32, 16, 8, 4] and "going on with 4" in caplog.text
    greedy.embed(["a"])
    assert model.batches[-1] == 4


def test_out_of_memory_as_other_devices_say_it():
    model = Greedy(1, RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"))
    assert TransformerEmbedder(model, batch_size=4).embed(["a", "b"]).shape == (2, 24)
    assert model.batches == [4, 2, 1]


def test_a_text_that_does_not_fit_alone_is_an_error():
    with pytest.raises(EmbeddingError, match="one text at a time"):
        TransformerEmbedder(Greedy(0), batch_size=8).embed(["a"])


def test_other_errors_are_not_taken_for_memory():
    model = Greedy(0, RuntimeError("shape mismatch"))
    with pytest.raises(EmbeddingError, match="shape mismatch"):
        EmbeddingService(model).embed(["a"])
    assert model.batches == [32]


def test_threads_take_turns(embedder):
    texts = [[f"the cat {i} {k} " * (1 + 9 * (i % 2)) for i in range(4)] for k in range(6)]
    alone = [embedder.embed(t) for t in texts]
    together = [None] * 6
    threads = [threading.Thread(target=lambda k=k: together.__setitem__(k, embedder.embed(texts[k]))) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(alone, together, strict=True))


def test_the_fingerprint_is_of_the_weights(folder, embedder, tmp_path):
    again = TransformerEmbedder(str(folder), device="cpu")
    assert again.fingerprint == embedder.fingerprint
    assert TransformerEmbedder(folder, device="cpu", half=True).fingerprint != embedder.fingerprint
    with torch.no_grad():
        next(again.model.parameters())[0, 0] += 1e-3
    assert TransformerEmbedder(again.model).fingerprint != embedder.fingerprint
    again.model.max_seq_length = 16
    assert TransformerEmbedder(again.model).fingerprint != TransformerEmbedder(folder, device="cpu").fingerprint


def test_half_precision_is_near_and_comes_as_float32(folder, embedder):
    rows = TransformerEmbedder(folder, device="cpu", half=True).embed(["the cat", "a river"])
    assert rows.dtype == np.float32
    assert np.allclose(rows, embedder.embed(["the cat", "a river"]), atol=5e-3)


def test_a_loaded_model_is_taken_as_it_is(embedder):
    service = EmbeddingService(embedder.model)
    assert isinstance(service.embedder, TransformerEmbedder)
    assert np.allclose(service.embed(["the cat", LONG]), embedder.embed(["the cat", LONG]), atol=1e-6)


@pytest.mark.parametrize("device", ["gpu", "tpu:0", ""])
def test_devices_that_are_none(device):
    with pytest.raises(InputError, match="allowed: auto, cpu, cuda"):
        pick_device(device)


def test_a_device_that_is_not_here(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="finds none; use auto or cpu"):
        pick_device("cuda:1")


def test_auto_takes_cuda_then_mps_then_cpu(monkeypatch):
    for cuda, mps, device in [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert pick_device("auto") == device


def test_a_folder_that_does_not_load(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EmbeddingError, match="cannot be loaded"):
        EmbeddingService(tmp_path).embed(["a"])


def test_without_the_package_the_error_can_be_pasted(folder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install 'fieldpack"):
        EmbeddingService(folder).embed(["a"])


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_a_hub_name_without_the_hub_fails_fast_and_clearly(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    start = time.monotonic()
    with pytest.raises(EmbeddingError, match=r"not on this machine and .* cannot be reached"):
        EmbeddingService("nobody/no-such-model").embed(["a"])
    assert time.monotonic() - start < 30


def test_a_hub_that_does_not_answer_fails_fast_too(monkeypatch):
    monkeypatch.setattr("fieldpack.embed.transformer._HUB_SECONDS", 1.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        with pytest.raises(EmbeddingError, match="cannot be reached"):
            EmbeddingService("nobody/no-such-model").embed(["a"])
    assert time.monotonic() - start < 30


def test_a_hub_that_does_not_have_it_says_so(monkeypatch):
    with EmbeddingServer() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.root)
        with pytest.raises(EmbeddingError, match=r"no public model 'nobody/no-such-model' \(status 404\)"):
            EmbeddingService("nobody/no-such-model").embed(["a"])


def test_offline_is_offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EmbeddingError, match="HF_HUB_OFFLINE"):
        EmbeddingService("nobody/no-such-model").embed(["a"])


def test_nothing_is_drawn_on_the_terminal(folder, capfd):
    logging.getLogger("transformers").setLevel(logging.ERROR)
    TransformerEmbedder(folder, device="cpu").embed(["the cat"])
    out, err = capfd.readouterr()
    assert out == "" and "%|" not in err
