"""The arguments of a tool as one record: MCP reads a signature, and a dozen parameters are hard to read."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, get_type_hints


def takes(record: type[Any]) -> Callable[[Callable[[Any, Any], Any]], Callable[..., Any]]:
    """For a method with one parameter, a dataclass: the method as one with a parameter for each field of it."""
    hints = get_type_hints(record, include_extras=True)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter("self", kind)]
    for f in fields(record):
        default = inspect.Parameter.empty if f.default is MISSING else f.default
        parameters.append(inspect.Parameter(f.name, kind, default=default, annotation=hints[f.name]))

    def decorate(tool: Callable[[Any, Any], Any]) -> Callable[..., Any]:
        @functools.wraps(tool)
        def run(self: Any, *args: Any, **values: Any) -> Any:
            return tool(self, record(*args, **values))

        answer = get_type_hints(tool, include_extras=True).get("return", inspect.Signature.empty)
        run.__signature__ = inspect.Signature(parameters, return_annotation=answer)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters[1:]} | {"return": answer}
        return run

    return decorate
