"""`fieldpack mcp --wrap`: by the real client, before real servers, over stdio and HTTP."""

import asyncio
import contextlib
import functools
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp.types import CreateMessageResult, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse, TextContent
from wrapped_server import LOG, PAGE, PIXELS

from fieldpack.cli.app import run as command
from fieldpack.errors import InputError
from fieldpack.mcp import wrap
from fieldpack.mcp.headers import HeaderStamp
from fieldpack.mcp.relay import headers_of
from fieldpack.mcp.results import ResultTrimmer
from fieldpack.tools import ToolTrimmer

SERVER = str(Path(__file__).with_name("wrapped_server.py"))
SOURCE = str(Path(__file__).parent.parent / "src")
SMALL = ("--budget", "200", "--threshold", "300")


def wrapped(*options, command=(sys.executable, SERVER), **more):
    """A client of the relay before a command or, with a URL in options, before none."""
    arguments = ["-m", "fieldpack", "mcp", *SMALL, *options, *(("--wrap", *command) if command else ())]
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    return Client(StdioServerParameters(command=sys.executable, args=arguments, env=environment), **more)


def run(work, *options, **more):
    async def go():
        async with wrapped(*options, **more) as client:
            return await work(client)

    return asyncio.run(asyncio.wait_for(go(), 90))


class Relay:
    """A client of a relay that stays, in a loop of its own: tests that change nothing in it share it."""

    def __init__(self, *options, **more):
        self._loop, ready = asyncio.new_event_loop(), threading.Event()

        async def serve():
            self._over = asyncio.Event()
            try:
                async with wrapped(*options, **more) as self._client:
                    ready.set()
                    await self._over.wait()
            finally:
                ready.set()

        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(serve(),))
        self._thread.start()
        ready.wait(90)

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work(self._client), 90), self._loop).result()

    def close(self):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)


@pytest.fixture(scope="module")
def relay():
    """The relay of some options; the same for all tests that name the same."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def of(*options, mode="auto"):
            more = {"sampling_callback": sampled} if mode == "legacy" else {}
            return stack.enter_context(contextlib.closing(Relay(*options, mode=mode, **more)))

        yield of


async def sampled(context, params):
    assert params.messages[0].content.text == "say a word"
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text="tide"), model="m")


def text_of(answer):
    return "\n".join(block.text for block in answer.content if block.type == "text")


@pytest.fixture(scope="module")
def over_http():
    """The server on a port: the option that wraps it."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, SERVER, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}/mcp"
    try:
        for _ in range(200):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(url, timeout=5)
                break
            time.sleep(0.1)
        yield ("--wrap-url", url)
    finally:
        process.kill()
        process.wait()


