"""The service: what it answers, refuses and bounds; by TestClient, real sockets, the openai client, a browser."""

import asyncio
import base64
import contextlib
import json
import logging
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import browser
import httpx
import jsonschema
import numpy as np
import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

import fieldpack as fp
from fieldpack.cli.app import app as cli
from fieldpack.cli.app import run
from fieldpack.errors import EmbeddingError, InputError, MissingExtraError, SettingsError
from fieldpack.server import Settings, create_app, schemas
from fieldpack.server.batching import Batcher
from fieldpack.server.gate import Gate
from fieldpack.server.metrics import Metrics
from fieldpack.server.problems import Problem
from fieldpack.server.sessions import Sessions
from fieldpack.server.settings import LEAST_KEY

TIDES = {"id": "tides", "text": "Tides are caused by the gravity of the Moon.\n\nSpring tides come at full moon."}
BREAD = {"id": "bread", "text": "Sourdough needs a starter. The starter is fed every day.", "title": "Bread"}
ASK = {"query": "what causes tides", "documents": [TIDES, BREAD], "budget": 25}
KEY = "a-key-of-some-length-0123"


def app(**changed):
    return create_app(Settings(allow_hosts=("testserver",), **changed))


@pytest.fixture(scope="module")
def client():
    with TestClient(app()) as c:
        yield c


@contextlib.contextmanager
def running(before="", **changed):
    """A service in another process, on a port of its own: (address, process)."""
    code = (
        f"import fieldpack.server.run as r; from fieldpack.server import Settings; {before}\n"
        f"r.serve(Settings(port=0, **{changed!r}), lambda url: print(url, flush=True))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def service():
    with running("r._HEAD_SECONDS = 1.0", max_body=200_000, body_timeout=1.0) as (url, process):
        yield url
        process.terminate()
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", ""), "a stopped service ends well and says nothing"


def problem(answer, status, kind):
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["type"]) == (status, status, f"urn:fieldpack:problem:{kind}"), body
    assert body["title"] and body["detail"] and "Traceback" not in answer.text
    return body


# ---- settings ----


def test_a_service_for_other_machines_needs_a_key():
    for host in ("0.0.0.0", "::", "192.168.0.7", "some.name"):
        with pytest.raises(SettingsError, match="no API key"):
            Settings(host=host)
        with pytest.raises(SettingsError, match="or more"):
            Settings(host=host, api_key="short")
        assert Settings(host=host, api_key=KEY).api_key == KEY
    for host in ("127.0.0.1", "localhost", "::1", "127.3.2.1"):
        assert Settings(host=host).loopback
    assert KEY not in repr(Settings(api_key=KEY, model_key=KEY))


@pytest.mark.parametrize(
    "wrong",
    [{"port": 70000}, {"timeout": 0}, {"max_body": 0}, {"concurrency": True}, {"api_key": " "}, {"waiting": -1}],
)
def test_settings_out_of_range_are_said(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong)) if wrong != {"api_key": " "} else "API key"):
        Settings(**wrong)


def test_the_verb_refuses_in_one_line(capsys, monkeypatch):
    monkeypatch.delenv("FIELDPACK_API_KEY", raising=False)
    assert run(["serve", "--host", "0.0.0.0"]) == 2
    assert "no API key" in capsys.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run(["serve", "--port", str(taken.getsockname()[1])]) == 2
    err = capsys.readouterr().err
    assert "choose another --port" in err and err.count("\n") == 1


def test_without_its_extra_the_error_names_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"fieldpack\[service\]"):
        create_app()


# ---- packing ----


def test_a_pack_is_the_librarys(client):
    found = client.post("/v1/pack", json=ASK).json()
    documents = [fp.Document(**TIDES), fp.Document(**BREAD)]
    own = fp.ContextPacker().pack(ASK["query"], documents, 25).to_dict()
    for facts in (found, own):
        facts.pop("timings_ms")
    assert found == json.loads(json.dumps(own))
    assert "gravity of the Moon" in found["text"]


def test_a_long_list_is_cut_as_the_library_cuts_it(client):
    rows = [f"- item {k} of the list tells of the tide in harbour {k} and of its height" for k in range(60)]
    text = "# List\n\n" + "\n".join(rows) + "\n\nTides are caused by the Moon."
    found = client.post("/v1/pack", json={"query": "tide in harbour 7", "documents": [text], "budget": 80}).json()
    assert found["text"] == fp.ContextPacker().pack("tide in harbour 7", [text], 80).text


