"""Server-sent events of one piece of work: each stage as it ends, then the result, or the problem that ended it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from fieldpack.server.problems import Problem, log_failure, problem_of

_ALIVE = 10.0
"""Seconds of silence after which a comment is sent, so that proxies do not close the stream."""


class Stages:
    """Names of stages, reported by a worker thread and read on the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()

    def report(self, stage: str | None) -> None:
        """Adds a stage that has ended; None says that no more will come. May be called from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue.put_nowait, stage)

    async def next(self) -> str | None:
        """The next stage, or None after the last. Raises TimeoutError after a time of silence."""
        return await asyncio.wait_for(self._queue.get(), _ALIVE)


async def events(task: asyncio.Task[bytes], stages: Stages) -> AsyncIterator[bytes]:
    """The events of `task`, which reports its stages to `stages`.

    They are `progress` {"stage": "queued" | "segment" | "words" | "count" | "relevance" | "pack" | "render"}, then
    `result` with what the task returns, or `problem`. A task whose events nobody reads any more is cancelled.
    """
    task.add_done_callback(lambda _: stages.report(None))
    try:
        yield event("progress", b'{"stage":"queued"}')
        while True:
            try:
                stage = await stages.next()
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if stage is None:
                yield await _last(task)
                return
            yield event("progress", json.dumps({"stage": stage}).encode())
    finally:
        task.cancel()


async def _last(task: asyncio.Task[bytes]) -> bytes:
    try:
        return event("result", await task)
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            log_failure(error, "a stream")
            problem = Problem.internal()
        return event("problem", json.dumps(problem.to_dict()).encode())


def event(name: str, data: bytes) -> bytes:
    """One event. `data` is JSON, which holds no raw line breaks, so one data line is enough."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
