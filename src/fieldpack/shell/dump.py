"""Shells back to text: as they were written, or in one canonical form."""

from __future__ import annotations

from itertools import islice

from fieldpack.errors import InputError
from fieldpack.shell import scan
from fieldpack.shell.layout import block, key_text, name_text, top
from fieldpack.shell.nodes import Chain, Entry, List, Map, Shell, Value, walk

_OPENING = {Map: "{", List: "[", Chain: ""}


def dump(shell: Value, canonical: bool = False) -> str:
    """The text of a shell (or of any value in one).

    Of a parsed tree it is the very same text, comments and spacing included. A leaf that was replaced is written
    canonically and leaves the rest as it was; a container whose number of entries changed is laid out again (its own
    comments go, those of its children stay). With `canonical` all of it is laid out in one form: four blanks, one
    entry a line unless all fit in 100 columns, `key=value`, double quotes; comments stay. Raises InputError for a
    hand-made tree that no text can say.
    """
    if sum(1 for _ in islice(walk(shell), scan.MAX_NODES + 1)) > scan.MAX_NODES:
        raise InputError(f"the tree has more than the {scan.MAX_NODES} values that a text may have")
    if canonical:
        return top(shell) if isinstance(shell, Shell) else block(shell, "", 0)
    text = _as_written(shell)
    return f"{shell.before}{text}{shell.after}" if isinstance(shell, Shell) else text


def _as_written(shell: Value) -> str:
    pieces: list[str] = []
    stack: list[Value | Entry | str] = [shell]
    anew = False  # the last piece does not come from the text: what follows it must not run into it
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            glue = " " if anew and node[:1] in ("/", "#") else ""
            pieces.append(glue + node)
            anew = anew and not node
        elif isinstance(node, Entry | Map | List | Chain | Shell) and (parts := _parts(node)) is not None:
            stack.extend(reversed(parts))
        else:
            assert not isinstance(node, Entry)
            pieces.append(_leaf(node, pieces))
            anew = isinstance(node, Map | List | Chain | Shell) or not scan.is_fresh(node)
    return "".join(pieces)


def _leaf(node: Value, pieces: list[str]) -> str:
    """A leaf, or a container that is laid out again at the indentation of its line."""
    if isinstance(node, Map | List | Chain | Shell):
        line = "".join(pieces).rpartition("\n")[2]
        return block(node, line[: len(line) - len(line.lstrip())], len(line))
    text = node.raw if scan.is_fresh(node) else scan.canonical_leaf(node)
    return f" {text}" if text[:1] in ("=", ">") and pieces and pieces[-1].endswith("=") else text


def _parts(node: Entry | Map | List | Chain | Shell) -> list[Value | Entry | str] | None:
    """A node as its texts and children in order; None when it no longer fits the text that it was read from."""
    if isinstance(node, Entry):
        return [_head(node), node.value]
    if isinstance(node, Shell):
        gap = node.gap if scan.TRIVIA.fullmatch(node.gap) else ""
        return [name_text(node), *((gap, node.body) if node.body else ())]
    parts = node.parts if isinstance(node, Chain) else node.entries
    if len(node.gaps) != len(parts) + 1 or not node.gaps[0].startswith(_OPENING[type(node)]):
        return None
    pieces: list[Value | Entry | str] = [node.gaps[0]]
    for part, gap in zip(parts, node.gaps[1:], strict=True):
        pieces += (part, gap)
    return pieces


def _head(entry: Entry) -> str:
    """The key as it was written where it still has that value, else the canonical one."""
    canonical = key_text(entry)
    match = scan.KEY.match(entry.head) or scan.QUOTED.match(entry.head)
    if entry.key is None or not match:
        return canonical
    quoted = match[0][0] in "\"'“"
    key = scan.unquote(match[0]) if quoted else match[0]
    return entry.head if (key, quoted) == (entry.key, entry.quoted) else canonical
