"""An MCP server to stand before: files, pages, records, images, progress, sampling, errors, and an end by crash."""

import os
import sys

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ImageContent, SamplingMessage, TextContent

LOG = (
    "\n".join(f"2026-05-{1 + k % 28:02} worker {k % 7} handled request {k} in {k % 90} ms" for k in range(600))
    + "\nthe disk of worker 3 is full since request 444"
)
PAGE = (
    "# Tides\n\n"
    + "\n\n".join(
        f"Harbour {k} is {k % 9} metres deep and has {k % 5} piers. Its pilot is on duty every day." for k in range(300)
    )
    + "\n\nTides are caused by the gravity of the Moon."
)
PIXELS = "iVBORw0KGgo" + "A" * 20_000

server = MCPServer("wrapped", instructions="Reads files.")


@server.tool(structured_output=False)
def read_file(path: str) -> str:
    """Reads a file."""
    return LOG


@server.tool()
def fetch(url: str) -> str:
    """Fetches a page; the SDK sends its text twice."""
    return PAGE


@server.tool()
def records(month: str) -> list[dict[str, str | int]]:
    """Records of a month."""
    return [{"id": k, "month": "May" if k % 50 == 0 else "June", "note": f"refund of order {k}"} for k in range(400)]


@server.tool()
def picture() -> CallToolResult:
    """A picture and a text."""
    blocks = [ImageContent(type="image", data=PIXELS, mime_type="image/png"), TextContent(type="text", text=LOG)]
    return CallToolResult(content=blocks, _meta={"shutter": 3})


@server.tool(structured_output=False)
def huge() -> str:
    """Three megabytes: more than the SDK takes in one event over HTTP by itself."""
    return "\n".join(LOG for _ in range(100))


@server.tool(structured_output=False)
def short() -> str:
    """A short answer."""
    return "42 files"


@server.tool(structured_output=False)
def fail() -> str:
    """Fails with a long message."""
    raise ToolError(LOG + "\nERROR: no space left on device\nexit code 1")


@server.tool(structured_output=False)
async def slow(ctx: Context) -> str:
    """Reports progress."""
    for k in range(3):
        await ctx.report_progress(k + 1, 3, f"step {k + 1}")
    return "done"


@server.tool(structured_output=False)
async def ask_model(ctx: Context) -> str:
    """Asks the host's model."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text="say a word"))
    answer = await ctx.session.create_message([message], max_tokens=5)
    return f"the model said {answer.content.text}"


@server.tool(structured_output=False)
def crash() -> str:
    """Ends the process."""
    os._exit(3)


@server.resource("notes://all")
def notes() -> str:
    """All notes."""
    return LOG


@server.resource("notes://{name}")
def note(name: str) -> str:
    """One note."""
    return f"note {name}"


@server.prompt()
def review(code: str) -> str:
    """A prompt."""
    return f"review {code}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        print("the wrapped server runs", file=sys.stderr)
        server.run("stdio")
