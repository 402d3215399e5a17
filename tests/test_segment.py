"""Segments are ranges of the original text: sorted, disjoint, covering all that is not white space, on any text."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldpack.errors import SettingsError
from fieldpack.text.segment import MAX_CHARS, READERS, kind_of, segment
from fieldpack.text.structure.transcripts import speaker
from fieldpack.types import Document, Segment, Segments

# Pieces that mean something to some reader, mixed with any text at all.
_NAMED = """\\n,\\n\\n,\\r\\n,\\r,\\r\\n\\r\\n,  ,    ,\\t,\\u2028,\\u2029,\\x85,\\x0b,\\x0c,\\xa0,\\u200b,\\ufeff,
\\x00,\\x1c,# ,## ,---\\n,***\\n,===\\n,```\\n,~~~\\n,````py\\n,- ,* ,1. ,> ,+++\\n,a: b\\n,| a | b |\\n,|--|--|\\n,
|,Word. ,word ,Mr. ,U.S. ,3.14 ,...,\\u2026, \\u201cHi!\\u201d ,?!,(x.) ,\\u3002,\\u4f60\\u597d\\u3002,
\\u061f ,\\u0964 ,\\u3068,\\u300d,[12],*_,\\U0001f468\\u200d\\U0001f469,\\U0001f1e9\\U0001f1ea,e\\u0301,
\\u0301,\\u200d,def f(x):\\n,class A:\\n,@d\\n,    x = 1\\n,''',\\"\\"\\",',\\",# c\\n,}\\n,{\\n,x\\n"""
PIECES = [piece.encode("ascii").decode("unicode-escape") for piece in re.split(",\n?", _NAMED)] + ["\\", " "]
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=40).map("".join)
SLOW_ON_PURPOSE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def documents_of(*texts: str, kind: str | None = None) -> list[Document]:
    metadata = {"kind": kind} if kind else {}
    return [Document(str(i), text, metadata=metadata) for i, text in enumerate(texts)]


def rows(text: str, unit: str = "paragraph", kind: str | None = None, **limits: int) -> list[tuple[str, str]]:
    documents = documents_of(text, kind=kind)
    return [(s.kind, text[s.start : s.end]) for s in segment(documents, unit, **limits)]


def texts(text: str, unit: str = "paragraph", kind: str | None = None, **limits: int) -> list[str]:
    return [body for _, body in rows(text, unit, kind, **limits)]


def assert_covers(segments: Segments, documents: list[Document]) -> None:
    """Sorted, disjoint, not empty, trimmed; and what lies between is white space."""
    place = {d: 0 for d in range(len(documents))}
    last = -1
    for s in segments:
        body = documents[s.doc].text
        assert s.doc >= last
        assert place[s.doc] <= s.start < s.end <= len(body)
        assert not body[s.start].isspace() and not body[s.end - 1].isspace()
        assert not body[place[s.doc] : s.start].strip()
        place[s.doc], last = s.end, s.doc
    for d, end in place.items():
        assert not documents[d].text[end:].strip()


def assert_refines(sentences: Segments, paragraphs: Segments) -> None:
    """The sentences of paragraph p are those with parent p, and span exactly its range."""
    assert paragraphs.parent.tolist() == list(range(len(paragraphs)))
    firsts = np.flatnonzero(np.diff(sentences.parent, prepend=-1))
    lasts = np.append(firsts[1:], len(sentences))[: len(firsts)] - 1
    assert sentences.parent[firsts].tolist() == list(range(len(paragraphs)))
    assert sentences.start[firsts].tolist() == paragraphs.start.tolist()
    assert sentences.end[lasts].tolist() == paragraphs.end.tolist()
    assert sentences.doc[firsts].tolist() == paragraphs.doc.tolist()


@settings(SLOW_ON_PURPOSE, max_examples=250)
@given(
    st.lists(TEXTS, max_size=3),
    st.sampled_from([None, *READERS]),
    st.integers(1, 60) | st.just(MAX_CHARS),
)
def test_ranges_cover_any_text_and_sentences_refine_paragraphs(
    bodies: list[str], kind: str | None, max_chars: int
) -> None:
    documents = documents_of(*bodies, kind=kind)
    paragraphs = segment(documents, "paragraph", max_chars)
    sentences = segment(documents, "sentence", max_chars)
    assert_covers(paragraphs, documents)
    assert_covers(sentences, documents)
    assert_refines(sentences, paragraphs)
    assert (paragraphs.tokens == -1).all()


@settings(SLOW_ON_PURPOSE, max_examples=100)
@given(TEXTS, st.integers(4, 60))
def test_prose_never_exceeds_its_limit(body: str, max_chars: int) -> None:
    for s in segment(documents_of(body, kind="plain"), "sentence", max_chars):
        rule = not any(char.isalnum() for char in body[s.start : s.end])
        assert s.end - s.start <= max_chars or s.kind != "sentence" or rule


@settings(SLOW_ON_PURPOSE, max_examples=100)
@given(TEXTS.filter(lambda t: "\r" not in t), st.sampled_from(list(READERS)))
def test_line_ends_do_not_change_what_a_segment_is(body: str, kind: str) -> None:
    unix = [t.replace("\n", "") for t in texts(body, "sentence", kind)]
    old_mac = [t.replace("\r", "") for t in texts(body.replace("\n", "\r"), "sentence", kind)]
    assert old_mac == unix


def test_crlf_gives_the_same_blocks_at_offsets_of_the_original() -> None:
    markdown = "# Title\n\nOne line.\nAnother.\n\n```\na\n\nb\n```\n\n- x\n- y\n"
    windows = markdown.replace("\n", "\r\n")
    assert texts(windows) == [t.replace("\n", "\r\n") for t in texts(markdown)]


def test_empty_and_blank_documents_have_no_segments_and_keep_their_number() -> None:
    documents = documents_of("", "  \n\t\r\n", "text", "", "more")
    assert segment(documents, "paragraph").doc.tolist() == [2, 4]
    assert len(segment([], "sentence")) == 0
    assert len(segment(documents_of("", " "), "sentence")) == 0


def test_a_row_reads_as_a_segment() -> None:
    documents = documents_of("One. Two.\n\nThree.")
    assert list(segment(documents, "sentence")) == [
        Segment(0, 0, 4, -1, "sentence", 0),
        Segment(0, 5, 9, -1, "sentence", 0),
        Segment(0, 11, 17, -1, "sentence", 1),
    ]


def test_unknown_unit_and_bad_limits_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"'word'.*'paragraph', 'sentence'"):
        segment([], "word")
    with pytest.raises(SettingsError, match="at least 1"):
        segment([], "paragraph", 0)


class TestPlain:
    def test_blank_lines_separate_paragraphs_whatever_white_space_they_hold(self) -> None:
        assert texts("a\nb\n \t\nc\r\n\r\nd\re", kind="plain") == ["a\nb", "c", "d\re"]

    def test_a_wall_is_cut_at_sentence_ends(self) -> None:
        wall = "This is a sentence. " * 300
        parts = texts(wall)
        assert len(parts) > 1
        assert all(p.endswith("sentence.") and len(p) <= MAX_CHARS for p in parts)
        assert " ".join(parts) == wall.strip()

    def test_a_wall_without_stops_is_cut_at_spaces_then_anywhere(self) -> None:
        assert texts("word " * 100, max_chars=52)[0].endswith("word")
        assert texts("x" * 100, max_chars=40) == ["x" * 40, "x" * 40, "x" * 20]

    def test_a_hard_cut_splits_no_cluster(self) -> None:
        family, accented, flag = "👨‍👩‍👧", "e\u0301", "🇩🇪"
        assert set(texts(family * 50, max_chars=7)) == {family}
        assert set(texts(accented * 50, max_chars=3)) == {accented}
        assert set(texts(flag * 50, max_chars=3)) == {flag}
        assert texts("a" + "\u0301" * 500, max_chars=100)  # a cluster longer than the limit is cut all the same


class TestMarkdown:
    def test_a_heading_goes_with_what_it_heads(self) -> None:
        text = "# Top\n\n## Sub\n\nBody one. Body two.\n\nNext.\n"
        assert texts(text) == ["# Top\n\n## Sub\n\nBody one. Body two.", "Next."]
        assert rows(text, "sentence") == [
            ("heading", "# Top"),
            ("heading", "## Sub"),
            ("sentence", "Body one."),
            ("sentence", "Body two."),
            ("sentence", "Next."),
        ]
        assert segment(documents_of(text), "sentence").parent.tolist() == [0, 0, 0, 0, 1]

    def test_a_heading_followed_by_one_as_high_heads_nothing(self) -> None:
        assert rows("## A\n\n## B\n\ntext\n\n# C") == [
            ("heading", "## A"),
            ("paragraph", "## B\n\ntext"),
            ("heading", "# C"),
        ]

    def test_setext_headings(self) -> None:
        text = "Title\n=====\n\ntext\n\nSub\n---\nmore"
        assert rows(text, "sentence", "markdown") == [
            ("heading", "Title\n====="),
            ("sentence", "text"),
            ("heading", "Sub\n---"),
            ("sentence", "more"),
        ]

    @pytest.mark.parametrize("fence", ["```", "~~~", "`````"])
    def test_a_fence_is_whole_whatever_it_holds(self, fence: str) -> None:
        code = f"{fence}py\n# no heading\n\n- no list\n\n``\n{fence}"
        for unit in ("paragraph", "sentence"):
            assert rows(f"Above.\n\n{code}\n\nBelow.", unit)[1] == ("code", code)

    def test_an_unclosed_fence_reaches_to_the_end(self) -> None:
        assert rows("```\na\n\nb\n\n# c") == [("code", "```\na\n\nb\n\n# c")]

    def test_small_tables_lists_and_front_matter_are_paragraphs_and_their_rows_and_items_segments(self) -> None:
        front = "---\ntitle: x\ntags: [a]\n---"
        table = "| a | b |\n|---|:-:|\n| 1. One. | 2 |"
        loose = "- a\n\n- b\n  more\n\n  ```\n  code\n\n  # more\n  ```\n\n- c"
        numbered = "1. One.\n2. Two."
        text = f"{front}\n\n{table}\n\ntext\n\n{loose}\n\ntext\n\n{numbered}\n"
        found = dict(map(reversed, rows(text)))
        assert found[front] == "code" and found[table] == "table"
        assert found[loose] == "list" and found[numbered] == "list"
        found = dict(map(reversed, rows(text, "sentence")))
        assert found["| a | b |\n|---|:-:|"] == found["| 1. One. | 2 |"] == "table" and found[front] == "code"
        assert found["- b\n  more"] == found["- c"] == found["2. Two."] == "list"
        assert found["```\n  code\n\n  # more\n  ```"] == "code"

    def test_a_table_without_outer_bars_and_text_above_it(self) -> None:
        text = "Some text\na | b\n--|--\n1 | 2"
        assert rows(text, "sentence", "markdown") == [
            ("sentence", "Some text"),
            ("table", "a | b\n--|--"),
            ("table", "1 | 2"),
        ]

    def test_a_lead_stays_with_its_list(self) -> None:
        text = "As follows:\n\n- a\n- b\n\nNo lead.\n\n- c"
        assert texts(text, kind="markdown") == ["As follows:\n\n- a\n- b", "No lead.", "- c"]
        assert rows(text, "sentence", "markdown")[:3] == [("sentence", "As follows:"), ("list", "- a"), ("list", "- b")]

    def test_a_long_list_is_cut_between_items_and_a_long_table_between_rows(self) -> None:
        items = [f"- item {i} of the list\n  goes on" for i in range(60)]
        assert texts("\n".join(items), kind="markdown") == items
        table = ["| a | b |", "|---|---|", *(f"| row {i} | x |" for i in range(80))]
        parts = texts("\n".join(table), kind="markdown")
        assert parts == ["| a | b |\n|---|---|", *table[2:]]

    def test_code_of_fewer_than_forty_lines_is_whole_and_longer_code_is_cut_between_statements(self) -> None:
        short = "```\n" + "\n\n".join(f"line {i} = {i}" for i in range(37)) + "\n```"
        assert texts(short) == texts(short, "sentence") == [short]
        long = "```\n" + "\n\n".join(f"f(\n\n  {i}\n)" for i in range(37)) + "\n```"
        parts = texts(long, "sentence")
        assert len(parts) == 37 and all(p.strip("`\n").startswith("f(") for p in parts)

    def test_a_rule_is_no_heading_and_stays_with_the_text_above(self) -> None:
        assert texts("text\n\n***\n\nmore\n\n- - -", kind="markdown") == ["text\n\n***", "more\n\n- - -"]
        assert texts("```\ncode\n```\n\n***\n\n# A\n\n___") == ["```\ncode\n```", "***", "# A", "___"]


class TestRst:
    TEXT = (
        "=====\nTitle\n=====\n\nSub\n---\n\nIntro::\n\n    code\n\n    more\n\nText.\n\n"
        "- item\n\n  goes on\n\n- item\n\nTwo\n---\nRight under.\n\n"
        ".. note:: x\n\n   inside\n\n+---+\n| a |\n+---+\n\n   A quote.\n\n>>> 1 + 1\n2\n"
    )

    def test_headings_directives_literals_lists_and_tables(self) -> None:
        assert rows(self.TEXT, "paragraph", "rst") == [
            ("paragraph", "=====\nTitle\n=====\n\nSub\n---\n\nIntro::\n\n    code\n\n    more"),
            ("paragraph", "Text."),
            ("list", "- item\n\n  goes on\n\n- item"),
            ("paragraph", "Two\n---\nRight under."),
            ("paragraph", ".. note:: x"),
            ("paragraph", "inside"),
            ("table", "+---+\n| a |\n+---+"),
            ("paragraph", "A quote."),
            ("code", ">>> 1 + 1\n2"),
        ]
        assert [r for r in rows(self.TEXT, "sentence", "rst") if r[0] == "heading"] == [
            ("heading", "=====\nTitle\n====="),
            ("heading", "Sub\n---"),
            ("heading", "Two\n---"),
        ]

    def test_a_transition_is_no_heading(self) -> None:
        assert texts("text\n\n----\n\nmore", kind="rst") == ["text\n\n----", "more"]


class TestCode:
    PYTHON = (
        '"""Doc.\n\ndef not_a_function():\n"""\n\nimport a\nimport b\n\nX = (\n    1,\n)\n\n\n'
        "# about f\n@dec\n@dec2(\n3\n)\ndef f():\n    x = '''\n\ndef inner(): pass\n'''\n\n    return x\n\n\n"
        "class A:\n    def m(self):\n        pass\n\n"
        "async def g(): ...\nif __name__ == '__main__':\n    f()\n"
    )

    def test_python_by_top_level_definition(self) -> None:
        parts = texts(self.PYTHON, kind="python")
        assert parts[0].startswith('"""Doc.') and parts[0].endswith('"""')
        assert parts[1:3] == ["import a\nimport b", "X = (\n    1,\n)"]
        assert parts[3].startswith("# about f\n@dec") and parts[3].endswith("return x")
        assert parts[4].startswith("class A:") and parts[4].endswith("pass")
        assert parts[5:] == ["async def g(): ...", "if __name__ == '__main__':\n    f()"]

    def test_a_long_class_is_cut_between_its_methods(self) -> None:
        methods = "\n".join(f"    def m{i}(self):\n        a = 1\n\n        return a\n" for i in range(40))
        parts = texts(f"class A:\n{methods}", kind="python")
        assert parts[0] == "class A:" and len(parts) == 41
        assert all(p.startswith("def m") and p.endswith("return a") for p in parts[1:])

    def test_other_languages_by_blank_lines_at_the_margin(self) -> None:
        text = "#include <x>\n\nint f() {\n  a();\n\n  b();\n}\n\n// about g\nvoid g() {\n\n}\n"
        assert texts(text, kind="code") == [
            "#include <x>",
            "int f() {\n  a();\n\n  b();\n}",
            "// about g\nvoid g() {\n\n}",
        ]


class TestKind:
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("Just text. With # signs and - dashes.", "plain"),
            ("# Heading\n\ntext", "markdown"),
            ("text\n\n```\ncode\n```", "markdown"),
            ("Title\n=====\n\ntext", "markdown"),
            ("text\n\n- a\n- b", "markdown"),
            ("- a dash\nand text", "plain"),
            ("#hashtag and #another", "plain"),
            ("import os\n\n# a comment\n\ndef f(x):\n    return x\n", "python"),
            ("#!/bin/sh\n# comment\nfunction f {\n}\n", "code"),
            ("", "plain"),
            ("def one(function,\n        alone):\n    pass", "python"),
            ("    @property\n    async def f(self):\n\n        return 1", "python"),
            ("public static int f(int a) {\n  return a;\n}", "code"),
            ("def initely not code", "plain"),
            ("class of 92: the best", "plain"),
            ("Public opinion {", "plain"),
        ],
    )
    def test_sniffed_from_the_text(self, text: str, kind: str) -> None:
        assert kind_of(Document("x", text)) == kind

    def test_what_the_metadata_says_comes_first(self) -> None:
        assert kind_of(Document("x", "# a", metadata={"kind": "plain"})) == "plain"
        assert kind_of(Document("x", "# a", metadata={"kind": ["odd"]})) == "markdown"


@pytest.mark.parametrize(
    "line",
    ["def " + "a" * 20_000, "-|" * 10_000, "from " + "a." * 10_000, "- " * 10_000 + ";", "@a\n" * 9_000],
)
def test_a_hostile_line_is_sniffed_in_linear_time(line: str) -> None:
    assert kind_of(Document("x", line)) in READERS


HOSTILE = (
    "(",
    "a",
    "'\"",
    "“‘\"'",
    "\n",
    "a\n",
    ".)",
    "Mr. ",
    "```\n",
    "|-|\n",
    "- a\n",
    "> ",
    '"""\\',
    "@a\n",
    "\r\n",
    "1) ",
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_repetition_is_covered_in_linear_time(piece: str) -> None:
    # 60 kB take milliseconds in linear time and half a minute in quadratic.
    text = (piece * 60_000)[:60_000]
    for kind in READERS:
        documents = documents_of(text, kind=kind)
        assert_covers(segment(documents, "sentence"), documents)


def test_who_speaks_is_looked_for_in_one_line_only() -> None:
    """Marks before a name were once read over line ends: quadratic where many lines are nothing else."""
    assert speaker("- Anna: hello", 0) == speaker("| — Anna: hello".replace("—", "–"), 0) == "anna"
    assert speaker("|-|\nAnna: hello", 0) == speaker("- \n - Anna: hello", 0) == ""


def test_a_line_of_megabytes_and_many_tiny_paragraphs() -> None:
    line = documents_of("The quick brown fox jumps over it. " * 20_000)  # 0.7 MB
    segments = segment(line, "sentence")
    assert_covers(segments, line)
    assert len(segments) == 20_000
    tiny = documents_of("ab.\n\n" * 50_000)
    paragraphs = segment(tiny, "paragraph")
    assert len(paragraphs) == 50_000 and paragraphs.end[-1] == 5 * 49_999 + 3


@pytest.mark.parametrize(
    ("piece", "count", "most"),
    [("a\n\n", 60_000, 2200), ("# a\n", 60_000, 2200), ("```\n", 130_000, 3200), ("潮汐。", 300_000, 16_000)],
)
def test_crumbs_are_taken_together_in_texts_of_very_many(piece: str, count: int, most: int) -> None:
    ordinary = "The quick brown fox jumps over the lazy dog, again.\n\n" * 400
    documents = documents_of(piece * count + "\n\n" + ordinary, ordinary)
    sentences, paragraphs = segment(documents, "sentence"), segment(documents, "paragraph")
    for found in (sentences, paragraphs):
        assert_covers(found, documents)
        assert len(found) <= most
        assert int((found.doc == 1).sum()) == 400, "another document is read as ever"
    # What stands in the same text in longer pieces stays as it is, but for the run where the crumbs end.
    assert int((paragraphs.end - paragraphs.start == 51).sum()) >= 400 + 400 - 256
    assert_refines(sentences, paragraphs)
