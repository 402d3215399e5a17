"""When one row of words says again what another has said: copies and overlapping pieces of one text, nothing less.

Two statements that differ in a negation, a number, a date, a name, a unit or the order of their words are alike by any
cosine, and are not repeats. So the words are compared in order, and what the second row has besides the shared run
decides. Everything is linear in the rows' lengths; `difflib` is quadratic on repeated words, and a row is what a
stranger wrote.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import regex

from fieldpack.corpus.corpus import Corpus
from fieldpack.types import KINDS, BoolArray, FloatArray, IntArray
from fieldpack.words import is_symbol, split_with_offsets

Ids = npt.NDArray[np.integer]

NEAREST = 32
"""Rows that a packed row is compared with word by word, besides its copies: a log has thousands that are alike."""
_STATEMENT = 24
"""Words up to which a row is one statement: a single word more or another is another statement."""
_REACH = 6
"""Words beside a shared run in which a negation turns it round."""
_LEAST = 0.75
"""Share of a row's words that another has said before, from which the row begins to be a repeat."""

_DENYING = {
    "English": "no not t nor never none nobody nothing neither nowhere without cannot hardly",  # t: isn't
    "German": "nicht kein keine keinen keiner keinem keines nie niemals niemand nichts ohne weder nirgends",
    "Dutch": "niet geen nooit niemand niets zonder noch nergens",
    "French": "ne n pas jamais rien aucun aucune personne sans ni non nul nulle",
    "Italian": "non mai nessun nessuno nessuna niente nulla senza ne",
    "Spanish": "no nunca jamas nadie nada ningun ninguno ninguna sin ni tampoco",
    "Portuguese": "nao nunca ninguem nada nenhum nenhuma sem nem",
    "Romanian": "nu niciodata nimeni nimic niciun nicio fara nici",
    "Polish": "nie nigdy nikt nic zaden zadna zadne bez ani brak",
    "Czech": "ne neni nikdy nikdo nic zadny zadna zadne bez ani",
    "Russian": "не нет ни никогда никто ничего ничто нельзя без никакой никакая никакие",
    "Ukrainian": "не ні ніколи ніхто нічого немає жоден без",
    "Swedish": "inte ingen inget inga aldrig utan",
    "Danish, Norwegian": "ikke ikkje ingen intet aldri aldrig uten uden",
    "Turkish": "degil yok hayir hic hicbir asla",
    "Greek": "δεν μην οχι ποτε κανενασ κανεισ τιποτα χωρισ",
    "Hungarian": "nem nincs soha senki semmi nelkul",
    "Arabic": "لا لم لن ليس ليست ليسوا غير بدون دون ما كلا ولا فلا",
    "Persian": "نه نیست بدون هرگز",
    "Hebrew": "לא אין אינו אינה ללא בלי אל",
    "Hindi": "नहीं नही न ना मत बिना कभी",
}
"""As `split` writes them. What is no denial (Dutch "nu" is "now") costs a copy kept, what is missing a fact lost."""
_NEGATIONS = frozenset(word for words in _DENYING.values() for word in words.split())
_NEGATION_PARTS = regex.compile(r"[不没沒无無未非勿莫别別]|ない|ませ|せん|なし|ไม่|않|없|못|아니|^안$")
"""Of words that are two characters of a longer run, and of Korean stems."""
_NUMBER = regex.compile(r"\p{N}|[〇一二三四五六七八九十百千万億亿]")
_CAPITAL = regex.compile(r"\p{Lu}")
_OPENING = regex.compile(r"(?:^|[.!?:;…。！？\n])[\s\"'“”‘’«»„(\[*_-]*$")


