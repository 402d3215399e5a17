"""What the addresses of one app share: the library's work, its limits, metrics and batchers."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from fieldpack.pipeline import ContextPacker
from fieldpack.server import guardrail
from fieldpack.server.batching import Batcher
from fieldpack.server.bodies import BodyReader
from fieldpack.server.handlers import Handlers
from fieldpack.server.metrics import MEDIA as METRICS_MEDIA
from fieldpack.server.metrics import Metrics
from fieldpack.server.problems import Problem
from fieldpack.server.settings import Settings
from fieldpack.server.tools import ToolOutputs
from fieldpack.server.work_limiter import WorkLimiter
from fieldpack.version import __version__

_BATCHERS_KEPT = 16
_QUEUES = 4
"""Requests for vectors and other small work that may wait, as a multiple of the packs that may."""


class Service:
    """What the addresses of one app share.

    Vectors have a thread of their own, and so has small work: both are asked for often and must not wait behind packs.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.handlers = Handlers(settings)
        self.metrics = Metrics()
        self.tools = ToolOutputs(settings, self._tool_packer, self.metrics.trimmed)
        self.bodies = BodyReader(settings)
        queue = _QUEUES * (settings.waiting + 1)
        self.packs = WorkLimiter(settings.concurrency, settings.waiting, settings.timeout)
        self.vectors = WorkLimiter(1, queue, settings.timeout)
        self.small_work = WorkLimiter(1, queue, settings.timeout)
        self.unsent: Callable[[], int] = lambda: 0
        """Bytes of answers that clients have not taken yet; set by the server beneath."""
        self.limiters = (self.packs, self.vectors, self.small_work)
        self._batchers: dict[str, Batcher] = {}
        self.metrics.watch("sessions", "Sessions kept.", lambda: len(self.handlers.sessions))
        self.metrics.watch(
            "work_inside", "Requests at work or waiting for their turn.", lambda: sum(x.inside for x in self.limiters)
        )

    def batcher(self, model: str) -> Batcher:
        """The batcher of an allowed model. Raises Problem "busy" when its queue is full."""
        if model not in self._batchers:
            if len(self._batchers) >= _BATCHERS_KEPT:
                self._batchers = {name: b for name, b in self._batchers.items() if b.waiting}
            embed = self.handlers.service(model).embed
            wait, most = self.settings.batch_wait, self.settings.batch_texts
            self._batchers[model] = Batcher(embed, self.vectors.run, self.metrics, wait, most)
        batcher = self._batchers[model]
        if batcher.waiting >= _QUEUES * (self.settings.waiting + 1):
            raise Problem("busy", "too many requests wait for vectors; ask again later", self.vectors.retry_after())
        return batcher

    def guardrail(self, request: guardrail.GuardrailIn) -> dict[str, Any]:
        """Trim the tool outputs of a request that LiteLLM's proxy sends to a model."""
        return guardrail.answer(self.tools, request)

    def _tool_packer(self) -> ContextPacker:
        return ContextPacker(embedder=self.handlers.service("static"))

    def check_unsent(self) -> None:
        """Raises Problem "overloaded" while clients leave too many bytes of their answers untaken."""
        if self.unsent() > self.settings.max_buffered:
            raise Problem("overloaded", "too many answers wait for slow clients; ask again in a moment", 2)

    async def health(self) -> Response:
        """Whether the service answers."""
        stopping = self.packs.stopping
        body = to_json({"status": "stopping" if stopping else "ok", "version": __version__})
        return Response(body, 503 if stopping else 200, media_type="application/json")

    async def prometheus(self) -> Response:
        """Counters for Prometheus."""
        return Response(self.metrics.text(), media_type=METRICS_MEDIA)

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Loads the models before the first request; at the end waits for requests at work, for the grace at most."""
        await asyncio.to_thread(self.handlers.warm)
        with one_thread_each():
            yield
            await asyncio.gather(*(limiter.close(self.settings.grace) for limiter in self.limiters))


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Keeps matrix products from starting threads of their own while requests run side by side.

    Threads of both kinds wait for each other: with 64 clients on two busy cores, one run each, 17 requests a second and
    a p99 of 17 s with such threads, 62 requests and 1.6 s without.
    """
    if importlib.util.find_spec("threadpoolctl") is None:
        yield
        return
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):
        yield


def to_json(value: Any) -> bytes:
    """The value as compact JSON in UTF-8. Raises ValueError for numbers that JSON does not have."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
