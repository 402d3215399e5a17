"""The verbs for agents: a pipe, what was left out, and hooks that never stop an agent."""

import json
import subprocess
import sys

import pytest

from fieldpack.tools.piped import piped

LOG = "\n".join(f"order {i} was paid by card {i * 7}" for i in range(3_000)) + "\n"


def fieldpack(*arguments, stdin=""):
    done = subprocess.run(
        [sys.executable, "-m", "fieldpack", *arguments], input=stdin, capture_output=True, text=True, timeout=120
    )
    return done


def test_a_pipe_is_trimmed_and_the_rest_comes_back(tmp_path):
    store = str(tmp_path / "s.db")
    done = fieldpack("trim", "-q", "order 171", "-b", "120", "--store", store, stdin=LOG)
    assert done.returncode == 0
    assert "order 171 was paid by card 1197" in done.stdout
    name = done.stdout.partition("id=")[2].partition("]")[0]
    rest = fieldpack("expand", name, "--store", store, "--range", "5-6")
    assert rest.stdout == "order 4 was paid by card 28\norder 5 was paid by card 35\n"
    missing = fieldpack("expand", name, "--store", str(tmp_path / "other.db"))
    assert missing.returncode == 2
    assert not (tmp_path / "other.db").exists()


def test_a_pipe_fits_whatever_its_length():
    lines = [f"order {i} was paid by card {i * 7}" for i in range(60_000)]
    chunks = ("\n".join(lines[i : i + 100]) + "\n" for i in range(0, len(lines), 100))
    held = piped(chunks, "order 31717", hold=200_000)
    assert len(held.text) <= 210_000
    assert held.lines == 60_000
    assert held.lines - held.let_go == held.text.count("\n")
    assert lines[31717] in held.text
    assert held.text.startswith(lines[0])
    assert held.text.endswith(lines[-1] + "\n")
    numbers = [int(line.split()[1]) for line in held.text.splitlines()]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_short_pipe_is_held_whole(size):
    text = LOG[:5_000] + "no break at the end"
    held = piped((text[i : i + size] for i in range(0, len(text), size)), "order")
    assert held.text == text
    assert held.let_go == 0


def event(**more):
    return json.dumps({"hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_input": {"command": "cat"}, **more})


def transcript(tmp_path):
    path = tmp_path / "talk.jsonl"
    rows = [
        {"type": "user", "message": {"role": "user", "content": "something older"}},
        {"type": "user", "message": {"role": "user", "content": [{"type": "text", "text": "who paid order 171?"}]}},
        {"type": "user", "message": {"role": "user", "content": [{"type": "tool_result", "content": "order 5"}]}},
        {"type": "assistant", "message": {"role": "assistant", "content": "I look."}},
    ]
    path.write_text("\n".join(json.dumps(r) for r in rows), "utf-8")
    return str(path)


def hook(stdin, *more):
    done = fieldpack("hook", "post-tool-use", "-b", "150", "--threshold", "200", *more, stdin=stdin)
    assert done.returncode == 0
    return json.loads(done.stdout)


def test_a_hook_answers_in_the_shape_of_the_tool(tmp_path):
    response = {"stdout": LOG, "stderr": "", "interrupted": False, "isImage": False}
    out = hook(event(transcript_path=transcript(tmp_path), tool_response=response))["hookSpecificOutput"]
    assert out["hookEventName"] == "PostToolUse"
    new = out["updatedToolOutput"]
    assert "order 171 was paid by card 1197" in new["stdout"]
    assert {**new, "stdout": ""} == {**response, "stdout": ""}


@pytest.mark.parametrize(
    "stdin",
    [
        *("", "no JSON", "[]", "{}", "3", event(), event(tool_response="short")),
        event(tool_response={"a": [1, 2]}, tool_name=3),
        event(transcript_path="/nowhere", tool_response={"stdout": LOG[:300]}),
        '{"hook_event_name": "Stop"}',
    ],
)
def test_a_hook_with_nothing_to_say_says_so(stdin):
    assert hook(stdin) == {}


def test_other_agents_are_answered_in_their_forms(tmp_path):
    from fieldpack.tools import ToolTrimmer
    from fieldpack.tools.hooks import answer

    trimmer = ToolTrimmer(budget=150)

    def trim(output, question, call, session):
        return trimmer.trim(output, question=question, call=call)

    ask = {"transcript_path": transcript(tmp_path)}
    gemini = {**ask, "hook_event_name": "AfterTool", "tool_name": "read_file", "tool_response": {"llmContent": LOG}}
    replaced = answer(gemini, trim)
    assert replaced["decision"] == "deny" and "order 171 was" in replaced["reason"]
    parts = {**gemini, "tool_response": {"llmContent": [{"text": LOG}], "returnDisplay": LOG}}
    assert answer(parts, trim)["reason"] == replaced["reason"]
    for other in ({"llmContent": [{"text": LOG}, {"inlineData": {}}]}, {"llmContent": LOG, "error": {"message": "no"}}):
        assert answer({**gemini, "tool_response": other}, trim) == {}
    assert answer({**gemini, "hook_event_name": "PostToolUseFailure"}, trim) == {}
    codex = {**ask, "hook_event_name": "PostToolUse", "turn_id": "1", "tool_name": "Bash", "tool_response": LOG}
    replaced = answer(codex, trim)
    assert set(replaced) == {"decision", "reason"} and replaced["decision"] == "block"
    assert "order 171 was" in replaced["reason"]
    copilot = {"toolName": "bash", "toolArgs": "{}", "toolResult": {"resultType": "success", "textResultForLlm": LOG}}
    out = answer(copilot, trim, "order 171")["modifiedResult"]
    assert out["resultType"] == "success"
    assert "order 171 was" in out["textResultForLlm"]
    mcp = {**ask, "hook_event_name": "PostToolUse", "tool_name": "mcp__shop__orders"}
    blocks = [{"type": "text", "text": LOG}]
    out = answer({**mcp, "tool_response": blocks}, trim)["hookSpecificOutput"]
    assert out["updatedMCPToolOutput"] == out["updatedToolOutput"]
    assert "order 171 was" in out["updatedToolOutput"][0]["text"]
    cursor = {"hook_event_name": "postToolUse", "tool_name": "MCP:orders", "tool_output": LOG}
    assert "order 171 was" in answer(cursor, trim, "order 171")["updated_mcp_tool_output"]


def test_a_failed_command_keeps_its_errors_in_a_hook():
    lines = LOG.splitlines()
    lines[50] = "OSError: [Errno 28] no space left on device"
    out = hook(event(tool_response={"stdout": "\n".join(lines), "exit_code": 1}), "-q", "order 171")
    assert "OSError: [Errno 28]" in out["hookSpecificOutput"]["updatedToolOutput"]["stdout"]
