"""What broke the service under attack, each with its whole kind: memory, stopping, slow clients, ranges, its log."""

import asyncio
import json
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import ASK, HEAD, KEY, app, connected, problem, running, running_well, spoken
from starlette.testclient import TestClient

import fieldpack as fp
from fieldpack.cli.app import run as run_cli
from fieldpack.errors import SettingsError
from fieldpack.server import Settings
from fieldpack.server.object_size import object_bytes
from fieldpack.server.parsing import has_more_values
from fieldpack.server.run import listening, url_of

np = pytest.importorskip("numpy")


@pytest.fixture(scope="module")
def client():
    with TestClient(app()) as c:
        yield c


# ---- memory and time of one request

LARGEST = 8 << 20
TIMES = 16
"""A body may take this many times the largest body's bytes to be parsed and checked; docs/service.md says so."""


def body_of(item, key="documents", size=LARGEST - 200, **more):
    """A body of about `size` bytes with a list of one item again and again."""
    head = json.dumps({"query": "a", "budget": 9, "documents": ["a"], **more} | {key: None})
    items = ",".join([item] * (size // (len(item) + 1)))
    return head.replace(f'"{key}": null', f'"{key}": [{items}]').encode()


def members(key, size=LARGEST - 200):
    """A body of about `size` bytes with an object of unknown or wrong members."""
    head = json.dumps({"window": 9, key: None})
    return head.replace("null", "{" + ",".join(f'"{k:x}":"a"' for k in range(size // 12)) + "}").encode()


HOSTILE = {
    "numbers": ("/v1/pack", body_of("1")),
    "empty objects": ("/v1/pack", body_of("{}")),
    "empty lists": ("/v1/pack", body_of("[]")),
    "nested lists": ("/v1/pack", body_of("[[[[[[[[1]]]]]]]]")),
    "empty texts": ("/v1/pack", body_of('""')),
    "documents": ("/v1/pack", body_of('{"id":"a","text":"b"}')),
    "wrong documents, as many as may be": ("/v1/pack", body_of('{"id":1}', size=800_000)),
    "pins": ("/v1/pack", body_of("{}", "pins")),
    "queries": ("/v1/pack", body_of('""', "queries", query=None)),
    "unknown members, as many as may be": ("/v1/plan", members("usage", 1_000_000)),
    "wrong members, as many as may be": ("/v1/plan", members("used", 1_000_000)),
    "members": ("/v1/plan", members("allocations")),
    "token ids": ("/v1/embeddings", b'{"input":[' + b"1," * 4_000_000 + b"1]}"),
    "one number": ("/v1/plan", b'{"window":' + b"1" * 8_000_000 + b"}"),
    "open brackets": ("/v1/field", b"[" * 8_000_000),
    "quotes": ("/v1/field", b'"' * 8_000_000),
    "backslashes": ("/v1/field", b'{"documents":["' + b"\\" * 7_999_999 + b'"]}'),
    "one wide character": ("/v1/field", '{"documents":["🌙", 1, "'.encode() + b"a" * 8_000_000 + b'"]}'),
}


def peak(process):
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1])


def test_no_body_takes_more_memory_than_is_stated():
    if not Path("/proc/self/status").exists():
        return
    headers = {"content-type": "application/json"}
    with running() as (url, process), httpx.Client(base_url=url, timeout=60) as c:
        assert c.post("/v1/pack", json=ASK).status_code == 200
        before = peak(process)
        for name, (path, body) in HOSTILE.items():
            assert len(body) <= LARGEST, name
            answer = c.post(path, content=body, headers=headers)
            assert answer.status_code in (400, 413, 422) and len(answer.content) < 10_000, (name, answer.text[:500])
            assert peak(process) - before < TIMES * LARGEST, name
        with ThreadPoolExecutor(8) as pool:
            posted = [pool.submit(c.post, "/v1/pack", content=HOSTILE["numbers"][1], headers=headers) for _ in range(8)]
            assert c.get("/healthz").status_code == 200, "nobody has to wait for such bodies"
            assert {a.result().status_code for a in posted} == {413}
        assert c.post("/v1/pack", json=ASK).status_code == 200


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\[{,é\n', max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('a"\\,[', max_size=3), inner, max_size=4),
    max_leaves=20,
)


def commas_and_brackets(value):
    if not isinstance(value, list | dict):
        return 0
    inner = value if isinstance(value, list) else list(value.values())
    return 1 + max(0, len(inner) - 1) + sum(map(commas_and_brackets, inner))


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_values_are_counted_as_a_parser_finds_them(value, ascii_only, indent):
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    count = 1 + commas_and_brackets(value)
    assert not has_more_values(body, count) and has_more_values(body, count - 1)


@given(st.integers(1, 40), st.integers(1, 5))
def test_values_are_counted_over_the_borders_of_parts(size, texts):
    from fieldpack.server import parsing

    before, parsing._PART = parsing._PART, size
    try:
        body = json.dumps(["a,[{" * texts, {"b,": '\\"'}, texts]).encode()
        assert not has_more_values(body, 5) and has_more_values(body, 4)
    finally:
        parsing._PART = before


# ---- sessions


def test_memory_that_is_held_is_counted_once_and_in_full():
    rows = np.zeros((1000, 8), np.float32)
    views = [rows[:1], rows[1:], rows]
    assert 32_000 < object_bytes(views) < 33_000, "views of one array are one array"
    assert object_bytes(rows[:1]) > 32_000, "a view keeps the whole array"
    shared = {"table": np.zeros(10_000)}
    assert object_bytes([shared, "a"]) > 80_000 > 500 > object_bytes([shared, "a"], shared=[shared])
    loop = []
    loop.append(loop)
    assert object_bytes(loop) < 200 and object_bytes(object_bytes) == 0
    texts = [" ".join(f"w{k * n:x}" for k in range(2000)) for n in (3, 5, 7)]
    index = fp.ContextPacker().index(texts)
    packer = index.packer
    held = object_bytes(index, (packer, packer.embedder, packer.static, packer.tokenizer))
    assert held > 20 * sum(map(len, texts)), "words have vectors"
    assert held < 500 * sum(map(len, texts)), "and the table that all share is not counted"


def test_sessions_are_bounded_by_the_memory_that_they_hold():
    words = " ".join(f"w{k:x}" for k in range(20_000))
    with TestClient(app(session_bytes=2_000_000)) as c:
        opened = c.post("/v1/sessions", json={"documents": [words]})
        assert len(words) < 200_000 and "bytes of memory" in problem(opened, 429, "sessions-full")["detail"]
        small = c.post("/v1/sessions", json={"documents": ["Tides are caused by the Moon."]}).json()["id"]
        stored = c.app.state.service.handlers.sessions._stored[small]
        before = stored.size
        assert before > 1000
        c.post(f"/v1/sessions/{small}/turn", json={"query": "tides", "budget": 30})
        assert stored.size > before, "what a turn leaves behind is counted as well"
        problem(
            c.post(f"/v1/sessions/{small}/turn", json={"query": "a", "budget": 9, "documents": ["b"]}), 409, "conflict"
        )


# ---- stopping

SLEEPER = """
import fieldpack.server.handlers as h, time
def pack(self, request, on_stage=None):
    print("begun", flush=True)
    time.sleep(600)
h.Handlers.pack = pack
"""


def test_the_service_leaves_after_its_grace_and_says_so_to_all_who_wait():
    with running(SLEEPER, grace=1.0, concurrency=2, timeout=900) as (url, process), ThreadPoolExecutor(4) as pool:
        ask = {"url": url + "v1/pack", "timeout": 60}
        waiting = [
            pool.submit(httpx.post, json=ASK, **ask),
            pool.submit(httpx.post, json=ASK | {"stream": True}, **ask),
        ]
        assert [process.stdout.readline() for _ in waiting] == ["begun\n"] * 2
        waiting.append(pool.submit(httpx.post, json=ASK, **ask))
        uploading = connected(url)
        uploading.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
        while "work_inside 3.0" not in httpx.get(url + "metrics").text:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        plain, streamed, queued = (w.result() for w in waiting)
        cut = b"".join(iter(lambda: uploading.recv(65536), b""))
        uploading.close()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "3 requests were still at work" not in err
    assert re.search(r"WARNING fieldpack.server: 2 requests were still at work after 1 s", err), err
    problem(plain, 503, "stopping")
    problem(queued, 503, "stopping")
    assert streamed.status_code == 200 and "event: problem" in streamed.text and "problem:stopping" in streamed.text
    assert b" 503 " in cut.split(b"\r\n")[0] and b"problem:stopping" in cut


def test_another_server_stops_the_app_after_the_grace_too():
    async def go():
        asgi = app(grace=0.05)
        service, hold = asgi.state.service, threading.Event()
        async with asgi.router.lifespan_context(asgi):
            waiting = asyncio.ensure_future(service.packs.run(lambda: hold.wait(30)))
            await asyncio.sleep(0.01)
        answer = (await asyncio.gather(waiting, return_exceptions=True))[0]
        hold.set()
        return answer

    assert asyncio.run(go()).kind == "stopping"


# ---- slow clients and strange requests


def test_every_head_of_a_connection_has_its_time():
    with running_well(head_timeout=1.0) as url:
        for second in (b"GET /hea", b"\r\n", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: "):
            with connected(url) as s:
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert b" 200 " in s.recv(65536)
                for _ in range(4):
                    s.sendall(second[:1])
                    second = second[1:] or b"\n"
                s.sendall(second)
                assert ended(s), "a head that never ends ends the connection"
        with connected(url) as s:
            s.sendall(b"DELETE /v1/pack HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
            assert b" 405 " in s.recv(65536)
            s.sendall(b"a")
            assert ended(s), "nor does a body that nobody reads keep it open"


def ended(s):
    """Whether the other side closes before the socket's own time-out."""
    try:
        while s.recv(65536):
            pass
        return True
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_answers_on_a_kept_connection_leave_at_once():
    """The kernel's own wait for more to send is switched off on every accepted connection."""

    async def go():
        flags = []

        async def accepted(reader, writer):
            flags.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        server = await asyncio.start_server(accepted, sock=listening(Settings(port=0)))
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await reader.read()
        writer.close()
        server.close()
        return flags

    assert asyncio.run(go())[0] != 0


MANY = json.dumps({"input": ["tides and the moon"] * 2048}).encode()
VECTORS = b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
VECTORS += f"Content-Length: {len(MANY)}\r\n\r\n".encode() + MANY


def test_who_does_not_read_the_answer_is_cut_off_and_who_does_is_not():
    with running(write_timeout=1.0) as (url, process):
        with connected(url, receive=4096) as idle, connected(url) as reading:
            idle.sendall(VECTORS)
            reading.sendall(VECTORS)
            data = b""
            while part := reading.recv(65536):
                data += part
            head, _, body = data.partition(b"\r\n\r\n")
            assert len(body) == int(re.search(rb"content-length: (\d+)", head)[1]) > 8_000_000
            assert "took too little of its answer" in process.stderr.readline()
            received = 0
            try:
                while part := idle.recv(1 << 20):
                    received += len(part)
            except ConnectionError:
                pass
            assert received < len(data)
        assert httpx.get(url + "healthz").status_code == 200


def test_answers_that_nobody_takes_are_bounded_together(client):
    service = client.app.state.service
    service.unsent = lambda: service.settings.max_buffered + 1
    try:
        assert "slow clients" in problem(client.post("/v1/pack", json=ASK), 503, "overloaded")["detail"]
        assert client.get("/healthz").status_code == 200
    finally:
        service.unsent = lambda: 0


def test_a_length_that_is_stated_twice_is_refused_and_ends_the_connection():
    with running_well() as url:
        body = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        answer = spoken(url, HEAD + body + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 400 " in answer.split(b"\r\n")[0] and b"problem:framing" in answer
        assert answer.count(b"HTTP/1.1") == 1, "what follows is not read as a request"
        assert b"connection: close" in answer.lower()


def test_methods_are_refused_before_types(client):
    for method in ("PUT", "PATCH", "GET", "OPTIONS", "TRACE"):
        answer = client.request(method, "/v1/pack", content=b"a" if method != "TRACE" else None)
        assert problem(answer, 405, "method") and answer.headers["allow"] == "POST"
    assert client.head("/healthz").status_code == 200 and client.head("/").status_code == 200
    problem(client.post("/v1/pack", content=b"{}"), 415, "media-type")
    problem(client.get("/v1/pack/"), 404, "not-found")


# ---- ranges

HUGE = "1" + "0" * 400


@pytest.mark.parametrize(
    "body",
    [
        f'{{"window": {HUGE}}}',
        f'{{"window": -{HUGE}}}',
        f'{{"window": 9, "output_reserve": {HUGE}}}',
        f'{{"window": 9, "used": {{"system": {HUGE}}}}}',
        f'{{"window": 9, "allocations": {{"a": {HUGE}}}}}',
        '{"window": 9, "allocations": {"a": 1e999}}',
        '{"window": 9, "alert_threshold": 1e999}',
        f'{{"window": {"9" * 5000}}}',
        f'{{"window": "{"9" * 5000}"}}',
        '{"window": 0}',
        '{"window": "9"}',
        '{"window": true}',
    ],
)
def test_numbers_out_of_range_are_told_as_such(client, body):
    answer = client.post("/v1/plan", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422) and len(answer.content) < 10_000, answer.text
    assert answer.json()["type"].rpartition(":")[2] in ("invalid", "bad-json", "unknown-name")


@pytest.mark.parametrize("change", [{"budget": int(HUGE)}, {"pins": [{"id": "tides", "start": 0, "end": int(HUGE)}]}])
def test_large_numbers_of_a_pack_are_told_as_such(client, change):
    problem(client.post("/v1/pack", json=ASK | change), 422, "invalid")


def test_nothing_is_converted(client):
    for change in ({"budget": "25"}, {"budget": 25.5}, {"cite": "true"}, {"cite": 1}, {"min_relevance": "0.5"}):
        problem(client.post("/v1/pack", json=ASK | change), 422, "invalid")


# ---- log and start

FAILS = """
import fieldpack.server.handlers as h
def pack(self, request, on_stage=None):
    raise RuntimeError(request.query)
h.Handlers.pack = pack
"""


def test_errors_are_in_the_log_and_texts_and_keys_are_not():
    with running(FAILS, api_key=KEY) as (url, process):
        headers = {"x-api-key": KEY}
        problem(httpx.post(url + "v1/pack?token=hunter2", json=ASK, headers=headers), 500, "internal")
        httpx.get(url + "v1/sessions/" + "s" * 43, headers=headers)
        httpx.get(url + "metrics", headers={"x-api-key": "wrong-" + KEY})
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert "ERROR fieldpack.server: RuntimeError in POST /v1/pack" in err and ", line " in err
    for secret in (KEY, "tides", "hunter2", "sss"):
        assert secret not in err
    assert "/v1/sessions" not in err and "/metrics" not in err, "requests are logged where that is asked for alone"


def test_requests_are_in_the_log_where_that_is_asked_for():
    with running(access_log=True, api_key=KEY) as (url, process):
        headers = {"authorization": f"Bearer {KEY}"}
        httpx.post(url + "v1/pack?token=hunter2", json=ASK, headers=headers)
        httpx.get(url + "v1/sessions/" + "s" * 43, headers=headers)
        httpx.get(url + "healthz")
        process.terminate()
        _, err = process.communicate(timeout=30)
    lines = [line.partition("fieldpack.server: ")[2].rsplit(" ", 2)[0] for line in err.strip().split("\n")]
    assert lines == ["POST /v1/pack 200", "GET /v1/sessions/{id} 404", "GET /healthz 200"], err
    for secret in (KEY, "tides", "hunter2", "sss"):
        assert secret not in err


def test_a_program_that_logs_by_itself_keeps_its_log():
    code = "import logging; logging.basicConfig(level=logging.ERROR, format='mine %(message)s')\n" + FAILS
    with running(code) as (url, process):
        httpx.post(url + "v1/pack", json=ASK)
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert err.count("mine RuntimeError in POST /v1/pack") == err.count("RuntimeError in POST") == 1


def test_an_empty_key_is_an_error(capsys, monkeypatch):
    for value in ("", "  "):
        monkeypatch.setenv("FIELDPACK_API_KEY", value)
        assert run_cli(["serve", "--port", "0"]) == 2
        assert "FIELDPACK_API_KEY is empty" in capsys.readouterr().err
    monkeypatch.delenv("FIELDPACK_API_KEY")
    assert run_cli(["serve", "--api-key", ""]) == 2
    assert "the API key is empty" in capsys.readouterr().err


def test_the_address_is_printed_as_a_browser_takes_it():
    for host, shown in (("::1", "[::1]"), ("[::1]", "[::1]"), ("127.0.0.1", "127.0.0.1"), ("localhost", "localhost")):
        assert url_of(Settings(host=host), 8017) == f"http://{shown}:8017/"


def test_hosts_that_cannot_be_are_refused():
    for name in ("a*b", "http://a", "a/b", "", "*."):
        with pytest.raises(SettingsError, match="allow_hosts"):
            Settings(allow_hosts=(name,))
    with TestClient(app(), base_url="http://[::1]:8017") as c:
        assert c.get("/healthz").status_code == 200
