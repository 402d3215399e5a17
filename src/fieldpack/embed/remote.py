"""Embedding servers: OpenAI-compatible /v1/embeddings and text-embeddings-inference (TEI) /embed.

Texts are put into requests within the server's limits, several requests run at a time, and the rows come back in order.
A text longer than the server reads is sent in windows that are pooled by length; a request that the server finds too
large is sent in halves. No text is truncated: TEI is asked not to.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from fieldpack.embed.custom import PROBE, failure
from fieldpack.embed.remote_call import Caller, Refused
from fieldpack.embed.remote_server import Server, checked_key, discover, parsed_url, shown_url
from fieldpack.embed.validate import RowError, blank_row, check_texts, is_blank, pool, unit_rows
from fieldpack.embed.windows import cut, plan, utf8_bytes
from fieldpack.errors import EmbeddingError
from fieldpack.types import FloatArray

_TOO_LONG = re.compile(
    r"(?i)maximum context|context length|too long|too large|too many|exceed|less than|"
    r"max\w* (input|batch|tokens|sequence)"
)
_SHORTEST = 32
"""Characters: a text this short that is still too long for the server is an error, not cut further."""


@dataclass(frozen=True)
class RemoteOptions:
    """How to use an embedding server.

    model: the name to send; None is the server's own (the first that /models lists).
    timeout: seconds for one request. batch_size: texts per request, within what the server allows. concurrency:
        requests at a time.
    tokens: counts a text as the server's model does. Without it a text counts as its UTF-8 bytes for OpenAI-compatible
        servers (never fewer than its tokens); for TEI, which refuses a text that is too long, as a third of its
        characters.
    max_input_tokens: tokens per text; None is 8192 (OpenAI-compatible) or the number that /info states (TEI).
    dimensions: numbers per vector to ask for (OpenAI-compatible); None is the model's own.
    retries: tries after a refusal that may pass. max_wait: seconds of the longest pause between two tries.
    """

    model: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 60.0
    batch_size: int | None = None
    concurrency: int = 4
    tokens: Callable[[str], int] | None = None
    max_input_tokens: int | None = None
    dimensions: int | None = None
    retries: int = 4
    max_wait: float = 60.0


class RemoteEmbedder:
    """Texts to unit rows by a server.

    url: .../v1, .../embeddings (OpenAI-compatible), .../embed (TEI), or the server's root, whose /info is read.
    sleep: called with the seconds of a pause between tries, instead of waiting.
    Blank texts are not sent; they get one fixed vector. The key is in no message, log or repr. Raises InputError for a
    URL or key that cannot be one, EmbeddingError when the server fails.
    """

    def __init__(
        self, url: str, options: RemoteOptions | None = None, *, sleep: Callable[[float], object] | None = None
    ) -> None:
        options = options or RemoteOptions()
        self._url, login = parsed_url(url)
        self.name = shown_url(url)
        self._options = options
        self._lock = threading.RLock()
        self._server: Server | None = None
        self._dims = options.dimensions or 0
        self._base64, self._answered = True, False
        key = checked_key(options.api_key)
        client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            auth=login,
            timeout=options.timeout,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=options.concurrency + 1),
        )
        self._caller = Caller(
            client,
            self.name,
            secret=key,
            timeout=options.timeout,
            retries=options.retries,
            max_wait=options.max_wait,
            sleep=sleep,
        )

    def __repr__(self) -> str:
        return f"RemoteEmbedder({self.name!r})"

    def close(self) -> None:
        """Closes the connections; a later call fails."""
        self._caller.client.close()

    @property
    def server(self) -> Server:
        """The server's protocol, address and limits; found by one question to it."""
        with self._lock:
            if self._server is None:
                o = self._options
                self._server = discover(self._caller, self._url, o.model, o.batch_size, o.max_input_tokens)
            return self._server

    @property
    def dims(self) -> int:
        if not self._dims:
            self.embed([PROBE])
        return self._dims

    @property
    def fingerprint(self) -> str:
        """Address, model and revision as the server states them; other weights under the same name go unnoticed."""
        server = self.server
        named = f"{server.kind}:{self.name}:{server.model}:{server.revision}"
        return f"remote-1:{named}:{server.input_tokens}:{self._options.dimensions or ''}"

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, dims), every row of length 1."""
        listed = check_texts(texts)
        full = [i for i, text in enumerate(listed) if not is_blank(text)]
        if not full:
            return np.tile(blank_row(self.dims), (len(listed), 1))
        server = self.server
        whole = plan([listed[i] for i in full], self._count(server), server.input_tokens)
        try:
            pieces = self._all_rows(server, whole.pieces)
        except RowError as error:
            raise error.at(lambda piece: full[whole.text_of(piece)]) from error.__cause__
        rows = np.tile(blank_row(pieces.shape[1]), (len(listed), 1))
        rows[full] = whole.pooled(pieces)
        return rows

    def _count(self, server: Server) -> Callable[[str], int]:
        if self._options.tokens is not None:
            return self._options.tokens
        return utf8_bytes if server.kind == "openai" else _guess

    def _all_rows(self, server: Server, pieces: list[str]) -> FloatArray:
        """(m, dims) rows of the pieces, from several requests at a time; the first failure ends them all."""
        batches = list(_batches(pieces, self._count(server), server))
        stop = threading.Event()
        if len(batches) == 1:
            parts = [self._batch_rows(server, pieces, batches[0], stop)]
        else:
            workers = ThreadPoolExecutor(min(self._options.concurrency, len(batches)), "fieldpack-remote")
            try:
                futures = [workers.submit(self._batch_rows, server, pieces, batch, stop) for batch in batches]
                wait(futures, return_when=FIRST_EXCEPTION)
                failed = next((f for f in futures if f.done() and f.exception()), None)
                parts = [failed.result()] if failed else [future.result() for future in futures]
            finally:
                stop.set()
                workers.shutdown(wait=False, cancel_futures=True)
        widths = sorted({part.shape[1] for part in parts} | ({self._dims} if self._dims else set()))
        if len(widths) > 1:
            raise EmbeddingError(f"{self.name} returned vectors of {widths} numbers; one model has one length")
        self._dims = widths[0]
        return np.concatenate(parts)

    def _batch_rows(self, server: Server, pieces: list[str], batch: slice, stop: threading.Event) -> FloatArray:
        try:
            return self._rows(server, pieces[batch], stop)
        except RowError as error:
            raise error.at(lambda row: batch.start + row) from error.__cause__

    def _rows(self, server: Server, pieces: list[str], stop: threading.Event) -> FloatArray:
        """Rows of one request; of its halves when it is too large or holds a text that the server cannot read."""
        try:
            raw = self._ask(server, pieces, stop)
        except UnicodeEncodeError as error:
            raise failure(self.name, pieces, error) from error
        except Refused as refused:
            if len(pieces) > 1 and (refused.status == 422 or _is_too_large(refused)):
                return self._in_halves(server, pieces, stop)
            if len(pieces) == 1:
                return self._alone(server, pieces[0], refused, stop)
            raise self._caller.refusal(refused) from None
        return unit_rows(raw, len(pieces), self._dims or None, self.name)

    def _in_halves(self, server: Server, pieces: list[str], stop: threading.Event) -> FloatArray:
        middle = len(pieces) // 2
        first = self._rows(server, pieces[:middle], stop)
        try:
            return np.concatenate([first, self._rows(server, pieces[middle:], stop)])
        except RowError as error:
            raise error.at(lambda row: middle + row) from error.__cause__

    def _alone(self, server: Server, text: str, refused: Refused, stop: threading.Event) -> FloatArray:
        """(1, dims) a text that is too long by itself, from its halves."""
        parts = [part for part in cut(text, 2) if not is_blank(part)]
        if not _is_too_large(refused) or len(text) <= _SHORTEST or len(parts) < 2:
            raise RowError("text ", 0, f": {self._caller.refusal(refused)}") from None
        rows = [self._rows(server, [part], stop) for part in parts]
        return pool(np.concatenate(rows), [len(part) for part in parts])[None, :]

    def _ask(self, server: Server, pieces: list[str], stop: threading.Event) -> Any:
        if server.kind == "tei":
            payload = {"inputs": pieces, "normalize": True, "truncate": False}
            return self._caller.ask("POST", server.url, payload, stop=stop)
        while True:
            as_base64 = self._base64
            try:
                answer = self._caller.ask(
                    "POST", server.url, self._openai_payload(server, pieces, as_base64), stop=stop
                )
            except Refused as refused:
                # Servers that only know floats say so, or refuse the first request without saying why.
                named = re.search(r"(?i)encoding.?format|base64", refused.body)
                if as_base64 and refused.status in (400, 422) and (named or not self._answered):
                    self._base64 = False
                    continue
                raise
            self._answered = True
            return _openai_rows(answer, len(pieces), self.name)

    def _openai_payload(self, server: Server, pieces: list[str], as_base64: bool) -> dict[str, object]:
        payload: dict[str, object] = {"input": pieces, "model": server.model}
        payload["encoding_format"] = "base64" if as_base64 else "float"
        dimensions = self._options.dimensions
        return payload | ({"dimensions": dimensions} if dimensions else {})


def _batches(pieces: Sequence[str], count: Callable[[str], int], server: Server) -> Iterator[slice]:
    """Consecutive pieces within the server's inputs and tokens a request."""
    start, total = 0, 0
    for i, piece in enumerate(pieces):
        cost = count(piece) if server.request_tokens else 0
        over = server.request_tokens is not None and total + cost > server.request_tokens
        if i > start and (over or i - start >= server.inputs):
            yield slice(start, i)
            start, total = i, 0
        total += cost
    yield slice(start, len(pieces))


