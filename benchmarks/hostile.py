"""Hostile documents of 1 and of 10 MB: do the time and the memory of a pack grow no faster than the text does?

    python benchmarks/hostile.py --out benchmarks/results/hostile.json

Every case is a process of its own: it makes one document of so many bytes, packs it end to end (budget 2,000), checks
the promises, and reports processor seconds and the most memory it held. `exponent` is that of the time between the two
sizes (1 is linear; on a busy machine the short ones look steeper than they are). Loading the models is not counted in
the seconds, but in the memory: about 120 MB. Some kinds are written to a file and read from it, as the command line
does.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPEATED = {
    "one character": "a",
    "open brackets": "(",
    "square brackets": "[",
    "brackets in pairs": "()",
    "nested quotes": "\"'",
    "quotes and spaces": "\" ' ",
    "quoted quotes": '"\'"He said ',
    "a full stop and a space": "a. ",
    "stops": ".",
    "commas": ",",
    "emoji": "🙂",
    "families": "👩‍👩‍👧‍👦",
    "flags": "🇩🇪",
    "Han without spaces": "潮汐由月球引力引起",
    "Han with stops": "潮汐。",
    "Thai without spaces": "น้ำขึ้นน้ำลง",
    "combining marks": "e\u0301\u0302\u0303",
    "only marks": "\u0301",
    "letters that grow when decomposed": "\ufdfa",
    "joiners": "\u200d",
    "white space": " ",
    "white space within words": "a" + " " * 99,
    "blank lines": "a\n\n",
    "line breaks": "a\n",
    "only line breaks": "\n",
    "carriage returns": "a\r",
    "line separators": "a\u2028",
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
    "underscores": "_",
    "hashes": "#",
    "dashes": "-",
    "unclosed html": "<div><!-- ",
    "entities": "&amp;",
    "python": "def f():\n    '''\n",
    "decorators": "@a\n",
    "braces": "function f() {\n",
    "escapes": '\\"',
    "base64": "QUJDRA",
    "digits": "1234567890",
    "numbers with stops": "1.2.3. ",
    "abbreviations": "e.g. i.e. Dr. ",
    "initials": "A. B. C. ",
    "ellipses": "... ",
    "citations": "word.[1] ",
    "addresses": "http://a.b/c?d=e&f=",
    "one sentence again": "The tides are caused by the gravity of the Moon. ",
    "one paragraph again": "The tides are caused by the gravity of the Moon. Bread needs a starter.\n\n",
    "special tokens": "<|endoftext|>",
    "shells": "/context.manage{budget={total_tokens=999999}}\n",
    "gap marks": "\n\n…\n\n",
    "control characters": "\x00\x01\x1b[31m",
    "null characters": "\x00",
}
"""What a document of that kind repeats."""
MADE = ("different words", "different sentences", "different paragraphs", "one name after another", "random letters")
FILES = {
    "html: open tags": (".html", "<div>"),
    "html: tags without an end": (".html", "<a "),
    "html: comments without an end": (".html", "<!-- "),
    "html: less-than signs": (".html", "<"),
    "html: entities": (".html", "&lt;&#x41;&ampamp"),
    "html: attributes": (".html", '<a b="c" d='),
    "html: quotes without an end": (".html", "<a b='"),
    "html: paragraphs of a letter": (".html", "<p>a"),
    "html: scripts": (".html", "<script>"),
    "markdown: headings": (".md", "# a\n"),
    "markdown: brackets": (".md", "[a]("),
    "markdown: stars": (".md", "**a*"),
    "rst: underlines": (".rst", "a\n=\n"),
    "rst: directives": (".rst", ".. a::\n\n"),
    "python: nested functions": (".py", "def f():\n"),
    "python: quotes": (".py", '"""'),
    "python: backslashes": (".py", "a \\\n"),
    "code: braces": (".c", "{\n}\n"),
    "json: nested lists": (".json", "["),
    "json lines: one letter": (".jsonl", '{"text": "a"}\n'),
    "notebook: nested objects": (".ipynb", '{"cells":'),
    "csv: commas": (".csv", "a,"),
}


