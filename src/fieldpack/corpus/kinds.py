"""What kind of texts documents are, by their number, length and titles: turns of a talk, or the short passages of a few
texts. Both are packed whole: a sentence of one seldom says what it is about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fieldpack.types import Document, IntArray

_FEWEST_TURNS, _TURNS_PER_SPEAKER, _TURN_CHARS = 20, 5, 200
"""From how many turns, how many a speaker on the mean, and up to how many characters on the mean, texts are a talk."""
_FEWEST_PASSAGES, _PASSAGE_CHARS = 20, 500
"""From how many passages, and up to how many characters on the mean, documents are the short passages of texts."""
_LONG_RUN, _IN_LONG_RUNS, _MEAN_RUN = 3, 0.8, 6
"""A text has this many passages one after another; the share of passages that must stand in such; their mean number."""


def is_talk(documents: Sequence[Document]) -> bool:
    """Whether documents are the turns of a talk: many and short, under the names of a few speakers."""
    if len(documents) < _FEWEST_TURNS or sum(len(d.text) for d in documents) > _TURN_CHARS * len(documents):
        return False
    speakers = {d.title for d in documents}
    return "" not in speakers and _TURNS_PER_SPEAKER * len(speakers) <= len(documents)


def are_short_passages(documents: Sequence[Document]) -> bool:
    """Whether documents are the short passages of two texts and more, such as notes of a support desk: most stand one
    after another under a title that they share."""
    count = len(documents)
    if count < _FEWEST_PASSAGES or sum(len(d.text) for d in documents) > _PASSAGE_CHARS * count:
        return False
    sizes = np.bincount(title_runs(documents))
    long = sizes[sizes >= _LONG_RUN]
    return bool(len(long) >= 2 and long.sum() >= _IN_LONG_RUNS * count and count >= _MEAN_RUN * len(sizes))


def title_runs(documents: Sequence[Document]) -> IntArray:
    """(t,) numbers of runs of documents that stand one after another under one title; without a title each is alone."""
    titles = [d.title for d in documents]
    new = [not title or title != before for before, title in zip([None, *titles], titles, strict=False)]
    return np.asarray(np.cumsum(new) - 1, np.int64)
