"""Times, traces and logs of packs. Without OpenTelemetry in the program they cost one look-up in `sys.modules`.

Spans: `fieldpack.pack`, and below it one for each stage (`fieldpack.segment`, `.words`, `.count`, ...).
Attributes are sizes; the query is added only where OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is "true". Logs
go to the logger "fieldpack", which is silent until the program configures it.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

log = logging.getLogger("fieldpack")
log.addHandler(logging.NullHandler())

CONTENT_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
R = TypeVar("R")


class Clock:
    """Milliseconds by stage. on_stage: called with the name of each stage when it is done."""

    def __init__(self, on_stage: Callable[[str], None] | None = None) -> None:
        self._on_stage = on_stage
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """The stage is done now."""
        now = time.perf_counter()
        self._laps[stage] = self._laps.get(stage, 0.0) + (now - self._last) * 1000
        self._last = now
        if self._on_stage is not None:
            self._on_stage(stage)

    def done(self) -> dict[str, float]:
        """The milliseconds of each stage, and "total"."""
        return {**self._laps, "total": (time.perf_counter() - self._start) * 1000}


def observed(result: R) -> R:
    """The result, after it was written to the log (level DEBUG) and sent to the tracer, where there are any.

    A tracer that fails is logged and otherwise ignored: it must not break a pack.
    """
    if log.isEnabledFor(logging.DEBUG):
        log.debug("packed %s", " ".join(f"{k.removeprefix('fieldpack.')}={v}" for k, v in sizes(result).items()))
    trace = sys.modules.get("opentelemetry.trace")
    if trace is not None:
        try:
            _traced(trace, result)
        except Exception as error:
            log.warning("the tracer failed: %s", type(error).__name__)
    return result


def sizes(result: Any) -> dict[str, int | float]:
    """The sizes of a pack: numbers, no names and no text."""
    return {
        "fieldpack.documents": len(result.corpus.documents),
        "fieldpack.segments": len(result.segments),
        "fieldpack.kept": int(result.inside.sum()),
        "fieldpack.queries": len(result.queries),
        "fieldpack.budget": result.budget,
        "fieldpack.tokens": result.tokens,
        "fieldpack.milliseconds": round(result.timings["total"], 3),
    }


def observed_sizes(
    name: str, attributes: Mapping[str, int | float | bool], milliseconds: float, notes: Sequence[str] = ()
) -> None:
    """Writes sizes to the log (level DEBUG) and to a span of the tracer, where there are any. A tracer that fails is
    logged and otherwise ignored. notes: for the log alone."""
    if log.isEnabledFor(logging.DEBUG):
        sized = " ".join(f"{k.rpartition('.')[2]}={v}" for k, v in attributes.items())
        log.debug("%s %s%s", name.rpartition(".")[2], sized, f" ({'; '.join(notes)})" if notes else "")
    trace = sys.modules.get("opentelemetry.trace")
    if trace is not None:
        try:
            end = time.time_ns()
            tracer = trace.get_tracer("fieldpack")
            span = tracer.start_span(name, attributes=dict(attributes), start_time=end - _nanoseconds(milliseconds))
            span.end(end_time=end)
        except Exception as error:
            log.warning("the tracer failed: %s", type(error).__name__)


def _traced(trace: Any, result: Any) -> None:
    """Spans with the times that were measured, so that the work itself need not know of them."""
    tracer = trace.get_tracer("fieldpack")
    end = time.time_ns()
    at = end - _nanoseconds(result.timings["total"])
    attributes: dict[str, Any] = {"gen_ai.operation.name": "retrieval", **sizes(result)}
    if os.environ.get(CONTENT_VARIABLE, "").lower() == "true":
        attributes["gen_ai.retrieval.query.text"] = "\n".join(result.queries)
    whole = tracer.start_span("fieldpack.pack", attributes=attributes, start_time=at)
    below = trace.set_span_in_context(whole)
    for stage, milliseconds in result.timings.items():
        if stage != "total":
            part = tracer.start_span(f"fieldpack.{stage}", context=below, start_time=at)
            at += _nanoseconds(milliseconds)
            part.end(end_time=at)
    whole.end(end_time=end)


def _nanoseconds(milliseconds: float) -> int:
    return round(milliseconds * 1e6)
