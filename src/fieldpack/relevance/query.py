"""One query as words: their numbers in the corpus, weights and vectors."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fieldpack.arrays import unit
from fieldpack.corpus.corpus import Corpus
from fieldpack.corpus.news import asks_for_news
from fieldpack.embed.static import TYPICAL_WEIGHT, StaticEmbedder
from fieldpack.relevance.intent import NO_INTENT, Intent, intent_of
from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.types import BoolArray, FloatArray, IntArray
from fieldpack.words import query_weights, split


@dataclass(frozen=True, eq=False)
class Query:
    """A query's q distinct words.

    ids (q,): their numbers in the corpus's vocabulary, -1 for a word that does not occur. content (q,): False for
    function words. idf (q,): inverse document frequency. share (q,): 1, or 0.5 for a second spelling of what other
    words spell (`fieldpack.words.query_weights`). weight (q,): idf x share x length of the word vector for content
    words, 0 for others; weight_with_stopwords (q,): the same for all. direction (q, d): unit word vectors; vector (d,):
    the unit sum of the word vectors. pairs: neighbouring words. intent: what the text asks for besides its words.
    asks_for_news: whether it asks for versions or changes.
    """

    words: tuple[str, ...]
    ids: IntArray
    content: BoolArray
    idf: FloatArray
    share: FloatArray
    weight: FloatArray
    weight_with_stopwords: FloatArray
    direction: FloatArray
    vector: FloatArray
    pairs: tuple[tuple[str, str], ...]
    intent: Intent = NO_INTENT
    asks_for_news: bool = False

    @property
    def known(self) -> float:
        """Share in [0, 1] of the content words that occur in the corpus."""
        return float((self.ids[self.content] >= 0).mean()) if self.content.any() else 0.0


def parse_query(text: str, corpus: Corpus, static: StaticEmbedder) -> Query:
    """The query over the words of a corpus. A query of function words alone keeps them all as content."""
    ordered = split(text)
    words = tuple(dict.fromkeys(ordered))
    content = np.array([w not in STOPWORDS for w in words], np.bool_)
    if not content.any():
        content[:] = True
    index = corpus.vocabulary.index
    ids = np.array([i if (i := index.get(w, -1)) >= 0 and corpus.holds(i) else -1 for w in words], np.int64)
    known, unseen = corpus.frequencies.idf, corpus.frequencies.unseen_idf
    idf = np.array([known[i] if i >= 0 else unseen for i in ids], np.float32)
    vectors = static.word_vectors(words) if words else np.zeros((0, corpus.vocabulary.direction.shape[1]), np.float32)
    length = np.sqrt(np.einsum("qd,qd->q", vectors, vectors)).astype(np.float32)
    share = np.array(list(query_weights(text).values()), np.float32)
    # A name as a whole has no vector, and counts like any word that the table does not know.
    weight = idf * share * np.where(length > 0, length, TYPICAL_WEIGHT)
    return Query(
        words=words,
        ids=ids,
        content=content,
        idf=idf,
        share=share,
        weight=weight * content,
        weight_with_stopwords=weight,
        direction=vectors / np.maximum(length, 1e-9)[:, None],
        vector=unit(vectors.sum(0, keepdims=True))[0],
        pairs=tuple(pairwise(ordered)),
        intent=intent_of(text),
        asks_for_news=asks_for_news(text),
    )
