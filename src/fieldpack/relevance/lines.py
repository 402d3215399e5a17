"""Rows of tables, records, logs, settings, diffs and talk: relevance by the words of the row together with those of the
lines that enclose it.

The learned scorer reads prose. A row of a table holds a few values; what says what it is stands in the header row, the
enclosing key, the entry's first line, the record around it. So such a row is scored by coverage: the share, by idf, of
the query's words that stand in the row, in its contexts (`Segments.context`), or, for a little less, in the block that
holds it. A name of the query (id, date, path, quoted words) counts as a whole, and its parts hardly. Two conditions
must hold in one row: that is what a sum over words in one row says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from fieldpack.arrays import run_starts
from fieldpack.corpus.corpus import Corpus, Unit
from fieldpack.relevance.features import with_contexts
from fieldpack.relevance.intent import Intent, defines
from fieldpack.relevance.signals import Signals
from fieldpack.text.structure.diffs import is_diff
from fieldpack.types import KINDS, BoolArray, FloatArray
from fieldpack.words import is_symbol, split, stem_of

_TABLE, _LIST, _CODE = (KINDS.index(kind) for kind in ("table", "list", "code"))
_LINES, _ROWS = 0.6, 0.3
"""Shares of a document's rows: that are table, list or code; and table or list alone."""
_SAMPLE = 20_000
CONTEXT, BLOCK, RECORD = 0.9, 0.75, 0.95
"""What a word is worth in a row's context, in the block around it, in the record around it."""
SIMILAR, SIMILAR_SEEN, _ALIKE = 0.5, 0.2, 0.4
UNSEEN = 3.0
PAIR, NAME_PAIR = 0.3, 0.8
PART = 0.25
SLOPE, OFFSET, LEARNED = 10.0, -7.0, 0.15
ASKED = 2.0
DENIED = 4.0
QUESTION = 1.0
BLOCK_ROWS = 60


def line_rows(corpus: Corpus) -> BoolArray:
    """(n,) sentences that are rows, records, entries or lines of a file of lines: all of a document that holds little
    else, and of other documents the tables."""
    spans = corpus.sentences.spans
    kind, document, count = spans.kind, spans.doc, len(corpus.documents)
    total = np.maximum(np.bincount(document, minlength=count), 1)
    rows = np.bincount(document, (kind == _TABLE) | (kind == _LIST), count) / total
    code = np.bincount(document, kind == _CODE, count) / total
    lines = (rows + code >= _LINES) & (rows >= _ROWS)
    for number in np.flatnonzero((code >= _LINES) & ~lines).tolist():
        lines[number] = is_diff(corpus.documents[number].text[:_SAMPLE])
    return np.asarray(lines[document] | (kind == _TABLE), np.bool_)


def with_line_evidence(logit: FloatArray, signals: Signals, unit: Unit) -> FloatArray:
    """The log odds (n,) of the candidates' rows, those of line rows by coverage."""
    candidates = signals.candidates
    rows = line_rows(candidates.corpus)[candidates.sentences]
    if not rows.any():
        return logit
    odds = _Evidence(signals, unit, rows).odds()
    if unit == "paragraph":
        rows = np.logical_or.reduceat(rows, candidates.starts)
    out = logit.copy()
    out[rows] = LEARNED * np.clip(logit[rows], -8, 2) + odds[rows]
    return out


@dataclass(frozen=True, eq=False)
class _Terms:
    """k words or pairs of words. values (k, n) in [0, 1]: how well each sentence holds them; weight (k,)."""

    values: FloatArray
    weight: FloatArray


