"""RemoteEmbedder against real HTTP servers on loopback, well and unwell."""

from __future__ import annotations

import dataclasses
import logging
import pickle
import socket
import time

import numpy as np
import pytest
from embedding_servers import (
    DIMS,
    OpenAIServer,
    TEIServer,
    cut_body,
    dribble,
    hang_up,
    not_json,
    slow,
    status,
)

from fieldpack.embed import EmbeddingService, HashEmbedder
from fieldpack.embed.remote import RemoteEmbedder, RemoteOptions
from fieldpack.errors import EmbeddingError, InputError

TEXTS = [f"text number {i}" for i in range(70)]
KEY = "sk-secret-0123456789abcdef"


def expected(texts):
    return HashEmbedder(DIMS).embed(texts)


def embedder(server, waits=None, **options):
    return RemoteEmbedder(server.url, RemoteOptions(**options), sleep=(waits if waits is not None else []).append)


@pytest.mark.parametrize("kind", [OpenAIServer, TEIServer])
def test_texts_go_in_batches_and_come_back_in_order(kind):
    with kind() as server:
        rows = embedder(server, batch_size=16).embed(TEXTS)
        sizes = [len(p.get("input") or p.get("inputs")) for p in server.posts]
    assert np.allclose(rows, expected(TEXTS), atol=1e-6)
    assert sum(sizes) == 70 and max(sizes) == 16


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (OpenAIServer, ""),
        (OpenAIServer, "/v1"),
        (OpenAIServer, "/v1/embeddings"),
        (TEIServer, ""),
        (TEIServer, "/embed"),
    ],
)
def test_the_protocol_is_found_from_any_url(kind, path):
    with kind() as server:
        rows = EmbeddingService(server.root + path).embed(TEXTS[:3])
    assert np.allclose(rows, expected(TEXTS[:3]), atol=1e-6)


def test_the_model_is_the_servers_first_unless_named():
    with OpenAIServer() as server:
        server.pages["/v1/models"] = {"data": [{"id": "mine"}, {"id": "other"}]}
        embedder(server).embed(["a"])
        embedder(server, model="other").embed(["a"])
        assert [p["model"] for p in server.posts] == ["mine", "other"]


def test_requests_stay_within_the_tokens_of_a_request():
    texts = [f"{i} " + "x" * 8000 for i in range(60)]
    with OpenAIServer() as server:
        rows = embedder(server).embed(texts)
        assert len(server.posts) > 1
        assert all(sum(len(t) for t in p["input"]) <= 300_000 for p in server.posts)
    assert np.allclose(rows, expected(texts), atol=1e-6)


def test_a_tokenizer_lets_more_through():
    text = "word " * 3000
    with OpenAIServer() as server:
        server.bytes_each = 20_000
        embedder(server, tokens=lambda t: len(t.split())).embed([text])
        assert [len(p["input"]) for p in server.posts] == [1]


@pytest.mark.parametrize("kind", [OpenAIServer, TEIServer])
def test_a_long_text_is_read_to_its_end_in_windows(kind):
    body = "the quick brown fox " * 1500
    with kind() as server:
        remote = embedder(server)
        rows = remote.embed([body + "mercury", "short", body + "zebra"])
        sent = " ".join(" ".join(p.get("input") or p.get("inputs")) for p in server.posts)
    assert "mercury" in sent and "zebra" in sent
    assert not np.allclose(rows[0], rows[2], atol=1e-5)
    assert np.allclose(rows[1], expected(["short"])[0], atol=1e-6)


def test_a_text_that_the_server_finds_too_long_is_halved_until_it_is_not():
    text = "one two three four five six seven eight " * 30
    with OpenAIServer() as server:
        server.bytes_each = 300
        row = embedder(server).embed([text])[0]
        assert len(server.posts[0]["input"][0]) == len(text)
    assert row @ expected([text])[0] > 0.99


def test_floats_when_the_server_knows_no_base64():
    with OpenAIServer() as server:
        server.knows_base64 = False
        remote = embedder(server)
        assert np.allclose(remote.embed(TEXTS), expected(TEXTS), atol=1e-6)
        remote.embed(["again"])
        assert [p["encoding_format"] for p in server.posts] == ["base64", "float", "float"]