def _is_too_large(refused: Refused) -> bool:
    """413 always; 400 and 422 when the message is about size."""
    return refused.status == 413 or (refused.status in (400, 422) and bool(_TOO_LONG.search(refused.body)))


def _openai_rows(answer: Any, n: int, who: str) -> list[Any]:
    """The embeddings of an OpenAI-style answer, by their `index`."""
    items = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) and "embedding" in item for item in items):
        raise EmbeddingError(
            f'{who} answered with JSON that holds no embeddings (expected {{"data": [{{"index", "embedding"}}]}}); '
            "check that the URL is one for embeddings"
        )
    order = [item.get("index", i) for i, item in enumerate(items)]
    if sorted(order, key=repr) != sorted(range(n), key=repr):
        raise EmbeddingError(f"{who} returned {len(items)} vectors with indices {order[:5]}... for {n} texts")
    rows: list[Any] = [None] * n
    for place, item in zip(order, items, strict=True):
        rows[place] = _numbers(item["embedding"], who)
    return rows


def _numbers(embedding: Any, who: str) -> Any:
    if not isinstance(embedding, str):
        return embedding
    try:
        return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4")
    except (binascii.Error, ValueError) as error:
        raise EmbeddingError(f"{who} returned an embedding that is no base64 of float32 ({error})") from error


def _guess(text: str) -> int:
    """About how many tokens a text has: one for three ASCII characters, one for each other character."""
    ascii_characters = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return -(-ascii_characters // 3) + len(text) - ascii_characters
