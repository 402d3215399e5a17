"""Relevance of every row to one or several queries, as calibrated log odds, with the parts they came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fieldpack.arrays import read_only, scatter, sigmoid, sorted_unique
from fieldpack.corpus.corpus import Corpus, Unit
from fieldpack.relevance.features import paragraph_features, sentence_features
from fieldpack.relevance.lines import with_line_evidence
from fieldpack.relevance.progress import behind_others
from fieldpack.relevance.query import Query
from fieldpack.relevance.scorer import Scorer, combined, facts
from fieldpack.relevance.sections import SectionSignals, promising, section_features, section_signals
from fieldpack.relevance.shortlist import Candidates, shortlist, some_candidates
from fieldpack.relevance.signals import signals_of
from fieldpack.types import HIDDEN, KINDS, FloatArray, FrozenArrays, IntArray

_FEW_WORDS, _MET, _FRAGMENT = 4, 0.3, 2.0
"""A row of at most so many words whose maxsim is below _MET loses _FRAGMENT log odds."""
_ANNOUNCED, _CODE = 1.0, KINDS.index("code")
"""Log odds that code may be behind the sentence that announces it."""
_FLOOR = -12.0
"""Log odds of what was ranked out before its features were read."""
Reread = Callable[[Candidates, FloatArray], FloatArray]
"""The scores (g,) of paragraphs in sections, from those by the cheap signals: a second model read the best of them."""


@dataclass(frozen=True, eq=False)
class Relevance(FrozenArrays):
    """logit (n,): calibrated log odds of holding evidence. parts {feature: (n,)}: raw features of the first query.
    max_similarity (q, n) in [-1, 1]: the best match of each content word of all queries in each row; word_weight (q,)
    sums to 1; words: their spelling. known: share of the content words that the candidates hold. query_ids: the
    queries' words as numbers in the vocabulary."""

    logit: FloatArray
    parts: Mapping[str, FloatArray]
    max_similarity: FloatArray
    word_weight: FloatArray
    words: tuple[str, ...]
    known: float
    query_ids: IntArray

    @cached_property
    def total(self) -> FloatArray:
        """(n,) in [0, 1]: the probability."""
        return read_only(sigmoid(self.logit))


def relevance_of_nothing() -> Relevance:
    """That of no rows."""
    return Relevance(
        logit=np.zeros(0, np.float32),
        parts={},
        max_similarity=np.zeros((0, 0), np.float32),
        word_weight=np.zeros(0, np.float32),
        words=(),
        known=0.0,
        query_ids=np.zeros(0, np.int64),
    )


@dataclass(frozen=True, eq=False)
class Setup:
    """How queries are scored. scorer: the weights. weights: of each query, in (0, 1], what its evidence is worth; ()
    for 1 each. unit: the rows that are scored. reread: for each query a second model, which documents in sections are
    read with; () for none."""

    scorer: Scorer
    unit: Unit
    weights: Sequence[float] = ()
    reread: Sequence[Reread] = ()


def score(
    queries: Sequence[Query], corpus: Corpus, setup: Setup, dense: Sequence[FloatArray] | None = None
) -> Relevance:
    """The relevance of the rows of `corpus`. dense: for each query (g,) cosines of a sentence embedder to the
    paragraphs. Raises nothing: a query without words gives every row the same odds."""
    of_sections = [section_signals(q, corpus) for q in queries]
    candidates = [
        _candidates(q, corpus, signals, None if dense is None else dense[k])
        for k, (q, signals) in enumerate(zip(queries, of_sections, strict=True))
    ]
    return score_candidates(queries, candidates, of_sections, setup, dense)


def _candidates(
    query: Query, corpus: Corpus, of_sections: SectionSignals | None, dense: FloatArray | None
) -> Candidates:
    """The paragraphs that a query reads closely: all of a small corpus, of a large one those that promise most."""
    if corpus.postings is None or of_sections is None:
        return shortlist(query, corpus, dense)
    return some_candidates(corpus, promising(of_sections, dense))