@pytest.mark.parametrize("fault", [cut_body, hang_up, not_json, status(500), status(503), status(429), status(502)])
@pytest.mark.parametrize("kind", [OpenAIServer, TEIServer])
def test_passing_trouble_is_tried_again(kind, fault):
    waits = []
    with kind([fault]) as server:
        assert np.allclose(embedder(server, waits).embed(TEXTS[:4]), expected(TEXTS[:4]), atol=1e-6)
    assert len(waits) == 1


def test_retry_after_is_honoured_and_pauses_grow():
    waits = []
    faults = [status(429, Retry_After="7"), status(429), status(429)]
    with OpenAIServer(faults) as server:
        embedder(server, waits).embed(["a"])
    assert waits[0] == 7.0 and 0.5 <= waits[1] <= 1.0 and 1.0 <= waits[2] <= 2.0


def test_a_retry_after_date_counts_from_now():
    from email.utils import formatdate

    waits = []
    with OpenAIServer([status(503, Retry_After=formatdate(time.time() + 20, usegmt=True))]) as server:
        embedder(server, waits).embed(["a"])
    assert 15 <= waits[0] <= 21


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ([status(429)] * 9, "429"),
        ([status(429, Retry_After="9999")], "9999 s"),
        ([status(429, {"error": {"message": "pay", "code": "insufficient_quota"}})], "insufficient_quota"),
        ([status(500, {"error": "boom"})] * 9, "boom"),
        ([status(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})], "check api_key"),
        ([status(404)], "check the URL"),
        ([status(424, {"error": "inference failed"})], "inference failed"),
        ([status(302, Location="http://127.0.0.1:1/")], "302"),
        ([not_json] * 9, "no JSON"),
        ([cut_body] * 9, "broke off"),
        ([hang_up] * 9, "broke off"),
        ([status(200, {"data": "x"})], "no embeddings"),
        ([status(200, [1, 2])], "no embeddings"),
        ([status(200, {"data": []})], "0 vectors"),
        ([status(200, {"data": [{"index": 0, "embedding": [1.0, 2.0]}] * 2})], "2 vectors"),
        ([status(200, {"data": [{"index": 5, "embedding": [1.0, 2.0]}]})], "indices"),
        ([status(200, {"data": [{"index": 0, "embedding": [1.0, float("nan")]}]})], "NaN"),
        ([status(200, {"data": [{"index": 0, "embedding": [0.0, 0.0]}]})], "zeros"),
        ([status(200, {"data": [{"index": 0, "embedding": []}]})], "rows of 0 numbers"),
        ([status(200, {"data": [{"index": 0, "embedding": "!!!"}]})], "base64"),
        ([status(200, {"data": [{"index": 0, "embedding": {"a": 1}}]})], "table of numbers"),
    ],
)
def test_lasting_trouble_says_what_and_what_to_do(faults, says):
    with OpenAIServer(faults) as server, pytest.raises(EmbeddingError, match=says) as caught:
        embedder(server, api_key=KEY).embed(["a"])
    assert "secret" not in str(caught.value)


def test_tei_with_fewer_rows_than_texts():
    with TEIServer([status(200, [[1.0, 0.0]])]) as server, pytest.raises(EmbeddingError, match=r"\(1, 2\) for 2 texts"):
        embedder(server).embed(["a", "b"])


def test_a_slow_server_is_left_after_the_timeout():
    with (
        OpenAIServer([slow(5), slow(5)]) as server,
        pytest.raises(EmbeddingError, match=r"did not answer within 0\.2 s"),
    ):
        start = time.monotonic()
        embedder(server, timeout=0.2).embed(["a"])
    assert time.monotonic() - start < 4


def test_a_server_that_dribbles_is_left_after_the_timeout():
    with OpenAIServer([dribble, dribble]) as server, pytest.raises(EmbeddingError, match=r"within 0\.3 s"):
        embedder(server, timeout=0.3).embed(["a"])


def test_nobody_listens():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with pytest.raises(EmbeddingError, match="cannot be reached"):
        RemoteEmbedder(f"http://127.0.0.1:{port}/v1", sleep=[].append).embed(["a"])