def test_every_setting_arrives(client):
    asked = ASK | {"budget": 60, "cite": True, "order": "relevance", "unit": "sentence", "encoding": "cl100k_base"}
    asked |= {"pins": [{"id": "bread", "start": 0, "end": 26}], "min_relevance": 0.2, "allow_cut": True}
    found = client.post("/v1/pack", json=asked).json()
    packer = fp.ContextPacker(
        tokenizer="cl100k_base", unit="sentence", order="relevance", cite=True, min_relevance=0.2, allow_cut=True
    )
    own = packer.pack(ASK["query"], [fp.Document(**TIDES), fp.Document(**BREAD)], 60, pins=[("bread", 0, 26)])
    assert found["text"] == own.text and "Sourdough needs a starter." in own.text
    several = {k: v for k, v in ASK.items() if k != "query"} | {"queries": ["tides", {"text": "bread", "weight": 0.5}]}
    assert client.post("/v1/pack", json=several).json()["query"] == ["tides", "bread"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), min_size=1, max_size=5),
    query=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    budget=st.integers(1, 60),
)
def test_the_budget_holds_and_bad_input_is_a_problem(client, texts, query, budget):
    answer = client.post("/v1/pack", json={"query": query, "documents": texts, "budget": budget})
    if answer.status_code == 200:
        found = answer.json()
        assert fp.tokenizer("o200k_base").count(found["text"]) == found["tokens"] <= budget
        for item in found["kept"]:
            assert texts[int(item["doc_id"][4:])][item["start"] : item["end"]] in found["text"]
    else:
        problem(answer, 422, "invalid")
        assert not query.strip() or not any(t.strip() for t in texts)


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"budget": 0}, "invalid", "budget"),
        ({"budget": "many"}, "invalid", "budget"),
        ({"budget": True}, "invalid", "budget"),
        ({"documents": []}, "invalid", "documents"),
        ({"documents": [{"id": "a"}]}, "invalid", "documents/0/text"),
        ({"documents": [TIDES, TIDES]}, "invalid", "same id"),
        ({"documents": ["  "]}, "invalid", "no text"),
        ({"query": None}, "invalid", "query, or queries"),
        ({"queries": ["a"]}, "invalid", "not both"),
        ({"query": "  "}, "invalid", "empty"),
        ({"min_relevance": 2}, "invalid", "min_relevance"),
        ({"budgt": 3}, "invalid", "budgt"),
        ({"unit": "word"}, "invalid", "unit"),
        ({"encoding": "/etc/passwd"}, "invalid", "encoding"),
        ({"pins": ["nobody"]}, "invalid", "nobody"),
        ({"pins": ["tides"], "budget": 2}, "budget", "raise the budget"),
        ({"model": "no-such"}, "unknown-name", "static"),
    ],
)
def test_what_is_wrong_is_said(client, change, kind, says):
    body = problem(client.post("/v1/pack", json=ASK | change), 422, kind)
    assert says in body["detail"] + json.dumps(body.get("errors", ""))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b'{"query": NaN}', b'"\\ud800"', b"\xff\xfe", b"null", b"1e999"]
)
def test_broken_json_is_a_problem(client, body):
    answer = client.post("/v1/pack", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422) and answer.headers["content-type"] == "application/problem+json"


def test_values_that_were_sent_do_not_come_back(client):
    secret = "hunter2-hunter2"
    for change in ({"budget": secret}, {"documents": [{"text": secret}]}, {secret: 1}, {"unit": secret}):
        assert "hunter2" not in client.post("/v1/pack", json=ASK | change).json()["detail"].replace(f"{secret}:", "")


def test_a_stream_tells_its_stages_and_ends_with_the_result(client):
    plain = client.post("/v1/pack", json=ASK).json()
    for extra in ({"json": ASK | {"stream": True}}, {"json": ASK, "headers": {"accept": "text/event-stream"}}):
        answer = client.post("/v1/pack", **extra)
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [block.split("\n", 1) for block in answer.text.strip().split("\n\n")]
        names = [name.removeprefix("event: ") for name, _ in events]
        stages = [json.loads(data.removeprefix("data: ")).get("stage") for _, data in events[:-1]]
        assert names == ["progress"] * 6 + ["result"]
        assert stages == ["queued", "prepare", "relevance", "field", "pack", "render"]
        assert json.loads(events[-1][1].removeprefix("data: "))["text"] == plain["text"]
    failed = client.post("/v1/pack", json=ASK | {"stream": True, "pins": ["nobody"]}).text
    assert "event: problem" in failed and "urn:fieldpack:problem:invalid" in failed and "event: result" not in failed


