"""Lines of progress: many of one template ("[12/300] Building CXX object a.o", "Collecting six", "Downloading 10%").

Each of them holds what a question about the build, the download or the run names, and none of them says anything that
the others do not. So a line that has no more evidence than the typical line of its template stands behind the lines of
its document that are no such lines. A line that stands out stays where it is: the question names what is particular in
it, or around it. So does a line that names an error.

Of six generated outputs (`tests/test_progress.py`) at 150 tokens, trimmed, 10 of the 13 other lines are kept, and 2
without this.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from fieldpack.arrays import run_starts, sorted_unique
from fieldpack.corpus.corpus import Unit
from fieldpack.relevance.forms import CAUSE
from fieldpack.relevance.lines import BLOCK_ROWS
from fieldpack.relevance.signals import Signals
from fieldpack.types import KINDS, BoolArray, FloatArray, IntArray, Segments
from fieldpack.words import stem_of

FEWEST, SHARE = 20, 0.15
"""Lines of one template that are progress, and their share of the rows of their document, at least."""
BEHIND, LOW = 7.0, 0.1
"""Log odds that a line of progress is below an unlikely row that is none (one in ten is less likely), at least: as it
shares words with the others, a packed one may lift it by five."""
_LONGEST, _TOKENS = 400, 40
"""Characters and white-space tokens of a line of progress, at most."""
_SAMPLE = 100
"""Lines of a template that are compared, at least."""
_DEPTH = 8
"""Enclosing keys of a row whose words are its own."""
_DATA = ("<", "{", "}", '"', "|")
"""Signs before markup, records and tables."""
_LEAD = 4
"""Tokens of a line in which its first word is looked for: before it stand counters, times, marks."""
_DIGIT, _LETTER = re.compile(r"\d"), re.compile(r"[^\W\d_]{2}")
_TABLE, _CODE, _HEADING = (KINDS.index(kind) for kind in ("table", "code", "heading"))


def behind_others(logit: FloatArray, signals: Signals, unit: Unit) -> FloatArray:
    """The log odds (n,) of the candidates' rows in a unit, those of lines of progress behind the other rows of their
    document. A question for such lines ("which packages ...", "all ...", "where is ...") is answered by them."""
    candidates, kinds = signals.candidates, signals.candidates.kinds(unit)
    spans = candidates.spans(unit)
    document = spans.doc[candidates.rows(unit)]
    rows = np.flatnonzero((kinds != _TABLE) & (kinds != _CODE) & _may_hold_progress(spans, document))
    intent = signals.query.intent
    if not len(rows) or intent.listing or intent.place or intent.definition:
        return logit
    texts, document = candidates.texts(rows, unit), document[rows]
    group = _outermost(_template_of_rows(texts, document), rows, candidates.context(unit))
    if group.max() < 0:
        return logit
    held, names = _reached(signals, unit), np.array([not w.isalpha() for w in _words(signals)], np.bool_)
    named = np.zeros(len(rows), np.bool_)
    for of_group in rows_of_each(group):
        named[of_group] = _particular(held[:, rows[of_group]], names)
    named[1:] |= named[:-1].copy()  # "Downloading six.tar.gz" goes with "Collecting six"
    kept, out = _kept(intent.cased), logit.copy()
    for owner in sorted_unique(document[group >= 0]).tolist():
        others = rows[(group < 0) & (document == owner)]
        lines = np.flatnonzero((group >= 0) & (document == owner) & ~named).tolist()
        quiet = [i for i in lines if kept.search(texts[i]) is None]
        if len(others) and quiet:
            least = float(np.quantile(logit[others], LOW)) - BEHIND
            out[rows[quiet]] = np.minimum(logit[rows[quiet]], least)
    return out


def _may_hold_progress(spans: Segments, document: IntArray) -> BoolArray:
    """(k,) rows of documents (k,), ascending, that have enough rows for a template, and no headings, which outputs
    seldom have."""
    starts = run_starts(document)
    owners, counts = document[starts], np.diff(np.append(starts, len(document)))
    first, last = spans.doc.searchsorted(owners), spans.doc.searchsorted(owners, "right")
    may = last - first >= FEWEST
    for place in np.flatnonzero(may).tolist():
        may[place] = not (spans.kind[first[place] : last[place]] == _HEADING).any()
    return np.repeat(may, counts)


def _kept(names: Sequence[str]) -> re.Pattern[str]:
    """What keeps a line from being one of progress: an error, a name of the question ("May")."""
    return re.compile("|".join([CAUSE.pattern, *(rf"\b{re.escape(name)}\b" for name in names)]), re.M)


def _template_of_rows(texts: Sequence[str], document: IntArray) -> IntArray:
    """(n,) the template of the lines of each row, that of the first; -1 where one of them has none."""
    lines = [text.split("\n") for text in texts]
    counts = np.fromiter(map(len, lines), np.int64, len(lines))
    of_lines = templates_of([line for some in lines for line in some], np.repeat(document, counts))
    first = np.cumsum(counts) - counts
    return np.where(np.minimum.reduceat(of_lines, first) < 0, -1, of_lines[first])


def rows_of_each(template: IntArray) -> list[IntArray]:
    """The lines of each template, by their numbers (n,)."""
    order = np.argsort(template, kind="stable")
    bounds = np.searchsorted(template[order], np.arange(int(template.max(initial=-1)) + 2))
    return [order[a:b] for a, b in pairwise(bounds.tolist()) if b > a]


def _particular(words: BoolArray, names: BoolArray) -> BoolArray:
    """(n,) lines of one template with a word of the question that less than half of them have, or that is a name with
    signs or digits. words (q, n): which each holds; names (q,)."""
    telling = (2 * words.mean(1) < 1) | names
    return np.asarray((words & telling[:, None]).any(0), np.bool_)


def _outermost(template: IntArray, rows: IntArray, context: IntArray) -> IntArray:
    """(n,) without the templates of whose rows most are enclosed with few others by a key, a file or an entry: where
    such rows stand tells them apart."""
    progress = np.zeros(len(context), np.bool_)
    progress[rows[template >= 0]] = True
    above = context[rows]
    enclosed = (template >= 0) & (above >= 0) & ~progress[np.maximum(above, 0)]
    count = np.bincount(above[enclosed], minlength=len(context))
    enclosed &= count[np.maximum(above, 0)] < FEWEST
    out = template.copy()
    for of_group in rows_of_each(template):
        if 2 * enclosed[of_group].sum() > len(of_group):
            out[of_group] = -1
    return out


def _words(signals: Signals) -> list[str]:
    """The content words of the question."""
    return [signals.query.words[i] for i in np.flatnonzero(signals.query.content).tolist()]


def _reached(signals: Signals, unit: Unit) -> BoolArray:
    """(q, n) the rows of the unit that hold a content word of the question in any of its forms, in them or in the block
    or the entry that they stand in."""
    candidates = signals.candidates
    vocabulary, starts, group = candidates.corpus.vocabulary, candidates.starts, candidates.group
    stems = vocabulary.stem[candidates.words]
    context = candidates.context("sentence")
    out = []
    for word in _words(signals):
        hits = np.concatenate(([0], np.cumsum(stems == vocabulary.stems.get(stem_of(word), -1))))
        own = hits[candidates.offsets[1:]] > hits[candidates.offsets[:-1]]
        for _ in range(_DEPTH):
            above = own | (context >= 0) & own[np.maximum(context, 0)]
            if np.array_equal(above, own):
                break
            own = above
        block = np.logical_or.reduceat(own, starts)
        out.append(block if unit == "paragraph" else own | (block & _small_blocks(starts, len(group)))[group])
    return np.array(out, np.bool_).reshape(len(out), -1)


def _small_blocks(starts: IntArray, sentences: int) -> BoolArray:
    return np.diff(np.append(starts, sentences)) <= BLOCK_ROWS


def templates_of(texts: Sequence[str], document: IntArray) -> IntArray:
    """(n,) the number of the template of each line among those of its document (n,), from 0; -1 for a line of none.
    Linear in the texts."""
    keyed: dict[tuple[int, int, str], list[int]] = {}
    tokens: list[list[str]] = []
    for i, (text, owner) in enumerate(zip(texts, document.tolist(), strict=True)):
        tokens.append(text.split() if len(text) <= _LONGEST and not text.lstrip().startswith(_DATA) else [])
        if 2 <= len(tokens[i]) <= _TOKENS:
            keyed.setdefault((owner, len(tokens[i]), _beginning(tokens[i])), []).append(i)
    sizes = np.bincount(document) if len(document) else document
    out, count = np.full(len(texts), -1, np.int64), 0
    for (owner, _, _), rows in keyed.items():
        if len(rows) >= max(FEWEST, SHARE * sizes[owner]) and _is_template([tokens[i] for i in rows]):
            out[rows] = count
            count += 1
    return out


def _beginning(tokens: list[str]) -> str:
    """The tokens up to the first word, digits masked."""
    out: list[str] = []
    for token in tokens[:_LEAD]:
        out.append(_masked(token))
        if not _is_code(token) and _LETTER.search(token):
            break
    return " ".join(out)


def _is_code(token: str) -> bool:
    """Whether a token is a counter, a time, a hash, a version: it has a digit."""
    return _DIGIT.search(token) is not None


def _is_template(lines: list[list[str]]) -> bool:
    """Whether lines of as many tokens say the same but for numbers and names: at half of the places and more stands in
    most lines the same, or a token with digits."""
    lines = lines[:: max(1, len(lines) // _SAMPLE)]
    fixed, half = 0, len(lines) / 2
    for place in zip(*lines, strict=True):
        counts = Counter(map(_masked, place))
        fixed += counts.most_common(1)[0][1] >= half
    return 2 * fixed >= len(lines[0])


def _masked(token: str) -> str:
    return "0" if _is_code(token) else token
