"""EmbeddingService: what a model may be, each text once, bad vectors refused with their text's number."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.embed import EmbeddingService, HashEmbedder
from fieldpack.embed.static import StaticEmbedder
from fieldpack.embed.validate import pool, unit_rows
from fieldpack.embed.windows import plan, windows
from fieldpack.errors import EmbeddingError, InputError, UnknownNameError
from fieldpack.protocols import Embedder

HASH = HashEmbedder(24)


def counting(calls):
    def embed(texts):
        calls.append(list(texts))
        return HASH.embed(texts)

    return embed


@given(st.lists(st.text(max_size=12), max_size=30))
def test_any_texts_give_the_embedders_rows_each_text_once(texts):
    calls = []
    rows = EmbeddingService(counting(calls)).embed(texts)
    assert rows.shape == (len(texts), 24) and rows.dtype == np.float32
    for text, row in zip(texts, rows, strict=True):
        if text.strip():
            assert np.array_equal(row, HASH.embed([text])[0])
    # The one text beside the given ones is the probe for the width, when there is nothing to learn it from.
    sent = [text for call in calls for text in call]
    assert len(sent) == len(set(sent)) and len(set(sent) - set(texts)) <= 1


def test_a_service_is_an_embedder():
    assert isinstance(EmbeddingService(), Embedder) and isinstance(HASH, Embedder)
    assert np.array_equal(EmbeddingService(EmbeddingService(HASH)).embed(["a"]), HASH.embed(["a"]))


def test_the_static_table_is_the_default():
    service = EmbeddingService()
    assert isinstance(service.static, StaticEmbedder) and service.name == "static" and service.reranker is None
    assert np.array_equal(service.embed(["a cat", "", "!"]), StaticEmbedder().embed(["a cat", "", "!"]))
    assert service.fingerprint == StaticEmbedder().fingerprint and service.dims == StaticEmbedder().dims
    assert np.array_equal(service.embed_one("a cat"), service.embed(["a cat"])[0])


def test_the_cascade_is_static_now_and_minilm_later():
    service = EmbeddingService("cascade")
    assert (service.kind, service.name, service.reranker.name) == ("static", "cascade", "minilm")
    assert service.static is not None and service.fingerprint == StaticEmbedder().fingerprint


def test_the_second_stage_of_a_cascade_may_be_anything():
    other = EmbeddingService(HASH)
    assert EmbeddingService("cascade", second=other).reranker is other
    assert EmbeddingService("cascade", second=HASH.embed).reranker.embed(["a"]).shape == (1, 24)
    with pytest.raises(UnknownNameError):
        EmbeddingService("cascade", second="statik")


def test_construction_and_static_vectors_import_nothing_heavy():
    code = (
        "import sys\nfrom fieldpack.embed import EmbeddingService as E\n"
        "E('minilm'); E('cascade'); E('owner/model'); E(len)\nbefore = set(sys.modules)\nE().embed(['a'])\n"
        "heavy = {'torch', 'sklearn', 'sentence_transformers', 'transformers', 'onnxruntime', 'httpx', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("model", "error", "says"),
    [
        ("statik", UnknownNameError, "did you mean 'static'.*cascade, minilm, static.*owner/model"),
        ("all-MiniLM-L6-v2", UnknownNameError, "known: cascade, minilm, static"),
        ("", UnknownNameError, "known"),
        ("./nowhere", InputError, "does not exist"),
        ("../../etc/passwd", InputError, "does not exist"),
        ("ftp://host/x", InputError, "allowed: http, https"),
        ("file:///etc/passwd", InputError, "allowed: http, https"),
        (7, InputError, "int, which cannot embed"),
        (None, InputError, "NoneType"),
    ],
)
def test_models_that_are_none(model, error, says):
    with pytest.raises(error, match=says):
        EmbeddingService(model)


def test_an_empty_folder_is_no_model(tmp_path):
    with pytest.raises(InputError, match="holds neither"):
        EmbeddingService(tmp_path).embed(["a"])


def test_hub_names_can_be_switched_off():
    with pytest.raises(InputError, match="switched off"):
        EmbeddingService("owner/model", allow_hub=False)


@pytest.mark.parametrize("option", ["batch_size", "concurrency", "timeout"])
def test_options_out_of_range(option):
    with pytest.raises(InputError, match=f"{option} is 0"):
        EmbeddingService(**{option: 0})


@pytest.mark.parametrize(
    ("texts", "says"),
    [("one text", "one str"), (b"x", "one bytes"), (["a", 3], "text 1 is int"), ([None], "text 0"), (5, "int")],
)
def test_texts_that_are_none(texts, says):
    with pytest.raises(InputError, match=says):
        EmbeddingService(HASH).embed(texts)


class Encoder:
    def encode(self, texts):
        return HASH.embed(texts) * 5


class LangChainLike:
    def embed_documents(self, texts):
        return HASH.embed(texts).tolist()


class Generator:
    dims, fingerprint = 24, "g"

    def embed(self, texts):
        yield from HASH.embed(texts)


@pytest.mark.parametrize("model", [Encoder(), LangChainLike(), Generator(), HASH.embed], ids=lambda m: type(m).__name__)
def test_objects_with_other_methods(model):
    service = EmbeddingService(model)
    assert np.allclose(service.embed(["b", "a", "b"]), HASH.embed(["b", "a", "b"]), atol=1e-6)
    assert service.dims == 24 and service.embed([]).shape == (0, 24) and service.static is None


def test_functions_of_one_name_have_two_fingerprints():
    def make(scale):
        return lambda texts: [[1.0, scale * len(t)] for t in texts]

    assert EmbeddingService(make(1)).fingerprint != EmbeddingService(make(2)).fingerprint
    assert EmbeddingService(make(1)).fingerprint == EmbeddingService(make(1)).fingerprint


def returning(value):
    return lambda texts: value(len(texts)) if callable(value) else value


def row_with(bad, at):
    def make(n):
        rows = np.ones((n, 3))
        rows[at] = bad
        return rows

    return make


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (row_with(np.nan, 1), "NaN in the vector of text 2 "),
        (row_with(np.inf, 2), "infinite number in the vector of text 4 "),
        (row_with(0, 0), "zeros for text 0 "),
        (lambda n: np.ones((n - 1, 3)), r"shape \(2, 3\) for 3 texts"),
        (lambda n: np.ones((n + 1, 3)), r"shape \(4, 3\)"),
        (lambda n: np.ones((n, 3, 1)), r"shape \(3, 3, 1\)"),
        (lambda n: np.ones(n), r"shape \(3,\)"),
        (lambda n: np.ones((n, 0)), "rows of 0 numbers"),
        (lambda n: [[1.0, 2.0], [1.0], [1.0, 2.0]], "no table of numbers"),
        (lambda n: [["a"]] * n, "no table of numbers"),
        (None, "no table of numbers"),
        ("text", "no table of numbers"),
        ({"a": 1}, "no table of numbers"),
    ],
)
def test_bad_vectors_are_refused_with_the_callers_text(value, says):
    # Duplicates and a blank stand before the third text, so that the embedder's row 2 is the caller's text 4.
    with pytest.raises(EmbeddingError, match=says):
        EmbeddingService(returning(value)).embed(["a", "a", "b", " ", "c"])


def test_an_embedder_that_raises_is_said_to():
    def broken(texts):
        raise KeyError("weights")

    with pytest.raises(EmbeddingError, match=r"broken failed on 1 texts.*KeyError: 'weights'") as caught:
        EmbeddingService(broken).embed(["a"])
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_embedder_that_hangs_is_left_behind():
    release = threading.Event()
    start = time.monotonic()
    with pytest.raises(EmbeddingError, match=r"did not answer within 0\.1 s"):
        EmbeddingService(lambda texts: release.wait(30), timeout=0.1).embed(["a"])
    assert time.monotonic() - start < 10
    release.set()


def test_an_interrupt_inside_the_embedder_passes():
    def interrupted(texts):
        raise KeyboardInterrupt

    for timeout in (None, 5.0):
        with pytest.raises(KeyboardInterrupt):
            EmbeddingService(interrupted, timeout=timeout).embed(["a"])


def test_the_width_may_not_change():
    widths = itertools.count(3)
    with pytest.raises(EmbeddingError, match="all vectors of one model have the same length"):
        EmbeddingService(lambda texts: np.ones((len(texts), next(widths))), progress=lambda *_: None).embed(
            [str(i) for i in range(5000)]
        )


@pytest.mark.parametrize("cached", [False, True])
def test_progress_counts_to_the_distinct_texts(tmp_path, cached):
    seen = []
    service = EmbeddingService(
        HASH, cache=tmp_path / "v.sqlite" if cached else None, progress=lambda *step: seen.append(step)
    )
    service.embed(["a", *(str(i) for i in range(5000)), "a"])
    assert seen[-1] == ("embed", 5001, 5001) and len(seen) == 3
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_threads_load_one_embedder_and_get_the_same_rows():
    service = EmbeddingService()
    results = [None] * 8

    def work(k):
        results[k] = (service.embedder, service.embed([f"word {k % 2}", "other"]))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(embedder) for embedder, _ in results}) == 1
    assert all(np.array_equal(results[k][1], results[k % 2][1]) for k in range(8))


def test_a_service_travels_to_another_process():
    service = EmbeddingService(progress=lambda *_: None)
    rows = service.embed(["a b c"])
    copy = pickle.loads(pickle.dumps(service))
    assert copy.progress is None and np.array_equal(copy.embed(["a b c"]), rows)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e6, 1e30])
def test_rows_of_any_length_become_unit(scale):
    rows = np.random.default_rng(0).normal(size=(20, 30))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for dtype in (np.float64, np.float32):
        assert np.allclose(unit_rows((rows * scale).astype(dtype), 20, 30, "x"), unit, atol=1e-6)


def test_unit_rows_keep_their_bits():
    rows = HASH.embed(["a", "b c", "d e f"])
    assert unit_rows(rows, 3, 24, "x").tobytes() == rows.tobytes()
    assert unit_rows(np.concatenate([rows, rows * 2]), 6, 24, "x")[:3].tobytes() == rows.tobytes()


@given(st.text(max_size=300), st.integers(1, 40))
def test_windows_join_to_the_text_and_fit(text, limit):
    pieces = windows(text, len, limit)
    assert "".join(pieces) == text and all(len(piece) <= limit for piece in pieces)


@given(st.lists(st.text(alphabet="ab ", max_size=80), min_size=1, max_size=6), st.integers(1, 20))
def test_pooled_windows_belong_to_their_text(texts, limit):
    cut = plan(texts, len, limit)
    rows = cut.pooled(HASH.embed(cut.pieces))
    assert rows.shape == (len(texts), 24) and np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    for i, text in enumerate(texts):
        span = cut.spans[i]
        assert all(cut.text_of(piece) == i for piece in range(span.start, span.stop))
        if len(text) < limit:
            assert np.array_equal(rows[i], HASH.embed([text])[0])
        else:
            assert "".join(cut.pieces[span]).replace(" ", "") == text.replace(" ", "")


def test_windows_that_cancel_out_leave_the_heaviest():
    rows = np.array([[1.0, 0.0], [-1.0, 0.0]], np.float32)
    assert np.array_equal(pool(rows, [5, 5]), rows[0])


def test_ten_megabytes_without_a_space_are_cut():
    pieces = windows("x" * 10_000_000, len, 8000)
    assert sum(map(len, pieces)) == 10_000_000 and max(map(len, pieces)) <= 8000


def test_hash_rows_are_the_same_in_every_process():
    code = "from fieldpack.embed import HashEmbedder as H; print(H(8).embed(['a cat', 'Ünï']).tobytes().hex())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONHASHSEED": "7"})
    assert run.stdout.strip() == HashEmbedder(8).embed(["a cat", "Ünï"]).tobytes().hex()


def test_hash_rows_of_kindred_texts_are_near():
    cat, kindred, other = HashEmbedder(256).embed(["the cat sat", "the cat ran", "mean shift modes"])
    assert cat @ kindred > 0.5 > abs(cat @ other) + 0.2
