"""Micro-batching: texts of requests that arrive within a few milliseconds are embedded in one call of the model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fieldpack.server.metrics import Metrics
from fieldpack.server.problems import Problem
from fieldpack.types import FloatArray

Embed = Callable[[Sequence[str]], FloatArray]
Run = Callable[[Callable[[], FloatArray]], Awaitable[FloatArray]]


@dataclass
class _Waiting:
    """A request that waits for the vectors of its texts."""

    texts: Sequence[str]
    answer: asyncio.Future[FloatArray]


class Batcher:
    """Joins requests for one model. One batch is in the model at a time; requests that arrive then make the next batch.

    embed: texts -> float32 rows (n, d). run: WorkLimiter.run, which puts a batch into a thread. wait: seconds that a
    request waits for others. most: texts of a batch; a request of more texts is a batch of its own.
    """

    def __init__(self, embed: Embed, run: Run, metrics: Metrics, wait: float = 0.003, most: int = 256) -> None:
        self._embed, self._run_work, self._metrics = embed, run, metrics
        self._wait, self._most = wait, most
        self._queue: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Requests that wait for a batch."""
        return len(self._queue)

    async def embed(self, texts: Sequence[str]) -> FloatArray:
        """The rows (n, d) of these texts. Raises what the model raises for them, whatever else is in the batch."""
        waiting = _Waiting(texts, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            return await waiting.answer
        finally:
            if waiting in self._queue:  # the client went away before its batch began
                self._queue.remove(waiting)

    async def _run(self) -> None:
        try:
            while self._queue:
                if sum(len(w.texts) for w in self._queue) < self._most:
                    await asyncio.sleep(self._wait)
                batch = self._take()
                if batch:
                    await self._answer(batch)
        finally:
            self._task = None

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        texts = 0
        while self._queue and (not batch or texts + len(self._queue[0].texts) <= self._most):
            texts += len(self._queue[0].texts)
            batch.append(self._queue.pop(0))
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        joined = [text for w in batch for text in w.texts]
        try:
            rows = await self._run_work(lambda: self._embed(joined))
        except Exception as error:
            await self._answer_each(batch, error)
            return
        self._metrics.batches.inc()
        self._metrics.batch_texts.inc(len(joined))
        self._metrics.batch_requests.inc(len(batch))
        first = 0
        for w in batch:
            if not w.answer.done():
                w.answer.set_result(rows[first : first + len(w.texts)])
            first += len(w.texts)

    async def _answer_each(self, batch: list[_Waiting], error: Exception) -> None:
        """Embeds each request alone, so that one request's text neither fails another nor is named in its error."""
        if len(batch) > 1 and not isinstance(error, Problem):
            for w in batch:
                await self._answer([w])
            return
        for w in batch:
            if not w.answer.done():
                w.answer.set_exception(error)
