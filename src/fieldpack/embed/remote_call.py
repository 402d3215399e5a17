"""One request to an HTTP server: time-outs, retries with back-off, and errors that a person can act on."""

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
    """The server answered a status that a retry does not mend."""

    def __init__(self, status: int, body: str) -> None:
        self.status, self.body = status, body
        super().__init__(f"status {status}")


class NotJSON(EmbeddingError):
    """A 200 answer that is no JSON."""


@dataclass(frozen=True)
class Answer:
    """A complete answer of a server."""

    status: int
    headers: httpx.Headers
    body: bytes


@dataclass(frozen=True)
class Caller:
    """Sends requests to one server. who: its name in messages. secret: the key, which no message shows.

    timeout: seconds for a whole answer. retries: bound for answers whose status is in RETRIED. max_wait: seconds of the
    longest pause between two tries. most_bytes: bound for an answer (2,048 vectors of 4,096 numbers in text are about
    100 MB). sleep: called with the seconds of a pause, instead of waiting.
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
                answer = self._once(method, url, content)
                if answer.status == 200:
                    return json.loads(answer.body)
                text = self._clean(_message(answer.body))
                if answer.status not in RETRIED or "insufficient_quota" in text:
                    raise Refused(answer.status, text)
                kind, tries = "status", self.retries + 1
                error = self.refusal(Refused(answer.status, text))
                retry_after = _retry_after(answer.headers.get("retry-after"))
            except (json.JSONDecodeError, UnicodeDecodeError):
                kind, tries, retry_after = "garbled", _TRIES_TIMEOUT, None
                beginning = self._clean(answer.body[:80].decode("utf-8", "replace"))
                error = NotJSON(
                    f"{self.who} answered 200 with what is no JSON (it begins {beginning!r}); "
                    "check the URL: it may be a web page, or the answer was cut"
                )
            except httpx.RequestError as cause:
                kind, tries, retry_after = *_kind(cause), None
                error = self._unreachable(cause)
            failures[kind] += 1
            if failures[kind] >= tries:
                raise error
            self._pause(sum(failures.values()), retry_after, error, stop)

    def refusal(self, refused: Refused) -> EmbeddingError:
        """The error for a status: its meaning and what to do."""
        advice = _ADVICE.get(refused.status, "see the server's log" if refused.status >= 500 else "check the URL")
        message = f": {refused.body}" if refused.body else ""
        return EmbeddingError(f"{self.who} answered status {refused.status}{message} ({advice})")

    def _once(self, method: str, url: httpx.URL, content: bytes | None) -> Answer:
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
            return Answer(answer.status_code, answer.headers, b"".join(parts))

    def _unreachable(self, cause: httpx.RequestError) -> EmbeddingError:
        message = self._clean(str(cause)) or type(cause).__name__
        if isinstance(cause, httpx.TimeoutException):
            return EmbeddingError(
                f"{self.who} did not answer within {self.timeout:g} s ({message}); raise timeout=, or lower batch_size="
            )
        return EmbeddingError(f"{self.who} cannot be reached or broke off ({message}); check the URL and the server")

    def _pause(
        self, failures: int, retry_after: float | None, error: EmbeddingError, stop: threading.Event | None
    ) -> None:
        """Waits as long as the server asks, else twice as long after every failure; random jitter keeps clients from
        coming back at the same moment."""
        if retry_after is not None and retry_after > self.max_wait:
            longest = f"longer than max_wait={self.max_wait:g}"
            raise EmbeddingError(f"{error}; it asks to wait {retry_after:.0f} s, {longest}")
        wait = min(self.max_wait, 0.5 * 2.0 ** (failures - 1)) * random.SystemRandom().uniform(0.5, 1.0)
        wait = max(wait, retry_after or 0.0)
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


def _kind(cause: httpx.RequestError) -> tuple[str, int]:
    if isinstance(cause, httpx.TimeoutException):
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
