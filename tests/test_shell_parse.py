"""Protocol shells: what parses, what does not and where, lossless text, bounds; random trees, texts and mutations."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack.errors import InputError, ShellSyntaxError
from fieldpack.shell import dump, parse, parse_many, scan
from fieldpack.shell.nodes import (
    Boolean,
    Chain,
    Entry,
    List,
    Map,
    Null,
    Number,
    Placeholder,
    Shell,
    String,
    Value,
    Word,
    children,
    walk,
)

DATA = Path(__file__).parent / "data" / "shells"
FILES = sorted(DATA.glob("*.shell"))
SINGLE = [f for f in FILES if f.stem != "two_in_a_prompt"]


def read(name: str) -> str:
    return (DATA / f"{name}.shell").read_text("utf-8")


# -- the examples


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_examples_come_back_character_by_character(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "".join(dump(s) for s in parse_many(text)) == text


@pytest.mark.parametrize("path", SINGLE, ids=lambda p: p.stem)
def test_canonical_form_says_the_same_and_is_stable(path: Path) -> None:
    shell = parse(path.read_text("utf-8"))
    canonical = dump(shell, canonical=True)
    assert parse(canonical) == shell
    assert dump(parse(canonical), canonical=True) == canonical


@pytest.mark.parametrize("path", SINGLE, ids=lambda p: p.stem)
def test_canonical_form_keeps_every_comment(path: Path) -> None:
    text = path.read_text("utf-8")
    shell = parse(text)
    gaps = "".join(g for v in walk(shell) if isinstance(v, Map | List | Chain) for g in v.gaps)
    canonical = dump(shell, canonical=True)
    for comment in scan.COMMENT.findall(shell.before * (not shell.before.startswith("I want")) + gaps):
        assert comment.rstrip() in canonical


def test_the_token_budget_shell_of_the_design_text() -> None:
    shell = parse(read("token_budget"))
    assert shell.name == "token.budget"
    allocations = shell.get("allocations")
    assert isinstance(allocations, Map)
    assert [(e.key, e.value) for e in allocations.entries] == [
        ("system_prompt", Number(0.15)),
        ("history", Number(0.4)),
        ("current_input", Number(0.3)),
        ("reserve", Number(0.15)),
    ]
    rules = shell.get("management_rules")
    assert isinstance(rules, List)
    steps = [e.value for e in rules.entries]
    assert [s.name for s in steps if isinstance(s, Shell)] == ["history.summarize", "system.prune", "input.prioritize"]
    first = steps[0]
    assert isinstance(first, Shell) and first.get("when") == String("history > 0.8*allocation")


def test_notation_in_the_wild() -> None:
    shell = parse(read("wild_deep"))
    inputs = shell.get("input")
    assert isinstance(inputs, Map)
    assert inputs.get("first_draft") == Placeholder("<draft_a>")
    assert inputs.get("second_draft") == Placeholder("<the second draft>")
    assert inputs.get("api.version") == Number(2.1) and inputs.get("drought-resistant") == Word("yes")
    limits = inputs.get("limits")
    assert isinstance(limits, Map)
    assert [e.value for e in limits.entries] == [Number(900), Number(15, True), Boolean(True), Null()]
    output = shell.get("output")
    assert isinstance(output, Map)
    assert output.get("link") == Word("https://example.org/a//b?x=1")
    assert output.get("quote") == String('she said "no" — twice\n')
    assert output.get("summary") == String("one paragraph,\n      plain words")
    assert output.entries[-1] == Entry("single quoted", String("it's"), quoted=True)
    process = shell.get("process")
    assert isinstance(process, List)
    assert process.entries[-1].value == Shell("publish")
    assert process.entries[0].value == String("/drafts.align{by='paragraph'}")


def test_arrows() -> None:
    route = parse(read("wild_arrows")).get("route")
    rerank = Shell("rerank.local", Map((Entry("top_n", Number(5)),)))
    assert route == Chain((Word("question"), Word("retrieve"), rerank, Word("answer")))
    assert parse("/a{b=x --> y ⇒ /c}").get("b") == Chain((Word("x"), Word("y"), Shell("c")))


def test_shells_in_a_prompt() -> None:
    text = read("two_in_a_prompt")
    first, second = parse_many(text)
    assert (first.name, second.name) == ("token.budget", "field.manage")
    assert first.before.startswith("You manage") and second.after.endswith("Thanks!\n")
    with pytest.raises(ShellSyntaxError, match="a second shell") as error:
        parse(text)
    assert text.splitlines()[error.value.line - 1][error.value.column - 1 :].startswith("/field.manage")
    assert parse_many("only prose, and /usr/bin/env") == ()


def test_spans_point_into_the_text() -> None:
    text = read("wild_deep")
    lines = text.split("\n")
    for value in walk(parse(text)):
        assert text[value.span.start : value.span.end] == dump(
            replace(value, before="", after="") if isinstance(value, Shell) else value
        )
        assert lines[value.span.line - 1][value.span.column - 1] == text[value.span.start]


def test_a_replaced_leaf_leaves_all_else_as_it_was() -> None:
    text = read("token_budget")
    shell = parse(text)
    assert shell.body
    entries = []
    for entry in shell.body.entries:
        if entry.key == "monitoring" and isinstance(entry.value, Map):
            leaves = tuple(
                replace(e, value=Number(0.8)) if e.key == "alert_threshold" else e for e in entry.value.entries
            )
            entry = replace(entry, value=replace(entry.value, entries=leaves))
        entries.append(entry)
    edited = replace(shell, body=replace(shell.body, entries=tuple(entries)))
    assert dump(edited) == text.replace("alert_threshold=0.9", "alert_threshold=0.8")


def test_an_added_entry_is_read_back() -> None:
    shell = parse(read("field_manage"))
    assert shell.body
    edited = replace(shell, body=replace(shell.body, entries=(*shell.body.entries, Entry("note", Word("new")))))
    assert parse(dump(edited)) == edited
    assert "// Residue gets token priority" in dump(edited)


# -- errors


@pytest.mark.parametrize(
    ("text", "line", "column", "expected", "words"),
    [
        ("", 1, 1, ("'/' and a name",), "no shell found"),
        ("a{}", 1, 1, ("'/' and a name",), "no shell found"),
        ("/a", 1, 3, ("'{'",), "the text ends"),
        ("/{}", 1, 2, ("a name, such as token.budget",), "found '{'"),
        ("/a{\n  b=1 c=2}", 2, 7, ("','",), "found 'c' and '=' behind '1'"),
        ("/a{b: 1 c: 2}", 1, 9, ("','",), "found 'c'"),
        ("/a{max tokens = 5}", 1, 8, ("','",), "behind 'max'"),
        ("/a{b=1,, c=2}", 1, 8, ("an entry", "'}'"), "found ','"),
        ("/a{b=}", 1, 6, ("a value",), "found '}'"),
        ("/a{b=[1, 2}}", 1, 11, ("','", "']'"), "but the '[' of line 1, column 6 is still open"),
        ("/a{b={c=1]}", 1, 10, ("','", "'}'"), "but the '{' of line 1, column 6 is still open"),
        ("/a{\n b=[\n", 3, 1, ("an entry", "']'"), "the text ends, but the '[' of line 2, column 4"),
        ('/a{b="x}', 1, 6, ("a closing quote",), 'the string that begins with " is not closed'),
        ('/a{b="one,\n c="two"}', 2, 5, ("','", "'}'"), "a string runs over lines from line 1"),
        ("/a{ /* b }", 1, 5, ("'*/'",), "this comment is not closed"),
        ("/a{x -> }", 1, 9, ("a value",), "found '}'"),
        ("/a{-> x}", 1, 4, ("an entry", "'}'"), "found '-'"),
        ("/a{} b", 1, 6, ("the end of the shell's line",), "found 'b'"),
        ("/a{}\n}", 2, 1, ("the end of the shell's line",), "found '}'"),
        ("/a{} /b{}", 1, 6, ("the end of the text",), "a second shell"),
        ("/a{b=1e999}", 1, 6, (), "out of range"),
        ("/a{b=" + "9" * 5000 + "}", 1, 6, (), "a number of 5000 characters"),
        ('/a{b="\\ud800"}', 1, 6, (), "half of a surrogate pair"),
        ("/a{b=\ud800}", 1, 6, (), "half of a surrogate pair"),
    ],
)
def test_errors_say_where_and_what(text: str, line: int, column: int, expected: tuple[str, ...], words: str) -> None:
    with pytest.raises(ShellSyntaxError) as error:
        parse(text)
    assert (error.value.line, error.value.column, error.value.expected) == (line, column, expected)
    assert words in str(error.value)


def test_the_shell_that_breaks_off_in_the_design_text() -> None:
    with pytest.raises(ShellSyntaxError) as error:
        parse((DATA / "broken" / "unclosed_prompt.shell").read_text("utf-8"))
    assert "the '{' of line 16, column 24 is still open" in str(error.value)


def test_not_a_text() -> None:
    with pytest.raises(InputError, match="a shell is text; found bytes"):
        parse(b"/a{}")  # type: ignore[arg-type]


# -- bounds


HOSTILE = [
    "{",
    "[",
    '"',
    "'",
    "/a{",
    "/a{}",
    "/",
    "/a",
    "<a",
    "/*",
    "//",
    "a=",
    ":",
    "\\",
    "“",
    '"""',
    "/a{\n",
    "#",
    "-",
    ">",
]


