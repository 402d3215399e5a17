"""The words and pairs of words of a query, and how well each row of a file of lines holds them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from fieldpack.relevance.forms import Columns
from fieldpack.relevance.intent import defines
from fieldpack.relevance.signals import Signals
from fieldpack.relevance.stopwords import STOPWORDS
from fieldpack.types import BoolArray, FloatArray, IntArray
from fieldpack.words import is_symbol, split, stem_of

SIMILAR, SIMILAR_SEEN = 0.5, 0.2
"""What a word that is only alike is worth at most: of one that occurs in no row; of one that occurs in others."""
ALIKE = 0.4
"""Similarity from which two words are alike."""
PAIR, NAME_PAIR = 0.3, 0.8
"""What two neighbouring words count besides each: of a sentence; of one name, of a column and its cell."""
WHOLE, PART = 1.5, 0.25
"""What a name with signs counts as a whole (id, date, path), and each of its parts where the whole occurs."""
MOST_CELLS = 1000
"""Rows in which a column's cell is looked up: a value of more rows tells none apart."""
DENIALS = frozenset(["not", "never", "no", "t"])
_GENERAL = frozenset(["value", "values", "setting", "entry", "row", "line", "record", "show", "list", "find", "give"])
"""What a question says of any table: each counts as a part does."""


@dataclass(frozen=True, eq=False)
class Terms:
    """k words or pairs. values (k, n) in [0, 1]: how well each sentence holds them; weight (k,) >= 0."""

    values: FloatArray
    weight: FloatArray


class LineWords:
    """The terms of one query over the candidates of `signals`. rows (n,): the sentences that are rows of lines."""

    def __init__(self, signals: Signals, rows: BoolArray) -> None:
        self._signals, self._rows = signals, rows
        self._query, self._candidates = signals.query, signals.candidates
        self._vocabulary = signals.candidates.corpus.vocabulary
        self._cells = Columns()
        self._holders: dict[str, BoolArray] = {}

    def terms(self) -> Terms:
        """Words and pairs."""
        words, pairs = self._words(), self._pairs()
        return Terms(np.concatenate([words.values, pairs.values]), np.concatenate([words.weight, pairs.weight]))

    def sentences_with(self, hit: BoolArray) -> BoolArray:
        """(n,) sentences that hold one of the marked words (m,) of the candidates."""
        held, offsets = np.concatenate(([0], np.cumsum(hit))), self._candidates.offsets
        return np.asarray(held[offsets[1:]] > held[offsets[:-1]], np.bool_)

    def occurrences(self, words: frozenset[str]) -> BoolArray:
        """(m,) words of the candidates that are among these."""
        index = self._vocabulary.index
        return np.isin(self._candidates.words, [index[w] for w in words if w in index])

    def _words(self) -> Terms:
        counted, parts = self._counted, self._parts
        values = np.zeros((len(counted), len(self._rows)), np.float32)
        weight = np.zeros(len(counted), np.float32)
        for k, i in enumerate(counted):
            word, similarity = self._query.words[i], self._signals.max_similarity[i]
            values[k] = similarity >= 1
            if word.isalpha():  # an id, a number, a date matches itself alone
                stem = self._with_stem(word)
                most = SIMILAR_SEEN if stem.any() else SIMILAR
                values[k] = np.where(
                    stem, 1, np.maximum(values[k], most * np.clip((similarity - ALIKE) / (1 - ALIKE), 0, 1))
                )
            share = PART if word in parts or word in _GENERAL else WHOLE if is_symbol(word) else 1.0
            weight[k] = share * self._rarity(values[k] > SIMILAR)
        return Terms(values, weight)

    def _pairs(self) -> Terms:
        """Neighbouring words of the query side by side, in either order, or one of them as the name of a column and the
        other in that column. Function words between them do not count."""
        query, stems = self._query, self._vocabulary.stem
        ids = [i for i in self._counted if query.ids[i] >= 0 and not is_symbol(query.words[i])]
        content = ~self.occurrences(STOPWORDS - DENIALS)
        flat, sentence = self._stems[content], self._sentence[content]
        same = sentence[:-1] == sentence[1:]
        values, weight = np.zeros((max(len(ids) - 1, 0), len(self._rows)), np.float32), []
        for k, (i, j) in enumerate(pairwise(ids)):
            a, b = stems[query.ids[i]], stems[query.ids[j]]
            side = same & ((flat[:-1] == a) & (flat[1:] == b) | (flat[:-1] == b) & (flat[1:] == a))
            values[k, sentence[:-1][side]] = 1
            first, second = query.words[i], query.words[j]
            columns = self._columns(first, second) | self._columns(second, first)
            values[k, columns] = 1
            named = columns.any() or (first, second) in query.intent.names
            weight.append((NAME_PAIR if named else PAIR) * self._rarity(values[k] > 0) * bool(values[k].any()))
        return Terms(values, np.array(weight, np.float32))

    def _columns(self, name: str, cell: str) -> BoolArray:
        """(n,) rows that hold the word `cell` in a column whose header holds `name`."""
        candidates = self._candidates
        out = np.zeros(len(self._rows), np.bool_)
        context = candidates.context("sentence")
        in_header = (context >= 0) & self._with_stem(name)[np.maximum(context, 0)]
        rows = np.flatnonzero(in_header & self._with_stem(cell))
        if len(rows) <= MOST_CELLS:
            headers, texts = candidates.texts(context[rows]), candidates.texts(rows)
            pairs = zip(headers, texts, strict=True)
            out[rows] = [self._cells.hold(header, text, name, cell) for header, text in pairs]
        return out

    @cached_property
    def _counted(self) -> list[int]:
        """The words of the query to look for: content words that occur, or that a word like them may stand for, but for
        those that it denies."""
        query, intent, best = self._query, self._query.intent, self._signals.max_similarity.max(1, initial=0)
        return [
            i
            for i, word in enumerate(query.words)
            if query.content[i]
            and stem_of(word) not in intent.denied
            and not (intent.definition and defines(word))
            and (query.ids[i] >= 0 or (word.isalpha() and best[i] > ALIKE))
        ]

    @cached_property
    def _parts(self) -> frozenset[str]:
        """Words that are part of a name which occurs as a whole; of two names in each other, the inner one too."""
        query = self._query
        names = [query.words[i] for i in self._counted if query.ids[i] >= 0 and is_symbol(query.words[i])]
        return frozenset(part for name in names for part in split(name) if part != name)

    @cached_property
    def _sentence(self) -> IntArray:
        """(m,) the sentence of each word."""
        offsets = self._candidates.offsets
        return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))

    def _with_stem(self, word: str) -> BoolArray:
        """(n,) sentences that hold a form of the word; not to be written to."""
        stem = stem_of(word)
        if (known := self._holders.get(stem)) is None:
            number = self._vocabulary.stems.get(stem, -1)
            known = self._holders[stem] = self.sentences_with(self._stems == number)
        return known

    @cached_property
    def _stems(self) -> IntArray:
        """(m,) the stem of each word of the candidates."""
        return self._vocabulary.stem[self._candidates.words]

    def _rarity(self, holders: BoolArray) -> float:
        """The idf among the rows of what these sentences (n,) hold."""
        rows, holding = float(self._rows.sum()), float((holders & self._rows).sum())
        return float(np.log1p((rows - holding + 0.5) / (holding + 0.5)))