def test_plan_and_field(client):
    plan = client.post("/v1/plan", json={"window": 8000, "preset": "pyramid", "used": {"system": 9000}}).json()
    assert sum(plan["budgets"].values()) == 8000 and plan["alerts"]
    own = fp.TokenBudgetPlanner(8000, allocations={"mine": 0.5})
    found = client.post("/v1/plan", json={"window": 8000, "allocations": {"mine": 0.5}}).json()
    assert found["budgets"] == own.plan().budgets
    assert (
        "pyramid"
        in problem(client.post("/v1/plan", json={"window": 9, "preset": "pyramide"}), 422, "unknown-name")["detail"]
    )
    problem(client.post("/v1/plan", json={"window": "no-such-model"}), 422, "unknown-name")
    found = client.post("/v1/field", json={"documents": [TIDES, BREAD], "limit": 3}).json()
    assert found["documents"] == 2 and len(found["attractors"]) <= 3
    problem(client.post("/v1/field", json={"documents": [TIDES], "limit": 0}), 422, "invalid")


# ---- vectors ----


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
        gate, metrics = Gate(1, waiting, 10), Metrics()
        batcher = Batcher(model, gate.start, metrics, wait, most)
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
    assert (metrics.batches, metrics.batch_texts, metrics.batch_requests) == (1, 40, 20)


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
        batcher = Batcher(model, Gate(1, 9, 10).start, Metrics(), wait=0.05)
        gone = asyncio.create_task(batcher.embed(["gone"]))
        await asyncio.sleep(0)
        gone.cancel()
        stays = await batcher.embed(["stays"])
        return stays

    assert asyncio.run(go())[0, 0] == 5 and model.calls == [["stays"]]


# ---- bounds ----


def test_a_full_gate_refuses_and_a_late_one_keeps_its_place():
    async def go():
        gate, hold = Gate(1, 1, 0.15), threading.Event()
        first, second = (asyncio.create_task(gate.run(lambda: hold.wait(5))) for _ in range(2))
        await asyncio.sleep(0.05)
        with pytest.raises(Problem) as busy:
            await gate.run(lambda: None)
        late = await asyncio.gather(first, second, return_exceptions=True)
        inside = gate.inside
        with pytest.raises(Problem) as still:
            gate.start(lambda: None), gate.start(lambda: None)
        hold.set()
        while gate.inside:
            await asyncio.sleep(0.01)
        free = await gate.run(lambda: "free")
        await asyncio.to_thread(gate.close)
        with pytest.raises(Problem) as stopping:
            await gate.run(lambda: None)
        return busy.value, late, inside, still.value, free, stopping.value

    busy, late, inside, still, free, stopping = asyncio.run(go())
    assert (busy.status, busy.kind) == (429, "busy") and busy.retry_after >= 1
    assert [p.status for p in late] == [503, 503] and "more than" in late[0].detail and "no place" in late[1].detail
    assert inside == 1, "the thread that cannot be stopped still counts, the one that never began does not"
    assert still.kind == "busy" and free == "free" and stopping.kind == "stopping"


def slow_work(monkeypatch, hold):
    def pack(self, asked, report):
        assert hold.wait(20)
        return {"tokens": 0}

    monkeypatch.setattr("fieldpack.server.work.Work.pack", pack)


def test_too_many_requests_are_told_when_to_come_again(monkeypatch):
    hold = threading.Event()
    with TestClient(app(concurrency=1, waiting=2)) as c, ThreadPoolExecutor(8) as pool:
        slow_work(monkeypatch, hold)
        asked = [pool.submit(c.post, "/v1/pack", json=ASK) for _ in range(6)]
        end = time.monotonic() + 20
        while sum(a.done() for a in asked) < 3 and time.monotonic() < end:
            time.sleep(0.01)
        assert c.get("/healthz").status_code == 200, "a full service still says that it lives"
        streamed = problem(c.post("/v1/pack", json=ASK | {"stream": True}), 429, "busy")
        hold.set()
        answers = [a.result() for a in asked]
    assert sorted(a.status_code for a in answers) == [200, 200, 200, 429, 429, 429]
    refused = [a for a in answers if a.status_code == 429]
    assert all(1 <= int(a.headers["retry-after"]) <= 60 for a in refused) and streamed["status"] == 429


