"""Counters and times of a service for Prometheus, kept by prometheus-client in a registry of the service's own."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
_EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper edges of the histogram's buckets, in seconds."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """What a service has done. Labels are routes, methods and statuses of a fixed set, so their number is bounded."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("route", "method", "status")
        self.requests = self._counter("requests", "Requests answered.", labels)
        self.seconds = Histogram(
            "fieldpack_request_seconds",
            "Time from the request's head to the end of its answer.",
            ("route",),
            buckets=_EDGES,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "fieldpack_requests_in_flight", "Requests that are being read or answered.", registry=self.registry
        )
        self.packs = self._counter("packs", "Packs made.")
        self.packed_tokens = self._counter("packed_tokens", "Tokens in the packs made.")
        self.tool_outputs = self._counter("tool_outputs", "Outputs of tools seen by a trimmer.", ("outcome",))
        self.tool_tokens = self._counter("tool_tokens", "Tokens of those outputs as they came.")
        self.tool_saved_tokens = self._counter("tool_saved_tokens", "Tokens of those that were left out.", ("cached",))
        self.batches = self._counter("embedding_batches", "Batches embedded.")
        self.batch_texts = self._counter("embedding_batch_texts", "Texts in those batches.")
        self.batch_requests = self._counter("embedding_batch_requests", "Requests that those batches joined.")
        ProcessCollector(registry=self.registry)

    def _counter(self, name: str, about: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"fieldpack_{name}", about, labels, registry=self.registry)

    def watch(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Adds a gauge whose value is asked for when Prometheus reads the page."""
        Gauge(f"fieldpack_{name}", about, registry=self.registry).set_function(value)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Counts one answered request. Status 499 stands for a client that went away."""
        self.requests.labels(route, method if method in _METHODS else "other", status).inc()
        self.seconds.labels(route).observe(seconds)

    def packed(self, tokens: int) -> None:
        """Counts one pack and its tokens. May be called from any thread."""
        self.packs.inc()
        self.packed_tokens.inc(tokens)

    def trimmed(self, before: int, saved: int, saved_cached: int, outcome: str) -> None:
        """Counts one output of a tool. outcome: "cut", "unchanged", "replayed" or "failed". From any thread."""
        self.tool_outputs.labels(outcome).inc()
        self.tool_tokens.inc(before)
        self.tool_saved_tokens.labels("no").inc(saved)
        self.tool_saved_tokens.labels("yes").inc(saved_cached)

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self.registry)
