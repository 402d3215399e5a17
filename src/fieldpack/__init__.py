"""fieldpack: query + documents + token budget -> the evidence, verbatim, inside the budget, with its reasons."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fieldpack.version import __version__ as __version__

if TYPE_CHECKING:
    from fieldpack import adapters as adapters
    from fieldpack import parallel as parallel
    from fieldpack import shell as shell
    from fieldpack.budget import TokenBudgetPlanner as TokenBudgetPlanner
    from fieldpack.compress import DynamicTokenOptimizer as DynamicTokenOptimizer
    from fieldpack.embed.service import EmbeddingService as EmbeddingService
    from fieldpack.errors import AssetError as AssetError
    from fieldpack.errors import BudgetError as BudgetError
    from fieldpack.errors import EmbeddingError as EmbeddingError
    from fieldpack.errors import FieldpackError as FieldpackError
    from fieldpack.errors import InputError as InputError
    from fieldpack.errors import MissingExtraError as MissingExtraError
    from fieldpack.errors import SettingsError as SettingsError
    from fieldpack.errors import ShellSyntaxError as ShellSyntaxError
    from fieldpack.errors import UnknownNameError as UnknownNameError
    from fieldpack.field.state import FieldSettings as FieldSettings
    from fieldpack.field.state import FieldState as FieldState
    from fieldpack.field.state import Reading as Reading
    from fieldpack.memory import ContextMemoryManager as ContextMemoryManager
    from fieldpack.packing.problem import PackingSettings as PackingSettings
    from fieldpack.pipeline import ContextPacker as ContextPacker
    from fieldpack.pipeline import Index as Index
    from fieldpack.result import Result as Result
    from fieldpack.session import Session as Session
    from fieldpack.shell import fractal as fractal
    from fieldpack.text.read import read as read
    from fieldpack.text.tokens import tokenizer as tokenizer
    from fieldpack.types import Document as Document
    from fieldpack.types import Segment as Segment

_HOMES = {
    "TokenBudgetPlanner": "budget",
    "DynamicTokenOptimizer": "compress",
    "EmbeddingService": "embed.service",
    "AssetError": "errors",
    "BudgetError": "errors",
    "EmbeddingError": "errors",
    "FieldpackError": "errors",
    "InputError": "errors",
    "MissingExtraError": "errors",
    "SettingsError": "errors",
    "ShellSyntaxError": "errors",
    "UnknownNameError": "errors",
    "FieldSettings": "field.state",
    "FieldState": "field.state",
    "Reading": "field.state",
    "Index": "pipeline",
    "ContextMemoryManager": "memory",
    "PackingSettings": "packing.problem",
    "ContextPacker": "pipeline",
    "Result": "result",
    "Session": "session",
    "read": "text.read",
    "tokenizer": "text.tokens",
    "Document": "types",
    "Segment": "types",
}
_MODULES = {"shell": "shell", "fractal": "shell.fractal", "adapters": "adapters", "parallel": "parallel"}

__all__ = sorted([*_HOMES, *_MODULES, "__version__"])


def __getattr__(name: str) -> Any:
    """Public names are imported when first used, so that `import fieldpack` costs nothing."""
    if name in _MODULES:
        return importlib.import_module(f"fieldpack.{_MODULES[name]}")
    if name in _HOMES:
        found = getattr(importlib.import_module(f"fieldpack.{_HOMES[name]}"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'fieldpack' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
