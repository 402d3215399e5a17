"""What is measured of one packed text: the evidence it holds, what it cost, and whether it kept to the budget."""

from __future__ import annotations

from typing import Any

from fieldpack.bench.context import Context, Packed
from fieldpack.bench.corpora import Query, Span

Row = dict[str, Any]
Ranges = dict[str, list[tuple[int, int]]]


def measure(case: Query, packed: Packed, budget: int, context: Context) -> Row:
    """evidence: share of the evidence's characters kept. complete: all of it (mode any: one whole span of it).
    answer: an answer string stands in the text (SQuAD normalisation). recall: share of gold passages kept whole.
    tokens, rendered: counts of the final string and of the string as the library renders it. None where undefined."""
    from fieldpack.metrics import answer_kept

    kept, wanted = union(packed.spans), union(case.evidence())
    held = {(d, a, b): covered(kept.get(d, ()), a, b) for d, ranges in wanted.items() for a, b in ranges}
    whole = [n == b - a for (_, a, b), n in held.items()]
    size = sum(b - a for _, a, b in held)
    lengths = {p.id: len(p.text) for p in case.passages}
    passages = [covered(kept.get(g, ()), 0, lengths[g]) == lengths[g] for g in case.gold]
    return {
        "budget": budget,
        "tokens": context.tokenizer.count(packed.text),
        "rendered": context.tokenizer.count(packed.rendered),
        "evidence": sum(held.values()) / size if size else None,
        "complete": (any(whole) if case.mode == "any" else all(whole)) if whole else None,
        "answer": answer_kept(packed.text, case.answers) if case.answers else None,
        "recall": sum(passages) / len(passages) if passages else None,
    }


def union(spans: tuple[Span, ...]) -> Ranges:
    """{doc_id: disjoint sorted ranges}: text that is kept twice counts once."""
    out: Ranges = {}
    for doc, start, end in sorted(spans):
        ranges = out.setdefault(doc, [])
        if ranges and start <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
        else:
            ranges.append((start, end))
    return out


def covered(ranges: list[tuple[int, int]] | tuple[()], start: int, end: int) -> int:
    """Characters of [start, end) inside the ranges."""
    return sum(max(0, min(end, b) - max(start, a)) for a, b in ranges)
