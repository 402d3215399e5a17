"""Spans and logs: nothing where nobody watches, sizes where somebody does, content only when asked for."""

import json
import logging
import subprocess
import sys

import pytest
from opentelemetry import trace

import fieldpack as fp
from fieldpack.telemetry import CONTENT_VARIABLE, observed

TEXTS = ["Tides are caused by the Moon.\n\nBread is baked.", "The Sun raises tides too."]


class Span(trace.NonRecordingSpan):
    def __init__(self, name, parent, attributes, start):
        super().__init__(trace.INVALID_SPAN_CONTEXT)
        self.name, self.parent, self.attributes, self.start, self.stop = name, parent, attributes or {}, start, None

    def end(self, end_time=None):
        self.stop = end_time


class Recorder(trace.Tracer):
    """The tracer of the interface, without the package that sends spans away."""

    def __init__(self):
        self.spans = []

    def start_span(self, name, context=None, kind=None, attributes=None, links=None, start_time=None, **_):
        parent = trace.get_current_span(context)
        self.spans.append(Span(name, parent if isinstance(parent, Span) else None, attributes, start_time))
        return self.spans[-1]

    def start_as_current_span(self, *args, **kwargs):
        raise AssertionError("spans are made after the fact")


@pytest.fixture
def spans(monkeypatch):
    tracer = Recorder()
    monkeypatch.setattr(trace, "get_tracer", lambda *_: tracer)
    return tracer.spans


def test_a_pack_is_a_span_with_its_stages(spans):
    result = fp.ContextPacker().pack("what causes tides", TEXTS, 20)
    whole, *parts = spans
    assert whole.name == "fieldpack.pack" and whole.parent is None
    assert [p.name for p in parts] == [f"fieldpack.{s}" for s in result.timings if s != "total"]
    assert all(p.parent is whole for p in parts)
    edges = [whole.start, *(e for p in parts for e in (p.start, p.stop)), whole.stop]
    assert edges == sorted(edges) and abs(whole.stop - whole.start - result.timings["total"] * 1e6) < 2
    assert whole.attributes["fieldpack.tokens"] == result.tokens <= whole.attributes["fieldpack.budget"] == 20
    assert whole.attributes["fieldpack.kept"] == len(result.kept) and whole.attributes["fieldpack.documents"] == 2
    assert "tides" not in str(whole.attributes), "sizes only"


def test_content_is_told_only_when_asked_for(spans, monkeypatch):
    monkeypatch.setenv(CONTENT_VARIABLE, "true")
    fp.ContextPacker().pack(["tides", "bread"], TEXTS, 20)
    assert spans[0].attributes["gen_ai.retrieval.query.text"] == "tides\nbread"
    assert "Moon" not in str([s.attributes for s in spans]), "documents never"


def test_a_tracer_that_fails_breaks_nothing(monkeypatch, caplog):
    def fails(*_):
        raise RuntimeError("hunter2")

    monkeypatch.setattr(trace, "get_tracer", fails)
    assert fp.ContextPacker().pack("tides", TEXTS, 20).text
    assert "RuntimeError" in caplog.text and "hunter2" not in caplog.text


def test_the_log_has_sizes_and_no_texts(caplog):
    with caplog.at_level(logging.DEBUG, "fieldpack"):
        result = fp.ContextPacker().pack("what causes tides", TEXTS, 20)
    assert f"tokens={result.tokens}" in caplog.text and "segments=3" in caplog.text
    assert "tides" not in caplog.text and "Moon" not in caplog.text


def test_nobody_watches_by_default():
    code = """
import json, sys, fieldpack as fp
fp.ContextPacker().pack("tides", ["Tides are caused by the Moon."], 20)
print(json.dumps([m for m in sys.modules if m.startswith("opentelemetry")]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (json.loads(done.stdout), done.stderr) == ([], "")


def test_what_is_observed_comes_back_as_it_is(spans):
    result = fp.ContextPacker().pack("tides", TEXTS, 20)
    assert observed(result) is result
