"""What is asked first because it is cheap never changes the answer of what it spares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.corpus import order
from fieldpack.corpus.build import CorpusReader, shipped_static
from fieldpack.field import couplings
from fieldpack.packing import fillers
from fieldpack.relevance import progress
from fieldpack.relevance.same import same_texts, text_key
from fieldpack.text.structure import samples, source
from fieldpack.text.structure.detect import format_of
from fieldpack.types import KINDS, Document, Segments
from fieldpack.words import is_symbol, words_of

LABELS = st.lists(
    st.sampled_from([*"ab1 .:*_`[]()#-•\n|=~…", "....", "::: ", ".. contents::", ":doc:`", "](#", "**", "__", "word "]),
    min_size=1,
    max_size=9,
).map("".join)


@given(LABELS)
def test_labels_and_lines_of_contents_are_what_the_patterns_say(text: str) -> None:
    assert fillers._is_label(text) == (fillers._LABEL.fullmatch(text) is not None)
    assert fillers._is_contents(text) == (fillers._CONTENTS.fullmatch(text) is not None)


LINES = st.lists(
    st.sampled_from(
        [
            "The cat sat on a mat.",
            "The cat  sat\ton a mat.",
            "The dog sat on a mat.",
            "潮汐由月球引力引起。",
            "short",
            "x" * 60 + " and y",
            "x" * 61 + " and y",
            "a b c",
            "a c b",
            "A word that a line parts: hyphen\u2010\n  ated.",
            "A word that a line parts: hyphenated.",
            "A word that a line parts: hyphen\u2010ated.",
        ]
    ),
    max_size=8,
)


@given(st.lists(st.tuples(LINES.map("\n\n".join), st.sampled_from(["", "Title"])), max_size=3))
def test_rows_of_one_text_are_those_with_the_same_key(texts: list[tuple[str, str]]) -> None:
    documents = [Document(f"d{n}", text, title) for n, (text, title) in enumerate(texts)]
    corpus = CorpusReader(shipped_static(), unit="sentence").read(documents)
    keys = [text_key(corpus.documents, corpus.rows, row) for row in range(len(corpus.rows))]
    expected = [keys.index(key) if key else row for row, key in enumerate(keys)]
    assert same_texts(corpus, np.arange(len(keys))).tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60), st.data())
def test_documents_that_may_hold_progress_are_long_and_without_headings(
    rows: list[tuple[int, bool]], data: st.DataObject
) -> None:
    document = np.sort(np.array([d for d, _ in rows], np.int64))
    kind = np.array([KINDS.index("heading" if headed and d else "sentence") for d, headed in rows], np.int8)
    zeros = np.zeros(len(rows), np.int64)
    spans = Segments(document, zeros, zeros, zeros, kind, zeros)
    some = document[np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))), np.bool_)]
    expected = [(document == d).sum() >= 3 and KINDS.index("heading") not in kind[document == d] for d in some.tolist()]
    with mock.patch.object(progress, "FEWEST", 3):
        assert progress._may_hold_progress(spans, some).tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=5, max_size=40), st.integers(1, 9))
def test_the_order_of_paragraphs_is_the_same_in_blocks(rows: list[tuple[int, int]], block: int) -> None:
    label, document = np.array(rows).T
    at = np.arange(0, len(rows), 2)
    firsts = [order._together(label[at], document[at], k) for k in order._STEPS]
    vectors = np.random.default_rng(len(rows)).normal(size=(len(rows), 8)).astype(np.float32)
    whole_pairs, whole_sum = order._in_order(vectors, at, firsts)
    with mock.patch.object(order, "_BLOCK", block):
        pairs, total = order._in_order(vectors, at, firsts)
    np.testing.assert_allclose(np.sort(pairs), np.sort(whole_pairs), atol=1e-5)
    np.testing.assert_allclose(total, whole_sum, atol=1e-4)


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=6), st.lists(st.integers(0, 12)))
def test_shared_words_are_counted_alike_in_small_and_large_indexes(rows: list[list[int]], words: list[int]) -> None:
    ids = np.array([w for row in rows for w in row], np.int32)
    row = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    index = couplings.WordIndex.from_words(ids, row, (ids % 4).astype(np.float32), len(rows))
    expected = [sum(w % 4 for w in set(r) & set(words)) for r in rows]
    for few in (0, 100):
        with mock.patch.object(couplings, "_FEW", few):
            assert index.overlap(np.array(words, np.int32)).tolist() == expected


@given(
    st.lists(
        st.sampled_from(["a.b", "C++", "--flag", "word", "12", "3.14", "हिन्दी", "naïve", "x_y", "潮汐"]), max_size=9
    )
)
def test_symbols_are_the_words_with_signs(texts: list[str]) -> None:
    words = words_of(texts)
    assert words.symbols.tolist() == [not word.isalnum() and is_symbol(word) for word in words.vocabulary]


PYTHON = re.compile(
    r'''(?P<string>"""[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+(?:""")?+|\'\'\'[^\'\\]*+(?:(?:\\.|\'(?!\'\'))[^\'\\]*+)*+(?:\'\'\')?+)
    |(?P<short>"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?+|\'[^\'\\\n]*+(?:\\.[^\'\\\n]*+)*+\'?+)
    |(?P<definition>^(?:@|(?:async[ ]+)?def\b|class\b))
    |(?P<note>\#[^\n]*)
    |(?P<statement>^[^\s)\]}"\'\#@])''',
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
"""The tokens as one would write them, from a place and not from a character."""


def starts_as_written(text: str) -> Iterator[tuple[int, bool]]:
    decorated = False
    for m in PYTHON.finditer(text):
        kind, at = m.lastgroup, m.start()
        if kind == "definition":
            if not decorated:
                yield at, True
            decorated = text[at] == "@"
        elif not decorated and (kind == "statement" or (kind != "note" and text[at - 1 : at] in ("", "\n"))):
            yield at, False


SOURCES = st.lists(
    st.sampled_from(
        ["def f", "class A", "@d", "async  def g", "\n", '"""', "'''", '"', "'", "#", "\\n", "\\\n", " ", "x", "(", "é"]
    ),
    max_size=16,
).map("".join)


@given(SOURCES.filter(lambda text: not text.endswith("\\")))
def test_statements_of_python_begin_where_the_plain_pattern_says(text: str) -> None:
    assert list(source._python_starts(text, 0, len(text))) == list(starts_as_written(text))


ONE_LINE = st.lists(
    st.sampled_from(
        [
            *"ab .#`<{[@~|:=(",
            "def f",
            "class A",
            "LS(1)",
            ".. ",
            "::",
            ":ref:`",
            "----",
            "....",
            "== ",
            "-|",
            "link:",
            '"a"',
        ]
    ),
    max_size=10,
).map("".join)


@given(ONE_LINE)
def test_a_line_without_signs_passes_no_test(text: str) -> None:
    passed = [kind for kind, test in samples.TESTS.items() if samples.FEWEST_LINES.get(kind, 1) <= 1 and test(text)]
    assert format_of(text) == (passed[0] if passed and text.strip() else "plain")
