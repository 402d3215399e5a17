"""Standard input as lines that an event loop waits for and can stop waiting for.

Own code: the SDK reads in a thread that cannot be left before the host closes its side, so a relay whose server has
ended could not end. The thread reads the descriptor itself: a lock of `sys.stdin` held by it would fail at exit.
"""

from __future__ import annotations

import asyncio
import os
import threading

_CHUNK = 1 << 16
_WAITING = 64
"""Lines that are read before the loop takes them."""


class HostLines:
    """An async iterator of lines; made inside a running loop. descriptor: what is read. It ends with the input, or when
    `end` is called."""

    def __init__(self, descriptor: int = 0) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue(_WAITING)
        self._ended = asyncio.Event()
        threading.Thread(target=self._read, args=(descriptor,), name="fieldpack-stdin", daemon=True).start()

    def end(self) -> None:
        """Ends the iteration, though the input goes on."""
        self._ended.set()

    def __aiter__(self) -> HostLines:
        return self

    async def __anext__(self) -> str:
        line = asyncio.ensure_future(self._lines.get())
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({line, ended}, return_when=asyncio.FIRST_COMPLETED)
            text = line.result() if line.done() else None
        finally:
            line.cancel()
            ended.cancel()
        if text is None:
            raise StopAsyncIteration
        return text

    def _read(self, descriptor: int) -> None:
        rest = b""
        try:
            while chunk := os.read(descriptor, _CHUNK):
                *lines, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else [rest + chunk]
                for line in lines:
                    self._put(line.decode("utf-8", "replace"))
            if rest.strip():
                self._put(rest.decode("utf-8", "replace"))
            self._put(None)
        except (OSError, RuntimeError):  # the input is closed, or the loop is
            return

    def _put(self, line: str | None) -> None:
        asyncio.run_coroutine_threadsafe(self._lines.put(line), self._loop).result()
