"""What a user should know of a pack: nothing relevant, nothing that fits, a language that the model does not know."""

from __future__ import annotations

import numpy as np

from fieldpack.explain import two_digits
from fieldpack.packing.fit import Fitted
from fieldpack.packing.problem import missing_contexts
from fieldpack.scored import Scored
from fieldpack.types import HIDDEN

_UNKNOWN_LANGUAGE = 0.65
"""Share of known words below which a text is in a language that the static table does not know."""
_DOUBTFUL = 0.06
"""Relevance of the best segment below which a pack is hardly an answer: a tenth of 181 questions that folders of
documentation answer are below it, and about one in a hundred of those that passages answer."""


def notes_of(scored: Scored, fitted: Fitted, budget: int, min_relevance: float) -> tuple[str, ...]:
    """One sentence for each thing worth knowing."""
    notes = []
    if not fitted.inside.any():
        notes.append(_why_empty(scored, budget, min_relevance))
    elif (doubt := _doubt(scored)) is not None:
        notes.append(doubt)
    if fitted.cut is not None:
        notes.append("the best segment did not fit and was cut (allow_cut)")
    if fitted.reordered:
        notes.append("the pinned text fits only in the order of the documents; that order was used")
    if len(scored.corpus.rows) and scored.corpus.known < _UNKNOWN_LANGUAGE:
        notes.append("the model does not know this language well: exact words and stems decide here")
    if hidden := len(np.unique(scored.corpus.rows.doc[scored.corpus.rows.kind == HIDDEN])):
        pages = "1 page" if hidden == 1 else f"{hidden:,} pages"
        notes.append(f"navigation, footers, scripts and hidden parts of {pages} are left out")
    if scored.skipped.segments:
        notes.append(str(scored.skipped))
    return (*notes, *scored.notes)


def _doubt(scored: Scored) -> str | None:
    """That nothing is clearly about the query, where that is so."""
    best = float(scored.relevance.total[scored.problem.eligible].max(initial=0.0))
    if not len(scored.relevance.words) or scored.problem.pinned.any() or best >= _DOUBTFUL:
        return None
    return f"nothing here is clearly about the query: the best segment has relevance {two_digits(best)}"


def _why_empty(scored: Scored, budget: int, min_relevance: float) -> str:
    problem = scored.problem
    if not len(problem):
        count = len(scored.corpus.documents) + scored.skipped.documents
        word = "document" if count == 1 else "documents"
        what = f"{count:,} {word} without text" if count else "no documents were given"
        return f"nothing to pack: {what}"
    if not problem.eligible.any():
        best = scored.relevance.total[problem.logit > -np.inf]
        if not len(best):
            return "all segments were kept out by the caller"
        return (
            f"nothing is relevant enough: the best segment has relevance {two_digits(float(best.max()))}, "
            f"the boundary is at {two_digits(min_relevance)}"
        )
    likeliest = int(np.where(problem.eligible, problem.logit, -np.inf).argmax())
    needed = int(problem.cost[likeliest]) - 1
    outside = np.zeros(len(problem), np.bool_)
    along = 0 if problem.context is None else int(missing_contexts(problem, outside)[likeliest])
    takes = f"{needed + along} tokens with what must go with it (a header, a key)" if along else f"{needed} tokens"
    return f"nothing fits: the best segment takes about {takes} and the budget is {budget}; raise it or allow a cut"
