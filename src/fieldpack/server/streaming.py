"""Server-sent events of one piece of work: its stages as they end, then its result, or the problem that ended it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable

from fieldpack.server.gate import Gate
from fieldpack.server.problems import Problem, problem_of

log = logging.getLogger("fieldpack.server")
_ALIVE = 10.0
"""Seconds of silence after which a comment keeps proxies from closing the stream."""


def events(gate: Gate, work: Callable[[Callable[[str], None]], bytes]) -> AsyncIterator[bytes]:
    """Starts `work` at once, so that a full gate is refused with its own status, and gives its events.

    Events: `progress` {"stage": "segment" | "words" | "count" | "relevance" | "pack" | "render"}, then `result`
    with what `work` returned, or `problem`.
    """
    loop = asyncio.get_running_loop()
    stages: asyncio.Queue[str | None] = asyncio.Queue()

    def tell(stage: str | None) -> None:
        loop.call_soon_threadsafe(stages.put_nowait, stage)

    future = gate.start(lambda: work(tell))
    future.add_done_callback(lambda _: tell(None) if not loop.is_closed() else None)

    async def stream() -> AsyncIterator[bytes]:
        end = loop.time() + gate.timeout
        try:
            yield event("progress", b'{"stage":"queued"}')
            while loop.time() < end:
                try:
                    stage = await asyncio.wait_for(stages.get(), min(_ALIVE, max(end - loop.time(), 0.01)))
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if stage is None:
                    yield await _last(asyncio.wrap_future(future))
                    return
                yield event("progress", json.dumps({"stage": stage}).encode())
            yield _problem(Problem("timeout", f"the work took more than {gate.timeout:g} s", gate.retry_after()))
        finally:
            future.cancel()

    return stream()


async def _last(future: asyncio.Future[bytes]) -> bytes:
    try:
        return event("result", await future)
    except asyncio.CancelledError:
        return _problem(Problem("stopping", "the service is being stopped", 5))
    except Exception as error:
        found = problem_of(error)
        if found is None:
            log.error("%s in a stream", type(error).__name__)
            found = Problem("internal", "the service failed and has logged where; the fault is not in your request")
        return _problem(found)


def _problem(problem: Problem) -> bytes:
    return event("problem", json.dumps(problem.to_dict()).encode())


def event(name: str, data: bytes) -> bytes:
    """JSON holds no raw line breaks, so one data line is enough."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
