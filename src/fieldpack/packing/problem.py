"""The packer's problem: what each row is worth, costs and may do, and the couplings among the rows that can win."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fieldpack.arrays import concat_ranges, offsets_of, sigmoid, sorted_unique
from fieldpack.checks import number
from fieldpack.corpus.corpus import Corpus
from fieldpack.errors import SettingsError
from fieldpack.field.attractors import Attractors
from fieldpack.field.couplings import Couplings, TurnGains
from fieldpack.packing.fillers import says_nothing_alone
from fieldpack.relevance.repeats import RowRepeats
from fieldpack.relevance.same import same_texts
from fieldpack.relevance.score import Relevance
from fieldpack.types import HIDDEN, KINDS, BoolArray, FloatArray, FrozenArrays, IntArray

_EXACT = 0.999
"""Similarity from which a row holds a word of the query."""
SHORTLIST = 2048
"""Rows that the packer looks at where there are more than twice as many: those that are most probable."""
_BUDGETS = 4
"""Budgets of text that the shortlist holds at least."""


@dataclass(frozen=True, slots=True)
class PackingSettings:
    """chain, repel: log odds that a full link adds, a full duplicate takes away (>= 0). cover: worth of seeing every
    word of the query, in rows as probable as the best one. rho: exponents of the cost to try, each in [0, 1].
    complete: log odds added to the neighbours of a packed row inside its paragraph. attract: worth of reaching every
    attractor of the field, in rows. reply, before: share of a document's log odds above the mean that the document
    after it, before it gains (turns of a conversation)."""

    chain: float = 3.0
    repel: float = 8.0
    cover: float = 0.3
    rho: tuple[float, ...] = (0.0,)
    complete: float = 0.5
    attract: float = 0.0
    reply: float = 0.0
    before: float = 0.0

    def __post_init__(self) -> None:
        for name in ("chain", "repel", "cover", "complete", "attract", "reply", "before"):
            number(f"packing setting {name}", getattr(self, name), 0, 1e6)
        if not self.rho or not all(0 <= r <= 1 for r in self.rho):
            raise SettingsError(f"packing setting rho is {self.rho!r}; allowed: one or more numbers from 0 to 1")

    @property
    def turns(self) -> TurnGains:
        """reply and before."""
        return TurnGains(self.reply, self.before)


PARAGRAPH_SETTINGS = PackingSettings()
PASSAGE_SETTINGS = PackingSettings(reply=0.2)
"""Short passages of a few texts: the answer stands after its question (2 points on questions of support)."""
SENTENCE_SETTINGS = PackingSettings(chain=5.0)
"""Sentences share fewer words than paragraphs, so that a link must count for more (measured on multi-hop sets)."""
UNASKED_SETTINGS = PackingSettings(chain=0.0, cover=0.0, complete=0.25, attract=0.25, rho=(0.1,))
"""Without a query no word calls for another piece, but what stands beside a packed row in its paragraph does, a little;
and all attractors of the field are to be reached. (Evidence of all questions, ten sets: complete 0.25 in the place of 0
brings .008; attract costs .002, and is there so that every topic is reached. rho 0.1 in the place of 0: .391 for .390,
more on code and release notes, less on manual pages; 0.25 .379, 0.5 .352.)"""

FOLDER_SETTINGS = PackingSettings(chain=5.0, complete=1.0, rho=(0.3,))
"""Sentences of documents with sections: what stands beside a packed one in its paragraph comes along, and a long row
must be more probable than a short one, as answers are seldom long. (complete 3 for 1: fewer and longer pieces, .507 for
.517 of the evidence on four folders. rho .3 for 0: .531 for .520 on these, .646 for .632 on ten more; .1 to .7 are all
ahead of 0.)"""


@dataclass(frozen=True, eq=False)
class Problem(FrozenArrays):
    """n rows. logit (n,): log odds; cost (n,): tokens > 0; header_tokens (n,): what the first row of its document costs
    once more; max_similarity (q, n): how well each row meets each query word, with word_weight (q,) that sums to 1 or
    0; attraction (k, n) and attraction_weight (k,): the same for the field's attractors; paragraph, document (n,);
    pinned (n,): must be in; eligible (n,): may be in; is_heading (n,): in only with another row of its paragraph;
    couplings: among the rows, None for none. context (n,): the row that must be in with each, -1 for none. same (n,): a
    number for each text, of whose copies one may be in; None where there are none."""

    logit: FloatArray
    cost: IntArray
    header_tokens: IntArray
    max_similarity: FloatArray
    word_weight: FloatArray
    attraction: FloatArray
    attraction_weight: FloatArray
    paragraph: IntArray
    document: IntArray
    pinned: BoolArray
    eligible: BoolArray
    is_heading: BoolArray
    couplings: Couplings | None = None
    context: IntArray | None = None
    same: IntArray | None = None

    def __len__(self) -> int:
        return len(self.logit)

    @property
    def best_probability(self) -> float:
        """That of the best eligible row: the unit of what covering words and reaching attractors is worth."""
        return float(sigmoid(self.logit[self.eligible].max(keepdims=True))[0]) if self.eligible.any() else 0.0

    @property
    def whole_cost(self) -> IntArray:
        """(n,) tokens of each row with all that it needs."""
        if self.context is None:
            return self.cost
        return self.cost + missing_contexts(self, np.zeros(len(self), np.bool_))

    def take(self, rows: IntArray) -> Problem:
        """The problem of some rows (ascending), numbered 0, 1, ..."""
        columns = ("logit", "cost", "header_tokens", "paragraph", "document", "pinned", "eligible", "is_heading")
        return replace(
            self,
            context=None if self.context is None else _renumbered(self.context[rows], rows),
            same=None if self.same is None else self.same[rows],
            max_similarity=self.max_similarity[:, rows],
            attraction=self.attraction[:, rows],
            couplings=None if self.couplings is None else self.couplings.take(rows),
            **{name: getattr(self, name)[rows] for name in columns},
        )


def _renumbered(context: IntArray, rows: IntArray) -> IntArray:
    """Contexts as places in `rows` (k,), ascending, which hold them all."""
    return np.where(context >= 0, np.searchsorted(rows, np.maximum(context, 0)), -1).astype(np.int64)


def continues(problem: Problem, row: int, beside: int) -> bool:
    """Whether what one row says goes on in the one beside it: both are of one paragraph, and not members of a record,
    of which each says something else."""
    is_row = problem.couplings.is_row if problem.couplings is not None else None
    together = bool(problem.paragraph[row] == problem.paragraph[beside])
    return together and (is_row is None or not (is_row[row] and is_row[beside]))


def copies_of(problem: Problem, inside: BoolArray) -> BoolArray:
    """(n,) rows of a text of which a copy is inside (n,) already."""
    if problem.same is None:
        return np.zeros(len(problem), np.bool_)
    packed = np.zeros(int(problem.same.max(initial=-1)) + 1, np.bool_)
    packed[problem.same[inside]] = True
    return np.asarray(packed[problem.same] & ~inside, np.bool_)


def missing_contexts(problem: Problem, inside: BoolArray) -> IntArray:
    """(n,) tokens of the rows that must be in with each row and are not inside (n,) yet. The problem has contexts."""
    assert problem.context is not None
    cost = np.where(inside, 0, problem.cost)
    out = np.zeros(len(problem), np.int64)
    rows = np.flatnonzero(problem.context >= 0)
    chain = problem.context[rows]
    while len(rows):
        out[rows] += cost[chain]
        chain = problem.context[chain]
        rows, chain = rows[chain >= 0], chain[chain >= 0]
    return out


class MissingContexts:
    """`missing_contexts` while rows come in: it changes only when one does that others need."""

    def __init__(self, problem: Problem) -> None:
        context = problem.context
        self._problem, self._tokens = problem, np.zeros(0, np.int64)
        self._needed = frozenset(context[context >= 0].tolist()) if context is not None else frozenset()
        self._valid = False

    def tokens(self, inside: BoolArray) -> IntArray:
        """(n,) tokens of what each row needs and is not inside (n,); not to be written to."""
        if not self._valid:
            self._tokens, self._valid = missing_contexts(self._problem, inside), True
        return self._tokens

    def added(self, row: int) -> None:
        """Says that a row came in."""
        self._valid = self._valid and row not in self._needed


def with_contexts(rows: IntArray, context: IntArray) -> IntArray:
    """Some rows and all that must be in with them, ascending. context (n,): of all rows."""
    chain = context[rows]
    while (chain := chain[chain >= 0]).size:
        rows = sorted_unique(np.concatenate([rows, chain]))
        chain = context[chain]
    return rows


@dataclass(frozen=True, eq=False)
class Admission:
    """Which rows must be in, which may. pinned (n,); min_relevance in [0, 1]; bias (n,): log odds from outside, -inf
    keeps a row out."""

    pinned: BoolArray
    min_relevance: float
    bias: FloatArray


def problem_of(corpus: Corpus, relevance: Relevance, admission: Admission) -> Problem:
    """The problem of all n rows, without couplings and headers."""
    rows, n = corpus.rows, len(corpus.rows)
    logit = np.asarray(relevance.logit + admission.bias, np.float32)
    allowed = (relevance.total >= admission.min_relevance) & (logit > -np.inf) & (rows.kind != HIDDEN)
    return Problem(
        logit=logit,
        # A gap mark costs one token, a row that joins its neighbour none. The true count comes when it is rendered.
        cost=np.asarray(rows.tokens + 1, np.int64),
        header_tokens=np.zeros(n, np.int64),
        max_similarity=relevance.max_similarity,
        word_weight=relevance.word_weight,
        attraction=np.zeros((0, n), np.float32),
        attraction_weight=np.zeros(0, np.float32),
        paragraph=corpus.paragraph,
        document=rows.doc,
        pinned=admission.pinned,
        eligible=allowed | admission.pinned,
        is_heading=corpus.goes_with_others,
        context=rows.context if (rows.context >= 0).any() else None,
    )


def with_copies(problem: Problem, corpus: Corpus, rows: IntArray) -> Problem:
    """The problem of some `rows` of a corpus, with the numbers of their texts where two are the same; and without
    the labels, rules and lines of contents that hold no word of the query: they come with what needs them."""
    same = same_texts(corpus, rows)
    alone = ~(problem.max_similarity > _EXACT).any(0) & ~problem.pinned & ~problem.is_heading
    for place in np.flatnonzero(alone).tolist():
        alone[place] = says_nothing_alone(corpus.documents, corpus.rows, int(rows[place]))
    if alone.any() and (problem.eligible & ~alone).any():
        problem = replace(problem, eligible=problem.eligible & ~alone)
    return problem if (same == np.arange(len(rows))).all() else replace(problem, same=same)


def shortlist_rows(problem: Problem, budget: int) -> IntArray:
    """The rows that can win, ascending: all, or of many the most probable, until they hold several budgets."""
    n = len(problem)
    if n <= 2 * SHORTLIST:
        return np.arange(n)
    value = np.where(problem.eligible, problem.logit, -np.inf)
    first = np.argpartition(-value, SHORTLIST)[:SHORTLIST]
    if int(problem.cost[first].sum()) < _BUDGETS * budget:
        order = np.argsort(-value, kind="stable")
        count = int(np.searchsorted(np.cumsum(problem.cost[order]), _BUDGETS * budget)) + 1
        first = order[: max(count, SHORTLIST)]
    first = sorted_unique(np.concatenate([first, np.flatnonzero(problem.pinned)]))
    return first if problem.context is None else with_contexts(first, problem.context)


def couplings_of(corpus: Corpus, rows: IntArray, query_ids: IntArray) -> Couplings:
    """The couplings among some rows (ascending) of a corpus."""
    level, titles = corpus.level, corpus.titles
    words, offsets, vectors = corpus.words, level.offsets, level.vectors
    is_row = np.asarray(corpus.rows.kind[rows] == KINDS.index("table"), np.bool_)
    title_words, title_offsets, document = titles.ids, titles.offsets, corpus.rows.doc
    if len(rows) < len(level):
        first, last = offsets[rows], offsets[rows + 1]
        words, offsets = words[concat_ranges(first, last)], offsets_of(last - first)
        vectors, owners = vectors[rows], sorted_unique(document[rows])
        first, last = title_offsets[owners], title_offsets[owners + 1]
        title_words, title_offsets = title_words[concat_ranges(first, last)], offsets_of(last - first)
        document = np.searchsorted(owners, document[rows])
    return Couplings(
        words=words,
        offsets=offsets,
        paragraph=corpus.paragraph[rows],
        document=document,
        title_words=title_words,
        title_offsets=title_offsets,
        idf=corpus.frequencies.idf * ~corpus.vocabulary.symbols,  # a name's parts link for it
        query_ids=query_ids,
        vectors=vectors,
        has_titles=corpus.has_titles,
        repeats=RowRepeats(corpus, rows).shares,
        repeats_rows=np.arange(len(rows)),
        is_row=is_row if is_row.any() else None,
    )


def with_attractors(problem: Problem, attractors: Attractors, demand: FloatArray, vectors: FloatArray) -> Problem:
    """With the rows' attraction to the field's attractors. demand (k,): how much each is wanted; vectors (n, d): of the
    rows' paragraphs."""
    if not len(attractors):
        return problem
    attraction = np.asarray(np.maximum(attractors.affinity(vectors), 0).T, np.float32)
    weight = np.asarray(demand / max(float(demand.sum()), 1e-9), np.float32)
    return replace(problem, attraction=attraction, attraction_weight=weight)
