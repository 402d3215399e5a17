"""Turns of a conversation: what was said around a turn speaks for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fieldpack.arrays import run_starts
from fieldpack.corpus.corpus import Corpus
from fieldpack.field.couplings import TurnGains, turn_gain
from fieldpack.relevance.score import Relevance


def with_turn_gains(relevance: Relevance, corpus: Corpus, gains: TurnGains) -> Relevance:
    """The relevance with what the documents around each give it, see `fieldpack.field.couplings.turn_gain`."""
    if not (gains.reply or gains.before):
        return relevance
    document = corpus.rows.doc
    same = np.diff(corpus.sequence[corpus.paragraph[run_starts(document)]]) == 0
    return replace(relevance, logit=relevance.logit + turn_gain(relevance.logit, document, same, gains))
