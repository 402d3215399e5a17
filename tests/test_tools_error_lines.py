"""Which lines name an error: those of many tools do, and lines that only speak of errors do not."""

from __future__ import annotations

import random

import pytest

from fieldpack import tokenizer
from fieldpack.tools import ToolCall, ToolTrimmer, trim
from fieldpack.tools.error_lines import error_lines, named

ERRORS = [
    '10.0.0.9 - - [10/Oct/2026:13:56:40 +0000] "POST /login HTTP/1.1" 500 12 "-" "curl/8.0"',
    'INFO:     127.0.0.1:5555 - "GET /a HTTP/2" 503 Service Unavailable',
    '{"level": "info", "status": 502, "path": "/a"}',
    "level=info status=504 path=/a",
    "FAILED tests/test_pay.py::test_rounding - assert 3 == 4",
    "FAILED tests/test_login.py::test_failed_login",
    "tests/test_login.py::test_failed_login FAILED            [ 33%]",
    "--- FAIL: TestPay (0.00s)",
    "    --- FAIL: TestPay/eur (0.00s)",
    "FAIL\texample.com/pay\t0.013s",
    "not ok 3 - adds two numbers",
    "    not ok 1 - nested",
    "✗ should return 404",
    "  ✕ renders the title (12 ms)",
    "✖ 3 problems (3 errors, 0 warnings)",
    "npm ERR! code E404",
    "npm error code E404",
    "E   assert 1 == 2",
    "#12 31.4 E: Unable to locate package foo",
    "error[E0308]: mismatched types",
    "fatal: not a git repository",
    "panic: runtime error: index out of range",
    "thread 'main' panicked at src/main.rs:3:5:",
    "src/a.c:3:5: error: expected ';' before '}' token",
    "src/app.ts(3,5): error TS2345: Argument of type",
    "java.lang.NullPointerException: x is null",
    "[ERROR] Failed to execute goal",
    "[  FAILED  ] Suite.Case (3 ms)",
    "> Task :app:compileJava FAILED",
    "FAILURE: Build failed with an exception.",
    "2026-01-01 10:00:00 ERROR worker died",
    '{"level":"error","msg":"db down"}',
    "E0411 12:00:01.123456   1 server.go:12] dial tcp",
    "Segmentation fault (core dumped)",
    "bash: foo: command not found",
    "Error: none of the remotes answered",
    "Error: no such image: x",
    "a.out: x.c:3: main: Assertion `x > 0' failed.",
]
HARMLESS = [
    '10.0.0.1 - - [10/Oct/2026:13:55:01 +0000] "GET /p/500 HTTP/1.1" 200 500 "-" "Mozilla/5.0"',
    '{"status": 200, "bytes": 500}',
    "0 failed",
    "0 failed, 12 passed",
    "0 of 12 failed",
    "no errors",
    "finished without errors",
    "Build completed with 0 errors and 2 warnings",
    "error_count=0",
    "errors: 0",
    "error=None",
    '"errors": [],',
    "failed=0    skipped=3",
    "Tests run: 12, Failures: 0, Errors: 0, Skipped: 0",
    "PASS: 12 FAIL: 0",
    "# FAIL:  0",
    "test_failed_login PASSED",
    "tests/test_errors.py::test_failed_login PASSED [ 10%]",
    "test errors::tests::parse_error ... ok",
    "=== RUN   TestFailedLogin",
    "--- PASS: TestFailedLogin (0.00s)",
    "ok 3 - reports an error",
    "not ok 3 - known # TO" + "DO mend it",
    "✓ shows an error when the login failed",
    "  CC src/error.o",
    "[12/300] Building CXX object src/errors/handler.cpp.o",
    "Downloading error_handler-1.2.tar.gz",
]


@pytest.mark.parametrize("line", ERRORS)
def test_a_line_names_an_error(line):
    assert named(line) == 0


@pytest.mark.parametrize("line", HARMLESS)
def test_a_line_about_errors_is_none(line):
    assert named(line) is None


def test_the_lines_of_a_text_are_those_that_reading_each_finds():
    drawn = random.Random(3)
    pieces = [
        *ERRORS,
        *HARMLESS,
        "Compiling a v1",
        "",
        "  ",
        "cannot open x",
        "killed",
        "e: small",
        "E  x",
        "a E: b",
        "10 × 3",
    ]
    for _ in range(200):
        lines = [drawn.choice(pieces) for _ in range(drawn.randrange(1, 30))]
        text = drawn.choice(["", "İ\n"]) + "\n".join(lines)  # İ is longer in lower case
        found = {text[a:b] for part in error_lines(text) for a, b in part}
        assert found == {line for line in text.split("\n") if named(line) is not None}
        sure = {text[a:b] for a, b in error_lines(text)[0]}
        assert sure == {line for line in text.split("\n") if named(line) == 0}


def many(errors):
    quiet = [f"12:{n // 60:02d}:{n % 60:02d} step {n} of the plan is done" for n in range(400)]
    at = [7 * k + 11 for k in range(len(errors))]
    for place, line in zip(reversed(at), reversed(errors), strict=True):
        quiet.insert(place, line)
    return "\n".join(quiet)


def test_of_many_errors_the_first_and_the_last_stay():
    errors = [f"step {n}: error: part {n * 37 % 1000} has no plan {n * 91 % 1000}" for n in range(40)]
    trimmed = ToolTrimmer(budget=400).trim(many(errors), question="why did it fail?")
    assert errors[0] in trimmed.output and errors[-1] in trimmed.output
    assert tokenizer("o200k_base").count(trimmed.output) <= 400


def test_many_errors_give_way_to_the_one_that_is_asked_for():
    errors = [f"job {n}: error: customer number {n * 37 % 1000} was refused by the bank" for n in range(40)]
    errors[20] = "job 20: error: the harbour export of Lindqvist was refused: the disk is full"
    trimmed = ToolTrimmer(budget=120).trim(many(errors), question="why did the harbour export of Lindqvist fail?")
    assert errors[20] in trimmed.output


@pytest.mark.parametrize("line", ["FAILED tests/x.py::test_pay - assert 3 == 4", "not ok 41 - pays", "✗ pays in euros"])
def test_what_a_failing_tool_says_stays(line):
    text = many([line])
    shown = trim(text, question="how many steps are done?", call=ToolCall("bash", failed=True), budget=150).output
    assert line in shown
