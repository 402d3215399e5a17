"""Tool output trimmed for a question: what of the answer survives, and what it costs.

    python benchmarks/tools.py CASES.jsonl.gz [--budgets 150,400,1000] [--speed]

CASES: one JSON object a line with `id`, `kind`, `query`, `call`, `text`, and half-open ranges of the text: `gold` (what
answers) and `needs` (what a reader needs to read that); `facts`: strings that the trimmed text must hold. Budgets above
60 % of a text are left out. gold, needs: share of the characters kept; whole: all of both; facts: all of them; over:
outputs above the budget in o200k tokens; saved: share of the tokens. --speed: processor milliseconds of `trim`, the
lower quartile of 9 for outputs of about 5,000 tokens (their median), and of 5 for 200,000 tokens of each kind.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fieldpack.tools import ToolTrimmer
from fieldpack.tools.trimmed import Trimmed

MEASURES = ("gold", "needs", "whole", "facts")
Case = dict[str, Any]


def read_cases(path: Path) -> list[Case]:
    """The cases of a .jsonl or .jsonl.gz file."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in content.decode("utf-8").splitlines() if line]


def share(text: str, wanted: Sequence[Sequence[int]], kept: Sequence[Sequence[int]]) -> float:
    """The share of the wanted ranges' characters, white space left out, that are kept; 1 where nothing is wanted."""
    have = bytearray(len(text))
    for a, b in kept:
        have[a:b] = b"\1" * (b - a)
    inked = [i for a, b in wanted for i in range(a, b) if not text[i].isspace()]
    return sum(have[i] for i in inked) / len(inked) if inked else 1.0


def kept_ranges(trimmed: Trimmed) -> list[tuple[int, int]]:
    """The ranges of the one text that stand in the output."""
    (part,) = trimmed.parts
    return list(part.kept) if part.cut else [(0, len(part.text))]


def scores(case: Case, trimmed: Trimmed) -> list[float]:
    """The MEASURES of one output."""
    kept = kept_ranges(trimmed)
    gold, needs = share(case["text"], case["gold"], kept), share(case["text"], case["needs"], kept)
    return [gold, needs, float(gold > 0.9999 and needs > 0.9999), float(all(f in trimmed.text for f in case["facts"]))]


def quality(cases: list[Case], budgets: list[int]) -> str:
    """A table by budget and one by kind."""
    trimmer = ToolTrimmer(threshold=0)
    rows: dict[tuple[str, int], list[list[float]]] = defaultdict(list)
    over, before, after = 0, 0, 0
    for case in cases:
        tokens = trimmer.tokens(case["text"])
        for budget in budgets:
            if budget <= 0.6 * tokens:
                t = trimmer.trim(case["text"], question=case["query"], call=case["call"], budget=budget)
                rows[case["kind"], budget].append(scores(case, t))
                over += t.tokens_after > budget
                before, after = before + t.tokens_before, after + t.tokens_after
    lines = ["| | outputs | " + " | ".join(MEASURES) + " |", "|---|--:|" + "--:|" * len(MEASURES)]
    for budget in budgets:
        lines.append(_row(f"{budget} tokens", [s for (_, b), some in rows.items() if b == budget for s in some]))
    lines.append(_row("all", [s for some in rows.values() for s in some]))
    for kind in dict.fromkeys(c["kind"] for c in cases):
        lines.append(_row(kind, [s for (k, _), some in rows.items() if k == kind for s in some]))
    return "\n".join([*lines, "", f"over the budget: {over}; tokens {before:,} -> {after:,}"])


def _row(name: str, values: list[list[float]]) -> str:
    means = [sum(column) / len(values) for column in zip(*values, strict=True)] if values else [0.0] * 4
    return f"| {name} | {len(values)} | " + " | ".join(f"{m:.3f}" for m in means) + " |"


def speed(cases: list[Case]) -> str:
    """Processor milliseconds."""
    trimmer = ToolTrimmer(budget=800)
    middle = [c for c in cases if 3_500 <= trimmer.tokens(c["text"]) <= 6_500]
    times = sorted(_milliseconds(trimmer, c["text"], c, 9) for c in middle)
    lines = [f"about 5,000 tokens: median of {len(times)} outputs {times[len(times) // 2]:.1f} ms"]
    for kind in ("log", "csv", "columns", "grep", "build", "jsonl", "json_array"):
        of_kind = [c for c in cases if c["kind"] == kind]
        text = large(of_kind, 200_000, trimmer)
        took = _milliseconds(trimmer, text, of_kind[0], 5)
        lines.append(f"{trimmer.tokens(text):,} tokens of {kind}: {took:.0f} ms")
    lines.append(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    return "\n".join(lines)


def large(cases: list[Case], tokens: int, trimmer: ToolTrimmer) -> str:
    """Lines (or items) of the cases, drawn with other digits, until there are so many tokens."""
    rng = random.Random(7)
    if cases[0]["kind"] == "json_array":
        whole = json.loads(cases[0]["text"])
        name = max(whole, key=lambda k: len(json.dumps(whole[k])))
        times = tokens // trimmer.tokens(cases[0]["text"]) + 1
        whole[name] = [{**item, "copy": k} for k in range(times) for item in whole[name]]
        return json.dumps(whole, indent=1)
    lines = [line for c in cases for line in c["text"].split("\n")]
    mean = sum(trimmer.tokens(line + "\n") for line in lines[:400]) / min(400, len(lines))
    first = cases[0]["text"].split("\n")[0]
    drawn = [rng.choice(lines).replace("1", str(rng.randrange(10)), 1) for _ in range(int(tokens / mean))]
    middle = len(drawn) // 2
    return "\n".join([first, *drawn[:middle], cases[0]["text"], *drawn[middle:]])


def _milliseconds(trimmer: ToolTrimmer, text: str, case: Case, times: int) -> float:
    took = []
    for _ in range(times + 1):  # the first one warms caches
        start = time.process_time()
        trimmer.trim(text, question=case["query"], call=case["call"])
        took.append((time.process_time() - start) * 1000)
    return sorted(took[1:])[len(took) // 4]


def main() -> None:
    """Reads the arguments, writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--budgets", default="150,400,1000")
    parser.add_argument("--speed", action="store_true")
    arguments = parser.parse_args()
    cases = read_cases(arguments.cases)
    measured = speed(cases) if arguments.speed else quality(cases, [int(b) for b in arguments.budgets.split(",")])
    sys.stdout.write(measured + "\n")


if __name__ == "__main__":
    main()