class _Evidence:
    def __init__(self, signals: Signals, unit: Unit, rows: BoolArray) -> None:
        self.signals, self.unit, self.rows = signals, unit, rows
        self.candidates, self.query = signals.candidates, signals.query
        self.intent: Intent = signals.query.intent

    def odds(self) -> FloatArray:
        terms = self._terms()
        own = self._of_unit(terms.values)
        around = CONTEXT * with_contexts(own, self.candidates.context(self.unit))
        best = np.maximum(own, around)
        if self.unit == "sentence":
            best = np.maximum(best, self._of_block(best))
        covered = terms.weight @ best / max(float(terms.weight.sum()), 1e-9)
        out = SLOPE * covered + OFFSET - UNSEEN * self._unseen()
        return np.asarray(out + self._forms(covered), np.float32)

    def _of_unit(self, values: FloatArray) -> FloatArray:
        return values if self.unit == "sentence" else np.maximum.reduceat(values, self.candidates.starts, axis=1)

    def _of_block(self, values: FloatArray) -> FloatArray:
        starts, group = self.candidates.starts, self.candidates.group
        small = np.diff(np.append(starts, len(group))) <= BLOCK_ROWS
        spans = self.candidates.corpus.sentences.spans
        record = spans.kind[self.candidates.sentences] == _TABLE
        context = self.candidates.context("sentence")
        inside = np.flatnonzero(context >= 0)
        inside = inside[group[context[inside]] == group[inside]]
        share = np.where(record, RECORD, BLOCK) * small[group]
        share[context[inside]] = 0  # what others bring along needs no words of theirs
        return np.maximum.reduceat(values, starts, axis=1)[:, group] * share

    def _unseen(self) -> float:
        """Share in [0, 1] of the content words that the corpus does not hold."""
        return 1 - self.query.known

    def _terms(self) -> _Terms:
        words, pairs = self._words(), self._pairs()
        return _Terms(np.concatenate([words.values, pairs.values]), np.concatenate([words.weight, pairs.weight]))

    def _words(self) -> _Terms:
        query, signals = self.query, self.signals
        at = [i for i in range(len(query.words)) if self._counts(i)]
        parts = {p for i in at if query.ids[i] >= 0 and is_symbol(query.words[i]) for p in split(query.words[i])}
        parts -= {query.words[i] for i in at if is_symbol(query.words[i]) and not self._inside_other(i, at)}
        values, weight = [], []
        for i in at:
            word, similarity = query.words[i], signals.max_similarity[i]
            exact = similarity >= 0.9999
            if word.isalpha():
                stem = self._stem(word)
                soft = (SIMILAR_SEEN if stem.any() else SIMILAR) * np.clip((similarity - _ALIKE) / (1 - _ALIKE), 0, 1)
                values.append(np.where(exact | stem, 1.0, soft))
            else:
                values.append(exact.astype(np.float32))
            whole = 1.0 if word in parts or not is_symbol(word) else 1.5
            weight.append(float(query.idf[i]) * (PART if word in parts else whole))
        n = len(self.candidates.sentences)
        return _Terms(np.array(values, np.float32).reshape(len(at), n), np.array(weight, np.float32))

    def _counts(self, i: int) -> bool:
        """Whether a word of the query is one to look for."""
        query, word = self.query, self.query.words[i]
        if not query.content[i] or stem_of(word) in self.intent.denied:
            return False
        if self.intent.definition and defines(word):
            return False
        return bool(query.ids[i] >= 0 or (word.isalpha() and self.signals.max_similarity[i].max(initial=0) > _ALIKE))

    def _inside_other(self, i: int, at: list[int]) -> bool:
        """Whether a name is part of a longer one of the query that occurs."""
        word = self.query.words[i]
        return any(
            j != i and self.query.ids[j] >= 0 and is_symbol(self.query.words[j]) and word in split(self.query.words[j])
            for j in at
        )

    def _stem(self, word: str) -> BoolArray:
        vocabulary, candidates = self.candidates.corpus.vocabulary, self.candidates
        number = vocabulary.stems.get(stem_of(word), -1)
        return _reduce_any(vocabulary.stem[candidates.words] == number, candidates.offsets)

    def _pairs(self) -> _Terms:
        index, frequencies = self.candidates.corpus.vocabulary.index, self.candidates.corpus.frequencies
        stems, ids = self.candidates.corpus.vocabulary.stem, self.candidates.words
        offsets = self.candidates.offsets
        content = {w for w, c in zip(self.query.words, self.query.content, strict=True) if c}
        sentence = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        values, weight = [], []
        flat = stems[ids]
        for a, b in self.query.pairs:
            if a not in content or b not in content or {stem_of(a), stem_of(b)} & self.intent.denied:
                continue
            i, j = index.get(a, -1), index.get(b, -1)
            if i < 0 or j < 0 or is_symbol(a) or is_symbol(b):
                continue
            side = (flat[:-1] == stems[i]) & (flat[1:] == stems[j]) & (sentence[:-1] == sentence[1:])
            row = np.zeros(len(offsets) - 1, np.float32)
            row[sentence[:-1][side]] = 1
            values.append(row)
            share = NAME_PAIR if (a, b) in self.intent.names else PAIR
            weight.append(share * float(frequencies.idf[i] + frequencies.idf[j]) / 2)
        n = len(offsets) - 1
        return _Terms(np.array(values, np.float32).reshape(len(values), n), np.array(weight, np.float32))

    def _forms(self, covered: FloatArray) -> FloatArray:
        """What the intent adds."""
        intent = self.intent
        out = np.zeros(len(covered), np.float32)
        texts = None
        if intent.cause or intent.definition or intent.place or intent.question:
            texts = self._texts()
        for wanted, pattern in ((intent.cause, CAUSE), (intent.definition, DEFINITION), (intent.place, PLACE)):
            if wanted and texts is not None:
                out += ASKED * covered * np.array([pattern.search(t) is not None for t in texts], np.float32)
        if intent.question and texts is not None:
            out -= QUESTION * np.array([t.rstrip().endswith("?") for t in texts], np.float32)
        if intent.denied:
            out += DENIED * self._denied()
        return out

    def _texts(self) -> list[str]:
        candidates = self.candidates
        if self.unit == "sentence":
            return candidates.texts()
        from fieldpack.corpus.corpus import texts_of

        return texts_of(candidates.corpus.paragraphs.spans, candidates.corpus.documents, candidates.paragraphs)

    def _denied(self) -> FloatArray:
        """(n,) in [-1, 1]: -1 for rows that hold what the query denies, without a denial of their own. Where the header
        or the key holds it, a row's "no" or "false" is a yes to the query."""
        vocabulary, candidates = self.candidates.corpus.vocabulary, self.candidates
        numbers = [vocabulary.stems[s] for s in self.intent.denied if s in vocabulary.stems]
        hit = np.isin(vocabulary.stem[candidates.words], numbers)
        hit[1:] &= ~self._words_of(_DENIALS)[:-1]
        holds = self._of_small_block(_reduce_any(hit, candidates.offsets))
        false = self._of_small_block(_reduce_any(self._words_of(_FALSE), candidates.offsets))
        true = self._of_small_block(_reduce_any(self._words_of(_TRUE), candidates.offsets))
        context = candidates.context(self.unit)
        heads = self._of_small_block((context >= 0) & holds[np.maximum(context, 0)], True)
        if heads.any():
            return np.where(heads, np.where(false, 0.5, np.where(true, -0.5, 0)), 0).astype(np.float32)
        return -holds.astype(np.float32)

    def _words_of(self, words: frozenset[str]) -> BoolArray:
        index = self.candidates.corpus.vocabulary.index
        return np.isin(self.candidates.words, [index[w] for w in words if w in index])

    def _of_small_block(self, held: BoolArray, of_unit: bool = False) -> BoolArray:
        """(n,) rows of the unit of which a sentence of their small block holds it."""
        if of_unit:
            return held
        starts, group = self.candidates.starts, self.candidates.group
        by_paragraph = np.logical_or.reduceat(held, starts)
        if self.unit == "paragraph":
            return by_paragraph
        small = np.diff(np.append(starts, len(group))) <= BLOCK_ROWS
        return np.where(small[group], by_paragraph[group], held)


