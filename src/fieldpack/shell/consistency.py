"""Checks of fractal.json beyond its schema: sums, sections that do not exist, nesting below the depth, growth."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fieldpack.errors import SettingsError
from fieldpack.shell.compile import split_sections
from fieldpack.shell.schema import Problem
from fieldpack.shell.settings import SECTIONS

MAX_NODES = 1000
_ROOT = "$.fractalTokenManager"


def contradictions(manager: Mapping[str, Any]) -> Iterator[Problem]:
    """(JSON path, what is wrong) in a manager that fits the schema."""
    allocation, strategies = manager.get("allocation", {}), manager.get("strategies", {})
    yield from _sections(allocation, f"{_ROOT}.allocation")
    yield from _sections(strategies, f"{_ROOT}.strategies")
    try:
        split_sections(allocation, manager.get("total_tokens"))
    except SettingsError as error:
        yield f"{_ROOT}.allocation", str(error)
    shared = {SECTIONS.get(name, name) for name in allocation}
    for name in strategies:
        if SECTIONS.get(name, name) not in (shared or SECTIONS):
            known = ", ".join(sorted(allocation or SECTIONS))
            yield f"{_ROOT}.strategies.{name}", f"no share in allocation; sections: {known}"
    depth = manager.get("recursion", {}).get("depth")
    nodes = 0
    for name, strategy in strategies.items():
        for node in _raw_nodes(f"{_ROOT}.strategies.{name}", strategy):
            nodes += 1 + (int(depth or 0) - node.level) * bool(node.keys.get("recursion"))
            yield from _node_problems(name, node, depth)
    if nodes > MAX_NODES:
        yield f"{_ROOT}.strategies", f"grows to {nodes} nodes; at most {MAX_NODES} are allowed"


def _sections(names: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Names that are nearly a known one are slips; two names of one section contradict each other; others are the
    user's."""
    meant: dict[str, str] = {}
    for name in names:
        nearest = difflib.get_close_matches(name, SECTIONS, n=1, cutoff=0.75)
        if name not in SECTIONS and nearest:
            yield f"{path}.{name}", f"unknown section; did you mean {nearest[0]!r}?"
        section = SECTIONS.get(name, name)
        if section in meant:
            yield f"{path}.{name}", f"is the same section as {meant[section]!r}; keep one"
        meant[section] = name


class _RawNode(NamedTuple):
    """A node as it is written: its JSON path, its levels below the section, its own keys."""

    path: str
    level: int
    keys: Mapping[str, Any]


def _raw_nodes(path: str, strategy: Mapping[str, Any]) -> Iterator[_RawNode]:
    """The node of a section and all nodes below it, from the top."""
    stack = [_RawNode(path, 0, strategy)]
    while stack:
        node = stack.pop()
        yield node
        children = node.keys.get("children", {}).items()
        below = [_RawNode(f"{node.path}.children.{name}", node.level + 1, child) for name, child in children]
        stack.extend(reversed(below))


def _node_problems(section: str, node: _RawNode, depth: int | None) -> Iterator[Problem]:
    path, level = node.path, node.level
    if depth is None and (node.keys.get("recursion") or level):
        yield path, f"goes below its section, but {_ROOT}.recursion.depth is not given (0 to 8)"
    elif level > (depth or 0):
        yield path, f"is {level} levels below its section; recursion.depth allows {depth}"
    if "strategies" in node.keys and SECTIONS.get(section, section) != "history":
        yield (
            f"{path}.strategies",
            f"window, summarize and key_value work on history, not on {section!r}; use compression",
        )
