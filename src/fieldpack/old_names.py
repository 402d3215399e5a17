"""Methods of release 0.1 under their old names, for one release more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fieldpack.deprecation import renamed
from fieldpack.request import Request
from fieldpack.scored import Extras


class OldNames:
    """The methods of 0.1 that have another name now."""

    def prepare(self: Any, documents: Any, ranges: Sequence[Any] = (), clock: Any = None, budget: Any = None) -> Any:
        """Deprecated name of `read`, with a sentence embedder's rows; the budget has no part in it any more."""
        renamed("ContextPacker.prepare", "ContextPacker.read")
        return self.embedded(self.reader.read(tuple(documents), list(ranges)))

    def pack_prepared(
        self: Any,
        queries: Sequence[str],
        prepared: Any,
        budget: int,
        ranges: Sequence[Any] = (),
        state: Any = None,
        clock: Any = None,
        weights: Sequence[float] = (),
        adjust: Callable[[Any], Any] | None = None,
        field: Any = None,
    ) -> Any:
        """Deprecated name of `pack_corpus`; what `adjust` adds to the log odds is now `Extras.bias`."""
        renamed("ContextPacker.pack_prepared", "ContextPacker.pack_corpus")
        pins = tuple((prepared.documents[doc].id, start, end) for doc, start, end in ranges)
        request = Request(tuple(queries), tuple(weights) or (1.0,) * len(queries), budget, pins)
        result = self.pack_corpus(request, prepared, state)
        if adjust is None:
            return result
        bias = adjust(result.relevance).logit - result.relevance.logit
        return self.pack_corpus(request, prepared, state, extras=Extras(bias=bias))