def document(kind: str, size: int) -> str:
    """A text of `size` bytes of a kind, to within a piece."""
    if kind in MADE:
        return made(kind, size)
    piece = FILES[kind][1] if kind in FILES else REPEATED[kind]
    return piece * (size // len(piece.encode()) + 1)


def made(kind: str, size: int) -> str:
    """Kinds in which nothing is said twice."""
    if kind == "random letters":
        import random

        return "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=size))
    piece, length = {
        "different words": ("w{0:06x} ", 8),
        "different sentences": ("The value of item {0:06x} is {0}. ", 35),
        "different paragraphs": ("x{0:06x}\n\n", 9),
        "one name after another": ("Ab{0:06x} Cd{0:06x} met. ", 23),
    }[kind]
    return "".join(piece.format(i) for i in range(size // length))


def case(kind: str, size: int, budget: int) -> dict[str, Any]:
    """Packs one document in this process and checks what is promised; seconds, megabytes, segments."""
    import fieldpack as fp
    from fieldpack.files.read import read

    packer = fp.ContextPacker()
    packer.pack("warm", ["text"], 10)
    documents: tuple[fp.Document, ...] = (fp.Document("hostile", document(kind, size)),)
    if kind in FILES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"hostile{FILES[kind][0]}"
            path.write_text(documents[0].text, "utf-8", newline="")
            start = time.process_time()
            try:
                documents = read([path])
            except fp.InputError as error:
                return measured(start, refused=str(error)[len(str(path)) :])
    else:
        start = time.process_time()
    if not any(d.text.strip() for d in documents):
        return measured(start, refused="blank")
    result = packer.pack("what causes the tides", documents, budget)
    found = measured(start, segments=len(result.segments), tokens=result.tokens)
    check(packer, result, documents, budget)
    return found


def measured(start: float, **more: Any) -> dict[str, Any]:
    return {"seconds": round(time.process_time() - start, 2), "megabytes": peak_megabytes(), **more}


def peak_megabytes() -> int:
    """The most memory this process has held, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


@functools.cache
def counter() -> Callable[[str], int]:
    """Another count of the same tokens."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import fuzz_budget

    return fuzz_budget.independent("o200k_base")


def check(packer: Any, result: Any, documents: Any, budget: int) -> None:
    """The budget by another counter, the kept text verbatim, nothing lost."""
    counted = counter()(result.text)
    texts = {d.id: d.text for d in documents}
    kept = sum(texts[k.doc_id][k.start : k.end] == k.text and k.text in result.text for k in result.kept)
    rows = result.segments
    ink = sum(len("".join(d.text.split())) for d in documents)
    seen = sum(len("".join(text.split())) for text in rows.texts(documents))
    if counted > budget or counted != result.tokens or kept != int(result.inside.sum()) or seen != ink:
        raise SystemExit(f"a promise is broken: {counted=} {result.tokens=} {kept=} {seen=} {ink=}")


def alone(kind: str, size: int, budget: int, seconds: float) -> dict[str, Any]:
    """`case` in a process of its own, on one thread."""
    command = [sys.executable, __file__, "--case", kind, "--sizes", str(size), "--budget", str(budget)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {seconds:.0f} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:300]}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def report(rows: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """What was measured so far."""
    largest = [r[str(options.sizes[-1])] for r in rows.values()]
    return {
        "command": f"python benchmarks/hostile.py {' '.join(sys.argv[1:])}",
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}",
        "budget": options.budget,
        "kinds measured": len(rows),
        "most seconds": max((c.get("seconds", 0.0) for c in largest), default=0.0),
        "most megabytes": max((c.get("megabytes", 0) for c in largest), default=0),
        "largest exponent": max((r.get("exponent", 0.0) for r in rows.values()), default=0.0),
        "failed": [kind for kind, r in rows.items() if any("failed" in c for c in r.values() if isinstance(c, dict))],
        "kinds": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000_000, 10_000_000], help="bytes")
    parser.add_argument("--budget", type=int, default=2000)
    parser.add_argument("--kinds", nargs="*", default=[*REPEATED, *MADE, *FILES])
    parser.add_argument("--limit", type=float, default=600.0, help="seconds that a case may take")
    parser.add_argument("--case", help="run one case in this process and print what it took")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(case(options.case, options.sizes[0], options.budget)))
        return
    rows = {}
    for kind in options.kinds:
        cases = [alone(kind, size, options.budget, options.limit) for size in options.sizes]
        rows[kind] = {str(size): found for size, found in zip(options.sizes, cases, strict=True)}
        first, last = (c.get("seconds", 0.0) for c in (cases[0], cases[-1]))
        if min(first, last) >= 0.05:  # what is shorter says nothing of growth
            rows[kind]["exponent"] = round(math.log(last / first) / math.log(options.sizes[-1] / options.sizes[0]), 2)
        print(f"{kind:34}", *cases, rows[kind].get("exponent", ""), file=sys.stderr, flush=True)
        if options.out is not None:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(report(rows, options), indent=1, ensure_ascii=False) + "\n", "utf-8")
    found = report(rows, options)
    print(json.dumps(found, indent=1, ensure_ascii=False))
    sys.exit(1 if found["failed"] else 0)


if __name__ == "__main__":
    main()
