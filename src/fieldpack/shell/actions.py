"""Lists of actions: `[/history.summarize{...}, ...]` to steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from fieldpack.errors import InputError, ShellSyntaxError
from fieldpack.shell.condition import parse_condition
from fieldpack.shell.kinds import CONDITION_NAMES, Kind, Problems, Table, Wrong, describe, names, read_map, unknown
from fieldpack.shell.nodes import Chain, Entry, List, Shell, String, Value
from fieldpack.shell.parse import parse
from fieldpack.shell.settings import SECTIONS, Step


def steps(actions: Mapping[str, Table], allowed: Iterable[str]) -> Kind:
    """A list (or an arrow chain) of the allowed actions; an action may stand in quotes, as it often does in the
    wild."""
    table = {name: actions[name] for name in allowed}

    def read_steps(problems: Problems, node: Value) -> tuple[Step, ...]:
        if not isinstance(node, List | Chain | Shell):
            raise Wrong(f"is {describe(node)}")
        entries = node.entries if isinstance(node, List) else (Entry(None, node),)
        listed: list[Step] = []
        for value in (v for e in entries for v in (e.value.parts if isinstance(e.value, Chain) else (e.value,))):
            step = read_step(problems, value, table)
            listed.extend((step,) if step else ())
        return tuple(listed)

    return Kind("a list of actions [/name{...}, ...]", read_steps)


def read_step(problems: Problems, node: Value, table: Mapping[str, Table]) -> Step | None:
    """One action; None after a problem was noted."""
    if isinstance(node, String) and node.value.lstrip().startswith("/") and problems.quoted_at is None:
        problems.quoted_at = node.span
        try:
            return read_step(problems, parse(node.value), table)
        except (ShellSyntaxError, InputError) as error:
            problems.add(node.span, f"in the quoted step: {error}")
        finally:
            problems.quoted_at = None
        return None
    if not isinstance(node, Shell):
        problems.add(node.span, f"found {describe(node)}; expected an action /name{{...}}: {names(table)}")
        return None
    if node.name not in table:
        problems.add(node.span, unknown("action", node.name, table))
        return None
    options = read_map(problems, node.body, table[node.name], f"/{node.name}")
    return make_step(node.name, options)


def make_step(action: str, options: dict[str, Any]) -> Step:
    """The record of an action: its condition (given, in `triggers`, or meant by its threshold or method) and its
    section."""
    prefix = action.split(".", 1)[0]
    section = options.get("target", prefix if prefix in SECTIONS else "")
    when = options.pop("when", None)
    triggers = options.pop("triggers", {})
    when = when or triggers.get("condition")
    if "action" in triggers:
        options.setdefault("action", triggers["action"])
    over = action.split(".", 1)[1] in ("compress", "summarize", "prune", "manage")
    if when is None and over and "threshold" in options:
        when = parse_condition(f"tokens > {options['threshold']}*allocation", CONDITION_NAMES)
    elif when is None and str(options.get("method", "")).endswith("exceeds_budget"):
        when = parse_condition("tokens > allocation", CONDITION_NAMES)
    return Step(action, MappingProxyType(options), when, section)
