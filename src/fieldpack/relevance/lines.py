"""Rows of tables, records, logs, settings, diffs and talk: relevance by the words of the row together with those of the
lines that enclose it.

The learned scorer reads prose. A row of a table holds a few values; what says what it is stands in the header row, the
enclosing key, the entry's first line, the record around it. So such a row is scored by coverage: the share, by rarity
among the rows, of the query's words that stand in the row, in its contexts (`Segments.context`), or, for less, in the
block that holds it. A name of the query (id, date, path, quoted words) counts as a whole, and its parts hardly. Two
conditions must hold in one row: that is what a sum over the words of one row says.

On 60 cases of tool output at 150, 400 and 1,000 tokens, the answer is packed with all that it needs in .75 of the packs
by the learned scorer alone, and in 1.0 with coverage; on 587 packs of tables, logs and talk of other domains and
layouts, which the weights had not seen, in .86 and .99.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fieldpack.arrays import sigmoid
from fieldpack.corpus.corpus import Unit
from fieldpack.relevance.features import with_contexts
from fieldpack.relevance.forms import CAUSE, DEFINITION, PLACE
from fieldpack.relevance.line_words import DENIALS, LineWords
from fieldpack.relevance.signals import Signals
from fieldpack.types import KINDS, BoolArray, FloatArray, IntArray

_TABLE, _LIST = (KINDS.index(kind) for kind in ("table", "list"))
CONTEXT, BLOCK, RECORD = 0.9, 0.75, 0.95
"""What a word is worth in a row's context, in the block around it, in the record around it."""
BLOCK_ROWS, RECORD_ROWS = 60, 12
"""Rows of a block, at most, whose words speak for each other; fields of a record: of more it is a map, whose members
have little to do with each other."""
SLOPE, OFFSET, UNSEEN, LEARNED = 10.0, -7.0, 3.0, 0.15
"""Log odds of a row: SLOPE x coverage + OFFSET - UNSEEN x the share of the query's words that occur nowhere + LEARNED x
the learned scorer's."""
SHARPNESS = 1.25
"""What the log odds of a row are multiplied by before rows share the probability. Of the rows at or above .5 on 60 tool
outputs 13 % held the answer before, and .74 was said of them. With sharing alone (1 for SHARPNESS) it is .68 and .75,
and the trimmed outputs have 4 % fewer tokens; with 1.25 .50 and .73, and 15 % fewer; with 1.5 .43 and .74, and 22 %
fewer; all with the same evidence."""
FORM, DENIED, QUESTION, NAMED = 2.0, 4.0, 1.0, 0.6
"""Log odds of a row that has the form of an answer, that holds what the query denies, that is a question itself; of a
member of a record that holds a word of the query itself."""
MOST_FORMS = 2048
"""Rows whose texts are read for their form: those that cover most."""
_FALSE = frozenset(["no", "false", "off", "disabled", "none", "never", "inactive", "unavailable"])
_TRUE = frozenset(["yes", "true", "enabled", "active"])


def with_line_evidence(logit: FloatArray, signals: Signals, unit: Unit) -> FloatArray:
    """The log odds (n,) of the candidates' rows in a unit, those of rows of lines by coverage."""
    candidates = signals.candidates
    rows = candidates.corpus.line_rows[candidates.sentences]
    if not rows.any():
        return logit
    odds = _Evidence(signals, unit, rows).odds()
    if unit == "paragraph":
        rows = np.logical_or.reduceat(rows, candidates.starts)
    return np.where(rows, _competing(LEARNED * np.clip(logit, -8, 2) + odds, rows), logit).astype(np.float32)


def _competing(odds: FloatArray, rows: BoolArray) -> FloatArray:
    """Log odds (n,) calibrated: as a rule one row of an output answers, so that rows which fit equally well share the
    probability. Keeps the order of the rows."""
    sharp = SHARPNESS * odds
    fitting = sigmoid(sharp[rows]).astype(np.float64)
    return np.asarray(sharp - np.log1p(fitting.sum() - fitting.max()), np.float32)