def test_work_that_takes_too_long_is_answered(monkeypatch):
    hold = threading.Event()
    with TestClient(app(timeout=0.2)) as c:
        slow_work(monkeypatch, hold)
        answer = c.post("/v1/pack", json=ASK)
        streamed = c.post("/v1/pack", json=ASK | {"stream": True}).text
        hold.set()
    problem(answer, 503, "timeout")
    assert "retry-after" in answer.headers and "problem:timeout" in streamed


def test_what_nobody_waits_for_is_not_begun():
    slow = "import time, fieldpack.server.work as w; old = w.Work.pack; "
    slow += "w.Work.pack = lambda *a: (time.sleep(0.6), old(*a))[1]"
    body = json.dumps(ASK).encode()
    asked = HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    with running(slow, concurrency=1) as (url, _):
        for _ in range(5):
            spoken(url, asked, wait=0.1)
        last = httpx.post(url + "v1/pack", json=ASK, timeout=30)
        text = httpx.get(url + "metrics").text
    assert last.status_code == 200
    packs = int(re.search(r"^fieldpack_packs_total (\d+)", text, re.MULTILINE)[1])
    assert packs < 6 and 'status="499"' in text, "clients that left are seen, and their packs are not made"


def test_connections_and_bytes_at_once_are_bounded(monkeypatch):
    hold = threading.Event()
    body = json.dumps(ASK)
    with TestClient(app(max_connections=1, max_buffered=len(body) + 5)) as c, ThreadPoolExecutor(2) as pool:
        slow_work(monkeypatch, hold)
        kept = pool.submit(c.post, "/v1/pack", json=ASK)
        time.sleep(0.3)
        problem(c.get("/healthz"), 503, "overloaded")
        c.app.state.service.settings.__dict__["max_connections"] = 9
        answer = c.post("/v1/pack", json=ASK)
        hold.set()
        assert kept.result().status_code == 200
    assert "too much" in problem(answer, 503, "overloaded")["detail"]


HEAD = b"POST /v1/pack HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def spoken(url, data, wait=8.0, pause=None):
    """What a socket answers to raw bytes, until it closes."""
    host, port = re.match(r"http://([^:]+):(\d+)/", url).groups()
    with socket.create_connection((host, int(port)), timeout=wait) as s:
        for part in data if isinstance(data, list) else [data]:
            s.sendall(part)
            if pause:
                time.sleep(pause)
        out = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while chunk := s.recv(65536):
                out += chunk
        return out


def test_large_bodies_are_refused_stated_or_not(service):
    stated = spoken(service, HEAD + b"Content-Length: 999999999\r\n\r\n{")
    assert b" 413 " in stated.split(b"\r\n")[0] and b"200,000 bytes" in stated
    chunks = b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"8000\r\n" + b"x" * 0x8000 + b"\r\n" for _ in range(8))
    assert b" 413 " in spoken(service, HEAD + chunks).split(b"\r\n")[0]


def test_who_sends_too_much_learns_it_by_the_answer(service):
    for _ in range(5):
        problem(httpx.post(service + "v1/pack", json="x" * 600_000), 413, "too-large")


def test_slow_bodies_and_slow_heads_are_cut_off(service):
    start = time.monotonic()
    answer = spoken(service, HEAD + b"Content-Length: 1000\r\n\r\n{")
    assert b" 408 " in answer.split(b"\r\n")[0] and b"problem:slow" in answer
    assert spoken(service, b"POST /v1/pack HTTP/1.1\r\nHo") == b"", "a head that never ends is not answered"
    assert time.monotonic() - start < 8


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/9\r\n\r\n", b"GET /\r\n\r\n", b"\0" * 5000])
def test_what_is_no_request_is_no_trouble(service, data):
    spoken(service, data)
    assert httpx.get(service + "healthz").json()["status"] == "ok"


# ---- who may ask ----


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "169.254.169.254", "localhost.", "[::2]"]
)
def test_other_hosts_are_refused(host):
    with TestClient(create_app(Settings())) as c:
        problem(c.post("/v1/pack", json=ASK, headers={"host": host}), 403, "forbidden-host")
        problem(c.get("/", headers={"host": host}), 403, "forbidden-host")
        for good in ("localhost:8017", "127.0.0.1", "[::1]:8017", "LOCALHOST"):
            assert c.get("/healthz", headers={"host": good}).status_code == 200