@pytest.mark.parametrize("prefix", ["", "/a{", "/a{b="])
@pytest.mark.parametrize("unit", HOSTILE)
def test_a_megabyte_of_anything_is_read_in_linear_time(unit: str, prefix: str) -> None:
    text = (prefix + unit * scan.MAX_CHARS)[: scan.MAX_CHARS]
    for read_text in (parse, parse_many):
        begun = time.process_time()
        try:
            read_text(text)
        except ShellSyntaxError as error:
            assert len(str(error)) < 400
        assert time.process_time() - begun < 10  # linear: well under a second; quadratic: hours


def test_limits() -> None:
    depth = 64
    nested = "/a{" + "b={" * (depth - 1) + "}" * depth
    assert dump(parse(nested)) == nested and parse(dump(parse(nested), canonical=True)) == parse(nested)
    with pytest.raises(ShellSyntaxError, match="deeper than 64"):
        parse("/a{" + "b={" * depth + "}" * (depth + 1))
    with pytest.raises(ShellSyntaxError, match="at most 1048576 are read"):
        parse("/a{" + " " * scan.MAX_CHARS)
    with pytest.raises(ShellSyntaxError, match="more than 100000 values"):
        parse("/a{b=[" + "1," * 100_000 + "]}")


def test_hand_made_trees_that_no_text_can_say_are_refused() -> None:
    deep: Value = Map()
    for _ in range(5000):
        deep = List((Entry(None, deep),))
    wide: Value = List((Entry(None, Word("x")),) * 2)
    for _ in range(40):
        wide = List((Entry(None, wide),) * 2)
    entry = Entry("key", Word("x"))
    bad: list[Value] = [
        deep,
        wide,
        Word("a, b"),
        Word(""),
        Word("12"),
        Word("/step"),
        Word(" x"),
        Placeholder("x"),
        Number(float("nan")),
        Number(float("inf")),
        Shell("not a name"),
        Chain((Word("x"),)),
        Map((replace(entry, key="two words"),)),
        List((Entry(None, Word("a:b")),)),
    ]
    for value in bad:
        for canonical in (False, True):
            with pytest.raises(InputError):
                dump(value, canonical=canonical)


