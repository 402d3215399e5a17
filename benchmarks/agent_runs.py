"""A recorded conversation in each agent framework, offline, with whole and with trimmed tool output.

    python benchmarks/agent_runs.py CASES.jsonl.gz [--per-kind 2] [--budgets 150,400] [--only langchain,...]

CASES: as of `tools.py`. A scripted model reads one output for each question, in one conversation, and answers with the
facts of the case where all of them stand in what it was shown; where they do not, it asks `expand` once. answers: of
so many questions; tokens: of all messages of all requests (o200k), that is, without what a prompt cache would save;
requests: to the model; expand: calls of it; same prefix: every request begins with the bytes of the one before.
Frameworks that are not installed are left out; results go to `results/agents.json`, beside those of other frameworks.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import sys
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from agent_frameworks import NEEDS, RUNS, Script
from tools import Case, read_cases

import fieldpack

OUT = Path(__file__).parent / "results" / "agents.json"
PACKAGES = {
    "langchain": "langchain",
    "deepagents": "deepagents",
    "pydantic_ai": "pydantic-ai-slim",
    "openai_agents": "openai-agents",
    "adk": "google-adk",
    "llamaindex": "llama-index-core",
    "haystack": "haystack-ai",
}


@lru_cache(maxsize=10_000)
def tokens_of(text: str) -> int:
    """By the o200k encoding."""
    return int(fieldpack.tokenizer("o200k_base").count(text))


def chosen(cases: list[Case], per_kind: int) -> list[Case]:
    """So many cases of each kind, whose questions differ."""
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        of_kind = kinds.setdefault(case["kind"], [])
        if len(of_kind) < per_kind and all(case["query"] != c["query"] for some in kinds.values() for c in some):
            of_kind.append(case)
    return [case for of_kind in kinds.values() for case in of_kind]


def recorded(framework: str, cases: list[Case], trimming: dict[str, Any] | None) -> dict[str, Any]:
    """The measures of one conversation, and its answers."""
    texts = {case["id"]: case["text"] for case in cases}
    script = Script(
        wanted={case["query"]: list(case["facts"]) for case in cases},
        read=texts.__getitem__,
        sources={case["query"]: case["id"] for case in cases},
    )
    adapter = RUNS[framework](script, [case["query"] for case in cases], trimming)
    return {
        "answers": sum(answer != "not found" for answer in script.answers),
        "requests": len(script.requests),
        "tokens": sum(tokens_of(text) for request in script.requests for _, text in request),
        "last_request": sum(tokens_of(text) for _, text in script.requests[-1]),
        "expand": adapter.savings.expanded if adapter else 0,
        "same_prefix": all(later[: len(earlier)] == earlier for earlier, later in pairwise(script.requests)),
        "said": script.answers,
    }


def compared(framework: str, cases: list[Case], budgets: list[int]) -> dict[str, Any]:
    """Before, and after for each budget."""
    before = recorded(framework, cases, None)
    said = before.pop("said")
    out = {"version": importlib.metadata.version(PACKAGES[framework]), "whole": before, "budgets": {}}
    for budget in budgets:
        after = recorded(framework, cases, {"trimmer": {"budget": budget}})
        same = sum(a == b for a, b in zip(said, after.pop("said"), strict=True))
        out["budgets"][str(budget)] = {**after, "same_answers": same}
    return out


def table(results: dict[str, Any]) -> str:
    """For a page of the docs."""
    lines = [
        "| framework | budget | same answers | requests | `expand` | tokens sent | of whole |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, r in results["frameworks"].items():
        whole, label = r["whole"], f"{PACKAGES[name]} {r['version']}"
        lines.append(f"| {label} | - | | {whole['requests']} | | {whole['tokens']:,} | |")
        for budget, after in r["budgets"].items():
            same = f"{after['same_answers']} of {results['questions']}"
            share = f"{after['tokens'] / whole['tokens']:.1%}"
            lines.append(
                f"| | {budget} | {same} | {after['requests']} | {after['expand']} | {after['tokens']:,} | {share} |"
            )
    return "\n".join(lines)


def is_installed(module: str) -> bool:
    """Whether a module can be imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def main() -> None:
    """Reads the arguments, writes the results and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--per-kind", type=int, default=2)
    parser.add_argument("--budgets", default="150,400")
    parser.add_argument("--only", default=",".join(RUNS))
    arguments = parser.parse_args()
    cases = chosen(read_cases(arguments.cases), arguments.per_kind)
    known = json.loads(OUT.read_text("utf-8"))["frameworks"] if OUT.exists() else {}
    for name in arguments.only.split(","):
        if is_installed(NEEDS[name]):
            known[name] = compared(name, cases, [int(b) for b in arguments.budgets.split(",")])
    options = f"--per-kind {arguments.per_kind} --budgets {arguments.budgets}"
    results = {
        "kind": "agents",
        "command": f"python benchmarks/agent_runs.py CASES {options}",
        "questions": len(cases),
        "frameworks": {name: known[name] for name in RUNS if name in known},
    }
    OUT.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    sys.stdout.write(table(results) + "\n")


if __name__ == "__main__":
    main()
