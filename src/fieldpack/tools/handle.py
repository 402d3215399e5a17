"""The way back to what was left out: `expand` by id, offered to the agent as a tool."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fieldpack.errors import InputError
from fieldpack.pipeline import ContextPacker
from fieldpack.tools.calls import ToolCall
from fieldpack.tools.cut import Job, cut, tokens_of
from fieldpack.tools.forms import form_of
from fieldpack.tools.json_tree import Pruner
from fieldpack.tools.store import Store, StoredBlock

_BEHIND_IDS = ",;:.)]"
_RANGE = re.compile(r"\s*(\d+)\s*(?:(?:-|:|,|\.\.)\s*(\d*))?\s*")


@dataclass(frozen=True)
class Wish:
    """What of a block is wanted: what answers a query, lines (first, last; from 1, both included; last None for the
    end), or with neither what was left out. budget: tokens at most; None for all."""

    query: str = ""
    lines: tuple[int, int | None] | None = None
    budget: int | None = None
    handle: str = "expand"


def expand_block(block: StoredBlock, wish: Wish, packer: ContextPacker) -> str:
    """The wanted part of a stored block, inside the budget; a last line says how to get more. Raises InputError."""
    if wish.query.strip():
        budget = wish.budget or max(16, tokens_of(packer, block.text))
        if tokens_of(packer, block.text) <= budget:
            return block.text
        return cut(block.text, Job(wish.query, ToolCall(), budget, f"{wish.handle} id={block.id}"), packer).text
    if wish.lines is None and wish.budget is None and form_of(block.text) == "json":
        return Pruner(block.text, complement(block.text, block.kept)).pruned().text
    numbered = _wanted_lines(block, wish.lines)
    return _page(numbered, block, wish, packer)


def complement(text: str, kept: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges of the text between and around the kept ones that hold ink."""
    out, at = [], 0
    for a, b in (*kept, (len(text), len(text))):
        if text[at:a].strip():
            out.append((at, a))
        at = max(at, b)
    return out


def lines_of(value: Any) -> tuple[int, int | None] | None:
    """(first, last) from "120-180", "120-", "120", (120, 180) or [120, 180]. Raises InputError."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        m = _RANGE.fullmatch(value)
        if m:
            open_end = m.group(2) == ""
            return int(m.group(1)), None if open_end else int(m.group(2) or m.group(1))
    elif isinstance(value, Sequence) and len(value) == 2 and all(isinstance(v, int) for v in value):
        return int(value[0]), int(value[1])
    elif isinstance(value, int) and not isinstance(value, bool):
        return value, value
    raise InputError(f"range is {value!r}; give lines such as '120-180', counted from 1")


def _wanted_lines(block: StoredBlock, lines: tuple[int, int | None] | None) -> list[tuple[int, str]]:
    """(number from 1, text) of the wanted lines."""
    numbered = list(enumerate(block.text.split("\n"), 1))
    if lines is not None:
        first, last = lines
        if first < 1 or first > len(numbered) or (last is not None and last < first):
            raise InputError(f"lines {first} to {last or 'the end'}: the output has lines 1 to {len(numbered)}")
        return numbered[first - 1 : last]
    left, start, at = [], 0, 0
    ranges = complement(block.text, block.kept)
    for number, line in numbered:
        end = start + len(line)
        while at < len(ranges) and ranges[at][1] <= start:
            at += 1
        low, high = ranges[at] if at < len(ranges) else (end, end)
        if low < end and line[max(0, low - start) : high - start].strip():
            left.append((number, line))
        start = end + 1
    return left


def _page(numbered: list[tuple[int, str]], block: StoredBlock, wish: Wish, packer: ContextPacker) -> str:
    """As many of the lines as fit."""
    if wish.budget is None:
        return "\n".join(line for _, line in numbered)
    counts = packer.tokenizer.count_many([line + "\n" for _, line in numbered])
    left, taken = wish.budget - 32, 0
    for tokens in counts:
        left -= int(tokens)
        if left < 0:
            break
        taken += 1
    page = "\n".join(line for _, line in numbered[:taken])
    if taken == len(numbered):
        return page
    number = numbered[taken][0]
    if not taken:  # one line larger than the budget
        line = numbered[0][1]
        page = line[: max(1, packer.tokenizer.prefix(line, max(1, wish.budget - 32)))]
        number = numbered[1][0] if len(numbered) > 1 else number
    return f"{page}\n[{len(numbered) - taken:,} more lines: {wish.handle} id={block.id} range={number}-]"


@dataclass(frozen=True)
class ExpandTool:
    """What an agent calls to get back what was left out: a function with a name, a description and a JSON schema. An id
    that is not known is an answer, no error."""

    find: Callable[[str, str, Any], str]
    name: str = "expand"

    @property
    def description(self) -> str:
        """For the agent."""
        return (
            "Returns parts of an earlier tool output that were left out to save tokens. Give the id from the notice "
            "in that output, and a query (what to find) or a range of lines; with the id alone, the left-out lines "
            "from the first on."
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """The JSON schema of the arguments."""
        return {
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": "The id in the notice, such as 3f9a2c1b0d4e."},
                "query": {"type": "string", "description": "What to find in the output."},
                "range": {"type": "string", "description": "Lines of the output, from 1, such as 120-180 or 120-."},
            },
            "required": ["id"],
            "additionalProperties": False,
        }

    def __call__(self, id: str, query: str = "", range: str = "") -> str:
        """The text, or a sentence that says why there is none."""
        try:
            return self.find(id, query, range or None)
        except (InputError, TypeError) as error:
            return str(error)

    def openai(self) -> dict[str, Any]:
        """For the `tools` of OpenAI's chat completions."""
        inner = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": inner}

    def anthropic(self) -> dict[str, Any]:
        """For the `tools` of Anthropic's messages."""
        return {"name": self.name, "description": self.description, "input_schema": self.parameters}

    def mcp(self) -> dict[str, Any]:
        """For the list of tools of an MCP server."""
        return {"name": self.name, "description": self.description, "inputSchema": self.parameters}


def stored(store: Store | None, block_id: str) -> StoredBlock:
    """A block of the store; what a notice has behind its id (the commas of a CSV row) is no part of the id. Raises
    InputError when it is not there."""
    block = store.get(block_id.strip().rstrip(_BEHIND_IDS)) if store is not None and isinstance(block_id, str) else None
    if block is None:
        raise InputError(
            f"no output with the id {str(block_id)[:40]!r} is kept (they stay for a limited time); run the tool again"
        )
    return block
