"""A labelled set of code search out of Python packages: the first sentence of a docstring asks for its function.

    python models/make_code_set.py --sources SITE_PACKAGES --out FOLDER [--functions 1500] [--queries 150]

Writes FOLDER/docstrings.{passages,queries}.jsonl for build_scorer.py --code. The sentence is taken out of the function,
the rest of the docstring stays. Only the weights that are fitted to it go into the package, no text.
"""

import argparse
import ast
import json
import random
import re
from pathlib import Path

SENTENCE = re.compile(r"(?<=[.!?])\s|\n\n")
DOCSTRING = re.compile(r'("""|\'\'\')(.*?)\1', re.DOTALL)
MOST_IN_A_FILE = 3


def functions(path):
    """(question, function without it) for a few functions of a file."""
    try:
        source = path.read_text("utf-8")
        nodes = ast.walk(ast.parse(source))
    except (SyntaxError, UnicodeDecodeError, ValueError):
        return
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("__"):
            text = ast.get_docstring(node) or ""
            code = ast.get_source_segment(source, node) or ""
            found = DOCSTRING.search(code)
            first = SENTENCE.split(text.strip())[0]
            asked = " ".join(first.split()).rstrip(".").lower()
            if found and asked.isascii() and 4 <= len(asked.split()) <= 14 and 120 < len(code) < 1500:
                rest = text.strip()[len(first) :].strip()
                body = f'"""{rest}"""' if len(rest) > 20 else "pass"
                yield asked, code[: found.start()] + body + code[found.end() :]


def write(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sources", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--functions", type=int, default=1500)
    parser.add_argument("--queries", type=int, default=150)
    options = parser.parse_args()
    files = sorted(p for p in options.sources.rglob("*.py") if "test" not in str(p.relative_to(options.sources)))
    random.Random(0).shuffle(files)
    found = {}
    for path in files:
        for asked, code in [*functions(path)][:MOST_IN_A_FILE]:
            found.setdefault(asked, code)
        if len(found) >= options.functions:
            break
    rows = list(found.items())[: options.functions]
    random.Random(1).shuffle(rows)
    options.out.mkdir(parents=True, exist_ok=True)
    write(options.out / "docstrings.passages.jsonl", [{"id": f"f{i}", "text": c} for i, (_, c) in enumerate(rows)])
    asked = [{"id": f"q{i}", "query": q, "gold": [f"f{i}"]} for i, (q, _) in enumerate(rows[: options.queries])]
    write(options.out / "docstrings.queries.jsonl", asked)
