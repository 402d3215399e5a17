"""The tools, by the real client: in process, over stdio, over streamable HTTP; and that they read nothing else."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import unicodedata

import httpx
import pytest
from mcp import Client, StdioServerParameters

from fieldpack.errors import InputError
from fieldpack.mcp import Roots, serve, server
from fieldpack.text.tokens import tokenizer

TIDES = "# Tides\n\nTides are caused by the gravity of the Moon.\n\nSpring tides come at full moon."
SECRET = "the secret outside"


@pytest.fixture
def place(tmp_path):
    """A root with a file, a folder, a hidden file and links out; and a secret beside it."""
    root = tmp_path / "root"
    (root / "notes").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text(SECRET, "utf-8")
    (tmp_path / "root-other").mkdir()
    (tmp_path / "root-other" / "near.txt").write_text(SECRET, "utf-8")
    (root / "tides.md").write_text(TIDES, "utf-8")
    (root / "notes" / "bread.txt").write_text("Bread needs a starter of flour and water.", "utf-8")
    (root / "notes" / "blob.bin").write_bytes(b"\0\1\2")
    (root / ".env").write_text(SECRET, "utf-8")
    (root / "link.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root / "loop")
    (root / "good.md").symlink_to(root / "tides.md")
    return root


def called(roots, tool, arguments):
    async def go():
        async with Client(server(roots)) as client:
            return await client.call_tool(tool, arguments)

    return asyncio.run(go())


def said(answer):
    return " ".join(block.text for block in answer.content)


OUTSIDE = [
    "../outside/secret.txt",
    "notes/../../outside/secret.txt",
    "link.txt",
    "linked",
    "linked/secret.txt",
    "../root-other/near.txt",
    ".env",
    "loop",
    "nowhere.txt",
    "/etc/passwd",
    "/etc",
    "..",
    "",
    "a\0b",
    "file:///etc/passwd",
    "~",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_a_root_is_read(place, path):
    for given in (path, os.path.join(place, path) if path else " "):
        if "\0" not in given and given.startswith("/etc") and path[:1] != "/":
            continue
        answer = called(Roots([place]), "pack_context", {"query": "secret", "budget": 50, "paths": [given]})
        assert answer.is_error and answer.structured_content is None
        assert SECRET not in said(answer) and "root:" not in said(answer)


def test_what_is_outside_is_not_told_from_what_is_not_there(place):
    roots = Roots([place])
    for there, missing in (("../outside/secret.txt", "../outside/nothing.txt"), ("/etc/passwd", "/etc/nothing")):
        with pytest.raises(InputError) as one:
            roots.resolve(there)
        with pytest.raises(InputError) as other:
            roots.resolve(missing)
        assert str(one.value).replace(there, "") == str(other.value).replace(missing, "")


def test_a_folder_is_read_without_what_leads_out_of_it(place):
    documents, skipped = Roots([place]).read(["."])
    assert [d.id for d in documents] == ["./good.md", "./notes/bread.txt"] and documents[0].text == TIDES
    assert not any(SECRET in d.text for d in documents)
    assert any("link.txt: leads out" in line for line in skipped), skipped
    assert any("blob.bin" in line and "binary" in line for line in skipped), "what was not read is named"
    assert not any(str(place) in line for line in skipped), "the machine's paths stay here"


@pytest.mark.parametrize(("stored", "asked_for"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_name_is_found_in_either_spelling_of_its_letters(tmp_path, stored, asked_for):
    (tmp_path / unicodedata.normalize(stored, "Übersicht.md")).write_text("The depot opens at seven.")
    documents, _ = Roots([tmp_path]).read([unicodedata.normalize(asked_for, "Übersicht.md")])
    assert [d.text for d in documents] == ["The depot opens at seven."]


def swapped(target, others, stop):
    """Renames a file or folder back and forth with links that lead out, until it is told to stop."""
    spare = target.with_name("spare")
    while not stop.is_set():
        for other in others:
            spare.unlink(missing_ok=True)
            spare.symlink_to(other)
            kept = target.with_name("kept")
            os.rename(target, kept)
            os.rename(spare, target)
            os.unlink(target)
            os.rename(kept, target)


@pytest.mark.parametrize(
    ("name", "asked_for"), [("tides.md", "tides.md"), ("notes", "notes/bread.txt"), ("notes", ".")]
)
def test_a_swap_for_a_link_while_it_is_read_gives_nothing_from_outside(place, name, asked_for):
    (place.parent / "outside" / "bread.txt").write_text(SECRET, "utf-8")
    outside = place.parent / "outside"
    others = [outside / "secret.txt"] if name == "tides.md" else [outside]
    roots, stop = Roots([place]), threading.Event()
    swapping = threading.Thread(target=swapped, args=(place / name, others, stop))
    swapping.start()
    read = tries = 0
    try:
        while (tries < 300 or not read) and tries < 20_000:
            tries += 1
            try:
                documents, skipped = roots.read([asked_for])
            except InputError as error:
                assert SECRET not in str(error)
                continue
            read += 1
            assert not any(SECRET in d.text for d in documents)
            assert not any("secret.txt" in line for line in skipped), "not even names from outside"
    finally:
        stop.set()
        swapping.join()
    assert read, "some reads come through"


def test_a_link_put_in_place_after_the_check_is_not_followed(place, monkeypatch):
    resolve = Roots.resolve

    def then_swapped(self, path):
        checked = resolve(self, path)
        (place / "tides.md").unlink()
        (place / "tides.md").symlink_to(place.parent / "outside" / "secret.txt")
        return checked

    monkeypatch.setattr(Roots, "resolve", then_swapped)
    with pytest.raises(InputError, match="not a visible file"):
        Roots([place]).read(["tides.md"])


def test_a_pipe_and_a_device_are_no_files(place):
    os.mkfifo(place / "pipe.txt")
    with pytest.raises(InputError, match="no regular file"):
        Roots([place]).read(["pipe.txt"])
    documents, skipped = Roots([place]).read(["."])
    assert documents and any(line.startswith("./pipe.txt") for line in skipped)


def test_bounds_on_files_and_bytes(place):
    with pytest.raises(InputError, match="more than 1 files"):
        Roots([place], most_files=1).read(["."])
    with pytest.raises(InputError, match="10 bytes"):
        Roots([place], most_bytes=10).read(["tides.md"])


def test_without_roots_only_texts_are_taken(tmp_path):
    answer = called(Roots(()), "pack_context", {"query": "tides", "budget": 50, "paths": [str(tmp_path)]})
    assert answer.is_error and "--root" in said(answer)
    texts = [{"id": "a", "text": TIDES}]
    answer = called(Roots(()), "pack_context", {"query": "tides", "budget": 50, "documents": texts})
    assert "gravity of the Moon" in answer.structured_content["text"]
    with pytest.raises(InputError, match="no folder"):
        Roots([tmp_path / "nowhere"])


def test_a_pack_keeps_its_budget_and_says_its_reasons(place):
    answer = called(Roots([place]), "pack_context", {"query": "what causes tides", "budget": 30, "paths": ["tides.md"]})
    found = answer.structured_content
    assert not answer.is_error and found["text"] == answer.content[1].text
    assert tokenizer("o200k_base").count(found["text"]) == found["tokens"] <= 30
    for item in found["kept"]:
        assert TIDES[item["start"] : item["end"]] in found["text"] and item["reason"]
    assert found["dropped_count"] == len(found["dropped"])


def test_json_is_rendered_as_valid_json_with_counts():
    text = json.dumps({"boats": [{"name": f"boat{k}", "berth": 100 + k} for k in range(60)]})
    asked = {"query": "berth of boat41", "documents": [{"id": "a", "text": text}], "budget": 40, "cite": False}
    answer = called(Roots([]), "pack_context", asked | {"render": "json"})
    found = json.loads(answer.structured_content["text"])
    assert {"name": "boat41", "berth": 141} in found["boats"] and "of 60 elements" in found["boats"][-1]["…"]


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("pack_context", {"query": "q", "budget": 5}, "paths below a root"),
        ("pack_context", {"query": " ", "budget": 5, "documents": [{"id": "a", "text": "b"}]}, "query is empty"),
        ("pack_context", {"query": "q", "budget": 0, "documents": [{"id": "a", "text": "b"}]}, "greater than"),
        (
            "pack_context",
            {"query": "q", "budget": 9, "documents": [{"id": "a", "text": "b"}], "model": "/etc"},
            "static",
        ),
        (
            "pack_context",
            {"query": "q", "budget": 9, "documents": [{"id": "a", "text": "b"}], "model": "http://x"},
            "static",
        ),
        (
            "pack_context",
            {"query": "q", "budget": 1, "documents": [{"id": "a", "text": TIDES}], "pins": ["a"]},
            "budget",
        ),
        ("explore_field", {}, "nothing to read"),
        ("pack_context", {"query": "q", "budget": "9", "documents": [{"id": "a", "text": "b"}]}, "valid integer"),
        ("pack_context", {"query": "q", "budget": True, "documents": [{"id": "a", "text": "b"}]}, "valid integer"),
        ("pack_context", {"query": "q", "budget": 9, "documents": [{"id": "a", "text": "b"}], "cite": "no"}, "bool"),
        ("pack_context", {"query": "q", "budget": 9, "documents": [{"id": "a", "text": "b", "txt": "c"}]}, "Extra"),
        ("explore_field", {"documents": [{"id": "a", "text": "b"}], "limit": 3.0}, "valid integer"),
        ("plan_budget", {"window": 1000, "used": {"system": "5"}}, "valid integer"),
        ("plan_budget", {"window": 10**400}, "window"),
        ("plan_budget", {"window": "no-such-model"}, "no-such-model"),
        ("plan_budget", {"window": 1000, "preset": "pyramide"}, "pyramid"),
    ],
)
def test_what_is_wrong_is_said_to_the_model(tool, arguments, says):
    answer = called(Roots(()), tool, arguments)
    assert answer.is_error and says in said(answer) and "Traceback" not in said(answer)


def test_a_field_and_a_plan(place):
    found = called(Roots([place]), "explore_field", {"paths": ["."]}).structured_content
    assert found["documents"] == 2 and found["segments"] >= 3 and -1 <= found["resonance"] <= 1
    plan = called(Roots(()), "plan_budget", {"window": 8000, "preset": "pyramid", "used": {"system": 100}})
    assert sum(plan.structured_content["budgets"].values()) == 8000 and "system" in said(plan).lower()


def check_tools(listed):
    tools = {tool.name: tool for tool in listed.tools}
    assert set(tools) == {"pack_context", "explore_field", "plan_budget"}
    for tool in tools.values():
        assert tool.annotations.read_only_hint and tool.annotations.idempotent_hint
        assert not tool.annotations.open_world_hint and not tool.annotations.destructive_hint
        assert tool.output_schema["type"] == "object" and tool.description
        assert "self" not in tool.input_schema["properties"]


async def use(client, path):
    check_tools(await client.list_tools())
    good = await client.call_tool("pack_context", {"query": "what causes tides", "budget": 40, "paths": [path]})
    bad = await client.call_tool("pack_context", {"query": "x", "budget": 40, "paths": ["../outside/secret.txt"]})
    assert "gravity of the Moon" in good.structured_content["text"]
    assert bad.is_error and SECRET not in said(bad)


def test_over_stdio_with_the_real_client(place):
    command = [sys.executable, "-m", "fieldpack", "mcp", "--root", str(place)]

    async def go():
        async with Client(StdioServerParameters(command=command[0], args=command[1:])) as client:
            await use(client, "tides.md")

    asyncio.run(go())


@pytest.fixture
def over_http(place):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "fieldpack",
        "mcp",
        "--root",
        str(place),
        "--transport",
        "http",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/mcp"
    for _ in range(300):
        try:
            httpx.get(url)
            break
        except httpx.TransportError:
            time.sleep(0.1)
    yield url
    process.terminate()
    process.wait(20)


def test_over_http_with_the_real_client(over_http):
    async def go():
        async with Client(over_http) as client:
            await use(client, "tides.md")

    asyncio.run(go())
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accept = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    own = over_http.removesuffix("/mcp")
    origins = ("https://evil.example", f"{own}.evil.example", f"{own}@evil.example", "http://127.0.0.1:1", "null")
    assert httpx.post(over_http, json=body, headers=accept | {"origin": own}).status_code not in (403, 421)
    for strange in ({"host": "evil.example"}, {"host": "127.0.0.1:1"}, *({"origin": origin} for origin in origins)):
        answer = httpx.post(over_http, json=body, headers=accept | strange)
        assert answer.status_code in (403, 421), "a page from elsewhere cannot use the tools"


def test_bad_starts_are_one_line(tmp_path):
    with pytest.raises(InputError, match="stdio, http"):
        serve([], "carrier pigeon")
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "no"))):
        serve([tmp_path / "no"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="choose another --port"):
            serve([], "http", taken.getsockname()[1])
