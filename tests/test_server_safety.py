"""Who may use the service, what a client cannot reach through it, and what it never tells."""

import json
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from serving import ASK, KEY, TIDES, app, problem, running_well, spoken
from starlette.testclient import TestClient

import fieldpack as fp
from fieldpack.cli.app import run
from fieldpack.errors import InputError, MissingExtraError, SettingsError
from fieldpack.server import Settings, create_app


@pytest.fixture(scope="module")
def client():
    with TestClient(app()) as c:
        yield c


@pytest.fixture(scope="module")
def service():
    with running_well(max_body=200_000, head_timeout=1.0, body_timeout=1.0) as url:
        yield url


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
    def fails(self, request, on_stage=None):
        raise RuntimeError(request.query)

    monkeypatch.setattr("fieldpack.server.handlers.Handlers.pack", fails)
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


def test_bad_settings_reach_nobody():
    with pytest.raises(InputError):
        fp.ContextPacker(embedder=fp.EmbeddingService("http://127.0.0.1:9/", allow_remote=False))
