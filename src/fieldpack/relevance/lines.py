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
from itertools import pairwise

import numpy as np

from fieldpack.arrays import run_starts
from fieldpack.corpus.corpus import Corpus, Unit
from fieldpack.relevance.features import with_contexts
from fieldpack.relevance.intent import Intent, defines
from fieldpack.relevance.signals import Signals
from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.text.structure.diffs import is_diff
from fieldpack.types import KINDS, BoolArray, FloatArray
from fieldpack.words import is_symbol, split, stem_of

_TABLE, _LIST, _CODE = (KINDS.index(kind) for kind in ("table", "list", "code"))
_LINES, _ROWS = 0.6, 0.3
"""Shares of a document's rows: that are table, list or code; and table or list alone."""
_FEWEST, _LISTED = 5, 200
"""Rows of a file of lines, at least; listed rows that are looked at for a list's mark."""
_MARK = re.compile(r"(?:[-*+•–—‣◦]|\(?\w{1,3}[.)])\s")
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
    else, and of other documents the tables. The items of a list in prose are none."""
    spans = corpus.sentences.spans
    kind, document, count = spans.kind, spans.doc, len(corpus.documents)
    size = np.bincount(document, minlength=count)
    rows = np.bincount(document, (kind == _TABLE) | (kind == _LIST), count) / np.maximum(size, 1)
    code = np.bincount(document, kind == _CODE, count) / np.maximum(size, 1)
    lines = (rows + code >= _LINES) & (rows >= _ROWS) & (size >= _FEWEST)
    listed = np.bincount(document, kind == _LIST, count)
    for number in np.flatnonzero(lines & (listed >= 0.3 * size)).tolist():
        lines[number] = not _is_prose_list(corpus, number)
    for number in np.flatnonzero((code >= _LINES) & (rows < _ROWS)).tolist():
        lines[number] = is_diff(corpus.documents[number].text[:_SAMPLE])
    return np.asarray(lines[document] | (kind == _TABLE), np.bool_)


def _is_prose_list(corpus: Corpus, number: int) -> bool:
    """Whether half of the listed rows of a document have a list's mark before them."""
    spans = corpus.sentences.spans
    rows = np.flatnonzero((spans.doc == number) & (spans.kind == _LIST))[:_LISTED]
    text = corpus.documents[number].text
    marked = sum(_MARK.match(text, start) is not None for start in spans.start[rows].tolist())
    return 2 * marked > len(rows)


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
            whole = 1.0 if not is_symbol(word) else 1.5
            share = PART if word in parts or word in _GENERAL else whole
            weight.append(share * self._rarity(values[-1] > SIMILAR))
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

    def _rarity(self, held: BoolArray) -> float:
        """The idf of a word that these sentences (n,) hold, among the line rows."""
        rows, found = float(self.rows.sum()), float((held & self.rows).sum())
        return float(np.log1p((rows - found + 0.5) / (found + 0.5)))

    def _stem(self, word: str) -> BoolArray:
        vocabulary, candidates = self.candidates.corpus.vocabulary, self.candidates
        number = vocabulary.stems.get(stem_of(word), -1)
        return _reduce_any(vocabulary.stem[candidates.words] == number, candidates.offsets)

    def _pairs(self) -> _Terms:
        """Neighbouring words of the query side by side, in either order, or one of them as the name of a column and the
        other in that column."""
        vocabulary, query = self.candidates.corpus.vocabulary, self.query
        at = [i for i in range(len(query.words)) if self._counts(i) and query.ids[i] >= 0 and not is_symbol(query.words[i])]
        words, offsets = self.candidates.words, self.candidates.offsets
        content = ~self._words_of(_SKIPPED)
        flat, sentence = vocabulary.stem[words][content], np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[content]
        same = sentence[:-1] == sentence[1:]
        values, weight = [], []
        for i, j in pairwise(at):
            a, b = vocabulary.stem[query.ids[i]], vocabulary.stem[query.ids[j]]
            side = same & ((flat[:-1] == a) & (flat[1:] == b) | (flat[:-1] == b) & (flat[1:] == a))
            row = np.zeros(len(offsets) - 1, np.float32)
            row[sentence[:-1][side]] = 1
            columns = self._columns(query.words[i], query.words[j])
            row = np.maximum(row, columns)
            values.append(row)
            named = (query.words[i], query.words[j]) in self.intent.names or columns.any()
            weight.append((NAME_PAIR if named else PAIR) * self._rarity(row > 0) * float(bool(row.any())))
        return _Terms(np.array(values, np.float32).reshape(len(values), len(offsets) - 1), np.array(weight, np.float32))

    def _columns(self, first: str, second: str) -> FloatArray:
        """(n,) rows whose header names a column by one of two words and that hold the other in it."""
        candidates = self.candidates
        out = np.zeros(len(candidates.sentences), np.float32)
        context = candidates.context("sentence")
        holds = [self._stem(word) for word in (first, second)]
        for (name, in_name), (cell, in_cell) in (
            ((first, holds[0]), (second, holds[1])),
            ((second, holds[1]), (first, holds[0])),
        ):
            rows = np.flatnonzero((context >= 0) & in_cell & in_name[np.maximum(context, 0)])
            texts = candidates.texts(rows)
            heads = {int(h): candidates.texts(np.array([h]))[0] for h in set(context[rows].tolist())}
            for row, text in zip(rows.tolist(), texts, strict=True):
                out[row] = max(out[row], float(in_column(heads[int(context[row])], text, name, cell)))
        return out

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
        false, true = (self._in_unit(self._words_of(words)) for words in (_FALSE, _TRUE))
        own, context = self._in_unit(hit), candidates.context(self.unit)
        # `"available": false` says it of itself; a header says it of the rows below.
        named = own & (false | true) | (context >= 0) & own[np.maximum(context, 0)]
        answer = np.where(named & false, 0.5, np.where(named & true, -0.5, 0))
        if self.unit == "sentence":
            own = self._in_block(own & ~named) | own & ~named
        return np.where(own & (answer == 0), -1, answer).astype(np.float32)

    def _words_of(self, words: frozenset[str]) -> BoolArray:
        index = self.candidates.corpus.vocabulary.index
        return np.isin(self.candidates.words, [index[w] for w in words if w in index])

    def _in_unit(self, hit: BoolArray) -> BoolArray:
        """(n,) rows of the unit that hold a word of `hit` (m,)."""
        held = _reduce_any(hit, self.candidates.offsets)
        return held if self.unit == "sentence" else np.logical_or.reduceat(held, self.candidates.starts)

    def _in_block(self, held: BoolArray) -> BoolArray:
        """(n,) sentences of a small block of which one holds it."""
        starts, group = self.candidates.starts, self.candidates.group
        small = np.diff(np.append(starts, len(group))) <= BLOCK_ROWS
        return np.logical_or.reduceat(held, starts)[group] & small[group]


