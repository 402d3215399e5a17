"""How much memory an object really holds. Own code: asizeof of pympler 1.1 ends in a ValueError on an index."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

_SHARED_TYPES = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)


def object_bytes(value: object, shared: Iterable[object] = ()) -> int:
    """Bytes of `value` and of all that it refers to, each object once.

    Arrays count with the whole memory behind them. Left out are types, modules, functions, and `shared` with all that
    is reached through it alone.
    """
    seen = {id(one) for one in shared}
    stack: list[Any] = [value]
    total = 0
    while stack:
        one = stack.pop()
        if id(one) in seen or isinstance(one, _SHARED_TYPES):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        # An array's memory counts with the array that owns it; gc does not see the reference of a view to its owner.
        stack.extend([one.base] if isinstance(one, np.ndarray) else gc.get_referents(one))
    return total
