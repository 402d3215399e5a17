"""The structural reader: ranges that cover any text, contexts that end, and the structure that people see in a text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldpack.text.structure.model import BLOCKS, ROLES, Blocks, Structure
from fieldpack.text.structure.reader import READERS, read_structure

_MARKS = (
    '\n|\n\n|\r\n|  |    |\t|# |## |---\n|===\n|```\n|~~~\n|- |* |1. |(a) |2.1 |> |a: b\n|: |{|}|[|]|,|"a": |"|\\"|'
    "<p>|</p>|<tr><td>|</td></tr>|<table>|</table>|<nav>|</nav>|<!--|-->|<script>|</script>|@@ -1,2 +3,4 @@\n|"
    "diff --git a/x b/x\n|--- a/x\n|+++ b/x\n|+|-|2026-05-01 10:00:00 INFO |Caused by: x\n|\tat a.b(C.java:1)\n|"
    "Ann: |From: a@b\n|Subject: x\n|+---+\n|== ==\n|a  b  c\n|┌─┐\n|│|E   |>   |==== x ====\n|____ x ____\n|.. note:: |"
    ".. x::\n|::\n|!!! tip\n|$ ls\n|>>> |def f(x):\n|class A:\n|'''|x = 1\n|"
    "Word. |word |A,b,c\n|x\n|\u2029|\u3002|\u00e9|"
    "+\n|term::\n|----\n|....\n|    deeper\n|NAME\n|       |x.c:1:2: error: y\n|src/a.py\n|12:x\n"
)
PIECES = [
    *_MARKS.split("|"),
    *("|", "| a | b |\n", "|--|--|\n", "server {\n", "  a = 1\n", "}\n", "};\n", "FROM a:1\n", "RUN b \\\n"),
    *("1\n00:00:01,000 --> 00:00:02,000\n", "WEBVTT\n", "int f() {\n", "  return 1;\n", "// note\n"),
]
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=40).map("".join)
SLOW_ON_PURPOSE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=60))
def test_blocks_find_the_blocks_that_enclose_them(drawn: list[tuple[int, bool]]) -> None:
    path, parents = list[int](), list[int]()
    for number, (level, _) in enumerate(drawn):
        path = path[:level]
        parents.append(path[-1] if path else -1)
        path.append(number)
    wanted = np.array([flag for _, flag in drawn])
    column = np.array(parents)
    blocks = Blocks(kind=column, parent=column, section=column, flags=column, rows=column)
    for number in range(len(drawn)):
        above, at = [], number
        while at >= 0:
            above += [at] if wanted[at] else []
            at = parents[at]
        assert blocks.nearest(wanted)[number] == (above[0] if above else -1)
        assert blocks.outermost(wanted)[number] == (above[-1] if above else -1)


def assert_sound(structure: Structure, text: str) -> None:
    """Trimmed, sorted, disjoint, covering; contexts and blocks are trees; rows count within their containers."""
    place, n = 0, len(structure)
    for start, end in zip(structure.start.tolist(), structure.end.tolist(), strict=True):
        assert place <= start < end <= len(text)
        assert not text[start].isspace() and not text[end - 1].isspace()
        assert not text[place:start].strip()
        place = end
    assert not text[place:].strip()
    assert ((structure.context >= -1) & (structure.context < n)).all()
    depth = np.zeros(n, np.int64)
    at = structure.context.copy()
    while (at >= 0).any():
        depth[at >= 0] += 1
        assert depth.max() <= n
        at = np.where(at >= 0, structure.context[at], -1)
    blocks = structure.blocks
    assert (blocks.parent < np.arange(len(blocks))).all()
    assert ((structure.block >= 0) & (structure.block < len(blocks))).all()
    headings = structure.section[structure.section >= 0]
    assert all(ROLES[r] == "heading" for r in structure.role[headings])
    numbered = (structure.row >= 0) & (structure.container >= 0)
    assert (structure.row[numbered] < structure.rows[numbered]).all()
    assert (np.diff(structure.unit) >= 0).all()


@settings(SLOW_ON_PURPOSE, max_examples=400)
@given(TEXTS, st.sampled_from(["", *READERS]), st.integers(1, 80) | st.just(1600))
def test_any_text_read_as_any_format_is_covered_and_its_contexts_end(text: str, kind: str, max_chars: int) -> None:
    if kind == "html":
        text = f"<html><body>{text}</p></body>"  # else it is read as the Markdown that files of HTML are turned into
    structure = read_structure(text, kind=kind, max_chars=max_chars)
    assert_sound(structure, text)
    assert (structure.end - structure.start <= max(max_chars, 4000)).all()
    assert set(structure.blocks.kind.tolist()) <= set(range(len(BLOCKS)))


@settings(SLOW_ON_PURPOSE, max_examples=100)
@given(TEXTS.filter(lambda t: "\r" not in t), st.sampled_from(list(READERS)))
def test_line_ends_change_no_structure(text: str, kind: str) -> None:
    unix = read_structure(text, kind=kind)
    mac = read_structure(text.replace("\n", "\r"), kind=kind)
    for name in ("start", "end", "kind", "role", "block", "context", "row"):
        assert (getattr(unix, name) == getattr(mac, name)).all()


@pytest.mark.parametrize("kind", [*READERS, ""])
def test_nothing_has_no_atoms(kind: str) -> None:
    for text in ("", "  \n\t\r\n"):
        assert len(read_structure(text, kind=kind)) == 0


@pytest.mark.parametrize("size", [2000])
@pytest.mark.parametrize(
    "piece",
    [
        *("[", '{"a":', '"a', ',"', "(", "'''", "<table><tr>", "<nav>", "| a | b |\n|---|---|\n", "- a\n  - b\n"),
        *("@@ -1 +1 @@\n", "+---+\n", "== ==\n", "a:\n ", "From: a\nTo: b\n", "10:00 a\n", "____ x ____\n"),
        *(
            "    a\n\n  b\n\n",
            "x::\n+\n",
            "----\n",
            "a\n~~~\n",
            "[a](b)\n",
            "a ... 1\n",
            "E   x\n",
            "x.c:1:1: error: y\n",
        ),
    ],
)
def test_the_calls_grow_as_the_text_does(piece: str, size: int) -> None:
    import sys

    for kind in ("", "plain", "markdown", "rst", "asciidoc", "man", "config", "json", "csv", "log", "diff", "mail"):
        calls = []
        for times in (1, 4):
            text, made = (piece * (times * size))[: times * size * 4], [0]

            def trace(frame: object, event: str, argument: object, made: list[int] = made) -> None:
                made[0] += event in ("call", "c_call")

            sys.setprofile(trace)
            try:
                read_structure(text, kind=kind)
            finally:
                sys.setprofile(None)
            calls.append(made[0])
        assert calls[1] <= 5 * calls[0] + 10_000, (kind, calls)