def _reduce_any(hit: BoolArray, offsets: FloatArray) -> BoolArray:
    held = np.concatenate(([0], np.cumsum(hit)))
    return np.asarray(held[offsets[1:]] > held[offsets[:-1]], np.bool_)


_CELL = re.compile(r"[ \t]*[|│┃][ \t]*|\t|,|[ ]{2,}|</t[dh]>")


def in_column(header: str, row: str, name: str, cell: str) -> bool:
    """Whether a row holds the word `cell` in a column that the header calls by the word `name`. False where the two
    have not the same number of cells."""
    cells = _cells(row)
    name, cell = stem_of(name), stem_of(cell)
    for line in header.splitlines():
        heads = _cells(line)
        if len(heads) == len(cells) > 1 and any(
            name in map(stem_of, split(head)) and cell in map(stem_of, split(value))
            for head, value in zip(heads, cells, strict=True)
        ):
            return True
    return False


def _cells(line: str) -> list[str]:
    return _CELL.split(line.strip().strip("|│┃"))


_GENERAL = frozenset(["value", "values", "setting", "entry", "row", "line", "record", "show", "list", "find", "tell", "give"])
_DENIALS = frozenset(["not", "never", "no", "t"])
_FALSE = frozenset(["no", "false", "off", "disabled", "none", "never", "inactive", "unavailable"])
_TRUE = frozenset(["yes", "true", "enabled", "active"])
_SKIPPED = STOPWORDS - _DENIALS
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
