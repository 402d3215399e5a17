"""What tool trimming does in an agent of any framework: a conversation with a scripted model, whole and trimmed."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from fieldpack.tools import MemoryStore, SqliteStore, ToolTrimmer

_FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "agent_frameworks.py"
_SPEC = importlib.util.spec_from_file_location("agent_frameworks", _FILE)
frameworks = importlib.util.module_from_spec(_SPEC)
sys.modules["agent_frameworks"] = frameworks  # dataclasses look their module up
_SPEC.loader.exec_module(frameworks)

WANTED = {"Why did job 413 fail?": r"job 413 f[^\n]*s\b", "How long did job 500 take?": r"job 500 f[^\n]*s\b"}
ROWS = [
    f"2026-05-{1 + i % 28:02d} job {i} {'finished' if i % 7 else 'failed: disk full'} in {i * 3 % 97} s"
    for i in range(400)
] + [f"2026-05-29 job {i} {'finished' if i % 7 else 'failed: disk full'} in {i * 3 % 97} s" for i in range(400, 600)]
LOG = "\n".join(ROWS)
BOTH = pytest.mark.parametrize("asynchronous", [True, False])


class BrokenPacker:
    """Everything about it raises."""

    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")


def raising(_request):
    raise RuntimeError("no question")


def tools_of(request):
    return [text for role, text in request if role == "tool"]


def characters(script):
    return sum(len(text) for request in script.requests for _, text in request)


class AgentContract:
    """Subclassed by the tests of each framework."""

    framework = ""

    def talk(self, trimming, questions=tuple(WANTED), read=lambda source: LOG, asynchronous=True, **more):
        script = frameworks.Script(more.pop("wanted", WANTED), read, **more)
        script.adapter = frameworks.RUNS[self.framework](script, questions, trimming, asynchronous)
        return script

    @BOTH
    def test_the_answers_are_those_of_whole_outputs_and_the_requests_are_small(self, asynchronous):
        whole = self.talk(None, asynchronous=asynchronous)
        script = self.talk({"trimmer": {"budget": 200}}, asynchronous=asynchronous)
        assert script.answers == whole.answers and "not found" not in whole.answers
        assert len(script.requests) == len(whole.requests) == 4
        assert characters(script) < characters(whole) / 20
        assert all("left out" in text for text in tools_of(script.requests[-1]))
        assert script.adapter.savings.trimmed == 2 and script.adapter.savings.failed == 0

    @BOTH
    def test_a_longer_history_begins_with_the_bytes_that_were_sent_before(self, asynchronous):
        questions = [*WANTED, *WANTED]
        script = self.talk({"trimmer": {"budget": 200}}, questions, asynchronous=asynchronous)
        for earlier, later in zip(script.requests, script.requests[1:], strict=False):
            assert later[: len(earlier)] == earlier

    @BOTH
    def test_shadow_reports_and_changes_nothing(self, asynchronous):
        whole = self.talk(None, asynchronous=asynchronous)
        script = self.talk({"trimmer": {"budget": 200, "shadow": True}}, asynchronous=asynchronous)
        assert script.requests == whole.requests
        trimmed = self.talk({"trimmer": {"budget": 200}}, asynchronous=asynchronous)
        assert script.adapter.savings.saved == trimmed.adapter.savings.saved > 0

    @BOTH
    @pytest.mark.parametrize(
        "trimming",
        [
            lambda: {"question": raising},
            lambda: {"conversation": raising},
            lambda: {"trimmer": ToolTrimmer(packer=BrokenPacker())},
            lambda: {"trimmer": {"time_limit": 0.0}},
            lambda: {"skip": ["read"]},
        ],
    )
    def test_whatever_goes_wrong_or_is_skipped_goes_out_whole(self, trimming, asynchronous):
        whole = self.talk(None, asynchronous=asynchronous)
        assert self.talk(trimming(), asynchronous=asynchronous).requests == whole.requests

    def test_small_outputs_are_not_touched(self):
        script = self.talk({}, read=lambda source: "job 413 failed: disk full in 2 s\njob 500 finished in 1 s")
        assert tools_of(script.requests[-1]) == ["job 413 failed: disk full in 2 s\njob 500 finished in 1 s"] * 2

    @BOTH
    def test_the_model_asks_expand_for_what_was_left_out(self, asynchronous):
        question = "Why did job 413 fail?"
        more = {"wanted": {question: r"job 77 f[^\n]*s\b"}, "queries": {question: "job 77"}}
        script = self.talk({"trimmer": {"budget": 120}}, [question], asynchronous=asynchronous, **more)
        assert script.answers == ["job 77 failed: disk full in 37 s"]
        assert len(script.requests) == 3 and script.adapter.savings.expanded == 1
        assert script.adapter.savings.outputs - script.adapter.savings.replayed == 1, (
            "the answer of expand is no output"
        )

    def test_without_a_store_the_notice_names_no_id(self):
        script = self.talk({"trimmer": {"budget": 200, "store": None}}, [*WANTED, *WANTED])
        shown = tools_of(script.requests[-1])
        assert all("left out" in text and "id=" not in text for text in shown)
        for earlier, later in zip(script.requests, script.requests[1:], strict=False):
            assert later[: len(earlier)] == earlier

    def test_a_question_of_ones_own_comes_before_the_users(self):
        script = self.talk({"trimmer": {"budget": 200}, "question": lambda request: "job 77"}, list(WANTED)[:1])
        assert any("job 77 failed" in text for text in tools_of(script.requests[1]))

    def test_one_store_serves_many_agents(self, tmp_path):
        store = SqliteStore(tmp_path / "tools.db")
        first = self.talk({"trimmer": {"budget": 200, "store": store}})
        again = self.talk({"trimmer": {"budget": 200, "store": store}})
        assert first.requests == again.requests
        assert self.talk({"trimmer": {"budget": 200, "store": MemoryStore()}}).requests == first.requests


def rows_of_values(count=300):
    """A JSON value as a tool gives it."""
    return {"rows": [{"job": i, "state": "failed" if i % 7 == 0 else "finished"} for i in range(count)]}


def check_value(text):
    """A trimmed JSON value is JSON, with fewer rows."""
    value = json.loads(text)
    assert 0 < len(value["rows"]) < 300 and "left out" in text
