"""Room behind arrays that grow: rows are added in place, and those who hold the shorter array do not notice.

An array that was handed out is the first rows of a longer one, and is never written to. Only the last of a line of
descent may add in place; a second child of one parent gets a copy.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

_SPARE = 0.5
"""Share of an array that is kept free behind it when it is copied: adding rows one by one then copies each a few times
at most."""


class Room:
    """Buffers by name. `size` says whose they are: the length of whoever grew last."""

    def __init__(self, size: int = -1) -> None:
        self._lock = threading.Lock()
        self._buffers: dict[str, npt.NDArray[Any]] = {}
        self._size = size

    def __reduce__(self) -> tuple[type[Room], tuple[()]]:
        """In another process there are other buffers: whoever grows there copies first."""
        return Room, ()

    def claimed(self, size: int, grown: int) -> Room:
        """This room for one who grows from `size` to `grown`, if he was the last to grow here; else a new one."""
        with self._lock:
            if self._size != size:
                return Room(grown)
            self._size = grown
            return self

    def added(self, name: str, old: npt.NDArray[Any], more: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`old` with the rows `more` behind it, of the type of `old`; not to be written to."""
        end = len(old) + len(more)
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < end:
            buffer = np.empty((end + int(_SPARE * end) + 16, *old.shape[1:]), old.dtype)
            buffer[: len(old)] = old
            self._buffers[name] = buffer
        buffer[len(old) : end] = more
        out = buffer[:end]
        out.flags.writeable = False
        return out
