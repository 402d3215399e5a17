"""What is measured of one packed text: the evidence it holds, what it cost, and whether it kept to the budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fieldpack.analysis.metrics import all_evidence, answer_kept, evidence_kept, normalised_answer
from fieldpack.bench.context import Context, Packed
from fieldpack.bench.dataset import TOOL, Query, Span

Row = dict[str, Any]
JUDGEMENTS = frozenset(["yes", "no"])
"""Answers that are no words of a passage: whether they stand in a text says nothing."""


def measure(case: Query, packed: Packed, budget: int, context: Context) -> Row:
    """evidence: share of the evidence's characters kept, in mode any of the gold passage that is kept best. complete:
    all of it, in mode any all of one gold passage's. answer: an answer string other than yes and no stands in the text
    (SQuAD normalisation).
    recall: share of gold passages kept whole. tokens, rendered: counts of the final string and of the string as the
    library renders it. None where undefined.

    Folders: evidence is the mean over the groups of the best alternative's share, complete: all groups whole. Outputs
    of tools: evidence is the share of the gold's visible characters, needs that of what a reader needs beside it,
    complete: both whole. facts: share of the facts that the text says."""
    kept = packed.spans
    answers = [a for a in case.answers if normalised_answer(a) not in JUDGEMENTS]
    whole = {p.id: Span(p.id, 0, len(p.text)) for p in case.passages}
    gold = [all_evidence([whole[g]], kept) for g in case.gold]
    return {
        "budget": budget,
        "tokens": context.tokenizer.count(packed.text),
        "rendered": context.tokenizer.count(packed.rendered),
        **_evidence(case, kept),
        "facts": sum(fact.holds(packed.text) for fact in case.facts) / len(case.facts) if case.facts else None,
        "answer": answer_kept(answers, packed.text) if answers else None,
        "recall": sum(gold) / len(gold) if gold else None,
    }


def _evidence(case: Query, kept: Sequence[Span]) -> Row:
    """The shares of the evidence, by the kind of the set."""
    if case.groups:
        shares = [max(evidence_kept([s], kept) for s in group) for group in case.groups]
        return {"evidence": sum(shares) / len(shares), "complete": min(shares) >= 1.0}
    if case.kind == TOOL:
        (document,) = case.passages
        gold, needs = (visible_share(document.text, spans, kept) for spans in (case.gold_spans, case.needs))
        return {"evidence": gold, "needs": needs, "complete": min(gold, needs) >= 1.0}
    wanted = _alternatives(case)
    return {
        "evidence": max(evidence_kept(spans, kept) for spans in wanted) if wanted else None,
        "complete": any(all_evidence(spans, kept) for spans in wanted) if wanted else None,
    }


def visible_share(text: str, wanted: Sequence[Span], kept: Sequence[Span]) -> float:
    """Share of the characters of `wanted` that are no white space and lie in `kept`; a character counts once for each
    wanted span that holds it. 1.0 when nothing is wanted."""
    inside = bytearray(len(text))
    for span in kept:
        inside[span.start : span.end] = b"\1" * (min(span.end, len(text)) - span.start)
    visible = [i for span in wanted for i in range(span.start, span.end) if not text[i].isspace()]
    return sum(inside[i] for i in visible) / len(visible) if visible else 1.0


def _alternatives(case: Query) -> list[list[Span]]:
    """Evidence of which one part is enough: all of it, or in mode any that of each gold passage."""
    spans = case.evidence()
    if case.mode != "any":
        return [list(spans)] if spans else []
    by_passage: dict[str, list[Span]] = {}
    for span in spans:
        by_passage.setdefault(span.doc_id, []).append(span)
    return list(by_passage.values())
