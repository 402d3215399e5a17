"""A bounded number of requests at work, a bounded number waiting, and a clear no to the rest."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from fieldpack.server.problems import Problem

T = TypeVar("T")


class Gate:
    """Work in `workers` threads; `waiting` more may queue. A thread cannot be stopped: what outlives its time keeps its
    place until it is done, so that the bound holds."""

    def __init__(self, workers: int, waiting: int, timeout: float) -> None:
        self.workers, self.waiting, self.timeout = workers, waiting, timeout
        self._pool = ThreadPoolExecutor(workers, "fieldpack")
        self._inside = 0
        self._mean = 0.1
        self.stopping = False

    @property
    def inside(self) -> int:
        """Requests at work or waiting."""
        return self._inside

    def retry_after(self) -> int:
        """Seconds after which a place is likely to be free."""
        return max(1, min(60, math.ceil(self._inside * self._mean / self.workers)))

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns, from a thread. Raises Problem busy, timeout or stopping, and what `work` raises."""
        future = self.start(work)
        answer = asyncio.wrap_future(future)
        # Work that outlives its request may still fail; nobody may log that error, which may hold texts.
        answer.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        try:
            return await asyncio.wait_for(asyncio.shield(answer), self.timeout)
        except TimeoutError:
            if not future.done():
                raise self._late(future.cancel()) from None
            raise
        except asyncio.CancelledError:
            future.cancel()  # the client went away: what has not begun need not begin
            raise

    def start(self, work: Callable[[], T]) -> Future[T]:
        """Queues `work`, or raises Problem busy or stopping at once."""
        if self.stopping:
            raise Problem("stopping", "the service is being stopped; ask again in a moment", 5)
        if self._inside >= self.workers + self.waiting:
            detail = (
                f"{self.workers} requests are in work and {self.waiting} wait, which is all that may; ask again later"
            )
            raise Problem("busy", detail, self.retry_after())
        self._inside += 1
        loop = asyncio.get_running_loop()
        # The context goes along, so that a span of the request is the parent of the pack's.
        future = self._pool.submit(contextvars.copy_context().run, self._timed, work)

        def done(_: Future[Any]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._leave)

        future.add_done_callback(done)
        return future

    def _leave(self) -> None:
        self._inside -= 1

    def _timed(self, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        try:
            return work()
        finally:
            self._mean += 0.1 * (time.perf_counter() - start - self._mean)

    def _late(self, never_begun: bool) -> Problem:
        if never_begun:
            return Problem(
                "timeout", f"no place became free in {self.timeout:g} s; ask again later", self.retry_after()
            )
        return Problem(
            "timeout",
            f"the work took more than {self.timeout:g} s; send fewer or shorter documents",
            self.retry_after(),
        )

    def close(self) -> None:
        """Refuses new work and waits for what has begun."""
        self.stopping = True
        self._pool.shutdown(wait=True, cancel_futures=True)