@dataclass(frozen=True, eq=False)
class _Evidence:
    """One query over rows of lines. rows (n,): the sentences that are such."""

    signals: Signals
    unit: Unit
    rows: BoolArray

    @cached_property
    def _words(self) -> LineWords:
        return LineWords(self.signals, self.rows)

    def odds(self) -> FloatArray:
        """(n,) log odds of the rows of the unit."""
        terms, candidates = self._words.terms(), self.signals.candidates
        best = terms.values
        if self.unit == "paragraph":
            best = np.maximum.reduceat(best, candidates.starts, axis=1)
        best = np.maximum(best, CONTEXT * with_contexts(best, candidates.context(self.unit)))
        best = np.maximum(best, self._beside(best))
        if self.unit == "sentence":
            best = np.maximum(best, self._around(best))
            best[:, np.diff(candidates.offsets) == 0] = 0  # closing brackets and rules say nothing
        covered = np.asarray(terms.weight @ best / max(float(terms.weight.sum()), 1e-9), np.float32)
        odds = SLOPE * covered + OFFSET - UNSEEN * (1 - self.signals.query.known)
        odds = odds + self._forms(covered) + DENIED * self._denied()
        if self.unit == "sentence":
            odds = odds + NAMED * (self._members & (terms.weight @ (terms.values >= 1) > 0))
        return np.asarray(odds, np.float32)

    def _around(self, values: FloatArray) -> FloatArray:
        """(k, n) what the block around each sentence gives it."""
        candidates, group = self.signals.candidates, self.signals.candidates.group
        table = candidates.corpus.sentences.spans.kind[candidates.sentences] == _TABLE
        record = table & (self._sizes <= RECORD_ROWS)[group]
        share = np.where(record, RECORD, BLOCK) * self._small[group]
        context = candidates.context("sentence")
        inside = np.flatnonzero(context >= 0)
        inside = inside[group[context[inside]] == group[inside]]
        share[context[inside]] = 0  # what others bring along needs no words of theirs
        out = np.maximum.reduceat(values, candidates.starts, axis=1)[:, group] * share
        return np.asarray(out, np.float32)

    def _beside(self, values: FloatArray) -> FloatArray:
        """(k, n) what the other fields of its record give each listed row, where the line that opens the record is that
        of others too ([[package]]): it names none of them, one of the fields does."""
        candidates, out = self.signals.candidates, np.zeros_like(values)
        context, listed = candidates.context(self.unit), candidates.kinds(self.unit) == _LIST
        fields = np.flatnonzero(listed & (context >= 0))
        fields = fields[listed[context[fields]]]
        if not len(fields):
            return out
        opening, record = np.unique(context[fields], return_inverse=True)
        _, alike, times = np.unique(candidates.texts(opening, self.unit), return_inverse=True, return_counts=True)
        speaks = (times[alike] > 1) & (np.bincount(record) <= RECORD_ROWS)
        order = np.argsort(record, kind="stable")
        starts = np.searchsorted(record[order], np.arange(len(opening)))
        said = np.maximum.reduceat(values[:, fields[order]], starts, axis=1) * (RECORD * speaks)
        out[:, fields] = said[:, record]
        return out

    @cached_property
    def _members(self) -> BoolArray:
        """(n,) members of records, which share what names the record."""
        candidates, group = self.signals.candidates, self.signals.candidates.group
        table = candidates.corpus.sentences.spans.kind[candidates.sentences] == _TABLE
        context = candidates.context("sentence")
        return np.asarray(table & (context >= 0) & (group[np.maximum(context, 0)] == group), np.bool_)

    @cached_property
    def _sizes(self) -> IntArray:
        """(g,) rows of each block."""
        candidates = self.signals.candidates
        return np.diff(np.append(candidates.starts, len(candidates.group)))

    @cached_property
    def _small(self) -> BoolArray:
        """(g,) blocks whose rows speak for each other."""
        return self._sizes <= BLOCK_ROWS

    def _forms(self, covered: FloatArray) -> FloatArray:
        """(n,) what the form of a row adds, for a question that asks for one."""
        intent, out = self.signals.query.intent, np.zeros(len(covered), np.float32)
        forms = ((intent.cause, CAUSE), (intent.definition, DEFINITION), (intent.place, PLACE))
        patterns = [pattern for wanted, pattern in forms if wanted]
        if not patterns and not intent.question:
            return out
        rows = np.sort(np.argsort(-covered, kind="stable")[:MOST_FORMS])
        for row, text in zip(rows.tolist(), self.signals.candidates.texts(rows, self.unit), strict=True):
            fitting = sum(pattern.search(text) is not None for pattern in patterns)
            out[row] = FORM * covered[row] * fitting - QUESTION * (intent.question and text.endswith("?"))
        return out

    def _denied(self) -> FloatArray:
        """(n,) in [-1, 1]: -1 for rows that hold what the query denies, without a denial of their own. Where the header
        or the key holds it, a row's "no" or "false" is a yes to the query."""
        candidates, denied = self.signals.candidates, self.signals.query.intent.denied
        context = candidates.context(self.unit)
        if not denied:
            return np.zeros(len(context), np.float32)
        vocabulary, words = candidates.corpus.vocabulary, self._words
        hit = np.isin(vocabulary.stem[candidates.words], [vocabulary.stems[s] for s in denied if s in vocabulary.stems])
        hit[1:] &= ~words.occurrences(DENIALS)[:-1]
        false, true = (self._in_unit(words.occurrences(answers)) for answers in (_FALSE, _TRUE))
        own = self._in_unit(hit)
        # `"available": false` says it of itself; a header says it of the rows below.
        named = own & (false | true) | (context >= 0) & own[np.maximum(context, 0)]
        answer = np.where(named & false, 0.5, np.where(named & true, -0.5, 0))
        own &= ~named
        if self.unit == "sentence":
            group = candidates.group
            own |= np.logical_or.reduceat(own, candidates.starts)[group] & self._small[group]
        return np.where(own & (answer == 0), -1, answer).astype(np.float32)

    def _in_unit(self, hit: BoolArray) -> BoolArray:
        """(n,) rows of the unit that hold a marked word (m,)."""
        held = self._words.sentences_with(hit)
        return held if self.unit == "sentence" else np.logical_or.reduceat(held, self.signals.candidates.starts)
