"""What is measured of one packed text: the evidence it holds, what it cost, and whether it kept to the budget."""

from __future__ import annotations

from typing import Any

from fieldpack.bench.context import Context, Packed
from fieldpack.bench.corpora import Query, Span
from fieldpack.metrics import all_evidence, answer_kept, evidence_kept

Row = dict[str, Any]


def measure(case: Query, packed: Packed, budget: int, context: Context) -> Row:
    """evidence: share of the evidence's characters kept. complete: all of it (mode any: one whole span of it).
    answer: an answer string stands in the text (SQuAD normalisation). recall: share of gold passages kept whole.
    tokens, rendered: counts of the final string and of the string as the library renders it. None where undefined."""
    wanted, kept = case.evidence(), packed.spans
    whole = {p.id: Span(p.id, 0, len(p.text)) for p in case.passages}
    gold = [all_evidence([whole[g]], kept) for g in case.gold]
    return {
        "budget": budget,
        "tokens": context.tokenizer.count(packed.text),
        "rendered": context.tokenizer.count(packed.rendered),
        "evidence": evidence_kept(wanted, kept) if wanted else None,
        "complete": _complete(case, wanted, kept) if wanted else None,
        "answer": answer_kept(case.answers, packed.text) if case.answers else None,
        "recall": sum(gold) / len(gold) if gold else None,
    }


def _complete(case: Query, wanted: tuple[Span, ...], kept: tuple[Span, ...]) -> bool:
    if case.mode == "any":
        return any(all_evidence([span], kept) for span in wanted)
    return all_evidence(wanted, kept)
