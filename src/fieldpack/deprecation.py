"""Names of an earlier release: they work for one release more, with a DeprecationWarning that gives the new name."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def renamed(old: str, new: str, *, stacklevel: int = 3) -> None:
    """Warns that `old` is now `new`; `stacklevel` 3 points at the caller of the function that calls this."""
    warnings.warn(f"{old} is now {new}; the old name goes with the next release", DeprecationWarning, stacklevel)


def moved_module(old: str, new: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module that has moved: names are looked up in the module `new`."""

    def get(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(new), name)
        renamed(f"{old}.{name}", f"{new}.{name}")
        return value

    return get


def moved_names(module: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a module of which some names have moved: {old name: "new.module:name"}."""

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, _, new = homes[name].partition(":")
        value = getattr(importlib.import_module(home), new)
        renamed(f"{module}.{name}", f"{home}.{new}")
        return value

    return get
