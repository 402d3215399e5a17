"""Evidence kept of folders of documentation, and how whole its pieces are.

    python benchmarks/folders.py --data FOLDER [--units auto,paragraph,sentence] [--embedder cascade]
        [--out results/folders.json]

FOLDER holds NAME.folder.jsonl.gz, a file a line, {"id", "text"}, and NAME.folder.queries.jsonl.gz, {"id", "query",
"groups"}: parts that are all needed, each a list of alternatives {"doc", "start", "end"}. Evidence is the mean over
groups of the best alternative's share of kept characters. Besides, per cell: pieces (runs of text without a gap) per
1,000 tokens, the share of kept paragraphs that are whole, the share of pieces of code whose brackets do not balance,
and how often more tokens lost evidence that fewer had kept.
"""

import argparse
import gzip
import json
import time
from pathlib import Path

import numpy as np

from fieldpack import ContextPacker, Document
from fieldpack.types import KINDS

BUDGETS = (500, 1000, 2000, 4000)
PAIRS = {")": "(", "]": "[", "}": "{"}


def read_lines(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file if line.strip()]


def evidence(groups, kept):
    """kept: id -> spans, disjoint."""

    def share(part):
        spans = kept.get(part["doc"], ())
        held = sum(max(0, min(end, part["end"]) - max(start, part["start"])) for start, end in spans)
        return held / max(1, part["end"] - part["start"])

    return float(np.mean([max(share(part) for part in group) for group in groups]))


def balanced(text):
    stack = []
    for sign in text:
        if sign in "([{":
            stack.append(sign)
        elif sign in PAIRS and (not stack or stack.pop() != PAIRS[sign]):
            return False
    return not stack


def shape(result):
    """pieces, whole paragraphs, kept paragraphs, unbalanced pieces of code, pieces of code."""
    rows, inside = result.corpus.rows, np.asarray(result.inside)
    kept = np.flatnonzero(inside)
    pieces = int((np.diff(kept, prepend=-2) > 1).sum())
    paragraphs = np.unique(rows.parent[kept])
    sizes = np.bincount(rows.parent)
    held = np.bincount(rows.parent[kept], minlength=len(sizes))
    code = kept[rows.kind[kept] == KINDS.index("code")]
    texts = [result.corpus.documents[rows.doc[r]].text[rows.start[r] : rows.end[r]] for r in code.tolist()]
    whole = int((held[paragraphs] == sizes[paragraphs]).sum())
    return np.array([pieces, whole, len(paragraphs), sum(not balanced(t) for t in texts), len(texts)])


def measure(path, unit, embedder="static"):
    queries = read_lines(path.with_name(path.name.replace(".folder.", ".folder.queries.")))
    packer = ContextPacker(embedder=embedder, unit=unit)
    index = packer.index([Document(d["id"], d["text"]) for d in read_lines(path)])
    cells, shapes, before = {b: [] for b in BUDGETS}, {b: np.zeros(5) for b in BUDGETS}, {}
    lost, taken = 0, 0.0
    for query in queries:
        start, result = time.process_time(), None
        for budget in BUDGETS:
            result = index.pack(query["query"], budget) if result is None else result.repack(budget)
            if budget == BUDGETS[0]:
                taken += time.process_time() - start
            kept = {}
            for k in result.kept:
                kept.setdefault(k.doc_id, []).append((k.start, k.end))
            value = evidence(query["groups"], kept)
            lost += value < before.get(query["id"], 0.0) - 1e-9
            before[query["id"]] = value
            cells[budget].append(value)
            shapes[budget] += shape(result)
    return {
        "segments": len(index),
        "queries": len(queries),
        "unit": index.corpus.unit,
        "milliseconds": round(1000 * taken / len(queries), 1),
        "less_with_more": lost / (len(queries) * (len(BUDGETS) - 1)),
        "evidence": {b: cells[b] for b in BUDGETS},
        "pieces_per_1000": {b: shapes[b][0] / len(queries) / b * 1000 for b in BUDGETS},
        "whole": {b: shapes[b][1] / max(shapes[b][2], 1) for b in BUDGETS},
        "unbalanced": {b: shapes[b][3] / max(shapes[b][4], 1) for b in BUDGETS},
    }


def row(name, unit, cells):
    means = {
        key: np.mean([list(c[key].values()) for c in cells], 0) for key in ("pieces_per_1000", "whole", "unbalanced")
    }
    kept = [np.mean([v for c in cells for v in c["evidence"][b]]) for b in BUDGETS]
    print(
        f"{name:12s} {unit:9s} evidence {' '.join(f'{v:.3f}' for v in kept)} mean {np.mean(kept):.3f} | pieces/1000 "
        f"{' '.join(f'{v:.1f}' for v in means['pieces_per_1000'])} | whole {means['whole'].mean():.2f} | unbalanced "
        f"{means['unbalanced'].mean():.2f} | less with more {np.mean([c['less_with_more'] for c in cells]):.2f} | "
        f"{np.mean([c['milliseconds'] for c in cells]):.0f} ms",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--units", default="auto")
    parser.add_argument("--embedder", default="static", help="static | minilm | cascade")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results = {}
    for unit in options.units.split(","):
        cells = {}
        for path in sorted(options.data.glob("*.folder.jsonl.gz")):
            name = path.name.split(".")[0]
            cells[name] = measure(path, unit, options.embedder)
            row(name, unit, [cells[name]])
        row("all", unit, list(cells.values()))
        results[unit] = cells
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