# -- random trees, texts, mutations


CHARACTERS = "ab z09_.-+*/\\<>=!$#:;,%{}[]()|&~@?\"'`“”é中😀\n\t\x00\u2028→"
WORDS = [
    *(
        "...",
        "a.b",
        "history > 0.8*allocation",
        ">x",
        "==y",
        "https://a//b#c=d",
        "the oldest",
        "10:30",
        "C#",
        "x-",
        "$",
    ),
    *("/usr/local", "<a> or <b>", "it's", "a=>=b", "…", "5 messages", "-", "(x)", "a!=b", "x\ty", "<a", "é中", "$"),
]
ARROWS = ["->", "→", "=>", "-->"]
TRIVIA = ["", "", " ", "\n", "\t", " // c, {\n", " # [ \n", "/* } \n */", "\r\n"]


def some_text(random: Random) -> str:
    return "".join(random.choices(CHARACTERS, k=random.randrange(8)))


def some_leaf(random: Random) -> Value:
    number = random.choice(
        [random.randrange(-(10**6), 10**40), random.uniform(-1, 1), random.uniform(-1e290, 1e290), 0.0]
    )
    words = [w for w in (*WORDS, some_text(random).strip()) if scan.is_phrase(w)]
    name = ".".join(random.choices(["a", "b_1", "step", "2nd", "x-y"], k=random.randrange(1, 4)))
    return random.choice(
        [
            String(some_text(random)),
            Number(number, random.random() < 0.3),
            Boolean(random.random() < 0.5),
            Null(),
            scan.bare(random.choice(words)),
            Placeholder(random.choice(["<x>", "<the x/y>", "${x y}"])),
            Shell(name),
        ]
    )