def score_candidates(
    queries: Sequence[Query],
    candidates: Sequence[Candidates],
    of_sections: Sequence[SectionSignals | None],
    setup: Setup,
    dense: Sequence[FloatArray] | None = None,
) -> Relevance:
    """`score` where the candidates of each query, and what it finds in the sections, are known; rows that are none get
    the least log odds."""
    each = []
    for k, (query, some, signals) in enumerate(zip(queries, candidates, of_sections, strict=True)):
        cosines = None if dense is None else dense[k][some.paragraphs]
        part = _score_query(query, some, signals, replace(setup, reread=setup.reread[k : k + 1]), cosines)
        each.append(_over_all_rows(part, some, setup.unit))
    weight = np.concatenate([e.word_weight for e in each])
    return Relevance(
        logit=combined([e.logit for e in each], setup.weights),
        parts=each[0].parts,
        max_similarity=np.concatenate([e.max_similarity for e in each]),
        word_weight=np.asarray(weight / max(float(weight.sum()), 1e-9), np.float32),
        words=tuple(w for e in each for w in e.words),
        known=min(e.known for e in each),
        query_ids=sorted_unique(np.concatenate([e.query_ids for e in each])),
    )


def _score_query(
    query: Query, candidates: Candidates, of_sections: SectionSignals | None, setup: Setup, dense: FloatArray | None
) -> Relevance:
    """Relevance of the candidates' rows alone. dense (g,): of the candidates. The setup is that of this query."""
    signals = signals_of(candidates, query)
    layer = setup.scorer.paragraph if dense is None else setup.scorer.dense
    features = paragraph_features(signals, dense)
    score = layer.score(features.table)
    raw, best, words = features.raw, signals.paragraph_similarity, candidates.paragraph_lengths
    of_sentences = setup.scorer.sentence
    if of_sections is not None:
        features = section_features(signals, features, score, of_sections)
        raw = raw | features.raw
        layer, of_sentences = setup.scorer.section, setup.scorer.section_sentence
        score = layer.score(features.table)
        for reread in setup.reread:
            score = reread(candidates, score)
    if setup.unit == "sentence":
        sentence = sentence_features(signals, score)
        raw = {k: v[candidates.group] for k, v in raw.items()} | sentence.raw
        layer, best, words = of_sentences, signals.max_similarity, candidates.lengths
        score = layer.score(sentence.table)
    logit = layer.logit(score, facts(score, raw, query.known))
    # A rule, a fence, a lone sign says nothing; a few words without one of the query's say hardly more.
    logit[(words <= _FEW_WORDS) & (raw["maxsim"] < _MET)] -= _FRAGMENT
    logit = behind_others(with_line_evidence(logit, signals, setup.unit), signals, setup.unit)
    if of_sections is not None:
        logit = with_announced_code(logit, candidates, setup.unit)
    logit[(words == 0) | (candidates.kinds(setup.unit) == HIDDEN)] = _FLOOR
    content = np.flatnonzero(query.content)
    return Relevance(
        logit=logit,
        parts=raw,
        max_similarity=best[content],
        word_weight=query.weight[content],
        words=tuple(query.words[i] for i in content),
        known=query.known,
        query_ids=query.ids[query.ids >= 0],
    )


def with_announced_code(logit: FloatArray, candidates: Candidates, unit: Unit) -> FloatArray:
    """The log odds (n,) of rows, where code is at most _ANNOUNCED less probable than the sentence that announces it:
    "set the limit like this::" is no answer without what follows."""
    context, is_code = candidates.context(unit), candidates.kinds(unit) == _CODE
    code = np.flatnonzero((context >= 0) & is_code)
    code = code[~is_code[context[code]]]
    out = logit.copy()
    out[code] = np.maximum(logit[code], logit[context[code]] - _ANNOUNCED)
    return out


def _over_all_rows(part: Relevance, candidates: Candidates, unit: Unit) -> Relevance:
    """The relevance of some candidates as that of all rows of the corpus."""
    if candidates.all:
        return part
    corpus = candidates.corpus
    rows, size = candidates.rows(unit), len(corpus.sentences if unit == "sentence" else corpus.paragraphs)
    return Relevance(
        logit=scatter(part.logit, rows, size, min(_FLOOR, float(part.logit.min()))),
        parts=_ScatteredFeatures(part.parts, rows, size),
        max_similarity=scatter(part.max_similarity, rows, size),
        word_weight=part.word_weight,
        words=part.words,
        known=part.known,
        query_ids=part.query_ids,
    )


class _ScatteredFeatures(Mapping[str, FloatArray]):
    """Features of some rows as those of all, made when a name is looked up: most packs need none."""

    def __init__(self, parts: Mapping[str, FloatArray], rows: IntArray, size: int) -> None:
        self._parts, self._rows, self._size = parts, rows, size

    def __getitem__(self, name: str) -> FloatArray:
        return scatter(self._parts[name], self._rows, self._size)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)
