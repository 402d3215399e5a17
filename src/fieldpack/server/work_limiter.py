"""A bounded number of requests at work in threads, a bounded number waiting, and a clear refusal for the rest.

Own code: no library that the project uses bounds waiting and working together and keeps counting a thread that outlived
its request. anyio's CapacityLimiter bounds threads only, and its waiters are without number.
"""

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


class WorkLimiter:
    """Runs work in `workers` threads; `waiting` more requests may queue.

    A thread cannot be stopped from outside. Work that outlives its request keeps its place until it is done, so that
    the number of busy threads stays bounded.

    workers: threads, 1 or more. waiting: requests in the queue, 0 or more. timeout: seconds that a request may wait
    and work together.
    """

    def __init__(self, workers: int, waiting: int, timeout: float) -> None:
        self.workers, self.waiting, self.timeout = workers, waiting, timeout
        self._pool = ThreadPoolExecutor(workers, "fieldpack")
        self._inside = 0
        self._mean = 0.1
        self._idle = asyncio.Event()
        self._idle.set()
        self._abandoned = asyncio.Event()
        self.stopping = False

    @property
    def inside(self) -> int:
        """Requests at work or waiting, those included whose client no longer waits for the answer."""
        return self._inside

    def retry_after(self) -> int:
        """Seconds (1 to 60) after which a place is likely to be free, from the mean time of recent work."""
        return max(1, min(60, math.ceil(self._inside * self._mean / self.workers)))

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns, from a thread.

        Raises Problem "busy" at once when the queue is full, "timeout" when the time is over, "stopping" when the
        service stops first, and whatever `work` raises.
        """
        future = self._start(work)
        answer: asyncio.Future[Any] = asyncio.wrap_future(future)
        # Work that outlives its request may still fail. asyncio would log that error, which may hold texts.
        answer.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        abandoned: asyncio.Future[Any] = asyncio.ensure_future(self._abandoned.wait())
        try:
            await asyncio.wait({answer, abandoned}, timeout=self.timeout, return_when=asyncio.FIRST_COMPLETED)
            if answer.done() and not answer.cancelled():
                return future.result()
            raise Problem.stopping() if self._abandoned.is_set() else self._overdue(future.cancel())
        finally:
            abandoned.cancel()
            future.cancel()  # nothing happens to work that has begun; work that has not need not begin

    def _start(self, work: Callable[[], T]) -> Future[T]:
        """Queues `work`. Raises Problem "busy" or "stopping"."""
        if self.stopping:
            raise Problem.stopping()
        if self._inside >= self.workers + self.waiting:
            detail = f"{self.workers} requests are at work, {self.waiting} wait, and no more may; ask again later"
            raise Problem("busy", detail, self.retry_after())
        self._inside += 1
        self._idle.clear()
        loop = asyncio.get_running_loop()
        # The context of the request goes along, so that its span is the parent of the pack's span.
        future = self._pool.submit(contextvars.copy_context().run, self._timed, work)

        def done(_: Future[Any]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._leave)

        future.add_done_callback(done)
        return future

    def _leave(self) -> None:
        self._inside -= 1
        if self._inside == 0:
            self._idle.set()

    def _timed(self, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        try:
            return work()
        finally:
            self._mean += 0.1 * (time.perf_counter() - start - self._mean)

    def _overdue(self, never_begun: bool) -> Problem:
        if never_begun:
            detail = f"no place became free in {self.timeout:g} s; ask again later"
        else:
            detail = f"the work took more than {self.timeout:g} s; send fewer or shorter documents"
        return Problem("timeout", detail, self.retry_after())

    def stop(self) -> None:
        """Refuses new work from now on. Work that is queued or has begun goes on."""
        self.stopping = True

    def abandon(self) -> None:
        """Answers every request that still waits with the problem "stopping" and drops what has not begun.

        Threads that are at work cannot be stopped; they are no longer waited for.
        """
        self.stop()
        self._abandoned.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def close(self, grace: float) -> bool:
        """Refuses new work, waits at most `grace` seconds for the rest and abandons what is left.

        Returns whether all work was done in time.
        """
        self.stop()
        try:
            await asyncio.wait_for(self._idle.wait(), grace)
        except TimeoutError:
            return False
        finally:
            self.abandon()
        return True
