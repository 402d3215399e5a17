"""`fieldpack mcp --wrap` before the reference filesystem server of the protocol's authors (npm).

FIELDPACK_MCP_FILESYSTEM is its script, node_modules/@modelcontextprotocol/server-filesystem/dist/index.js; without
it this file is not collected.
"""

import os

from test_mcp_wrap import run, text_of
from wrapped_server import LOG

FILESYSTEM = os.environ["FIELDPACK_MCP_FILESYSTEM"]


def test_the_reference_filesystem_server(tmp_path):
    (tmp_path / "work.log").write_text(LOG, "utf-8")

    async def work(client):
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"read_text_file", "list_directory", "expand"} <= names
        path = str(tmp_path / "work.log")
        answer = await client.call_tool("read_text_file", {"path": path}, meta={"question": "which disk is full"})
        assert not answer.is_error and "the disk of worker 3 is full" in text_of(answer)
        assert len(text_of(answer)) < len(LOG) / 5
        name = text_of(answer).split("expand id=")[1].split("]")[0].split()[0]
        assert text_of(await client.call_tool("expand", {"id": name, "range": "1"})) == LOG.split("\n")[0]
        assert (await client.call_tool("read_text_file", {"path": "/etc/passwd"})).is_error

    run(work, command=("node", FILESYSTEM, str(tmp_path)))
