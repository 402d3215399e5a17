"""Hostile documents of growing size: does the time of a pack grow as the text does?

    python benchmarks/hostile.py --out benchmarks/results/hostile.json

Processor time of one pack (budget 2,000) of one document of 1, 2 and 4 million characters, per kind of document; of a
quarter of that where every few characters are a segment, so that memory stays in bounds. The ratio of the last to the
first is 4 where time is linear; the least of `--tries` is taken for each.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import fieldpack as fp

KINDS = {
    "one character": "a",
    "open brackets": "(",
    "square brackets": "[",
    "nested quotes": "\"'",
    "quotes and spaces": "\" ' ",
    "a full stop and a space": "a. ",
    "stops": ".",
    "emoji": "🙂",
    "families": "👩‍👩‍👧‍👦",
    "flags": "🇩🇪",
    "Han without spaces": "潮汐由月球引力引起",
    "Han with stops": "潮汐。",
    "combining marks": "e\u0301\u0302\u0303",
    "only marks": "\u0301",
    "joiners": "\u200d",
    "spaces": "a" + " " * 99,
    "blank lines": "a\n\n",
    "line breaks": "a\n",
    "carriage returns": "a\r",
    "headings": "# a\n",
    "fences": "```\n",
    "rules": "---\n",
    "underlines": "a\n===\n",
    "bullets": "- a\n",
    "nested bullets": "- - - - a\n",
    "quote marks": "> > > a\n",
    "table rows": "| a | b |\n|---|---|\n",
    "pipes": "|",
    "backticks": "`",
    "stars": "*",
    "html": "<div><!-- ",
    "python": "def f():\n    '''\n",
    "escapes": '\\"',
    "base64": "QUJDRA",
    "digits": "1234567890",
    "numbers with stops": "1.2.3. ",
    "abbreviations": "e.g. i.e. Dr. ",
    "citations": "word.[1] ",
    "different words": "",
    "special tokens": "<|endoftext|>",
    "control characters": "\x00\x01\x1b[31m",
    "null characters": "\x00",
}

DENSE = {
    "a full stop and a space",
    "Han with stops",
    "blank lines",
    "line breaks",
    "carriage returns",
    "headings",
    "fences",
}
DENSE |= {"rules", "underlines", "numbers with stops", "different words", "stops", "stars"}
"""Kinds of which a megabyte is hundreds of thousands of segments or words."""


def document(kind: str, size: int) -> str:
    """`size` characters of a kind."""
    if kind == "different words":
        return " ".join(f"w{i:x}" for i in range(size // 6))[:size]
    piece = KINDS[kind]
    return (piece * (size // len(piece) + 1))[:size]


def seconds(packer: fp.ContextPacker, text: str, tries: int) -> float:
    """Processor time of one pack, the least of `tries`."""
    best = float("inf")
    for _ in range(tries):
        start = time.process_time()
        result = packer.pack("what causes the tides", [text], 2000)
        best = min(best, time.process_time() - start)
        if result.tokens > 2000:
            raise SystemExit(f"over the budget: {result.tokens}")
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000_000, 2_000_000, 4_000_000])
    parser.add_argument("--tries", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    packer = fp.ContextPacker()
    packer.pack("warm", ["text"], 10)
    rows = {}
    for kind in given.kinds:
        sizes = [size // 4 for size in given.sizes] if kind in DENSE else given.sizes
        times = [seconds(packer, document(kind, size), given.tries) for size in sizes]
        ratio = times[-1] / max(times[0], 1e-9)
        rows[kind] = {"characters": sizes, "seconds": [round(t, 3) for t in times], "ratio": round(ratio, 2)}
        print(f"{kind:26}", *(f"{t:8.2f}" for t in times), f"   ratio {ratio:.1f}", file=sys.stderr, flush=True)
    report = {
        "command": f"python benchmarks/hostile.py {' '.join(sys.argv[1:])}",
        "growth of the text": given.sizes[-1] / given.sizes[0],
        "kinds": rows,
        "largest ratio": max(r["ratio"] for r in rows.values()),
    }
    text = json.dumps(report, indent=1, ensure_ascii=False)
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
