"""One question to an HTTP server: time-outs, retries with back-off, and errors that a person can act on."""

from __future__ import annotations

import datetime
import email.utils
import json
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from fieldpack.errors import EmbeddingError

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_ADVICE = {
    400: "check remote_model=, and whether the server takes these texts",
    401: "check api_key=",
    403: "check api_key= and what it may do",
    404: "check the URL and remote_model=",
    405: "check the URL: the path is not one for embeddings",
    413: "the server takes less at once; lower batch_size= or max_input_tokens=",
    422: "the server could not read a text; lower max_input_tokens=, or look for odd characters",
    424: "the model failed on the server; see the server's log",
    429: "the server is overloaded or the quota is spent; lower concurrency=, or wait",
}
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}
_TRIES_TIMEOUT = 2
_TRIES_CONNECTION = 3


class Refused(Exception):
    """A status that asking again does not mend."""

    def __init__(self, status: int, body: str) -> None:
        self.status, self.body = status, body
        super().__init__(f"status {status}")


class NotJSON(EmbeddingError):
    """A 200 answer that is no JSON."""


@dataclass(frozen=True)
class Caller:
    """Asks one server. `retries` bounds answers of kinds in RETRIED, `max_wait` (seconds) one pause between tries,
    `most_bytes` an answer (2,048 vectors of 4,096 numbers in text are about 100 MB).
    """

    client: httpx.Client
    who: str
    secret: str = field(default="", repr=False)
    timeout: float = 60.0
    retries: int = 4
    max_wait: float = 60.0
    most_bytes: int = 1 << 28
    sleep: Callable[[float], object] | None = None

    def ask(self, method: str, url: httpx.URL, payload: object = None, *, stop: threading.Event | None = None) -> Any:
        """The parsed JSON of a 200 answer. Raises Refused, or EmbeddingError when trying again has not helped."""
        content = None if payload is None else json.dumps(payload, ensure_ascii=False).encode()
        failures = {"status": 0, "timeout": 0, "connection": 0, "garbled": 0}
        while True:
            try:
                status, headers, body = self._once(method, url, content)
                if status == 200:
                    return json.loads(body)
                text = self._clean(_message(body))
                if status not in RETRIED or "insufficient_quota" in text:
                    raise Refused(status, text)
                kind, tries = "status", self.retries + 1
                error = self.refusal(Refused(status, text))
                asked = _retry_after(headers.get("retry-after"))
            except (json.JSONDecodeError, UnicodeDecodeError):
                kind, tries, asked = "garbled", _TRIES_TIMEOUT, None
                found = self._clean(body[:80].decode("utf-8", "replace"))
                error = NotJSON(
                    f"{self.who} answered 200 with what is no JSON (it begins {found!r}); "
                    "check the URL: it may be a web page, or the answer was cut"
                )
            except httpx.RequestError as trouble:
                kind, tries, asked = *_kind(trouble), None
                error = self._unreachable(trouble)
            failures[kind] += 1
            if failures[kind] >= tries:
                raise error
            self._pause(sum(failures.values()), asked, error, stop)

    def refusal(self, refused: Refused) -> EmbeddingError:
        """What a status means and what to do."""
        advice = _ADVICE.get(refused.status, "see the server's log" if refused.status >= 500 else "check the URL")
        said = f": {refused.body}" if refused.body else ""
        return EmbeddingError(f"{self.who} answered status {refused.status}{said} ({advice})")

    def _once(self, method: str, url: httpx.URL, content: bytes | None) -> tuple[int, httpx.Headers, bytes]:
        # Streamed, so that `timeout` bounds the whole answer: the client's own time-out is for each piece of it.
        deadline = time.monotonic() + self.timeout
        with self.client.stream(method, url, content=content, headers=_JSON) as answer:
            parts, size = [], 0
            for part in answer.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > self.most_bytes:
                    raise EmbeddingError(f"{self.who} answered with more than {self.most_bytes} bytes; check the URL")
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout(f"the answer was not complete after {self.timeout:g} s")
            return answer.status_code, answer.headers, b"".join(parts)

    def _unreachable(self, trouble: httpx.RequestError) -> EmbeddingError:
        said = self._clean(str(trouble)) or type(trouble).__name__
        if isinstance(trouble, httpx.TimeoutException):
            return EmbeddingError(
                f"{self.who} did not answer within {self.timeout:g} s ({said}); raise timeout=, or lower batch_size="
            )
        return EmbeddingError(f"{self.who} cannot be reached or broke off ({said}); check the URL and the server")

    def _pause(self, failures: int, asked: float | None, error: EmbeddingError, stop: threading.Event | None) -> None:
        """Waits as long as the server asks, else twice as long after every failure; jitter keeps clients apart."""
        if asked is not None and asked > self.max_wait:
            raise EmbeddingError(f"{error}; it asks to wait {asked:.0f} s, longer than max_wait={self.max_wait:g}")
        wait = min(self.max_wait, 0.5 * 2.0 ** (failures - 1)) * random.SystemRandom().uniform(0.5, 1.0)
        wait = max(wait, asked or 0.0)
        if self.sleep is not None:
            self.sleep(wait)
        elif stop is None:
            time.sleep(wait)
        elif stop.wait(wait):
            raise error

    def _clean(self, text: str) -> str:
        """At most 200 characters, without the key that some servers repeat."""
        if self.secret:
            text = text.replace(self.secret, "[api_key]")
        text = re.sub(r"(?i)\b(bearer\s+|sk-)[\w.*~+/=-]{4,}", r"\1[...]", text)
        return " ".join(text.split())[:200]


def _kind(trouble: httpx.RequestError) -> tuple[str, int]:
    if isinstance(trouble, httpx.TimeoutException):
        return "timeout", _TRIES_TIMEOUT
    return "connection", _TRIES_CONNECTION


def _message(body: bytes) -> str:
    """The readable part of an error body: OpenAI's {"error": {"message", "code"}}, TEI's {"error"}, else its text."""
    text = body[:4000].decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except ValueError:
        return text
    for key in ("error", "detail"):
        if isinstance(parsed, dict) and parsed.get(key):
            parsed = parsed[key]
    if isinstance(parsed, dict):
        parsed = " ".join(str(value) for value in parsed.values() if value)
    return str(parsed)


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header, in seconds or as a date; None when there is none that can be read."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return max(0.0, (moment - datetime.datetime.now(datetime.UTC)).total_seconds())