@dataclass(frozen=True, eq=False)
class Statement:
    """A row of m words: ids (m,); number (m,), negation (m,): which are numbers, which deny; text: the row as it is
    written, for its names, "" where it is not at hand."""

    ids: Ids
    number: BoolArray
    negation: BoolArray
    text: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    @staticmethod
    def of(ids: Ids, vocabulary: Sequence[str], text: str = "") -> Statement:
        """ids (m,): the row's words, as numbers of `vocabulary`."""
        different, place = np.unique(ids, return_inverse=True)
        words = [vocabulary[i] for i in different.tolist()]
        number = np.fromiter((_NUMBER.search(w) is not None for w in words), np.bool_, len(words))
        negation = np.fromiter(map(is_negation, words), np.bool_, len(words))
        return Statement(ids, number[place], negation[place], text)

    @cached_property
    def decisive(self) -> BoolArray:
        """(m,) numbers, dates, names. Where the row's words are not those of its text read at one go (a paragraph is
        read sentence by sentence), no word is taken for a name."""
        names = names_in(self.text) if self.text else self.number
        return self.number | names if len(names) == len(self.ids) else self.number


class RowRepeats:
    """Which rows of a corpus repeat which, for some rows (n,) of it. What was read of a row is kept: one is made for a
    pack."""

    def __init__(self, corpus: Corpus, rows: IntArray) -> None:
        self._corpus, self._rows = corpus, rows
        self._statements: dict[int, Statement] = {}
        self._numbers: dict[bytes, int] = {}
        self._number = np.full(len(rows), -1, np.int64)

    def shares(self, row: int, others: IntArray) -> FloatArray:
        """(k,) in [0, 1]: how much each of `others` is superfluous beside `row`, see `repeat_share`. The others come
        with those first that are most alike: copies word for word are found among all, longer and shorter pieces of
        one text among the first NEAREST that are no such copies."""
        first, width = self._bytes(row), self._corpus.words.itemsize
        out: FloatArray = (self._same(others) == self._same(np.array([row]))).astype(np.float32)
        others_records = self._record[others] != self._record[row]  # another record has its own "status": "paid"
        out[others_records] = 0
        for k in np.flatnonzero((out == 0) & ~others_records)[:NEAREST].tolist():
            other = int(others[k])
            if may_repeat(first, self._bytes(other), width):
                out[k] = repeat_share(self.statement(row), self.statement(other))
        return out

    def _same(self, rows: IntArray) -> IntArray:
        """(k,) a number for each of some rows, the same for rows of the same words."""
        for row in rows[self._number[rows] < 0].tolist():
            self._number[row] = self._numbers.setdefault(self._bytes(row), len(self._numbers))
        return self._number[rows]

    def _bytes(self, row: int) -> bytes:
        """A row's words as they are in memory."""
        return self._ids(row).tobytes()

    @cached_property
    def _record(self) -> IntArray:
        """(n,) the key or header that each row of a table or a record goes with, -1 for none."""
        rows = self._corpus.rows
        table = rows.kind[self._rows] == KINDS.index("table")
        return np.where(table, rows.context[self._rows], -1)

    def statement(self, row: int) -> Statement:
        """A row's words, with the numbers, names and denials among them."""
        known = self._statements.get(row)
        if known is None:
            text = self._corpus.texts(self._rows[row : row + 1])[0]
            known = Statement.of(self._ids(row), self._corpus.vocabulary.words, text)
            self._statements[row] = known
        return known

    def _ids(self, row: int) -> Ids:
        at = int(self._rows[row])
        offsets = self._corpus.level.offsets
        return self._corpus.words[offsets[at] : offsets[at + 1]]


def is_negation(word: str) -> bool:
    """Whether a word (as `split` gives it) denies, in one of twenty-five languages."""
    return word in _NEGATIONS or _NEGATION_PARTS.search(word) is not None


def names_in(text: str) -> BoolArray:
    """(m,) which of the words of `split(text)` have a capital without opening a sentence, or are names with signs."""
    places = split_with_offsets(text)
    return np.fromiter(
        (
            is_symbol(word)
            or (_CAPITAL.match(text, start) is not None and _OPENING.search(text, max(0, start - 8), start) is None)
            for word, start, _ in places
        ),
        np.bool_,
        len(places),
    )


def may_repeat(first: bytes, again: bytes, width: int) -> bool:
    """Whether `repeat_share` of two rows of words, of `width` bytes each, can be more than 0: False for most rows that
    are alike, after four comparisons of bytes."""
    n, m = len(first) // width, len(again) // width
    least = math.ceil(_LEAST * m) * width
    if again[:least] in first or first[:least] in again:
        return n > 0 and m > 0
    # Rows that begin and end alike have one of the two for half of what both together must be.
    half = math.ceil(_LEAST * m / 2) * width
    return min(n, m) >= _STATEMENT and (first.startswith(again[:half]) or first.endswith(again[-half:]))


