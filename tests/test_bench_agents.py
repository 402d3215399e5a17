"""The scripted model and the choice of cases of the recorded agent runs."""

import importlib.util
import sys
from pathlib import Path

import pytest
from agent_contract import frameworks

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def agent_runs(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.delitem(sys.modules, "tools", raising=False)
    spec = importlib.util.spec_from_file_location("agent_runs", BENCHMARKS / "agent_runs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("tools", None)


def script(wanted):
    return frameworks.Script({"q": wanted}, str)


def test_the_model_answers_only_where_every_fact_was_shown():
    assert script(["a", "b"]).next([("user", "q"), ("tool", "a"), ("tool", "b")]).say == "a; b"
    assert script(["a", "b"]).next([("user", "q"), ("tool", "a"), ("tool", "c")]).say == "not found"


def test_facts_of_an_earlier_question_do_not_count():
    step = script(["a"]).next([("user", "other"), ("tool", "a"), ("user", "q")])
    assert step.tool == "read"


def test_it_asks_expand_once_and_only_with_an_id():
    asked = script(["zebra"]).next([("user", "q"), ("tool", "b, expand id=0a1b2c3d4e")])
    assert (asked.tool, asked.arguments) == ("expand", {"id": "0a1b2c3d4e", "query": "q"})
    assert script(["zebra"]).next([("user", "q"), ("tool", "b, expand id=0a"), ("tool", "c")]).say == "not found"


def test_no_two_cases_have_the_same_question(agent_runs):
    cases = [{"kind": k, "query": q} for k, q in (("log", "1"), ("log", "2"), ("log", "3"), ("csv", "1"), ("csv", "4"))]
    assert [c["query"] for c in agent_runs.chosen(cases, 2)] == ["1", "2", "4"]


def test_the_runs_are_compared_in_an_installed_framework(agent_runs):
    framework = next((n for n, module in agent_runs.NEEDS.items() if agent_runs.is_installed(module)), None)
    if framework is None:
        pytest.skip("no agent framework is installed")
    text = "\n".join(f"job {i} {'failed: disk full' if i == 413 else 'finished'} in {i % 97} s" for i in range(600))
    case = {"id": "1", "kind": "log", "query": "Why did job 413 fail?", "facts": ["disk full"], "text": text}
    result = agent_runs.compared(framework, [case], [200])
    whole, after = result["whole"], result["budgets"]["200"]
    assert whole["answers"] == after["answers"] == after["same_answers"] == 1
    assert after["tokens"] < whole["tokens"] / 10 and after["same_prefix"] and whole["requests"] == 2
    assert "| 200 | 1 of 1 | 2 |" in agent_runs.table({"questions": 1, "frameworks": {framework: result}})
