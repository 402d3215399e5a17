"""What kind of texts documents are: turns of a talk, the short passages of a few texts, files of lines.

Talk and passages are known by number, length and titles, and packed whole: a sentence of one seldom says what it is
about. Files of lines are known by their segments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from fieldpack.text.structure.diffs import is_diff
from fieldpack.types import KINDS, BoolArray, Document, IntArray, Segments

_FEWEST_TURNS, _TURNS_PER_SPEAKER, _TURN_CHARS = 20, 5, 200
"""From how many turns, how many a speaker on the mean, and up to how many characters on the mean, texts are a talk."""
_FEWEST_PASSAGES, _PASSAGE_CHARS = 20, 500
"""From how many passages, and up to how many characters on the mean, documents are the short passages of texts."""
_LONG_RUN, _IN_LONG_RUNS, _MEAN_RUN = 3, 0.8, 6
"""A text has this many passages one after another; the share of passages that must stand in such; their mean number."""

_LINES, _ROWS = 0.6, 0.3
"""Shares of the rows of a file of lines: table, list or code; and table or list alone."""
_FEWEST, _LISTED = 5, 200
"""Rows of a file of lines, at least; listed rows that are looked at for a list's mark."""
_MARK = re.compile(r"(?:[-*+•–—‣◦]|\(?\w{1,3}[.)])\s")
_SAMPLE = 20_000
_TABLE, _LIST, _CODE, _HEADING = (KINDS.index(kind) for kind in ("table", "list", "code", "heading"))


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


def line_rows(documents: Sequence[Document], sentences: Segments, in_sections: bool) -> BoolArray:
    """(n,) sentences that are rows, records, entries or lines of a file of lines: all of a document that holds little
    else, and of other documents the tables. The items of a list in prose are none. Documentation in sections has files
    of lines only where a file has no headings: a manual page is half lists, and the section layer reads them better."""
    kind, document, count = sentences.kind, sentences.doc, len(documents)
    size = np.bincount(document, minlength=count)
    table, listed, code = (np.bincount(document[kind == one], minlength=count) for one in (_TABLE, _LIST, _CODE))
    rows, coded = (table + listed) / np.maximum(size, 1), code / np.maximum(size, 1)
    lines = (rows + coded >= _LINES) & (rows >= _ROWS) & (size >= _FEWEST)
    for number in np.flatnonzero(lines & (listed >= _ROWS * size)).tolist():
        lines[number] = not _is_prose_list(documents, sentences, number)
    for number in np.flatnonzero((coded >= _LINES) & (rows < _ROWS)).tolist():
        lines[number] = is_diff(documents[number].text[:_SAMPLE])
    if in_sections:
        headed = np.bincount(document[kind == _HEADING], minlength=count) > 0
        return np.asarray((lines & ~headed)[document], np.bool_)
    return np.asarray(lines[document] | (kind == _TABLE), np.bool_)


def _is_prose_list(documents: Sequence[Document], sentences: Segments, number: int) -> bool:
    """Whether half of the listed rows of a document have a list's mark before them."""
    first, last = np.searchsorted(sentences.doc, [number, number + 1])
    rows = first + np.flatnonzero(sentences.kind[first:last] == _LIST)[:_LISTED]
    text = documents[number].text
    marked = sum(_MARK.match(text, start) is not None for start in sentences.start[rows].tolist())
    return 2 * marked > len(rows)


def without_own_words(sentences: Segments, lengths: IntArray) -> BoolArray:
    """(n,) headings and wordless pieces (a closing fence) of paragraphs that hold more. lengths (n,): words of each."""
    alone = (sentences.kind == _HEADING) | (lengths == 0)
    more = np.bincount(sentences.parent[~alone], minlength=int(sentences.parent.max(initial=-1)) + 1) > 0
    return np.asarray(alone & more[sentences.parent], np.bool_)
