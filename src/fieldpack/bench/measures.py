"""What is measured of one packed text: the evidence it holds, what it cost, and whether it kept to the budget."""

from __future__ import annotations

from typing import Any

from fieldpack.analysis.metrics import all_evidence, answer_kept, evidence_kept, normalised_answer
from fieldpack.bench.context import Context, Packed
from fieldpack.bench.dataset import Query, Span

Row = dict[str, Any]
JUDGEMENTS = frozenset(["yes", "no"])
"""Answers that are no words of a passage: whether they stand in a text says nothing."""


def measure(case: Query, packed: Packed, budget: int, context: Context) -> Row:
    """evidence: share of the evidence's characters kept, in mode any of the gold passage that is kept best. complete:
    all of it, in mode any all of one gold passage's. answer: an answer string other than yes and no stands in the text
    (SQuAD normalisation).
    recall: share of gold passages kept whole. tokens, rendered: counts of the final string and of the string as the
    library renders it. None where undefined."""
    wanted, kept = _alternatives(case), packed.spans
    answers = [a for a in case.answers if normalised_answer(a) not in JUDGEMENTS]
    whole = {p.id: Span(p.id, 0, len(p.text)) for p in case.passages}
    gold = [all_evidence([whole[g]], kept) for g in case.gold]
    return {
        "budget": budget,
        "tokens": context.tokenizer.count(packed.text),
        "rendered": context.tokenizer.count(packed.rendered),
        "evidence": max(evidence_kept(spans, kept) for spans in wanted) if wanted else None,
        "complete": any(all_evidence(spans, kept) for spans in wanted) if wanted else None,
        "answer": answer_kept(answers, packed.text) if answers else None,
        "recall": sum(gold) / len(gold) if gold else None,
    }


def _alternatives(case: Query) -> list[list[Span]]:
    """Evidence of which one part is enough: all of it, or in mode any that of each gold passage."""
    spans = case.evidence()
    if case.mode != "any":
        return [list(spans)] if spans else []
    by_passage: dict[str, list[Span]] = {}
    for span in spans:
        by_passage.setdefault(span.doc_id, []).append(span)
    return list(by_passage.values())