def _reduce_any(hit: BoolArray, offsets: FloatArray) -> BoolArray:
    held = np.concatenate(([0], np.cumsum(hit)))
    return np.asarray(held[offsets[1:]] > held[offsets[:-1]], np.bool_)


_DENIALS = frozenset(["not", "never", "no", "t"])
_FALSE = frozenset(["no", "false", "off", "disabled", "none", "n", "0", "✗", "never", "inactive", "unavailable"])
_TRUE = frozenset(["yes", "true", "on", "enabled", "y", "1", "active"])
CAUSE = re.compile(
    r"^\s*(?:Caused by|E {2,}|[\w.$]+(?:Error|Exception|Fault|Interrupt)\b|error\b|fatal\b|panic\b|FAILED\b|npm (?:ERR!|error))"
    r"|: (?:fatal )?error\b|\b[A-Z]\w*(?:Error|Exception)\b|\b(?:because|due to|reason|root cause|caused by)\b"
    r"|undefined reference|cannot find|not found|refused|denied|timed out",
    re.M,
)
DEFINITION = re.compile(
    r"^\s*(?:[\w./\\-]+:)?(?:\d+[:-])?\s*(?:(?:export|public|private|protected|static|async|default|pub|abstract|final"
    r"|inline|extern|virtual|override|unsafe|const)\s+)*(?:def|class|function|fn|func|struct|interface|type|enum|trait|impl"
    r"|module|namespace|macro|const|let|var|val|sub|proc|#define|CREATE (?:TABLE|VIEW|FUNCTION))\b",
    re.M,
)
PLACE = re.compile(
    r"\b(?:in|on|at|under|behind|inside|beside|above|below|near|by|next to|to|from)\s+(?:the|a|an|my|our|your|his|her|their"
    r"|room|shelf|floor|building|drawer|desk|[A-Z0-9])",
)