def some_entry(random: Random, depth: int) -> Entry:
    value = some_value(random, depth)
    kind = random.randrange(3)
    if kind == 0 and not reads_as_key(Entry(None, value)):
        return Entry(None, value)
    if kind == 1:
        return Entry(some_text(random), value, quoted=True)
    return Entry(random.choice(["a", "b.c", "d-e", "10", "true", "*", "?", "é", "a@b"]), value)


def some_value(random: Random, depth: int) -> Value:
    if depth == 0 or random.random() < 0.4:
        return some_leaf(random)
    kind = random.randrange(4)
    if kind == 3:
        values = [some_value(random, depth - 1) for _ in range(random.randrange(2, 4))]
        parts = tuple(v for v in values if not isinstance(v, Chain))
        return Chain(parts) if len(parts) > 1 else values[0]
    entries = tuple(some_entry(random, depth - 1) for _ in range(random.randrange(4)))
    return [Map(entries), List(entries), Shell("in.ner", Map(entries))][kind]


def some_shell(random: Random) -> Shell:
    return Shell("a.b", Map(tuple(some_entry(random, 4) for _ in range(random.randrange(5)))))


def reads_as_key(entry: Entry) -> bool:
    first = entry.value.parts[0] if isinstance(entry.value, Chain) else entry.value
    return isinstance(first, Word) and scan.key_at(first.value, 0) is not None


random_st = st.integers(0, 2**48).map(Random)


@settings(max_examples=400, deadline=None)
@given(random_st)
def test_random_trees_are_read_back(random: Random) -> None:
    shell = some_shell(random)
    for text in (dump(shell), dump(shell, canonical=True)):
        again = parse(text)
        assert again == shell
        assert dump(again) == text
    assert dump(parse(dump(shell, canonical=True)), canonical=True) == dump(shell, canonical=True)


def trivia(random: Random) -> str:
    return "".join(random.choice(TRIVIA) for _ in range(random.randrange(3)))


def sprinkled(value: Value, random: Random) -> str:
    """A text that says the value, with comments and blanks wherever they may stand."""
    if isinstance(value, Shell):
        return f"/{value.name}" + (trivia(random) + sprinkled(value.body, random) if value.body else "")
    if isinstance(value, Chain):
        arrow = random.choice(ARROWS)
        return f" {arrow}{trivia(random)} ".join(sprinkled(part, random) for part in value.parts)
    if not isinstance(value, Map | List):
        return scan.canonical_leaf(value)
    items = []
    for entry in value.entries:
        assign = random.choice(["= ", ": "]) + trivia(random)
        key = "" if entry.key is None else (scan.quote(entry.key) if entry.quoted else entry.key) + assign
        items.append(trivia(random) + key + sprinkled(entry.value, random) + " " + trivia(random))
    inside = random.choice([",", ";", "\n,", ",\n"]).join(items)
    last = "," if items and random.random() < 0.5 else ""
    return ("{%s}" if isinstance(value, Map) else "[%s]") % (inside + last + trivia(random))