def test_pages_of_other_origins_are_refused(client):
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        problem(client.post("/v1/pack", json=ASK, headers=headers), 403, "forbidden-host")
    assert client.post("/v1/pack", json=ASK, headers={"origin": "http://testserver"}).status_code == 200
    as_form = client.post("/v1/pack", content=json.dumps(ASK), headers={"content-type": "text/plain"})
    problem(as_form, 415, "media-type")
    assert "access-control-allow-origin" not in client.get("/healthz").headers


def test_the_key_is_asked_for_and_never_told(caplog):
    caplog.set_level(logging.DEBUG)
    with TestClient(app(api_key=KEY)) as c:
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"x-api-key": KEY + "x"},
            {"authorization": KEY},
            {"x-api-key": "é"},
        ):
            raw = {k: v.encode() for k, v in headers.items()}
            answer = c.post("/v1/pack", json=ASK, headers=raw)
            problem(answer, 401, "no-key")
            assert answer.headers["www-authenticate"] == "Bearer" and KEY not in answer.text
        assert c.get("/metrics").status_code == 401 and c.get("/v1/nothing").status_code == 401
        for headers in ({"authorization": f"Bearer {KEY}"}, {"authorization": f"bearer {KEY}"}, {"x-api-key": KEY}):
            assert c.post("/v1/pack", json=ASK, headers=headers).status_code == 200
        assert c.get("/healthz").status_code == c.get("/").status_code == 200
    assert KEY not in caplog.text


PLACES = [
    *("../../etc/passwd", "/etc/passwd", "/", ".", "~", "~root", "models/static", "file:///etc/passwd", "static/../x"),
    *("http://127.0.0.1:{port}/", "https://127.0.0.1:{port}/v1", "HTTP://127.0.0.1:{port}", "//127.0.0.1:{port}/"),
    *("gopher://127.0.0.1:{port}/", "sentence-transformers/all-MiniLM-L6-v2", "C:\\", "\\\\127.0.0.1\\share"),
    *("STATIC", "static\n", "\0"),
]


@pytest.mark.parametrize("name", PLACES)
def test_models_cannot_name_places(client, name):
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        trap.setblocking(False)
        name = name.replace("{port}", str(trap.getsockname()[1]))
        asked = {"model": name}
        for path, body in (
            ("pack", ASK),
            ("embeddings", {"input": "a"}),
            ("field", {"documents": [TIDES]}),
            ("sessions", {}),
        ):
            body = problem(client.post(f"/v1/{path}", json=body | asked), 422, "unknown-name")
            assert body["known"] == ["cascade", "minilm", "static"]
        with pytest.raises(BlockingIOError):
            trap.accept()


SEEN = []


