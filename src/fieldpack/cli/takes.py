"""Turns a verb that takes one record of options into a function for typer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import MISSING, fields
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

from typer.models import OptionInfo

R = TypeVar("R")
_NAMES = {int: "N", float: "NUMBER", Path: "PATH"}


def takes(record: type[R]) -> Callable[[Callable[[R], None]], Callable[..., None]]:
    """For a verb with one parameter, a dataclass: the verb as a function with one keyword for each field of it."""
    hints = get_type_hints(record, include_extras=True)
    parameters = [
        inspect.Parameter(
            f.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if f.default is MISSING else f.default,
            annotation=_named(hints[f.name]),
        )
        for f in fields(record)  # type: ignore[arg-type]
    ]

    def decorate(verb: Callable[[R], None]) -> Callable[..., None]:
        def run(**values: Any) -> None:
            verb(record(**values))

        run.__name__, run.__doc__ = verb.__name__, verb.__doc__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {}
        return run

    return decorate


def _named(hint: Any) -> Any:
    """The annotation of an option with a word for its value in the help, in place of Python's type."""
    option = hint.__metadata__[0]
    if not isinstance(option, OptionInfo) or option.metavar is not None:
        return hint
    kinds = [kind for kind in (get_args(hint.__origin__) or [hint.__origin__]) if kind is not NoneType]
    if bool in kinds:
        return hint
    named = copy(option)
    named.metavar = _NAMES.get(kinds[0], "TEXT")
    return Annotated[hint.__origin__, named]
