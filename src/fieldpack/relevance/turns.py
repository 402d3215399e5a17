"""What the documents around a row say of it: turns of a conversation, and passages of one text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fieldpack.arrays import run_starts
from fieldpack.corpus.corpus import Corpus
from fieldpack.field.couplings import TurnGains, turn_gain
from fieldpack.relevance.score import Relevance

TEXT_SHARE = 0.5
"""Share of the log odds that a text's best row lacks to the best of all, which all its rows lose."""


def with_turn_gains(relevance: Relevance, corpus: Corpus, gains: TurnGains) -> Relevance:
    """The relevance with what the documents around each give it, see `fieldpack.field.couplings.turn_gain`."""
    if not (gains.reply or gains.before):
        return relevance
    document = corpus.rows.doc
    same = np.diff(corpus.sequence[corpus.paragraph[run_starts(document)]]) == 0
    return replace(relevance, logit=relevance.logit + turn_gain(relevance.logit, document, same, gains))


def with_text_loss(relevance: Relevance, corpus: Corpus, share: float = TEXT_SHARE) -> Relevance:
    """The relevance where documents are the short passages of several texts: rows lose `share` of what their text's
    best row lacks to the best of all. The rest as it was.

    A long question restates the problem, the answer shares few words with it, but stands in the text whose other
    passages do. benchmarks/README.md has the figures; questions whose evidence lies in several texts would lose.
    """
    if (runs := corpus.passage_runs) is None or not len(relevance.logit):
        return relevance
    run = runs[corpus.rows.doc]
    starts = run_starts(run)
    best = np.maximum.reduceat(relevance.logit, starts)
    loss = share * (best - best.max())
    return replace(relevance, logit=relevance.logit + np.repeat(loss, np.diff(np.append(starts, len(run)))))
