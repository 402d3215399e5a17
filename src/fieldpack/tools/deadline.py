"""A time limit that holds: work runs in a thread of its own, and whoever waits for it stops waiting in time.

A thread cannot be ended from outside, so the work is asked to end at its next stage (`Deadline.check`), and so many
abandoned threads at most may still run: beyond that, new work is refused at once.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

R = TypeVar("R")


class TimeLimitError(Exception):
    """The time limit is over."""


class Deadline:
    """Seconds that work may take from now on."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def check(self, _stage: str = "") -> None:
        """Raises TimeLimitError when the time is over."""
        if time.monotonic() > self._end:
            raise TimeLimitError


class Limited(Generic[R]):
    """Runs work within `seconds`, from any thread or event loop. most: abandoned threads that may still run."""

    def __init__(self, seconds: float, most: int = 4) -> None:
        self.seconds, self._most = seconds, most
        self._abandoned = 0
        self._lock = threading.Lock()

    def run(self, work: Callable[[Deadline], R]) -> R:
        """The outcome of work. Raises TimeLimitError when it takes too long, and what work raises."""
        future = self._start(work)
        try:
            return future.result(self.seconds)
        except TimeoutError as error:
            self._abandon(future)
            raise TimeLimitError from error

    async def arun(self, work: Callable[[Deadline], R]) -> R:
        """The same for an event loop, which goes on meanwhile."""
        future = self._start(work)
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), self.seconds)
        except TimeoutError as error:
            self._abandon(future)
            raise TimeLimitError from error

    def _start(self, work: Callable[[Deadline], R]) -> Future[R]:
        if self._abandoned >= self._most:
            raise TimeLimitError
        future: Future[R] = Future()
        deadline, context = Deadline(self.seconds), contextvars.copy_context()

        def run() -> None:
            try:
                future.set_result(context.run(work, deadline))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, name="fieldpack-trim", daemon=True).start()
        return future

    def _abandon(self, future: Future[R]) -> None:
        with self._lock:
            self._abandoned += 1
        future.add_done_callback(self._ended)

    def _ended(self, future: Future[R]) -> None:
        future.exception()  # seen, so that nobody reports it as lost
        with self._lock:
            self._abandoned -= 1
