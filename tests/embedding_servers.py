"""Embedding servers on loopback for the tests: real HTTP, real limits, and faults on demand."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fieldpack.embed import HashEmbedder

DIMS = 48
Fault = Callable[["Handler", Any], bool]
"""Gets the handler and the parsed payload; True when it has answered (or hung up) itself."""


def status(code: int, body: object = None, **headers: str) -> Fault:
    def act(handler: Handler, payload: Any) -> bool:
        handler.reply(code, {"error": {"message": "no"}} if body is None else body, headers)
        return True

    return act


def slow(seconds: float) -> Fault:
    def act(handler: Handler, payload: Any) -> bool:
        time.sleep(seconds)
        return False

    return act


def cut_body(handler: Handler, payload: Any) -> bool:
    """Announces 1000 bytes, sends 20, hangs up."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"data": [{"index": ')
    handler.close_connection = True
    return True


def hang_up(handler: Handler, payload: Any) -> bool:
    handler.close_connection = True
    handler.connection.close()
    return True


def not_json(handler: Handler, payload: Any) -> bool:
    handler.reply_raw(200, b"<html>Welcome to nginx</html>", {})
    return True


def dribble(handler: Handler, payload: Any) -> bool:
    """One byte every 50 ms: each read is quick, the whole is not."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass
    handler.close_connection = True
    return True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: EmbeddingServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.seen.append((self.path, None, dict(self.headers)))
        page = self.server.pages.get(self.path.split("?")[0])
        self.reply(404, {"error": "not found"}) if page is None else self.reply(200, page)

    def do_POST(self) -> None:
        payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.seen.append((self.path, payload, dict(self.headers)))
            fault = self.server.faults.popleft() if self.server.faults else None
        if fault is None or not fault(self, payload):
            self.server.answer(self, payload)

    def reply(self, code: int, body: object, headers: dict[str, str] | None = None) -> None:
        self.reply_raw(code, json.dumps(body).encode(), headers or {})

    def reply_raw(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class EmbeddingServer(ThreadingHTTPServer):
    """Vectors of HashEmbedder(DIMS) behind one of the two protocols. `seen` holds (path, payload, headers)."""

    daemon_threads = True

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults, self.lock = deque(faults), threading.Lock()
        self.seen: list[tuple[str, Any, dict[str, str]]] = []
        self.pages: dict[str, object] = {}
        self.root = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are part of the tests."""

    def __enter__(self) -> EmbeddingServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def posts(self) -> list[Any]:
        return [payload for _, payload, _ in self.seen if payload is not None]

    def answer(self, handler: Handler, payload: Any) -> None:
        raise AssertionError


class OpenAIServer(EmbeddingServer):
    """/v1/embeddings: at most `inputs` texts of at most `bytes_each` bytes; answers in reverse order, with `index`."""

    inputs, bytes_each, bytes_all, knows_base64 = 2048, 8192, 300_000, True

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def answer(self, handler: Handler, payload: Any) -> None:
        texts = payload["input"]
        if handler.path != "/v1/embeddings":
            return handler.reply(404, {"error": {"message": "no such page"}})
        if not self.knows_base64 and payload.get("encoding_format") == "base64":
            return handler.reply(400, {"error": {"message": "unknown encoding_format"}})
        if any(not text for text in texts) or len(texts) > self.inputs:
            return handler.reply(400, {"error": {"message": "input is invalid"}})
        if max(len(text.encode()) for text in texts) > self.bytes_each:
            return handler.reply(400, {"error": {"message": f"maximum context length is {self.bytes_each} tokens"}})
        if sum(len(text.encode()) for text in texts) > self.bytes_all:
            return handler.reply(400, {"error": {"message": "max 300000 tokens per request"}})
        rows = HashEmbedder(DIMS).embed(texts)
        as_base64 = payload.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": i,
                "embedding": base64.b64encode(row.tobytes()).decode() if as_base64 else row.tolist(),
            }
            for i, row in enumerate(rows)
        ]
        return handler.reply(200, {"object": "list", "data": data[::-1], "model": payload["model"], "usage": {}})


class TEIServer(EmbeddingServer):
    """/embed: at most 32 texts of less than `words` words, else 413 as TEI answers it."""

    words = 60

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        super().__init__(faults)
        self.pages["/info"] = {
            "model_id": "tiny", "model_sha": "abc", "max_client_batch_size": 32, "max_batch_tokens": 16384,
            "max_input_length": self.words + 2, "auto_truncate": False,
        }  # fmt: skip

    @property
    def url(self) -> str:
        return f"{self.root}/embed"

    def answer(self, handler: Handler, payload: Any) -> None:
        texts = payload["inputs"]
        if handler.path != "/embed":
            return handler.reply(404, {"error": "no such page"})
        if len(texts) > 32:
            return handler.reply(413, {"error": f"batch size {len(texts)} > maximum 32", "error_type": "Validation"})
        if not all(texts):
            return handler.reply(400, {"error": "`inputs` cannot be empty", "error_type": "Empty"})
        if max(len(text.split()) for text in texts) >= self.words and payload["truncate"] is False:
            message = f"`inputs` must have less than {self.words} tokens"
            return handler.reply(413, {"error": message, "error_type": "Validation"})
        return handler.reply(200, HashEmbedder(DIMS).embed(texts).tolist())
