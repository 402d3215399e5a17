"""What the service bounds: work, time, bytes, connections; by threads and raw sockets."""

import asyncio
import contextvars
import json
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from serving import ASK, HEAD, app, problem, running, running_well, spoken
from starlette.testclient import TestClient

from fieldpack.server.problems import Problem
from fieldpack.server.work_limiter import WorkLimiter


@pytest.fixture(scope="module")
def service():
    with running_well(max_body=200_000, head_timeout=1.0, body_timeout=1.0) as url:
        yield url


def test_a_full_limiter_refuses_and_overdue_work_keeps_its_place():
    async def go():
        limiter, hold = WorkLimiter(1, 1, 0.3), threading.Event()
        first, second = (asyncio.create_task(limiter.run(lambda: hold.wait(5))) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(Problem) as busy:
            await limiter.run(lambda: None)
        overdue = await asyncio.gather(first, second, return_exceptions=True)
        inside = limiter.inside
        third = asyncio.create_task(limiter.run(lambda: "third"))
        await asyncio.sleep(0)
        with pytest.raises(Problem) as still:
            await limiter.run(lambda: None)
        hold.set()
        free = await third
        closed = await limiter.close(5)
        with pytest.raises(Problem) as stopping:
            await limiter.run(lambda: None)
        return busy.value, overdue, inside, still.value, free, closed, stopping.value

    busy, overdue, inside, still, free, closed, stopping = asyncio.run(go())
    assert (busy.status, busy.kind) == (429, "busy") and busy.retry_after >= 1
    assert [p.status for p in overdue] == [503, 503]
    assert "more than" in overdue[0].detail and "no place" in overdue[1].detail
    assert inside == 1, "the thread that cannot be stopped still counts, the one that never began does not"
    assert still.kind == "busy" and free == "third" and closed and stopping.kind == "stopping"


def test_abandoned_work_is_answered_at_once():
    async def go():
        limiter, hold = WorkLimiter(1, 1, 60), threading.Event()
        tasks = [asyncio.create_task(limiter.run(lambda: hold.wait(30))) for _ in range(2)]
        await asyncio.sleep(0.01)
        closed = await limiter.close(0.05)
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        hold.set()
        return closed, answers

    closed, answers = asyncio.run(go())
    assert not closed and [a.kind for a in answers] == ["stopping", "stopping"]


def test_the_context_of_a_request_goes_along():
    name = contextvars.ContextVar("name", default="")

    async def go():
        limiter = WorkLimiter(1, 1, 5)
        name.set("this request")
        return await limiter.run(name.get)

    assert asyncio.run(go()) == "this request"


def test_matrix_products_start_no_threads_of_their_own_while_it_serves():
    """In a process of its own: the libraries that other tests load keep pools that nobody can limit any more."""
    code = """
import numpy, threadpoolctl
from starlette.testclient import TestClient
from fieldpack.server import Settings, create_app

def threads():
    return [lib["num_threads"] for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "blas"]

before = threads()
with TestClient(create_app(Settings())):
    assert set(threads()) <= {1}, threads()
assert threads() == before
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def slow_work(monkeypatch, hold):
    def pack(self, request, on_stage=None):
        assert hold.wait(20)
        return {"tokens": 0}

    monkeypatch.setattr("fieldpack.server.handlers.Handlers.pack", pack)


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
    slow = "import time, fieldpack.server.handlers as h; pack = h.Handlers.pack; "
    slow += "h.Handlers.pack = lambda *a, **k: (time.sleep(0.6), pack(*a, **k))[1]"
    body = json.dumps(ASK).encode()
    asked = HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    with running(slow, concurrency=1) as (url, _):
        for _ in range(5):
            spoken(url, asked, wait=0.1)
        last = httpx.post(url + "v1/pack", json=ASK, timeout=30)
        text = httpx.get(url + "metrics").text
    assert last.status_code == 200
    packs = int(re.search(r"^fieldpack_packs_total (\d+)\.0", text, re.MULTILINE)[1])
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
