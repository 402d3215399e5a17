"""Follow-up questions in their turn: python benchmarks/followups.py --data FOLDER [--half 1] [--out FILE]

FOLDER is what benchmarks/build_followups.py wrote. Evidence of the second question, kept in 5 % of the tokens (at least
100), when it is packed alone, joined with the question before, as `Session.turn` reads it, and as its author wrote it
whole; and in a `Session` whose turn before asked the first question, with its price of leaving what was shown (`prefix`
is the share of the prompt that a cache knows). --half 0 or 1: every second pair, from the first or the second on.
`changed` is how many questions that their authors wrote whole are read otherwise after another question.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fieldpack.analysis.metrics import evidence_kept
from fieldpack.bench.dataset import Span
from fieldpack.pipeline import ContextPacker
from fieldpack.relevance.follow_up import read_after
from fieldpack.result import Result
from fieldpack.session import Session
from fieldpack.types import Document

COMMAND = "python benchmarks/build_followups.py --data FOLDER --out PAIRS; python benchmarks/followups.py --data PAIRS"
HERE = Path(__file__).resolve().parent


def rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def evidence(case: Mapping[str, Any], sizes: Mapping[str, int], kept: list[Span]) -> float:
    """The share of the evidence that is kept; of the best piece where one is enough."""
    marked = case.get("gold_spans")
    golds = [Span(s["pid"], s["start"], s["end"]) for s in marked] if marked else [
        Span(g, 0, sizes[g]) for g in case["gold"]
    ]  # fmt: skip
    if case.get("mode") == "any":
        return max(evidence_kept([g], kept) for g in golds)
    return evidence_kept(golds, kept)


def spans(result: Result) -> list[Span]:
    return [Span(k.doc_id, k.start, k.end) for k in result.kept]


def measure(data: Path, name: str, half: int | None) -> dict[str, Any]:
    packer, by_document, indexes = ContextPacker(), defaultdict(list), {}
    for row in rows(data / f"{name}_followups.passages.jsonl.gz"):
        by_document[row.get("doc")].append(Document(row["id"], row["text"], row.get("title") or ""))
    cases = rows(data / f"{name}_followups.queries.jsonl.gz")
    cases = cases if half is None else cases[half::2]
    values: dict[str, list[float]] = defaultdict(list)
    changed = 0
    for case in cases:
        document = case.get("doc")
        index = indexes.setdefault(document, None) or packer.index(by_document[document])
        indexes[document] = index
        budget = max(100, int(index.corpus.rows.tokens.sum()) // 20)
        sizes = {d.id: len(d.text) for d in index.documents}
        asked: dict[str, Any] = {
            "alone": case["query"],
            "joined": f"{case['previous']} {case['query']}",
            "in turn": read_after(case["query"], case["previous"]),
            "whole": case["whole"],
        }
        changed += len(read_after(case["whole"], case["previous"])) > 1
        for way, query in asked.items():
            values[way].append(evidence(case, sizes, spans(index.pack(query, budget))))
        for way, query in (("in a session", case["query"]), ("whole in a session", case["whole"])):
            session = Session(packer)
            session.turn(case["previous"], index, budget)
            values[way].append(evidence(case, sizes, spans(session.turn(query, index, budget))))
            values[f"prefix, {way}"].append(session.prompt.prefix_tokens / max(1, session.prompt.tokens))
    means = {way: round(float(np.mean(v)), 4) for way, v in values.items()}
    return {"pairs": len(cases), **means, "changed": changed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default="squad,policyqa,locomo")
    parser.add_argument("--half", type=int, choices=(0, 1))
    parser.add_argument("--out", type=Path, default=HERE / "results" / "followups.json")
    options = parser.parse_args()
    result: dict[str, Any] = {"command": COMMAND, "half": options.half, "sets": {}}
    for name in options.sets.split(","):
        result["sets"][name] = measure(options.data, name, options.half)
        print(name, result["sets"][name], flush=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