async def everything(client):
    """What every way to a server has to pass on or trim."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert {"read_file", "records", "expand"} <= set(tools) and tools["read_file"].description == "Reads a file."
    log = await client.call_tool("read_file", {"path": "/var/log/worker-3-disk-full.log"})
    shown = text_of(log)
    assert len(shown) < len(LOG) / 5 and "left out" in shown and "expand id=" in shown and not log.is_error
    name = shown.split("expand id=")[1].split("]")[0].split()[0]
    rest = text_of(await client.call_tool("expand", {"id": name, "query": "which disk is full", "range": ""}))
    assert "the disk of worker 3 is full" in rest
    lines = text_of(await client.call_tool("expand", {"id": name, "range": "2-3"}))
    assert lines == "\n".join(LOG.split("\n")[1:3])
    unknown = text_of(await client.call_tool("expand", {"id": "0000"}))
    assert "no output with the id" in unknown
    assert text_of(await client.call_tool("short", {})) == "42 files"
    huge = text_of(await client.call_tool("huge", {}))
    assert len(huge) < len(LOG) / 5 and "of 60,100 lines" in huge
    picture = await client.call_tool("picture", {})
    assert picture.content[0].data == PIXELS and "left out" in picture.content[1].text and picture.meta["shutter"] == 3
    resource = await client.read_resource("notes://all")
    assert resource.contents[0].text == LOG, "resources pass whole"
    assert (await client.read_resource("notes://one")).contents[0].text == "note one"
    assert [t.uri_template for t in (await client.list_resource_templates()).resource_templates] == ["notes://{name}"]
    prompt = await client.get_prompt("review", {"code": "x = 1"})
    assert prompt.messages[0].content.text == "review x = 1"
    steps = []

    async def progress(done, total, message):
        steps.append((done, total, message))

    assert text_of(await client.call_tool("slow", {}, progress_callback=progress)) == "done"
    assert [s[0] for s in steps] == [1, 2, 3] and steps[0][2] == "step 1"
    missing = await client.call_tool("no_such_tool", {})
    assert missing.is_error


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_everything_passes_before_a_command(relay, mode):
    relay(mode=mode).run(everything)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_everything_passes_before_a_url(over_http, mode):
    run(everything, *over_http, command=(), mode=mode)


OTHERWISE = ("--ask", "--handle", "more_of_it")


def test_a_question_in_the_metadata_or_in_the_argument_that_is_offered_decides(relay):
    async def work(client):
        plain = text_of(await client.call_tool("read_file", {"path": "x"}))
        for key in ("question", "_question"):
            hint = await client.call_tool("read_file", {"path": "x"}, meta={key: "which disk is full"})
            assert "the disk of worker 3 is full" in text_of(hint)
        (tool,) = [t for t in (await client.list_tools()).tools if t.name == "read_file"]
        assert "_question" in tool.input_schema["properties"] and tool.input_schema["required"] == ["path"]
        asked = await client.call_tool("read_file", {"path": "x", "_question": "which disk is full"})
        assert "the disk of worker 3 is full" in text_of(asked), "the server never saw the argument"
        return plain

    assert len(relay(*OTHERWISE).run(work)) < len(LOG) / 5


def test_text_and_structured_content_are_trimmed_alike(relay):
    async def work(client):
        await client.list_tools()
        page = await client.call_tool("fetch", {"url": "http://tides"}, meta={"question": "what causes tides"})
        assert page.structured_content == {"result": text_of(page)} and len(text_of(page)) < len(PAGE) / 5
        assert "gravity of the Moon" in text_of(page)
        found = await client.call_tool("records", {"month": "May"}, meta={"question": "refunds in May"})
        structured = json.dumps(found.structured_content)
        assert len(structured) < 3_000 and '"May"' in structured and "left out" in structured
        return found

    relay().run(work)


def test_a_tool_that_fails_keeps_its_errors(relay):
    async def work(client):
        answer = await client.call_tool("fail", {})
        assert answer.is_error and "no space left on device" in text_of(answer) and "exit code 1" in text_of(answer)
        assert len(text_of(answer)) < len(LOG) / 3

    relay().run(work)


def test_the_server_may_ask_the_hosts_model(relay):
    async def work(client):
        assert text_of(await client.call_tool("ask_model", {})) == "the model said tide"

    relay(mode="legacy").run(work)


def test_a_shadow_changes_nothing():
    async def work(client):
        assert text_of(await client.call_tool("read_file", {"path": "x"})) == LOG

    run(work, "--shadow")


def test_another_name_for_expand(relay):
    async def work(client):
        assert {"more_of_it"} <= {t.name for t in (await client.list_tools()).tools}
        shown = text_of(await client.call_tool("read_file", {"path": "x"}))
        name = shown.split("more_of_it id=")[1].split("]")[0].split()[0]
        assert text_of(await client.call_tool("more_of_it", {"id": name, "range": "1"})) == LOG.split("\n")[0]

    relay(*OTHERWISE).run(work)


def test_a_server_that_crashes_ends_the_relay_and_answers_who_waits():
    async def work(client):
        assert text_of(await client.call_tool("short", {})) == "42 files"
        with pytest.raises(MCPError, match="ended"):
            await client.call_tool("crash", {})

    run(work)


def test_a_server_that_is_not_there_is_an_error_in_a_line(tmp_path):
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    asking = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
    closed = "http://127.0.0.1:9/mcp"
    for arguments in (("--wrap", str(tmp_path / "nothing")), ("--wrap-url", closed)):
        done = subprocess.run(
            [sys.executable, "-m", "fieldpack", "mcp", *arguments],
            input=json.dumps(asking) + "\n",
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
        )
        assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
        assert "wrapped server" in done.stderr.strip().split("\n")[-1]
        reply = json.loads(done.stdout)
        assert reply["id"] == 1 and "wrapped server" in reply["error"]["message"]


def test_a_host_that_leaves_ends_the_relay_and_the_server():
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    done = subprocess.run(
        [sys.executable, "-m", "fieldpack", "mcp", "--wrap", sys.executable, SERVER],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert done.returncode == 0 and done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--wrap"],
        ["ls"],
        ["--wrap", "--wrap-url", "http://x/mcp", "ls"],
        ["--wrap-url", "ftp://x"],
        ["--wrap", "--root", ".", "ls"],
        ["--wrap", "--transport", "http", "ls"],
        ["--wrap-url", "http://x/mcp", "--header", "no colon"],
        ["--wrap", "--budget", "3", "ls"],
    ],
)
def test_options_that_do_not_fit_are_said(arguments, capsys):
    assert command(["mcp", *arguments]) == 2
    assert capsys.readouterr().err.startswith("fieldpack: ")


def test_headers_are_read_and_wrap_wants_one_server():
    assert headers_of(["Authorization: Bearer a:b", "X-Y:z"]) == {"Authorization": "Bearer a:b", "X-Y": "z"}
    with pytest.raises(InputError, match="one of both"):
        wrap()


def request(method, params, id=1):
    return JSONRPCRequest(jsonrpc="2.0", id=id, method=method, params=params)


def response(result, id=1):
    return JSONRPCResponse(jsonrpc="2.0", id=id, result=result)


def answered(trimmer, asked, result):
    trimmer.to_server(asked)
    return asyncio.run(trimmer.to_host(response(result, asked.id))).result


def test_what_is_no_result_of_a_tool_passes():
    trimmer = ResultTrimmer(ToolTrimmer(budget=200))
    long = {"contents": [{"uri": "a:", "text": LOG}]}
    assert answered(trimmer, request("resources/read", {"uri": "a:"}), long) == long
    back = {"resultType": "input_required", "inputRequests": {"a": {"method": "elicitation/create"}}}
    assert answered(trimmer, request("tools/call", {"name": "t"}), back) == back
    for strange in ({"content": LOG}, {"content": None}, {"content": [3, None]}, {"content": [{"type": "later"}]}):
        assert answered(trimmer, request("tools/call", {"name": "t"}), strange) == strange
    unasked = response({"content": [{"type": "text", "text": LOG}]}, 99)
    assert asyncio.run(trimmer.to_host(unasked)) is unasked


def test_a_result_keeps_its_members_and_gets_no_new_ones():
    trimmer = ResultTrimmer(ToolTrimmer(budget=200))
    result = {"content": [{"type": "text", "text": LOG, "annotations": {"priority": 1}}], "_meta": {"a": 1}, "later": 2}
    found = answered(trimmer, request("tools/call", {"name": "t", "arguments": {"q": "disk"}}), result)
    assert set(found) == set(result) and found["later"] == 2 and found["_meta"] == {"a": 1}
    assert found["content"][0]["annotations"] == {"priority": 1} and "left out" in found["content"][0]["text"]


def block(text):
    return {"type": "text", "text": text}


def test_a_list_in_a_block_for_each_item_is_cut_as_a_list():
    trimmer = ResultTrimmer(ToolTrimmer(budget=200))
    items = [{"id": k, "month": "May" if k % 50 == 0 else "June"} for k in range(300)]
    contents = [block(json.dumps(i, indent=2)) for i in items]
    asked = request("tools/call", {"name": "t", "_meta": {"question": "orders in May"}})
    for more in ({}, {"structuredContent": {"result": items}, "isError": False}):
        found = answered(trimmer, asked, {"content": contents, **more})
        kept = [json.loads(b["text"]) for b in found["content"]]
        assert found.keys() == {"content", *more} and 2 < len(kept) < 40 and "left out" in kept[-1]["_fieldpack"]
        assert all(b in contents for b in found["content"][:-1]) and {"id": 50, "month": "May"} in kept
        assert not more or found["structuredContent"]["result"] == kept
    lines = [block(line) for line in LOG.split("\n")]
    found = answered(
        trimmer, request("tools/call", {"name": "t", "_meta": {"question": "disk full"}}), {"content": lines}
    )
    assert len(found["content"]) == 1 and "the disk of worker 3 is full" in found["content"][0]["text"]


def test_a_cancelled_call_and_a_server_that_ended_leave_nothing_waiting():
    trimmer = ResultTrimmer(ToolTrimmer(budget=200))
    for name in (1, "1", 2):
        trimmer.to_server(request("tools/call", {"name": "t"}, name))
    trimmer.to_server(JSONRPCNotification(jsonrpc="2.0", method="notifications/cancelled", params={"requestId": 2}))
    assert [error.id for error in trimmer.unanswered("ended")] == [1, "1"] and trimmer.unanswered("ended") == []


def test_a_server_with_an_expand_of_its_own_keeps_it():
    trimmer = ResultTrimmer(ToolTrimmer(budget=200))
    own = request("tools/call", {"name": "expand", "arguments": {}})
    assert trimmer.is_expand(own)
    listed = answered(trimmer, request("tools/list", {}), {"tools": [{"name": "expand", "inputSchema": {}}]})
    assert len(listed["tools"]) == 1 and not trimmer.is_expand(own)


def test_expand_stands_on_the_last_page_alone_and_schemas_that_a_cut_breaks_are_taken_out():
    trimmer = ResultTrimmer(ToolTrimmer(budget=200))
    text = {"type": "object", "properties": {"result": {"type": "string"}}, "required": ["result"]}
    rows = {"type": "object", "properties": {"result": {"type": "array"}}}
    tools = [{"name": "a", "outputSchema": text}, {"name": "b", "outputSchema": rows}]
    page = answered(trimmer, request("tools/list", {}), {"tools": tools, "nextCursor": "2"})
    assert [t["name"] for t in page["tools"]] == ["a", "b"]
    assert page["tools"][0]["outputSchema"] == text and "outputSchema" not in page["tools"][1]
    last = answered(trimmer, request("tools/list", {"cursor": "2"}), {"tools": []})
    assert [t["name"] for t in last["tools"]] == ["expand"]


def test_http_headers_are_those_that_the_sdks_session_sets():
    stamp = HeaderStamp()
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    listing = request("tools/list", {"_meta": meta}, 5)
    assert stamp.metadata(listing).headers["mcp-method"] == "tools/list"
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
    stamp.read(response({"tools": [{"name": "t", "inputSchema": schema}]}, 5))
    call = request("tools/call", {"name": "t", "arguments": {"region": "eu"}, "_meta": meta})
    headers = stamp.metadata(call).headers
    assert headers["mcp-name"] == "t" and headers["Mcp-Param-Region"] == "eu"
    assert headers["mcp-protocol-version"] == "2026-07-28"
    older = HeaderStamp()
    assert older.metadata(request("initialize", {})) is None and older.metadata(request("ping", {}, 2)) is None
    older.read(response({"protocolVersion": "2025-11-25"}))
    assert older.metadata(request("ping", {}, 3)).headers == {"mcp-protocol-version": "2025-11-25"}


def test_the_configurations_in_the_guide_are_read():
    page = (Path(SOURCE).parent / "docs" / "tools.md").read_text("utf-8")
    shown = [json.loads(found) for found in re.findall(r"```json\n(.*?)```", page, re.DOTALL) if "mcpServers" in found]
    arguments = [entry["args"] for config in shown for entry in config["mcpServers"].values()]
    command, url = arguments
    assert url[-4:][0] == "--wrap-url" and headers_of([url[-1]])
    start = command.index("--wrap")

    async def work(client):
        assert "expand" in {tool.name for tool in (await client.list_tools()).tools}

    run(work, *command[1:start])
