"""Lines of progress give way to what else an output says, and stay where a question names one of them."""

from __future__ import annotations

import random

import numpy as np
import pytest
from invented import NAMES

from fieldpack import ContextPacker
from fieldpack.relevance.progress import templates_of
from fieldpack.tools import trim


def named(drawn):
    return drawn.choice(NAMES) + drawn.choice(["", "-core", "_util", "lib", "-sys"])


def mixed(lines, others):
    """The others at even distances between the lines."""
    out, step = list(lines), len(lines) // (len(others) + 1)
    for k, line in enumerate(others):
        out.insert((k + 1) * step + k, line)
    return "\n".join(out)


def outputs():
    """{kind: (text, question, what must be in)}."""
    drawn = random.Random(5)
    ninja = [f"[{i}/300] Building CXX object src/{named(drawn)}/{named(drawn)}.cpp.o" for i in range(1, 301)]
    cargo = [f"   Compiling {named(drawn)} v0.{i}.{i % 7}" for i in range(250)]
    states = ["Pulling fs layer", "Pull complete", "Download complete", "Waiting"]
    layers = [f"{drawn.getrandbits(48):012x}: {drawn.choice(states)}" for _ in range(200)]
    loads = [f"Downloading model.bin {p}% ({3 * p} of 300 MB, {drawn.randrange(30, 90) / 10} MB/s)" for p in range(101)]
    apt = [
        line
        for i in range(90)
        for line in (
            f"Selecting previously unselected package {named(drawn)}.",
            f"Preparing to unpack .../{i:02d}-{named(drawn)}_1.{i}_amd64.deb ...",
            f"Unpacking {named(drawn)} (1.{i}) ...",
        )
    ]
    steps = [f"Epoch {1 + i // 100} step {i % 100}: loss {drawn.random():.4f} in training" for i in range(400)]
    return {
        "ninja": (mixed(ninja, ["Build cache: 12 hits, 288 misses"]), "how did the build go?", ["12 hits, 288"]),
        "cargo": (
            mixed(cargo, ["    Blocking waiting for file lock on build directory", "    Finished `release` in 2m 11s"]),
            "how long did compiling take?",
            ["Finished `release` in 2m 11s", "Blocking waiting"],
        ),
        "docker": (
            mixed(layers, ["Digest: sha256:11aa", "Status: Downloaded newer image for app:latest"]),
            "how did the pull go?",
            ["Downloaded newer image"],
        ),
        "percent": (
            mixed(loads, ["Resuming after a connection reset", "checksum ok: 9f3a", "Saved to /var/models/model.bin"]),
            "did downloading work?",
            ["Resuming after", "checksum ok", "/var/models/model.bin"],
        ),
        "apt": (
            mixed(
                apt, ["Errors were encountered: none", "W: some packages may have moved to /opt", "Need 812 MB more"]
            ),
            "anything special about the packages that were unpacked?",
            ["may have moved to /opt"],
        ),
        "training": (
            mixed(steps, ["Training resumed from a checkpoint of Tuesday", "Learning rate halved after a plateau"]),
            "what should I know about the training?",
            ["resumed from a checkpoint"],
        ),
    }


OUTPUTS = outputs()


@pytest.mark.parametrize("kind", OUTPUTS)
def test_what_else_an_output_says_is_kept(kind):
    text, question, answers = OUTPUTS[kind]
    shown = trim(text, question=question, budget=150, threshold=0).output
    assert all(answer in shown for answer in answers), shown


@pytest.mark.parametrize("kind", ["ninja", "cargo", "docker", "apt", "training"])
def test_a_pack_is_not_filled_with_progress(kind):
    text, question, answers = OUTPUTS[kind]
    packed = ContextPacker().pack(question, [text], 150).text
    assert all(answer in packed for answer in answers), packed


@pytest.mark.parametrize(
    ("kind", "question", "line"),
    [
        ("ninja", "was object 217/300 of the build built?", "[217/300] Building"),
        ("cargo", "which version of zircon is compiled?", "Compiling zircon v3.2"),
        ("cargo", "is zircon compiled?", "Compiling zircon v3.2"),
        ("training", "what was the training loss in epoch 3 step 57?", "Epoch 3 step 57"),
    ],
)
def test_a_line_of_progress_that_is_named_stays(kind, question, line):
    text = OUTPUTS[kind][0] + "\n   Compiling zircon v3.2\n   Compiling nerite v1.0"
    assert line in trim(text, question=question, budget=150, threshold=0).output
    assert line in ContextPacker().pack(question, [text], 150).text


def test_an_error_among_progress_is_no_progress():
    lines = OUTPUTS["ninja"][0].split("\n")
    lines[150] = "[150/300] Building CXX object src/zircon.cpp.o failed: error in the build"
    text = "\n".join(lines)
    assert lines[150] in trim(text, question="what about the build?", budget=150, threshold=0).output


def test_rows_of_a_log_that_are_alike_are_found_by_their_values():
    drawn = random.Random(2)
    rows = [
        f"2026-03-01 10:{i // 60:02d}:{i % 60:02d} INFO order {4000 + i} of {drawn.choice(NAMES)} paid {i * 3} euros"
        for i in range(300)
    ]
    rows[111] = "2026-03-01 10:01:51 INFO order 4111 of zircon paid 12 euros"
    text = "\n".join([*rows, "2026-03-01 11:00:00 INFO shutting down, the order book is closed"])
    for question in ("how much did zircon pay for the order?", "what was paid for order 4111?"):
        assert rows[111] in trim(text, question=question, budget=150, threshold=0).output
        assert rows[111] in ContextPacker().pack(question, [text], 150).text


def test_lines_of_one_template_are_those_that_differ_in_numbers_and_names():
    lines = [f"   Compiling {name} v0.{i}" for i, name in enumerate(NAMES * 2)]
    prose = [f"{a} {b} {a} is {c}" for a, b, c in zip(NAMES, NAMES[3:], NAMES[5:], strict=False)]
    template = templates_of([*lines, *prose, "done"], np.zeros(len(lines) + len(prose) + 1, np.int64))
    assert (template[: len(lines)] == template[0]).all() and template[0] >= 0
    assert (template[len(lines) :] == -1).all()
