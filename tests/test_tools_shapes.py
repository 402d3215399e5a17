"""The shapes of MCP, OpenAI and Anthropic: the same shape comes out, and other blocks are untouched."""

import json

import pytest

from fieldpack.tools import trim

LOG = "\n".join(f"order {i} was paid by card {i * 7}" for i in range(400))
ROWS = [{"id": i, "card": i * 7} for i in range(400)]
IMAGE = {"type": "image", "source": {"type": "base64", "data": "AAAA"}}
ASK = {"question": "order 171", "budget": 120}


def text_block(text, kind="text"):
    return {"type": kind, "text": text}


@pytest.mark.parametrize(
    ("output", "path"),
    [
        (LOG, ()),
        (text_block(LOG), ("text",)),
        ([text_block(LOG), IMAGE], (0, "text")),
        ({"role": "tool", "tool_call_id": "1", "content": LOG}, ("content",)),
        ({"role": "tool", "tool_call_id": "1", "content": [text_block(LOG)]}, ("content", 0, "text")),
        ({"type": "function_call_output", "call_id": "1", "output": LOG}, ("output",)),
        (
            {"type": "function_call_output", "call_id": "1", "output": [text_block(LOG, "input_text")]},
            ("output", 0, "text"),
        ),
        ({"type": "tool_result", "tool_use_id": "1", "content": LOG}, ("content",)),
        ({"type": "tool_result", "tool_use_id": "1", "content": [text_block(LOG), IMAGE]}, ("content", 0, "text")),
        ({"content": [text_block(LOG)], "isError": False}, ("content", 0, "text")),
        ([{"type": "resource", "resource": {"uri": "file:///a", "text": LOG}}], (0, "resource", "text")),
        ({"path": "a.log", "content": LOG}, ("content",)),
        (json.dumps({"stdout": LOG, "exit_code": 0}), None),
    ],
)
def test_the_same_shape_comes_out(output, path):
    before = json.dumps(output)
    t = trim(output, **ASK)
    assert json.dumps(output) == before  # what came in is not written to
    assert t.cut
    if path is None:
        value = json.loads(t.output)
        assert value["exit_code"] == 0
        shown = value["stdout"]
    else:
        shown = t.output
        for step in path:
            shown = shown[step]
        assert _without(t.output, path) == _without(output, path)
    assert shown.startswith("[kept ")
    assert "order 171 was paid by card 1197" in shown


def _without(value, path):
    """The value with nothing at the path."""
    if not path:
        return None
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = _without(copy[path[0]], path[1:])
    return copy


def test_what_an_mcp_result_says_twice_is_cut_alike():
    result = {"content": [text_block(json.dumps(ROWS))], "structuredContent": {"result": json.dumps(ROWS)}}
    out = trim(result, question="id 171", budget=200).output
    assert out["structuredContent"]["result"] == out["content"][0]["text"]
    same = {"content": [text_block(json.dumps({"rows": ROWS}))], "structuredContent": {"rows": ROWS}, "isError": False}
    out = trim(same, question="id 171", budget=200).output
    assert json.loads(out["content"][0]["text"]) == out["structuredContent"]
    assert {"id": 171, "card": 1197} in out["structuredContent"]["rows"]


def test_objects_of_the_mcp_library():
    types = pytest.importorskip("mcp.types")
    result = types.CallToolResult(content=[types.TextContent(type="text", text=LOG)])
    out = trim(result, **ASK).output
    assert type(out) is type(result)
    assert "order 171 was" in out.content[0].text
    assert result.content[0].text == LOG
    blocks = trim(result.content, **ASK).output
    assert isinstance(blocks[0], types.TextContent)


def test_an_object_of_langchain():
    messages = pytest.importorskip("langchain_core.messages")
    message = messages.ToolMessage(content=LOG, tool_call_id="7", name="orders")
    out = trim(message, **ASK).output
    assert out.tool_call_id == "7"
    assert "order 171 was" in out.content
    assert message.content == LOG


def test_several_texts_share_the_budget():
    blocks = [text_block("short and kept"), text_block(LOG), text_block(LOG.replace("order", "invoice"))]
    t = trim(blocks, question="order 171 and invoice 171", budget=260)
    assert t.output[0] == blocks[0]
    assert "order 171 was" in t.output[1]["text"]
    assert "invoice 171 was" in t.output[2]["text"]
    assert t.tokens_after <= 260
