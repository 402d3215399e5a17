"""Packs that do not block an event loop: the same calls in a thread, awaited."""

from __future__ import annotations

import asyncio
from typing import Any


class AsyncPacks:
    """`apack` and `aindex` of a packer. numpy, the tokenizer and the models release the lock for most of their work, so
    the loop goes on meanwhile. A cancelled call stops waiting; the thread ends its pack and its answer is let go."""

    async def apack(self: Any, query: Any, documents: Any, budget: int, **options: Any) -> Any:
        """What `pack` returns and raises; `options` are its keywords."""
        return await asyncio.to_thread(self.pack, query, documents, budget, **options)

    async def aindex(self: Any, documents: Any, **options: Any) -> Any:
        """What `index` returns and raises."""
        return await asyncio.to_thread(self.index, documents, **options)
