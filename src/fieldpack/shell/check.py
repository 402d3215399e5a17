"""Checking and compiling a text (`fieldpack shell check`, `fieldpack shell run`): a protocol shell, a prompt with
shells, or a fractal.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any, NamedTuple

from fieldpack.errors import InputError, ShellSyntaxError
from fieldpack.shell import fractal
from fieldpack.shell.compile import compile as compile_shells
from fieldpack.shell.compile import compile_all
from fieldpack.shell.condition import Condition
from fieldpack.shell.kinds import MAX_PROBLEMS
from fieldpack.shell.nodes import List, Map, Placeholder, Shell, walk
from fieldpack.shell.parse import each, parse_many
from fieldpack.shell.settings import ShellSettings
from fieldpack.shell.strict_json import FractalError
from fieldpack.shell.vocabulary import ACTIONS, SHELLS


class Diagnostic(NamedTuple):
    """`severity` is "error" (it does not compile) or "warning"; `line` and `column` count from 1 (0: the file as a
    whole)."""

    line: int
    column: int
    severity: str
    message: str

    def __str__(self) -> str:
        place = f"{self.line}:{self.column}: " if self.line else ""
        return f"{place}{self.severity}: {self.message}"


def check(text: str) -> list[Diagnostic]:
    """The problems of a text, in its order; [] when it parses and compiles. Raises nothing on any text.

    At most 100 errors, and 100 warnings a shell.
    """
    if is_json(text):
        return _check_fractal(text)
    shells: list[Shell] = []
    diagnostics: list[Diagnostic] = []
    try:
        for shell in each(text):
            shells.append(shell)
    except ShellSyntaxError as error:
        message = str(error).partition(": ")[2]
        diagnostics.append(Diagnostic(error.line, error.column, "error", message))
    except InputError as error:
        diagnostics.append(Diagnostic(0, 0, "error", str(error)))
    if not shells and not diagnostics:
        diagnostics.append(
            Diagnostic(1, 1, "error", "no shell found; expected '/' and a name, as in /token.budget{...}")
        )
    for shell in shells:
        diagnostics.extend(islice(_warnings(shell), MAX_PROBLEMS))
    ours = [shell for shell in shells if shell.name in SHELLS or shell.name in ACTIONS]
    if ours:
        diagnostics += [Diagnostic(p.line, p.column, "error", str(p).partition(": ")[2]) for p in compile_all(ours)[1]]
    return sorted(diagnostics, key=lambda d: (d.line, d.column))


def run(text: str) -> dict[str, Any]:
    """The settings of a text as JSON values: `shells`, `settings`, `packer` (its options) and, where the budget has a
    total, `allocation`. Raises the errors of `parse_many`, `compile` and `fractal.load`.
    """
    settings = load(text)
    answer: dict[str, Any] = {
        "shells": list(settings.shells),
        "settings": as_json(settings),
        "packer": as_json(settings.packer_options()),
    }
    if settings.budget and settings.budget.total_tokens is not None:
        answer["allocation"] = settings.budget.allocate()
    return answer


def load(text: str) -> ShellSettings:
    """The settings of a text: fractal.json where it is a JSON object, else the shells in it. Raises as `run` does."""
    return fractal.loads(text).settings if is_json(text) else compile_shells(parse_many(text))


def is_json(text: str) -> bool:
    """Whether a text is a fractal.json: no shell and no prompt begins with a brace."""
    return isinstance(text, str) and text.lstrip("\ufeff \t\r\n").startswith("{")


def as_json(value: Any) -> Any:
    """Settings as JSON values: records as objects without their empty fields, conditions as their text."""
    if isinstance(value, Condition):
        return value.text
    if is_dataclass(value):
        entries = {f.name: as_json(getattr(value, f.name)) for f in fields(value) if f.compare}
        return {key: item for key, item in entries.items() if item is not None and item not in ("", [], {})}
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list | tuple) else value


def _warnings(shell: Shell) -> Iterator[Diagnostic]:
    """Likely slips in a text that parses, and shells that do not compile."""
    line, column = shell.span.line, shell.span.column
    if shell.name not in SHELLS and shell.name not in ACTIONS:
        known = ", ".join(f"/{name}" for name in SHELLS)
        message = f"/{shell.name} parses but has no settings here; {known} and their actions compile"
        yield Diagnostic(line, column, "warning", message)
    for node in walk(shell):
        if isinstance(node, Map | List):
            yield from _missing_commas(node)
        if isinstance(node, Placeholder) and shell.name not in SHELLS and shell.name not in ACTIONS:
            yield Diagnostic(
                node.span.line, node.span.column, "warning", f"the placeholder {node.value} is not filled in"
            )


def _missing_commas(node: Map | List) -> Iterator[Diagnostic]:
    for entry, gap in zip(node.entries[1:], node.gaps[1:], strict=False):
        if "," not in gap and ";" not in gap:
            yield Diagnostic(
                entry.span.line, entry.span.column, "warning", "no comma before this entry (its line ends it)"
            )


def _check_fractal(text: str) -> list[Diagnostic]:
    try:
        fractal.loads(text)
    except FractalError as error:
        return [Diagnostic(error.line, error.column, "error", problem) for problem in error.problems]
    except InputError as error:
        return [Diagnostic(0, 0, "error", str(error))]
    return []