class Recorder(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        SEEN.append(dict(self.headers))
        rows = [{"object": "embedding", "index": i, "embedding": [1.0, 2.0]} for i in range(len(body["input"]))]
        sent = json.dumps({"object": "list", "data": rows, "model": "m", "usage": {}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def do_GET(self):
        self.send_error(404)

    def log_message(self, *_):
        pass


def test_an_allowed_remote_model_never_gets_the_services_key(monkeypatch):
    monkeypatch.setenv("FIELDPACK_API_KEY", KEY)
    server = HTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    SEEN.clear()
    try:
        for changed, sent in (
            ({"allow_models": (url,)}, None),
            ({"allow_models": (url,), "model_key": "for-the-model"}, "Bearer for-the-model"),
            ({"allow_remote_models": True, "model_key": "for-the-model"}, None),
        ):
            with TestClient(app(api_key=KEY, **changed)) as c:
                answer = c.post("/v1/embeddings", json={"input": "a", "model": url}, headers={"x-api-key": KEY})
                assert answer.status_code == 200, answer.text
                other = c.post("/v1/embeddings", json={"input": "a", "model": url + "x/y"}, headers={"x-api-key": KEY})
                assert (other.status_code == 200) == ("allow_remote_models" in changed)
            told = {h.get("Authorization") or h.get("authorization") for h in SEEN}
            assert told == {sent} and KEY not in str(SEEN)
            SEEN.clear()
    finally:
        server.shutdown()
        server.server_close()


def test_paths_do_not_leave_the_assets(service):
    for path in (
        "../app.py",
        "page.js/../app.py",
        "%2e%2e/app.py",
        "..%2fapp.py",
        "static/page.js",
        "page.html",
        "app.py",
    ):
        line = f"GET /{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        assert b" 404 " in spoken(service, line).split(b"\r\n")[0]


def test_an_unforeseen_error_tells_nothing(monkeypatch, caplog):
    def fails(self, asked, report):
        raise RuntimeError(asked.query)

    monkeypatch.setattr("fieldpack.server.work.Work.pack", fails)
    with TestClient(app()) as c, caplog.at_level(logging.INFO):
        answer = c.post("/v1/pack", json=ASK | {"query": "hunter2"})
        streamed = c.post("/v1/pack", json=ASK | {"query": "hunter2", "stream": True}).text
    problem(answer, 500, "internal")
    assert "hunter2" not in answer.text + streamed + caplog.text and "problem:internal" in streamed
    assert "RuntimeError" in caplog.text and "line" in caplog.text, "the operator learns where"


def test_the_log_holds_no_texts(client, caplog):
    with caplog.at_level(logging.DEBUG, "fieldpack"):
        client.post("/v1/pack?token=hunter2", json=ASK)
        client.get("/v1/sessions/" + "s" * 43)
    assert "/v1/pack 200" in caplog.text and "/v1/sessions/{id} 404" in caplog.text
    assert "tides" not in caplog.text and "hunter2" not in caplog.text and "sss" not in caplog.text


# ---- sessions ----


def test_a_session_goes_on_where_it_was(client):
    opened = client.post("/v1/sessions", json={"documents": [TIDES, BREAD]})
    assert opened.status_code == 201
    name = opened.json()["id"]
    own = fp.Session(fp.ContextPacker())
    index = own.packer.index([fp.Document(**TIDES), fp.Document(**BREAD)])
    for k, query in enumerate(("what causes tides", "who feeds the starter"), 1):
        found = client.post(f"/v1/sessions/{name}/turn", json={"query": query, "budget": 30}).json()
        result = own.turn(query, index, 30)
        assert (found["text"], found["turn"]) == (result.text, k)
        assert found["prompt"]["text"] == own.prompt.text and found["prompt"]["prefix"] == own.prompt.prefix
    state = client.get(f"/v1/sessions/{name}").json()
    assert state["turns"] == 2 and state["documents"] == 2 and state["state"]["turn"] == 2
    problem(
        client.post(f"/v1/sessions/{name}/turn", json={"query": "a", "budget": 9, "documents": ["b"]}), 422, "invalid"
    )
    assert client.delete(f"/v1/sessions/{name}").status_code == 204
    problem(client.get(f"/v1/sessions/{name}"), 404, "not-found")
    bare = client.post("/v1/sessions", json={}).json()["id"]
    problem(client.post(f"/v1/sessions/{bare}/turn", json={"query": "a", "budget": 9}), 422, "invalid")
    found = client.post(f"/v1/sessions/{bare}/turn", json={"query": "tides", "budget": 30, "documents": [TIDES]})
    assert found.json()["turn"] == 1


def test_sessions_are_bounded_expire_and_cannot_be_guessed():
    now = [0.0]
    kept = Sessions(2, 10.0, 100, lambda: now[0])
    names = [kept.add(fp.Session(), None, 40) for _ in range(2)]
    assert len(set(names)) == 2 and all(len(n) == 43 for n in names)
    with pytest.raises(Problem) as full:
        kept.add(fp.Session(), None, 0)
    assert (full.value.status, full.value.retry_after) == (429, 11)
    now[0] = 8.0
    with kept.use(names[0]), pytest.raises(Problem) as conflict, kept.use(names[0]):
        pass
    assert conflict.value.status == 409
    now[0] = 12.0
    with pytest.raises(Problem) as gone, kept.use(names[1]):
        pass
    assert gone.value.status == 404 and len(kept) == 1, "one was used at 8 and stays"
    with pytest.raises(Problem) as large:
        kept.add(fp.Session(), None, 61)
    assert "100 bytes" in large.value.detail
    for wrong in ("", "..", "x" * 43, names[1], names[0] + "\n"):
        with pytest.raises(Problem):
            kept.delete(wrong)
    kept.delete(names[0])
    assert len(kept) == 0


# ---- descriptions ----


def test_the_openapi_document_is_valid_and_says_what_is_answered(client):
    found = client.get("/openapi.json").json()
    assert found["openapi"].startswith("3.1") and found["info"]["version"] == fp.__version__
    for schema in found["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    refs = re.findall(r'"\$ref": "([^"]+)"', json.dumps(found))
    assert refs and all(r.rpartition("/")[2] in found["components"]["schemas"] for r in refs)
    operations = [(m, p, o) for p, methods in found["paths"].items() for m, o in methods.items()]
    assert len({o["operationId"] for *_, o in operations}) == len(operations)
    routes = {(m.lower(), r.path) for r in client.app.routes for m in r.methods if m != "HEAD"}
    pages = {("get", p) for p in ("/", "/page.js", "/page.css", "/openapi.json")}
    assert {(m, p) for m, p, _ in operations} == routes - pages
    for method, path, operation in operations:
        assert "default" in operation["responses"] and (("{id}" in path) == ("parameters" in operation)), (method, path)

    def fits(answer, path, method="post"):
        answers = found["paths"][path][method]["responses"]
        content = answers.get(str(answer.status_code), answers["default"])["content"]
        schema = content[answer.headers["content-type"]]["schema"]
        jsonschema.validate(answer.json(), {**schema, "components": found["components"]})

    for path, body in (
        ("/v1/pack", ASK),
        ("/v1/pack", {}),
        ("/v1/embeddings", {"input": ["a", "b"]}),
        ("/v1/embeddings", {"input": "a", "encoding_format": "base64"}),
        ("/v1/plan", {"window": 1000}),
        ("/v1/field", {"documents": [TIDES]}),
        ("/v1/sessions", {"documents": [TIDES]}),
    ):
        fits(client.post(path, json=body), path)
    fits(client.get("/healthz"), "/healthz", "get")
    problem(client.get("/v1/pack"), 405, "method")
    problem(client.get("/v2"), 404, "not-found")


def test_metrics_are_what_prometheus_reads(client):
    client.post("/v1/pack", json=ASK)
    client.get("/no/such/" + "a" * 50)
    text = client.get("/metrics").text
    values = {}
    for line in text.strip().split("\n"):
        if line.startswith("#"):
            assert re.match(r"# (HELP \w+ .+|TYPE \w+ (counter|gauge|histogram))$", line), line
        else:
            name, value = re.match(r'(\w+(?:\{(?:\w+="[^"\n]*",?)*\})?) ([0-9.e+-]+)$', line).groups()
            values[name] = float(value)
    assert values['fieldpack_requests_total{route="/v1/pack",method="POST",status="200"}'] >= 1
    assert values["fieldpack_packs_total"] >= 1 and "aaaa" not in text
    pairs = [(n, v) for n, v in values.items() if n.startswith('fieldpack_request_seconds_bucket{route="/v1/pack"')]
    counts = [v for _, v in pairs]
    assert counts == sorted(counts) and pairs[-1][0].endswith('le="+Inf"}')
    assert counts[-1] == values['fieldpack_request_seconds_count{route="/v1/pack"}']


def test_stopping_lets_requests_finish():
    before = """
import fieldpack.server.work as w, time
old = w.Work.pack
def slow(self, asked, report):
    time.sleep(1.0)
    return old(self, asked, report)
w.Work.pack = slow
"""
    with running(before) as (url, process), ThreadPoolExecutor(1) as pool:
        asked = pool.submit(httpx.post, url + "v1/pack", json=ASK, timeout=30)
        time.sleep(0.4)
        process.send_signal(signal.SIGTERM)
        answer = asked.result()
        _, err = process.communicate(timeout=30)
        assert answer.status_code == 200 and "gravity" in answer.json()["text"]
        assert (process.returncode, err) == (0, "")
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


# ---- the page ----


def test_the_page_is_alone_and_locked(client):
    page = client.get("/")
    rules = page.headers["content-security-policy"]
    assert "default-src 'none'" in rules and "unsafe" not in rules and "trusted-types 'none'" in rules
    names = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert set(names) == {"/page.css", "/page.js", "#view", "data:,"}
    assert "<style" not in page.text and "style=" not in page.text and not re.search(r"\son\w+=", page.text)
    script = client.get("/page.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|https?://", script.text)
    for answer in (page, script, client.get("/page.css"), client.get("/healthz")):
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["x-frame-options"] == "DENY"


BUDGET = "budget.value = N; budget.dispatchEvent(new Event('input'))"
LIT = "[...document.querySelectorAll('.passage.lit')].map(s => s.textContent)"


def test_the_page_in_a_browser(service, tmp_path):
    if browser.found() is None:
        return
    with browser.Browser(tmp_path / "profile") as b:
        b.open(service)
        hostile = (
            "Tides are caused by the Moon 🌙. <img src=x onerror=\"document.title='broken'\"> Bread is baked.\n\n"
            + ("</textarea><script>document.title='broken'</script> Sourdough is fed daily 🍞 by the baker.")
        )
        b.value("document.getElementById('paste').focus()")
        b.type(hostile)
        for _ in range(1):
            b.key("Tab")
        assert b.value("document.activeElement.id") == "add"
        b.key("Enter", "\r")
        b.value("document.getElementById('query').focus()")
        b.type("what causes tides")
        b.until("document.querySelectorAll('.passage').length > 2")
        shown = b.value("document.querySelector('.document').textContent")
        assert shown == hostile, "the document stands there in full, emoji and all, as text"
        b.value(BUDGET.replace("N", "12"))
        b.until("document.getElementById('facts').textContent.includes('of 12 tokens')")
        few = b.value(LIT)
        assert any("caused by the Moon" in s for s in few)
        assert b.value("document.querySelectorAll('.passage.dim').length") > 0
        b.value("document.getElementById('slider').focus()")
        b.key("End")
        b.until(f"{LIT}.length > {len(few)}")
        b.value("document.querySelector('.passage').focus()")
        first = b.value("document.getElementById('why').textContent")
        assert re.match(r"(Kept|Dropped), \d+ tokens\n.*relevance", first)
        b.key("ArrowDown")
        assert b.value("document.activeElement.dataset.index") == "1"
        assert b.value("document.querySelectorAll('.passage[tabindex=\"0\"]').length") == 1, "one stop of the tab key"
        b.key("End")
        assert b.value("document.activeElement === [...document.querySelectorAll('.passage')].pop()")
        assert b.value("document.getElementById('text').textContent.length") > 0
        assert (
            b.value("document.title") == "fieldpack" and b.value("document.querySelectorAll('img, iframe').length") == 0
        )
        b.open(service + "?phone#try", width=360, height=700)
        b.until("document.querySelectorAll('.passage.lit').length > 2")
        assert b.value("document.documentElement.scrollWidth <= 360"), "nothing is wider than a phone"
        b.value(BUDGET.replace("N", "0"))
        b.until("document.getElementById('facts').textContent.includes('of 1 tokens')")
        assert b.value("document.getElementById('notes').textContent").startswith("nothing fits")
        assert b.errors == [], b.errors
        assert all(url.startswith((service, "data:", "about:")) for url in b.asked), b.asked


def test_bad_settings_reach_nobody():
    with pytest.raises(InputError):
        fp.ContextPacker(embedder=fp.EmbeddingService("http://127.0.0.1:9/", allow_remote=False))


DOCS = (Path(__file__).parents[1] / "docs" / "service.md").read_text("utf-8")


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL))
def test_the_guides_python_runs(service, block):
    exec(compile(block.replace("http://127.0.0.1:8017/", service), "docs/service.md", "exec"), {})


def test_the_guide_says_what_is_so(client):
    listed = client.get("/openapi.json").json()["paths"]
    named = set(re.findall(r"(/v1/[\w/{}]+|/healthz|/metrics)", DOCS.split("### What keeps")[0]))
    assert set(listed) == named, "every address is in the guide, and no other"
    verbs = typer.main.get_command(cli).commands
    options = {name: {o for p in verbs[name].params for o in p.opts} for name in ("serve", "mcp")}
    quoted = set(re.findall(r"--[a-z][a-z-]+", DOCS)) - {"--json"}
    assert quoted <= options["serve"] | options["mcp"], quoted
    fields = set(schemas.PackIn.model_fields) - {"stream"}
    assert fields == set(re.findall(r"`(\w+)`", DOCS.split("POST /v1/pack`")[1].split("|")[1]))
    s = Settings()
    bounds = f"| {s.max_body >> 20} MiB |", f"| {s.max_buffered >> 20} MiB |", f"| {s.concurrency}, {s.waiting} |"
    more = f"| {s.body_timeout:g}, 10 |", f"| {s.timeout:g} |", f"| {s.max_connections} |", f"| {s.max_documents:,} |"
    kept = f"| {s.max_sessions}, {s.session_bytes >> 20} MiB, {s.session_idle / 60:g} min |"
    for said in (*bounds, *more, kept, f"({s.grace:g} s at most)", f"at least {LEAST_KEY} characters"):
        assert said in DOCS, said
    config = json.loads(re.search(r"```json\n(.*?)```", DOCS, re.DOTALL)[1])["mcpServers"]["fieldpack"]
    assert config["command"] == "fieldpack" and config["args"][0] == "mcp" and config["args"][1] in options["mcp"]
