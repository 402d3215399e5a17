"""Counters and histograms in the text format of Prometheus. All but `packed` are changed on the event loop only."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """What a service has done. Labels are routes, methods and statuses: their number is bounded."""

    def __init__(self) -> None:
        self.in_flight = self.sessions = self.queued = 0
        self.batches = self.batch_texts = self.batch_requests = 0
        self.packs = self.packed_tokens = 0
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_EDGES) + 1))
        self._seconds: dict[str, float] = defaultdict(float)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One answered request; 499 is a client that went away."""
        self._requests[route, method if method in _METHODS else "other", status] += 1
        place = next((i for i, edge in enumerate(_EDGES) if seconds <= edge), len(_EDGES))
        self._buckets[route][place] += 1
        self._seconds[route] += seconds

    def packed(self, tokens: int) -> None:
        """One pack made, from whatever thread."""
        with self._lock:
            self.packs += 1
            self.packed_tokens += tokens

    def text(self) -> str:
        """The page that Prometheus reads."""
        return "\n".join([*self._lines(), ""])

    def _lines(self) -> Iterator[str]:
        yield from _head("fieldpack_requests_total", "counter", "Requests answered.")
        for (route, method, status), count in sorted(self._requests.items()):
            yield f'fieldpack_requests_total{{route="{route}",method="{method}",status="{status}"}} {count}'
        yield from _head("fieldpack_request_seconds", "histogram", "Time from the first byte in to the last out.")
        for route, buckets in sorted(self._buckets.items()):
            total = 0
            for edge, count in zip((*map(str, _EDGES), "+Inf"), buckets, strict=True):
                total += count
                yield f'fieldpack_request_seconds_bucket{{route="{route}",le="{edge}"}} {total}'
            yield f'fieldpack_request_seconds_sum{{route="{route}"}} {self._seconds[route]:.6f}'
            yield f'fieldpack_request_seconds_count{{route="{route}"}} {total}'
        yield from self._plain()

    def _plain(self) -> Iterator[str]:
        for name, kind, about, value in (
            ("requests_in_flight", "gauge", "Requests that are being read or answered.", self.in_flight),
            ("work_inside", "gauge", "Requests at work or waiting for their turn.", self.queued),
            ("sessions", "gauge", "Sessions kept.", self.sessions),
            ("packs_total", "counter", "Packs made.", self.packs),
            ("packed_tokens_total", "counter", "Tokens in the packs made.", self.packed_tokens),
            ("embedding_batches_total", "counter", "Batches embedded.", self.batches),
            ("embedding_batch_texts_total", "counter", "Texts in those batches.", self.batch_texts),
            ("embedding_batch_requests_total", "counter", "Requests that those batches joined.", self.batch_requests),
        ):
            yield from _head(f"fieldpack_{name}", kind, about)
            yield f"fieldpack_{name} {value}"
        if (resident := resident_bytes()) is not None:
            yield from _head("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.")
            yield f"process_resident_memory_bytes {resident}"


def resident_bytes() -> int | None:
    """Bytes of memory that this process holds, where the system says so."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _head(name: str, kind: str, about: str) -> tuple[str, str]:
    return f"# HELP {name} {about}", f"# TYPE {name} {kind}"
