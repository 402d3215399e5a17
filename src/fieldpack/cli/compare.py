"""`fieldpack pack --report FILE --compare WHAT`: another pack of the same documents beside this one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from fieldpack.errors import InputError

if TYPE_CHECKING:
    from fieldpack.pipeline import ContextPacker
    from fieldpack.report import Comparison
    from fieldpack.result import Result


def comparison_with(result: Result, what: str) -> Result | Comparison:
    """What a report shows beside a pack: "top-k" (BM25, the best chunks in the same budget), "no-query" (the same
    documents without the query), or another budget. Raises InputError for what is none of these."""
    if what == "top-k":
        return _top_k(result)
    if what == "no-query":
        if not result.request.asks:
            raise InputError("--compare no-query: this pack has no query either; say --query, or compare a budget")
        request = replace(result.request, queries=(), weights=())
        return _packer(result).pack_corpus(request, result.corpus)
    number = what.replace("_", "").replace(",", "")
    if not number.isdecimal():
        raise InputError(f"--compare is {what!r}; allowed: top-k, no-query, or a number of tokens")
    return result.repack(int(number))


def _packer(result: Result) -> ContextPacker:
    """A result knows its packer as what packs again; on the command line it is always this one."""
    return cast("ContextPacker", result.packer)


def _top_k(result: Result) -> Comparison:
    from fieldpack.analysis.top_k import top_k
    from fieldpack.report import comparison_of

    if not result.request.asks:
        raise InputError("--compare top-k needs a query; say --query")
    documents, count = result.corpus.documents, _packer(result).tokenizer.count
    best = top_k(" ".join(result.queries), documents, result.budget, count=count)
    return comparison_of(documents, result.segments, name="top-k by BM25", tokens=best.tokens, ranges=best.ranges)