def test_a_text_that_the_server_cannot_read_is_named():
    class Picky(TEIServer):
        def answer(self, handler, payload):
            if any("poison" in text for text in payload["inputs"]):
                return handler.reply(422, {"error": "Tokenization error"})
            return super().answer(handler, payload)

    texts = [*TEXTS[:40], "poison", *TEXTS[40:]]
    with Picky() as server, pytest.raises(EmbeddingError, match=r"text 41: .*Tokenization error"):
        EmbeddingService(server.url).embed([TEXTS[0], *texts])


def test_a_bad_vector_is_named_by_its_text():
    rows = expected(TEXTS[:3]).tolist()
    rows[1][0] = float("nan")
    with TEIServer([status(200, rows)]) as server, pytest.raises(EmbeddingError, match="NaN in the vector of text 2"):
        EmbeddingService(server.url).embed(["", *TEXTS[:3]])


def test_a_lone_surrogate_is_named():
    with TEIServer() as server, pytest.raises(EmbeddingError, match=r"text 2: .*U\+D800"):
        EmbeddingService(server.url).embed(["", "fine", "bad \ud800"])


def test_one_model_has_one_width():
    with OpenAIServer() as server:
        remote = embedder(server)
        remote.embed(["a"])
        server.faults.append(status(200, {"data": [{"index": 0, "embedding": [1.0, 2.0]}]}))
        with pytest.raises(EmbeddingError, match="rows of 2 numbers"):
            remote.embed(["b"])


def test_blank_texts_are_not_sent():
    with OpenAIServer() as server:
        rows = embedder(server).embed(["", "a", " \n"])
        assert [p["input"] for p in server.posts] == [["a"]]
    assert np.array_equal(rows[0], rows[2]) and np.allclose(rows[1], expected(["a"])[0], atol=1e-6)


def test_the_key_is_sent_and_shown_nowhere(caplog):
    caplog.set_level(logging.DEBUG)
    with OpenAIServer([status(500, {"error": f"bad key {KEY}"})] * 9) as server:
        service = EmbeddingService(server.url.replace("http://", "http://user:hunter2@"), api_key=KEY)
        remote = service.embedder
        remote._caller = type(remote._caller)(remote._caller.client, remote.name, KEY, retries=0)
        with pytest.raises(EmbeddingError) as caught:
            service.embed(["a"])
        assert any(
            KEY in str(headers.get("Authorization")) or headers.get("Authorization") for *_, headers in server.seen
        )
    for shown in (str(caught.value), caplog.text, repr(service), repr(remote), repr(remote._caller), service.name):
        assert KEY not in shown and "hunter2" not in shown
    assert KEY not in remote.fingerprint and "hunter2" not in remote.fingerprint


def test_an_endless_answer_is_left():
    with OpenAIServer() as server, pytest.raises(EmbeddingError, match="more than 500 bytes"):
        remote = embedder(server)
        remote._caller = dataclasses.replace(remote._caller, most_bytes=500)
        remote.embed(TEXTS)


def test_the_key_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("FIELDPACK_API_KEY", KEY)
    with OpenAIServer() as server:
        EmbeddingService(server.url).embed(["a"])
        EmbeddingService(server.url, api_key="other").embed(["a"])
        sent = [headers["Authorization"] for path, payload, headers in server.seen if payload]
    assert sent == [f"Bearer {KEY}", "Bearer other"]


def test_the_key_travels_as_bearer():
    with OpenAIServer() as server:
        embedder(server, api_key=f" {KEY}\n").embed(["a"])
        assert server.seen[-1][2]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("url", ["http://", "https:///x", "http://[::1", "http://host:port/"])
def test_urls_that_are_none(url):
    with pytest.raises(InputError, match="URL"):
        EmbeddingService(url)


def test_a_key_that_no_header_carries():
    with pytest.raises(InputError, match="api_key"):
        RemoteEmbedder("http://127.0.0.1:1", RemoteOptions(api_key="schlüssel"))


def test_urls_can_be_switched_off():
    with pytest.raises(InputError, match="switched off"):
        EmbeddingService("http://127.0.0.1:1", allow_remote=False)


def test_another_process_gets_the_same_service():
    with TEIServer() as server:
        service = EmbeddingService(server.url)
        first = service.embed(TEXTS[:2])
        assert np.array_equal(pickle.loads(pickle.dumps(service)).embed(TEXTS[:2]), first)