def repeat_share(first: Statement, again: Statement) -> float:
    """In [0, 1]: how much of `again` is superfluous beside `first`. 1 where `first` holds all of it in the same order,
    as a copy or a longer piece of the text; 0 where they are statements of their own; between where `again` goes on
    beyond a piece that both share, or is a long text with a few other words."""
    n, m = len(first), len(again)
    if not n or not m:
        return 0.0
    if n == m and np.array_equal(first.ids, again.ids):
        return 1.0
    start = position(first.ids, again.ids)
    if start >= 0:
        around = np.concatenate((first.negation[max(0, start - _REACH) : start], first.negation[start + m :][:_REACH]))
        return 0.0 if around.any() else 1.0
    start = position(again.ids, first.ids)
    if start >= 0:
        return _extended(again, start, start + n)
    before, after = _overlap(first.ids, again.ids, _LEAST * m), _overlap(again.ids, first.ids, _LEAST * m)
    if max(before, after) >= _LEAST * m:
        return _extended(again, 0, before) if before >= after else _extended(again, m - after, m)
    return _edited(first, again)


def _extended(row: Statement, start: int, end: int) -> float:
    """Of a row whose words [start, end) were said before, the others not."""
    new = np.ones(len(row), np.bool_)
    new[start:end] = False
    near = new.copy()
    near[: max(0, start - _REACH)] = near[end + _REACH :] = False
    if (row.negation & near).any() or (len(row) < _STATEMENT and (row.decisive & new).any()):
        return 0.0
    return _grown((end - start) / len(row))


def _edited(first: Statement, again: Statement) -> float:
    """Of rows that begin or end alike: a long text whose few other words are neither numbers nor names nor a denial."""
    shorter = min(len(first), len(again))
    head = _alike(first.ids[:shorter], again.ids[:shorter])
    tail = min(_alike(first.ids[::-1][:shorter], again.ids[::-1][:shorter]), shorter - head)
    if shorter < _STATEMENT or head + tail < _LEAST * len(again):
        return 0.0
    for row in (first, again):
        middle = slice(head, len(row) - tail)
        # Names are looked up in the text, so they are asked for last.
        if row.number[middle].any() or row.negation[middle].any() or row.decisive[middle].any():
            return 0.0
    return _grown((head + tail) / max(len(first), len(again)))


def _grown(share: float) -> float:
    return max(0.0, (share - _LEAST) / (1 - _LEAST)) ** 2


def _alike(a: Ids, b: Ids) -> int:
    """How many words two rows of one length begin with in common."""
    other = np.flatnonzero(a != b)
    return int(other[0]) if len(other) else len(a)


def position(row: Ids, part: Ids) -> int:
    """Where `part` stands in `row` in one piece, -1 if it does not."""
    whole, piece = row.astype(np.int64).tobytes(), part.astype(np.int64).tobytes()
    at = whole.find(piece)
    while at >= 0 and at % 8:
        at = whole.find(piece, at + 1)
    return at // 8


def _overlap(before: Ids, after: Ids, least: float) -> int:
    """`overlap`, or 0 where it is less than `least`: most rows do not even hold so long a beginning of the other."""
    piece = after[: math.ceil(least)]
    return overlap(before, after) if len(piece) >= least and position(before, piece) >= 0 else 0


def overlap(before: Ids, after: Ids) -> int:
    """The longest end of `before` that is a beginning of `after` (Knuth, Morris & Pratt 1977)."""
    size = min(len(before), len(after))
    begin = after[:size].tolist()
    fall, k = [0] * size, 0
    for i in range(1, size):
        while k and begin[i] != begin[k]:
            k = fall[k - 1]
        k += begin[i] == begin[k]
        fall[i] = k
    k = 0
    for word in before[len(before) - size :].tolist():
        while k and (k == size or word != begin[k]):
            k = fall[k - 1]
        k += word == begin[k]
    return k