@settings(max_examples=400, deadline=None)
@given(random_st)
def test_comments_and_spacing_are_lossless_and_mean_nothing(random: Random) -> None:
    shell = some_shell(random)
    text = sprinkled(shell, random)
    parsed = parse(text)
    assert parsed == shell and dump(parsed) == text
    canonical = dump(parsed, canonical=True)
    again = parse(canonical)
    assert again == shell
    assert sorted(comments(again)) == sorted(comments(parsed))


def comments(shell: Shell) -> list[str]:
    return [c.rstrip() for c in scan.COMMENT.findall("\n".join((shell.before, between_values(shell), shell.after)))]


def between_values(shell: Shell) -> str:
    return "\n".join(g for v in walk(shell) for g in (*getattr(v, "gaps", ()), *heads(v), shell_gap(v)))


def heads(value: Value) -> list[str]:
    """The texts between keys and values, without the keys."""
    if not isinstance(value, Map | List):
        return []
    found = [(scan.QUOTED.match(e.head), e.head) for e in value.entries]
    return [head[match.end() if match else 0 :] for match, head in found]


def shell_gap(value: Value) -> str:
    return value.gap if isinstance(value, Shell) else ""


@settings(max_examples=400, deadline=None)
@given(random_st)
def test_any_value_can_be_put_in_place_of_any_other(random: Random) -> None:
    shell = Shell("a", Map(tuple(some_entry(random, 2) for _ in range(random.randrange(1, 5)))))
    parsed = parse(sprinkled(shell, random))
    assert parsed.body
    i = random.randrange(len(parsed.body.entries))
    entry = replace(parsed.body.entries[i], value=some_value(random, 3))
    if entry.key is None and reads_as_key(entry):
        entry = replace(entry, key="k")
    entries = (*parsed.body.entries[:i], entry, *parsed.body.entries[i + 1 :])
    edited = replace(parsed, body=replace(parsed.body, entries=entries))
    assert parse(dump(edited)) == edited


def refuses_cleanly(text: str) -> None:
    for read_text in (parse, parse_many):
        try:
            found = read_text(text)
        except ShellSyntaxError as error:
            assert error.line >= 1 and error.column >= 1
            continue
        shells = found if isinstance(found, tuple) else (found,)
        assert not shells or "".join(map(dump, shells)) == text
        for shell in shells:
            again = parse_many(dump(shell, canonical=True))
            assert shell in again


@settings(max_examples=300, deadline=None)
@given(st.text("/a.{}[]\"'=:,;-><\n #*\\5%“”$u", max_size=40).map(lambda s: "/a{" + s))
def test_random_marks_raise_nothing_but_syntax_errors(text: str) -> None:
    refuses_cleanly(text)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_syntax_errors(data: bytes) -> None:
    refuses_cleanly(data.decode("utf-8", "replace"))
    refuses_cleanly(data.decode("latin-1"))
    refuses_cleanly(data.decode("utf-16-le", "replace"))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_mutated_examples_raise_nothing_but_syntax_errors(path: Path, data: st.DataObject) -> None:
    text = path.read_text("utf-8")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 5))
        text = (
            text[:at]
            + data.draw(st.sampled_from(["", "{", "}", "[", '"', ",", "=", "//", "/*", "->", "\n", "<", "/a{", "é"]))
            + text[at + cut :]
        )
    refuses_cleanly(text)


def test_children_are_in_reading_order() -> None:
    shell = parse("/a{x=[1, 2 -> 3], y=/b{z=4}}")
    assert [v.value for v in walk(shell) if isinstance(v, Number)] == [1, 2, 3, 4]
    assert children(Number(1)) == ()
