"""Seconds to cut documents of every kind into segments: linear in the text, whatever the text is.

    python benchmarks/reading.py --size 10e6 --out benchmarks/results/reading.json

Processor seconds of one thread, and as many times the cost of prose in the same run. `growth` is the seconds of the
whole size over those of a quarter of it, divided by four: 1 where reading is linear.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import fieldpack
from fieldpack.text.segment import segment

LETTERS = "etaoinshrdlucmfwypvbgkqjxz"


class Writer:
    """Texts of invented words; the same seed gives the same text."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.words = ["".join(self.rng.choices(LETTERS, k=self.rng.choice((2, 3, 4, 5, 6, 7, 9)))) for _ in range(4000)]

    def word(self) -> str:
        return self.rng.choice(self.words)

    def sentence(self) -> str:
        words = self.rng.choices(self.words, k=self.rng.randrange(5, 25))
        return " ".join([words[0].capitalize(), *words[1:]]) + self.rng.choice(".....?!")

    def paragraph(self) -> str:
        return " ".join(self.sentence() for _ in range(self.rng.randrange(2, 7)))

    def record(self, i: int) -> dict[str, object]:
        return {"id": i, "name": self.word(), "text": self.sentence(), "tags": [1, 2]}

    def nested(self, i: int) -> dict[str, object]:
        address = {"city": self.word(), "zip": i, "place": {"lat": self.rng.random(), "lng": self.rng.random()}}
        labels = [{"name": self.word(), "color": self.word()} for _ in range(i % 4)]
        owner = {"login": self.word(), "name": f"{self.word()} {self.word()}", "address": address}
        return {"id": i, "title": self.sentence(), "owner": owner, "labels": labels, "tags": [self.word(), self.word()]}


def markdown(w: Writer, i: int) -> str:
    blocks = (
        f"## {w.sentence()}",
        w.paragraph(),
        f"- {w.sentence()}\n- {w.sentence()}",
        "```python\ndef f(x):\n    return x\n```",
        "| a | b |\n|---|---|\n| 1 | 2 |",
    )
    return blocks[i % 5]


def log_entry(w: Writer, i: int) -> str:
    trace = '\nTraceback (most recent call last):\n  File "/a/b.py", line 3, in f\n    x = 1\nValueError: bad'
    return f"2026-01-02 03:04:{i % 60:02d} {'INFO' if i % 7 else 'ERROR'} {w.sentence()}{'' if i % 7 else trace}"


def settings(w: Writer, i: int) -> str:
    return f"{w.word()}:\n  {w.word()}: {w.word()}\n  list:\n    - {w.word()}\n    - {w.word()}"


def function(w: Writer, i: int) -> str:
    return f'def {w.word()}_{i}(x, y=1):\n    """{w.sentence()}"""\n    if x:\n        return [y]\n    return {{}}\n'


def page(w: Writer, i: int) -> str:
    table = f"<table><tr><th>a</th></tr><tr><td>{i}</td></tr></table>"
    return f"<h2>{w.sentence()}</h2>\n<p>{w.paragraph()}</p>\n<ul><li>{w.sentence()}</li></ul>\n{table}"


def change(w: Writer, i: int) -> str:
    head = f"diff --git a/f{i}.py b/f{i}.py\n--- a/f{i}.py\n+++ b/f{i}.py\n@@ -1,3 +1,3 @@"
    return f"{head}\n context {w.sentence()}\n-{w.sentence()}\n+{w.sentence()}"


PARTS: dict[str, tuple[str, str, Callable[[Writer, int], str], str]] = {
    "prose": ("", "\n\n", lambda w, i: w.paragraph(), ""),
    "markdown": ("", "\n\n", markdown, ""),
    "csv": ("id,name,amount\n", "\n", lambda w, i: f"{i},{w.word()},{w.rng.random():.3f}", ""),
    "json lines": ("", "\n", lambda w, i: json.dumps(w.record(i)), ""),
    "json array": ("[", ", ", lambda w, i: json.dumps(w.record(i)), "]"),
    "nested json": ("[", ", ", lambda w, i: json.dumps(w.nested(i)), "]"),
    "pretty nested json": ("[\n", ",\n", lambda w, i: json.dumps(w.nested(i), indent=2), "\n]"),
    "cut json": ('{"total": 1, "items": [', ", ", lambda w, i: json.dumps(w.nested(i)), ', {"id'),
    "pretty json": ("[\n", ",\n", lambda w, i: json.dumps(w.record(i), indent=2), "\n]"),
    "log with traces": ("", "\n", log_entry, ""),
    "yaml": ("", "\n", settings, ""),
    "python": ("", "\n", function, ""),
    "html": ("<html><body>", "\n", page, "</body></html>"),
    "diff": ("", "\n", change, ""),
    "chat": ("", "\n", lambda w, i: f"{('Anna', 'Bob', 'Cid')[i % 3]}: {w.sentence()}", ""),
    "one line": ("", " ", lambda w, i: w.sentence(), ""),
}
SIGNS = {"blank lines": "\n", "backticks": "`", "bars": "|", "braces": "{", "quotes": '"', "one word": "a"}


def text_of(kind: str, size: int) -> str:
    """A text of a kind, of about `size` characters."""
    if kind in SIGNS:
        return SIGNS[kind] * size
    head, between, make, tail = PARTS[kind]
    writer, parts, length = Writer(0), list[str](), 0
    while length < size:
        parts.append(make(writer, len(parts)))
        length += len(parts[-1]) + len(between)
    return head + between.join(parts) + tail


def seconds(text: str, repeats: int) -> float:
    """The least processor seconds of several readings."""
    documents, times = [fieldpack.Document("text", text)], []
    for _ in range(repeats):
        start = time.process_time()
        segment(documents, "sentence")
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=float, default=1e6, help="characters of each text")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=[*PARTS, *SIGNS])
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    size = int(options.size)
    seconds("Once. " * 1000, 1)  # imports
    prose = seconds(text_of("prose", size), options.repeats)
    rows = {}
    for kind in options.kinds:
        whole = seconds(text_of(kind, size), options.repeats)
        quarter = seconds(text_of(kind, size // 4), options.repeats)
        rows[kind] = {
            "seconds": round(whole, 3),
            "times_prose": round(whole / prose, 2),
            "growth": round(whole / max(4 * quarter, 1e-6), 2),
        }
        print(f"{kind:16} {rows[kind]['seconds']:8.3f} s  {rows[kind]['times_prose']:6.2f} x prose  "
              f"growth {rows[kind]['growth']:.2f}", flush=True)  # fmt: skip
    if options.out:
        options.out.write_text(json.dumps({"size": size, "kinds": rows}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
