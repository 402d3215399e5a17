"""Long logs of what failed: the error is kept, however the question is put and wherever it stands."""

from __future__ import annotations

import pytest

from fieldpack import tokenizer
from fieldpack.tools import ToolTrimmer

MAKE = "\n".join(
    [f"[{n // 7:3d}%] Building CXX object src/CMakeFiles/core.dir/mod_{n}.cpp.o" for n in range(500)]
    + [
        "/w/src/mod_500.cpp:88:21: error: 'class net::Conn' has no member named 'last_used'",
        "   88 |     conn.last_used = now();",
        "      |          ^~~~~~~~~",
        "make[2]: *** [src/build.make:7342: mod_500.cpp.o] Error 1",
    ]
    + [f"[ 99%] Building CXX object src/CMakeFiles/core.dir/late_{n}.cpp.o" for n in range(150)]
    + ["make: *** [Makefile:136: all] Error 2"]
)
NPM = "\n".join(
    [f"npm http fetch GET 200 https://npm.example/pkg-{n} {n}ms (cache hit)" for n in range(200)]
    + ["npm ERR! code ERESOLVE", "npm ERR! Could not resolve dependency:", "npm ERR! peer react@17 from thing@3.1.0"]
    + [f"npm http fetch GET 200 https://npm.example/late-{n} {n}ms (cache hit)" for n in range(100)]
    + ["npm ERR! A complete log of this run can be found in: x.log"]
)
DOCKER = "\n".join(
    [f"#12 {n}.1 Get:{n} http://deb.example bookworm/main amd64 lib{n} [12 kB]" for n in range(200)]
    + ["#12 31.4 E: Unable to locate package libfoo-dev", "#12 ERROR: process did not complete", "------"]
    + [f"#13 {n}.2 transferring context {n} kB" for n in range(40)]
    + ['ERROR: failed to solve: process "/bin/sh -c apt-get install" did not complete successfully: exit code: 100']
)
SERVER = "\n".join(
    [f"2026-04-01 10:{n // 60:02d}:{n % 60:02d} INFO request {n} /pay 200 in {n % 9} ms" for n in range(300)]
    + [
        "2026-04-01 10:05:01 ERROR worker died",
        "Traceback (most recent call last):",
        '  File "/app/pay.py", line 31, in convert',
        "    return amount * RATES[currency]",
        "KeyError: 'XAF'",
    ]
    + [f"2026-04-01 10:06:{n % 60:02d} INFO request {n} /pay 200 in {n % 9} ms" for n in range(100)]
)
CARGO = "\n".join(
    [f"   Compiling early-{n} v0.{n}.0" for n in range(200)]
    + ["error[E0382]: borrow of moved value: `cfg`", "  --> src/main.rs:14:20", "   |", "14 |     start(&cfg);"]
    + [f"   Compiling late-{n} v0.{n}.0" for n in range(100)]
    + ["error: could not compile `app` (bin) due to 1 previous error"]
)
MANY = "\n".join(
    [f"npm http fetch GET 200 https://npm.example/pkg-{n} {n}ms" for n in range(300)]
    + ["npm ERR! code ERESOLVE", *(f"npm ERR! peer lib-{n}@17" for n in range(20))]
    + [f"npm http fetch GET 200 https://npm.example/late-{n} {n}ms" for n in range(100)]
)
LOGS = {
    "cargo": (CARGO, ("error[E0382]", "14 |     start(&cfg);", "could not compile")),
    "many": (MANY, ("npm ERR! code ERESOLVE", "peer lib-1@17")),
    "make": (MAKE, ("has no member named 'last_used'", "conn.last_used = now()", "Error 2")),
    "npm": (NPM, ("npm ERR! code ERESOLVE", "peer react@17")),
    "docker": (DOCKER, ("E: Unable to locate package libfoo-dev", "failed to solve")),
    "server": (SERVER, ("ERROR worker died", "RATES[currency]", "KeyError: 'XAF'")),
}


@pytest.mark.parametrize("question", ["why did it fail", "why did the build fail?", "what is the error?"])
@pytest.mark.parametrize("log", LOGS)
def test_the_error_is_kept(log, question):
    text, answers = LOGS[log]
    trimmed = ToolTrimmer(budget=300).trim(text, question=question)
    assert all(answer in trimmed.output for answer in answers), trimmed.output
    assert tokenizer("o200k_base").count(trimmed.output) <= 300


def test_a_log_with_errors_is_no_failure_for_another_question():
    trimmed = ToolTrimmer(budget=120).trim(SERVER, question="how long did request 217 take")
    assert "request 217 /pay 200 in 1 ms" in trimmed.output and "RATES" not in trimmed.output


def test_an_id_is_found_with_what_a_notice_has_behind_it():
    trimmer = ToolTrimmer(budget=120)
    (name,) = trimmer.trim(SERVER, question="how long did request 217 take").ids
    assert trimmer.expand(f"{name},,,,") == trimmer.expand(name)
    assert trimmer.tool()(id=f" {name}. ", range="3") == trimmer.tool()(id=name, range="3")
