"""Vectors over HTTP, by the real openai client; and requests that become one batch."""

import asyncio
import base64
import threading

import numpy as np
import pytest
from serving import app, problem, running_well
from starlette.testclient import TestClient

import fieldpack as fp
from fieldpack.errors import EmbeddingError
from fieldpack.server.batching import Batcher
from fieldpack.server.metrics import Metrics
from fieldpack.server.work_limiter import WorkLimiter


@pytest.fixture(scope="module")
def client():
    with TestClient(app()) as c:
        yield c


@pytest.fixture(scope="module")
def service():
    with running_well() as url:
        yield url


def test_vectors_with_the_real_openai_client(service):
    openai = pytest.importorskip("openai")
    texts = ["tides and the moon", "bread", "tides and the moon", "  padded\n", "日本語 🎉"]
    with openai.OpenAI(base_url=service + "v1", api_key="unused", max_retries=0) as asking:
        plain = asking.embeddings.create(model="static", input=texts, encoding_format="float")
        packed = asking.embeddings.create(model="static", input=texts)  # the client asks for base64 by itself
        one = asking.embeddings.create(model="static", input="bread")
        own = fp.EmbeddingService("static").embed(texts)
        for answer in (plain, packed):
            assert [d.index for d in answer.data] == list(range(5)) and answer.model == "static"
            np.testing.assert_array_equal(np.array([d.embedding for d in answer.data], np.float32), own)
        np.testing.assert_array_equal(np.array(one.data[0].embedding, np.float32), own[1])
        assert plain.usage.prompt_tokens == sum(map(fp.tokenizer("o200k_base").count, texts))
        with pytest.raises(openai.UnprocessableEntityError, match="token ids"):
            asking.embeddings.create(model="static", input=[[1, 2], [3]])
        with pytest.raises(openai.UnprocessableEntityError, match="unknown model"):
            asking.embeddings.create(model="text-embedding-3-small", input="a")
        with pytest.raises(openai.UnprocessableEntityError, match="dimensions"):
            asking.embeddings.create(model="static", input="a", dimensions=7)


@pytest.mark.parametrize("wrong", ["", [], ["a", ""], [1, 2], [[1]], ["a"] * 2049])
def test_inputs_that_are_refused(client, wrong):
    assert problem(client.post("/v1/embeddings", json={"input": wrong}), 422, "invalid")["error"]["message"]


def test_base64_is_little_endian_float32(client):
    found = client.post("/v1/embeddings", json={"input": "tides", "encoding_format": "base64"}).json()
    row = np.frombuffer(base64.b64decode(found["data"][0]["embedding"]), "<f4")
    np.testing.assert_array_equal(row, fp.EmbeddingService("static").embed_one("tides"))


COUNTS = ("batches", "batch_texts", "batch_requests")


class Model:
    """Rows that tell the text's length; every call is written down; "bad" fails the whole call."""

    def __init__(self):
        self.calls, self.open = [], threading.Event()
        self.open.set()

    def __call__(self, texts):
        self.calls.append(list(texts))
        assert self.open.wait(10)
        if "bad" in texts:
            raise EmbeddingError("text 'bad' cannot be embedded")
        return np.array([[len(t), 1.0] for t in texts], np.float32)


def batched(model, asked, most=256, wait=0.01, waiting=64):
    async def go():
        metrics = Metrics()
        batcher = Batcher(model, WorkLimiter(1, waiting, 10).run, metrics, wait, most)
        found = await asyncio.gather(*(batcher.embed(t) for t in asked), return_exceptions=True)
        return found, metrics, batcher.waiting

    return asyncio.run(go())


def test_requests_of_one_moment_are_one_call():
    model = Model()
    asked = [["a" * (i + 1), "b"] for i in range(20)]
    found, metrics, left = batched(model, asked)
    assert len(model.calls) == 1 and len(model.calls[0]) == 40 and left == 0
    for texts, rows in zip(asked, found, strict=True):
        assert rows[:, 0].tolist() == [len(t) for t in texts], "each gets its own rows"
    counts = [metrics.registry.get_sample_value(f"fieldpack_embedding_{name}_total") for name in COUNTS]
    assert counts == [1, 40, 20]


def test_batches_are_bounded_and_a_large_request_is_one_of_its_own():
    model = Model()
    batched(model, [["a"] * 3, ["b"] * 3, ["c"] * 50, ["d"]], most=6)
    assert [len(c) for c in model.calls] == [6, 50, 1]


def test_one_bad_text_fails_its_own_request_only():
    model = Model()
    found, _, _ = batched(model, [["one"], ["bad"], ["three"]])
    assert isinstance(found[1], EmbeddingError)
    assert found[0][0, 0] == 3 and found[2][0, 0] == 5


def test_a_request_that_is_given_up_leaves_the_queue():
    model = Model()

    async def go():
        batcher = Batcher(model, WorkLimiter(1, 9, 10).run, Metrics(), wait=0.05)
        gone = asyncio.create_task(batcher.embed(["gone"]))
        await asyncio.sleep(0)
        gone.cancel()
        stays = await batcher.embed(["stays"])
        return stays

    assert asyncio.run(go())[0, 0] == 5 and model.calls == [["stays"]]
