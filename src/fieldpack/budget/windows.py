"""Context windows by model name (data/context_windows.json: two published tables, with source and date)."""

from __future__ import annotations

import functools
import json
import re
from importlib.resources import files
from numbers import Integral
from typing import Any

from fieldpack.checks import MOST_TOKENS, shown
from fieldpack.errors import InputError, UnknownNameError

# A dated or "latest" name means the model without the suffix, unless the table lists it itself.
_SUFFIX = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|\d{3}|latest)$")


@functools.cache
def data(name: str) -> dict[str, Any]:
    """A JSON file of fieldpack/data."""
    parsed: dict[str, Any] = json.loads(files("fieldpack").joinpath("data", name).read_text("utf-8"))
    return parsed


@functools.cache
def context_windows() -> dict[str, int]:
    """{model name: tokens}, input and output together where the provider shares them."""
    merged: dict[str, int] = {}
    for source in data("context_windows.json")["sources"]:
        merged.update(source["windows"])
    return dict(sorted(merged.items()))


def window_of(model: str | int) -> int:
    """The context window in tokens: a number as it stands, or a model's by name ("gpt-4o", "openai/gpt-4o-2024-08-06").

    Raises UnknownNameError for a name that the table does not have, InputError for a number that is no window.
    """
    if isinstance(model, bool) or not isinstance(model, Integral | str):
        raise InputError(f"context window is {shown(model)}; give a whole number of tokens or a model name")
    if not isinstance(model, str):
        if not 1 <= model <= MOST_TOKENS:
            raise InputError(f"context window is {shown(model)} tokens; allowed: 1 to {MOST_TOKENS:,}")
        return int(model)
    known = context_windows()
    name = model.strip().lower().rsplit("/", 1)[-1]
    while name not in known and _SUFFIX.search(name):
        name = _SUFFIX.sub("", name)
    if name not in known:
        raise UnknownNameError("model", model, known, "Pass the context window as a number instead, such as 128000.")
    return known[name]
